/* SPDX-License-Identifier: Apache-2.0 */
/* What the task does when its parts have news. See sink_task.h. */
#include "worker/base/clock.h"
#include "worker/connectors/mqtt_sink/sink_task.h"
#include "worker/mqtt/reason.h"

/* How long revoked partitions may wait for acknowledgements, and then for the commit. */
#define REVOKE_MS 10000
/* Wait after a commit that failed. */
#define AGAIN_MS 50
/* Warnings about single records are written this often at most. */
#define LOG_EVERY_MS  10000
#define OBSERVE_EVERY 64

void sink_fail(struct sink_task *task, enum err err, const char *text)
{
    if (!task->failed) {
        task->failed = true;
        (void)error_set(&task->error, err, "%s", text);
    }
}

/* ---- records that cannot be published ---- */

static void describe(const struct sink_item *item, const struct failure *failure, char *text,
                     size_t size)
{
    const struct kafka_fetched *fetched = &item->fetched;
    (void)snprintf(text, size, "%s in stage %s, topic %s, partition %d, offset %lld: %.600s",
                   failure->class_name, failure->stage, fetched->partition->topic,
                   (int)fetched->partition->number, (long long)fetched->offset,
                   failure->error.text);
}

static void log_bad(struct sink_task *task, const struct sink_item *item,
                    const struct failure *failure)
{
    unsigned suppressed = 0;
    const struct kafka_fetched *fetched = &item->fetched;
    if (!task->settings.errors.log || !log_limit_pass(&task->error_limit, 1000, &suppressed)) {
        return;
    }
    if (task->settings.errors.log_details) {
        log_error(task->context->log, "RECORD-ERROR",
                  "stage=%s class=%s kafka_topic=%s partition=%d offset=%lld error=\"%s\" "
                  "suppressed=%u",
                  failure->stage, failure->class_name, fetched->partition->topic,
                  (int)fetched->partition->number, (long long)fetched->offset, failure->error.text,
                  suppressed);
    } else {
        log_error(task->context->log, "RECORD-ERROR",
                  "stage=%s class=%s kafka_topic=%s error=\"%s\" suppressed=%u", failure->stage,
                  failure->class_name, fetched->partition->topic, failure->error.text, suppressed);
    }
}

