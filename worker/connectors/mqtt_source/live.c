/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new config for a running task. What it costs follows from the rows of the keys that changed:
 * at the dearest the connections are made anew, never is a message read by one pipeline and
 * finished by another. Sessions that the new task config does not name are given up first; those
 * that it adds are taken only with leave, since another task may still hold them. What cannot be
 * done by the deadline, as while Kafka does not answer, is declined: the task is restarted then.
 */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/change_cost.h"
#include "worker/connectors/mqtt_source/mqtt_source.h"
#include "worker/connectors/mqtt_source/source_task.h"
#include "worker/mqtt/filter_list.h"

static bool hosts(const struct source_settings *settings, int k)
{
    for (size_t i = 0; i < settings->n_sessions; i++) {
        if (settings->sessions[i] == k) {
            return true;
        }
    }
    return false;
}

static bool same_text(const struct kvs *a, const struct kvs *b, const char *key)
{
    const char *left = kvs_get(a, key);
    const char *right = kvs_get(b, key);
    return strcmp(left ? left : "", right ? right : "") == 0;
}

/* What the task config itself has to say: it carries what the group's name and the number of
 * sessions make of the connector's. */
static unsigned task_costs(const struct kvs *before, const struct kvs *after)
{
    unsigned costs = 0;
    if (!same_text(before, after, MQTT_TASK_PREFIX)) {
        costs |= CONFIG_COST_BIT(RECONNECT);
    }
    if (!same_text(before, after, MQTT_TASK_SHARE_GROUP) ||
        !same_text(before, after, MQTT_TASK_TOTAL)) {
        costs |= CONFIG_COST_BIT(SUBSCRIPTIONS);
    }
    return costs;
}

/* A prefix that changes makes other sessions of all. */
static bool other_sessions(const struct source_task *task)
{
    return strcmp(task->setup->settings.prefix, task->next->settings.prefix) != 0;
}

static bool leaves(const struct source_task *task, const struct reader *reader)
{
    const char *leaving = reader_leaving(reader);
    if (leaving) {
        return !filter_list_has(&task->next->settings.retiring, leaving);
    }
    return !hosts(&task->next->settings, reader_session(reader)) || other_sessions(task);
}

static bool must_rest(const struct source_task *task, const struct reader *reader)
{
    return leaves(task, reader) || (task->costs & CONFIG_COST_BIT(RECONNECT));
}

static void end(struct source_task *task, bool taken)
{
    setup_free(TAKE(task->next));
    task->live = LIVE_NONE;
    task_update_answer(task->context->control, taken);
}

static void decline(struct source_task *task, const char *reason)
{
    /* The reason may quote a value: the log knows the secrets of both configs. */
    log_info(task->context->log, "TASK-UPDATE-DECLINED", "reason=\"%s\"", reason);
    end(task, false);
}

static void begin(struct source_task *task, const struct task_update *update)
{
    const struct kvs *before = task->setup->context.connector_config;
    task->costs = change_costs(&mqtt_source_plugin, before, update->connector_config) |
                  task_costs(task->setup->context.task_config, update->task_config);
    if (task->costs & CONFIG_COST_BIT(RESTART)) {
        decline(task, "a key was changed that needs a restart");
        return;
    }
    struct task_context context = task->setup->context;
    context.connector_config = update->connector_config;
    context.task_config = update->task_config;
    struct error error = { ERR_OK, "" };
    bool pipeline = task->costs & CONFIG_COST_BIT(PIPELINE);
    if (setup_new(&context, pipeline, &task->next, &error) != ERR_OK) {
        decline(task, error.text); /* the restart fails with it, for all to see */
        return;
    }
    task->live = LIVE_QUIET;
}

/* Whether the readers are as far as the change needs them. */
static bool all_quiet(const struct source_task *task)
{
    bool whole = task->costs & (CONFIG_COST_BIT(PIPELINE) | CONFIG_COST_BIT(RECONNECT));
    for (size_t i = 0; i < task->n_readers; i++) {
        const struct reader *reader = task->readers[i];
        if ((whole || leaves(task, reader)) && !reader_quiet(reader)) {
            return false;
        }
    }
    return true;
}

