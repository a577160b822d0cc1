/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the herder, shared by herder*.c only. Fields belong to the herder's thread unless they
 * say otherwise.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/config_files.h"
#include "coordinator/core.h"
#include "coordinator/file_reader.h"
#include "coordinator/herder.h"
#include "coordinator/herder_lead.h"
#include "coordinator/herder_note.h"
#include "coordinator/leader_writer.h"
#include "coordinator/membership.h"
#include "coordinator/moves.h"
#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/queue.h"
#include "worker/base/ref.h"
#include "worker/base/thread.h"
#include "worker/providers/providers.h"
#include "worker/runner.h"

enum herder_op_kind {
    HERDER_OP_SNAPSHOT, /* store -> herder: a new snapshot is there */
    HERDER_OP_GAINED,   /* group -> herder: slots were assigned */
    HERDER_OP_REVOKED,  /* group -> herder: slots are to be given up; the group waits */
    HERDER_OP_LOST,     /* group -> herder: slots are gone */
    HERDER_OP_MEMBERS,  /* group -> herder: who is in the group */
    HERDER_OP_WATCH,    /* watch -> herder: a REST port refuses connections, or takes them again */
    HERDER_OP_TASK,     /* task -> herder: an event of a task or retirement */
    HERDER_OP_WRITTEN,  /* leader writer -> herder: a job is done */
    HERDER_OP_CHANGE,   /* any -> herder: a client's change */
    HERDER_OP_WRITE,    /* any -> herder: records that any worker may write */
    HERDER_OP_PULSE,    /* any -> herder: shows by being taken that the loop turns */
    HERDER_OP_DRAIN,    /* main -> herder: stop all tasks */
    HERDER_OP_STOP,     /* main -> herder: end the thread */
};

/* A client's change and its answer; referenced by who waits and by the herder. */
/* Connect's words for a request that another worker has to carry out. */
#define NOT_LEADER_TEXT                                                                            \
    "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"

struct change {
    struct ref ref;
    struct cluster_request *request;
    bool abandoned; /* under the herder's lock, as all below it: nobody waits any more */
    bool done;
    enum err err;
    struct error error;
    struct cluster_reply reply;
};

struct herder_op {
    struct list node;
    enum herder_op_kind kind;
    int32_t *slots; /* GAINED, REVOKED, LOST */
    size_t n_slots;
    uint64_t ticket;              /* REVOKED */
    struct membership membership; /* MEMBERS */
    struct task_event event;      /* TASK; trace is owned */
    struct leader_result result;  /* WRITTEN; text is owned */
    bool refused;                 /* WATCH; text is the instance */
    char *text;                   /* owns event.trace or result.text */
    struct change *change;        /* CHANGE */
    struct out_records records;   /* WRITE */
    uint64_t deadline_ms;         /* DRAIN */
};

enum files_state {
    FILES_UNKNOWN, /* no set yet, or nobody knows who is in the group */
    FILES_DIFFER,  /* another worker has other files */
    FILES_AGREED,
};

#define N_FILE_CHANGES 3 /* create, update, delete */

/* Connectors from files (herder_files.c). */
struct files {
    struct file_reader *reader; /* NULL: connectors.dir is not set */
    char *folder;
    bool prune;
    uint64_t delete_after_ms;
    struct file_set *set; /* the newest, NULL: none yet */
    char announced[FILE_SET_DIGEST];
    uint64_t announced_ms;
    struct files_notices *heard; /* the newest; with generation, to see when they change */
    int64_t generation;
    uint64_t quiet_since_ms;
    enum files_state state; /* written under the herder's lock, as the next one */
    char other[256];        /* FILES_DIFFER: who has other files */
    uint64_t since_ms;      /* since when nothing of state and set has changed */
    uint64_t wake_ms;
    struct snapshot *seen; /* what the metrics were made of, with the set; NULL: make them anew */
    struct snapshot *settled; /* nothing is to be done on it; NULL: look */
    bool settled_deletes;
    unsigned pending[N_FILE_CHANGES]; /* in the batch that is being written */
};

