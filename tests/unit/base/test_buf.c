/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the growable buffer. */
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/mem.h"

static void test_buf_text_empty_is_a_string(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    assert_string_equal(buf_text(&buf), "");
    CLEANUP(free_charp) char *taken = buf_take(&buf);
    assert_string_equal(taken, "");
    buf_fini(&buf);
}

static void test_buf_add_keeps_nul_bytes_and_ends_with_one(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    buf_add(&buf, "a\0b", 3);
    buf_add(&buf, NULL, 0);
    buf_add_text(&buf, "cd");
    buf_add_char(&buf, 'e');
    assert_int_equal(buf.length, 6);
    assert_memory_equal(buf.data, "a\0bcde\0", 7);
    buf_fini(&buf);
}

static void test_buf_printf_appends_texts_longer_than_the_room(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    buf_printf(&buf, "%d-", 7);
    buf_printf(&buf, "%05000d", 1);
    assert_int_equal(buf.length, 5002);
    assert_int_equal(strlen(buf.data), 5002);
    assert_memory_equal(buf.data, "7-000", 5);
    assert_int_equal(buf.data[5001], '1');
    buf_fini(&buf);
}

static void test_buf_clear_keeps_the_memory(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    buf_clear(&buf);
    assert_null(buf.data);
    buf_add_text(&buf, "abc");
    size_t size = buf.size;
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    assert_int_equal(buf.length, 0);
    assert_int_equal(buf.size, size);
    buf_fini(&buf);
}

static void test_buf_reserve_gives_room_behind_the_content(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    buf_add_text(&buf, "ab");
    char *place = buf_reserve(&buf, 1000);
    assert_ptr_equal(place, buf.data + 2);
    assert_true(buf.size >= 1003);
    assert_int_equal(buf.length, 2);
    assert_string_equal(buf_text(&buf), "ab");
    buf_fini(&buf);
}

static void test_buf_take_leaves_an_empty_buffer_that_works(void **state UNUSED)
{
    struct buf buf;
    buf_init(&buf);
    buf_add_text(&buf, "first");
    CLEANUP(free_charp) char *taken = buf_take(&buf);
    assert_null(buf.data);
    buf_add_text(&buf, "second");
    assert_string_equal(taken, "first");
    assert_string_equal(buf_text(&buf), "second");
    buf_fini(&buf);
}

static void test_buf_add_random_pieces_equals_their_sum(void **state UNUSED)
{
    struct random random;
    random_init(&random);
    static char model[200000];
    size_t length = 0;
    struct buf buf;
    buf_init(&buf);
    while (length < sizeof(model) - 300) {
        size_t n = random_below(&random, 300);
        for (size_t i = 0; i < n; i++) {
            model[length + i] = (char)random_next(&random);
        }
        buf_add(&buf, model + length, n);
        length += n;
        assert_int_equal(buf.data[buf.length], 0);
    }
    assert_int_equal(buf.length, length);
    assert_memory_equal(buf.data, model, length);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_text_empty_is_a_string),
        cmocka_unit_test(test_buf_add_keeps_nul_bytes_and_ends_with_one),
        cmocka_unit_test(test_buf_printf_appends_texts_longer_than_the_room),
        cmocka_unit_test(test_buf_clear_keeps_the_memory),
        cmocka_unit_test(test_buf_reserve_gives_room_behind_the_content),
        cmocka_unit_test(test_buf_take_leaves_an_empty_buffer_that_works),
        cmocka_unit_test(test_buf_add_random_pieces_equals_their_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
