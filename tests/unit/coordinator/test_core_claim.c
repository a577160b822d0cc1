/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: who may start a task when several workers have been told to, one soon after the other. */
#include "coordinator/config_claims.h"
#include "tests/unit/coordinator/core_fixture.h"

/* A claim by a worker; token "": given up. */
static void claim_by(struct core_fixture *f, const char *token, const char *worker)
{
    char value[160];
    (void)snprintf(value, sizeof(value),
                   "{\"state\":\"UNASSIGNED\",\"worker_id\":\"%s\",\"claim\":\"%s\"}", worker,
                   token);
    (void)cf_fold(f, LOG_TOPIC_STATUS, "status-task-a-0", value);
}

/* The workers in the queue of task 0, with commas. */
static void expect_claims(const struct core_fixture *f, const char *expected)
{
    char text[256] = "";
    const struct claims *claims = snapshot_find(f->snapshot, "a")->tasks[0].claims;
    for (size_t i = 0; i < claims_count(claims); i++) {
        size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "",
                       claims->items[i].worker_id);
    }
    assert_string_equal(text, expected);
}

static void test_a_start_waits_until_its_claim_is_read_back(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    assert_true(cf_reconcile_once(f));
    cf_no_action(f);
    expect_claims(f, "me:1");
    assert_false(cf_reconcile_once(f));
    (void)cf_only_action(f, ACTION_START_TASK);
}

/* The second owner has a thread and has said nothing yet; the newest status is the first one's. */
static void test_silent_thread_of_an_earlier_claimant_is_waited_for(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "first:1");
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    cf_no_action(f);
    expect_claims(f, "you:1,me:1");
    cf_expect_status(cf_task_status(f), STATE_UNASSIGNED, "first:1");
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "first:1"); /* that one is not asked */
    cf_reconcile(f);
    cf_no_action(f);
    claim_by(f, "", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_later_claim_is_not_waited_for(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    (void)cf_reconcile_once(f);
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_claim_of_a_dead_worker_holds_nobody(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, false);
    cf_one_task(f);
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_wait_ends_with_the_hand_over_time(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(f->decisions.wake_ms, f->now_ms + 1000);
    f->now_ms += 1000;
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_claim_of_an_earlier_time_does_not_count(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    claim_by(f, "an earlier life 1", "me:1");
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    cf_no_action(f);
    expect_claims(f, "you:1,me:1");
}

static void test_claim_is_given_up_when_the_task_goes_elsewhere(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    expect_claims(f, "you:1,me:1");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[7]}");
    (void)cf_reconcile_once(f);
    cf_no_action(f);
    expect_claims(f, "you:1");
    assert_false(cf_reconcile_once(f));
    assert_int_equal(f->decisions.statuses.n_items, 0);
}

static void test_thread_that_never_spoke_gives_up_its_claim_when_it_has_ended(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "first:1");
    cf_reconcile(f);
    uint64_t incarnation = cf_only_action(f, ACTION_START_TASK);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[7]}");
    cf_reconcile(f);
    expect_claims(f, "me:1");
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    expect_claims(f, "");
}

static void test_claim_of_an_earlier_life_is_given_up(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[7]}");
    claim_by(f, "an earlier life 1", "me:1");
    (void)cf_reconcile_once(f);
    cf_no_action(f);
    expect_claims(f, "");
}

