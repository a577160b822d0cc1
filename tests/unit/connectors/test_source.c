/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a whole MqttSource task between a scripted broker and a producer without Kafka: what is
 * acknowledged, when, and what never is.
 * fakes: kafka_producer
 */
#include <poll.h>
#include <string.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"

static void test_puback_follows_the_delivery_report(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    source_no_ack_for(f, 100);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(f->acked[0], 1);
}

static void test_one_record_under_way_holds_the_whole_window(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    source_publish(f, 2, false, "y");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle_first(ERR_OK);
    source_no_ack_for(f, 100);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(f->acked[0], 1);
    assert_int_equal(f->acked[1], 2);
}

static void test_record_has_key_value_and_headers(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 258, true, "x");
    WAIT_FOR(f, f->n_acked == 1);
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_string_equal(record.topic, "out");
    assert_string_equal(record.key, "a");
    assert_string_equal(record.value, "x");
    static const char headers[] = "mqtt.message.id=258;mqtt.qos=1;mqtt.retained=false;"
                                  "mqtt.duplicate=true;sluice.via=";
    assert_memory_equal(record.headers, headers, strlen(headers));
    assert_int_equal(strlen(record.headers), strlen(headers) + 17);
}

static void test_empty_payload_is_an_empty_value(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "");
    WAIT_FOR(f, f->n_acked == 1);
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_false(record.null_value);
    assert_int_equal(record.length, 0);
}

static void test_window_bounds_what_is_read(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.receive.maximum", "3");
    source_started(f);
    for (uint16_t id = 1; id <= 5; id++) {
        source_publish(f, id, false, "x");
    }
    WAIT_FOR(f, fake_producer_count() == 3);
    source_no_ack_for(f, 100);
    assert_int_equal(fake_producer_count(), 3);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, fake_producer_count() == 5);
}

static void test_silent_kafka_parks_and_its_answer_brings_back_without_second_records(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.keepalive.interval.seconds", "5");
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
    WAIT_FOR(f, source_metric(METRIC_PARKED) > 0.5);
    source_no_ack_for(f, 1000);
    assert_int_equal(f->n_connects, 1);
    /* Delivered: the session comes back, and the copy that the broker sends is acknowledged only.
     */
    f->present = true;
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_subscribes == 2);
    source_publish(f, 1, true, "x");
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(fake_producer_count(), 1);
    assert_true(source_metric(METRIC_DEDUPED) > 0.5);
    assert_int_equal(atomic_load(&f->failed), 0);
}

static void test_message_that_comes_long_after_the_one_before_is_as_young_as_any(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.keepalive.interval.seconds", "5");
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    source_no_ack_for(f, 2700); /* longer than a message may be held at this keep alive */
    source_publish(f, 2, false, "y");
    WAIT_FOR(f, fake_producer_count() == 2);
    source_no_ack_for(f, 200);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(f->n_connects, 1);
}

static void test_failed_delivery_fails_the_task_and_acknowledges_nothing(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_settle(ERR_NOT_FOUND);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
    assert_non_null(strstr(f->trace, "out"));
}

static void test_record_that_is_refused_at_once_fails_the_task(void **state)
{
    struct source_bench *f = *state;
    fake_producer_refuse("big", ERR_TOO_LARGE, 0);
    source_started(f);
    source_publish(f, 1, false, "small");
    source_publish(f, 2, false, "big one");
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
}

static void test_tolerated_record_goes_to_the_dead_letter_queue_and_is_acknowledged(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dead");
    kvs_set(&f->config, "errors.deadletterqueue.context.headers.enable", "true");
    fake_producer_refuse("bad", ERR_REJECTED, 1);
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "bad one");
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(fake_producer_count(), 1);
    source_record_is(0, "dead", "bad one");
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_string_equal(record.key, "a");
    assert_non_null(strstr(record.headers, "__connect.errors.connector.name=c;"));
    assert_non_null(strstr(record.headers, "__connect.errors.stage=KAFKA_PRODUCE;"));
}

static void test_tolerated_record_without_a_queue_is_skipped_and_counted(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    fake_producer_refuse("bad", ERR_TOO_LARGE, 0);
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "bad one");
    source_publish(f, 2, false, "good");
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(fake_producer_count(), 1);
    assert_true(source_metric(METRIC_SKIPPED) > 0.5);
}

static void test_record_refused_with_its_batch_is_sent_again_alone(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dead");
    source_started(f);
    source_publish(f, 1, false, "good");
    source_publish(f, 2, false, "bad");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, fake_producer_count() == 3);
    source_record_is(2, "out", "good");
    source_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    /* The bad one fails alone as often as it is tried. */
    for (size_t n = 4; n <= 6; n++) {
        WAIT_FOR(f, fake_producer_count() == n);
        source_record_is(n - 1, "out", "bad");
        fake_producer_settle(ERR_TOO_LARGE);
    }
    WAIT_FOR(f, fake_producer_count() == 7);
    source_record_is(6, "dead", "bad");
    source_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
}

static void test_missing_rights_fail_the_task_even_when_errors_are_tolerated(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_settle(ERR_UNAUTHORIZED);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_int_equal(f->n_acked, 0);
}

