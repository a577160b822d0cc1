/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what other threads see of the cluster: when a worker counts as taking tasks. */
#include "coordinator/view.h"
#include "tests/support/unit.h"

static void test_a_worker_takes_tasks_when_it_is_in_the_group_and_has_slots(void **state UNUSED)
{
    struct view *view = view_new("starting");
    view_set_slots(view, 3);
    assert_false(view_takes_tasks(view));
    view_set_phase(view, CLUSTER_READY, "");
    assert_true(view_takes_tasks(view));
    view_set_phase(view, CLUSTER_DRAINING, "");
    assert_false(view_takes_tasks(view));
    view_free(view);
}

static void test_a_worker_that_has_just_joined_waits_for_its_share_of_the_slots(void **state UNUSED)
{
    struct view *view = view_new("starting");
    view_set_phase(view, CLUSTER_READY, "");
    assert_false(view_takes_tasks(view));
    view_set_slots(view, 1);
    assert_true(view_takes_tasks(view));
    view_free(view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_worker_takes_tasks_when_it_is_in_the_group_and_has_slots),
        cmocka_unit_test(test_a_worker_that_has_just_joined_waits_for_its_share_of_the_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
