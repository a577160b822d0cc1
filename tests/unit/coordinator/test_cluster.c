/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the cluster part as a whole, herder, store and leader's writer on their threads, in a
 * world of fakes: how it starts and what it does with changes.
 *
 * fakes: world world_node
 */
#include "coordinator/cluster.h"
#include "tests/fakes/world_node.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

static void test_start_goes_through_the_stages(void **state UNUSED)
{
    char stage[256];
    int64_t since = 0;
    struct node node;
    world.unreachable = 1;
    node_begin(&node, "a:1");
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_STARTING);
    assert_string_equal(stage, "initializing and reading to the end of internal topics");
    assert_true(since > 0);
    world_wait(node_has_group, &node);
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_STARTING);
    char id[64];
    cluster_kafka_id(node.cluster, id, sizeof(id));
    assert_string_equal(id, "WORLD");
    node_assign(&node, 0, 0);
    node_wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    assert_string_equal(stage, "");
    node_free(&node);
}

static void test_start_refuses_a_wrong_topic(void **state UNUSED)
{
    struct node node;
    world.refused_topic = "status.storage.topic";
    world.refusal = ERR_INVALID;
    node_begin(&node, "a:1");
    node_wait_fatal(&node);
    assert_string_equal(node.fatal,
                        "Topic 'g-status' supplied via the 'status.storage.topic' property");
    node_free(&node);
}

static void test_stop_while_kafka_is_unreachable_ends(void **state UNUSED)
{
    struct node node;
    world.unreachable = UINT32_MAX;
    node_begin(&node, "a:1");
    node_free(&node);
    assert_int_equal(world.n_groups, 0);
}

static void test_create_is_expanded_placed_and_run(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(node_change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_OK);
    assert_true(reply.created);
    struct snapshot *snapshot = cluster_snapshot(node.cluster);
    assert_true(snapshot->config_position >= reply.position);
    assert_non_null(snapshot_find(snapshot, "c"));
    snapshot_unref(snapshot);
    node_wait_running(&node, 3);
    world_wait_record("status-task-c-2", "\"RUNNING\"");
    world_wait_record("status-connector-c", "\"RUNNING\"");
    world_wait_record("task-c-0", "\"x.FakeTask\"");
    node_free(&node);
}

static void test_create_of_one_name_is_won_once(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(node_change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_EXISTS);
    assert_string_equal(error.text, "Connector c already exists");
    node_free(&node);
}

struct racer {
    struct thread thread;
    struct node *node;
    enum err err;
};

static void *racer_main(void *arg)
{
    struct racer *racer = arg;
    racer->err = node_create(racer->node, "c");
    return NULL;
}

static void test_concurrent_creates_of_one_name_have_one_winner(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    struct racer racers[6];
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        racers[i] = (struct racer){ .node = &node, .err = ERR_INTERNAL };
        thread_start(&racers[i].thread, "racer", racer_main, &racers[i]);
    }
    size_t n_ok = 0;
    size_t n_exists = 0;
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        thread_join(&racers[i].thread);
        n_ok += racers[i].err == ERR_OK ? 1 : 0;
        n_exists += racers[i].err == ERR_EXISTS ? 1 : 0;
    }
    assert_int_equal(n_ok, 1);
    assert_int_equal(n_exists, N_ELEMENTS(racers) - 1);
    node_free(&node);
}

static void test_delete_stops_the_tasks_and_frees_the_name(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    world_wait_record("status-task-c-0", "\"RUNNING\"");
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(node_change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_OK);
    node_wait_running(&node, 0);
    world_wait_record("status-connector-c", NULL);
    world_wait_record("status-task-c-0", NULL);
    assert_int_equal(node_change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_NOT_FOUND);
    assert_string_equal(error.text, "Connector c not found");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    node_free(&node);
}

static int begin(void **state UNUSED)
{
    world_begin();
    return 0;
}

static int end(void **state UNUSED)
{
    world_end();
    return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_start_goes_through_the_stages),
        WORLD_TEST(test_start_refuses_a_wrong_topic),
        WORLD_TEST(test_stop_while_kafka_is_unreachable_ends),
        WORLD_TEST(test_create_is_expanded_placed_and_run),
        WORLD_TEST(test_create_of_one_name_is_won_once),
        WORLD_TEST(test_concurrent_creates_of_one_name_have_one_winner),
        WORLD_TEST(test_delete_stops_the_tasks_and_frees_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
