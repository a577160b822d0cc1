/* SPDX-License-Identifier: Apache-2.0 */
/* The connector kind and its task: one poll loop over the task's sessions. See README.md. */
#include "worker/connectors/mqtt_source/mqtt_source.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/lenses.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"
#include "worker/connectors/mqtt_source/retire.h"
#include "worker/connectors/mqtt_source/source_task.h"

/* A stop gives up this long before its deadline, so that closing is done by then. */
#define STOP_RESERVE_MS 100
/* Longest wait of the poll loop. */
#define POLL_MAX_MS 60000

/* A task that waits so long for the broker's answer is shown as running all the same. */
#define ANSWER_MS 3000

/* The metrics may outlive the task; nothing of it is there any more. */
static void clear_gauges(const struct source_task *task)
{
    static const enum metric_id gauges[] = { METRIC_MQTT_SESSIONS, METRIC_MQTT_CONNECTED,
                                             METRIC_PARKED, METRIC_UNACKED, METRIC_WINDOW_USE };
    for (size_t i = 0; i < N_ELEMENTS(gauges); i++) {
        metric_set(task->context->metrics, gauges[i], 0, 0);
    }
    metric_since(task->context->metrics, METRIC_OLDEST_UNACKED, 0);
}

static void source_free(void *state)
{
    struct source_task *task = state;
    if (!task) {
        return;
    }
    clear_gauges(task);
    /* The producers first: if it was the last user's, what is still under way is reported now. */
    setup_free(task->next);
    if (task->setup) {
        pipeline_close(TAKE(task->setup->pipeline));
    }
    for (size_t i = 0; i < task->n_readers; i++) {
        reader_free(task->readers[i]);
    }
    if (task->event_fd >= 0) {
        close(task->event_fd);
    }
    free(task->readers);
    free(task->polls);
    setup_free(task->setup);
    free(task);
}

void source_task_parts(struct source_task *task, struct reader_parts *ret_parts)
{
    *ret_parts = (struct reader_parts){
        .context = &task->setup->context,
        .settings = &task->setup->settings,
        .pipeline = task->setup->pipeline,
    };
}

static void add_reader(struct source_task *task, struct reader *reader)
{
    size_t n = task->n_readers + 1;
    task->readers = xrealloc(task->readers, n * sizeof(struct reader *));
    task->polls = xrealloc(task->polls, (n + 2) * sizeof(*task->polls));
    task->polls[task->n_readers] = (struct pollfd){ .fd = -1 };
    task->readers[task->n_readers++] = reader;
}

void source_task_add_reader(struct source_task *task, int k)
{
    struct reader_parts parts;
    source_task_parts(task, &parts);
    add_reader(task, reader_new(&parts, k, task->event_fd));
}

static bool has_leaver(const struct source_task *task, const char *client_id)
{
    bool has = false;
    for (size_t i = 0; i < task->n_readers && !has; i++) {
        const char *leaving = reader_leaving(task->readers[i]);
        has = leaving && strcmp(leaving, client_id) == 0;
    }
    return has;
}

/* What is not recorded was never subscribed to, or is ended. */
void source_task_add_leavers(struct source_task *task)
{
    const struct config_list *ids = &task->setup->settings.retiring;
    struct reader_parts parts;
    source_task_parts(task, &parts);
    for (size_t i = 0; i < ids->n_items; i++) {
        if (filters_known(task->context->control, ids->items[i]) &&
            !has_leaver(task, ids->items[i])) {
            add_reader(task, reader_new_leaving(&parts, ids->items[i], task->event_fd));
        }
    }
}

static void drop_gone(struct source_task *task)
{
    size_t kept = 0;
    for (size_t i = 0; i < task->n_readers; i++) {
        if (reader_gone(task->readers[i])) {
            reader_free(task->readers[i]);
        } else {
            task->polls[kept] = task->polls[i];
            task->readers[kept++] = task->readers[i];
        }
    }
    task->n_readers = kept;
}

