/* SPDX-License-Identifier: Apache-2.0 */
/* The connector kind and its task: one poll loop over a consumer and a publisher. See README.md. */
#include "worker/connectors/mqtt_sink/mqtt_sink.h"

#include "worker/active_topics.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/prepare.h"
#include "worker/connectors/mqtt_sink/settings.h"
#include "worker/kafka/props.h"
#include "worker/mqtt/publisher.h"

/* A stop gives up this long before its deadline, so that closing is done by then. */
#define STOP_RESERVE_MS 500
/* Longest time for leaving the group. */
#define LEAVE_MS 2000
/* Longest wait of the poll loop. */
#define POLL_MAX_MS 10000
/* How long revoked partitions may wait for acknowledgements, and then for the commit. */
#define REVOKE_MS 10000
/* With nothing on its way positions are committed this soon. */
#define IDLE_COMMIT_MS 500
/* Warnings about single records are written this often at most. */
#define LOG_EVERY_MS 10000

struct sink_task {
    const struct task_context *context;
    struct sink_settings settings;
    struct preparer *preparer;
    struct backlog *backlog;
    struct kafka_consumer *consumer;
    struct mqtt_publisher *publisher;
    struct kafka_fetched *fetched; /* KAFKA_TAKE_MAX */
    bool more;                     /* records may wait that no descriptor tells of */
    bool paused;
    bool reported_paused;
    bool reported_running;
    bool revoking; /* partitions wait to be released */
    uint64_t revoke_deadline_ms;
    bool committing;     /* a commit is under way */
    uint64_t commit_ms;  /* when the last one began */
    uint64_t offline_ms; /* since when there is no connection; 0: there is one */
    bool qos_warned;
    bool failed;
    struct error error;
    struct log_limit skip_limit;
    struct log_limit commit_limit;
};

static void fail(struct sink_task *task, enum err err, const char *text)
{
    if (!task->failed) {
        task->failed = true;
        (void)error_set(&task->error, err, "%s", text);
    }
}

/* ---- records that cannot be published ---- */

