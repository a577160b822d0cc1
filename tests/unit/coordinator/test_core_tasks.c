/* SPDX-License-Identifier: Apache-2.0 */
/* What the core decides about the tasks of its own worker. */
#include "tests/unit/coordinator/core_fixture.h"

static void test_a_task_is_started_once_where_its_slot_is_claimed(void **state)
{
    struct core_fixture *f = *state;
    cf_one_task(f);
    cf_reconcile(f);
    cf_no_action(f);
    (void)cf_run_one_task(f);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
    assert_string_equal(cf_task_status(f)->version, "2.0");
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    assert_int_equal(core_tasks_here(f->core), 1);
}

static void test_nothing_starts_before_the_history_is_read(void **state)
{
    struct core_fixture *f = *state;
    config_state_free(f->state);
    f->state = config_state_new();
    cf_group(f, true);
    cf_one_task(f);
    cf_reconcile(f);
    cf_no_action(f);
    config_state_caught_up(f->state);
    cf_take_snapshot(f);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_an_incomplete_set_does_not_run(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", "{\"tasks\":2}");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
}

static void test_a_start_waits_for_a_living_owner(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(f->decisions.wake_ms, f->now_ms + 1000);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_a_late_word_of_a_third_worker_does_not_end_the_wait(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    cf_reconcile(f);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "third:1");
    cf_reconcile(f);
    cf_no_action(f);
    f->now_ms += 1000;
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_a_dead_owner_is_not_waited_for(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, false);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_nobody_is_taken_for_dead_while_the_group_changes(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, false);
    cf_claim(f, 0, 3);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    cf_reconcile(f);
    cf_no_action(f);
    cf_group(f, false);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_lost_slots_stop_their_tasks_at_once(void **state)
{
    struct core_fixture *f = *state;
    const int32_t slot = 0;
    uint64_t incarnation = cf_run_one_task(f);
    core_set_slots(f->core, NULL, 0);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    assert_false(core_slots_idle(f->core, &slot, 1));
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    assert_true(core_slots_idle(f->core, &slot, 1));
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_UNASSIGNED, "me:1");
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
}

static void test_a_newer_word_of_the_next_owner_is_left_alone(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    core_set_slots(f->core, NULL, 0);
    cf_reconcile(f);
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
}

static void test_a_foreign_word_about_a_running_task_is_corrected(void **state)
{
    struct core_fixture *f = *state;
    (void)cf_run_one_task(f);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "you:1");
    cf_reconcile(f);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
}

static void test_a_lost_status_record_is_written_again(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    f->hold_status = true;
    cf_reconcile(f);
    core_on_task(f->core, cf_only_action(f, ACTION_START_TASK), CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 1);
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    f->now_ms = f->decisions.wake_ms;
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 1);
}

static void test_a_status_of_an_earlier_life_is_corrected(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[7]}");
    cf_status_by(f, "status-task-a-0", "RUNNING", "me:1");
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_UNASSIGNED, "me:1");
}

static void test_a_failed_task_stays_failed_until_it_is_restarted(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    core_on_task(f->core, incarnation, CORE_TASK_FAILED, "boom");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    cf_expect_status(cf_task_status(f), STATE_FAILED, "me:1");
    assert_string_equal(cf_task_status(f)->trace, "boom");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-connector-a", "{\"only-failed\":true}");
    cf_reconcile(f);
    cf_no_action(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-connector-a",
                  "{\"only-failed\":true,\"include-tasks\":true}");
    cf_reconcile(f);
    assert_true(cf_only_action(f, ACTION_START_TASK) > incarnation);
    cf_expect_status(cf_task_status(f), STATE_RESTARTING, "me:1");
}

static void test_a_restart_is_carried_out_once(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-task-a-0", "{}");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    cf_expect_status(cf_task_status(f), STATE_RESTARTING, "me:1");
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    uint64_t next = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, next, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
    /* Running tasks are none of this request's business, now or when they fail later. */
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-connector-a",
                  "{\"only-failed\":true,\"include-tasks\":true}");
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, next, CORE_TASK_FAILED, "boom");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_STOP_TASK);
}

static void test_stale_events_are_ignored(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    core_on_task(f->core, incarnation + 7, CORE_TASK_FAILED, "other");
    core_on_task(f->core, 0, CORE_TASK_FAILED, "other");
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, incarnation, CORE_TASK_FAILED, "boom");
    core_on_task(f->core, incarnation, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_expect_status(cf_task_status(f), STATE_FAILED, "me:1");
}

static void test_an_identical_config_restarts_nothing_and_a_changed_one_once(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    cf_put_config(f, "a", "1", "1");
    assert_true(cf_lead(f) > 0);
    cf_reconcile(f);
    cf_no_action(f);
    cf_put_config(f, "a", "1", "2");
    cf_reconcile(f);
    cf_no_action(f); /* the task set of the new config is not there yet */
    assert_true(cf_lead(f) > 0);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_pause_and_resume_reach_the_task(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state\":\"PAUSED\"}");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_PAUSE_TASK), incarnation);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
    core_on_task(f->core, incarnation, CORE_TASK_PAUSED, NULL);
    cf_reconcile(f);
    cf_expect_status(cf_task_status(f), STATE_PAUSED, "me:1");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state\":\"STARTED\"}");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_RESUME_TASK), incarnation);
}

static void test_draining_stops_all_and_starts_none(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    core_set_draining(f->core);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(core_tasks_here(f->core), 0);
    cf_expect_status(cf_task_status(f), STATE_UNASSIGNED, "me:1");
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_UNASSIGNED, "me:1");
    assert_int_equal(cf_lead(f), 0);
}

/* Rotated secrets: a new value behind a placeholder. */
static void test_new_values_restart_a_task_once_also_a_failed_one(void **state)
{
    struct core_fixture *f = *state;
    uint64_t first = cf_run_one_task(f);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), first);
    core_on_task(f->core, first, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    uint64_t second = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, second, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL); /* of an earlier life */
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, second, CORE_TASK_FAILED, "bad password");
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), second);
    core_on_task(f->core, second, CORE_TASK_CHANGED, NULL);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cf_setup, cf_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_task_is_started_once_where_its_slot_is_claimed),
        TEST(test_nothing_starts_before_the_history_is_read),
        TEST(test_an_incomplete_set_does_not_run),
        TEST(test_a_start_waits_for_a_living_owner),
        TEST(test_a_late_word_of_a_third_worker_does_not_end_the_wait),
        TEST(test_a_dead_owner_is_not_waited_for),
        TEST(test_nobody_is_taken_for_dead_while_the_group_changes),
        TEST(test_lost_slots_stop_their_tasks_at_once),
        TEST(test_a_newer_word_of_the_next_owner_is_left_alone),
        TEST(test_a_foreign_word_about_a_running_task_is_corrected),
        TEST(test_a_lost_status_record_is_written_again),
        TEST(test_a_status_of_an_earlier_life_is_corrected),
        TEST(test_a_failed_task_stays_failed_until_it_is_restarted),
        TEST(test_a_restart_is_carried_out_once),
        TEST(test_stale_events_are_ignored),
        TEST(test_an_identical_config_restarts_nothing_and_a_changed_one_once),
        TEST(test_pause_and_resume_reach_the_task),
        TEST(test_new_values_restart_a_task_once_also_a_failed_one),
        TEST(test_draining_stops_all_and_starts_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
