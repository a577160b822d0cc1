/* SPDX-License-Identifier: Apache-2.0 */
/* What the core does as leader. */
#include "tests/unit/coordinator/core_fixture.h"
#include "worker/base/mem.h"

static void test_only_a_leader_writes_config_records(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, true);
    cf_put_config(f, "a", "2", "1");
    assert_int_equal(cf_lead(f), 0);
    core_set_leading(f->core, true);
    assert_int_equal(cf_lead(f), 4); /* two tasks, a commit, a placement */
    const struct connector_state *connector = snapshot_find(f->snapshot, "a");
    assert_int_equal(connector->n_tasks, 2);
    assert_int_equal(connector->tasks_config_offset, connector->config_offset);
    assert_true((connector->tasks[0].slot < 4) != (connector->tasks[1].slot < 4));
    core_set_leading(f->core, false);
    cf_put_config(f, "a", "3", "1");
    assert_int_equal(cf_lead(f), 0);
}

static void test_scaling_keeps_the_slots_of_tasks_that_stay(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "4", "1");
    (void)cf_lead(f);
    int before[4];
    for (int i = 0; i < 4; i++) {
        before[i] = snapshot_find(f->snapshot, "a")->tasks[i].slot;
    }
    cf_put_config(f, "a", "6", "1");
    (void)cf_lead(f);
    cf_put_config(f, "a", "2", "1");
    (void)cf_lead(f);
    cf_put_config(f, "a", "4", "1");
    (void)cf_lead(f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(snapshot_find(f->snapshot, "a")->tasks[i].slot, before[i]);
    }
}

static void test_more_tasks_than_allowed_fail_the_connector(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    f->n_configs = 3;
    cf_put_config(f, "a", "2", "1");
    assert_int_equal(cf_lead(f), 0);
    cf_reconcile(f);
    const struct status *status = snapshot_find(f->snapshot, "a")->status;
    cf_expect_status(status, STATE_FAILED, "me:1");
    assert_string_equal(
        status->trace,
        "The connector a has generated 3 tasks, which is greater than 2, the maximum number of "
        "tasks it is configured to create. This behaviour should be considered a bug and is "
        "disallowed. If necessary, it can be permitted by reconfiguring the connector with "
        "'tasks.max.enforce' set to false; however, this option will be removed in a future "
        "release of Kafka Connect.");
}

static void test_a_division_counts_up_only_when_a_task_changes(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "2", "1");
    (void)cf_lead(f);
    const struct connector_state *connector = snapshot_find(f->snapshot, "a");
    int64_t first = connector->division;
    assert_int_equal(first, connector->config_offset);
    cf_put_config(f, "a", "2", "1");
    assert_true(cf_lead(f) > 0);
    assert_int_equal(snapshot_find(f->snapshot, "a")->division, first);
    cf_put_config(f, "a", "2", "2");
    (void)cf_lead(f);
    int64_t second = snapshot_find(f->snapshot, "a")->division;
    assert_true(second > first);
    /* Stopping and going on makes a new one, beyond all that tasks may still name. */
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state.v2\":\"STOPPED\"}");
    (void)cf_lead(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->division, second);
    assert_non_null(snapshot_find(f->snapshot, "a")->last_task);
    /* A config that is put meanwhile gets a commit behind it, once. */
    cf_put_config(f, "a", "1", "2");
    (void)cf_lead(f);
    const struct connector_state *stopped = snapshot_find(f->snapshot, "a");
    assert_int_equal(stopped->tasks_config_offset, stopped->config_offset);
    assert_true(stopped->commit_offset > stopped->config_offset);
    assert_non_null(stopped->last_task);
    assert_int_equal(cf_lead(f), 0);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state.v2\":\"STARTED\"}");
    (void)cf_lead(f);
    assert_true(snapshot_find(f->snapshot, "a")->division > second);
    /* Another writer's set has no number; ours is beyond it too. */
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", "{\"properties\":{\"x\":\"z\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", "{\"tasks\":1}");
    assert_int_equal(snapshot_find(f->snapshot, "a")->division, -1);
    (void)cf_lead(f);
    assert_true(snapshot_find(f->snapshot, "a")->division >= 0);
}

