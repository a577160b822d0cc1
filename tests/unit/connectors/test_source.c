/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of a whole MqttSource task between a scripted broker and a producer without Kafka: what is
 * acknowledged, when, and what never is. The task runs on its own thread, as in the worker.
 * fakes: kafka_producer
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/fakes/kafka_producer.h"
#include "tests/support/fake_broker.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/runner.h"

#define PATIENCE_MS 20000
#define TASK        7 /* incarnation */

struct fixture {
    struct fake_broker broker;
    struct runner *runner;
    struct kvs worker;
    struct kvs config;
    struct kvs *task_configs;
    size_t n_task_configs;
    atomic_int running;
    atomic_int paused;
    atomic_int failed;
    atomic_int stopped;
    char trace[1024]; /* of the failure; read after `failed` */
    pthread_mutex_t lock;
    char offset[256]; /* guarded by lock */
    /* what the broker saw */
    unsigned n_connects;
    unsigned n_subscribes;
    unsigned n_disconnects;
    uint16_t acked[4096];
    size_t n_acked;
    bool present; /* what the next CONNACK says */
};

static void on_event(void *arg, const struct task_event *event)
{
    struct fixture *f = arg;
    switch (event->kind) {
    case TASK_EVENT_RUNNING:
        atomic_fetch_add(&f->running, 1);
        break;
    case TASK_EVENT_PAUSED:
        atomic_fetch_add(&f->paused, 1);
        break;
    case TASK_EVENT_FAILED:
        (void)snprintf(f->trace, sizeof(f->trace), "%s", event->trace);
        atomic_fetch_add(&f->failed, 1);
        break;
    case TASK_EVENT_STOPPED:
        atomic_fetch_add(&f->stopped, 1);
        break;
    case RETIRE_EVENT_DONE:
        break;
    }
}

static char *get_offset(void *arg, const char *connector, const char *partition)
{
    (void)connector;
    (void)partition;
    struct fixture *f = arg;
    (void)pthread_mutex_lock(&f->lock);
    char *text = f->offset[0] ? xstrdup(f->offset) : NULL;
    (void)pthread_mutex_unlock(&f->lock);
    return text;
}

