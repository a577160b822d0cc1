/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs tasks: one thread each, a state machine around the connector plug-in (task.c), events back
 * to whoever owns the runner. Also runs retirements, each on a short-lived thread.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct runner;

enum task_event_kind {
    TASK_EVENT_RUNNING,
    TASK_EVENT_PAUSED,
    TASK_EVENT_STOPPED,  /* the last event of an incarnation, also after FAILED once stopped */
    TASK_EVENT_FAILED,   /* trace says why; the thread has ended, runner_stop frees what is left */
    TASK_EVENT_UPDATED,  /* runner_update was taken: the task works with the new configs */
    TASK_EVENT_DECLINED, /* it was not: the task has to be restarted for them */
    TASK_EVENT_CHANGED,  /* a value behind a placeholder of its configs is new: update or restart it
                          */
    RETIRE_EVENT_DONE,   /* retirement: err ERR_OK, or why it has to be tried again */
};

struct task_event {
    enum task_event_kind kind;
    uint64_t incarnation; /* of the task or retirement */
    enum err err;
    const char *trace; /* borrowed during the call; NULL if none */
};

/* Called on task threads; must not block: copy into a queue. */
typedef void runner_event_fn(void *arg, const struct task_event *event);

/* What a task is started with; all copied. */
struct task_spec {
    const char *connector;
    int task;
    uint64_t incarnation; /* unique within the process */
    bool paused;          /* start in the paused state */
    const struct kvs *connector_config;
    const struct kvs *task_config;
};

/* Where source offsets live, and who is told of the Kafka topics that tasks use; called on task
 * threads. */
struct offset_port {
    void *arg;
    char *(*get)(void *arg, const char *connector, const char *partition);
    void (*put)(void *arg, const char *connector, const char *partition, const char *offset);
    /* NULL: topics are not tracked. *topic_removals grows when topics that were told are forgotten,
     * so that those that are still in use have to be told again. */
    void (*topic_used)(void *arg, const char *connector, int task, const char *topic);
    const atomic_ulong *topic_removals;
};

/* runner_new makes a runner; worker_props, which worker_config_check has passed, is copied. */
struct runner *runner_new(const struct kvs *worker_props, const struct offset_port *offsets,
                          runner_event_fn *on_event, void *arg);
/* runner_free joins every thread; all tasks must have been asked to stop. */
void runner_free(struct runner *runner);

/* runner_start starts a task on a thread of its own. Thread: the owner's. */
void runner_start(struct runner *runner, const struct task_spec *spec);
/* runner_stop asks a task to drain and end by deadline_ms (monotonic); TASK_EVENT_STOPPED follows,
 * also for a task that failed. Unknown incarnations are ignored. Thread: the owner's. */
void runner_stop(struct runner *runner, uint64_t incarnation, uint64_t deadline_ms);
/* runner_pause and runner_resume change the wish; an event follows when it is reached. */
void runner_pause(struct runner *runner, uint64_t incarnation);
void runner_resume(struct runner *runner, uint64_t incarnation);

/* New configs for a task; both are copied. */
struct runner_update {
    const struct kvs *connector_config;
    const struct kvs *task_config;
    bool may_take; /* see struct task_update */
    uint64_t deadline_ms;
};

/* runner_update hands new configs to a task. TASK_EVENT_UPDATED or TASK_EVENT_DECLINED follows,
 * unless the task ends first; only then may the next one be handed over. Thread: the owner's. */
void runner_update(struct runner *runner, uint64_t incarnation, const struct runner_update *update);
/* runner_sweep frees tasks that have stopped, and their metrics, unless keep says that they may be
 * started again: their counters are to go on. Thread: the owner's. */
typedef bool runner_keep_fn(void *arg, const char *connector, int task);
void runner_sweep(struct runner *runner, runner_keep_fn *keep, void *arg);
/* runner_retire ends what a deleted connector left outside; RETIRE_EVENT_DONE follows. */
void runner_retire(struct runner *runner, uint64_t incarnation, const char *connector,
                   const struct kvs *config, const struct kvs *task_configs, size_t n_task_configs);
/* runner_end_retirements lets those that are under way give up; their events follow. */
void runner_end_retirements(struct runner *runner);