static void handle_bad(struct sink_task *task, struct sink_item *item,
                       const struct sink_failure *failure)
{
    char text[900];
    const struct kafka_fetched *fetched = &item->fetched;
    (void)snprintf(
        text, sizeof(text), "%s in stage %s, topic %s, partition %d, offset %lld: %.600s",
        failure->class_name, failure->stage, fetched->partition->topic,
        (int)fetched->partition->number, (long long)fetched->offset, failure->error.text);
    metric_add(task->context->metrics, METRIC_DELIVERY_ERRORS, 0, 1);
    if (!task->settings.errors.tolerate) {
        fail(task, failure->error.code, text);
        backlog_landed(task->backlog, item);
        return;
    }
    unsigned suppressed = 0;
    metric_add(task->context->metrics, METRIC_SKIPPED, 0, 1);
    if (log_limit_pass(&task->skip_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(task->context->log, "RECORD-SKIPPED", "count=%u error=\"%s\"", suppressed + 1,
                 text);
    }
    backlog_done(task->backlog, item);
}

/* ---- the publisher's news ---- */

static void on_done(void *arg, struct mqtt_publication *publication,
                    enum mqtt_publish_result result, const struct error *why)
{
    struct sink_task *task = arg;
    struct sink_item *item = CONTAINER_OF(publication, struct sink_item, publication);
    struct sink_failure failure = { .stage = "TASK_PUT", .class_name = "sluice.MqttSink" };
    switch (result) {
    case MQTT_PUBLISHED:
    case MQTT_PUBLISH_UNMATCHED:
        metric_add(task->context->metrics, METRIC_RECORDS_OUT, 0, 1);
        metric_add(task->context->metrics, METRIC_BYTES_OUT, 0, publication->length);
        backlog_done(task->backlog, item);
        return;
    case MQTT_PUBLISH_REFUSED:
        if (item->partition) {
            failure.error = *why;
            handle_bad(task, item, &failure);
            return;
        }
        break;
    case MQTT_PUBLISH_FORGOTTEN:
        break;
    }
    backlog_landed(task->backlog, item);
}

static void on_connected(void *arg, const struct mqtt_limits *limits)
{
    struct sink_task *task = arg;
    task->offline_ms = 0;
    metric_add(task->context->metrics, METRIC_MQTT_CONNECTS, 0, 1);
    if (limits->max_qos < task->settings.qos && !task->qos_warned) {
        task->qos_warned = true;
        log_warn(task->context->log, "CONFIG-LOWERED",
                 "key=mqtt.qos value=%d used=%d reason=\"the broker's Maximum QoS\"",
                 task->settings.qos, (int)limits->max_qos);
    }
    if (task->settings.retained && !limits->retain_available) {
        fail(task, ERR_INVALID,
             "mqtt.retained.enabled is true, but the broker does not keep retained messages "
             "(Retain Available 0): set it to false");
    }
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct sink_task *task = arg;
    uint64_t now_ms = clock_mono_ms();
    char text[600];
    task->offline_ms = task->offline_ms ? task->offline_ms : now_ms;
    if (down->connected && down->reason != MQTT_DOWN_ASKED) {
        metric_add(task->context->metrics, METRIC_MQTT_RECONNECTS, (unsigned)down->reason, 1);
    }
    int64_t retry_ms = task->settings.errors.retry_timeout_ms;
    bool patient = retry_ms < 0 || now_ms - task->offline_ms < (uint64_t)retry_ms;
    if (down->refused && !patient) {
        (void)snprintf(text, sizeof(text), "MQTT broker %s: %s", down->broker, down->text);
        fail(task, ERR_UNAUTHORIZED, text);
        return;
    }
    uint64_t max_ms = (uint64_t)task->settings.connection.max_retry_ms;
    if (max_ms > 0 && now_ms - task->offline_ms > max_ms && down->reason != MQTT_DOWN_ASKED) {
        (void)snprintf(text, sizeof(text), "MQTT broker %s: %s, given up after max.retry.time.ms",
                       down->broker, down->text);
        fail(task, ERR_UNAVAILABLE, text);
    }
}

/* ---- the consumer's news ---- */

static void on_assigned(void *arg, struct kafka_partition *partition)
{
    struct sink_task *task = arg;
    partition->owner = task->backlog ? backlog_assigned(task->backlog, partition) : NULL;
}

/* What is not on its way yet is the next owner's. */
static void forget_items(struct sink_task *task, struct sink_partition *partition, bool sent_too)
{
    LIST_FOREACH(&partition->items, link) {
        struct sink_item *item = CONTAINER_OF(link, struct sink_item, link);
        if (item->flying && (sent_too || item->publication.id == 0)) {
            mqtt_publisher_forget(task->publisher, &item->publication);
        }
    }
}

static void drop_partition(struct sink_task *task, struct sink_partition *partition)
{
    forget_items(task, partition, true);
    partition->kafka->owner = NULL;
    backlog_gone(task->backlog, partition);
}

static void on_revoked(void *arg, struct kafka_partition *const *partitions, size_t n_partitions,
                       bool lost)
{
    struct sink_task *task = arg;
    for (size_t i = 0; i < n_partitions; i++) {
        struct sink_partition *partition = partitions[i]->owner;
        if (!partition) {
            continue;
        }
        if (lost) {
            drop_partition(task, partition);
        } else {
            partition->revoked = true;
            forget_items(task, partition, false);
        }
    }
    task->revoking = !lost;
    task->revoke_deadline_ms = clock_mono_ms() + REVOKE_MS;
}

static void on_committed(void *arg, enum err err, const char *text)
{
    struct sink_task *task = arg;
    task->committing = false;
    backlog_committed(task->backlog, err == ERR_OK);
    unsigned suppressed = 0;
    if (err != ERR_OK && log_limit_pass(&task->commit_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(task->context->log, "COMMIT-FAIL", "error=\"%s\" suppressed=%u", text, suppressed);
    }
}

static void on_consumer_error(void *arg, enum err err, const char *text)
{
    fail(arg, err, text);
}

/* ---- life ---- */

static void sink_free(void *state)
{
    struct sink_task *task = state;
    if (!task) {
        return;
    }
    metric_set(task->context->metrics, METRIC_MQTT_CONNECTED, 0, 0);
    metric_set(task->context->metrics, METRIC_UNACKED, 0, 0);
    mqtt_publisher_free(task->publisher);
    /* Before the consumer, whose records it holds. */
    LIST_FOREACH(backlog_partitions(task->backlog), link) {
        CONTAINER_OF(link, struct sink_partition, link)->kafka->owner = NULL;
    }
    backlog_free(TAKE(task->backlog));
    kafka_consumer_close(task->consumer, LEAVE_MS);
    preparer_free(task->preparer);
    free(task->fetched);
    sink_settings_fini(&task->settings);
    free(task);
}

static enum err open_consumer(struct sink_task *task, struct error *reterr)
{
    static const char prefix[] = "consumer.override.";
    const struct kvs *config = task->context->connector_config;
    CLEANUP(kvs_fini) struct kvs overrides;
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&overrides);
    kvs_init(&props);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, strlen(prefix)) == 0) {
            kvs_set(&overrides, config->items[i].key + strlen(prefix), config->items[i].value);
        }
    }
    enum err err = kafka_props_build(KAFKA_CONNECTOR_CONSUMER, task->context->worker_props,
                                     &overrides, &props, NULL, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct kafka_consumer_handlers handlers = { task, on_assigned, on_revoked, on_committed,
                                                      on_consumer_error };
    const struct kafka_consumer_options options = {
        .props = &props,
        .group_id = task->settings.group_id,
        .client_id = task->settings.consumer_id,
        .topics = &task->settings.topics,
        .pattern = task->settings.pattern,
    };
    return kafka_consumer_open(&options, &handlers, &task->consumer, reterr);
}