static enum err source_new(const struct task_context *context, void **ret_task,
                           struct error *reterr)
{
    struct source_task *task = xcalloc(1, sizeof(*task));
    task->context = context;
    task->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err err =
        task->event_fd >= 0 ? ERR_OK : error_set(reterr, ERR_IO, "eventfd: %s", strerror(errno));
    err = err ? err : setup_new(context, true, &task->setup, reterr);
    if (err != ERR_OK) {
        source_free(task);
        return err;
    }
    source_settings_warn(context->connector_config, context->log);
    const struct source_settings *settings = &task->setup->settings;
    for (size_t i = 0; i < settings->n_sessions; i++) {
        source_task_add_reader(task, settings->sessions[i]);
    }
    source_task_add_leavers(task);
    *ret_task = task;
    return ERR_OK;
}

static bool all_at_rest(const struct source_task *task)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        if (!reader_at_rest(task->readers[i])) {
            return false;
        }
    }
    return true;
}

/* A producer that failed some records but lives: nothing has to be waited for. */
static void resume_readers(struct source_task *task)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        if (!reader_undelivered(task->readers[i])) {
            reader_producer_renewed(task->readers[i]);
        }
    }
}

/* A dead producer is replaced once no record is under way in it. */
static enum err renew_producer(struct source_task *task, struct error *reterr)
{
    bool wanted = false;
    for (size_t i = 0; i < task->n_readers; i++) {
        wanted = wanted || reader_wants_producer(task->readers[i]);
    }
    if (!wanted) {
        return ERR_OK;
    }
    if (!pipeline_producer_dead(task->setup->pipeline)) {
        resume_readers(task);
        return ERR_OK;
    }
    for (size_t i = 0; i < task->n_readers; i++) {
        if (reader_undelivered(task->readers[i])) {
            return ERR_OK;
        }
    }
    enum err err = pipeline_renew(task->setup->pipeline, reterr);
    for (size_t i = 0; err == ERR_OK && i < task->n_readers; i++) {
        reader_producer_renewed(task->readers[i]);
    }
    return err;
}

static void set_gauges(const struct source_task *task)
{
    struct metric_scope *metrics = task->context->metrics;
    unsigned n_connected = 0;
    unsigned n_parked = 0;
    size_t n_held = 0;
    uint64_t oldest_ms = UINT64_MAX;
    for (size_t i = 0; i < task->n_readers; i++) {
        struct reader_gauges gauges;
        reader_gauges(task->readers[i], &gauges);
        n_connected += gauges.connected;
        n_parked += gauges.parked;
        n_held += gauges.n_held;
        if (gauges.held_since_ms > 0 && gauges.held_since_ms < oldest_ms) {
            oldest_ms = gauges.held_since_ms;
        }
    }
    size_t window = task->n_readers * task->setup->settings.window;
    metric_set(metrics, METRIC_MQTT_SESSIONS, 0, (double)task->n_readers);
    metric_set(metrics, METRIC_MQTT_CONNECTED, 0, n_connected);
    metric_set(metrics, METRIC_PARKED, 0, n_parked);
    metric_set(metrics, METRIC_UNACKED, 0, (double)n_held);
    metric_set(metrics, METRIC_WINDOW_USE, 0, window > 0 ? (double)n_held / (double)window : 0);
    metric_since(metrics, METRIC_OLDEST_UNACKED, oldest_ms < UINT64_MAX ? oldest_ms : 0);
}

static enum reader_wish wish_of(const struct source_task *task)
{
    switch (task_wanted(task->context->control)) {
    case TASK_WANTED_RUN:
        return READER_RUN;
    case TASK_WANTED_PAUSE:
        return READER_REST;
    case TASK_WANTED_STOP:
        break;
    }
    uint64_t deadline_ms = task_deadline_ms(task->context->control);
    return clock_mono_ms() + STOP_RESERVE_MS >= deadline_ms ? READER_CLOSE : READER_REST;
}

/* RUNNING means that messages are taken, or that the broker cannot be reached: a task that is as
 * well as it can be is no failure of Sluice's. */
static bool all_answered(const struct source_task *task)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        if (!reader_answered(task->readers[i])) {
            return false;
        }
    }
    return true;
}

