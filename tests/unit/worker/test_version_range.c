/* SPDX-License-Identifier: Apache-2.0 */
/* Maven's version ranges: what they hold, how they are printed, what is none. */
#include <stdlib.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/version_range.h"

static void test_ranges_hold_what_they_say(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool matches;
        const char *shown;
    } cases[] = {
        { "4.1.1", true, "[4.1.1,4.1.1]" },
        { " 4.1.1 ", true, "[4.1.1,4.1.1]" },
        { "4.1.1.0", true, "[4.1.1.0,4.1.1.0]" },
        { "99", false, "[99,99]" },
        { "", false, "[,]" },
        { "[4.1.1]", true, "[4.1.1,4.1.1]" },
        { "[4,)", true, "[4,)" },
        { "(,4.1.1)", false, "(,4.1.1)" },
        { "(,4.1.1]", true, "(,4.1.1]" },
        { "(,)", true, "(,)" },
        { "[ 4 , 5 )", true, "[4,5)" },
        { "[1,2),[4.1,5)", true, "[1,2),[4.1,5)" },
        { "[1,2) , [5,6)", false, "[1,2),[5,6)" },
        { "1,9", true, "[1,9]" },
        { "LATEST", false, "[LATEST,LATEST]" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        bool matches = false;
        char *shown = NULL;
        struct error error = { ERR_OK, "" };
        assert_int_equal(version_range_match(cases[i].text, "4.1.1", &matches, &shown, &error),
                         ERR_OK);
        assert_string_equal(shown, cases[i].shown);
        if (matches != cases[i].matches) {
            fail_msg("%s", cases[i].text);
        }
        free(shown);
    }
}

static void test_latest_is_any_version(void **state UNUSED)
{
    bool matches = false;
    char *shown = xstrdup("x");
    free(shown);
    assert_int_equal(version_range_match("latest", "0.1.0", &matches, &shown, NULL), ERR_OK);
    assert_true(matches);
    assert_null(shown);
}

static void test_what_is_no_range_is_told_in_mavens_words(void **state UNUSED)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        { "[1,", "Unbounded range: [1," },
        { "[1,2],[3", "Unbounded range: [1,2],[3" },
        { "[2,1]", "Range defies version ordering: [2,1]" },
        { "[1,1)", "Range defies version ordering: [1,1)" },
        { "(1)", "Single version must be surrounded by []: (1)" },
        { ")", "Single version must be surrounded by []: [)" },
        { "[1,3],[2,4]", "Ranges overlap: [1,3],[2,4]" },
        { "[1,2]x", "Only fully-qualified sets allowed in multiple set scenario: [1,2]x" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        bool matches = false;
        char *shown = NULL;
        struct error error = { ERR_OK, "" };
        assert_int_equal(version_range_match(cases[i].text, "1", &matches, &shown, &error),
                         ERR_INVALID);
        assert_string_equal(error.text, cases[i].error);
    }
}

static void test_versions_have_mavens_order(void **state UNUSED)
{
    static const char *const rising[] = {
        "0.9",
        "1-alpha-1",
        "1-alpha2",
        "1-beta",
        "1.0-milestone-1",
        "1-rc1",
        "1-SNAPSHOT",
        "1",
        "1-sp",
        "1-xyz",
        "1.0.1",
        "1.2",
        "1.10",
        "2",
        "10",
        "123456789012345678901",
    };
    for (size_t i = 0; i < N_ELEMENTS(rising); i++) {
        for (size_t j = 0; j < N_ELEMENTS(rising); j++) {
            int wanted = (i > j) - (i < j);
            if (version_compare(rising[i], rising[j]) != wanted) {
                fail_msg("%s and %s", rising[i], rising[j]);
            }
        }
    }
    assert_int_equal(version_compare("1", "1.0.0"), 0);
    assert_int_equal(version_compare("1-ga", "1.0-FINAL"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_hold_what_they_say),
        cmocka_unit_test(test_latest_is_any_version),
        cmocka_unit_test(test_what_is_no_range_is_told_in_mavens_words),
        cmocka_unit_test(test_versions_have_mavens_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