static enum err sink_new(const struct task_context *context, void **ret_task, struct error *reterr)
{
    struct sink_task *task = xcalloc(1, sizeof(*task));
    task->context = context;
    task->backlog = backlog_new();
    task->fetched = xcalloc(KAFKA_TAKE_MAX, sizeof(*task->fetched));
    enum err err = sink_settings_read(context, &task->settings, reterr);
    err = err ? err : preparer_new(context, &task->settings, &task->preparer, reterr);
    err = err ? err : open_consumer(task, reterr);
    if (err != ERR_OK) {
        sink_free(task);
        return err;
    }
    sink_settings_warn(context->connector_config, context->log);
    const struct mqtt_publisher_options publishing = { task->settings.window,
                                                       task->settings.publish_timeout_ms };
    const struct mqtt_publisher_handlers handlers = { task, on_done, on_connected, on_down };
    task->publisher = mqtt_publisher_new(&task->settings.options, &publishing, &handlers);
    *ret_task = task;
    return ERR_OK;
}

/* ---- the loop ---- */

static bool has_room(const struct sink_task *task)
{
    return !task->failed && !task->paused &&
           backlog_items(task->backlog) < 2 * task->settings.window &&
           backlog_bytes(task->backlog) < task->settings.buffer_bytes;
}

static void take_record(struct sink_task *task, struct kafka_fetched *fetched, uint64_t now_us)
{
    struct sink_item *item = backlog_add(task->backlog, fetched, now_us);
    struct sink_failure failure;
    failure.error.text[0] = '\0';
    bool keep = true;
    enum err err = preparer_make(task->preparer, item, &keep, &failure);
    if (err != ERR_OK) {
        handle_bad(task, item, &failure);
    } else if (keep) {
        backlog_fly(item);
        mqtt_publisher_send(task->publisher, &item->publication);
    } else {
        backlog_done(task->backlog, item);
    }
}

