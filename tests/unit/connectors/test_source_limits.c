/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what a MqttSource task makes of messages that are too large to be kept, and of sessions
 * that the broker has forgotten.
 * fakes: kafka_producer
 */
#include <string.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"

static void publish_large(struct source_bench *f, uint16_t id, size_t n)
{
    char *payload = xcalloc(1, n);
    broker_publish(&f->broker, true, id, false, "a", payload, n);
    free(payload);
}

static void test_message_beyond_the_limit_fails_the_task_and_stays_with_the_broker(void **state)
{
#ifdef SLUICE_SANITIZED
    skip(); /* the library reads by itself there */
#endif
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.message.max.bytes", "2000");
    fake_producer_auto(true);
    source_started(f);
    publish_large(f, 1, 3000);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(fake_producer_count(), 0);
    assert_non_null(strstr(f->trace, "mqtt.message.max.bytes (2000)"));
    assert_non_null(strstr(f->trace, "MQTT topic a"));
}

static void test_tolerated_message_beyond_the_limit_leaves_a_letter_without_its_value(void **state)
{
#ifdef SLUICE_SANITIZED
    skip(); /* the library reads by itself there */
#endif
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.message.max.bytes", "2000");
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dead");
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "before");
    publish_large(f, 2, 3000);
    source_publish(f, 3, false, "after");
    WAIT_FOR(f, f->n_acked == 3);
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(f->acked[i], i + 1);
    }
    assert_int_equal(fake_producer_count(), 3);
    struct fake_record record;
    fake_producer_record(1, &record);
    assert_string_equal(record.topic, "dead");
    assert_string_equal(record.key, "a");
    assert_true(record.null_value);
    /* The whole packet: topic, id, properties, payload. */
    assert_non_null(strstr(record.headers, "sluice.errors.value.bytes=3006;"));
    source_record_is(2, "out", "after");
    assert_true(source_metric(METRIC_OVERSIZE) > 0.5);
}

static void test_message_at_the_limit_is_taken(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.message.max.bytes", "2000");
    fake_producer_auto(true);
    source_started(f);
    publish_large(f, 1, 2000 - 6);
    WAIT_FOR(f, f->n_acked == 1);
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_int_equal(record.length, 2000 - 6);
}

static void test_limit_follows_the_largest_request_of_the_producer(void **state)
{
    (void)state;
    CLEANUP(kvs_fini) struct kvs config;
    CLEANUP(kvs_fini) struct kvs worker;
    kvs_init(&config);
    kvs_init(&worker);
    assert_int_equal(source_settings_max_packet(&config, &worker), 4 * 1048576);
    kvs_set(&worker, "producer.max.request.size", "2000000");
    assert_int_equal(source_settings_max_packet(&config, &worker), 8000000);
    kvs_set(&config, "producer.override.max.request.size", "3000000");
    assert_int_equal(source_settings_max_packet(&config, &worker), 12000000);
    kvs_set(&config, "producer.override.max.request.size", "2000000000");
    assert_int_equal(source_settings_max_packet(&config, &worker), 268435452);
    kvs_set(&config, "mqtt.message.max.bytes", "5000");
    assert_int_equal(source_settings_max_packet(&config, &worker), 5000);
}

static void test_session_that_the_broker_forgot_is_counted(void **state)
{
    struct source_bench *f = *state;
    double before = source_metric(METRIC_SESSIONS_LOST);
    source_started(f); /* the first time there is nothing to forget */
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/a\"]}"));
    assert_true(source_metric(METRIC_SESSIONS_LOST) < before + 0.5);
    broker_hang_up(&f->broker);
    f->present = true;
    WAIT_FOR(f, f->n_subscribes == 2);
    assert_true(source_metric(METRIC_SESSIONS_LOST) < before + 0.5);
    broker_hang_up(&f->broker);
    f->present = false;
    WAIT_FOR(f, f->n_subscribes == 3);
    WAIT_FOR(f, source_metric(METRIC_SESSIONS_LOST) > before + 0.5);
    assert_int_equal(atomic_load(&f->failed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_message_beyond_the_limit_fails_the_task_and_stays_with_the_broker),
        SOURCE(test_tolerated_message_beyond_the_limit_leaves_a_letter_without_its_value),
        SOURCE(test_message_at_the_limit_is_taken),
        cmocka_unit_test(test_limit_follows_the_largest_request_of_the_producer),
        SOURCE(test_session_that_the_broker_forgot_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
