/* SPDX-License-Identifier: Apache-2.0 */
/* New values behind placeholders are told once, and only when they are there. */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "folder.h"
#include "tests/support/no_files.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/providers/watch.h"

#define PATIENCE_MS 10000

struct fixture {
    struct folder folder;
    struct providers *providers;
    struct watch *watch;
    struct kvs config;
    int fd; /* the sum of the ids that were told */
};

static void on_change(void *arg, uint64_t id)
{
    (void)eventfd_write(*(int *)arg, id);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    folder_make(&f->folder);
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "config.providers", "file,dir,env");
    kvs_set(&props, "config.providers.file.class", "FileConfigProvider");
    kvs_set(&props, "config.providers.dir.class", "DirectoryConfigProvider");
    kvs_set(&props, "config.providers.env.class", "EnvVarConfigProvider");
    struct error error;
    assert_int_equal(providers_new(&props, &f->providers, &error), ERR_OK);
    kvs_fini(&props);
    kvs_init(&f->config);
    f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->watch = watch_new(f->providers, on_change, &f->fd);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    watch_free(f->watch);
    providers_free(f->providers);
    kvs_fini(&f->config);
    (void)close(f->fd);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

/* Watches `${dir:<folder>/<sub>:<key>}` as id, from its present value on. */
static void add(struct fixture *f, uint64_t id, const char *sub, const char *key)
{
    CLEANUP(free_charp) char *value = xasprintf("${dir:%s/%s:%s}", f->folder.path, sub, key);
    kvs_set(&f->config, "password", value);
    kvs_set(&f->config, "plain", "x");
    struct resolution resolution;
    struct error error;
    assert_int_equal(providers_resolve(f->providers, &f->config, &resolution, &error), ERR_OK);
    watch_add(f->watch, id, "connector=c task=0", &f->config, &resolution);
    resolution_fini(&resolution);
}

/* What is told next; 0 when nothing is, for wait_ms. */
static uint64_t told(struct fixture *f, int wait_ms)
{
    struct pollfd fd = { .fd = f->fd, .events = POLLIN };
    eventfd_t sum = 0;
    if (poll(&fd, 1, wait_ms) == 1) {
        (void)eventfd_read(f->fd, &sum);
    }
    return sum;
}

/* Has a change told of something else that was added later: all earlier events were seen then. */
static void settle(struct fixture *f)
{
    folder_write(&f->folder, "settle", "1");
    add(f, 1000, "", "settle");
    folder_write(&f->folder, "settle.new", "2");
    CLEANUP(free_charp) char *from = folder_path(&f->folder, "settle.new");
    CLEANUP(free_charp) char *to = folder_path(&f->folder, "settle");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(told(f, PATIENCE_MS), 1000);
}

static void test_a_file_that_is_written_or_replaced_is_told_once(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    add(f, 7, "", "a");
    folder_write(&f->folder, "a", "two");
    assert_int_equal(told(f, PATIENCE_MS), 7);
    folder_write(&f->folder, "a", "three");
    settle(f);
    add(f, 8, "", "a");
    folder_write(&f->folder, "a.new", "four");
    CLEANUP(free_charp) char *from = folder_path(&f->folder, "a.new");
    CLEANUP(free_charp) char *to = folder_path(&f->folder, "a");
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(told(f, PATIENCE_MS), 8);
}

static void test_the_same_value_and_other_files_are_not_told(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    add(f, 7, "", "a");
    folder_write(&f->folder, "a", "one");
    folder_write(&f->folder, "b", "other");
    settle(f);
    folder_write(&f->folder, "a", "two");
    assert_int_equal(told(f, PATIENCE_MS), 7);
}

/* In the middle of an exchange the file may be away. */
static void test_a_value_that_is_missing_is_told_when_it_is_there(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    add(f, 7, "", "a");
    CLEANUP(free_charp) char *path = folder_path(&f->folder, "a");
    assert_int_equal(unlink(path), 0);
    settle(f);
    folder_write(&f->folder, "a", "two");
    assert_int_equal(told(f, PATIENCE_MS), 7);
}

