/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody's path may lead to: files only, of the allowed places only, without ever waiting. */
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/providers/safe_file.h"

static const struct config_list everything = { NULL, 0 };

/* Reads; ret_text, if not NULL, gets the owned content. */
static enum err read_path(const char *allowed, const char *path, char **ret_text)
{
    struct config_list list = everything;
    if (allowed) {
        config_list_split(allowed, &list);
    }
    struct buf content;
    buf_init(&content);
    struct error error = { ERR_OK, "" };
    enum err err = safe_file_read(&list, path, &content, &error);
    if (err == ERR_OK && ret_text) {
        *ret_text = xstrdup(buf_text(&content));
    } else if (err != ERR_OK) {
        assert_string_not_equal(error.text, "");
    }
    buf_wipe(&content);
    config_list_fini(&list);
    return err;
}

static enum err read_in(const struct folder *folder, const char *allowed, const char *name)
{
    CLEANUP(free_charp) char *path = folder_path(folder, name);
    CLEANUP(free_charp) char *place = allowed ? folder_path(folder, allowed) : NULL;
    return read_path(place, path, NULL);
}

static int setup(void **state)
{
    struct folder *folder = xcalloc(1, sizeof(*folder));
    folder_make(folder);
    folder_sub(folder, "in");
    folder_write(folder, "in/file", "inside");
    folder_write(folder, "out", "outside");
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    folder_remove(*state);
    free(*state);
    return 0;
}

static void test_a_regular_file_is_read_whole(void **state)
{
    CLEANUP(free_charp) char *path = folder_path(*state, "in/file");
    char *text = NULL;
    assert_int_equal(read_path(NULL, path, &text), ERR_OK);
    assert_string_equal(text, "inside");
    free(text);
    folder_write(*state, "in/file", "");
    assert_int_equal(read_path(NULL, path, &text), ERR_OK);
    assert_string_equal(text, "");
    free(text);
}

