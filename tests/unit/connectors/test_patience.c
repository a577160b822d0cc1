/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of max.retry.time.ms: what counts is how long a MqttSource task has tried in vain.
 * fakes: kafka_producer
 */
#include <string.h>

#include "tests/unit/connectors/bench_source.h"

#define MAX_MS 700

static void wait_for_ms(struct source_bench *f, uint64_t ms)
{
    uint64_t until_ms = clock_mono_ms() + ms;
    WAIT_FOR(f, clock_mono_ms() >= until_ms);
}

/* The broker is away; the task tries to get at it since begin_ms at the earliest. */
static void assert_gives_up_in_time(struct source_bench *f, uint64_t begin_ms)
{
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_true(clock_mono_ms() - begin_ms >= MAX_MS);
    assert_non_null(strstr(f->trace, "max.retry.time.ms"));
    broker_open(&f->broker);
}

/* Returns when the pause ends, with the broker away. */
static uint64_t pause_for_long(struct source_bench *f)
{
    runner_pause(f->runner, SOURCE_TASK);
    WAIT_FOR(f, atomic_load(&f->paused) == 1);
    broker_close(&f->broker);
    wait_for_ms(f, 2 * MAX_MS);
    uint64_t now_ms = clock_mono_ms();
    runner_resume(f->runner, SOURCE_TASK);
    return now_ms;
}

static int set_up(void **state)
{
    (void)source_set_up(state);
    struct source_bench *f = *state;
    kvs_set(&f->config, "max.retry.time.ms", "700");
    kvs_set(&f->config, "mqtt.keepalive.interval.seconds", "5");
    return 0;
}

static void test_time_that_a_task_was_paused_does_not_count(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    uint64_t begin_ms = pause_for_long(f);
    assert_gives_up_in_time(f, begin_ms);
}

static void test_pause_between_two_attempts_ends_a_row_of_failures(void **state)
{
    struct source_bench *f = *state;
    source_start(f, false);
    source_greeted(f);
    broker_hang_up(&f->broker);
    WAIT_FOR(f, atomic_load(&f->running) == 1);
    uint64_t begin_ms = pause_for_long(f);
    assert_gives_up_in_time(f, begin_ms);
}

static void test_time_that_a_session_was_parked_does_not_count(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, f->broker.fd < 0);
    broker_close(&f->broker);
    wait_for_ms(f, 2 * MAX_MS);
    uint64_t begin_ms = clock_mono_ms();
    fake_producer_settle(ERR_OK);
    assert_gives_up_in_time(f, begin_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_that_a_task_was_paused_does_not_count, set_up,
                                        source_tear_down),
        cmocka_unit_test_setup_teardown(test_pause_between_two_attempts_ends_a_row_of_failures,
                                        set_up, source_tear_down),
        cmocka_unit_test_setup_teardown(test_time_that_a_session_was_parked_does_not_count, set_up,
                                        source_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
