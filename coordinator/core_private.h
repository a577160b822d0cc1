/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the pure core, for its own files only. core.c holds what is known and the table of own
 * tasks, core_tasks.c decides about them, core_status.c about status records, core_lead.c,
 * core_place.c and core_retire.c do the leader's duties. Thread: the owner of the core.
 */
#pragma once

#include "coordinator/core.h"
#include "coordinator/core_auto.h"
#include "coordinator/core_barrier.h"
#include "coordinator/core_claim.h"
#include "worker/base/map.h"

/* A status that was written and has not come back by then is written again. */
#define CORE_RESEND_MS 5000
/* Config records in one batch of the leader; one connector's task set is never divided. */
#define CORE_BATCH 500
/* Retry of task configs that could not be made, as Connect does. */
#define CORE_EXPAND_MIN_MS 250
#define CORE_EXPAND_MAX_MS 60000
/* Retirements: pauses, how many at once, how long a new connector of the name waits for them. */
#define CORE_RETIRE_MIN_MS  1000
#define CORE_RETIRE_MAX_MS  60000
#define CORE_RETIRE_AT_ONCE 8
#define CORE_RECREATED_MS   10000
#define CORE_NEVER_MS       UINT64_MAX

/* What was last written under one status key. */
struct sent {
    bool any, gone; /* gone: a tombstone */
    bool confirmed; /* it was seen in a snapshot */
    enum run_state state;
    int64_t division;
    int64_t seen_offset; /* of the record in the snapshot at that time; -1: none */
    uint64_t at_ms;
};

/* X(state, has a thread) of an own task. */
#define OWN_STATES(X)                                                                              \
    X(IDLE, false)    /* to be started: waits for the old owner */                                 \
    X(STARTING, true) /* start was asked for */                                                    \
    X(RUNNING, true)                                                                               \
    X(PAUSED, true)                                                                                \
    X(STOPPING, true) /* stop was asked for */                                                     \
    X(FAILED, false)  /* waits for a restart, a changed config or another owner */                 \
    X(GONE, false)    /* not ours any more: UNASSIGNED is to be written */

enum own_state {
#define X(name, thread) OWN_##name,
    OWN_STATES(X)
#undef X
};

/* A task that this worker runs, ran or is to run. */
struct own_task {
    char *key; /* in core->own_index */
    char *connector;
    int task;
    enum own_state state;              /* changed by own_set_state only */
    uint64_t incarnation;              /* of the newest start; 0: never started */
    int slot;                          /* that it was last wanted in */
    bool paused;                       /* last asked for */
    bool restarting;                   /* by a request: RESTARTING is shown until it runs */
    bool stale;                        /* what its configs refer to is new */
    bool release;                      /* failed, and ACTION_STOP_TASK is still to be asked for */
    bool too_many;                     /* failed for the size of its set only */
    struct connector_state *from;      /* what it works with */
    struct connector_state *offered;   /* what it was asked to go over to; NULL: no question open */
    bool offered_take;                 /* with leave to take */
    bool declined;                     /* has to be restarted for a new config */
    bool partial;                      /* works with `from`, but has not taken what is new in it */
    int64_t division, claim_of;        /* the oldest that it may hold of; that its claim tells */
    uint64_t barrier_ms;               /* end of the wait for other tasks' workers; 0: none */
    int64_t barrier_of;                /* the division that is waited for */
    const struct connector_state *now; /* what wants it; NULL: nothing. Of this reconcile only */
    int64_t restart_seen, restart_failed_seen; /* newest requests that were acted on */
    uint64_t wait_until_ms;                    /* with its start, at most; 0: not waiting */
    char *claim;                               /* token of this time; NULL: none, or given up */
    uint64_t claim_ms, covered_ms; /* a claim, a covered status was written again then; 0 */
    char *trace;
    struct sent sent;
};

struct task_sent {
    int task;
    struct sent sent;
};

/* The leader's memory of one connector. */
struct lead {
    char *name;
    bool tried; /* task configs were made for this pair: only an event makes it worth again */
    int64_t tried_config, tried_commit;
    bool forced;             /* make them again although the set is up to date */
    char *failure;           /* NULL: the last try was fine */
    bool retriable, batched; /* batched: its set is in the batch that core_lead gave last */
    uint64_t retry_ms, backoff_ms;
    int64_t restart_seen;
    struct sent sent;
    const struct topic_list *topics_sent; /* whose tombstones were written; only compared */
    uint64_t topics_sent_ms;
    struct task_sent *tasks; /* statuses of tasks that the leader corrected */
    size_t n_tasks;
    int64_t *rates;             /* of its tasks, as last measured; -1: never */
    size_t n_rates, auto_tried; /* auto_tried: for so many tasks its set was made last */
};

