/* SPDX-License-Identifier: Apache-2.0 */
/* A task's thread and state machine. See task.h. */
#include "worker/task.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/active_topics.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/base/open_files.h"
#include "worker/base/thread.h"
#include "worker/connector.h"
#include "worker/providers/watch.h"
#include "worker/task_inputs.h"

struct task_control {
    atomic_int wanted;            /* enum task_wanted; owner -> task */
    _Atomic uint64_t deadline_ms; /* owner -> task */
    int event_fd;                 /* -1: none was to be had, for the reason event_errno */
    int event_errno;
};

/* New configs on their way to the task. */
struct pending {
    struct kvs connector_config;
    struct kvs task_config;
    struct task_inputs *inputs; /* made of them on the task's thread; NULL: not yet */
    struct task_update update;
};

struct task {
    struct list link; /* the owner's */
    const struct task_host *host;
    char *connector;
    int number;
    uint64_t incarnation;
    const struct connector_plugin *plugin; /* NULL: unknown class */
    struct kvs connector_config;           /* the thread's, as what follows up to `topics` */
    struct kvs task_config;
    struct task_inputs *inputs;
    struct task_context context; /* names the inputs */
    struct log_ctx log;
    struct metric_scope *metrics;
    struct task_control control;
    struct active_topics *topics; /* the thread's */
    struct thread thread;
    struct lock lock; /* guards what follows */
    enum task_state state;
    struct pending *pending; /* NULL: none; once seen it belongs to the task until it answers */
    bool stop_asked;
    bool ended;     /* the thread has sent its last event but STOPPED */
    bool stop_sent; /* TASK_EVENT_STOPPED was sent */
};

static const char *const state_names[] = {
#define X(name, label) #name,
    TASK_STATES(X)
#undef X
};

static const int state_labels[] = {
#define X(name, label) label,
    TASK_STATES(X)
#undef X
};

/* Rows: from; columns: STARTING RUNNING PAUSED STOPPING FAILED STOPPED. A failed task shows as such
 * until it is freed, also when it was asked to stop. */
static const bool allowed[TASK_STATE_N][TASK_STATE_N] = {
    [TASK_STATE_STARTING] = { false, true, true, true, true, true },
    [TASK_STATE_RUNNING] = { false, false, true, true, true, true },
    [TASK_STATE_PAUSED] = { false, true, false, true, true, true },
    [TASK_STATE_STOPPING] = { false, false, false, false, true, true },
    [TASK_STATE_FAILED] = { false, false, false, false, false, false },
    [TASK_STATE_STOPPED] = { false, false, false, false, false, false },
};

/* Tasks of the process by state, for the gauge. */
static _Atomic int counts[TASK_STATE_N];

const char *task_state_name(enum task_state state)
{
    return state_names[state];
}

bool task_move_allowed(enum task_state from, enum task_state to)
{
    return allowed[from][to];
}

static void count_state(struct task *task, enum task_state state, int change)
{
    int label = state_labels[state];
    int n = atomic_fetch_add(&counts[state], change) + change;
    if (label >= 0) {
        metric_set(metrics_worker(), METRIC_TASKS, (unsigned)label, n);
        metric_set(task->metrics, METRIC_TASK_STATE, (unsigned)label, change > 0 ? 1 : 0);
    }
}

/* The one place that changes the state. False: the move is not allowed, as when a task reports that
 * it runs while its stop is on the way. */
static bool set_state(struct task *task, enum task_state state, const char *reason)
{
    lock_take(&task->lock);
    enum task_state old = task->state;
    bool moves = allowed[old][state];
    if (moves) {
        task->state = state;
    }
    lock_drop(&task->lock);
    if (moves) {
        count_state(task, old, -1);
        count_state(task, state, 1);
        log_info(&task->log, "TASK-STATE", "from=%s to=%s reason=\"%s\"", state_names[old],
                 state_names[state], reason);
    }
    return moves;
}

static void emit(struct task *task, enum task_event_kind kind, enum err err, const char *trace)
{
    struct task_event event = { kind, task->incarnation, err, trace };
    task->host->on_event(task->host->arg, &event);
}

enum task_wanted task_wanted(const struct task_control *control)
{
    return (enum task_wanted)atomic_load(&control->wanted);
}

int task_control_fd(const struct task_control *control)
{
    return control->event_fd;
}

