/* SPDX-License-Identifier: Apache-2.0 */
/* The connector kind and its task: one poll loop over a consumer and a publisher. See README.md. */
#include "worker/connectors/mqtt_sink/mqtt_sink.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/lenses.h"
#include "worker/connectors/mqtt_sink/sink_task.h"
#include "worker/kafka/props.h"

/* A stop gives up this long before its deadline, so that closing is done by then. */
#define STOP_RESERVE_MS 500
/* A task that fails waits so long for what is on its way. */
#define FAIL_MS 5000
/* Publisher, control, consumer, dead letters. */
#define N_POLLS 4
/* Longest time for leaving the group. */
#define LEAVE_MS 2000
/* Longest wait of the poll loop. */
#define POLL_MAX_MS 10000
/* With nothing on its way positions are committed this soon. */
#define IDLE_COMMIT_MS 500

/* ---- life ---- */

static void sink_free(void *state)
{
    struct sink_task *task = state;
    if (!task) {
        return;
    }
    metric_set(task->context->metrics, METRIC_MQTT_CONNECTED, 0, 0);
    metric_set(task->context->metrics, METRIC_UNACKED, 0, 0);
    metric_set(task->context->metrics, METRIC_WINDOW_USE, 0, 0);
    meter_clear(&task->meter);
    mqtt_publisher_free(task->publisher);
    /* Before the consumer, whose records it holds. */
    LIST_FOREACH(backlog_partitions(task->backlog), link) {
        CONTAINER_OF(link, struct sink_partition, link)->kafka->owner = NULL;
    }
    letters_free(task->letters);
    backlog_free(TAKE(task->backlog));
    kafka_consumer_close(task->consumer, LEAVE_MS);
    change_end(task);
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
    const struct kafka_consumer_handlers handlers = events_of_consumer(task);
    const struct kafka_consumer_options options = {
        .props = &props,
        .group_id = task->settings.group_id,
        .client_id = task->settings.consumer_id,
        .topics = &task->settings.topics,
        .pattern = task->settings.pattern,
    };
    return kafka_consumer_open(&options, &handlers, &task->consumer, reterr);
}

static enum err open_letters(struct sink_task *task, struct error *reterr)
{
    const struct letters_handlers handlers = events_of_letters(task);
    if (!task->settings.errors.dlq_topic) {
        return ERR_OK;
    }
    task->letters = letters_new(task->context, &task->settings, &handlers);
    return letters_prepare(task->letters, reterr);
}

void sink_open_publisher(struct sink_task *task)
{
    const struct mqtt_publisher_options publishing = {
        .window = task->settings.window,
        .timeout_ms = task->settings.publish_timeout_ms,
        .retry_ms = task->settings.errors.retry_timeout_ms,
        .retry_max_ms = (uint64_t)task->settings.errors.retry_delay_max_ms,
    };
    const struct mqtt_publisher_handlers handlers = events_of_publisher(task);
    task->publisher = mqtt_publisher_new(&task->settings.options, &publishing, &handlers);
}

static enum err sink_new(const struct task_context *context, void **ret_task, struct error *reterr)
{
    struct sink_task *task = xcalloc(1, sizeof(*task));
    task->context = context;
    task->end_ms = UINT64_MAX;
    task->backlog = backlog_new();
    meter_init(&task->meter, context->metrics, clock_mono_ms());
    task->fetched = xcalloc(KAFKA_TAKE_MAX, sizeof(*task->fetched));
    enum err err = sink_settings_read(context, &task->settings, reterr);
    err = err ? err : preparer_new(context, &task->settings, &task->preparer, reterr);
    err = err ? err : open_letters(task, reterr);
    err = err ? err : open_consumer(task, reterr);
    if (err != ERR_OK) {
        sink_free(task);
        return err;
    }
    sink_settings_warn(context->connector_config, context->log);
    sink_open_publisher(task);
    *ret_task = task;
    return ERR_OK;
}

/* ---- the loop ---- */

/* Whether a record has failed the task, or will when its dead letter is written: what is behind it
 * must not overtake it. */
static bool is_halted(const struct sink_task *task)
{
    return task->failed ||
           (task->letters && !task->settings.errors.tolerate && letters_count(task->letters) > 0);
}

static bool has_room(const struct sink_task *task)
{
    return !is_halted(task) && !task->paused && !change_holds(task) &&
           (!task->letters || letters_count(task->letters) < LETTERS_MAX) &&
           backlog_items(task->backlog) < 2 * task->settings.window &&
           backlog_bytes(task->backlog) < task->settings.buffer_bytes;
}

