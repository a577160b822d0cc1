/* SPDX-License-Identifier: Apache-2.0 */
/* What a path leads to: told at once, whatever it is. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/file_kind.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

struct places {
    char folder[32];
    char *file;
    char *fifo;
    char *link;
};

static int set_up(void **state)
{
    struct places *places = xcalloc(1, sizeof(*places));
    (void)snprintf(places->folder, sizeof(places->folder), "/tmp/sluice-kind-XXXXXX");
    assert_non_null(mkdtemp(places->folder));
    places->file = xasprintf("%s/file", places->folder);
    places->fifo = xasprintf("%s/fifo", places->folder);
    places->link = xasprintf("%s/link", places->folder);
    FILE *file = fopen(places->file, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mkfifo(places->fifo, 0600), 0);
    /* An open that waits is a failure of this test, not its end. */
    (void)alarm(60);
    *state = places;
    return 0;
}

static int tear_down(void **state)
{
    struct places *places = *state;
    (void)unlink(places->file);
    (void)unlink(places->fifo);
    (void)unlink(places->link);
    (void)rmdir(places->folder);
    free(places->file);
    free(places->fifo);
    free(places->link);
    free(places);
    return 0;
}

static void expect(const char *path, bool folders, const char *text)
{
    struct error error = { ERR_OK, "" };
    enum err err = file_kind_check(path, folders, &error);
    if (err != (text ? ERR_INVALID : ERR_OK) || (text && !strstr(error.text, text))) {
        fail_msg("%s: %s %s", path, err_name(err), error.text);
    }
}

static void test_a_regular_file_is_one_also_behind_a_link(void **state)
{
    const struct places *places = *state;
    expect(places->file, false, NULL);
    expect(places->file, true, NULL);
    assert_int_equal(symlink(places->file, places->link), 0);
    expect(places->link, false, NULL);
}

static void test_a_folder_is_taken_where_one_may_stand(void **state)
{
    const struct places *places = *state;
    expect(places->folder, true, NULL);
    expect(places->folder, false, "it is no regular file");
}

static void test_pipes_devices_and_the_kernels_views_are_none(void **state)
{
    const struct places *places = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    CLEANUP(free_charp) char *own_fd = xasprintf("/proc/self/fd/%d", ends[0]);
    const char *const paths[] = { places->fifo, own_fd,  "/dev/zero",          "/dev/tty",
                                  "/proc",      "/sys/", "/proc/self/environ", "/dev/null" };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        expect(paths[i], true, "it is no regular file or folder");
        expect(paths[i], false, "it is no regular file");
    }
    assert_int_equal(symlink(places->fifo, places->link), 0);
    expect(places->link, true, "it is no regular file or folder");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_what_is_missing_or_huge_is_named_so(void **state)
{
    const struct places *places = *state;
    expect("/does/not/exist", true, "No such file or directory");
    expect("", true, "No such file or directory");
    assert_int_equal(truncate(places->file, FILE_KIND_MAX), 0);
    expect(places->file, false, NULL);
    assert_int_equal(truncate(places->file, FILE_KIND_MAX + 1), 0);
    expect(places->file, false, "larger than 16777216 bytes");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_regular_file_is_one_also_behind_a_link),
        TEST(test_a_folder_is_taken_where_one_may_stand),
        TEST(test_pipes_devices_and_the_kernels_views_are_none),
        TEST(test_what_is_missing_or_huge_is_named_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
