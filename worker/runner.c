/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks and retirements by incarnation. Every list belongs to the owner's thread, which also joins
 * threads that have ended. See runner.h. */
#include "worker/runner.h"

#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/connector.h"
#include "worker/providers/watch.h"
#include "worker/task.h"
#include "worker/task_inputs.h"

/* Retirements are tried again until they succeed; their failures are written this often at most. */
#define RETIRE_LOG_MS 30000

struct runner {
    struct kvs worker_props;
    struct providers *providers;
    struct task_host host;
    struct list tasks;
    struct list retirements;
    int stop_fd; /* readable while those in the list are to give up */
};

struct retirement {
    struct list link;
    const struct task_host *host;
    const int *stop_fd;
    uint64_t incarnation;
    char *connector;
    char *group_id;
    struct kvs config;
    struct kvs *task_configs;
    size_t n_task_configs;
    struct thread thread;
    atomic_bool ended;
};

/* On the watch's thread. */
static void on_values_changed(void *arg, uint64_t incarnation)
{
    const struct runner *runner = arg;
    struct task_event event = { .kind = TASK_EVENT_CHANGED, .incarnation = incarnation };
    runner->host.on_event(runner->host.arg, &event);
}

struct runner *runner_new(const struct kvs *worker_props, const struct offset_port *offsets,
                          runner_event_fn *on_event, void *arg)
{
    struct runner *runner = xcalloc(1, sizeof(*runner));
    kvs_init(&runner->worker_props);
    kvs_copy(&runner->worker_props, worker_props);
    struct error error;
    ASSERT(providers_new(worker_props, &runner->providers, &error) == ERR_OK);
    runner->host = (struct task_host){
        .worker_props = &runner->worker_props,
        .providers = runner->providers,
        .watch = watch_new(runner->providers, on_values_changed, runner),
        .offsets = *offsets,
        .on_event = on_event,
        .arg = arg,
    };
    list_init(&runner->tasks);
    list_init(&runner->retirements);
    runner->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ASSERT(runner->stop_fd >= 0);
    return runner;
}

static void retirement_free(struct retirement *retirement)
{
    thread_join(&retirement->thread);
    connector_configs_free(retirement->task_configs, retirement->n_task_configs);
    kvs_fini(&retirement->config);
    free(retirement->connector);
    free(retirement->group_id);
    free(retirement);
}

static void sweep_retirements(struct runner *runner)
{
    LIST_FOREACH(&runner->retirements, item) {
        struct retirement *retirement = CONTAINER_OF(item, struct retirement, link);
        if (atomic_load(&retirement->ended)) {
            list_remove(item);
            retirement_free(retirement);
        }
    }
}

/* What is not retired yet stays recorded: the next leader goes on with it. */
void runner_end_retirements(struct runner *runner)
{
    (void)eventfd_write(runner->stop_fd, 1);
}

/* What begins while others have still to give up gives up, too, and is tried again. */
static void rearm(struct runner *runner)
{
    eventfd_t value;
    if (list_empty(&runner->retirements)) {
        (void)eventfd_read(runner->stop_fd, &value);
    }
}

void runner_free(struct runner *runner)
{
    if (!runner) {
        return;
    }
    LIST_FOREACH(&runner->tasks, item) {
        list_remove(item);
        task_free(task_of_link(item));
    }
    runner_end_retirements(runner);
    LIST_FOREACH(&runner->retirements, item) {
        list_remove(item);
        retirement_free(CONTAINER_OF(item, struct retirement, link));
    }
    (void)close(runner->stop_fd);
    watch_free(runner->host.watch);
    providers_free(runner->providers);
    kvs_fini(&runner->worker_props);
    free(runner);
}

static struct task *find(struct runner *runner, uint64_t incarnation)
{
    LIST_FOREACH(&runner->tasks, item) {
        if (task_is(task_of_link(item), incarnation)) {
            return task_of_link(item);
        }
    }
    return NULL;
}

/* Frees earlier incarnations that have ended; tells whether there are any. */
static bool sweep_earlier(struct runner *runner, const struct task_spec *spec)
{
    bool any = false;
    LIST_FOREACH(&runner->tasks, item) {
        struct task *task = task_of_link(item);
        bool same = task_same(task, spec->connector, spec->task);
        any = any || same;
        if (same && task_done(task)) {
            list_remove(item);
            task_free(task);
        }
    }
    return any;
}

/* Earlier ones go only when the new one has taken the same metrics, so that counters go on. */
void runner_start(struct runner *runner, const struct task_spec *spec)
{
    struct task *task = task_start(&runner->host, spec);
    if (sweep_earlier(runner, spec)) {
        struct metric_scope *metrics = metrics_task(spec->connector, spec->task);
        metric_add(metrics, METRIC_TASK_RESTARTS, 0, 1);
        metrics_task_drop(metrics);
    }
    list_push_back(&runner->tasks, task_link(task));
}

