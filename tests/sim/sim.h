/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole cluster in one thread on a virtual clock: pure cores (the real ones), and around them
 * virtual logs, a virtual consumer group, virtual transactions and virtual tasks. Everything random
 * comes from one seed, so that a run can be repeated. sim_run plays chaos, lets the cluster come to
 * rest, and checks after every step what must always hold and at the end what must hold at rest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/core.h"
#include "tests/support/random.h"

#define SIM_SLOTS      12
#define SIM_WORKERS    5
#define SIM_CONNECTORS 4
#define SIM_TASKS      6
#define SIM_SESSIONS   6 /* of a connector, divided over its tasks */
#define SIM_PARTITIONS 3 /* 0 is the config topic, the others are the status topic's */
#define SIM_VTASKS     256
#define SIM_MEMBERS    32
#define SIM_OPS        8

#define SIM_NEVER      UINT64_MAX
#define SIM_SESSION_MS 6000
#define SIM_REVOKE_MS  2000 /* longest wait for the tasks of revoked slots */
#define SIM_HANDOVER   1000
#define SIM_SETTLE_MS  3000
#define SIM_TTL_MS     600000
#define SIM_WALL_MS    1000000000000 /* wall clock at the virtual clock's 0 */

/* Bugs that can be planted, and what the checks say about each: X(name, text). */
#define SIM_BUGS(X)                                                                                \
    X(NONE, "")                                                                                    \
    X(NO_HANDOVER, "still has a thread")      /* cores do not wait for the old owner */            \
    X(NO_BARRIER, "still holds them")         /* nor for what another task gives up */             \
    X(STARTS_TWICE, "a second time")          /* a start is carried out twice */                   \
    X(DEAF_TO_STOPS, "without having to")     /* tasks do not stop */                              \
    X(NO_FENCE, "2 leaders")                  /* a new writer does not fence the older one */      \
    X(EARLY_LEAD, "acts as leader")           /* the core is told to lead before it may */         \
    X(BLIND, "is retired while")              /* everybody else is dead, nobody waits */           \
    X(LOST_STARTS, "does not run")            /* starts are lost */                                \
    X(OLD_CONFIGS, "runs with an old config") /* updates are answered and not taken */             \
    X(LOST_STATUSES, "has the wrong status")  /* of one task */                                    \
    X(NO_BALANCE, "loads differ")             /* loads are never evened out */                     \
    X(NO_RETIREMENT, "retirement")            /* retirements fail for ever */                      \
    X(NO_TOMBSTONES, "is left")               /* of statuses */

enum sim_bug {
#define X(name, text) SIM_BUG_##name,
    SIM_BUGS(X)
#undef X
    SIM_BUG_N
};

/* What a run is to do. */
struct sim_options {
    uint64_t seed;
    enum sim_bug bug;     /* planted */
    unsigned n_schedules; /* one after the other on one cluster: faults, then rest */
    bool trace;           /* print what happens */
    uint64_t chaos_ms;    /* longest time of random things in a schedule */
};

struct sim_record {
    enum log_topic topic;
    char *key;
    char *value;          /* NULL: tombstone */
    struct cJSON *parsed; /* value, for all readers but the first, sim->truth */
    int64_t offset;
    uint64_t at_ms;
};

struct sim_partition {
    struct sim_record *records;
    size_t n_records;
    size_t size;
    int64_t next_offset;
};

enum vtask_state {
    VTASK_FREE,
    VTASK_STARTING,
    VTASK_RUNNING,
    VTASK_PAUSED,
    VTASK_STOPPING
};

/* A task's thread. */
struct vtask {
    enum vtask_state state;
    int worker;
    uint64_t incarnation;
    int connector;
    int task;
    bool announced;   /* it has said once that it runs */
    unsigned n_joins; /* of its worker when it was started: the membership it belongs to */
    bool pause_wanted;
    uint64_t start_ms; /* when it was started */
    uint64_t stop_ms;  /* when it was asked to stop */
    uint64_t event_ms; /* when the present change is over; SIM_NEVER: none */
    uint64_t fail_ms;
    char label[16]; /* "x" of the config that it works with */
    unsigned held;  /* sessions, as bits */
    bool updating;  /* it was handed what follows */
    bool declines;  /* and will not take it */
    bool may_take;
    unsigned next_held;
    unsigned taken; /* sessions that the update under way, or the last, added */
    size_t took_position[SIM_PARTITIONS]; /* what its worker had read when it was told to */
    char next_label[16];
    uint64_t update_ms; /* when it answers; SIM_NEVER */
    bool overtaken;     /* taken over while its worker was cut off */
};

/* A retirement under way. */
struct vretire {
    bool used;
    int worker;
    uint64_t incarnation;
    int connector;
    uint64_t event_ms;
    enum err err;
};