/* As while a file is written over: nobody wants an empty password. */
static void test_a_value_that_is_empty_is_told_when_it_is_there(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    add(f, 7, "", "a");
    folder_write(&f->folder, "a", "");
    settle(f);
    folder_write(&f->folder, "a", "two");
    assert_int_equal(told(f, PATIENCE_MS), 7);
}

static void test_a_link_that_turns_is_told(void **state)
{
    struct fixture *f = *state;
    folder_sub(&f->folder, "..1");
    folder_sub(&f->folder, "..2");
    folder_write(&f->folder, "..1/a", "one");
    folder_write(&f->folder, "..2/a", "two");
    folder_link(&f->folder, "..data", "..1");
    folder_link(&f->folder, "a", "..data/a");
    add(f, 7, "", "a");
    folder_link(&f->folder, "..data", "..2");
    assert_int_equal(told(f, PATIENCE_MS), 7);
    /* The link is a folder of the path itself. */
    add(f, 8, "..data", "a");
    folder_link(&f->folder, "..data", "..1");
    assert_int_equal(told(f, PATIENCE_MS), 8);
}

/* Between looking up and watching. */
static void test_a_change_before_the_watch_began_is_told(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    CLEANUP(free_charp) char *value = xasprintf("${dir:%s:a}", f->folder.path);
    kvs_set(&f->config, "password", value);
    struct resolution resolution;
    struct error error;
    assert_int_equal(providers_resolve(f->providers, &f->config, &resolution, &error), ERR_OK);
    folder_write(&f->folder, "a", "two");
    watch_add(f->watch, 9, "", &f->config, &resolution);
    resolution_fini(&resolution);
    assert_int_equal(told(f, PATIENCE_MS), 9);
}

static void test_what_is_removed_is_not_told(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    add(f, 7, "", "a");
    watch_remove(f->watch, 7);
    settle(f); /* so that it is removed, and not being looked at for an earlier event */
    folder_write(&f->folder, "a", "two");
    settle(f);
    watch_remove(f->watch, 7);
}

static void test_a_watch_that_could_not_be_made_is_made_later(void **state)
{
    struct fixture *f = *state;
    folder_write(&f->folder, "a", "one");
    CLEANUP(free_charp) char *value = xasprintf("${dir:%s:a}", f->folder.path);
    kvs_set(&f->config, "password", value);
    struct resolution resolution;
    struct error error;
    assert_int_equal(providers_resolve(f->providers, &f->config, &resolution, &error), ERR_OK);
    rlim_t before = no_files_begin();
    watch_add(f->watch, 8, "", &f->config, &resolution);
    no_files_end(before);
    watch_remove(f->watch, 8);
    watch_add(f->watch, 9, "", &f->config, &resolution);
    resolution_fini(&resolution);
    folder_write(&f->folder, "a", "two");
    assert_int_equal(told(f, PATIENCE_MS), 9);
}

static void test_without_files_no_thread_is_made(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(setenv("SLUICE_TEST_A", "v", 1), 0);
    kvs_set(&f->config, "user", "${env:SLUICE_TEST_A}");
    struct resolution resolution;
    struct error error;
    assert_int_equal(providers_resolve(f->providers, &f->config, &resolution, &error), ERR_OK);
    watch_add(f->watch, 9, "", &f->config, &resolution);
    resolution_fini(&resolution);
    watch_remove(f->watch, 9);
    assert_int_equal(told(f, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define WITH_WATCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        WITH_WATCH(test_a_file_that_is_written_or_replaced_is_told_once),
        WITH_WATCH(test_the_same_value_and_other_files_are_not_told),
        WITH_WATCH(test_a_value_that_is_missing_is_told_when_it_is_there),
        WITH_WATCH(test_a_value_that_is_empty_is_told_when_it_is_there),
        WITH_WATCH(test_a_link_that_turns_is_told),
        WITH_WATCH(test_a_change_before_the_watch_began_is_told),
        WITH_WATCH(test_what_is_removed_is_not_told),
        WITH_WATCH(test_a_watch_that_could_not_be_made_is_made_later),
        WITH_WATCH(test_without_files_no_thread_is_made),
#undef WITH_WATCH
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
