/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of new configs for a running MqttSource task: what stays connected, what is finished by
 * whom, and what needs a restart.
 * fakes: kafka_producer
 */
#include <poll.h>
#include <string.h>

#include "tests/unit/connectors/bench_source.h"
#include "worker/base/mem.h"
#include "worker/base/trail.h"

#define LATER (clock_mono_ms() + 10000)

static void test_other_topic_takes_over_behind_the_window_on_the_same_connection(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "kafka.topic", "other");
    source_update(f, true, LATER);
    source_publish(f, 2, false, "y");
    /* The window is finished first, and what comes meanwhile is not read. */
    source_no_ack_for(f, 100);
    assert_int_equal(fake_producer_count(), 1);
    assert_int_equal(atomic_load(&f->updated), 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    WAIT_FOR(f, fake_producer_count() == 2);
    source_record_is(0, "out", "x");
    source_record_is(1, "other", "y");
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(f->n_connects, 1);
    assert_int_equal(f->n_subscribes, 1);
    assert_int_equal(f->n_disconnects, 0);
}

static void test_other_producer_settings_take_another_producer(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    kvs_set(&f->config, "producer.override.linger.ms", "3");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    assert_int_equal(fake_producer_gets(), 2);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(f->n_connects, 1);
}

static void test_nothing_that_matters_is_taken_in_the_middle_of_a_window(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "tasks.max.enforce", "false");
    kvs_set(&f->config, "max.retry.time.ms", "100000");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    assert_int_equal(fake_producer_gets(), 1);
    assert_int_equal(f->n_acked, 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(f->n_connects, 1);
}

static void test_new_filter_is_subscribed_to_on_the_connection(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_update(f, true, LATER);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/a\",\"$share/g-c/b\"]}"));
    assert_int_equal(atomic_load(&f->updated), 1);
    assert_string_equal(f->filters, "+$share/g-c/a +$share/g-c/b ");
    assert_int_equal(f->n_connects, 1);
}

static void test_removed_filter_is_given_up_when_nothing_of_it_comes_any_more(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_started(f);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/a\",\"$share/g-c/b\"]}"));
    kvs_set(&f->config, "mqtt.topics", "b");
    source_update(f, true, LATER);
    /* What is queued for it still comes, and is delivered and acknowledged. */
    for (uint16_t id = 1; id <= 8; id++) {
        source_publish(f, id, false, "queued");
        WAIT_FOR(f, f->n_acked == id);
        uint64_t until_ms = clock_mono_ms() + 60;
        WAIT_FOR(f, clock_mono_ms() >= until_ms);
        assert_int_equal(f->n_unsubscribes, 0);
    }
    assert_int_equal(fake_producer_count(), 8);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/b\"]}"));
    assert_string_equal(f->filters, "+$share/g-c/a +$share/g-c/b -$share/g-c/a ");
    assert_int_equal(f->n_connects, 1);
}

static void test_filter_that_is_being_given_up_is_recorded_as_leaving(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    f->mute = true;
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_started(f);
    kvs_set(&f->config, "mqtt.topics", "b");
    source_update(f, true, LATER);
    WAIT_FOR(f, f->n_unsubscribes == 1);
    /* Nobody may count on it any more, and a later start still knows what to give up. */
    assert_true(
        source_offset_is(f, "{\"filters\":[\"$share/g-c/b\"],\"leaving\":[\"$share/g-c/a\"]}"));
    f->mute = false;
    f->present = true;
    broker_hang_up(&f->broker);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/b\"]}"));
    assert_int_equal(f->n_unsubscribes, 2);
}

static void test_record_under_way_holds_back_the_unsubscribe(void **state)
{
    struct source_bench *f = *state;
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "mqtt.topics", "b");
    source_update(f, true, LATER);
    source_no_ack_for(f, 600);
    assert_int_equal(f->n_unsubscribes, 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    WAIT_FOR(f, f->n_unsubscribes == 1);
}

static void test_replaced_filter_is_subscribed_to_before_the_old_one_goes(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    kvs_set(&f->config, "mqtt.topics", "b");
    source_update(f, true, LATER);
    WAIT_FOR(f, source_offset_is(f, "{\"filters\":[\"$share/g-c/b\"]}"));
    assert_string_equal(f->filters, "+$share/g-c/a +$share/g-c/b -$share/g-c/a ");
    assert_int_equal(f->n_connects, 1);
}

