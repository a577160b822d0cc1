/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of topic filters and share names. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/mqtt/filter.h"

static void test_good_filters_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = { "a",
                                        "a/b",
                                        "/",
                                        "+",
                                        "#",
                                        "a/+/b",
                                        "+/+",
                                        "a/#",
                                        "//",
                                        "$SYS/#",
                                        "caf\xc3\xa9/#",
                                        "$share/g/a/#",
                                        "$share/g//",
                                        "a b/c" };
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        struct error error = { ERR_OK, "" };
        if (mqtt_filter_check(good[i], &error) != ERR_OK) {
            fail_msg("%s: %s", good[i], error.text);
        }
    }
}

static void test_bad_filters_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const bad[] = { "",           "a#",          "#/a",        "a/#/b",
                                       "a+",         "+a",          "a/b+/c",     "##",
                                       "\xff",       "a\x01",       "\xc0\x80",   "$share",
                                       "$share/",    "$share/g",    "$share/g/",  "$share//a",
                                       "$share/+/a", "$share/g#/a", "$share/g/a#" };
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        struct error error = { ERR_OK, "" };
        if (mqtt_filter_check(bad[i], &error) != ERR_INVALID || error.text[0] == '\0') {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

static void test_length_limit_is_that_of_mqtt(void **state)
{
    (void)state;
    char *text = xmalloc(65537);
    memset(text, 'a', 65536);
    text[65536] = '\0';
    assert_int_equal(mqtt_filter_check(text, NULL), ERR_INVALID);
    text[65535] = '\0';
    assert_int_equal(mqtt_filter_check(text, NULL), ERR_OK);
    free(text);
}

static void test_shared_form_is_made_once(void **state)
{
    (void)state;
    char *shared = mqtt_filter_shared("g", "a/#");
    assert_string_equal(shared, "$share/g/a/#");
    char *again = mqtt_filter_shared("other", shared);
    assert_string_equal(again, "$share/g/a/#");
    assert_true(mqtt_filter_is_shared(shared));
    assert_false(mqtt_filter_is_shared("a/$share/b"));
    free(shared);
    free(again);
}

static void test_share_groups_of_different_names_stay_different(void **state)
{
    (void)state;
    char *slash = mqtt_share_group_from("g-a/b");
    char *percent = mqtt_share_group_from("g-a%2Fb");
    assert_string_equal(slash, "g-a%2Fb");
    assert_string_not_equal(slash, percent);
    assert_int_equal(mqtt_share_group_check(slash, NULL), ERR_OK);
    assert_int_equal(mqtt_share_group_check("a/b", NULL), ERR_INVALID);
    free(slash);
    free(percent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_filters_are_taken),
        cmocka_unit_test(test_bad_filters_are_refused_with_a_reason),
        cmocka_unit_test(test_length_limit_is_that_of_mqtt),
        cmocka_unit_test(test_shared_form_is_made_once),
        cmocka_unit_test(test_share_groups_of_different_names_stay_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
