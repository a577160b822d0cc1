/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connectors from files on the herder's threads, in a world of fakes: who writes what the files
 * ask for, and who waits for others.
 *
 * fakes: world world_node
 */
#include <ftw.h>
#include <unistd.h>

#include "coordinator/cluster.h"
#include "tests/fakes/world_node.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/kafka/writer.h"

static char folder[64];

static int begin(void **state UNUSED)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/sluice-files-XXXXXX");
    world_begin();
    world.connectors_dir = mkdtemp(folder);
    return world.connectors_dir ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info UNUSED, int kind UNUSED,
                      struct FTW *place UNUSED)
{
    return remove(path);
}

static int end(void **state UNUSED)
{
    world_end();
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const char *name)
{
    CLEANUP(free_charp) char *path = xasprintf("%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs("{\"connector.class\":\"Fake\",\"tasks.max\":\"1\"}", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* What another worker says. */
static void say(const char *worker, const char *text)
{
    CLEANUP(free_charp) char *topic = xstrdup("g-status");
    CLEANUP(free_charp) char *key = xasprintf("files-%s", worker);
    CLEANUP(free_charp) char *value = xstrdup(text);
    struct writer_record record = { .topic = topic, .partition = -1, .key = key, .value = value };
    kafka_status_writer_put(NULL, &record);
}

static bool was_written(const char *key)
{
    bool found = false;
    lock_take(&world.lock);
    for (size_t i = 0; i < world.n_records; i++) {
        found = found || strcmp(world.records[i].key, key) == 0;
    }
    lock_drop(&world.lock);
    return found;
}

static void test_the_leader_makes_what_the_files_ask_for(void **state UNUSED)
{
    struct node node;
    struct error error = { ERR_OK, "" };
    struct cluster_reply reply;
    put_file("c.json");
    node_start_alone(&node, "a:1");
    world_wait_record("files-a:1", "digest");
    world_wait_record("managed-c", "c.json");
    node_wait_running(&node, 1);
    assert_int_equal(node_change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_MANAGED);
    assert_non_null(strstr(error.text, "c.json"));
    put_file("d.json");
    CLEANUP(free_charp) char *path = xasprintf("%s/c.json", folder);
    assert_int_equal(unlink(path), 0);
    world_wait_record("connector-d", "Fake");
    world_wait_record("connector-c", NULL);
    world_wait_record("managed-c", NULL);
    node_free(&node);
}

/* A mark that stayed would let a folder that is read again later delete what a client has made. */
static void test_a_change_where_no_files_are_read_takes_the_mark_away(void **state UNUSED)
{
    struct node node;
    struct error error = { ERR_OK, "" };
    struct cluster_reply reply;
    put_file("c.json");
    node_start_alone(&node, "a:1");
    world_wait_record("managed-c", "c.json");
    node_wait_running(&node, 1);
    node_free(&node);
    world.connectors_dir = NULL;
    node_start_alone(&node, "b:1");
    assert_int_equal(node_change(&node, CHANGE_TARGET, "c", &reply, &error), ERR_OK);
    world_wait_record("managed-c", "c.json"); /* that is not about the config */
    assert_int_equal(node_change(&node, CHANGE_PUT_CONFIG, "c", &reply, &error), ERR_OK);
    world_wait_record("managed-c", NULL);
    node_free(&node);
}

static void test_nothing_is_done_while_a_member_has_other_files(void **state UNUSED)
{
    struct node node;
    struct node other;
    node_start(&node, "a:1");
    world.connectors_dir = NULL;
    node_start(&other, "b:1");
    /* "http://b:1#<instance>" */
    CLEANUP(free_charp)
    char *word = xasprintf("{\"instance\":\"%s\",\"digest\":\"another\"}",
                           strchr(node_group(&other)->client_id, '#') + 1);
    say("b:1", word);
    put_file("c.json");
    node_assign(&node, 0, WORLD_SLOTS);
    node_tell_members(&node, &node, &other, WORLD_SLOTS);
    node_assert_leads(&node);
    struct cluster_files files;
    do {
        cluster_files(node.cluster, &files);
        file_set_unref(files.set);
    } while (strcmp(files.other, "b:1") != 0);
    assert_true(files.enabled);
    assert_false(files.agreed);
    /* It would have come with this one. */
    assert_int_equal(node_create(&node, "mine"), ERR_OK);
    world_wait_record("placement-mine", "slots");
    assert_false(was_written("managed-c"));
    node_tell_members(&node, &node, NULL, WORLD_SLOTS);
    world_wait_record("managed-c", "c.json");
    node_free(&other);
    node_free(&node);
}

static void test_the_word_of_one_that_the_group_does_not_know_yet_stays(void **state UNUSED)
{
    struct node node;
    put_file("c.json");
    node_start_alone(&node, "a:1");
    world_wait_record("managed-c", "c.json");
    say("b:1", "{\"instance\":\"1-comes\",\"digest\":\"another\"}");
    put_file("d.json");
    world_wait_record("managed-d", "d.json");
    put_file("e.json");
    world_wait_record("managed-e", "e.json");
    world_wait_record("files-b:1", "1-comes");
    node_free(&node);
}

static void test_a_word_that_vanishes_is_said_again(void **state UNUSED)
{
    struct node node;
    put_file("c.json");
    node_start_alone(&node, "a:1");
    world_wait_record("managed-c", "c.json");
    world_wait_record("files-a:1", "digest");
    say("a:1", "{\"instance\":\"0-before\",\"digest\":\"another\"}");
    world_wait_record("files-a:1", strchr(node_group(&node)->client_id, '#') + 1);
    node_free(&node);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_the_leader_makes_what_the_files_ask_for),
        WORLD_TEST(test_a_change_where_no_files_are_read_takes_the_mark_away),
        WORLD_TEST(test_nothing_is_done_while_a_member_has_other_files),
        WORLD_TEST(test_the_word_of_one_that_the_group_does_not_know_yet_stays),
        WORLD_TEST(test_a_word_that_vanishes_is_said_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