static void test_a_config_that_is_put_again_shows_in_the_connectors_status(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    cf_reconcile(f);
    const struct status *status = snapshot_find(f->snapshot, "a")->status;
    cf_expect_status(status, STATE_RUNNING, "me:1");
    int64_t before = status->offset;
    cf_reconcile(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->status->offset, before);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    cf_reconcile(f);
    status = snapshot_find(f->snapshot, "a")->status;
    cf_expect_status(status, STATE_RUNNING, "me:1");
    assert_true(status->offset > before);
}

static void test_a_failed_expansion_is_retried_only_if_that_may_help(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    f->fails = ERR_UNAVAILABLE;
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    (void)cf_lead(f);
    assert_int_equal(f->n_expansions, 1);
    f->now_ms += 250;
    (void)cf_lead(f);
    assert_int_equal(f->n_expansions, 2);
    f->now_ms += 250;
    (void)cf_lead(f);
    assert_int_equal(f->n_expansions, 2);
    f->fails = ERR_INVALID;
    f->now_ms += 250;
    (void)cf_lead(f);
    f->now_ms += 1000000;
    (void)cf_lead(f);
    assert_int_equal(f->n_expansions, 3);
    cf_reconcile(f);
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_FAILED, "me:1");
    assert_string_equal(snapshot_find(f->snapshot, "a")->status->trace, "no configs today");
    f->fails = ERR_OK;
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "restart-connector-a", "{\"only-failed\":true}");
    assert_true(cf_lead(f) > 0);
    cf_reconcile(f);
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_RUNNING, "me:1");
}

static void test_a_leader_that_comes_back_forgets_what_it_knew(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    f->fails = ERR_INVALID;
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    core_set_leading(f->core, false);
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 0);
    f->fails = ERR_OK;
    core_set_leading(f->core, true);
    assert_true(cf_lead(f) > 0);
}

static void test_tasks_of_an_unknown_class_are_not_placed_and_not_deleted(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    f->fails = ERR_NOT_FOUND;
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "connector-a",
                  "{\"properties\":{\"connector.class\":\"java.Thing\"}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "task-a-0", "{\"properties\":{}}");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "commit-a", "{\"tasks\":1}");
    cf_status_by(f, "status-task-a-0", "RUNNING", "java:1");
    assert_int_equal(cf_lead(f), 0);
    cf_reconcile(f);
    cf_no_action(f);
    const struct connector_state *connector = snapshot_find(f->snapshot, "a");
    assert_int_equal(connector->n_tasks, 1);
    cf_expect_status(connector->status, STATE_FAILED, "me:1");
    cf_expect_status(connector->tasks[0].status, STATE_UNASSIGNED, "me:1");
}

static void test_a_stopped_connector_loses_its_tasks_and_their_statuses(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a",
                  "{\"state\":\"PAUSED\",\"state.v2\":\"STOPPED\"}");
    (void)cf_lead(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->n_tasks, 0);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    assert_int_equal(snapshot_find(f->snapshot, "a")->n_extra_statuses, 1);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    cf_reconcile(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->n_extra_statuses, 0);
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_STOPPED, "me:1");
    /* Resumed, it gets its tasks back. */
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state\":\"STARTED\"}");
    (void)cf_lead(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->n_tasks, 1);
}

/* A task told of a topic while it stopped: the tombstones of the deletion were before that. */
static void test_topics_of_a_deleted_connector_are_written_off(void **state)
{
    struct core_fixture *f = *state;
    static const char key[] = "status-topic-t:connector-gone";
    cf_become_leader(f);
    (void)cf_fold(f, LOG_TOPIC_STATUS, key, "{\"topic\":{\"name\":\"t\"}}");
    assert_non_null(snapshot_find_any(f->snapshot, "gone"));
    f->hold_status = true;
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 1);
    assert_string_equal(f->decisions.statuses.items[0].key, key);
    assert_null(f->decisions.statuses.items[0].value);
    cf_reconcile(f);
    assert_int_equal(f->decisions.statuses.n_items, 0); /* it is on its way */
    f->hold_status = false;
    f->now_ms += 6000;
    cf_reconcile(f);
    assert_null(snapshot_find_any(f->snapshot, "gone"));
    cf_put_config(f, "gone", "1", "x");
    (void)cf_fold(f, LOG_TOPIC_STATUS, key, "{\"topic\":{\"name\":\"t\"}}");
    cf_reconcile(f);
    assert_non_null(snapshot_find(f->snapshot, "gone")->topics);
}

