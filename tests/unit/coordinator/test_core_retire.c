/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of many retirements at a time: how many run, and in which order. What becomes of a single
 * one is in test_core_lead.c. */
#include "coordinator/records.h"
#include "tests/unit/coordinator/core_fixture.h"
#include "worker/base/mem.h"

#define N_GONE  30
#define AT_ONCE 8

/* What came of the retirements of connectors c00 to c29. */
struct tally {
    unsigned n_tries[N_GONE];
    uint64_t incarnation[N_GONE]; /* of a try under way; 0: none */
    size_t n_running;
};

/* Connectors without tasks that were made and deleted again. */
static void delete_many(struct core_fixture *f)
{
    for (int i = 0; i < N_GONE; i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "c%02d", i);
        cf_put_config(f, name, "1", "1");
        struct out_records records;
        out_records_init(&records);
        record_delete(&records, snapshot_find(f->snapshot, name));
        record_retire(&records, snapshot_find(f->snapshot, name), "r", 1);
        for (size_t k = 0; k < records.n_items; k++) {
            (void)cf_fold(f, records.items[k].topic, records.items[k].key, records.items[k].value);
        }
        out_records_fini(&records);
    }
    assert_int_equal(f->snapshot->n_retirements, N_GONE);
}

static int number_of(const char *connector)
{
    return (int)strtol(connector + 1, NULL, 10);
}

/* Decides, and notes what is to run. */
static void decide(struct core_fixture *f, struct tally *tally)
{
    cf_reconcile(f);
    for (size_t i = 0; i < f->decisions.n_actions; i++) {
        const struct action *action = &f->decisions.actions[i];
        assert_int_equal(action->kind, ACTION_RETIRE);
        int number = number_of(action->connector);
        assert_int_equal(tally->incarnation[number], 0);
        tally->incarnation[number] = action->incarnation;
        tally->n_tries[number]++;
        tally->n_running++;
    }
    assert_true(tally->n_running <= AT_ONCE);
}

static void end_try(struct core_fixture *f, struct tally *tally, int number, enum err err)
{
    core_on_retired(f->core, tally->incarnation[number], err);
    tally->incarnation[number] = 0;
    tally->n_running--;
}

static void end_all(struct core_fixture *f, struct tally *tally, enum err err)
{
    for (int i = 0; i < N_GONE; i++) {
        if (tally->incarnation[i]) {
            end_try(f, tally, i, err);
        }
    }
}

static void begin(struct core_fixture *f, struct tally *tally)
{
    cf_become_leader(f);
    cf_reconcile(f); /* its term begins before */
    delete_many(f);
    decide(f, tally);
    f->now_ms += 3000; /* a worker may have been starting a task */
    decide(f, tally);
    assert_int_equal(tally->n_running, AT_ONCE);
}

static void test_only_some_retirements_run_at_once_and_the_others_follow(void **state)
{
    struct core_fixture *f = *state;
    struct tally tally = { .n_running = 0 };
    begin(f, &tally);
    end_try(f, &tally, 3, ERR_OK);
    decide(f, &tally);
    assert_int_equal(tally.n_running, AT_ONCE);
    for (int turn = 0; turn < N_GONE; turn++) {
        end_all(f, &tally, ERR_OK);
        (void)cf_lead(f);
        decide(f, &tally);
    }
    assert_int_equal(tally.n_running, 0);
    assert_int_equal(f->snapshot->n_retirements, 0);
    for (int i = 0; i < N_GONE; i++) {
        assert_int_equal(tally.n_tries[i], 1);
    }
}

static void test_retirements_that_fail_do_not_keep_others_waiting(void **state)
{
    struct core_fixture *f = *state;
    struct tally tally = { .n_running = 0 };
    begin(f, &tally);
    /* Each try takes so long that the pause after the one before is over when it ends. */
    for (int turn = 0; turn < 7; turn++) {
        f->now_ms += 5000;
        end_all(f, &tally, ERR_UNAVAILABLE);
        decide(f, &tally);
        f->now_ms += 1000;
        decide(f, &tally);
    }
    for (int i = 0; i < N_GONE; i++) {
        assert_in_range(tally.n_tries[i], 1, 3);
    }
}

static void test_leadership_that_comes_back_starts_no_more_than_that(void **state)
{
    struct core_fixture *f = *state;
    struct tally tally = { .n_running = 0 };
    begin(f, &tally);
    core_set_leading(f->core, false);
    cf_reconcile(f);
    cf_no_action(f);
    core_set_leading(f->core, true);
    f->now_ms += 3000;
    cf_reconcile(f);
    f->now_ms += 3000;
    cf_reconcile(f);
    cf_no_action(f);
    for (int i = 0; i < AT_ONCE / 2; i++) {
        end_try(f, &tally, i, ERR_OK);
    }
    cf_reconcile(f);
    assert_int_equal(f->decisions.n_actions, AT_ONCE / 2);
}