void task_control_clear(struct task_control *control)
{
    uint64_t n = 0;
    (void)!read(control->event_fd, &n, sizeof(n));
}

uint64_t task_deadline_ms(const struct task_control *control)
{
    return atomic_load(&control->deadline_ms);
}

static void wake(struct task_control *control)
{
    uint64_t one = 1;
    (void)!write(control->event_fd, &one, sizeof(one));
}

void task_report_running(struct task_control *control)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    if (set_state(task, TASK_STATE_RUNNING, "work began")) {
        emit(task, TASK_EVENT_RUNNING, ERR_OK, NULL);
    }
}

void task_report_paused(struct task_control *control)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    if (set_state(task, TASK_STATE_PAUSED, "asked to pause")) {
        emit(task, TASK_EVENT_PAUSED, ERR_OK, NULL);
    }
}

static void inputs_free(struct task_inputs *inputs)
{
    if (inputs) {
        task_inputs_close(inputs);
        free(inputs);
    }
}

static void pending_free(struct pending *pending)
{
    if (pending) {
        inputs_free(pending->inputs);
        kvs_fini(&pending->connector_config);
        kvs_fini(&pending->task_config);
        free(pending);
    }
}

/* Resolves the placeholders of new configs. */
static enum err open_pending(const struct task *task, struct pending *pending)
{
    struct error error = { ERR_OK, "" };
    struct task_inputs *inputs = xcalloc(1, sizeof(*inputs));
    enum err err = task_inputs_open(task->host->providers, &pending->connector_config,
                                    &pending->task_config, 1, inputs, &error);
    if (err != ERR_OK) {
        log_info(&task->log, "TASK-UPDATE-DECLINED", "reason=\"%s\"", error.text);
        free(inputs);
        return err;
    }
    pending->inputs = inputs;
    pending->update.connector_config = &inputs->connector.config;
    pending->update.task_config = &inputs->tasks[0].config;
    return ERR_OK;
}

const struct task_update *task_update_pending(struct task_control *control)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    lock_take(&task->lock);
    struct pending *pending = task->pending;
    lock_drop(&task->lock);
    if (!pending) {
        return NULL;
    }
    if (!pending->inputs && open_pending(task, pending) != ERR_OK) {
        task_update_answer(control, false); /* the restart fails with it, for all to see */
        return NULL;
    }
    return &pending->update;
}

static void swap_kvs(struct kvs *a, struct kvs *b)
{
    struct kvs kept = *a;
    *a = *b;
    *b = kept;
}

/* config.action.reload=restart: the task is to have new values when they come. */
static bool wants_reload(const struct kvs *connector_config)
{
    CLEANUP(free_charp)
    char *action = config_text(connector_common_table(CONNECTOR_SOURCE), connector_config,
                               "config.action.reload");
    return strcasecmp(action, "none") != 0;
}

static void watch_inputs(const struct task *task)
{
    const struct task_inputs *inputs = task->inputs;
    if (wants_reload(&inputs->connector.config)) {
        struct watch *watch = task->host->watch;
        watch_add(watch, task->incarnation, task->log.text, &task->connector_config,
                  &inputs->connector);
        watch_add(watch, task->incarnation, task->log.text, &task->task_config, &inputs->tasks[0]);
    }
}

/* What was pending is what the task works with now; `pending` gets what it was before. */
static void go_over(struct task *task, struct pending *pending)
{
    struct task_inputs *before = task->inputs;
    task->inputs = pending->inputs;
    pending->inputs = before;
    swap_kvs(&task->connector_config, &pending->connector_config);
    swap_kvs(&task->task_config, &pending->task_config);
    task->context.connector_config = &task->inputs->connector.config;
    task->context.task_config = &task->inputs->tasks[0].config;
    watch_remove(task->host->watch, task->incarnation);
    watch_inputs(task);
}

void task_update_answer(struct task_control *control, bool taken)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    lock_take(&task->lock);
    struct pending *pending = TAKE(task->pending);
    lock_drop(&task->lock);
    if (!pending) {
        return;
    }
    if (taken) {
        go_over(task, pending);
    }
    pending_free(pending);
    log_info(&task->log, "TASK-UPDATE", "result=%s", taken ? "taken" : "restart");
    metric_add(task->metrics, METRIC_TASK_UPDATES, taken ? 0 : 1, 1);
    emit(task, taken ? TASK_EVENT_UPDATED : TASK_EVENT_DECLINED, ERR_OK, NULL);
}