static void put_offset(void *arg, const char *connector, const char *partition, const char *offset)
{
    (void)connector;
    (void)partition;
    struct fixture *f = arg;
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->offset, sizeof(f->offset), "%s", offset ? offset : "");
    (void)pthread_mutex_unlock(&f->lock);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    (void)pthread_mutex_init(&f->lock, NULL);
    broker_open(&f->broker);
    fake_producer_reset();
    kvs_init(&f->worker);
    kvs_set(&f->worker, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&f->worker, "group.id", "g");
    kvs_set(&f->worker, "heartbeat.interval.ms", "100");
    kvs_init(&f->config);
    char *uri = xasprintf("tcp://127.0.0.1:%d", f->broker.port);
    kvs_set(&f->config, "name", "c");
    kvs_set(&f->config, "connector.class", "MqttSource");
    kvs_set(&f->config, "mqtt.server.uri", uri);
    kvs_set(&f->config, "mqtt.topics", "a");
    kvs_set(&f->config, "kafka.topic", "out");
    kvs_set(&f->config, "mqtt.protocol.version", "5");
    free(uri);
    const struct offset_port offsets = { f, get_offset, put_offset };
    f->runner = runner_new(&f->worker, &offsets, on_event, f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    runner_stop(f->runner, TASK, clock_mono_ms());
    fake_producer_settle(ERR_OK);
    runner_free(f->runner);
    connector_configs_free(f->task_configs, f->n_task_configs);
    broker_close(&f->broker);
    kvs_fini(&f->worker);
    kvs_fini(&f->config);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

static void start(struct fixture *f, bool paused)
{
    const struct connector_facts facts = { "c", "g" };
    const struct connector_plugin *plugin = connector_find("MqttSource");
    assert_int_equal(plugin->task_configs(&facts, &f->config, NULL, 0, &f->task_configs,
                                          &f->n_task_configs, NULL),
                     ERR_OK);
    const struct task_spec spec = {
        .connector = "c",
        .incarnation = TASK,
        .paused = paused,
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
    };
    runner_start(f->runner, &spec);
}

/* One turn of an obedient broker. */
static void serve(struct fixture *f)
{
    struct fake_broker *broker = &f->broker;
    if (broker->fd < 0 && !broker_accept(broker)) {
        (void)poll(&(struct pollfd){ .fd = broker->listen_fd, .events = POLLIN }, 1, 2);
        return;
    }
    switch (broker_next(broker)) {
    case PACKET_NONE:
        (void)poll(&(struct pollfd){ .fd = broker->fd, .events = POLLIN }, 1, 2);
        break;
    case PACKET_CLOSED:
        broker_hang_up(broker);
        break;
    case PACKET_CONNECT:
        f->n_connects++;
        broker_connack(broker, true, f->present, 0, NULL, 0);
        break;
    case PACKET_SUBSCRIBE:
        f->n_subscribes++;
        broker_suback(broker, true, broker_id(broker), 1);
        break;
    case PACKET_PUBACK:
        f->acked[f->n_acked++] = broker_id(broker);
        break;
    case PACKET_PINGREQ:
        broker_send(broker, "\xd0\0", 2);
        break;
    case PACKET_DISCONNECT:
        f->n_disconnects++;
        break;
    case PACKET_UNSUBSCRIBE:
        break;
    }
}

#define WAIT_FOR(f, condition)                                                                     \
    do {                                                                                           \
        uint64_t wait_deadline_ms = clock_mono_ms() + PATIENCE_MS;                                 \
        while (!(condition)) {                                                                     \
            serve(f);                                                                              \
            if (clock_mono_ms() > wait_deadline_ms) {                                              \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

/* Serves for a while in which nothing may be acknowledged. */
static void assert_no_ack_for(struct fixture *f, unsigned ms)
{
    size_t before = f->n_acked;
    uint64_t until_ms = clock_mono_ms() + ms;
    while (clock_mono_ms() < until_ms) {
        serve(f);
        assert_int_equal(f->n_acked, before);
    }
}

static void publish(struct fixture *f, uint16_t id, bool duplicate, const char *text)
{
    broker_publish(&f->broker, true, id, duplicate, "a", text, strlen(text));
}

static void started(struct fixture *f)
{
    unsigned before = f->n_subscribes;
    start(f, false);
    WAIT_FOR(f, f->n_subscribes > before);
}

static void assert_record(size_t i, const char *topic, const char *value)
{
    struct fake_record record;
    fake_producer_record(i, &record);
    assert_string_equal(record.topic, topic);
    assert_string_equal(record.value, value);
}

static double metric(enum metric_id id)
{
    struct metric_scope *scope = metrics_task("c", 0);
    double value = metric_get(scope, id, 0);
    metrics_task_drop(scope);
    return value;
}

static bool offset_is(struct fixture *f, const char *text)
{
    (void)pthread_mutex_lock(&f->lock);
    bool same = strcmp(f->offset, text) == 0;
    (void)pthread_mutex_unlock(&f->lock);
    return same;
}

static void test_puback_follows_the_delivery_report(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    assert_no_ack_for(f, 100);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(f->acked[0], 1);
}

static void test_one_record_under_way_holds_the_whole_window(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    publish(f, 2, false, "y");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle_first(ERR_OK);
    assert_no_ack_for(f, 100);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(f->acked[0], 1);
    assert_int_equal(f->acked[1], 2);
}

static void test_record_has_key_value_and_headers(void **state)
{
    struct fixture *f = *state;
    fake_producer_auto(true);
    started(f);
    publish(f, 258, true, "x");
    WAIT_FOR(f, f->n_acked == 1);
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_string_equal(record.topic, "out");
    assert_string_equal(record.key, "a");
    assert_string_equal(record.value, "x");
    assert_string_equal(record.headers, "mqtt.message.id=258;mqtt.qos=1;mqtt.retained=false;"
                                        "mqtt.duplicate=true;");
}

static void test_empty_payload_is_an_empty_value(void **state)
{
    struct fixture *f = *state;
    fake_producer_auto(true);
    started(f);
    publish(f, 1, false, "");
    WAIT_FOR(f, f->n_acked == 1);
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_false(record.null_value);
    assert_int_equal(record.length, 0);
}

static void test_window_bounds_what_is_read(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.receive.maximum", "3");
    started(f);
    for (uint16_t id = 1; id <= 5; id++) {
        publish(f, id, false, "x");
    }
    WAIT_FOR(f, fake_producer_count() == 3);
    assert_no_ack_for(f, 100);
    assert_int_equal(fake_producer_count(), 3);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, fake_producer_count() == 5);
}

static void test_silent_kafka_parks_and_its_answer_brings_back_without_second_records(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.keepalive.interval.seconds", "5");
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
    WAIT_FOR(f, metric(METRIC_PARKED) > 0.5);
    assert_no_ack_for(f, 1000);
    assert_int_equal(f->n_connects, 1);
    /* Delivered: the session comes back, and the copy that the broker sends is acknowledged only.
     */
    f->present = true;
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_subscribes == 2);
    publish(f, 1, true, "x");
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(fake_producer_count(), 1);
    assert_true(metric(METRIC_DEDUPED) > 0.5);
    assert_int_equal(atomic_load(&f->failed), 0);
}

static void test_failed_delivery_fails_the_task_and_acknowledges_nothing(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
    assert_non_null(strstr(f->trace, "out"));
}

static void test_record_that_is_refused_at_once_fails_the_task(void **state)
{
    struct fixture *f = *state;
    fake_producer_refuse("big", ERR_TOO_LARGE, 0);
    started(f);
    publish(f, 1, false, "small");
    publish(f, 2, false, "big one");
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
}

static void test_tolerated_record_goes_to_the_dead_letter_queue_and_is_acknowledged(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dead");
    kvs_set(&f->config, "errors.deadletterqueue.context.headers.enable", "true");
    fake_producer_refuse("bad", ERR_REJECTED, 1);
    fake_producer_auto(true);
    started(f);
    publish(f, 1, false, "bad one");
    WAIT_FOR(f, f->n_acked == 1);
    assert_int_equal(fake_producer_count(), 1);
    assert_record(0, "dead", "bad one");
    struct fake_record record;
    fake_producer_record(0, &record);
    assert_string_equal(record.key, "a");
    assert_non_null(strstr(record.headers, "__connect.errors.connector.name=c;"));
    assert_non_null(strstr(record.headers, "__connect.errors.stage=KAFKA_PRODUCE;"));
}

static void test_tolerated_record_without_a_queue_is_skipped_and_counted(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    fake_producer_refuse("bad", ERR_TOO_LARGE, 0);
    fake_producer_auto(true);
    started(f);
    publish(f, 1, false, "bad one");
    publish(f, 2, false, "good");
    WAIT_FOR(f, f->n_acked == 2);
    assert_int_equal(fake_producer_count(), 1);
    assert_true(metric(METRIC_SKIPPED) > 0.5);
}

static void test_record_refused_with_its_batch_is_sent_again_alone(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    kvs_set(&f->config, "errors.deadletterqueue.topic.name", "dead");
    started(f);
    publish(f, 1, false, "good");
    publish(f, 2, false, "bad");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle(ERR_TOO_LARGE);
    WAIT_FOR(f, fake_producer_count() == 3);
    assert_record(2, "out", "good");
    assert_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    /* The bad one fails alone as often as it is tried. */
    for (size_t n = 4; n <= 6; n++) {
        WAIT_FOR(f, fake_producer_count() == n);
        assert_record(n - 1, "out", "bad");
        fake_producer_settle(ERR_TOO_LARGE);
    }
    WAIT_FOR(f, fake_producer_count() == 7);
    assert_record(6, "dead", "bad");
    assert_no_ack_for(f, 50);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 2);
}

static void test_missing_rights_fail_the_task_even_when_errors_are_tolerated(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "errors.tolerance", "all");
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_settle(ERR_UNAUTHORIZED);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_int_equal(f->n_acked, 0);
}