/* Connector "a" is deleted, and made again while its retirement is being tried. Returns the try's
 * incarnation. */
static uint64_t retire_and_make_again(struct core_fixture *f)
{
    cf_become_leader(f);
    cf_put_config(f, "a", "1", "1");
    (void)cf_lead(f);
    struct out_records records;
    out_records_init(&records);
    record_delete(&records, snapshot_find(f->snapshot, "a"));
    record_retire(&records, snapshot_find(f->snapshot, "a"), "r1", 1);
    for (size_t i = 0; i < records.n_items; i++) {
        (void)cf_fold(f, records.items[i].topic, records.items[i].key, records.items[i].value);
    }
    out_records_fini(&records);
    cf_reconcile(f);
    f->now_ms += 3000;
    cf_reconcile(f);
    uint64_t incarnation = cf_only_action(f, ACTION_RETIRE);
    cf_put_config(f, "a", "1", "2");
    return incarnation;
}

static bool is_placed(const struct core_fixture *f)
{
    const struct connector_state *connector = snapshot_find(f->snapshot, "a");
    return connector->n_tasks > 0 && connector->tasks[0].slot >= 0;
}

static void test_a_namesake_waits_for_a_try_that_began_in_an_earlier_term(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = retire_and_make_again(f);
    (void)cf_lead(f);
    core_set_leading(f->core, false);
    core_set_leading(f->core, true);
    f->now_ms += CF_HOLD_MS + 20000;
    (void)cf_lead(f);
    f->now_ms += CF_HOLD_MS + 20000;
    (void)cf_lead(f);
    cf_reconcile(f);
    cf_no_action(f); /* not tried twice at a time */
    assert_int_equal(f->snapshot->n_retirements, 1);
    assert_false(is_placed(f));
    core_on_retired(f->core, incarnation, ERR_UNAVAILABLE);
    (void)cf_lead(f);
    assert_int_equal(f->snapshot->n_retirements, 0);
    assert_true(is_placed(f));
}

static void test_a_try_that_ends_between_two_terms_is_not_waited_for(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = retire_and_make_again(f);
    (void)cf_lead(f);
    core_set_leading(f->core, false);
    core_on_retired(f->core, incarnation, ERR_OK);
    core_set_leading(f->core, true);
    cf_reconcile(f);
    cf_no_action(f); /* it is done */
    f->now_ms += CF_HOLD_MS;
    (void)cf_lead(f);
    assert_int_equal(f->snapshot->n_retirements, 0);
    assert_true(is_placed(f));
}

/* The leader before may be cut off from Kafka, not from the MQTT broker, and end sessions still. */
static void test_a_namesake_waits_until_the_leader_before_knows_that_it_leads_no_more(void **state)
{
    struct core_fixture *f = *state;
    uint64_t incarnation = retire_and_make_again(f);
    core_on_retired(f->core, incarnation, ERR_UNAVAILABLE);
    core_set_leading(f->core, false);
    f->now_ms += 100000;
    core_set_leading(f->core, true);
    cf_reconcile(f);
    f->now_ms += 1000; /* the hand-over */
    cf_reconcile(f);
    core_on_retired(f->core, cf_only_action(f, ACTION_RETIRE), ERR_OK);
    (void)cf_lead(f);
    f->now_ms += CF_HOLD_MS - 1001;
    (void)cf_lead(f);
    assert_int_equal(f->snapshot->n_retirements, 1);
    assert_false(is_placed(f));
    struct out_records records;
    uint64_t wake_ms = 0;
    core_lead(f->core, f->now_ms, &records, &wake_ms);
    out_records_fini(&records);
    assert_true(wake_ms == f->now_ms + 1);
    f->now_ms = wake_ms;
    (void)cf_lead(f);
    assert_int_equal(f->snapshot->n_retirements, 0);
    assert_true(is_placed(f));
}

#define IN_CORE(test) cmocka_unit_test_setup_teardown(test, cf_setup, cf_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_CORE(test_only_some_retirements_run_at_once_and_the_others_follow),
        IN_CORE(test_retirements_that_fail_do_not_keep_others_waiting),
        IN_CORE(test_leadership_that_comes_back_starts_no_more_than_that),
        IN_CORE(test_a_namesake_waits_for_a_try_that_began_in_an_earlier_term),
        IN_CORE(test_a_try_that_ends_between_two_terms_is_not_waited_for),
        IN_CORE(test_a_namesake_waits_until_the_leader_before_knows_that_it_leads_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