char *task_offset_get(struct task_control *control, const char *partition)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    const struct offset_port *port = &task->host->offsets;
    return port->get ? port->get(port->arg, task->connector, partition) : NULL;
}

void task_offset_put(struct task_control *control, const char *partition, const char *offset)
{
    struct task *task = CONTAINER_OF(control, struct task, control);
    const struct offset_port *port = &task->host->offsets;
    if (port->put) {
        port->put(port->arg, task->connector, partition, offset);
    }
}

/* The plug-in's part: make, run, free. */
static enum task_end run_plugin(struct task *task, struct error *reterr)
{
    const struct connector_plugin *plugin = task->plugin;
    if (!plugin) {
        const char *class_name = kvs_get(&task->connector_config, "connector.class");
        (void)error_set(reterr, ERR_NOT_FOUND, "connector.class %s is not known to this worker",
                        class_name ? class_name : "(missing)");
        return TASK_END_FAILED;
    }
    task->context = (struct task_context){
        .connector = task->connector,
        .task = task->number,
        .connector_config = &task->inputs->connector.config,
        .task_config = &task->inputs->tasks[0].config,
        .worker_props = task->host->worker_props,
        .log = &task->log,
        .metrics = task->metrics,
        .control = &task->control,
        .topics = task->topics,
    };
    void *state = NULL;
    enum err err = plugin->task_new(&task->context, &state, reterr);
    if (err != ERR_OK) {
        return TASK_END_FAILED;
    }
    enum task_end end = plugin->task_run(state, reterr);
    plugin->task_free(state);
    return end;
}

/* Has it told when a config that cannot be resolved can be: the task is to start again then. False:
 * all of them can be by now. */
static bool watch_unresolved(const struct task *task)
{
    const struct kvs *configs[] = { &task->connector_config, &task->task_config };
    bool unresolved = false;
    for (size_t i = 0; i < N_ELEMENTS(configs); i++) {
        struct resolution tried;
        enum err err = providers_try(task->host->providers, configs[i], &tried, NULL);
        if (err != ERR_OK && wants_reload(&task->connector_config)) {
            watch_add(task->host->watch, task->incarnation, task->log.text, configs[i], &tried);
        }
        unresolved = unresolved || err != ERR_OK;
        resolution_fini(&tried);
    }
    return unresolved;
}

/* Runs the plug-in with resolved configs. What it says in the end names no secret. */
static enum task_end run_resolved(struct task *task, struct error *reterr)
{
    struct task_inputs inputs;
    if (task->control.event_fd < 0) {
        (void)open_files_error(reterr, "the task cannot start", task->control.event_errno);
        return TASK_END_FAILED;
    }
    while (task_inputs_open(task->host->providers, &task->connector_config, &task->task_config, 1,
                            &inputs, reterr) != ERR_OK) {
        if (watch_unresolved(task)) {
            return TASK_END_FAILED;
        }
    }
    task->inputs = xmemdup(&inputs, sizeof(inputs));
    watch_inputs(task);
    enum task_end end = run_plugin(task, reterr);
    task_inputs_redact(task->inputs, reterr);
    inputs_free(TAKE(task->inputs));
    return end;
}

/* Notes that the thread ends or that a stop was asked, and tells whether this caller is the one to
 * send STOPPED: the later of the two. */
static bool claim_stopped(struct task *task, bool ends, bool asked)
{
    lock_take(&task->lock);
    task->ended = task->ended || ends;
    task->stop_asked = task->stop_asked || asked;
    bool mine = task->ended && task->stop_asked && !task->stop_sent;
    task->stop_sent = task->stop_sent || mine;
    lock_drop(&task->lock);
    return mine;
}

static void *task_main(void *arg)
{
    struct task *task = arg;
    struct error error = { ERR_OK, "" };
    enum task_end end = run_resolved(task, &error);
    if (end == TASK_END_FAILED) {
        (void)set_state(task, TASK_STATE_FAILED, "error");
        log_error(&task->log, "TASK-FAILED", "error=\"%s\"", error.text);
        emit(task, TASK_EVENT_FAILED, error.code, error.text);
    }
    /* A plug-in that stops unasked is stopped as well: nobody would ask it again. */
    if (claim_stopped(task, true, end == TASK_END_STOPPED)) {
        (void)set_state(task, TASK_STATE_STOPPED, "ended");
        emit(task, TASK_EVENT_STOPPED, ERR_OK, NULL);
    }
    return NULL;
}

