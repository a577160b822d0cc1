/* SPDX-License-Identifier: Apache-2.0 */
/* What the core decides about the tasks of its own worker. */
#include <string.h>

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

static void test_an_identical_config_touches_nothing_and_a_changed_one_is_offered_once(void **state)
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
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), incarnation);
    cf_reconcile(f);
    cf_no_action(f); /* one question at a time */
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
}

static void test_a_config_that_is_declined_restarts_the_task_once(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    cf_put_config(f, "a", "1", "2");
    (void)cf_lead(f);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
    core_on_task(f->core, incarnation, CORE_TASK_DECLINED, NULL);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    uint64_t next = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, next, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_no_action(f);
}

static void test_a_second_change_is_offered_when_the_first_is_answered(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    cf_put_config(f, "a", "1", "2");
    (void)cf_lead(f);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
    cf_put_config(f, "a", "1", "3");
    (void)cf_lead(f);
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
}

static void test_a_task_that_fails_over_an_update_starts_with_the_new_config(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    cf_put_config(f, "a", "1", "2");
    (void)cf_lead(f);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
    core_on_task(f->core, incarnation, CORE_TASK_FAILED, "boom");
    cf_reconcile(f);
    assert_int_equal(f->decisions.n_actions, 2);
    assert_int_equal(f->decisions.actions[0].kind, ACTION_STOP_TASK);
    assert_int_equal(f->decisions.actions[1].kind, ACTION_START_TASK);
}

/* Commits a set of two tasks in slots of this worker and of another one. */
static void divide(struct core_fixture *f, const char *x, int division)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "{\"properties\":{\"x\":\"%s\"}}", x);
    int64_t config =
        f->snapshot->n_connectors ? snapshot_find(f->snapshot, "a")->config_offset : -1;
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", text);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-1", text);
    (void)snprintf(text, sizeof(text), "{\"tasks\":2,\"config-offset\":%lld,\"division\":%d}",
                   (long long)config, division);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", text);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[0,7]}");
}

static void other_says(struct core_fixture *f, const char *state, int division)
{
    char text[128];
    (void)snprintf(text, sizeof(text), "{\"state\":\"%s\",\"worker_id\":\"you:1\",\"division\":%d}",
                   state, division);
    (void)cf_fold(f, LOG_TOPIC_STATUS, "status-task-a-1", text);
}

static uint64_t divided(struct core_fixture *f)
{
    cf_group(f, true);
    cf_put_config(f, "a", "2", "1");
    divide(f, "1", 5);
    cf_reconcile(f);
    uint64_t incarnation = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, incarnation, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    other_says(f, "RUNNING", 5);
    cf_put_config(f, "a", "2", "2");
    divide(f, "2", 6);
    cf_reconcile(f);
    return incarnation;
}

static void test_new_division_is_taken_when_the_others_have_let_go(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = divided(f);
    assert_int_equal(cf_task_status(f)->division, 5);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), incarnation);
    assert_false(f->decisions.actions[0].may_take);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(cf_task_status(f)->division, 6);
    other_says(f, "RUNNING", 6);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), incarnation);
    assert_true(f->decisions.actions[0].may_take);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
}

static void test_new_division_waits_for_a_silent_worker_as_long_as_a_hand_over(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = divided(f);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(f->decisions.wake_ms, f->now_ms + 1000);
    f->now_ms += 1000;
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
    assert_true(f->decisions.actions[0].may_take);
}

static void other_claims(struct core_fixture *f, int division)
{
    char text[128];
    (void)snprintf(
        text, sizeof(text),
        "{\"state\":\"UNASSIGNED\",\"worker_id\":\"you:1\",\"claim\":\"u 1\",\"division\":%d}",
        division);
    (void)cf_fold(f, LOG_TOPIC_STATUS, "status-task-a-1", text);
}

/* Who has claimed a task of the old set may start it before it has read of the new one. */
static void test_new_division_waits_for_claims_of_an_older_one(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = divided(f);
    other_says(f, "UNASSIGNED", -1);
    other_claims(f, 5);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    other_claims(f, 6);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), incarnation);
    assert_true(f->decisions.actions[0].may_take);
}

