/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of lists of filters as sets, and of which topics a filter takes. */
#include "tests/support/unit.h"
#include "worker/mqtt/filter_list.h"
#include "worker/mqtt/link.h"

static void assert_list(const struct config_list *list, const char *first, const char *second)
{
    const char *wanted[] = { first, second };
    size_t n = first ? (second ? 2 : 1) : 0;
    assert_int_equal(list->n_items, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(list->items[i], wanted[i]);
    }
}

static void test_minus_and_add_treat_lists_as_sets(void **state UNUSED)
{
    struct config_list a;
    struct config_list b;
    struct config_list rest;
    config_list_split("x,y,z,x", &a);
    config_list_split("z,q", &b);
    filter_list_minus(&a, &b, &rest);
    assert_list(&rest, "x", "y");
    filter_list_add(&rest, "x");
    filter_list_add_all(&rest, &rest);
    assert_list(&rest, "x", "y");
    assert_true(filter_list_has(&b, "q"));
    assert_false(filter_list_has(&b, "x"));
    config_list_fini(&a);
    config_list_fini(&b);
    config_list_fini(&rest);
}

static void test_set_tells_whether_anything_changed(void **state UNUSED)
{
    struct config_list place = { NULL, 0 };
    struct config_list list;
    config_list_split("x,y", &list);
    assert_true(filter_list_set(&place, &list));
    assert_false(filter_list_set(&place, &list));
    assert_list(&place, "x", "y");
    assert_true(filter_list_set(&place, NULL));
    assert_false(filter_list_set(&place, NULL));
    assert_list(&place, NULL, NULL);
    config_list_fini(&list);
}

static void test_filter_takes_topics_whether_it_is_shared_or_not(void **state UNUSED)
{
    assert_true(link_filter_matches("a/+/c", "a/b/c"));
    assert_false(link_filter_matches("a/+/c", "a/b/d"));
    assert_true(link_filter_matches("$share/g/a/#", "a/b"));
    assert_false(link_filter_matches("$share/g/a/#", "b"));
    assert_false(link_filter_matches("$share/g", "g"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minus_and_add_treat_lists_as_sets),
        cmocka_unit_test(test_set_tells_whether_anything_changed),
        cmocka_unit_test(test_filter_takes_topics_whether_it_is_shared_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
