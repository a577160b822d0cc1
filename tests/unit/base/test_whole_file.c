/* SPDX-License-Identifier: Apache-2.0 */
/* Small files read whole: only regular ones, only up to the limit, and changes are seen. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/whole_file.h"

static void make_file(char *path, const char *text)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
}

static void test_a_file_is_read_up_to_its_limit(void **state UNUSED)
{
    char path[] = "/tmp/sluice-file-XXXXXX";
    make_file(path, "0123456789");
    struct buf content;
    struct file_stamp stamp;
    struct error error = { ERR_OK, "" };
    buf_init(&content);
    assert_int_equal(whole_file_read(path, 10, &content, &stamp, NULL), ERR_OK);
    assert_string_equal(buf_text(&content), "0123456789");
    struct file_stamp now = file_stamp_of(path);
    assert_true(file_stamp_equal(&stamp, &now));
    assert_int_equal(whole_file_read(path, 9, &content, NULL, &error), ERR_IO);
    assert_string_equal(error.text, "has more than 9 bytes");
    assert_int_equal(truncate(path, 3), 0);
    now = file_stamp_of(path);
    assert_false(file_stamp_equal(&stamp, &now));
    (void)unlink(path);
    now = file_stamp_of(path);
    struct file_stamp none = { .size = 0 };
    assert_true(file_stamp_equal(&none, &now));
    buf_wipe(&content);
}

static void test_what_is_no_regular_file_is_refused_and_does_not_block(void **state UNUSED)
{
    char fifo[] = "/tmp/sluice-fifo-XXXXXX";
    make_file(fifo, "");
    (void)unlink(fifo);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const paths[] = { "/", "/dev/zero", fifo };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        struct buf content;
        struct error error = { ERR_OK, "" };
        buf_init(&content);
        assert_int_equal(whole_file_read(paths[i], 100, &content, NULL, &error), ERR_IO);
        assert_string_equal(error.text, "is no regular file");
        buf_fini(&content);
    }
    (void)unlink(fifo);
    struct buf content;
    struct error error = { ERR_OK, "" };
    buf_init(&content);
    assert_int_equal(whole_file_read(fifo, 100, &content, NULL, &error), ERR_IO);
    assert_string_equal(error.text, "No such file or directory");
    buf_fini(&content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_read_up_to_its_limit),
        cmocka_unit_test(test_what_is_no_regular_file_is_refused_and_does_not_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
