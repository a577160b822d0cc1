/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of date patterns; what they read and write is held against Java's in tests/golden. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/date_format.h"
#include "worker/base/macros.h"

static void test_patterns_that_are_not_supported_name_the_letter(void **state)
{
    (void)state;
    static const char *const patterns[][2] = {
        { "YYYY-MM-dd", "letter Y is not supported: use y for the year" },
        { "G", "letter G" },
        { "yyyy 'x", "Unterminated quote" },
        { "XXXX", "too many letters X" },
        { "yyyyyyyyyyyyyyyyyyyyyyyyyyyyy", "too many letters y" },
    };
    for (size_t i = 0; i < N_ELEMENTS(patterns); i++) {
        struct error error = { ERR_OK, "" };
        assert_int_equal(check_date_format(patterns[i][0], &error), ERR_INVALID);
        assert_non_null(strstr(error.text, patterns[i][1]));
    }
    assert_int_equal(check_date_format("", NULL), ERR_OK);
}

static void test_a_pattern_has_a_bound(void **state)
{
    (void)state;
    char pattern[400] = "";
    for (size_t i = 0; i + 2 < sizeof(pattern); i += 2) {
        memcpy(pattern + i, "y-", 3);
    }
    struct error error = { ERR_OK, "" };
    assert_int_equal(check_date_format(pattern, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "64 parts"));
}

static void test_a_time_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct date_format *format = NULL;
    struct buf text;
    buf_init(&text);
    assert_int_equal(date_format_new("yyyy-MM-dd'T'HH:mm:ss.SSSX", &format, NULL), ERR_OK);
    for (int64_t ms = -62135596800000; ms < 253402300800000; ms += INT64_C(86400000) * 37 + 12345) {
        int64_t again = 0;
        buf_clear(&text);
        date_format_add(format, ms, &text);
        assert_true(date_format_parse(format, text.data, text.length, &again));
        assert_int_equal(ms, again);
    }
    buf_fini(&text);
    date_format_free(format);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns_that_are_not_supported_name_the_letter),
        cmocka_unit_test(test_a_pattern_has_a_bound),
        cmocka_unit_test(test_a_time_comes_back_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