static bool all_closed(const struct source_task *task)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        const struct reader *reader = task->readers[i];
        if (must_rest(task, reader) && !(reader_at_rest(reader) && reader_quiet(reader))) {
            return false;
        }
    }
    return true;
}

static void drop_readers(struct source_task *task)
{
    size_t kept = 0;
    for (size_t i = 0; i < task->n_readers; i++) {
        if (leaves(task, task->readers[i])) {
            reader_free(task->readers[i]);
        } else {
            task->readers[kept++] = task->readers[i];
        }
    }
    task->n_readers = kept;
}

static bool has_reader(const struct source_task *task, int k)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        if (reader_session(task->readers[i]) == k) {
            return true;
        }
    }
    return false;
}

static void add_readers(struct source_task *task, bool all)
{
    const struct source_settings *settings = &task->setup->settings;
    for (size_t i = 0; i < settings->n_sessions; i++) {
        if (all && !has_reader(task, settings->sessions[i])) {
            source_task_add_reader(task, settings->sessions[i]);
        }
    }
    if (all) {
        source_task_add_leavers(task);
    }
}

/* What the last poll found belongs to the readers of before: the next one asks for these. */
static void forget_polls(struct source_task *task)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        task->polls[i] = (struct pollfd){ .fd = -1 };
    }
}

static void go_over(struct source_task *task, bool may_take)
{
    bool anew = task->costs & CONFIG_COST_BIT(RECONNECT);
    drop_readers(task);
    struct setup *before = task->setup;
    task->setup = TAKE(task->next);
    if (!task->setup->pipeline) {
        setup_keep_pipeline(task->setup, before);
    }
    struct reader_parts parts;
    source_task_parts(task, &parts);
    for (size_t i = 0; i < task->n_readers; i++) {
        reader_adopt(task->readers[i], &parts, anew);
    }
    setup_free(before);
    add_readers(task, may_take);
    forget_polls(task);
    source_settings_warn(task->setup->context.connector_config, task->context->log);
    end(task, true);
}

bool live_step(struct source_task *task, bool stopping)
{
    const struct task_update *update = task_update_pending(task->context->control);
    enum live_state before = task->live;
    if (!update) {
        return false;
    }
    if (stopping) {
        setup_free(TAKE(task->next));
        task->live = LIVE_NONE;
        return false;
    }
    if (task->live == LIVE_NONE) {
        begin(task, update);
    }
    if (task->live == LIVE_QUIET && all_quiet(task)) {
        task->live = LIVE_REST;
    }
    /* Closing takes time, in which those that stay may have finished an attempt to connect and got
     * messages with it. */
    if (task->live == LIVE_REST && all_closed(task) && all_quiet(task)) {
        go_over(task, update->may_take);
    } else if (task->live != LIVE_NONE && clock_mono_ms() >= update->deadline_ms) {
        decline(task, "what was read before could not be finished in time");
    }
    return task->live != before;
}

enum reader_wish live_wish(const struct source_task *task, const struct reader *reader)
{
    unsigned whole = CONFIG_COST_BIT(PIPELINE) | CONFIG_COST_BIT(RECONNECT);
    if (task->live == LIVE_NONE || (!(task->costs & whole) && !leaves(task, reader))) {
        return READER_RUN;
    }
    return task->live == LIVE_REST && must_rest(task, reader) ? READER_REST : READER_HOLD;
}

uint64_t live_deadline(const struct source_task *task)
{
    const struct task_update *update = task_update_pending(task->context->control);
    if (!update || task_wanted(task->context->control) == TASK_WANTED_STOP) {
        return UINT64_MAX;
    }
    return task->live == LIVE_NONE ? 0 : update->deadline_ms;
}