static void test_a_connector_made_paused_gets_tasks_when_it_is_resumed(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state\":\"PAUSED\"}");
    cf_put_config(f, "a", "1", "1");
    assert_int_equal(cf_lead(f), 0);
    cf_reconcile(f);
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_PAUSED, "me:1");
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "target-state-a", "{\"state\":\"STARTED\"}");
    assert_true(cf_lead(f) > 0);
}

static void test_batches_are_bounded(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    for (int i = 0; i < 1200; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%d", i);
        cf_put_config(f, name, "1", "1");
    }
    struct out_records records;
    uint64_t wake_ms = UINT64_MAX;
    core_lead(f->core, f->now_ms, &records, &wake_ms);
    assert_in_range(records.n_items, 400, 510);
    assert_int_equal(wake_ms, f->now_ms);
    out_records_fini(&records);
    assert_int_equal(cf_lead(f), 3600);
}

static void test_loads_are_evened_out_after_a_while_only(void **state)
{
    struct core_fixture *f = *state;
    cf_group(f, false);
    core_set_leading(f->core, true);
    cf_put_config(f, "a", "4", "1");
    (void)cf_lead(f);
    cf_group(f, true);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[0,1,2,3]}");
    for (int i = 0; i < 4; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "status-task-a-%d", i);
        cf_status_by(f, key, "RUNNING", "me:1");
    }
    assert_int_equal(cf_lead(f), 0);
    f->now_ms += 2999;
    assert_int_equal(cf_lead(f), 0);
    f->now_ms += 1;
    assert_int_equal(cf_lead(f), 1);
    int moved = 0;
    for (int i = 0; i < 4; i++) {
        moved += snapshot_find(f->snapshot, "a")->tasks[i].slot >= 4 ? 1 : 0;
    }
    assert_int_equal(moved, 2);
}

static void test_failed_tasks_are_not_moved(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "4", "1");
    (void)cf_lead(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-a", "{\"slots\":[0,1,2,3]}");
    for (int i = 0; i < 4; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "status-task-a-%d", i);
        cf_status_by(f, key, "FAILED", "me:1");
    }
    (void)cf_lead(f);
    f->now_ms += 100000;
    assert_int_equal(cf_lead(f), 0);
}

/* Deletes connector "a" as a client's request does. */
static void delete_one(struct core_fixture *f)
{
    struct out_records records;
    out_records_init(&records);
    record_delete(&records, snapshot_find(f->snapshot, "a"));
    record_retire(&records, snapshot_find(f->snapshot, "a"), "r1", 1);
    for (size_t i = 0; i < records.n_items; i++) {
        (void)cf_fold(f, records.items[i].topic, records.items[i].key, records.items[i].value);
    }
    out_records_fini(&records);
}

static void test_a_retirement_runs_when_nobody_runs_the_tasks(void **state)
{
    struct core_fixture *f = *state;
    core_set_leading(f->core, true);
    uint64_t incarnation = cf_run_one_task(f);
    delete_one(f);
    cf_reconcile(f);
    assert_int_equal(cf_only_action(f, ACTION_STOP_TASK), incarnation);
    f->now_ms += 5000;
    cf_reconcile(f);
    cf_no_action(f);
    core_on_task(f->core, incarnation, CORE_TASK_STOPPED, NULL);
    cf_reconcile(f);
    if (f->decisions.n_actions == 0) {
        cf_reconcile(f);
    }
    uint64_t retire = cf_only_action(f, ACTION_RETIRE);
    assert_string_equal(f->decisions.actions[0].connector, "a");
    assert_string_equal(f->decisions.actions[0].retire_id, "r1");
    cf_reconcile(f);
    cf_no_action(f);
    core_on_retired(f->core, retire, ERR_UNAVAILABLE);
    cf_reconcile(f);
    cf_no_action(f);
    f->now_ms = f->decisions.wake_ms;
    cf_reconcile(f);
    core_on_retired(f->core, cf_only_action(f, ACTION_RETIRE), ERR_OK);
    assert_int_equal(cf_lead(f), 1);
    cf_reconcile(f);
    assert_int_equal(f->snapshot->n_retirements, 0);
    assert_int_equal(f->snapshot->n_connectors, 0);
}