static void test_full_queue_holds_back_and_loses_nothing(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    fake_producer_refuse("wait", ERR_UNAVAILABLE, 3);
    source_started(f);
    source_publish(f, 1, false, "wait for it");
    source_publish(f, 2, false, "next");
    WAIT_FOR(f, f->n_acked == 2);
    source_record_is(0, "out", "wait for it");
    source_record_is(1, "out", "next");
}

static void test_dead_producer_is_replaced_and_the_messages_come_again(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_kill();
    fake_producer_settle(ERR_FENCED);
    f->present = true;
    WAIT_FOR(f, f->n_subscribes == 2);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(fake_producer_gets(), 2);
    source_publish(f, 1, true, "x");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
}

static void test_pause_closes_the_connection_and_resume_brings_it_back(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    WAIT_FOR(f, atomic_load(&f->running) == 1);
    runner_pause(f->runner, SOURCE_TASK);
    WAIT_FOR(f, atomic_load(&f->paused) == 1 && f->broker.fd < 0);
    assert_int_equal(f->n_disconnects, 1);
    runner_resume(f->runner, SOURCE_TASK);
    WAIT_FOR(f, f->n_subscribes == 2);
    WAIT_FOR(f, atomic_load(&f->running) == 2);
}

static void test_task_started_paused_does_not_connect(void **state)
{
    struct source_bench *f = *state;
    source_start(f, true);
    WAIT_FOR(f, atomic_load(&f->paused) == 1);
    source_no_ack_for(f, 100);
    assert_int_equal(f->n_connects, 0);
}

static void test_stop_waits_for_deliveries_then_acknowledges_and_disconnects(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    runner_stop(f->runner, SOURCE_TASK, clock_mono_ms() + 10000);
    source_no_ack_for(f, 100);
    assert_int_equal(atomic_load(&f->stopped), 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, atomic_load(&f->stopped) == 1 && f->broker.fd < 0);
    assert_int_equal(f->n_acked, 1);
    assert_int_equal(f->n_disconnects, 1);
}

static void test_stop_at_its_deadline_leaves_the_messages_with_the_broker(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    runner_stop(f->runner, SOURCE_TASK, clock_mono_ms() + 300);
    WAIT_FOR(f, atomic_load(&f->stopped) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
}

static void test_stop_while_connecting_is_prompt(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.connect.timeout.seconds", "300");
    source_start(f, false);
    source_accept(f); /* and no answer to its CONNECT */
    /* Long before the time for either is over. */
    uint64_t begin_ms = clock_mono_ms();
    runner_stop(f->runner, SOURCE_TASK, begin_ms + 300000);
    while (atomic_load(&f->stopped) == 0) {
        assert_true(clock_mono_ms() - begin_ms < SOURCE_PATIENCE_MS);
        (void)poll(NULL, 0, 1);
    }
}

static void test_subscription_is_recorded_as_the_offset(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/a\"]}"));
}

static void test_refused_credentials_fail_the_task_naming_the_broker(void **state)
{
    struct source_bench *f = *state;
    source_start(f, false);
    source_greeted(f);
    broker_connack(&f->broker, true, false, 0x87, NULL, 0);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_non_null(strstr(f->trace, "127.0.0.1"));
    assert_non_null(strstr(f->trace, "not authorised"));
}

static void test_refused_credentials_are_tried_again_when_asked_to(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.retry.timeout", "-1");
    source_start(f, false);
    source_greeted(f);
    broker_connack(&f->broker, true, false, 0x87, NULL, 0);
    broker_hang_up(&f->broker);
    WAIT_FOR(f, f->n_subscribes == 1);
    assert_int_equal(atomic_load(&f->failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_puback_follows_the_delivery_report),
        SOURCE(test_one_record_under_way_holds_the_whole_window),
        SOURCE(test_record_has_key_value_and_headers),
        SOURCE(test_empty_payload_is_an_empty_value),
        SOURCE(test_window_bounds_what_is_read),
        SOURCE(test_silent_kafka_parks_and_its_answer_brings_back_without_second_records),
        SOURCE(test_message_that_comes_long_after_the_one_before_is_as_young_as_any),
        SOURCE(test_failed_delivery_fails_the_task_and_acknowledges_nothing),
        SOURCE(test_record_that_is_refused_at_once_fails_the_task),
        SOURCE(test_tolerated_record_goes_to_the_dead_letter_queue_and_is_acknowledged),
        SOURCE(test_tolerated_record_without_a_queue_is_skipped_and_counted),
        SOURCE(test_record_refused_with_its_batch_is_sent_again_alone),
        SOURCE(test_missing_rights_fail_the_task_even_when_errors_are_tolerated),
        SOURCE(test_full_queue_holds_back_and_loses_nothing),
        SOURCE(test_dead_producer_is_replaced_and_the_messages_come_again),
        SOURCE(test_pause_closes_the_connection_and_resume_brings_it_back),
        SOURCE(test_task_started_paused_does_not_connect),
        SOURCE(test_stop_waits_for_deliveries_then_acknowledges_and_disconnects),
        SOURCE(test_stop_at_its_deadline_leaves_the_messages_with_the_broker),
        SOURCE(test_stop_while_connecting_is_prompt),
        SOURCE(test_subscription_is_recorded_as_the_offset),
        SOURCE(test_refused_credentials_fail_the_task_naming_the_broker),
        SOURCE(test_refused_credentials_are_tried_again_when_asked_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
