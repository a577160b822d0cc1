/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what becomes of records that Kafka refuses after they were sent: who is judged, what is
 * sent again, and that nothing is acknowledged before.
 * fakes: kafka_producer
 */
#include <string.h>

#include "tests/support/capture.h"
#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"

#define DEAD "errors.deadletterqueue.topic.name"

/* Two messages whose batch was refused have come again from the broker and were sent. */
static void refused_once(struct source_bench *f)
{
    source_started(f);
    source_publish(f, 1, false, "small");
    source_publish(f, 2, false, "other");
    WAIT_FOR(f, fake_producer_count() == 2);
    f->present = true;
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, f->n_subscribes == 2);
    assert_int_equal(f->n_acked, 0);
    source_publish(f, 1, true, "small");
    source_publish(f, 2, true, "other");
    WAIT_FOR(f, fake_producer_count() == 4);
}

static void test_innocent_records_of_a_refused_batch_fail_no_task(void **state)
{
    struct source_bench *f = *state;
    refused_once(f);
    /* The batch is refused again; each record alone is taken, one at a time. */
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, fake_producer_count() == 5);
    source_record_is(4, "out", "small");
    source_no_ack_for(f, 50);
    assert_int_equal(fake_producer_count(), 5);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, fake_producer_count() == 6);
    source_record_is(5, "out", "other");
    source_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(atomic_load(&f->failed), 0);
}

static void test_record_refused_alone_fails_the_task_naming_size_and_mend(void **state)
{
    struct source_bench *f = *state;
    refused_once(f);
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, fake_producer_count() == 5);
    fake_producer_settle(ERR_OK);
    for (size_t n = 6; n <= 8; n++) {
        WAIT_FOR(f, fake_producer_count() == n);
        source_record_is(n - 1, "out", "other");
        fake_producer_settle(ERR_TOO_LARGE);
    }
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_non_null(strstr(f->trace, "5 bytes"));
    assert_non_null(strstr(f->trace, "max.message.bytes"));
    assert_non_null(strstr(f->trace, "errors.tolerance=all"));
}

static void test_windows_are_small_after_a_refused_batch(void **state)
{
    struct source_bench *f = *state;
    refused_once(f);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    for (uint16_t id = 3; id < 103; id++) {
        source_publish(f, id, false, "x");
    }
    WAIT_FOR(f, fake_producer_count() > 4);
    source_no_ack_for(f, 100);
    assert_true(fake_producer_count() <= 4 + 32);
    fake_producer_auto(true);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 102);
}

static void test_dead_letter_that_is_too_large_goes_without_its_value(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, DEAD, "dead");
    fake_producer_refuse_topic("out", ERR_TOO_LARGE, 1);
    source_started(f);
    source_publish(f, 1, false, "large");
    /* With its value, and alone as often as it is tried. */
    for (size_t n = 1; n <= 4; n++) {
        WAIT_FOR(f, fake_producer_count() == n);
        source_record_is(n - 1, "dead", "large");
        fake_producer_settle(ERR_TOO_LARGE);
    }
    WAIT_FOR(f, fake_producer_count() == 5);
    struct fake_record record;
    fake_producer_record(4, &record);
    assert_true(record.null_value);
    assert_string_equal(record.key, "a");
    assert_non_null(strstr(record.headers, "sluice.errors.value.bytes=5;"));
    source_no_ack_for(f, 50);
    assert_int_equal((int)source_metric(METRIC_DLQ_RECORDS), 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(atomic_load(&f->failed), 0);
    assert_int_equal((int)source_metric(METRIC_DLQ_RECORDS), 1);
}

static void test_dead_letter_that_is_refused_bare_fails_the_task(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, DEAD, "dead");
    fake_producer_refuse_topic("out", ERR_TOO_LARGE, 1);
    source_started(f);
    source_publish(f, 1, false, "large");
    for (size_t n = 1; n <= 5; n++) {
        WAIT_FOR(f, fake_producer_count() == n);
        fake_producer_settle(ERR_TOO_LARGE);
    }
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_int_equal(f->n_acked, 0);
    assert_non_null(strstr(f->trace, "dead"));
}

