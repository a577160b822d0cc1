/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the intrusive list. */
#include "tests/support/unit.h"
#include "worker/base/list.h"
#include "worker/base/macros.h"

struct item {
    int number;
    struct list link;
};

static void fill(struct list *list, struct item *items, int n)
{
    list_init(list);
    for (int i = 0; i < n; i++) {
        items[i].number = i;
        list_push_back(list, &items[i].link);
    }
}

static int number_of(struct list *node)
{
    return CONTAINER_OF(node, struct item, link)->number;
}

static void test_list_pop_front_is_first_in_first_out(void **state UNUSED)
{
    struct list list;
    struct item items[3];
    fill(&list, items, 3);
    for (int i = 0; i < 3; i++) {
        assert_false(list_empty(&list));
        assert_int_equal(number_of(list_pop_front(&list)), i);
    }
    assert_true(list_empty(&list));
    assert_null(list_pop_front(&list));
}

static void test_list_remove_may_be_repeated(void **state UNUSED)
{
    struct list list;
    struct item items[3];
    fill(&list, items, 3);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_int_equal(number_of(list.next), 0);
    assert_int_equal(number_of(list.prev), 2);
    list_push_back(&list, &items[1].link);
    assert_int_equal(number_of(list.prev), 1);
}

static void test_list_foreach_survives_removal_of_the_current(void **state UNUSED)
{
    struct list list;
    struct item items[6];
    fill(&list, items, 6);
    int n = 0;
    LIST_FOREACH(&list, node) {
        assert_int_equal(number_of(node), n++);
        if (n % 2 == 0) {
            list_remove(node);
        }
    }
    assert_int_equal(n, 6);
    int left[3];
    n = 0;
    LIST_FOREACH(&list, node) {
        left[n++] = number_of(node);
    }
    assert_int_equal(n, 3);
    assert_int_equal(left[0] + left[1] * 10 + left[2] * 100, 420);
}

static void test_list_foreach_of_an_empty_list_runs_never(void **state UNUSED)
{
    struct list list;
    list_init(&list);
    LIST_FOREACH(&list, node) {
        fail_msg("node %p", (void *)node);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_pop_front_is_first_in_first_out),
        cmocka_unit_test(test_list_remove_may_be_repeated),
        cmocka_unit_test(test_list_foreach_survives_removal_of_the_current),
        cmocka_unit_test(test_list_foreach_of_an_empty_list_runs_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