struct task *task_start(const struct task_host *host, const struct task_spec *spec)
{
    struct task *task = xcalloc(1, sizeof(*task));
    list_init(&task->link);
    task->host = host;
    task->connector = xstrdup(spec->connector);
    task->number = spec->task;
    task->incarnation = spec->incarnation;
    kvs_init(&task->connector_config);
    kvs_init(&task->task_config);
    kvs_copy(&task->connector_config, spec->connector_config);
    kvs_copy(&task->task_config, spec->task_config);
    const char *class_name = kvs_get(&task->connector_config, "connector.class");
    task->plugin = class_name ? connector_find(class_name) : NULL;
    (void)snprintf(task->log.text, sizeof(task->log.text), "connector=%.140s task=%d",
                   spec->connector, spec->task);
    task->metrics = metrics_task(spec->connector, spec->task);
    task->topics = active_topics_new(&host->offsets, task->connector, spec->task);
    lock_init(&task->lock, LOCK_RANK_RUNNER);
    task->control.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    task->control.event_errno = errno;
    atomic_init(&task->control.wanted, spec->paused ? TASK_WANTED_PAUSE : TASK_WANTED_RUN);
    atomic_init(&task->control.deadline_ms, UINT64_MAX);
    task->state = TASK_STATE_STARTING;
    count_state(task, TASK_STATE_STARTING, 1);
    char name[16];
    (void)snprintf(name, sizeof(name), "task-%d", spec->task);
    thread_start(&task->thread, name, task_main, task);
    return task;
}

void task_ask_stop(struct task *task, uint64_t deadline_ms)
{
    atomic_store(&task->control.deadline_ms, deadline_ms);
    atomic_store(&task->control.wanted, TASK_WANTED_STOP);
    (void)set_state(task, TASK_STATE_STOPPING, "asked to stop");
    wake(&task->control);
    if (claim_stopped(task, false, true)) {
        emit(task, TASK_EVENT_STOPPED, ERR_OK, NULL);
    }
}

void task_ask_pause(struct task *task, bool paused)
{
    enum task_wanted wanted = task_wanted(&task->control);
    if (wanted != TASK_WANTED_STOP) {
        atomic_store(&task->control.wanted, paused ? TASK_WANTED_PAUSE : TASK_WANTED_RUN);
        wake(&task->control);
    }
}

void task_ask_update(struct task *task, const struct runner_update *update)
{
    struct pending *pending = xcalloc(1, sizeof(*pending));
    kvs_init(&pending->connector_config);
    kvs_init(&pending->task_config);
    kvs_copy(&pending->connector_config, update->connector_config);
    kvs_copy(&pending->task_config, update->task_config);
    pending->update.may_take = update->may_take;
    pending->update.deadline_ms = update->deadline_ms;
    lock_take(&task->lock);
    ASSERT(!task->pending);
    task->pending = pending;
    lock_drop(&task->lock);
    if (task->plugin && task->plugin->live_updates) {
        wake(&task->control);
    } else {
        task_update_answer(&task->control, false);
    }
}

bool task_done(struct task *task)
{
    lock_take(&task->lock);
    bool done = task->stop_sent;
    lock_drop(&task->lock);
    return done;
}

bool task_is(const struct task *task, uint64_t incarnation)
{
    return task->incarnation == incarnation;
}

bool task_same(const struct task *task, const char *connector, int number)
{
    return task->number == number && strcmp(task->connector, connector) == 0;
}

const char *task_connector(const struct task *task)
{
    return task->connector;
}

int task_number(const struct task *task)
{
    return task->number;
}

void task_free(struct task *task)
{
    if (!task) {
        return;
    }
    thread_join(&task->thread);
    watch_remove(task->host->watch, task->incarnation);
    count_state(task, task->state, -1);
    metrics_task_drop(task->metrics);
    active_topics_free(task->topics);
    if (task->control.event_fd >= 0) {
        close(task->control.event_fd);
    }
    lock_fini(&task->lock);
    pending_free(task->pending);
    kvs_fini(&task->connector_config);
    kvs_fini(&task->task_config);
    free(task->connector);
    free(task);
}

struct list *task_link(struct task *task)
{
    return &task->link;
}

struct task *task_of_link(struct list *link)
{
    return CONTAINER_OF(link, struct task, link);
}