static void report(struct source_task *task, enum reader_wish wish)
{
    uint64_t now_ms = clock_mono_ms();
    if (wish != READER_RUN) {
        task->run_ms = 0;
    } else if (task->run_ms == 0) {
        task->run_ms = now_ms;
    }
    if (wish == READER_RUN && !task->reported_running &&
        (all_answered(task) || now_ms >= task->run_ms + ANSWER_MS)) {
        task_report_running(task->context->control);
        task->reported_running = true;
        task->reported_paused = false;
    }
    bool paused = task_wanted(task->context->control) == TASK_WANTED_PAUSE;
    if (paused && !task->reported_paused && all_at_rest(task)) {
        task_report_paused(task->context->control);
        task->reported_paused = true;
        task->reported_running = false;
    }
}

/* What is wanted of one reader. */
static enum reader_wish reader_wish(const struct source_task *task, enum reader_wish wish, size_t i)
{
    return wish == READER_RUN ? live_wish(task, task->readers[i]) : wish;
}

static void drain(int fd)
{
    uint64_t n = 0;
    (void)!read(fd, &n, sizeof(n));
}

static void wait(struct source_task *task, enum reader_wish wish)
{
    struct task_control *control = task->context->control;
    size_t n = task->n_readers;
    uint64_t now_ms = clock_mono_ms();
    uint64_t until = now_ms + POLL_MAX_MS;
    for (size_t i = 0; i < n; i++) {
        uint64_t due = reader_poll(task->readers[i], reader_wish(task, wish, i), &task->polls[i]);
        until = due < until ? due : until;
    }
    uint64_t live_ms = live_deadline(task);
    until = live_ms < until ? live_ms : until;
    if (wish == READER_RUN && !task->reported_running && task->run_ms + ANSWER_MS < until) {
        until = task->run_ms + ANSWER_MS;
    }
    if (task_wanted(control) == TASK_WANTED_STOP) {
        uint64_t deadline_ms = task_deadline_ms(control) - STOP_RESERVE_MS;
        until = deadline_ms < until ? deadline_ms : until;
    }
    task->polls[n] = (struct pollfd){ .fd = task_control_fd(control), .events = POLLIN };
    task->polls[n + 1] = (struct pollfd){ .fd = task->event_fd, .events = POLLIN };
    int n_ready = poll(task->polls, n + 2, until > now_ms ? (int)(until - now_ms) : 0);
    if (n_ready < 0) {
        for (size_t i = 0; i < n + 2; i++) {
            task->polls[i].revents = 0;
        }
    }
    if (task->polls[n].revents) {
        task_control_clear(control);
    }
    if (task->polls[n + 1].revents) {
        drain(task->event_fd);
    }
}

/* False: the task has to fail. */
static bool step(struct source_task *task, enum reader_wish wish, struct error *reterr)
{
    for (size_t i = 0; i < task->n_readers; i++) {
        bool ready = task->polls[i].fd >= 0 && task->polls[i].revents != 0;
        if (!reader_step(task->readers[i], reader_wish(task, wish, i), ready, reterr)) {
            return false;
        }
    }
    return renew_producer(task, reterr) == ERR_OK;
}

static enum task_end source_run(void *state, struct error *reterr)
{
    struct source_task *task = state;
    for (;;) {
        enum reader_wish wish = wish_of(task);
        if (!step(task, wish, reterr)) {
            return TASK_END_FAILED;
        }
        if (live_step(task, task_wanted(task->context->control) == TASK_WANTED_STOP)) {
            continue;
        }
        drop_gone(task);
        set_gauges(task);
        report(task, wish);
        if (task_wanted(task->context->control) == TASK_WANTED_STOP && all_at_rest(task)) {
            return TASK_END_STOPPED;
        }
        wait(task, wish_of(task));
    }
}

static const char *const class_names[] = {
    "MqttSource",
    "io.confluent.connect.mqtt.MqttSourceConnector",
    "sluice.MqttSource",
    LENSES_CLASS("source", "MqttSourceConnector"),
    LENSES_OLD_CLASS("source", "MqttSourceConnector"),
    NULL,
};

const struct connector_plugin mqtt_source_plugin = {
    .class_names = class_names,
    .type = CONNECTOR_SOURCE,
    .version = SLUICE_VERSION,
    .table = MQTT_SOURCE_TABLE,
    .validate = mqtt_source_validate,
    .task_configs = mqtt_source_task_configs,
    .task_new = source_new,
    .task_run = source_run,
    .task_free = source_free,
    .live_updates = true,
    .retire = mqtt_source_retire,
    .check_offset = filters_check_offset,
};
