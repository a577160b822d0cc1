/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The coordinator's pure core: everything a worker decides, without clock, thread or library. The
 * herder (or a simulation) feeds it what is known, asks it what to do, and does it. All duties are
 * level-triggered: "make it match", never "react to this event", so that asking twice does no harm
 * and a lost event is made good at the next look.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/config_state.h"
#include "coordinator/records.h"
#include "worker/base/err.h"

struct core;

/* What the core asks of connector kinds; the herder backs it with the plug-in list, the simulation
 * with a fake. */
struct core_port {
    void *arg;
    /* Task configs of a connector (connector_plugin.task_configs with task.class added); n_auto is
     * what tasks.max=auto stands for. On failure the text becomes the connector's trace. */
    enum err (*task_configs)(void *arg, const struct connector_state *connector, size_t n_auto,
                             struct kvs **ret_configs, size_t *ret_n, struct error *reterr);
    /* Version text of a connector class, NULL if unknown. Borrowed. */
    const char *(*version)(void *arg, const char *class_name);
};

struct core_options {
    const char *worker_id; /* host:port as advertised */
    const char *url;       /* advertised REST URL */
    const char *instance;  /* unique per process start */
    int n_slots;
    uint64_t settle_ms;     /* rebalance.settle.ms */
    uint64_t handover_ms;   /* longest wait for another worker's word; default 1000 */
    uint64_t retire_ttl_ms; /* give up a retirement after this time */
    /* So long a worker may not know that it leads no more: it may be retiring something until
     * then, and ends that when it knows. */
    uint64_t retire_hold_ms;
};

struct core_member {
    const char *worker_id;
    const int32_t *slots;
    size_t n_slots;
    /* It is in the group still, but its process is gone: the leader moves its tasks, and nobody
     * waits for its word. Another entry with the same worker_id may live. */
    bool dead;
    /* It hands its tasks over and stops: the leader gives them to others at once. */
    bool leaving;
    int64_t started_ms; /* wall clock; 0: unknown */
};

enum action_kind {
    ACTION_START_TASK, /* connector, task, incarnation, paused; configs from the snapshot */
    /* incarnation; also once for each that failed, to release what is left of it */
    ACTION_STOP_TASK,
    ACTION_PAUSE_TASK,
    ACTION_RESUME_TASK,
    ACTION_UPDATE_TASK, /* connector, task, incarnation, may_take; configs from the snapshot */
    ACTION_RETIRE,      /* leader: incarnation, connector, retire_id */
};

struct action {
    enum action_kind kind;
    uint64_t incarnation;
    char *connector; /* owned by the list */
    int task;
    bool paused;
    bool may_take; /* no other task can still hold what is new for this one */
    char *retire_id;
};

/* What core_reconcile decided. */
struct decisions {
    struct action *actions;
    size_t n_actions;
    size_t size;
    struct out_records statuses; /* to be written without waiting, by any worker */
    uint64_t wake_ms;            /* ask again at this monotonic time; UINT64_MAX: on events only */
};

void decisions_init(struct decisions *decisions);
void decisions_fini(struct decisions *decisions);

struct core *core_new(const struct core_options *options, const struct core_port *port);
void core_free(struct core *core);

/* Inputs. The core takes a reference to the snapshot. */
void core_set_snapshot(struct core *core, struct snapshot *snapshot);
/* core_set_slots replaces the set of slots that this worker claims. A change makes the known
 * members stale: until core_set_members is called again, no worker is taken for dead. */
void core_set_slots(struct core *core, const int32_t *slots, size_t n_slots);
/* core_set_members replaces the known group: who lives and which slots each holds. The newest state
 * of a stable group, this worker included; none: unknown. */
void core_set_members(struct core *core, const struct core_member *members, size_t n_members);
/* core_group_changes makes the known members stale: the group has begun or ended a rebalance. */
void core_group_changes(struct core *core);
/* core_set_generation gives the number that status records carry; it grows with each rebalance. */
void core_set_generation(struct core *core, int64_t generation);
/* core_set_wall gives the wall clock, ms: moves of tasks are told apart by it. */
void core_set_wall(struct core *core, int64_t wall_ms);
/* core_set_draining: this worker is going away: it stops all tasks and starts none. */
void core_set_draining(struct core *core);
/* core_set_leading tells whether this worker holds the last slot, has initialised its transactions
 * and has read back its own leader record. */
void core_set_leading(struct core *core, bool leading);

/* Events of tasks that ACTION_START_TASK started. FAILED: the thread has ended by itself; STOPPED:
 * it has ended and everything of it is released. Stale incarnations are ignored. trace is
 * borrowed. */
enum core_task_event {
    CORE_TASK_RUNNING,
    CORE_TASK_PAUSED,
    CORE_TASK_FAILED,
    CORE_TASK_STOPPED,
    CORE_TASK_CHANGED, /* what its configs refer to is new: it is to have it, also if it failed */
    CORE_TASK_UPDATED, /* an ACTION_UPDATE_TASK was taken */
    CORE_TASK_DECLINED /* it needs a restart */
};
void core_on_task(struct core *core, uint64_t incarnation, enum core_task_event event,
                  const char *trace);
/* The end of an ACTION_RETIRE. */
void core_on_retired(struct core *core, uint64_t incarnation, enum err err);

/* core_reconcile initialises ret_decisions and decides what this worker has to do now about its own
 * tasks (start, stop, pause, resume, restart) and which statuses to write, and, when it leads, the
 * connectors' statuses and retirements to run. now_ms is monotonic. */
void core_reconcile(struct core *core, uint64_t now_ms, struct decisions *ret_decisions);
/* core_lead initialises ret_records and returns the next batch of config records that a leader has
 * to write: task configs and commits of connectors whose set does not match, placements, clean-up;
 * empty when all matches. The caller writes the batch as one transaction, waits until its snapshot
 * has it, sets that snapshot and asks again. ret_wake_ms as in struct decisions. */
void core_lead(struct core *core, uint64_t now_ms, struct out_records *ret_records,
               uint64_t *ret_wake_ms);

/* core_lead_refused tells that the last batch cannot be written, for good and for the reason text.
 * True: what comes next is another batch, without the set that was refused if that is known (its
 * connector is FAILED until its config changes), else with one set only, until none is left. False:
 * it was not for a connector's set. */
bool core_lead_refused(struct core *core, const char *text, uint64_t now_ms);

/* core_slots_idle tells whether no task of these slots is still running here: a revocation may be
 * completed. */
bool core_slots_idle(const struct core *core, const int32_t *slots, size_t n_slots);
/* core_knows_task tells whether a task runs here, is to, or has something to say still. */
bool core_knows_task(struct core *core, const char *connector, int task);
/* core_each_task calls fn for each task that has a thread on this worker. */
typedef void core_task_fn(void *arg, const char *connector, int task);
void core_each_task(const struct core *core, core_task_fn *fn, void *arg);
/* core_tasks_wanted counts those of them that are to run here, as the last reconcile saw it. */
size_t core_tasks_wanted(const struct core *core);
/* core_tasks_here counts the tasks that have a thread on this worker. */
size_t core_tasks_here(const struct core *core);