/* The leader's memory of one retirement. */
struct retire {
    char *name, *id;
    uint64_t first_ms;     /* when this leader saw it first */
    uint64_t recreated_ms; /* when it first saw a new connector of that name; 0: not yet */
    uint64_t incarnation;  /* of a try under way; 0: none */
    uint64_t retry_ms, backoff_ms, held_ms; /* held_ms: another leader may try it until then */
    bool done;
};

struct member {
    char *worker_id;
    int32_t *slots;
    size_t n_slots;
    bool dead, leaving;
    int64_t started_ms;
};

struct core {
    struct core_options options; /* texts owned */
    struct core_port port;
    struct snapshot *snapshot; /* NULL: none yet */
    bool snapshot_new;         /* since the search for stale statuses of this worker */
    bool *claimed;             /* by slot, n_slots long */
    struct member *members;    /* in the order of their starts */
    size_t n_members;
    bool members_stale;
    int64_t generation, wall_ms;
    bool draining, leading, apart; /* apart: one set at a time, as Kafka refused several at once */
    uint64_t last_incarnation, last_claim;
    struct own_task **own;
    size_t n_own, own_size;
    struct map own_index; /* look-ups only: its order differs from run to run */
    size_t n_unwanted;    /* own tasks with a thread that nothing wants; of this reconcile only */
    struct holders holders;
    struct lead *leads; /* sorted by name: one for each connector of leads_of */
    size_t n_leads;
    struct retire *retires;                /* sorted as in the snapshot */
    size_t n_retires, n_retiring;          /* n_retiring: tries under way, of earlier terms too */
    struct snapshot *leads_of;             /* snapshot that leads and retires match */
    const struct worker_notes *notes_sent; /* of gone workers: removed; only compared */
    uint64_t notes_sent_ms;
    struct core_auto autos;
    uint64_t skew_since_ms; /* CORE_NEVER_MS: loads are even */
    uint64_t calm_since_ms; /* the group is as it is; CORE_NEVER_MS: to be noted */
};

/* core_wake lowers *wake_ms to at_ms. */
void core_wake(uint64_t *wake_ms, uint64_t at_ms);
/* core_is_me compares with this worker's id; core_maybe_alive: it is, or may be, a living one. */
bool core_is_me(const struct core *core, const char *worker_id);
bool core_maybe_alive(const struct core *core, const char *worker_id);
/* core_active tells whether a status says that a worker may have a thread for it. */
bool core_active(const struct status *status);
/* core_version returns the version of a connector's class, NULL if unknown. Borrowed. */
const char *core_version(const struct core *core, const struct connector_state *connector);
/* core_add_action appends; the caller fills the rest in. Borrowed until the next one. */
struct action *core_add_action(struct decisions *out, enum action_kind kind, uint64_t incarnation);
/* core_own returns the entry of a task; a missing one is made, in state GONE, when make is true. */
struct own_task *core_own(struct core *core, const char *connector, int task, bool make);
void core_own_free(struct core *core, size_t index);
bool own_has_thread(const struct own_task *own);
void own_set_state(struct own_task *own, enum own_state state);

/* core_too_many returns Connect's text (owned) when n tasks are too many, else NULL. */
char *core_too_many(const struct connector_state *connector, size_t n);
/* core_tasks decides about own tasks. */
void core_tasks(struct core *core, uint64_t now_ms, struct decisions *out);

/* sent_due tells whether a status has to be written so that `seen` becomes what is wanted, and
 * notes it as written; else it lowers *wake_ms if that has to be looked at again. */
bool sent_due(const struct core *core, struct sent *sent, const struct status *seen,
              const struct status_fields *want, uint64_t now_ms, uint64_t *wake_ms);
/* core_own_statuses writes what own tasks have to say, and forgets entries that have said all. */
void core_own_statuses(struct core *core, uint64_t now_ms, struct decisions *out);
/* core_lead_statuses writes connectors' statuses and corrects those that nobody else will. */
void core_lead_statuses(struct core *core, uint64_t now_ms, struct decisions *out);

/* core_lead_sync makes leads and retires match the snapshot; core_lead_forget drops them. */
void core_lead_sync(struct core *core, uint64_t now_ms);
void core_lead_forget(struct core *core, bool all); /* all: also retirements under way */
/* core_lead_find returns the leader's memory of a connector, NULL if it has none. */
struct lead *core_lead_find(struct core *core, const char *name);
/* lead_restart_due: a restart of the connector itself is asked for. */
bool lead_restart_due(const struct lead *lead, const struct connector_state *connector);
/* core_place adds placement records. */
void core_place(struct core *core, uint64_t now_ms, struct out_records *out, uint64_t *wake_ms);
/* core_retire asks for retirements; core_retired adds the records of those that are over. */
void core_retire(struct core *core, uint64_t now_ms, struct decisions *out);
void core_retired(struct core *core, uint64_t now_ms, struct out_records *out, uint64_t *wake_ms);
/* core_retire_pending tells whether a retirement of this name is in the snapshot. */
bool core_retire_pending(const struct core *core, const char *name);