static void test_what_is_no_regular_file_is_refused_without_waiting(void **state)
{
    CLEANUP(free_charp) char *fifo = folder_path(*state, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(read_in(*state, NULL, "fifo"), ERR_UNSUPPORTED);
    assert_int_equal(read_in(*state, NULL, "in"), ERR_UNSUPPORTED);
    assert_int_equal(read_path(NULL, "/dev/zero", NULL), ERR_UNSUPPORTED);
    assert_int_equal(read_path(NULL, "/dev/null", NULL), ERR_UNSUPPORTED);
    folder_link(*state, "link", fifo);
    assert_int_equal(read_in(*state, NULL, "link"), ERR_UNSUPPORTED);
}

/* They look like regular files; environ has the secrets of the process. */
static void test_views_of_the_kernel_are_no_regular_files(void **state UNUSED)
{
    struct stat stat_of_file;
    assert_int_equal(stat("/proc/self/environ", &stat_of_file), 0);
    assert_true(S_ISREG(stat_of_file.st_mode));
    assert_int_equal(read_path(NULL, "/proc/self/environ", NULL), ERR_UNSUPPORTED);
    assert_int_equal(read_path(NULL, "/proc/self/maps", NULL), ERR_UNSUPPORTED);
}

static void test_what_is_not_there_is_named_so_inside_and_refused_outside(void **state)
{
    assert_int_equal(read_in(*state, NULL, "in/none"), ERR_NOT_FOUND);
    assert_int_equal(read_in(*state, "in", "in/none"), ERR_NOT_FOUND);
    assert_int_equal(read_in(*state, "in", "in/file/x"), ERR_NOT_FOUND);
    assert_int_equal(read_in(*state, "in", "none"), ERR_UNAUTHORIZED);
    assert_int_equal(read_in(*state, "in", "in/../none"), ERR_UNAUTHORIZED);
    assert_int_equal(read_path(NULL, "", NULL), ERR_NOT_FOUND);
}

static void test_only_allowed_places_are_read(void **state)
{
    assert_int_equal(read_in(*state, "in", "in/file"), ERR_OK);
    assert_int_equal(read_in(*state, "in/", "in/file"), ERR_OK);
    assert_int_equal(read_in(*state, "in", "in//./file"), ERR_OK);
    assert_int_equal(read_in(*state, "in/file", "in/file"), ERR_OK);
    assert_int_equal(read_in(*state, "in", "out"), ERR_UNAUTHORIZED);
    assert_int_equal(read_in(*state, "in", "in/../out"), ERR_UNAUTHORIZED);
    /* A name that only begins like the allowed one. */
    folder_sub(*state, "inside");
    folder_write(*state, "inside/file", "x");
    assert_int_equal(read_in(*state, "in", "inside/file"), ERR_UNAUTHORIZED);
    assert_int_equal(read_path("/", "/etc/passwd", NULL), ERR_OK);
    assert_int_equal(read_path("/none", "/etc/passwd", NULL), ERR_UNAUTHORIZED);
}

static void test_links_are_followed_before_the_place_is_looked_at(void **state)
{
    folder_link(*state, "in/leads-out", "../out");
    folder_link(*state, "leads-in", "in/file");
    folder_link(*state, "in/folder-out", "..");
    assert_int_equal(read_in(*state, "in", "in/leads-out"), ERR_UNAUTHORIZED);
    assert_int_equal(read_in(*state, "in", "in/folder-out/out"), ERR_UNAUTHORIZED);
    assert_int_equal(read_in(*state, "in", "leads-in"), ERR_OK);
    folder_link(*state, "in/loop", "loop");
    assert_int_equal(read_in(*state, "in", "in/loop"), ERR_NOT_FOUND);
}

/* file -> ..data/file, ..data -> ..2026: how secrets are mounted and replaced in Kubernetes. */
static void test_mounts_of_links_are_read_also_after_they_turn(void **state)
{
    folder_sub(*state, "in/..2026_1");
    folder_sub(*state, "in/..2026_2");
    folder_write(*state, "in/..2026_1/secret", "one");
    folder_write(*state, "in/..2026_2/secret", "two");
    folder_link(*state, "in/..data", "..2026_1");
    folder_link(*state, "in/secret", "..data/secret");
    assert_int_equal(read_in(*state, "in", "in/secret"), ERR_OK);
    assert_int_equal(read_in(*state, "in/..data", "in/secret"), ERR_OK);
    folder_link(*state, "in/..data", "..2026_2");
    CLEANUP(free_charp) char *path = folder_path(*state, "in/secret");
    CLEANUP(free_charp) char *allowed = folder_path(*state, "in/..data");
    char *text = NULL;
    assert_int_equal(read_path(allowed, path, &text), ERR_OK);
    assert_string_equal(text, "two");
    free(text);
}

struct swapper {
    const struct folder *folder;
    atomic_bool stop;
};

static void *swap_main(void *arg)
{
    struct swapper *swapper = arg;
    while (!atomic_load(&swapper->stop)) {
        folder_link(swapper->folder, "in/swapped", "file");
        folder_link(swapper->folder, "in/swapped", "../out");
    }
    return NULL;
}

/* The path leads in and out by turns while it is read: what is read must be from inside. */
static void test_a_link_that_is_exchanged_meanwhile_leads_nowhere_else(void **state)
{
    folder_link(*state, "in/swapped", "file");
    struct swapper swapper = { .folder = *state };
    struct thread thread;
    thread_start(&thread, "swap", swap_main, &swapper);
    CLEANUP(free_charp) char *path = folder_path(*state, "in/swapped");
    CLEANUP(free_charp) char *allowed = folder_path(*state, "in");
    unsigned n_read = 0;
    unsigned n_refused = 0;
    unsigned n_leaked = 0;
    for (int i = 0; i < 20000; i++) {
        char *text = NULL;
        enum err err = read_path(allowed, path, &text);
        n_leaked += err == ERR_OK && strcmp(text, "inside") != 0;
        n_read += err == ERR_OK;
        n_refused += err == ERR_UNAUTHORIZED;
        free(text);
    }
    atomic_store(&swapper.stop, true);
    thread_join(&thread);
    assert_int_equal(n_leaked, 0);
    assert_int_equal(n_read + n_refused, 20000);
}

static void test_size_and_content_are_bounded(void **state)
{
    char *bytes = xcalloc(SAFE_FILE_MAX + 1, 1);
    memset(bytes, 'a', SAFE_FILE_MAX + 1);
    folder_write_bytes(*state, "in/most", bytes, SAFE_FILE_MAX);
    folder_write_bytes(*state, "in/more", bytes, SAFE_FILE_MAX + 1);
    free(bytes);
    folder_write_bytes(*state, "in/nul", "a\0b", 3);
    folder_write_bytes(*state, "in/latin1", "a\xE4", 2);
    CLEANUP(free_charp) char *sparse = folder_path(*state, "in/sparse");
    folder_write(*state, "in/sparse", "x");
    assert_int_equal(truncate(sparse, (off_t)1 << 40), 0);
    assert_int_equal(read_in(*state, NULL, "in/most"), ERR_OK);
    assert_int_equal(read_in(*state, NULL, "in/more"), ERR_IO);
    assert_int_equal(read_in(*state, NULL, "in/sparse"), ERR_IO);
    assert_int_equal(read_in(*state, NULL, "in/nul"), ERR_IO);
    assert_int_equal(read_in(*state, NULL, "in/latin1"), ERR_IO);
}

static void test_folders_are_told_from_files(void **state)
{
    CLEANUP(free_charp) char *in = folder_path(*state, "in");
    CLEANUP(free_charp) char *out = folder_path(*state, "out");
    struct config_list allowed;
    config_list_split(in, &allowed);
    bool folder = false;
    struct error error;
    assert_int_equal(safe_file_allowed(&allowed, in, &folder, &error), ERR_OK);
    assert_true(folder);
    assert_int_equal(safe_file_allowed(&allowed, out, &folder, &error), ERR_UNAUTHORIZED);
    assert_int_equal(safe_file_allowed(&everything, out, &folder, &error), ERR_OK);
    assert_false(folder);
    config_list_fini(&allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_regular_file_is_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_regular_file_is_refused_without_waiting,
                                        setup, teardown),
        cmocka_unit_test(test_views_of_the_kernel_are_no_regular_files),
        cmocka_unit_test_setup_teardown(
            test_what_is_not_there_is_named_so_inside_and_refused_outside, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_allowed_places_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_links_are_followed_before_the_place_is_looked_at,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_mounts_of_links_are_read_also_after_they_turn, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_link_that_is_exchanged_meanwhile_leads_nowhere_else,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_size_and_content_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folders_are_told_from_files, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
