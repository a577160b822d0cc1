/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the leader's placement as a whole: what it costs, dead workers, weights, tasks.max=auto.
 */
#include <time.h>

#include "core_fixture.h"
#include "worker/base/mem.h"

#define N_SLOTS 64

/* CPU time of this process. */
static uint64_t cpu_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A core of its own, with N_SLOTS slots. */
static void big_core(struct core_fixture *f)
{
    core_free(f->core);
    const struct core_options options = {
        .worker_id = "w0:1",
        .url = "http://w0:1",
        .instance = "i",
        .n_slots = N_SLOTS,
        .settle_ms = 3000,
        .handover_ms = 1000,
        .retire_ttl_ms = 100000,
    };
    f->core = core_new(&options, &f->port);
    core_set_snapshot(f->core, f->snapshot);
}

/* Workers w0 to w<n-1>, worker i with every n-th slot from i on; the worker `dead` is (-1: none).
 */
static void big_group(struct core_fixture *f, int n_workers, int dead)
{
    static int32_t slots[N_SLOTS][N_SLOTS];
    static char ids[N_SLOTS][16];
    struct core_member members[N_SLOTS];
    for (int i = 0; i < n_workers; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "w%d:1", i);
        members[i] =
            (struct core_member){ .worker_id = ids[i], .slots = slots[i], .dead = i == dead };
        for (int32_t slot = i; slot < N_SLOTS; slot += n_workers) {
            slots[i][members[i].n_slots++] = slot;
        }
    }
    core_set_slots(f->core, members[0].slots, members[0].n_slots);
    core_set_members(f->core, members, (size_t)n_workers);
}

static int worker_of(int slot, int n_workers)
{
    return slot % n_workers;
}

/* The largest and the smallest number of tasks of a worker. */
static void spread(const struct core_fixture *f, int n_workers, int *ret_low, int *ret_high)
{
    int load[N_SLOTS] = { 0 };
    for (size_t i = 0; i < f->snapshot->n_connectors; i++) {
        for (size_t n = 0; n < f->snapshot->connectors[i]->n_tasks; n++) {
            int slot = f->snapshot->connectors[i]->tasks[n].slot;
            assert_true(slot >= 0);
            load[worker_of(slot, n_workers)]++;
        }
    }
    *ret_low = load[0];
    *ret_high = load[0];
    for (int i = 0; i < n_workers; i++) {
        *ret_low = load[i] < *ret_low ? load[i] : *ret_low;
        *ret_high = load[i] > *ret_high ? load[i] : *ret_high;
    }
}

/* Every task says that it runs where it sits. */
static void all_run(struct core_fixture *f, int n_workers)
{
    struct snapshot *now = snapshot_ref(f->snapshot);
    for (size_t i = 0; i < now->n_connectors; i++) {
        for (size_t n = 0; n < now->connectors[i]->n_tasks; n++) {
            char key[64];
            char worker[16];
            (void)snprintf(key, sizeof(key), "status-task-%s-%zu", now->connectors[i]->name, n);
            (void)snprintf(worker, sizeof(worker), "w%d:1",
                           worker_of(now->connectors[i]->tasks[n].slot, n_workers));
            cf_status_by(f, key, "RUNNING", worker);
        }
    }
    snapshot_unref(now);
}

static void hundred_connectors(struct core_fixture *f)
{
    for (int i = 0; i < 100; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "c%03d", i);
        cf_put_config(f, name, "4", "1");
    }
}

/* All that the leader decides, beside reading its own records back, is counted. */
static uint64_t lead_for_ms(struct core_fixture *f)
{
    uint64_t spent = 0;
    for (;;) {
        struct out_records records;
        uint64_t wake_ms = 0;
        uint64_t begin = cpu_ms();
        core_lead(f->core, f->now_ms, &records, &wake_ms);
        spent += cpu_ms() - begin;
        size_t n = records.n_items;
        for (size_t i = 0; i < n; i++) {
            (void)cf_fold(f, records.items[i].topic, records.items[i].key, records.items[i].value);
        }
        out_records_fini(&records);
        if (n == 0) {
            return spent;
        }
    }
}

#ifdef SLUICE_SANITIZED
#define MOST_MS 1000
#else
#define MOST_MS 100
#endif

static void test_a_hundred_connectors_are_placed_on_any_number_of_workers_at_once(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    hundred_connectors(f);
    big_group(f, 1, -1);
    core_set_leading(f->core, true);
    uint64_t spent = lead_for_ms(f);
    for (int n_workers = 2; n_workers <= 16; n_workers++) {
        big_group(f, n_workers, -1);
        all_run(f, n_workers);
        spent += lead_for_ms(f);
        f->now_ms += 3000;
        uint64_t once = lead_for_ms(f);
        assert_true(once < MOST_MS);
        spent += once;
        int low = 0;
        int high = 0;
        spread(f, n_workers, &low, &high);
        assert_true(high - low <= 1);
    }
    print_message("placed 16 times in %llu ms of CPU\n", (unsigned long long)spent);
}