enum sim_op_kind {
    SIM_OP_CREATE,
    SIM_OP_PUT,
    SIM_OP_SAME_PUT,
    SIM_OP_DELETE,
    SIM_OP_TARGET,
    SIM_OP_RESTART,
    SIM_OP_RESTART_TASK
};

/* A request of a REST client, served by the leader. */
struct sim_op {
    enum sim_op_kind kind;
    int connector;
    int n_tasks;
    bool auto_tasks;
    enum target_state target;
    bool bad;
    bool include_tasks;
    bool only_failed;
    int task;
};

enum sim_lead_state {
    SIM_FOLLOWS,
    SIM_INIT,     /* transactions are being initialised */
    SIM_READBACK, /* its leader record is written, and being read back */
    SIM_LEADS
};

struct sim_worker {
    char id[16];
    bool up;
    bool cut; /* off from Kafka */
    bool draining;
    unsigned process; /* counts starts */
    int64_t started_ms;
    struct core *core;
    struct config_state *state;
    struct snapshot *snapshot;
    size_t position[SIM_PARTITIONS];
    uint64_t lag_ms[SIM_PARTITIONS];
    uint64_t lost_ms; /* when it notices that its session is over; SIM_NEVER */
    uint64_t drain_ms;
    int member; /* -1: none */
    unsigned n_joins;
    uint64_t join_ms; /* SIM_NEVER: not waiting to join */
    uint64_t describe_ms;
    bool sees_dead[SIM_SLOTS]; /* slots of processes that it takes for dead */
    bool slots[SIM_SLOTS];
    uint64_t wake_ms;
    bool dirty;
    uint64_t wanted_since[SIM_CONNECTORS][SIM_TASKS]; /* 0: not wanted */
    int64_t division[SIM_CONNECTORS];                 /* as it knows it, and since when */
    uint64_t division_since[SIM_CONNECTORS];
    /* Leadership. */
    enum sim_lead_state lead_state;
    uint64_t lead_ms; /* when the step under way is over */
    uint64_t epoch;
    size_t readback[SIM_PARTITIONS];
    struct out_records batch; /* being committed */
    bool committing;
    uint64_t commit_ms;
    int64_t wait_position; /* of the config topic, before the next batch */
    struct sim_op ops[SIM_OPS];
    size_t n_ops;
    /* Status records on their way. */
    struct out_records outbox;
    uint64_t outbox_ms;
};

struct sim_member {
    bool used;
    int worker;
    unsigned process;
    uint64_t beat_ms;
    uint64_t dead_ms;  /* from then on it is taken for dead; SIM_NEVER */
    uint64_t alive_ms; /* it has objected; SIM_NEVER */
    bool revoking[SIM_SLOTS];
};

enum sim_group_state {
    SIM_GROUP_STABLE,
    SIM_GROUP_JOINING,
    SIM_GROUP_REVOKING
};

struct sim_group {
    struct sim_member members[SIM_MEMBERS];
    enum sim_group_state state;
    bool dirty;
    uint64_t step_ms;
    int owner[SIM_SLOTS]; /* member, -1: none */
    int target[SIM_SLOTS];
    uint64_t forced_ms[SIM_SLOTS]; /* when it was taken from an owner that did not give it up */
    int64_t generation;
    uint64_t assigned_ms; /* when slots were given out last */
};

struct sim {
    struct sim_options options;
    struct random random;
    uint64_t now_ms;
    struct sim_partition partitions[SIM_PARTITIONS];
    struct config_state *truth; /* all logs, folded to their ends */
    struct sim_group group;
    struct sim_worker workers[SIM_WORKERS];
    struct vtask vtasks[SIM_VTASKS];
    struct vretire vretires[SIM_VTASKS];
    uint64_t epoch;      /* of the newest transactional writer */
    uint64_t quiet_ms;   /* since when nothing random happens; SIM_NEVER */
    unsigned n_schedule; /* under way */
    unsigned n_labels;
    unsigned n_starts[SIM_CONNECTORS][SIM_TASKS];
    unsigned n_deletes;
    unsigned n_retires;
    unsigned n_updates;
    unsigned n_takeovers; /* starts while the older thread still lived, within the rules */
    char failure[512];    /* empty: all is well */
};

/* sim_run plays one seed; returns false and leaves the reason in failure (at least 512 bytes). */
bool sim_run(const struct sim_options *options, char *failure);