/* True: the record is to be published. */
static bool take_record(struct sink_task *task, struct kafka_fetched *fetched, uint64_t now_us)
{
    struct sink_item *item = backlog_add(task->backlog, fetched, now_us);
    active_topic_used(item->partition->topic);
    struct failure failure;
    failure.error.text[0] = '\0';
    enum prepare_result result = PREPARE_DROP;
    if (preparer_make(task->preparer, item, &result, &failure) != ERR_OK) {
        sink_handle_bad(task, item, &failure);
        return false;
    }
    if (result == PREPARE_SEND) {
        backlog_fly(item);
        mqtt_publisher_send(task->publisher, &item->publication);
        return true;
    }
    if (result == PREPARE_LOOP) {
        metric_add(task->context->metrics, METRIC_LOOPED, 0, 1);
    }
    backlog_done(task->backlog, item);
    return false;
}

/* Offsets that begin again, as those of a topic that was made again do, or one that comes twice, as
 * a record does that was taken while a rebalance began: what lies before it is still to be done. */
static void follow_rewind(struct sink_task *task, const struct kafka_fetched *fetched)
{
    struct sink_partition *partition = fetched->partition->owner;
    if (fetched->offset < partition->taken &&
        !backlog_rewound(task->backlog, partition, fetched->offset)) {
        sink_restart_partition(task, partition);
    }
}

static void take_records(struct sink_task *task)
{
    if (!has_room(task)) {
        return; /* what waits is told of once, and room may come before the next wait */
    }
    task->more = false;
    while (has_room(task)) {
        size_t n_bytes = 0;
        size_t n_sent = 0;
        size_t n = kafka_consumer_take(task->consumer, task->fetched, KAFKA_TAKE_MAX, &task->more);
        uint64_t now_us = clock_mono_us();
        for (size_t i = 0; i < n; i++) {
            if (is_halted(task)) {
                kafka_fetched_free(&task->fetched[i]);
                continue;
            }
            follow_rewind(task, &task->fetched[i]);
            n_bytes += task->fetched[i].value.length;
            n_sent += take_record(task, &task->fetched[i], now_us);
        }
        if (n > 0) {
            active_topics_tell(task->context->topics);
            meter_batch(&task->meter, n, n_sent, n_bytes, clock_mono_us() - now_us);
        }
        if (!task->more) {
            return;
        }
    }
}

static void commit(struct sink_task *task, bool only_revoked, uint64_t now_ms)
{
    size_t n = 0;
    struct kafka_position *positions = backlog_uncommitted(task->backlog, only_revoked, &n);
    struct error error = { ERR_OK, "" };
    task->commit_ms = now_ms;
    if (n > 0) {
        task->committing = true;
        if (kafka_consumer_commit(task->consumer, positions, n, &error) != ERR_OK) {
            sink_committed(task, error.code, error.text);
        }
    }
    free(positions);
}

/* When something may be committed at once, as a revocation or an end wants it; UINT64_MAX: there is
 * nothing to commit, or it has to be waited for. */
static uint64_t commit_now_ms(const struct sink_task *task, bool only_revoked)
{
    if (task->committing || !backlog_dirty(task->backlog, only_revoked) ||
        !kafka_consumer_may_commit(task->consumer)) {
        return UINT64_MAX;
    }
    return task->again_ms;
}

static uint64_t commit_due_ms(const struct sink_task *task)
{
    if (commit_now_ms(task, false) == UINT64_MAX) {
        return UINT64_MAX;
    }
    bool last = (task->revoking && backlog_flying(task->backlog, true) == 0 &&
                 backlog_dirty(task->backlog, true)) ||
                (task->end_ms != UINT64_MAX && backlog_flying(task->backlog, false) == 0);
    if (last) {
        return task->again_ms;
    }
    bool idle = backlog_items(task->backlog) == 0;
    return task->commit_ms + (idle ? IDLE_COMMIT_MS : task->settings.commit_every_ms);
}

/* Revoked partitions are given up once nothing of them is on its way and their positions are
 * committed, or when that takes too long. The others are not looked at: their positions move all
 * the time under load, and the whole group waits for this. */
static void go_on_revoking(struct sink_task *task, uint64_t now_ms)
{
    bool late = now_ms >= task->revoke_deadline_ms;
    if (!task->revoking || (!late && backlog_flying(task->backlog, true) > 0)) {
        return;
    }
    if (!late && commit_now_ms(task, true) <= now_ms) {
        commit(task, true, now_ms);
    }
    if (!late && (task->committing || backlog_dirty(task->backlog, true))) {
        return;
    }
    LIST_FOREACH(backlog_partitions(task->backlog), link) {
        struct sink_partition *partition = CONTAINER_OF(link, struct sink_partition, link);
        if (partition->revoked) {
            sink_drop_partition(task, partition);
        }
    }
    task->revoking = false;
    kafka_consumer_release(task->consumer);
}