static void take_records(struct sink_task *task)
{
    task->more = false;
    while (has_room(task)) {
        size_t n_bytes = 0;
        size_t n = kafka_consumer_take(task->consumer, task->fetched, KAFKA_TAKE_MAX, &task->more);
        uint64_t now_us = clock_mono_us();
        for (size_t i = 0; i < n; i++) {
            n_bytes += task->fetched[i].value.length;
            active_topic_used(
                active_topics_get(task->context->topics, task->fetched[i].partition->topic));
            take_record(task, &task->fetched[i], now_us);
        }
        metric_add(task->context->metrics, METRIC_RECORDS_IN, 0, n);
        metric_add(task->context->metrics, METRIC_BYTES_IN, 0, n_bytes);
        active_topics_tell(task->context->topics);
        if (!task->more) {
            return;
        }
    }
}

static void commit(struct sink_task *task, uint64_t now_ms)
{
    size_t n = 0;
    struct kafka_position *positions = backlog_uncommitted(task->backlog, &n);
    struct error error = { ERR_OK, "" };
    task->commit_ms = now_ms;
    if (n > 0) {
        task->committing = true;
        if (kafka_consumer_commit(task->consumer, positions, n, &error) != ERR_OK) {
            on_committed(task, error.code, error.text);
        }
    }
    free(positions);
}

static uint64_t commit_due_ms(const struct sink_task *task)
{
    if (task->committing || !backlog_dirty(task->backlog)) {
        return UINT64_MAX;
    }
    bool idle = backlog_items(task->backlog) == 0;
    return task->commit_ms + (idle ? IDLE_COMMIT_MS : task->settings.commit_every_ms);
}

/* Revoked partitions are given up once nothing of them is on its way and their positions are
 * committed, or when that takes too long. */
static void go_on_revoking(struct sink_task *task, uint64_t now_ms)
{
    bool late = now_ms >= task->revoke_deadline_ms;
    if (!task->revoking || (!late && backlog_flying(task->backlog, true) > 0)) {
        return;
    }
    if (!late && !task->committing && backlog_dirty(task->backlog)) {
        commit(task, now_ms);
    }
    if (!late && task->committing) {
        return;
    }
    LIST_FOREACH(backlog_partitions(task->backlog), link) {
        struct sink_partition *partition = CONTAINER_OF(link, struct sink_partition, link);
        if (partition->revoked) {
            drop_partition(task, partition);
        }
    }
    task->revoking = false;
    kafka_consumer_release(task->consumer);
}

static void set_gauges(const struct sink_task *task)
{
    metric_set(task->context->metrics, METRIC_MQTT_CONNECTED, 0,
               mqtt_publisher_connected(task->publisher));
    metric_set(task->context->metrics, METRIC_UNACKED, 0,
               (double)mqtt_publisher_sent(task->publisher));
}

static void follow_wish(struct sink_task *task, enum task_wanted wanted, uint64_t now_ms)
{
    bool pause = wanted != TASK_WANTED_RUN;
    if (pause != task->paused) {
        task->paused = pause;
        kafka_consumer_pause(task->consumer, pause);
    }
    bool at_rest =
        mqtt_publisher_idle(task->publisher) ||
        (mqtt_publisher_connected(task->publisher) && backlog_flying(task->backlog, false) == 0);
    if (wanted == TASK_WANTED_RUN && !task->reported_running) {
        task_report_running(task->context->control);
        task->reported_running = true;
        task->reported_paused = false;
    }
    if (wanted == TASK_WANTED_PAUSE && at_rest && !task->reported_paused) {
        mqtt_publisher_disconnect(task->publisher, now_ms);
        task_report_paused(task->context->control);
        task->reported_paused = true;
        task->reported_running = false;
    }
}