static void test_lost_claim_delays_the_start_no_longer_than_a_hand_over(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    (void)cf_reconcile_once(f);
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "me:1"); /* as if it had not come */
    (void)cf_reconcile_once(f);
    cf_no_action(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    f->now_ms += 1000;
    (void)cf_reconcile_once(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_status_under_a_claim_is_written_again_once(void **state)
{
    struct core_fixture *f = *state;
    (void)cf_run_one_task(f);
    expect_claims(f, "me:1");
    claim_by(f, "u 1", "you:1");
    cf_expect_status(cf_task_status(f), STATE_RUNNING, "me:1");
    f->hold_status = true;
    (void)cf_reconcile_once(f);
    assert_int_equal(f->decisions.statuses.n_items, 1);
    assert_non_null(strstr(f->decisions.statuses.items[0].value, "\"RUNNING\""));
    (void)cf_reconcile_once(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    cf_status_by(f, "status-task-a-0", "RUNNING", "me:1");
    (void)cf_reconcile_once(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    expect_claims(f, "me:1,you:1");
}

static void test_claim_tells_of_the_set_that_is_in_force_and_keeps_its_place(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_one_task(f);
    claim_by(f, "u 1", "you:1");
    cf_reconcile(f);
    claim_by(f, "t 1", "third:1");
    expect_claims(f, "you:1,me:1,third:1");
    char text[96];
    (void)snprintf(text, sizeof(text), "{\"tasks\":1,\"config-offset\":%lld,\"division\":77}",
                   (long long)snapshot_find(f->snapshot, "a")->config_offset);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", "{\"properties\":{\"x\":\"2\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", text);
    cf_reconcile(f);
    expect_claims(f, "you:1,me:1,third:1");
    assert_int_equal(snapshot_find(f->snapshot, "a")->tasks[0].claims->items[1].division, 77);
    claim_by(f, "", "you:1");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
}

static void test_failed_task_claims_nothing_until_it_is_restarted(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    core_on_task(f->core, incarnation, CORE_TASK_FAILED, "boom");
    cf_reconcile(f);
    expect_claims(f, "");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-task-a-0", "{}");
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_START_TASK);
    expect_claims(f, "me:1");
}

static void test_who_runs_a_task_ends_the_claims_before_its_own(void **state)
{
    struct core_fixture *f = *state;
    cf_one_task(f);
    claim_by(f, "d 1", "dead:1");
    claim_by(f, "u 1", "you:1");
    claim_by(f, "t 1", "third:1");
    cf_status_by(f, "status-task-a-0", "RUNNING", "you:1");
    expect_claims(f, "you:1,third:1");
    cf_status_by(f, "status-task-a-0", "UNASSIGNED", "dead:1");
    expect_claims(f, "you:1,third:1");
    cf_status_by(f, "status-task-a-0", "RUNNING", "foreign:1"); /* one that knows no claims */
    expect_claims(f, "you:1,third:1,foreign:1");
    for (int i = 0; i < CLAIMS_MAX * 2; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "w%d:1", i);
        claim_by(f, "x 1", name);
    }
    assert_int_equal(claims_count(snapshot_find(f->snapshot, "a")->tasks[0].claims), CLAIMS_MAX);
}

/* The leader wrote it before it had read that somebody runs the task. */
static void test_thread_whose_record_was_removed_shows_itself_until_it_has_stopped(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "connector-a", NULL);
    cf_reconcile(f);
    (void)cf_only_action(f, ACTION_STOP_TASK);
    (void)cf_fold(f, LOG_TOPIC_STATUS, "status-task-a-0", NULL);
    cf_reconcile(f);
    const struct connector_state *gone = snapshot_find_any(f->snapshot, "a");
    assert_int_equal(gone->n_extra_statuses, 1);
    cf_expect_status(gone->extra_statuses[0].status, STATE_RUNNING, "me:1");
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    gone = snapshot_find_any(f->snapshot, "a");
    cf_expect_status(gone->extra_statuses[0].status, STATE_UNASSIGNED, "me:1");
}

static void test_record_of_a_claimed_task_that_is_no_more_is_left_until_it_is_given_up(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_one_task(f);
    claim_by(f, "u 1", "you:1");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "connector-a", NULL);
    (void)cf_reconcile_once(f);
    assert_int_equal(snapshot_find_any(f->snapshot, "a")->n_extra_statuses, 1);
    claim_by(f, "", "you:1");
    cf_reconcile(f);
    assert_int_equal(snapshot_find_any(f->snapshot, "a")->n_extra_statuses, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cf_setup, cf_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_start_waits_until_its_claim_is_read_back),
        TEST(test_silent_thread_of_an_earlier_claimant_is_waited_for),
        TEST(test_later_claim_is_not_waited_for),
        TEST(test_claim_of_a_dead_worker_holds_nobody),
        TEST(test_wait_ends_with_the_hand_over_time),
        TEST(test_claim_of_an_earlier_time_does_not_count),
        TEST(test_claim_is_given_up_when_the_task_goes_elsewhere),
        TEST(test_thread_that_never_spoke_gives_up_its_claim_when_it_has_ended),
        TEST(test_claim_of_an_earlier_life_is_given_up),
        TEST(test_lost_claim_delays_the_start_no_longer_than_a_hand_over),
        TEST(test_status_under_a_claim_is_written_again_once),
        TEST(test_claim_tells_of_the_set_that_is_in_force_and_keeps_its_place),
        TEST(test_failed_task_claims_nothing_until_it_is_restarted),
        TEST(test_who_runs_a_task_ends_the_claims_before_its_own),
        TEST(test_thread_whose_record_was_removed_shows_itself_until_it_has_stopped),
        TEST(test_record_of_a_claimed_task_that_is_no_more_is_left_until_it_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