static void set_gauges(const struct sink_task *task)
{
    metric_set(task->context->metrics, METRIC_MQTT_CONNECTED, 0,
               mqtt_publisher_connected(task->publisher));
    size_t n_sent = mqtt_publisher_sent(task->publisher);
    metric_set(task->context->metrics, METRIC_UNACKED, 0, (double)n_sent);
    metric_set(task->context->metrics, METRIC_WINDOW_USE, 0,
               (double)n_sent / (double)mqtt_publisher_window(task->publisher));
}

static void follow_wish(struct sink_task *task, enum task_wanted wanted, uint64_t now_ms)
{
    bool pause = wanted != TASK_WANTED_RUN;
    task->failing_ms = pause ? 0 : task->failing_ms; /* nobody tries: no time is lost */
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
                           task->revoking ? task->revoke_deadline_ms : UINT64_MAX,
                           task->letters ? letters_due(task->letters) : UINT64_MAX,
                           change_deadline(task),
                           task->end_ms };
    for (size_t i = 0; i < N_ELEMENTS(dues_ms); i++) {
        until_ms = dues_ms[i] < until_ms ? dues_ms[i] : until_ms;
    }
    if (task->more && has_room(task)) {
        until_ms = now_ms;
    }
    mqtt_publisher_poll(task->publisher, &polls[0]);
    polls[1] = (struct pollfd){ .fd = task_control_fd(task->context->control), .events = POLLIN };
    polls[2] = (struct pollfd){ .fd = kafka_consumer_fd(task->consumer), .events = POLLIN };
    polls[3] =
        (struct pollfd){ .fd = task->letters ? letters_fd(task->letters) : -1, .events = POLLIN };
    if (poll(polls, N_POLLS, until_ms > now_ms ? (int)(until_ms - now_ms) : 0) < 0) {
        for (size_t i = 0; i < N_POLLS; i++) {
            polls[i].revents = 0;
        }
    }
    if (polls[1].revents) {
        task_control_clear(task->context->control);
    }
    if (polls[2].revents) {
        kafka_consumer_clear(task->consumer);
        task->more = true;
    }
}

/* Whether an end has nothing more to wait for: what is on its way is acknowledged, and committed.
 */
static bool drained(struct sink_task *task, uint64_t now_ms, uint64_t deadline_ms)
{
    if (now_ms >= deadline_ms) {
        return true;
    }
    bool waits =
        mqtt_publisher_connected(task->publisher) && backlog_flying(task->backlog, false) > 0;
    if (!waits && commit_now_ms(task, false) <= now_ms) {
        commit(task, false, now_ms);
    }
    return !waits && !task->committing && !backlog_dirty(task->backlog, false);
}

/* Whether the task ends now; a task that fails finishes what it has begun, within bounds. */
static bool ends(struct sink_task *task, enum task_wanted wanted, uint64_t now_ms)
{
    if (task->failed && task->end_ms == UINT64_MAX) {
        task->end_ms = now_ms + FAIL_MS;
    }
    if (wanted == TASK_WANTED_STOP) {
        uint64_t stop_ms = task_deadline_ms(task->context->control) - STOP_RESERVE_MS;
        task->end_ms = stop_ms < task->end_ms ? stop_ms : task->end_ms;
    }
    return task->end_ms != UINT64_MAX && drained(task, now_ms, task->end_ms);
}

static enum task_end sink_run(void *state, struct error *reterr)
{
    struct sink_task *task = state;
    struct pollfd polls[N_POLLS] = { { .fd = -1 } };
    for (;;) {
        enum task_wanted wanted = task_wanted(task->context->control);
        uint64_t now_ms = clock_mono_ms();
        bool may_connect = wanted == TASK_WANTED_RUN && !task->failed;
        kafka_consumer_serve(task->consumer);
        mqtt_publisher_tick(task->publisher, now_ms, may_connect, polls[0].revents != 0);
        follow_wish(task, wanted, now_ms);
        change_step(task, wanted == TASK_WANTED_STOP, now_ms);
        take_records(task);
        mqtt_publisher_flush(task->publisher, now_ms);
        go_on_revoking(task, now_ms);
        if (commit_due_ms(task) <= now_ms) {
            commit(task, false, now_ms);
        }
        if (task->letters) {
            letters_review(task->letters);
        }
        set_gauges(task);
        meter_tick(&task->meter, task->backlog, task->consumer, now_ms);
        if (ends(task, wanted, now_ms)) {
            break;
        }
        wait(task, may_connect, polls);
    }
    mqtt_publisher_disconnect(task->publisher, clock_mono_ms());
    if (task->failed) {
        *reterr = task->error;
        return TASK_END_FAILED;
    }
    return TASK_END_STOPPED;
}

static const char *const class_names[] = {
    "MqttSink",
    "io.confluent.connect.mqtt.MqttSinkConnector",
    "sluice.MqttSink",
    LENSES_CLASS("sink", "MqttSinkConnector"),
    LENSES_OLD_CLASS("sink", "MqttSinkConnector"),
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
    .live_updates = true,
};