static void test_full_queue_holds_back_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    fake_producer_auto(true);
    fake_producer_refuse("wait", ERR_UNAVAILABLE, 3);
    started(f);
    publish(f, 1, false, "wait for it");
    publish(f, 2, false, "next");
    WAIT_FOR(f, f->n_acked == 2);
    assert_record(0, "out", "wait for it");
    assert_record(1, "out", "next");
}

static void test_dead_producer_is_replaced_and_the_messages_come_again(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    fake_producer_kill();
    fake_producer_settle(ERR_FENCED);
    f->present = true;
    WAIT_FOR(f, f->n_subscribes == 2);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(fake_producer_gets(), 2);
    publish(f, 1, true, "x");
    WAIT_FOR(f, fake_producer_count() == 2);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, f->n_acked == 1);
}

static void test_pause_closes_the_connection_and_resume_brings_it_back(void **state)
{
    struct fixture *f = *state;
    fake_producer_auto(true);
    started(f);
    WAIT_FOR(f, atomic_load(&f->running) == 1);
    runner_pause(f->runner, TASK);
    WAIT_FOR(f, atomic_load(&f->paused) == 1 && f->broker.fd < 0);
    assert_int_equal(f->n_disconnects, 1);
    runner_resume(f->runner, TASK);
    WAIT_FOR(f, f->n_subscribes == 2);
    WAIT_FOR(f, atomic_load(&f->running) == 2);
}