static void test_a_new_namesake_waits_for_the_retirement_but_not_for_ever(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    delete_one(f);
    cf_put_config(f, "a", "1", "2");
    f->now_ms += 1500;
    (void)cf_lead(f);
    assert_int_equal(snapshot_find(f->snapshot, "a")->tasks[0].slot, -1);
    f->now_ms += 1500;
    cf_reconcile(f);
    uint64_t retire = cf_only_action(f, ACTION_RETIRE);
    /* A try under way is not overtaken. */
    f->now_ms += 20000;
    assert_int_equal(cf_lead(f), 0);
    core_on_retired(f->core, retire, ERR_UNAVAILABLE);
    cf_reconcile(f);
    cf_no_action(f);
    assert_int_equal(cf_lead(f), 2);
    assert_int_equal(f->snapshot->n_retirements, 0);
    assert_true(snapshot_find(f->snapshot, "a")->tasks[0].slot >= 0);
}

static void test_a_retirement_is_given_up_in_the_end(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    delete_one(f);
    (void)cf_lead(f);
    assert_int_equal(f->snapshot->n_retirements, 1);
    f->now_ms += 1000000;
    assert_int_equal(cf_lead(f), 1);
    assert_int_equal(f->snapshot->n_retirements, 0);
}

static void test_a_new_leader_takes_the_connectors_over(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    cf_status_by(f, "status-connector-a", "RUNNING", "you:1");
    cf_reconcile(f);
    cf_expect_status(snapshot_find(f->snapshot, "a")->status, STATE_RUNNING, "me:1");
    cf_status_by(f, "status-connector-gone", "RUNNING", "you:1");
    cf_status_by(f, "status-task-gone-3", "FAILED", "you:1");
    cf_reconcile(f);
    assert_null(snapshot_find_any(f->snapshot, "gone"));
}

static void test_statuses_of_living_workers_are_not_removed_under_them(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    cf_status_by(f, "status-task-gone-0", "RUNNING", "you:1");
    cf_status_by(f, "status-task-gone-1", "RUNNING", "dead:1");
    cf_reconcile(f);
    const struct connector_state *gone = snapshot_find_any(f->snapshot, "gone");
    assert_int_equal(gone->n_extra_statuses, 1);
    assert_int_equal(gone->extra_statuses[0].task, 0);
}

/* ---- what Kafka would not take ---- */

/* A connector whose one task config is that large. */
static void put_large(struct core_fixture *f, const char *name, size_t bytes)
{
    CLEANUP(free_charp) char *key = xasprintf("connector-%s", name);
    CLEANUP(free_charp) char *x = xcalloc(bytes + 1, 1);
    memset(x, 'x', bytes);
    CLEANUP(free_charp)
    char *value = xasprintf("{\"properties\":{\"connector.class\":\"Fake\",\"tasks.max\":\"1\","
                            "\"x\":\"%s\"}}",
                            x);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, key, value);
}

static void test_a_set_that_is_too_large_fails_its_connector_alone(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    put_large(f, "big", 1045000);
    cf_put_config(f, "small", "1", "1");
    assert_int_equal(cf_lead(f), 3); /* a task, a commit, a placement */
    assert_int_equal(snapshot_find(f->snapshot, "small")->n_tasks, 1);
    assert_false(snapshot_find(f->snapshot, "big")->committed);
    cf_reconcile(f);
    const struct status *status = snapshot_find(f->snapshot, "big")->status;
    cf_expect_status(status, STATE_FAILED, "me:1");
    assert_non_null(strstr(status->trace, "record task-big-0 of config.storage.topic"));
    assert_non_null(strstr(status->trace, "1040000"));
    assert_non_null(strstr(status->trace, "mqtt.sessions"));
    /* Only another config helps. */
    int before = f->n_expansions;
    f->now_ms += 1000000;
    assert_int_equal(cf_lead(f), 0);
    assert_int_equal(f->n_expansions, before);
    cf_put_config(f, "big", "1", "1");
    assert_int_equal(cf_lead(f), 3);
    cf_reconcile(f);
    cf_expect_status(snapshot_find(f->snapshot, "big")->status, STATE_RUNNING, "me:1");
}