static void wait(struct sink_task *task, bool may_connect, struct pollfd *polls)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t until_ms = now_ms + POLL_MAX_MS;
    uint64_t dues_ms[] = { mqtt_publisher_deadline(task->publisher, may_connect),
                           commit_due_ms(task),
                           now_ms + kafka_consumer_poll_every_ms(task->consumer),
                           task->revoking ? task->revoke_deadline_ms : UINT64_MAX, UINT64_MAX };
    if (task_wanted(task->context->control) == TASK_WANTED_STOP) {
        dues_ms[4] = task_deadline_ms(task->context->control) - STOP_RESERVE_MS;
    }
    for (size_t i = 0; i < N_ELEMENTS(dues_ms); i++) {
        until_ms = dues_ms[i] < until_ms ? dues_ms[i] : until_ms;
    }
    if (task->more && has_room(task)) {
        until_ms = now_ms;
    }
    mqtt_publisher_poll(task->publisher, &polls[0]);
    polls[1] = (struct pollfd){ .fd = task_control_fd(task->context->control), .events = POLLIN };
    polls[2] = (struct pollfd){ .fd = kafka_consumer_fd(task->consumer), .events = POLLIN };
    if (poll(polls, 3, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) < 0) {
        polls[0].revents = polls[1].revents = polls[2].revents = 0;
    }
    if (polls[1].revents) {
        task_control_clear(task->context->control);
    }
    if (polls[2].revents) {
        kafka_consumer_clear(task->consumer);
        task->more = true;
    }
}

/* Whether a stop has nothing more to wait for. */
static bool drained(struct sink_task *task, uint64_t now_ms)
{
    uint64_t deadline_ms = task_deadline_ms(task->context->control);
    if (now_ms + STOP_RESERVE_MS >= deadline_ms) {
        return true;
    }
    bool waits =
        mqtt_publisher_connected(task->publisher) && backlog_flying(task->backlog, false) > 0;
    if (!waits && !task->committing && backlog_dirty(task->backlog)) {
        commit(task, now_ms);
    }
    return !waits && !task->committing;
}

static enum task_end sink_run(void *state, struct error *reterr)
{
    struct sink_task *task = state;
    struct pollfd polls[3] = { { .fd = -1 } };
    for (;;) {
        enum task_wanted wanted = task_wanted(task->context->control);
        uint64_t now_ms = clock_mono_ms();
        bool may_connect = wanted == TASK_WANTED_RUN;
        kafka_consumer_serve(task->consumer);
        mqtt_publisher_tick(task->publisher, now_ms, may_connect, polls[0].revents != 0);
        follow_wish(task, wanted, now_ms);
        take_records(task);
        mqtt_publisher_flush(task->publisher, now_ms);
        go_on_revoking(task, now_ms);
        if (commit_due_ms(task) <= now_ms) {
            commit(task, now_ms);
        }
        set_gauges(task);
        if (task->failed) {
            *reterr = task->error;
            return TASK_END_FAILED;
        }
        if (wanted == TASK_WANTED_STOP && drained(task, now_ms)) {
            mqtt_publisher_disconnect(task->publisher, now_ms);
            return TASK_END_STOPPED;
        }
        wait(task, may_connect, polls);
    }
}

static const char *const class_names[] = {
    "MqttSink",
    "io.confluent.connect.mqtt.MqttSinkConnector",
    "sluice.MqttSink",
    NULL,
};

const struct connector_plugin mqtt_sink_plugin = {
    .class_names = class_names,
    .type = CONNECTOR_SINK,
    .version = SLUICE_VERSION,
    .table = MQTT_SINK_TABLE,
    .validate = mqtt_sink_validate,
    .task_configs = mqtt_sink_task_configs,
    .task_new = sink_new,
    .task_run = sink_run,
    .task_free = sink_free,
};