static void test_tasks_of_a_dead_worker_move_at_once_and_come_not_back(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    cf_put_config(f, "c", "9", "1");
    big_group(f, 3, -1);
    core_set_leading(f->core, true);
    assert_true(cf_lead(f) > 0);
    all_run(f, 3);
    big_group(f, 3, 1);
    assert_int_equal(cf_lead(f), 1);
    const struct connector_state *c = snapshot_find(f->snapshot, "c");
    unsigned n_failed_over = 0;
    for (size_t n = 0; n < 9; n++) {
        assert_true(worker_of(c->tasks[n].slot, 3) != 1);
        n_failed_over += c->tasks[n].why == MOVE_FAILOVER;
    }
    assert_int_equal(n_failed_over, 3);
    all_run(f, 3);
    f->now_ms += 10000;
    assert_int_equal(cf_lead(f), 0);
}

static void test_busy_tasks_are_spread_by_their_rates(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    cf_put_config(f, "c", "4", "1");
    big_group(f, 2, -1);
    core_set_leading(f->core, true);
    assert_true(cf_lead(f) > 0);
    /* Both busy ones on w0. */
    (void)cf_fold(f, LOG_TOPIC_CONFIG, "placement-c", "{\"slots\":[0,2,1,3]}");
    all_run(f, 2);
    (void)cf_fold(f, LOG_TOPIC_STATUS, "worker-w0:1",
                  "{\"instance\":\"i\",\"rates\":{\"c\":{\"0\":1000,\"1\":1000}}}");
    (void)cf_fold(f, LOG_TOPIC_STATUS, "worker-w1:1",
                  "{\"instance\":\"j\",\"rates\":{\"c\":{\"2\":0,\"3\":0}}}");
    assert_int_equal(cf_lead(f), 0);
    f->now_ms += 3000;
    assert_int_equal(cf_lead(f), 0); /* 1.5 + 1.5 to 0.5 + 0.5: a move of 1.5 leaves noise */
    (void)cf_fold(f, LOG_TOPIC_STATUS, "worker-w0:1",
                  "{\"instance\":\"i\",\"rates\":{\"c\":{\"0\":3000,\"1\":500}}}");
    assert_int_equal(cf_lead(f), 0);
    f->now_ms += 3000;
    assert_int_equal(cf_lead(f), 1);
    const struct connector_state *c = snapshot_find(f->snapshot, "c");
    assert_int_equal(worker_of(c->tasks[0].slot, 2), 0);
    assert_int_equal(worker_of(c->tasks[1].slot, 2), 1); /* the light one went */
    assert_int_equal(c->tasks[1].why, MOVE_BALANCE);
    all_run(f, 2);
    f->now_ms += 10000;
    assert_int_equal(cf_lead(f), 0);
}

static size_t n_tasks(const struct core_fixture *f)
{
    return snapshot_find(f->snapshot, "c")->n_tasks;
}

static void test_auto_grows_soon_and_shrinks_late(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    cf_put_config(f, "c", "auto", "1");
    big_group(f, 2, -1);
    core_set_leading(f->core, true);
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 4);
    big_group(f, 3, -1);
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 4);
    f->now_ms += 3000;
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 6);
    big_group(f, 3, 1); /* one is dead */
    (void)cf_lead(f);
    f->now_ms += 14999;
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 6);
    f->now_ms += 1;
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 4);
    assert_int_equal(cf_lead(f), 0);
}

static void test_a_restart_of_a_worker_or_of_the_lead_resizes_nothing(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    cf_put_config(f, "c", "auto", "1");
    big_group(f, 3, -1);
    core_set_leading(f->core, true);
    (void)cf_lead(f);
    big_group(f, 2, -1);
    (void)cf_lead(f);
    f->now_ms += 10000;
    core_set_leading(f->core, false);
    core_set_leading(f->core, true);
    (void)cf_lead(f);
    f->now_ms += 4000;
    (void)cf_lead(f);
    big_group(f, 3, -1);
    (void)cf_lead(f);
    f->now_ms += 60000;
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), 6);
    assert_int_equal(snapshot_find(f->snapshot, "c")->division,
                     snapshot_find(f->snapshot, "c")->config_offset); /* the first one still */
}

static void test_auto_is_bounded_by_the_slots(void **state)
{
    struct core_fixture *f = *state;
    big_core(f);
    cf_put_config(f, "c", "auto", "1");
    big_group(f, 40, -1);
    core_set_leading(f->core, true);
    (void)cf_lead(f);
    assert_int_equal(n_tasks(f), N_SLOTS);
}

int main(void)
{
#define CORE_TEST(name) cmocka_unit_test_setup_teardown(name, cf_setup, cf_teardown)
    const struct CMUnitTest tests[] = {
        CORE_TEST(test_a_hundred_connectors_are_placed_on_any_number_of_workers_at_once),
        CORE_TEST(test_tasks_of_a_dead_worker_move_at_once_and_come_not_back),
        CORE_TEST(test_busy_tasks_are_spread_by_their_rates),
        CORE_TEST(test_auto_grows_soon_and_shrinks_late),
        CORE_TEST(test_a_restart_of_a_worker_or_of_the_lead_resizes_nothing),
        CORE_TEST(test_auto_is_bounded_by_the_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