/* The next batch; all its records are of sets, or none is. */
static size_t next_batch(struct core_fixture *f, struct out_records *records)
{
    uint64_t wake_ms = 0;
    core_lead(f->core, f->now_ms, records, &wake_ms);
    size_t n_placements = 0;
    for (size_t i = 0; i < records->n_items; i++) {
        n_placements += strncmp(records->items[i].key, "placement-", 10) == 0;
    }
    assert_true(n_placements == 0 || n_placements == records->n_items);
    return n_placements;
}

static void fold_batch(struct core_fixture *f, struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        struct out_record *item = &records->items[i];
        (void)cf_fold(f, item->topic, item->key, item->value);
    }
    out_records_fini(records);
}

static void test_placements_do_not_wait_for_sets(void **state)
{
    struct core_fixture *f = *state;
    struct out_records records;
    cf_become_leader(f);
    cf_put_config(f, "b", "1", "1");
    (void)cf_lead(f);
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-b", "{\"slots\":[-1]}");
    cf_put_config(f, "a", "1", "1");
    assert_int_equal(next_batch(f, &records), 1);
    assert_string_equal(records.items[0].key, "placement-b");
    fold_batch(f, &records);
    assert_int_equal(next_batch(f, &records), 0);
    assert_int_equal(records.n_items, 2);
    assert_string_equal(records.items[0].key, "task-a-0");
    out_records_fini(&records);
}

/* Kafka refuses each batch with a record of "b". */
static void test_what_kafka_refuses_is_found_and_the_others_are_written(void **state)
{
    struct core_fixture *f = *state;
    cf_become_leader(f);
    assert_false(core_lead_refused(f->core, "too large", f->now_ms));
    for (const char *name = "a\0b\0c\0"; *name; name += 2) {
        cf_put_config(f, name, "1", "1");
    }
    unsigned n_refused = 0;
    for (unsigned i = 0; i < 20; i++) {
        struct out_records records;
        bool bad = false;
        (void)next_batch(f, &records);
        for (size_t n = 0; n < records.n_items; n++) {
            bad = bad || strcmp(records.items[n].key, "task-b-0") == 0;
        }
        if (bad) {
            assert_true(core_lead_refused(f->core, "too large for it", f->now_ms));
            n_refused++;
            out_records_fini(&records);
        } else {
            fold_batch(f, &records);
        }
    }
    assert_int_equal(n_refused, 2); /* all together, and alone */
    assert_true(snapshot_find(f->snapshot, "a")->tasks[0].slot >= 0);
    assert_true(snapshot_find(f->snapshot, "c")->tasks[0].slot >= 0);
    cf_reconcile(f);
    const struct status *status = snapshot_find(f->snapshot, "b")->status;
    cf_expect_status(status, STATE_FAILED, "me:1");
    assert_non_null(strstr(status->trace, "too large for it"));
    cf_put_config(f, "b", "1", "2");
    assert_int_equal(cf_lead(f), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, cf_setup, cf_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_leader_writes_config_records),
        TEST(test_scaling_keeps_the_slots_of_tasks_that_stay),
        TEST(test_more_tasks_than_allowed_fail_the_connector),
        TEST(test_a_division_counts_up_only_when_a_task_changes),
        TEST(test_a_config_that_is_put_again_shows_in_the_connectors_status),
        TEST(test_a_failed_expansion_is_retried_only_if_that_may_help),
        TEST(test_a_leader_that_comes_back_forgets_what_it_knew),
        TEST(test_tasks_of_an_unknown_class_are_not_placed_and_not_deleted),
        TEST(test_a_stopped_connector_loses_its_tasks_and_their_statuses),
        TEST(test_topics_of_a_deleted_connector_are_written_off),
        TEST(test_a_connector_made_paused_gets_tasks_when_it_is_resumed),
        TEST(test_batches_are_bounded),
        TEST(test_loads_are_evened_out_after_a_while_only),
        TEST(test_failed_tasks_are_not_moved),
        TEST(test_a_retirement_runs_when_nobody_runs_the_tasks),
        TEST(test_a_new_namesake_waits_for_the_retirement_but_not_for_ever),
        TEST(test_a_retirement_is_given_up_in_the_end),
        TEST(test_a_new_leader_takes_the_connectors_over),
        TEST(test_statuses_of_living_workers_are_not_removed_under_them),
        TEST(test_a_set_that_is_too_large_fails_its_connector_alone),
        TEST(test_placements_do_not_wait_for_sets),
        TEST(test_what_kafka_refuses_is_found_and_the_others_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