static void test_task_started_paused_does_not_connect(void **state)
{
    struct fixture *f = *state;
    start(f, true);
    WAIT_FOR(f, atomic_load(&f->paused) == 1);
    assert_no_ack_for(f, 100);
    assert_int_equal(f->n_connects, 0);
}

static void test_stop_waits_for_deliveries_then_acknowledges_and_disconnects(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    runner_stop(f->runner, TASK, clock_mono_ms() + 10000);
    assert_no_ack_for(f, 100);
    assert_int_equal(atomic_load(&f->stopped), 0);
    fake_producer_settle(ERR_OK);
    WAIT_FOR(f, atomic_load(&f->stopped) == 1 && f->broker.fd < 0);
    assert_int_equal(f->n_acked, 1);
    assert_int_equal(f->n_disconnects, 1);
}

static void test_stop_at_its_deadline_leaves_the_messages_with_the_broker(void **state)
{
    struct fixture *f = *state;
    started(f);
    publish(f, 1, false, "x");
    WAIT_FOR(f, fake_producer_count() == 1);
    runner_stop(f->runner, TASK, clock_mono_ms() + 300);
    WAIT_FOR(f, atomic_load(&f->stopped) == 1);
    WAIT_FOR(f, f->broker.fd < 0);
    assert_int_equal(f->n_acked, 0);
    assert_int_equal(f->n_disconnects, 0);
}

static void test_stop_while_connecting_is_prompt(void **state)
{
    struct fixture *f = *state;
    start(f, false);
    WAIT_FOR(f, broker_accept(&f->broker)); /* and no answer to its CONNECT */
    uint64_t begin_ms = clock_mono_ms();
    runner_stop(f->runner, TASK, begin_ms + 10000);
    while (atomic_load(&f->stopped) == 0) {
        assert_true(clock_mono_ms() - begin_ms < 2000);
        (void)poll(NULL, 0, 1);
    }
    assert_true(clock_mono_ms() - begin_ms < 500);
}

static void test_subscription_is_recorded_as_the_offset(void **state)
{
    struct fixture *f = *state;
    fake_producer_auto(true);
    started(f);
    WAIT_FOR(f, offset_is(f, "{\"filters\":[\"$share/g-c/a\"]}"));
}

static void test_refused_credentials_fail_the_task_naming_the_broker(void **state)
{
    struct fixture *f = *state;
    start(f, false);
    WAIT_FOR(f, broker_accept(&f->broker));
    WAIT_FOR(f, broker_next(&f->broker) == PACKET_CONNECT);
    broker_connack(&f->broker, true, false, 0x87, NULL, 0);
    WAIT_FOR(f, atomic_load(&f->failed) == 1);
    assert_non_null(strstr(f->trace, "127.0.0.1"));
    assert_non_null(strstr(f->trace, "not authorised"));
}

static void test_refused_credentials_are_tried_again_when_asked_to(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "errors.retry.timeout", "-1");
    start(f, false);
    WAIT_FOR(f, broker_accept(&f->broker));
    WAIT_FOR(f, broker_next(&f->broker) == PACKET_CONNECT);
    broker_connack(&f->broker, true, false, 0x87, NULL, 0);
    broker_hang_up(&f->broker);
    WAIT_FOR(f, f->n_subscribes == 1);
    assert_int_equal(atomic_load(&f->failed), 0);
}

#define SOURCE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE(test_puback_follows_the_delivery_report),
        SOURCE(test_one_record_under_way_holds_the_whole_window),
        SOURCE(test_record_has_key_value_and_headers),
        SOURCE(test_empty_payload_is_an_empty_value),
        SOURCE(test_window_bounds_what_is_read),
        SOURCE(test_silent_kafka_parks_and_its_answer_brings_back_without_second_records),
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