/* For the parts of the simulation. */
void sim_fail(struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
void sim_trace(const struct sim *sim, const char *format, ...) PRINTF_LIKE(2, 3);
uint64_t sim_between(struct sim *sim, uint64_t low, uint64_t high);
bool sim_chance(struct sim *sim, unsigned percent);
/* Lowers *next to at_ms. */
void sim_min(uint64_t *next, uint64_t at_ms);
/* Connector number of a name "c0".."c3", -1 if it is none; and the name of a number. */
const char *sim_connector_name(int connector);
int sim_connector_number(const char *name);

/* Logs (sim_log.c). */
void sim_log_append(struct sim *sim, const struct out_record *record);
void sim_log_free(struct sim *sim);
/* sim_log_compact keeps the newest record of each key, as Kafka does, if all workers have read
 * everything. */
void sim_log_compact(struct sim *sim);
/* sim_deliver hands a worker what has reached it; returns whether anything has. */
bool sim_deliver(struct sim *sim, struct sim_worker *worker);
uint64_t sim_deliver_next(const struct sim *sim, const struct sim_worker *worker);
/* sim_truth is what all logs say at their ends. Owned by the caller. */
struct snapshot *sim_truth(const struct sim *sim);

/* Group (sim_group.c). */
void sim_group_init(struct sim *sim);
void sim_group_join(struct sim *sim, struct sim_worker *worker);
void sim_group_leave(struct sim *sim, struct sim_worker *worker);
void sim_group_step(struct sim *sim);
uint64_t sim_group_next(const struct sim *sim);
/* True when this life of the worker is a member. */
bool sim_group_has(const struct sim *sim, const struct sim_worker *worker);
/* sim_group_tell gives a member the slots that it has now. */
void sim_group_tell(struct sim *sim, struct sim_worker *worker);
void sim_describe(struct sim *sim, struct sim_worker *worker);
/* sim_suspect has a member taken for dead from a while on, and until it objects if it lives. */
void sim_suspect(struct sim *sim, const struct sim_worker *worker, bool lives);

/* Workers (sim_worker.c, sim_lead.c). */
void sim_worker_start(struct sim *sim, struct sim_worker *worker);
void sim_worker_kill(struct sim *sim, struct sim_worker *worker);
void sim_worker_set_slots(struct sim *sim, struct sim_worker *worker);
void sim_worker_lost(struct sim *sim, struct sim_worker *worker);
void sim_worker_step(struct sim *sim, struct sim_worker *worker);
uint64_t sim_worker_next(const struct sim *sim, const struct sim_worker *worker);
void sim_lead_step(struct sim *sim, struct sim_worker *worker);
void sim_lead_stop(struct sim_worker *worker);
/* sim_lead_duty begins the next batch if the worker leads and none is under way. */
void sim_lead_duty(struct sim *sim, struct sim_worker *worker);
uint64_t sim_lead_next(const struct sim *sim, const struct sim_worker *worker);
struct sim_worker *sim_leader(struct sim *sim);

/* Tasks (sim_task.c). */
/* sim_sessions returns the sessions that a task's config names, as bits. */
unsigned sim_sessions(const struct connector_state *connector, int task);
void sim_task_start(struct sim *sim, struct sim_worker *worker, const struct action *action);
void sim_task_action(struct sim *sim, struct sim_worker *worker, const struct action *action);
void sim_retire_start(struct sim *sim, struct sim_worker *worker, const struct action *action);
void sim_tasks_step(struct sim *sim);
uint64_t sim_tasks_next(const struct sim *sim);

/* Checks (sim_check.c). */
/* sim_note_wanted updates wanted_since, by rules of its own. */
void sim_note_wanted(struct sim *sim, struct sim_worker *worker);
/* sim_check_start checks the hand-over rule for a thread that is about to be made. */
void sim_check_start(struct sim *sim, const struct sim_worker *worker, int connector, int task);
/* sim_check_take checks, when a task is allowed to take these sessions, that no other task of the
 * connector still holds them. */
void sim_check_take(struct sim *sim, const struct sim_worker *worker, int connector, int task,
                    unsigned sessions);
void sim_check_retire(struct sim *sim, const struct sim_worker *worker, int connector);
void sim_check_step(struct sim *sim);
void sim_check_rest(struct sim *sim);
/* sim_is_zombie tells whether a thread is one that nobody waits for any more: its membership is
 * over, or it takes longer to stop than the hand-over may take. Sessions fence those. */
bool sim_is_zombie(const struct sim *sim, const struct vtask *vtask);
/* sim_worker_wants tells by the worker's own snapshot and claims whether it has to run a task. */
bool sim_worker_wants(const struct sim_worker *worker, int connector, int task);

/* Chaos (sim_chaos.c). */
void sim_chaos_step(struct sim *sim);
void sim_chaos_end(struct sim *sim);
/* sim_request puts a request to the leader; false when there is none. */
bool sim_request(struct sim *sim, const struct sim_op *op);
