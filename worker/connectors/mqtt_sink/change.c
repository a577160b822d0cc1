/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new config for a running task. A restart would leave the consumer group and join it again,
 * which stops all tasks of the connector for a moment; so what concerns only messages, or only the
 * MQTT connection, is changed in place: once everything that was taken is done, so that no record
 * is made by one config and sent by another. What concerns the consumer or the dead letter queue,
 * or cannot be done by the deadline, is declined: the task is restarted then.
 */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/change_cost.h"
#include "worker/connectors/mqtt_sink/mqtt_sink.h"
#include "worker/connectors/mqtt_sink/sink_task.h"

/* Keys that a change costs a restart, by how they begin: they go to Kafka clients that stand. */
static const char *const client_keys[] = { "consumer.override.", "producer.override.",
                                           "admin.override.", "errors.deadletterqueue." };

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0 && !a == !b;
}

/* Whether all keys of `from` that begin so are the same in `to`. */
static bool has_same(const struct kvs *from, const struct kvs *to, const char *prefix)
{
    for (size_t i = 0; i < from->n_items; i++) {
        const struct kv *item = &from->items[i];
        if (strncmp(item->key, prefix, strlen(prefix)) == 0 &&
            !same_text(item->value, kvs_get(to, item->key))) {
            return false;
        }
    }
    return true;
}

static unsigned costs_of(const struct sink_task *task, const struct task_update *update)
{
    const struct kvs *before = task->context->connector_config;
    const struct kvs *after = update->connector_config;
    unsigned costs = change_costs(&mqtt_sink_plugin, before, after);
    for (size_t i = 0; i < N_ELEMENTS(client_keys); i++) {
        if (!has_same(before, after, client_keys[i]) || !has_same(after, before, client_keys[i])) {
            costs |= CONFIG_COST_BIT(RESTART);
        }
    }
    const struct error_policy *old = &task->settings.errors;
    const struct error_policy *new = &task->next->settings.errors;
    if (strcmp(task->settings.client_id, task->next->settings.client_id) != 0 ||
        old->retry_timeout_ms != new->retry_timeout_ms ||
        old->retry_delay_max_ms != new->retry_delay_max_ms) {
        costs |= CONFIG_COST_BIT(RECONNECT);
    }
    return costs;
}

void change_end(struct sink_task *task)
{
    struct sink_next *next = TAKE(task->next);
    if (next) {
        preparer_free(next->preparer);
        sink_settings_fini(&next->settings);
        free(next);
    }
}

static void decline(struct sink_task *task, const char *reason)
{
    /* The reason may quote a value: the log knows the secrets of both configs. */
    log_info(task->context->log, "TASK-UPDATE-DECLINED", "reason=\"%s\"", reason);
    change_end(task);
    task_update_answer(task->context->control, false);
}

static void begin(struct sink_task *task, const struct task_update *update)
{
    struct task_context context = *task->context;
    context.connector_config = update->connector_config;
    context.task_config = update->task_config;
    struct error error = { ERR_OK, "" };
    task->next = xcalloc(1, sizeof(*task->next));
    enum err err = sink_settings_read(&context, &task->next->settings, &error);
    /* The settings will be the task's by the time a record comes. */
    err = err ? err : preparer_new(&context, &task->settings, &task->next->preparer, &error);
    if (err != ERR_OK) {
        decline(task, error.text); /* the restart fails with it, for all to see */
        return;
    }
    task->next->costs = costs_of(task, update);
    if (task->next->costs & CONFIG_COST_BIT(RESTART)) {
        decline(task, "a key was changed that needs a restart");
    }
}

/* Nothing is interrupted where messages and connection stay as they are. */
static bool must_drain(const struct sink_task *task)
{
    return task->next->costs & (CONFIG_COST_BIT(PIPELINE) | CONFIG_COST_BIT(RECONNECT));
}

static void go_over(struct sink_task *task)
{
    struct sink_next *next = task->next;
    if (next->costs & CONFIG_COST_BIT(RECONNECT)) {
        mqtt_publisher_disconnect(task->publisher, clock_mono_ms());
        mqtt_publisher_free(TAKE(task->publisher));
        struct sink_settings before = task->settings;
        task->settings = next->settings;
        task->settings.options.uris = &task->settings.connection.uris;
        next->settings = before;
        sink_open_publisher(task);
    } else {
        sink_settings_adopt(&task->settings, &next->settings, must_drain(task));
    }
    struct preparer *before = task->preparer;
    task->preparer = next->preparer;
    next->preparer = before;
    change_end(task);
    task_update_answer(task->context->control, true);
    sink_settings_warn(task->context->connector_config, task->context->log);
}

bool change_holds(const struct sink_task *task)
{
    return task->next && must_drain(task);
}

void change_step(struct sink_task *task, bool stopping, uint64_t now_ms)
{
    const struct task_update *update = task_update_pending(task->context->control);
    if (!update || stopping || task->failed) {
        change_end(task);
        return;
    }
    if (!task->next) {
        begin(task, update);
    }
    if (!task->next) {
        return;
    }
    if (!must_drain(task) || backlog_items(task->backlog) == 0) {
        go_over(task);
    } else if (now_ms >= update->deadline_ms) {
        decline(task, "what was taken before could not be finished in time");
    }
}

uint64_t change_deadline(const struct sink_task *task)
{
    const struct task_update *update = task_update_pending(task->context->control);
    if (!update || !task->next) {
        return UINT64_MAX;
    }
    /* What it waits for may have ended behind the last step, as dead letters do. */
    return backlog_items(task->backlog) > 0 ? update->deadline_ms : 0;
}