/* A record that goes nowhere is never passed over in silence. */
static void skip(struct sink_task *task, struct sink_item *item, const char *text)
{
    unsigned suppressed = 0;
    metric_add(task->context->metrics, METRIC_SKIPPED, 0, 1);
    if (log_limit_pass(&task->skip_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(task->context->log, "RECORD-SKIPPED", "count=%u error=\"%s\"", suppressed + 1,
                 text);
    }
    backlog_done(task->backlog, item);
}

void sink_handle_bad(struct sink_task *task, struct sink_item *item, const struct failure *failure)
{
    char text[900];
    describe(item, failure, text, sizeof(text));
    log_bad(task, item, failure);
    if (item->flying) {
        backlog_landed(task->backlog, item);
    }
    if (!task->settings.errors.tolerate && !task->letters) {
        sink_fail(task, failure->error.code, text);
    } else if (!task->letters) {
        skip(task, item, text);
    } else {
        /* Without tolerance it is written all the same, and then the task fails, as in Connect. */
        item->letter = true;
        backlog_fly(item);
        letters_send(task->letters, item, failure);
        if (!task->settings.errors.tolerate) {
            (void)error_set(&task->error, failure->error.code, "%s", text);
        }
    }
}

static void on_letter_sent(void *arg, struct sink_item *item)
{
    struct sink_task *task = arg;
    metric_add(task->context->metrics, METRIC_DLQ_RECORDS, 0, 1);
    if (task->settings.errors.tolerate) {
        backlog_done(task->backlog, item);
        return;
    }
    task->failed = true;
    backlog_landed(task->backlog, item);
}

static void on_letter_failed(void *arg, struct sink_item *item, const struct error *why)
{
    struct sink_task *task = arg;
    char text[900];
    (void)snprintf(text, sizeof(text), "dead letter queue %s: %.600s",
                   task->settings.errors.dlq_topic, why->text);
    sink_fail(task, why->code, text);
    backlog_landed(task->backlog, item);
}

/* ---- the publisher's news ---- */

/* One in so many: the clock costs more than the rest of the counting. */
static void observe(struct sink_task *task, const struct sink_item *item)
{
    if (task->n_done++ % OBSERVE_EVERY == 0) {
        double seconds = (double)(clock_mono_us() - item->taken_us) / 1e6;
        metric_observe_many(task->context->metrics, METRIC_END_TO_END, seconds, OBSERVE_EVERY);
    }
}

static void on_done(void *arg, struct mqtt_publication *publication,
                    enum mqtt_publish_result result, const struct error *why)
{
    struct sink_task *task = arg;
    struct sink_item *item = CONTAINER_OF(publication, struct sink_item, publication);
    struct failure failure = { .stage = "TASK_PUT", .class_name = SINK_CLASS };
    switch (result) {
    case MQTT_PUBLISH_UNMATCHED:
        metric_add(task->context->metrics, METRIC_UNMATCHED, 0, 1);
        /* fall through */
    case MQTT_PUBLISHED:
        metric_add(task->context->metrics, METRIC_RECORDS_OUT, 0, 1);
        metric_add(task->context->metrics, METRIC_BYTES_OUT, 0, publication->length);
        observe(task, item);
        backlog_done(task->backlog, item);
        return;
    case MQTT_PUBLISH_REFUSED:
        metric_add(task->context->metrics, METRIC_REFUSED, 0, 1);
        if (item->partition) {
            failure.error = *why;
            sink_handle_bad(task, item, &failure);
            return;
        }
        break;
    case MQTT_PUBLISH_FORGOTTEN:
        break;
    }
    backlog_landed(task->backlog, item);
}

static void on_again(void *arg, size_t n_messages)
{
    struct sink_task *task = arg;
    metric_add(task->context->metrics, METRIC_REPUBLISHED, 0, n_messages);
}

static void on_connected(void *arg, const struct mqtt_limits *limits)
{
    struct sink_task *task = arg;
    task->failing_ms = 0;
    metric_add(task->context->metrics, METRIC_MQTT_CONNECTS, 0, 1);
    if (limits->max_qos < task->settings.qos && !task->qos_warned) {
        task->qos_warned = true;
        log_warn(task->context->log, "CONFIG-LOWERED",
                 "key=mqtt.qos value=%d used=%d reason=\"the broker's Maximum QoS\"",
                 task->settings.qos, (int)limits->max_qos);
    }
    if (task->settings.retained && !limits->retain_available) {
        sink_fail(task, ERR_INVALID,
                  "mqtt.retained.enabled is true, but the broker does not keep retained messages "
                  "(Retain Available 0): set it to false");
    }
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct sink_task *task = arg;
    uint64_t now_ms = clock_mono_ms();
    char text[600];
    if (down->connected && down->reason != MQTT_DOWN_ASKED) {
        metric_add(task->context->metrics, METRIC_MQTT_RECONNECTS, (unsigned)down->reason, 1);
    }
    if (!mqtt_down_is_failure(down->reason)) {
        task->failing_ms = 0;
        return;
    }
    task->failing_ms = task->failing_ms ? task->failing_ms : now_ms;
    int64_t retry_ms = task->settings.errors.retry_timeout_ms;
    bool patient = retry_ms < 0 || now_ms - task->failing_ms < (uint64_t)retry_ms;
    if (down->refused && !patient) {
        (void)snprintf(text, sizeof(text), "MQTT broker %s: %s", down->broker, down->text);
        sink_fail(task, ERR_UNAUTHORIZED, text);
        return;
    }
    uint64_t max_ms = (uint64_t)task->settings.connection.max_retry_ms;
    if (max_ms > 0 && now_ms - task->failing_ms > max_ms) {
        (void)snprintf(text, sizeof(text), "MQTT broker %s: %s, given up after max.retry.time.ms",
                       down->broker, down->text);
        sink_fail(task, ERR_UNAVAILABLE, text);
    }
}

/* ---- the consumer's news ---- */

static void on_assigned(void *arg, struct kafka_partition *partition)
{
    struct sink_task *task = arg;
    if (!task->backlog) {
        return;
    }
    struct sink_partition *own = backlog_assigned(task->backlog, partition);
    own->topic = active_topics_get(task->context->topics, partition->topic);
    meter_soon(&task->meter);
    partition->owner = own;
}

/* What is not on its way yet is the next owner's. */
static void forget_items(struct sink_task *task, struct sink_partition *partition, bool sent_too)
{
    LIST_FOREACH(&partition->items, link) {
        struct sink_item *item = CONTAINER_OF(link, struct sink_item, link);
        if (item->flying && !item->letter && (sent_too || item->publication.id == 0)) {
            mqtt_publisher_forget(task->publisher, &item->publication);
        }
    }
}

void sink_drop_partition(struct sink_task *task, struct sink_partition *partition)
{
    forget_items(task, partition, true);
    task->n_gone += task->committing && partition->asked >= 0;
    partition->kafka->owner = NULL;
    meter_soon(&task->meter);
    backlog_gone(task->backlog, partition);
}

/* What was read is published all the same: the partition is read again from its new position, and
 * what of it is the same record then comes twice, never not at all. */
void sink_restart_partition(struct sink_task *task, struct sink_partition *partition)
{
    task->n_gone += task->committing && partition->asked >= 0;
    backlog_restarted(task->backlog, partition);
}

static void on_reset(void *arg, struct kafka_partition *partition)
{
    struct sink_task *task = arg;
    metric_add(task->context->metrics, METRIC_SINK_RESETS, 0, 1);
    if (partition && partition->owner) {
        sink_restart_partition(task, partition->owner);
    }
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
            sink_drop_partition(task, partition);
        } else {
            partition->revoked = true;
            forget_items(task, partition, false);
        }
    }
    task->revoking = !lost;
    task->revoke_deadline_ms = clock_mono_ms() + REVOKE_MS;
}