struct herder {
    struct herder_options options;
    struct queue ops;
    struct herder_op snapshot_op; /* in the queue at most once */
    atomic_bool snapshot_posted;
    struct herder_op pulse_op; /* the same */
    _Atomic uint64_t pulse_ms; /* since when it is in the queue; 0: it is not */
    struct thread thread;

    struct lock lock;
    struct cond changed;
    uint64_t revokes_done; /* under lock, as all up to the blank line */
    bool handed_over;
    bool drained;
    bool abandoned; /* the drain's time is over */

    uint64_t next_ticket; /* the group's thread's */

    struct core *core;
    struct providers *providers; /* of configs; immutable */
    struct runner *runner;
    struct leader_writer *writer;
    struct snapshot *snapshot; /* the one that the core has */
    bool *claimed;             /* by slot */
    size_t n_claimed;
    struct membership membership;
    bool members_known;
    bool members_stale; /* the group has changed since */
    bool joined;
    bool lost;
    bool newcomer; /* an older worker with our URL was there when we came */
    uint64_t rival_deadline_ms;
    int64_t generation;
    bool draining;
    uint64_t drain_deadline_ms;
    bool handing_over;            /* it drains, and leads until its tasks are given to others */
    uint64_t hand_over_ms;        /* until then at most */
    struct herder_op *revocation; /* being waited for by the group, NULL if none */
    struct lead lead;
    struct files files;
    struct view_leader told; /* what the view was told last */
    struct self self;
    struct moves *moves;
    const struct snapshot *looked_at; /* by herder_roster_step; only compared */
    bool members_changed;             /* since then */
    bool roster_stale;                /* what REST shows is older than what is known */
    uint64_t wake_ms;                 /* of the core */
    bool stopping;
};

/* herder_op_new makes an op; herder_op_free releases it and what it owns. */
struct herder_op *herder_op_new(enum herder_op_kind kind);
void herder_op_free(struct herder_op *op);
/* herder_post queues an op, or frees it when the herder has ended. Thread: any. */
void herder_post(struct herder *herder, struct herder_op *op);

/* herder_port fills the core's and the runner's ports (herder_ports.c). */
void herder_core_port(struct herder *herder, struct core_port *ret_port);
void herder_offset_port(struct herder *herder, struct offset_port *ret_port);
/* herder_on_task_event is the runner's callback. Thread: the tasks'. */
void herder_on_task_event(void *arg, const struct task_event *event);

/* herder_tell_leader tells the view who leads (herder.c). */
void herder_tell_leader(struct herder *herder);

/* Connectors from files (herder_files.c). herder_files_step looks at the newest set, tells the
 * others of it and finds out whether they agree; herder_files_lead adds to a leader's batch what
 * the files ask for, and herder_files_written takes its outcome. herder_files_refuse tells whether
 * a change is up to a file; herder_files_release adds to a planned change of a config (none: it was
 * refused) that the connector does not come from a file any more, where no folder is read. */
void herder_files_init(struct herder *herder);
void herder_files_stop(struct herder *herder);
void herder_files_fini(struct herder *herder);
void herder_files_step(struct herder *herder, uint64_t now_ms);
void herder_files_lead(struct herder *herder, uint64_t now_ms, struct out_records *records);
void herder_files_written(struct herder *herder, bool written);
bool herder_files_refuse(struct herder *herder, const struct cluster_request *request,
                         struct error *reterr);
void herder_files_release(struct herder *herder, const struct cluster_request *request,
                          struct out_records *records);

/* Going (herder_drain.c). herder_on_drain begins with it, herder_drain_step ends leading when the
 * tasks are given to others, herder_release_waiters lets the group go on, and main, when what they
 * wait for has come. */
void herder_on_drain(struct herder *herder, uint64_t deadline_ms);
void herder_drain_step(struct herder *herder, uint64_t now_ms);
void herder_release_waiters(struct herder *herder);

/* herder_roster_step notes which tasks have moved and shows REST who is in the cluster
 * (herder_roster.c). */
void herder_roster_step(struct herder *herder);

/* herder_write_plain has records written that need no leader, by the writer that never blocks. */
void herder_write_plain(struct herder *herder, const struct out_records *records);
