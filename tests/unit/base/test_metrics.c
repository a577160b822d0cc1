/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of metric cells, scopes and the Prometheus text. */
#include <math.h>

#include "tests/support/aborts.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/thread.h"

static char *rendered(void)
{
    struct buf text;
    buf_init(&text);
    metrics_render(&text);
    return buf_take(&text);
}

/* Whether the text has this line. */
static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);
    for (const char *p = strstr(text, line); p; p = strstr(p + 1, line)) {
        if ((p == text || p[-1] == '\n') && p[length] == '\n') {
            return true;
        }
    }
    return false;
}

static void assert_line(const char *line)
{
    CLEANUP(free_charp) char *text = rendered();
    if (!has_line(text, line)) {
        fail_msg("no line %s", line);
    }
}

static void test_metrics_render_gives_each_row_help_and_type(void **state UNUSED)
{
    CLEANUP(free_charp) char *text = rendered();
    assert_true(has_line(text, "# HELP sluice_claimed_slots Slots of the claims topic that this "
                               "worker holds."));
    assert_true(has_line(text, "# TYPE sluice_claimed_slots gauge"));
    assert_true(has_line(text, "# TYPE sluice_records_in_total counter"));
    assert_true(has_line(text, "# TYPE sluice_end_to_end_latency_seconds histogram"));
    assert_true(has_line(text, "# TYPE process_resident_memory_bytes gauge"));
    assert_true(has_line(text, "# TYPE process_cpu_seconds_total counter"));
    size_t n_types = 0;
    for (const char *p = strstr(text, "# TYPE "); p; p = strstr(p + 1, "# TYPE ")) {
        n_types++;
    }
    assert_int_equal(n_types, METRIC_N + 2);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_metrics_worker_cells_count_and_set(void **state UNUSED)
{
    struct metric_scope *worker = metrics_worker();
    assert_ptr_equal(worker, metrics_worker());
    metric_add(worker, METRIC_REBALANCES, 0, 2);
    metric_add(worker, METRIC_REBALANCES, 0, 3);
    metric_set(worker, METRIC_CLAIMED_SLOTS, 0, 64);
    metric_set(worker, METRIC_CLAIMED_SLOTS, 0, 21);
    assert_true(metric_get(worker, METRIC_REBALANCES, 0) == 5.0);
    assert_true(metric_get(worker, METRIC_CLAIMED_SLOTS, 0) == 21.0);
    assert_line("sluice_rebalances_total 5");
    assert_line("sluice_claimed_slots 21");
}

static void test_metrics_numbers_are_written_whole(void **state UNUSED)
{
    struct metric_scope *worker = metrics_worker();
    metric_set(worker, METRIC_START_TIME, 0, 1769860800.123);
    assert_line("sluice_worker_start_time_seconds 1769860800.123");
    metric_add(worker, METRIC_STORE_RECORDS, 0, 12345678901234567U);
    assert_line("sluice_store_records_total 12345678901234567");
}

static void test_metrics_label_values_are_picked_by_index(void **state UNUSED)
{
    metric_add(metrics_worker(), METRIC_REST_REQUESTS, 3, 9);
    assert_line("sluice_rest_requests_total{code=\"4xx\"} 9");
    assert_line("sluice_rest_requests_total{code=\"5xx\"} 0");
}

static void test_metrics_task_scopes_are_shared_and_dropped_with_the_last(void **state UNUSED)
{
    struct metric_scope *first = metrics_task("shared", 2);
    struct metric_scope *second = metrics_task("shared", 2);
    struct metric_scope *other = metrics_task("shared", 3);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    metric_add(first, METRIC_RECORDS_IN, 0, 4);
    metric_add(second, METRIC_RECORDS_IN, 0, 4);
    assert_line("sluice_records_in_total{connector=\"shared\",task=\"2\"} 8");
    assert_line("sluice_records_in_total{connector=\"shared\",task=\"3\"} 0");
    metrics_task_drop(first);
    metrics_task_drop(other);
    assert_line("sluice_records_in_total{connector=\"shared\",task=\"2\"} 8");
    metrics_task_drop(second);
    metrics_task_drop(NULL);
    CLEANUP(free_charp) char *text = rendered();
    assert_null(strstr(text, "connector=\"shared\""));
    first = metrics_task("shared", 2);
    assert_true(metric_get(first, METRIC_RECORDS_IN, 0) == 0.0);
    metrics_task_drop(first);
}

static void test_metrics_connector_names_are_escaped(void **state UNUSED)
{
    struct metric_scope *scope = metrics_task("a\"b\\c\nd", 0);
    metric_set(scope, METRIC_TASK_STATE, 1, 1);
    assert_line("sluice_task_state{connector=\"a\\\"b\\\\c\\nd\",task=\"0\",state=\"paused\"} 1");
    metrics_task_drop(scope);
}

static void test_metrics_histogram_buckets_add_up(void **state UNUSED)
{
    struct metric_scope *scope = metrics_task("hist", 0);
    metric_observe(scope, METRIC_PRODUCE_LATENCY, 0.0005);
    metric_observe(scope, METRIC_PRODUCE_LATENCY, 0.0006);
    metric_observe_many(scope, METRIC_PRODUCE_LATENCY, 0.02, 10);
    metric_observe(scope, METRIC_PRODUCE_LATENCY, 1000);
#define SERIES "sluice_kafka_delivery_latency_seconds"
#define TASK   "connector=\"hist\",task=\"0\""
    assert_line(SERIES "_bucket{" TASK ",le=\"0.0005\"} 1");
    assert_line(SERIES "_bucket{" TASK ",le=\"0.001\"} 2");
    assert_line(SERIES "_bucket{" TASK ",le=\"0.01\"} 2");
    assert_line(SERIES "_bucket{" TASK ",le=\"0.025\"} 12");
    assert_line(SERIES "_bucket{" TASK ",le=\"60\"} 12");
    assert_line(SERIES "_bucket{" TASK ",le=\"+Inf\"} 13");
    assert_line(SERIES "_count{" TASK "} 13");
    assert_line(SERIES "_sum{" TASK "} 1000.201100");
    metrics_task_drop(scope);
}

static void test_metrics_histogram_takes_impossible_durations(void **state UNUSED)
{
    struct metric_scope *scope = metrics_task("odd", 0);
    metric_observe(scope, METRIC_END_TO_END, -5);
    metric_observe(scope, METRIC_END_TO_END, (double)NAN);
    assert_line("sluice_end_to_end_latency_seconds_bucket{connector=\"odd\",task=\"0\",le="
                "\"0.0005\"} 2");
    assert_line("sluice_end_to_end_latency_seconds_sum{connector=\"odd\",task=\"0\"} 0.000000");
    metric_observe(scope, METRIC_END_TO_END, (double)INFINITY);
    assert_line("sluice_end_to_end_latency_seconds_count{connector=\"odd\",task=\"0\"} 3");
    metrics_task_drop(scope);
}

static void add_to_gauge(void *arg UNUSED)
{
    metric_add(metrics_worker(), METRIC_CLAIMED_SLOTS, 0, 1);
}

static void set_counter(void *arg UNUSED)
{
    metric_set(metrics_worker(), METRIC_REBALANCES, 0, 1);
}

static void use_task_row_in_worker(void *arg UNUSED)
{
    metric_add(metrics_worker(), METRIC_RECORDS_IN, 0, 1);
}

static void use_index_beyond_the_label(void *arg UNUSED)
{
    metric_add(metrics_worker(), METRIC_REST_REQUESTS, 5, 1);
}

static void test_metrics_misuse_aborts(void **state UNUSED)
{
    assert_true(aborts(add_to_gauge, NULL));
    assert_true(aborts(set_counter, NULL));
    assert_true(aborts(use_task_row_in_worker, NULL));
    assert_true(aborts(use_index_beyond_the_label, NULL));
}

enum {
    N_THREADS = 4,
    N_ADDS = 20000
};

static void *add_main(void *arg UNUSED)
{
    for (int i = 0; i < N_ADDS; i++) {
        if (i % 100 == 0) {
            struct metric_scope *scope = metrics_task("busy", i / 100 % 3);
            metric_add(scope, METRIC_RECORDS_OUT, 0, 1);
            metrics_task_drop(scope);
        }
        metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
        metric_observe(metrics_worker(), METRIC_REST_DURATION, 0.003);
    }
    return NULL;
}

static void test_metrics_concurrent_adds_are_all_counted(void **state UNUSED)
{
    struct thread threads[N_THREADS];
    struct metric_scope *kept = metrics_task("busy", 0);
    for (int i = 0; i < N_THREADS; i++) {
        thread_start(&threads[i], "add", add_main, NULL);
    }
    for (int i = 0; i < 20; i++) {
        free(rendered());
    }
    for (int i = 0; i < N_THREADS; i++) {
        thread_join(&threads[i]);
    }
    assert_true(metric_get(metrics_worker(), METRIC_REST_REJECTED, 0) == N_THREADS * N_ADDS);
    assert_line("sluice_rest_request_duration_seconds_count 80000");
    assert_line("sluice_rest_request_duration_seconds_sum 240.000000");
    assert_true(metric_get(kept, METRIC_RECORDS_OUT, 0) == N_THREADS * 67.0);
    metrics_task_drop(kept);
}

static void test_metrics_reference_has_each_row_once(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    metrics_reference(&text);
    static const char *const names[] = {
#define M(id, name, kind, scope, label, values, help) "| `" name "` |",
#include "worker/base/metrics.def"
#undef M
    };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        const char *found = strstr(buf_text(&text), names[i]);
        assert_non_null(found);
        assert_null(strstr(found + 1, names[i]));
    }
    assert_true(has_line(buf_text(&text), "| `sluice_tasks` | gauge | state | Tasks on this worker "
                                          "by state. |"));
    assert_non_null(strstr(buf_text(&text), "| `sluice_task_state` | gauge | connector, task, "
                                            "state |"));
    buf_fini(&text);
}