static void test_filter_that_comes_back_before_it_was_given_up_stays(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_started(f);
    kvs_set(&f->config, "mqtt.topics", "b");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    kvs_set(&f->config, "mqtt.topics", "a,b");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 2);
    source_no_ack_for(f, 500);
    assert_string_equal(f->filters, "+$share/g-c/a +$share/g-c/b ");
}

static void test_change_of_the_way_to_the_broker_connects_anew_and_keeps_the_session(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "mqtt.keepalive.interval.seconds", "30");
    source_update(f, true, LATER);
    source_no_ack_for(f, 100);
    assert_int_equal(f->n_connects, 1);
    f->present = true;
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_subscribes == 2);
    assert_int_equal(f->n_acked, 1);
    assert_int_equal(f->n_disconnects, 1);
    assert_int_equal(atomic_load(&f->updated), 1);
    assert_int_equal(atomic_load(&f->running), 1);
    assert_int_equal(atomic_load(&f->stopped), 0);
}

static void test_other_broker_is_the_one_that_loop_protection_names(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, f->n_acked == 1);
    char *uris = xasprintf("tcp://127.0.0.1:%d,tcp://127.0.0.1:1", f->broker.port);
    kvs_set(&f->config, "mqtt.server.uri", uris);
    free(uris);
    f->present = true;
    source_update(f, true, LATER);
    WAIT_FOR(f, f->n_subscribes == 2);
    source_publish(f, 2, false, "x");
    WAIT_FOR(f, f->n_acked == 2);
    struct fake_record before;
    struct fake_record after;
    fake_producer_record(0, &before);
    fake_producer_record(1, &after);
    const char *trail = strstr(before.headers, TRAIL_HEADER "=");
    const char *other = strstr(after.headers, TRAIL_HEADER "=");
    assert_non_null(trail);
    assert_non_null(other);
    assert_string_not_equal(trail, other);
}

static void test_what_kafka_does_not_answer_in_time_is_left_to_a_restart(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "kafka.topic", "other");
    source_update(f, true, clock_mono_ms() + 200);
    WAIT_FOR(f, atomic_load(&f->declined) == 1);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(atomic_load(&f->updated), 0);
    /* It goes on as before until then. */
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    source_publish(f, 2, false, "y");
    WAIT_FOR(f, fake_producer_count() == 2);
    source_record_is(1, "out", "y");
}

static void test_config_that_cannot_be_used_is_left_to_a_restart(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    kvs_set(&f->config, "value.converter", "no.such.Converter");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->declined) == 1);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, f->n_acked == 1);
    source_record_is(0, "out", "x");
}

static void test_other_class_needs_a_restart(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    kvs_set(&f->config, "connector.class", "io.confluent.connect.mqtt.MqttSourceConnector");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->declined) == 1);
    assert_int_equal(f->n_connects, 1);
}

static void test_sessions_are_taken_with_leave_only(void **state)
{
    struct source_bench *f = *state;
    fake_producer_auto(true);
    source_started(f);
    kvs_set(&f->config, "mqtt.sessions", "3");
    source_update(f, false, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    assert_true(source_metric(METRIC_MQTT_SESSIONS) < 1.5);
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 2);
    assert_true(source_metric(METRIC_MQTT_SESSIONS) > 2.5);
    assert_int_equal(f->n_connects, 1);
    assert_int_equal(f->n_disconnects, 0);
}

static void test_session_of_another_task_is_given_up_before_the_answer(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    /* As if this were task 1 of the new division: session 0 is not its own any more. */
    struct kvs task_config;
    kvs_init(&task_config);
    kvs_copy(&task_config, &f->task_configs[0]);
    kvs_set(&task_config, "mqtt.task.sessions", "1");
    kvs_set(&task_config, "mqtt.task.sessions.total", "2");
    const struct runner_update update = { &f->config, &task_config, false, LATER };
    runner_update(f->runner, SOURCE_TASK, &update);
    kvs_fini(&task_config);
    source_no_ack_for(f, 100);
    assert_int_equal(atomic_load(&f->updated), 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_disconnects == 1 && atomic_load(&f->updated) == 1);
    assert_int_equal(f->n_acked, 1);
    assert_true(source_metric(METRIC_MQTT_SESSIONS) < 0.5);
}