static void test_dead_letter_that_waits_for_room_is_counted_once(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, DEAD, "dead");
    double before = source_metric(METRIC_DELIVERY_ERRORS);
    /* The fake refuses the record itself each time that it is tried. */
    fake_producer_refuse_topic("dead", ERR_UNAVAILABLE, 3);
    fake_producer_refuse("bad", ERR_REJECTED, 4);
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "bad");
    WAIT_FOR(f, f->n_acked == 1);
    source_record_is(0, "dead", "bad");
    assert_int_equal((int)(source_metric(METRIC_DELIVERY_ERRORS) - before), 1);
}

static void test_skipped_record_is_never_passed_over_in_silence(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    fake_producer_refuse("secret", ERR_TOO_LARGE, 0);
    fake_producer_auto(true);
    source_started(f);
    struct capture capture;
    capture_start(&capture);
    source_publish(f, 1, false, "secret");
    WAIT_FOR(f, f->n_acked == 1);
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_non_null(strstr(text, "WARN  RECORD-SKIPPED connector=c task=0 count=1"));
    assert_null(strstr(text, "secret"));
    assert_null(strstr(text, "RECORD-ERROR"));
}

static void test_logged_error_names_the_mqtt_topic_only_when_asked_to(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.log.enable", "true");
    fake_producer_refuse("bad", ERR_TOO_LARGE, 0);
    fake_producer_auto(true);
    source_started(f);
    struct capture capture;
    capture_start(&capture);
    source_publish(f, 1, false, "bad");
    WAIT_FOR(f, f->n_acked == 1);
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_non_null(strstr(text, "RECORD-ERROR"));
    assert_null(strstr(text, "mqtt_topic"));
}

/* A second session of the task, on a connection of its own to the same listener. */
static void serve_second(struct fake_broker *second)
{
    if (second->fd < 0 && !broker_accept(second)) {
        return;
    }
    switch (broker_next(second)) {
    case PACKET_CONNECT:
        broker_connack(second, true, false, 0, NULL, 0);
        break;
    case PACKET_SUBSCRIBE:
        broker_suback(second, true, broker_id(second), 1);
        broker_publish(second, true, 1, false, "a", "second", 6);
        break;
    default:
        break;
    }
}

static void test_session_with_failed_records_goes_on_while_another_is_busy(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.sessions", "2");
    source_started(f);
    source_publish(f, 1, false, "first");
    WAIT_FOR(f, fake_producer_count() == 1);
    struct fake_broker *second = xcalloc(1, sizeof(*second));
    second->fd = -1;
    second->listen_fd = f->broker.listen_fd;
    WAIT_FOR(f, (serve_second(second), fake_producer_count() == 2));
    /* The record of the second session stays under way for good. */
    fake_producer_settle_first(ERR_UNAVAILABLE);
    WAIT_FOR(f, f->n_subscribes == 2);
    source_publish(f, 1, true, "first");
    WAIT_FOR(f, fake_producer_count() == 3);
    source_record_is(2, "out", "first");
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(fake_producer_gets(), 1);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    broker_hang_up(second);
    free(second);
}

static void test_record_that_no_broker_acknowledged_is_sent_again_from_its_copy(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    source_started(f);
    source_publish(f, 1, false, "once");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_doubt_first();
    WAIT_FOR(f, fake_producer_count() == 2);
    source_record_is(1, "out", "once");
    source_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(f->n_subscribes, 1);
    assert_int_equal(atomic_load(&f->failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_innocent_records_of_a_refused_batch_fail_no_task),
        SOURCE(test_record_refused_alone_fails_the_task_naming_size_and_mend),
        SOURCE(test_windows_are_small_after_a_refused_batch),
        SOURCE(test_dead_letter_that_is_too_large_goes_without_its_value),
        SOURCE(test_dead_letter_that_is_refused_bare_fails_the_task),
        SOURCE(test_dead_letter_that_waits_for_room_is_counted_once),
        SOURCE(test_skipped_record_is_never_passed_over_in_silence),
        SOURCE(test_logged_error_names_the_mqtt_topic_only_when_asked_to),
        SOURCE(test_session_with_failed_records_goes_on_while_another_is_busy),
        SOURCE(test_record_that_no_broker_acknowledged_is_sent_again_from_its_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