static void test_an_age_grows_by_itself_until_it_is_taken_away(void **state UNUSED)
{
    struct metric_scope *task = metrics_task("aged", 0);
    assert_true(metric_get(task, METRIC_OLDEST_UNACKED, 0) == 0);
    assert_line("sluice_oldest_unacked_seconds{connector=\"aged\",task=\"0\"} 0");
    metric_since(task, METRIC_OLDEST_UNACKED, clock_mono_ms() - 1500);
    double first = metric_get(task, METRIC_OLDEST_UNACKED, 0);
    assert_true(first >= 1.5 && first < 100);
    uint64_t now = clock_mono_ms();
    while (clock_mono_ms() == now) {
    }
    assert_true(metric_get(task, METRIC_OLDEST_UNACKED, 0) > first);
    metric_since(task, METRIC_OLDEST_UNACKED, 0);
    assert_true(metric_get(task, METRIC_OLDEST_UNACKED, 0) == 0);
    metrics_task_drop(task);
}

static void test_a_worker_sums_up_its_tasks(void **state UNUSED)
{
    assert_line("sluice_worker_window_use_ratio 0");
    struct metric_scope *source = metrics_task("source", 0);
    struct metric_scope *sink = metrics_task("sink", 0);
    struct metric_scope *other = metrics_task("sink", 1);
    metric_set(source, METRIC_WINDOW_USE, 0, 0.75);
    metric_since(source, METRIC_OLDEST_UNACKED, clock_mono_ms() - 60000);
    metric_set(sink, METRIC_SINK_LAG_ALL, 0, 40);
    metric_set(other, METRIC_SINK_LAG_ALL, 0, 2);
    assert_line("sluice_worker_window_use_ratio 0.25");
    assert_line("sluice_worker_sink_lag_records 42");
    CLEANUP(free_charp) char *text = rendered();
    const char *age = strstr(text, "\nsluice_worker_oldest_unacked_seconds 6");
    assert_non_null(age);
    assert_non_null(strstr(text, "\nsluice_worker_cpu_ratio 0"));
    metrics_task_drop(source);
    metrics_task_drop(sink);
    metrics_task_drop(other);
    assert_line("sluice_worker_sink_lag_records 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metrics_render_gives_each_row_help_and_type),
        cmocka_unit_test(test_metrics_worker_cells_count_and_set),
        cmocka_unit_test(test_metrics_numbers_are_written_whole),
        cmocka_unit_test(test_metrics_label_values_are_picked_by_index),
        cmocka_unit_test(test_metrics_task_scopes_are_shared_and_dropped_with_the_last),
        cmocka_unit_test(test_metrics_connector_names_are_escaped),
        cmocka_unit_test(test_metrics_histogram_buckets_add_up),
        cmocka_unit_test(test_metrics_histogram_takes_impossible_durations),
        cmocka_unit_test(test_metrics_misuse_aborts),
        cmocka_unit_test(test_metrics_concurrent_adds_are_all_counted),
        cmocka_unit_test(test_metrics_reference_has_each_row_once),
        cmocka_unit_test(test_an_age_grows_by_itself_until_it_is_taken_away),
        cmocka_unit_test(test_a_worker_sums_up_its_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
