/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of trails. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/trail.h"

/* FNV-1a of "kafka", "k:9092" and "t", each with 0xFF behind it. */
#define PLACE_OF_T UINT64_C(0x83483868ceafc567)

static void test_a_place_is_the_same_for_ever(void **state)
{
    (void)state;
    /* Other versions and machines must come to the same. */
    assert_true(trail_place(trail_domain("mqtt", "b:1883"), "a/b") ==
                trail_place(trail_domain("mqtt", "b:1883"), "a/b"));
    assert_true(trail_place(trail_domain("kafka", "k:9092"), "t") == PLACE_OF_T);
    assert_true(trail_domain("ab", "c") != trail_domain("a", "bc"));
    assert_true(trail_place(1, "a") != trail_place(2, "a"));
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    char text[TRAIL_TEXT];
    struct trail trail = { .n_places = 0 };
    struct trail read;
    for (size_t n = 1; n <= TRAIL_MAX; n++) {
        trail_add(&trail, n * UINT64_C(0x1111111111111111));
        trail_format(&trail, text);
        assert_int_equal(strlen(text), n * 17 - 1);
        trail_parse(text, strlen(text), &read);
        assert_int_equal(read.n_places, n);
        assert_memory_equal(read.places, trail.places, n * sizeof(uint64_t));
    }
}

static void test_what_is_no_trail_is_empty(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "x",
                                         "0123456789abcdeg",
                                         "0123456789ABCDEF",
                                         "0123456789abcdef,",
                                         "0123456789abcdef;0123456789abcdef",
                                         "0123456789abcde" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct trail trail = { .n_places = 5 };
        trail_parse(texts[i], strlen(texts[i]), &trail);
        assert_int_equal(trail.n_places, 0);
    }
    char text[TRAIL_TEXT + 20];
    memset(text, '0', sizeof(text));
    for (size_t i = 16; i < sizeof(text); i += 17) {
        text[i] = ',';
    }
    struct trail trail;
    trail_parse(text, (TRAIL_MAX + 1) * 17 - 1, &trail);
    assert_int_equal(trail.n_places, 0);
}

static void test_a_message_goes_nowhere_twice_and_not_for_ever(void **state)
{
    (void)state;
    struct trail trail = { .n_places = 0 };
    assert_true(trail_goes_on(&trail, 1));
    trail_add(&trail, 1);
    assert_false(trail_goes_on(&trail, 1));
    for (uint64_t place = 2; trail.n_places < TRAIL_MAX; place++) {
        assert_true(trail_goes_on(&trail, place));
        trail_add(&trail, place);
    }
    assert_false(trail_goes_on(&trail, 99));
    trail_add(&trail, 99);
    assert_int_equal(trail.n_places, TRAIL_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_is_the_same_for_ever),
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_what_is_no_trail_is_empty),
        cmocka_unit_test(test_a_message_goes_nowhere_twice_and_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
