/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of connectors.dir is followed: files that come, change and go, whole versions, the
 * folder itself. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/file_reader.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

#define PATIENCE_MS 10000

struct fixture {
    char folder[64];
    struct file_reader *reader;
    struct lock lock;
    struct cond changed;
    unsigned n_changes;
};

static void on_change(void *arg)
{
    struct fixture *f = arg;
    lock_take(&f->lock);
    f->n_changes++;
    cond_broadcast(&f->changed);
    lock_drop(&f->lock);
}

static void put(const struct fixture *f, const char *name, const char *text)
{
    CLEANUP(free_charp) char *path = xasprintf("%s/%s", f->folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/sluice-files-XXXXXX");
    lock_init(&f->lock, LOCK_RANK_HERDER);
    cond_init(&f->changed);
    *state = f;
    return mkdtemp(f->folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info UNUSED, int kind UNUSED,
                      struct FTW *place UNUSED)
{
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    file_reader_free(f->reader);
    (void)nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    cond_fini(&f->changed);
    lock_fini(&f->lock);
    free(f);
    return 0;
}

static void begin(struct fixture *f)
{
    struct file_reader_options options = {
        .folder = f->folder,
        .on_change = on_change,
        .arg = f,
    };
    f->reader = file_reader_start(&options);
}

/* Waits for a set in which x of connector `name` is `x` (NULL: it is not there); without a name,
 * for a folder that cannot be read. Fails after a while. */
static void wait_for(struct fixture *f, const char *name, const char *x)
{
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        lock_take(&f->lock);
        unsigned seen = f->n_changes;
        lock_drop(&f->lock);
        struct file_set *set = file_reader_set(f->reader);
        const struct connector_file *file = set && name ? file_set_find(set, name) : NULL;
        const char *found = file ? kvs_get(&file->config, "x") : NULL;
        bool good = set && (name ? !set->error && (x ? found && strcmp(found, x) == 0 : !file)
                                 : set->error != NULL);
        file_set_unref(set);
        if (good) {
            return;
        }
        lock_take(&f->lock);
        bool waits = true;
        while (f->n_changes == seen && waits) {
            waits = cond_wait_until(&f->changed, &f->lock, deadline);
        }
        lock_drop(&f->lock);
        assert_true(waits);
    }
}

static void test_files_that_come_change_and_go_are_seen(void **state)
{
    struct fixture *f = *state;
    put(f, "a.json", "{\"x\":\"1\"}");
    put(f, "note.txt", "{\"x\":\"1\"}");
    put(f, ".hidden.json", "{\"x\":\"1\"}");
    begin(f);
    wait_for(f, "a", "1");
    put(f, "b.json", "{\"x\":\"2\"}");
    wait_for(f, "b", "2");
    put(f, "a.json", "{\"x\":\"3\"}");
    wait_for(f, "a", "3");
    CLEANUP(free_charp) char *path = xasprintf("%s/a.json", f->folder);
    assert_int_equal(unlink(path), 0);
    wait_for(f, "a", NULL);
    struct file_set *set = file_reader_set(f->reader);
    assert_int_equal(set->n_items, 1);
    assert_false(set->complete);
    file_set_unref(set);
    put(f, FILE_SET_MARKER, "");
    put(f, "c.json", "{\"x\":\"4\"}");
    wait_for(f, "c", "4");
    set = file_reader_set(f->reader);
    assert_true(set->complete);
    file_set_unref(set);
}

/* Puts a version in place as Kubernetes does. */
static void turn(const struct fixture *f, const char *version, const char *text)
{
    CLEANUP(free_charp) char *folder = xasprintf("%s/..%s", f->folder, version);
    CLEANUP(free_charp) char *name = xasprintf("..%s", version);
    CLEANUP(free_charp) char *file = xasprintf("..%s/a.json", version);
    CLEANUP(free_charp) char *fresh = xasprintf("%s/..data_tmp", f->folder);
    CLEANUP(free_charp) char *data = xasprintf("%s/..data", f->folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    put(f, file, text);
    assert_int_equal(symlink(name, fresh), 0);
    assert_int_equal(rename(fresh, data), 0);
}

static void test_a_version_that_is_turned_at_once_is_seen(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_charp) char *link = xasprintf("%s/a.json", f->folder);
    turn(f, "1", "{\"x\":\"1\"}");
    assert_int_equal(symlink("..data/a.json", link), 0);
    begin(f);
    wait_for(f, "a", "1");
    turn(f, "2", "{\"x\":\"2\"}");
    wait_for(f, "a", "2");
}

static void test_a_folder_that_vanishes_is_found_again(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_charp) char *away = xasprintf("%s-away", f->folder);
    put(f, "a.json", "{\"x\":\"1\"}");
    begin(f);
    wait_for(f, "a", "1");
    assert_int_equal(rename(f->folder, away), 0);
    wait_for(f, NULL, NULL);
    assert_int_equal(rename(away, f->folder), 0);
    wait_for(f, "a", "1");
    put(f, "a.json", "{\"x\":\"2\"}");
    wait_for(f, "a", "2");
}

static void test_pipes_long_files_and_too_many_are_refused(void **state)
{
    struct fixture *f = *state;
    CLEANUP(free_charp) char *pipe = xasprintf("%s/p.json", f->folder);
    CLEANUP(free_charp) char *dangling = xasprintf("%s/l.json", f->folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink("nowhere", dangling), 0);
    char *big = xmalloc(FILE_SET_MAX_FILE + 2);
    memset(big, ' ', FILE_SET_MAX_FILE + 1);
    big[FILE_SET_MAX_FILE + 1] = '\0';
    put(f, "big.json", big);
    free(big);
    struct file_set *set = file_set_read(f->folder);
    assert_null(set->error);
    assert_int_equal(set->n_items, 3);
    for (size_t i = 0; i < set->n_items; i++) {
        assert_non_null(set->items[i].error);
    }
    file_set_unref(set);
    for (size_t i = 0; i < FILE_SET_MAX_FILES; i++) {
        CLEANUP(free_charp) char *name = xasprintf("n%zu.json", i);
        put(f, name, "{}");
    }
    set = file_set_read(f->folder);
    assert_non_null(strstr(set->error, "1000"));
    file_set_unref(set);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files_that_come_change_and_go_are_seen),
        TEST(test_a_version_that_is_turned_at_once_is_seen),
        TEST(test_a_folder_that_vanishes_is_found_again),
        TEST(test_pipes_long_files_and_too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