static void test_new_division_waits_for_the_dead_until_their_tasks_run_again(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = divided(f);
    core_on_task(f->core, incarnation, CORE_TASK_UPDATED, NULL);
    cf_group(f, false);
    cf_reconcile(f);
    uint64_t other = cf_only_action(f, ACTION_START_TASK);
    core_on_task(f->core, other, CORE_TASK_RUNNING, NULL);
    cf_reconcile(f);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), incarnation);
    assert_true(f->decisions.actions[0].may_take);
}

static void test_task_that_stopped_for_a_new_division_says_that_it_let_go(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = divided(f);
    core_on_task(f->core, incarnation, CORE_TASK_DECLINED, NULL);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_STOP_TASK);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    cf_no_action(f); /* the other one has not let go yet */
    cf_expect_status(cf_task_status(f), STATE_UNASSIGNED, "me:1");
    other_says(f, "UNASSIGNED", -1);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_task_whose_part_stays_only_says_so(void **state)
{
    struct core_fixture *f = *state;
    (void)divided(f);
    (void)cf_only_action(f, ACTION_UPDATE_TASK);
    core_on_task(f->core, f->decisions.actions[0].incarnation, CORE_TASK_UPDATED, NULL);
    other_says(f, "RUNNING", 6);
    cf_reconcile(f);
    core_on_task(f->core, f->decisions.actions[0].incarnation, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_put_config(f, "a", "3", "2");
    /* The same two tasks, as if a third had come that takes from neither. */
    divide(f, "2", 9);
    cf_put_config(f, "a", "3", "2");
    divide(f, "2", 9);
    cf_reconcile(f);
    assert_int_equal(cf_task_status(f)->division, 9);
}

static void test_too_large_set_in_the_topic_fails_its_tasks_until_it_is_allowed(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_put_config(f, "a", "1", "1");
    divide(f, "1", 5);
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_FAILED, "me:1");
    assert_non_null(strstr(cf_task_status(f)->trace,
                           "The connector a has generated 2 tasks, which is greater than 1,"));
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-task-a-0", "{}");
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_FAILED, "me:1");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "connector-a",
                  "{\"properties\":{\"connector.class\":\"Fake\",\"tasks.max\":\"1\","
                  "\"tasks.max.enforce\":\"false\",\"x\":\"1\"}}");
    divide(f, "1", 5);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_running_tasks_survive_a_limit_that_they_exceed(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", "{\"properties\":{\"x\":\"1\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-1", "{\"properties\":{\"x\":\"1\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", "{\"tasks\":2}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[0,1]}");
    cf_reconcile(f);
    cf_no_action(f);
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
    cf_expect_status(snapshot_find(f->snapshot, "a")->tasks[1].status, STATE_FAILED, "me:1");
    assert_int_equal(core_tasks_here(f->core), 1);
    (void)incarnation;
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
static void test_new_values_are_offered_once_and_restart_what_declines_or_failed(void **state)
{
    struct core_fixture *f = *state;
    uint64_t first = cf_run_one_task(f);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), first);
    core_on_task(f->core, first, CORE_TASK_UPDATED, NULL);
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, first, CORE_TASK_CHANGED, NULL);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_UPDATE_TASK), first);
    core_on_task(f->core, first, CORE_TASK_DECLINED, NULL);
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
        TEST(test_an_identical_config_touches_nothing_and_a_changed_one_is_offered_once),
        TEST(test_a_config_that_is_declined_restarts_the_task_once),
        TEST(test_a_second_change_is_offered_when_the_first_is_answered),
        TEST(test_a_task_that_fails_over_an_update_starts_with_the_new_config),
        TEST(test_new_division_is_taken_when_the_others_have_let_go),
        TEST(test_new_division_waits_for_a_silent_worker_as_long_as_a_hand_over),
        TEST(test_new_division_waits_for_claims_of_an_older_one),
        TEST(test_new_division_waits_for_the_dead_until_their_tasks_run_again),
        TEST(test_task_that_stopped_for_a_new_division_says_that_it_let_go),
        TEST(test_task_whose_part_stays_only_says_so),
        TEST(test_too_large_set_in_the_topic_fails_its_tasks_until_it_is_allowed),
        TEST(test_running_tasks_survive_a_limit_that_they_exceed),
        TEST(test_pause_and_resume_reach_the_task),
        TEST(test_new_values_are_offered_once_and_restart_what_declines_or_failed),
        TEST(test_draining_stops_all_and_starts_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