void sink_committed(struct sink_task *task, enum err err, const char *text)
{
    if (!task->backlog) {
        return;
    }
    bool late = task->n_gone > 0;
    task->committing = false;
    task->n_gone = 0;
    task->again_ms = err == ERR_OK ? 0 : clock_mono_ms() + AGAIN_MS;
    meter_commit(&task->meter, err == ERR_OK, late);
    backlog_committed(task->backlog, err == ERR_OK);
    unsigned suppressed = 0;
    if (err != ERR_OK && log_limit_pass(&task->commit_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(task->context->log, "COMMIT-FAIL", "error=\"%s\" suppressed=%u", text, suppressed);
    }
}

static void on_committed(void *arg, enum err err, const char *text)
{
    sink_committed(arg, err, text);
}

static void on_consumer_error(void *arg, enum err err, const char *text)
{
    sink_fail(arg, err, text);
}

/* ---- all of them ---- */

struct mqtt_publisher_handlers events_of_publisher(struct sink_task *task)
{
    return (struct mqtt_publisher_handlers){ task, on_done, on_again, on_connected, on_down };
}

struct kafka_consumer_handlers events_of_consumer(struct sink_task *task)
{
    return (struct kafka_consumer_handlers){ task,     on_assigned,  on_revoked,
                                             on_reset, on_committed, on_consumer_error };
}

struct letters_handlers events_of_letters(struct sink_task *task)
{
    return (struct letters_handlers){ task, on_letter_sent, on_letter_failed };
}