static void test_paused_task_takes_a_config_without_connecting(void **state)
{
    struct source_bench *f = *state;
    source_start(f, true);
    WAIT_FOR(f, atomic_load(&f->paused) == 1);
    kvs_set(&f->config, "mqtt.topics", "b");
    kvs_set(&f->config, "kafka.topic", "other");
    kvs_set(&f->config, "mqtt.username", "u");
    source_update(f, true, LATER);
    WAIT_FOR(f, atomic_load(&f->updated) == 1);
    assert_int_equal(f->n_connects, 0);
    runner_resume(f->runner, SOURCE_TASK);
    WAIT_FOR(f, f->n_subscribes == 1);
    assert_string_equal(f->filters, "+$share/g-c/b ");
}

static void test_stop_wins_over_an_update(void **state)
{
    struct source_bench *f = *state;
    source_started(f);
    source_publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    kvs_set(&f->config, "kafka.topic", "other");
    source_update(f, true, LATER);
    source_no_ack_for(f, 50);
    runner_stop(f->runner, SOURCE_TASK, clock_mono_ms() + 10000);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, atomic_load(&f->stopped) == 1 && f->broker.fd < 0);
    assert_int_equal(f->n_acked, 1);
    assert_int_equal(atomic_load(&f->updated), 0);
}

static void test_running_is_reported_when_the_subscription_is_granted(void **state)
{
    struct source_bench *f = *state;
    source_start(f, false);
    source_greeted(f);
    broker_connack(&f->broker, true, false, 0, NULL, 0);
    source_packet(f, PACKET_SUBSCRIBE);
    uint64_t until_ms = clock_mono_ms() + 300;
    while (clock_mono_ms() < until_ms) {
        source_serve(f);
        assert_int_equal(atomic_load(&f->running), 0);
    }
    broker_suback(&f->broker, true, broker_id(&f->broker), 1);
    WAIT_FOR(f, atomic_load(&f->running) == 1);
}

static void test_broker_that_is_away_does_not_keep_a_task_from_running(void **state)
{
    struct source_bench *f = *state;
    broker_close(&f->broker);
    source_start(f, false);
    uint64_t until_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    while (atomic_load(&f->running) == 0 && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(atomic_load(&f->running), 1);
    broker_open(&f->broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_other_topic_takes_over_behind_the_window_on_the_same_connection),
        SOURCE(test_other_producer_settings_take_another_producer),
        SOURCE(test_nothing_that_matters_is_taken_in_the_middle_of_a_window),
        SOURCE(test_new_filter_is_subscribed_to_on_the_connection),
        SOURCE(test_removed_filter_is_given_up_when_nothing_of_it_comes_any_more),
        SOURCE(test_filter_that_is_being_given_up_is_recorded_as_leaving),
        SOURCE(test_record_under_way_holds_back_the_unsubscribe),
        SOURCE(test_replaced_filter_is_subscribed_to_before_the_old_one_goes),
        SOURCE(test_filter_that_comes_back_before_it_was_given_up_stays),
        SOURCE(test_change_of_the_way_to_the_broker_connects_anew_and_keeps_the_session),
        SOURCE(test_other_broker_is_the_one_that_loop_protection_names),
        SOURCE(test_what_kafka_does_not_answer_in_time_is_left_to_a_restart),
        SOURCE(test_config_that_cannot_be_used_is_left_to_a_restart),
        SOURCE(test_other_class_needs_a_restart),
        SOURCE(test_sessions_are_taken_with_leave_only),
        SOURCE(test_session_of_another_task_is_given_up_before_the_answer),
        SOURCE(test_paused_task_takes_a_config_without_connecting),
        SOURCE(test_stop_wins_over_an_update),
        SOURCE(test_running_is_reported_when_the_subscription_is_granted),
        SOURCE(test_broker_that_is_away_does_not_keep_a_task_from_running),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
