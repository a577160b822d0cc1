/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source task on a workbench. See bench_source.h.
 * fakes: kafka_producer
 */
#include "tests/unit/connectors/bench_source.h"

#include <poll.h>
#include <string.h>

#include "worker/base/json.h"
#include "worker/base/mem.h"

static void on_event(void *arg, const struct task_event *event)
{
    struct source_bench *f = arg;
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
    case TASK_EVENT_CHANGED:
        break;
    case TASK_EVENT_UPDATED:
        atomic_fetch_add(&f->updated, 1);
        break;
    case TASK_EVENT_DECLINED:
        atomic_fetch_add(&f->declined, 1);
        break;
    case RETIRE_EVENT_DONE:
        break;
    }
}

static char *get_offset(void *arg, const char *connector, const char *partition)
{
    (void)connector;
    (void)partition;
    struct source_bench *f = arg;
    (void)pthread_mutex_lock(&f->lock);
    char *text = f->offset[0] ? xstrdup(f->offset) : NULL;
    (void)pthread_mutex_unlock(&f->lock);
    return text;
}

static void put_offset(void *arg, const char *connector, const char *partition, const char *offset)
{
    (void)connector;
    (void)partition;
    struct source_bench *f = arg;
    (void)pthread_mutex_lock(&f->lock);
    (void)snprintf(f->offset, sizeof(f->offset), "%s", offset ? offset : "");
    (void)pthread_mutex_unlock(&f->lock);
}

int source_set_up(void **state)
{
    struct source_bench *f = xcalloc(1, sizeof(*f));
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
    const struct offset_port offsets = { .arg = f, .get = get_offset, .put = put_offset };
    f->runner = runner_new(&f->worker, &offsets, on_event, f);
    *state = f;
    return 0;
}

int source_tear_down(void **state)
{
    struct source_bench *f = *state;
    runner_stop(f->runner, SOURCE_TASK, clock_mono_ms());
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

void source_start(struct source_bench *f, bool paused)
{
    const struct connector_facts facts = { .name = "c", .group_id = "g" };
    const struct connector_plugin *plugin = connector_find("MqttSource");
    assert_int_equal(plugin->task_configs(&facts, &f->config, NULL, 0, &f->task_configs,
                                          &f->n_task_configs, NULL),
                     ERR_OK);
    const struct task_spec spec = {
        .connector = "c",
        .incarnation = SOURCE_TASK,
        .paused = paused,
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
    };
    runner_start(f->runner, &spec);
}

/* Appends the filters of a SUBSCRIBE or UNSUBSCRIBE to what the broker saw. */
static void note_filters(struct source_bench *f, const char *sign)
{
    const struct fake_broker *broker = &f->broker;
    size_t at = 3; /* behind packet id and an empty property length */
    while (at + 2 <= broker->n_body) {
        size_t length = (size_t)broker->body[at] << 8 | broker->body[at + 1];
        size_t used = strlen(f->filters);
        (void)snprintf(f->filters + used, sizeof(f->filters) - used, "%s%.*s ", sign, (int)length,
                       (const char *)broker->body + at + 2);
        at += 2 + length + (sign[0] == '+' ? 1 : 0);
    }
}

void source_accept(struct source_bench *f)
{
    uint64_t deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    while (!broker_accept(&f->broker)) {
        assert_true(clock_mono_ms() < deadline_ms);
        (void)poll(&(struct pollfd){ .fd = f->broker.listen_fd, .events = POLLIN }, 1, 100);
    }
}

void source_packet(struct source_bench *f, enum packet_type type)
{
    uint64_t deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;
    while (broker_next(&f->broker) != type) {
        assert_true(clock_mono_ms() < deadline_ms);
        (void)poll(&(struct pollfd){ .fd = f->broker.fd, .events = POLLIN }, 1, 100);
    }
}

void source_greeted(struct source_bench *f)
{
    source_accept(f);
    source_packet(f, PACKET_CONNECT);
}

void source_serve(struct source_bench *f)
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
        note_filters(f, "+");
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
        f->n_unsubscribes++;
        note_filters(f, "-");
        if (!f->mute) {
            broker_unsuback(broker, broker_id(broker));
        }
        break;
    }
}

void source_no_ack_for(struct source_bench *f, unsigned ms)
{
    size_t before = f->n_acked;
    uint64_t until_ms = clock_mono_ms() + ms;
    while (clock_mono_ms() < until_ms) {
        source_serve(f);
        assert_int_equal(f->n_acked, before);
    }
}

void source_publish(struct source_bench *f, uint16_t id, bool duplicate, const char *text)
{
    broker_publish(&f->broker, true, id, duplicate, "a", text, strlen(text));
}

void source_started(struct source_bench *f)
{
    unsigned before = f->n_subscribes;
    source_start(f, false);
    WAIT_FOR(f, f->n_subscribes > before);
}

void source_record_is(size_t i, const char *topic, const char *value)
{
    struct fake_record record;
    fake_producer_record(i, &record);
    assert_string_equal(record.topic, topic);
    assert_string_equal(record.value, value);
}

void source_update(struct source_bench *f, bool may_take, uint64_t deadline_ms)
{
    const struct connector_facts facts = { .name = "c", .group_id = "g" };
    const struct connector_plugin *plugin = connector_find("MqttSource");
    connector_configs_free(f->task_configs, f->n_task_configs);
    f->task_configs = NULL;
    assert_int_equal(plugin->task_configs(&facts, &f->config, NULL, 0, &f->task_configs,
                                          &f->n_task_configs, NULL),
                     ERR_OK);
    const struct runner_update update = {
        .connector_config = &f->config,
        .task_config = &f->task_configs[0],
        .may_take = may_take,
        .deadline_ms = deadline_ms,
    };
    runner_update(f->runner, SOURCE_TASK, &update);
}

double source_metric(enum metric_id id)
{
    struct metric_scope *scope = metrics_task("c", 0);
    double value = metric_get(scope, id, 0);
    metrics_task_drop(scope);
    return value;
}

bool source_offset_is(struct source_bench *f, const char *text)
{
    (void)pthread_mutex_lock(&f->lock);
    CLEANUP(json_delete) cJSON *offset = cJSON_Parse(f->offset);
    (void)pthread_mutex_unlock(&f->lock);
    cJSON_DeleteItemFromObject(offset, "broker"); /* its port differs from run to run */
    CLEANUP(free_charp) char *seen = offset ? json_print(offset) : NULL;
    return seen && strcmp(seen, text) == 0;
}
