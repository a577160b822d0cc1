/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One incarnation of a task: its thread, its state machine and what the plug-in sees as struct
 * task_control. The runner makes, stops and joins it; the plug-in runs on the task's thread.
 */
#pragma once

#include "worker/base/list.h"
#include "worker/base/metrics.h"
#include "worker/runner.h"

/* X(name, label index in the state metrics or -1) */
#define TASK_STATES(X)                                                                             \
    X(STARTING, 3)                                                                                 \
    X(RUNNING, 0)                                                                                  \
    X(PAUSED, 1)                                                                                   \
    X(STOPPING, 4)                                                                                 \
    X(FAILED, 2)                                                                                   \
    X(STOPPED, -1)

enum task_state {
#define X(name, label) TASK_STATE_##name,
    TASK_STATES(X)
#undef X
    TASK_STATE_N
};

struct providers;
struct task;
struct watch;

/* What a task needs from its runner; outlives the task. */
struct task_host {
    const struct kvs *worker_props;
    const struct providers *providers;
    struct watch *watch; /* of the files behind placeholders */
    struct offset_port offsets;
    runner_event_fn *on_event;
    void *arg;
};

/* task_start makes a task and its thread. Thread: the runner's owner. */
struct task *task_start(const struct task_host *host, const struct task_spec *spec);
/* task_ask_stop asks for an end by deadline_ms; TASK_EVENT_STOPPED follows once, here when the
 * thread has ended already. An earlier deadline may be set again later. Thread: the owner's. */
void task_ask_stop(struct task *task, uint64_t deadline_ms);
/* task_ask_pause changes the wish between running and paused. Thread: the owner's. */
void task_ask_pause(struct task *task, bool paused);
/* task_ask_update hands new configs over; an answer follows unless the task ends. Thread: the
 * owner's. */
void task_ask_update(struct task *task, const struct runner_update *update);
/* task_done tells whether the last event was sent. Thread: the owner's. */
bool task_done(struct task *task);
/* task_is tells whether this is the incarnation; task_same whether it is the same task. */
bool task_is(const struct task *task, uint64_t incarnation);
bool task_same(const struct task *task, const char *connector, int number);
/* task_connector (borrowed) and task_number tell which task it is. */
const char *task_connector(const struct task *task);
int task_number(const struct task *task);
/* task_free joins the thread and frees. Thread: the owner's. */
void task_free(struct task *task);
/* task_link and task_of_link put a task into the runner's list. */
struct list *task_link(struct task *task);
struct task *task_of_link(struct list *link);
/* task_state_name returns e.g. "RUNNING". */
const char *task_state_name(enum task_state state);
/* task_move_allowed tells whether the state machine has this move. Thread: any. */
bool task_move_allowed(enum task_state from, enum task_state to);