static bool runs_again(struct runner *runner, const struct task *task)
{
    LIST_FOREACH(&runner->tasks, item) {
        struct task *other = task_of_link(item);
        if (task_same(other, task_connector(task), task_number(task)) && !task_done(other)) {
            return true;
        }
    }
    return false;
}

void runner_sweep(struct runner *runner, runner_keep_fn *keep, void *arg)
{
    LIST_FOREACH(&runner->tasks, item) {
        struct task *task = task_of_link(item);
        if (task_done(task) &&
            (!keep(arg, task_connector(task), task_number(task)) || runs_again(runner, task))) {
            list_remove(item);
            task_free(task);
        }
    }
    sweep_retirements(runner);
}

void runner_stop(struct runner *runner, uint64_t incarnation, uint64_t deadline_ms)
{
    struct task *task = find(runner, incarnation);
    if (task) {
        task_ask_stop(task, deadline_ms);
    }
}

void runner_pause(struct runner *runner, uint64_t incarnation)
{
    struct task *task = find(runner, incarnation);
    if (task) {
        task_ask_pause(task, true);
    }
}

void runner_resume(struct runner *runner, uint64_t incarnation)
{
    struct task *task = find(runner, incarnation);
    if (task) {
        task_ask_pause(task, false);
    }
}

void runner_update(struct runner *runner, uint64_t incarnation, const struct runner_update *update)
{
    struct task *task = find(runner, incarnation);
    if (task) {
        task_ask_update(task, update);
    }
}

static enum err retire(struct retirement *retirement, struct error *reterr)
{
    const char *class_name = kvs_get(&retirement->config, "connector.class");
    const struct connector_plugin *plugin = class_name ? connector_find(class_name) : NULL;
    if (!plugin || !plugin->retire) {
        return ERR_OK;
    }
    struct task_inputs inputs;
    if (task_inputs_open(retirement->host->providers, &retirement->config, retirement->task_configs,
                         retirement->n_task_configs, &inputs, reterr) != ERR_OK) {
        return ERR_UNAVAILABLE; /* the file may come back */
    }
    struct kvs *tasks = xcalloc(inputs.n_tasks, sizeof(*tasks));
    for (size_t i = 0; i < inputs.n_tasks; i++) {
        tasks[i] = inputs.tasks[i].config; /* a view: not to be released here */
    }
    struct connector_facts facts = {
        .name = retirement->connector,
        .group_id = retirement->group_id,
        .stop_fd = retirement->stop_fd,
    };
    enum err err = plugin->retire(&facts, &inputs.connector.config, tasks, inputs.n_tasks, reterr);
    free(tasks);
    task_inputs_redact(&inputs, reterr);
    task_inputs_close(&inputs);
    return err;
}

static void *retire_main(void *arg)
{
    struct retirement *retirement = arg;
    struct error error = { ERR_OK, "" };
    enum err err = retire(retirement, &error);
    if (err != ERR_OK) {
        static struct log_limit limit;
        unsigned suppressed = 0;
        if (log_limit_pass(&limit, RETIRE_LOG_MS, &suppressed)) {
            log_warn(NULL, "RETIRE-FAIL", "connector=%s error=\"%s\" suppressed=%u",
                     retirement->connector, error.text, suppressed);
        }
    }
    struct task_event event = {
        .kind = RETIRE_EVENT_DONE,
        .incarnation = retirement->incarnation,
        .err = err,
        .trace = err == ERR_OK ? NULL : error.text,
    };
    /* Whoever has the event finds it ended. */
    atomic_store(&retirement->ended, true);
    retirement->host->on_event(retirement->host->arg, &event);
    return NULL;
}

void runner_retire(struct runner *runner, uint64_t incarnation, const char *connector,
                   const struct kvs *config, const struct kvs *task_configs, size_t n_task_configs)
{
    sweep_retirements(runner);
    rearm(runner);
    struct retirement *retirement = xcalloc(1, sizeof(*retirement));
    list_init(&retirement->link);
    retirement->host = &runner->host;
    retirement->stop_fd = &runner->stop_fd;
    retirement->incarnation = incarnation;
    retirement->connector = xstrdup(connector);
    const char *group_id = kvs_get(&runner->worker_props, "group.id");
    retirement->group_id = xstrdup(group_id ? group_id : "");
    kvs_init(&retirement->config);
    kvs_copy(&retirement->config, config);
    retirement->task_configs = xcalloc(n_task_configs + 1, sizeof(*retirement->task_configs));
    retirement->n_task_configs = n_task_configs;
    for (size_t i = 0; i < n_task_configs; i++) {
        kvs_init(&retirement->task_configs[i]);
        kvs_copy(&retirement->task_configs[i], &task_configs[i]);
    }
    list_push_back(&runner->retirements, &retirement->link);
    thread_start(&retirement->thread, "retire", retire_main, retirement);
}
