/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the internal topics say: folds the records of the config, status and offset topics, in
 * Kafka Connect's keys and JSON, into one state, and publishes it as immutable, reference-counted
 * snapshots. Pure: no clock, thread or library but cJSON. The state belongs to one thread (the
 * store's); snapshots may be read by any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/move_reason.h"
#include "worker/base/kvs.h"
#include "worker/base/ref.h"

/* Bounds on numbers that come from records. */
#define MAX_TASK_NUMBER 99999
#define MAX_SLOT_NUMBER 99999

enum target_state {
    TARGET_STARTED,
    TARGET_PAUSED,
    TARGET_STOPPED
};

/* States of status records and REST answers. */
enum run_state {
    STATE_UNASSIGNED,
    STATE_RUNNING,
    STATE_PAUSED,
    STATE_STOPPED,
    STATE_FAILED,
    STATE_RESTARTING,
};

/* run_state_name gives "RUNNING" ...; run_state_parse reads it; false if it is none. */
const char *run_state_name(enum run_state state);
bool run_state_parse(const char *name, enum run_state *ret_state);
/* target_state_name gives "STARTED", "PAUSED" or "STOPPED"; target_state_parse reads it. */
const char *target_state_name(enum target_state state);
bool target_state_parse(const char *name, enum target_state *ret_state);

/* One status record. Immutable; shared by the snapshots that show it. */
struct status {
    struct ref ref;
    enum run_state state;
    char *worker_id;
    char *trace;   /* NULL: none */
    char *version; /* NULL: none */
    int64_t generation;
    int64_t division; /* of a task: see struct connector_state; -1: not said */
    int64_t offset;   /* of the record in its partition: newer is greater, within one key */
    bool of_claim;    /* made of a claim, since there was no status */
};

/* The newest request to restart (restart-connector-<c>, restart-task-<c>-<n>). */
struct restart_request {
    int64_t offset; /* of its record in the config topic; -1: none since this worker started */
    bool include_tasks;
    bool only_failed;
};

struct shared_kvs; /* owner of a config that several snapshots show */

/* One task of a connector, index = task number. */
struct task_state {
    struct kvs config;      /* valid for committed tasks; a view into shared, never to be changed */
    int slot;               /* -1: not placed */
    enum move_reason why;   /* it was put there */
    int64_t moved_ms[2];    /* wall clock of its last moves by leaders, newest first; 0: none */
    struct status *status;  /* NULL: no record */
    struct claims *claims;  /* of who has or wants it (config_claims.h); NULL: none */
    bool covered;           /* a claim stands over the status */
    int64_t restart_offset; /* newest request that wants it restarted anyhow; -1: none */
    struct shared_kvs *shared;
};

/* Status of a task that the connector does not have (any more). */
struct extra_status {
    int task;
    struct status *status;
    struct claims *claims;
};

/* Everything known of one connector. Immutable once it is in a snapshot. */
struct connector_state {
    struct ref ref;
    char *name;
    bool has_config;   /* false: only a target state, status or retirement is known yet */
    struct kvs config; /* a view into shared, never to be changed */
    struct shared_kvs *shared;
    int64_t config_offset; /* of its connector- record: the version of the config; -1: none */
    enum target_state target;
    struct task_state *tasks; /* tasks of the last complete commit */
    size_t n_tasks;
    const struct kvs *last_task; /* one of the set that a stop ended, or NULL; in last_shared */
    struct shared_kvs *last_shared;
    bool committed;        /* a complete commit was seen for n_tasks */
    bool inconsistent;     /* a commit came whose task records were not all there */
    int64_t commit_offset; /* of the newest commit record: the version of the task set */
    /* config_offset that the commit was made from; -1: unknown, as in commits of other writers. */
    int64_t tasks_config_offset;
    /* Which division of the work the set is ("division" in its commit): grows whenever any task's
     * config changes, stays when the set is written again as it was; -1: unknown. */
    int64_t division;
    struct status *status; /* of the connector */
    struct restart_request restart;
    int64_t restart_failed_offset; /* newest request to restart its FAILED tasks, -1: none */
    struct shared_kvs *managed; /* mark of the file that it comes from (config_files.h), or NULL */
    struct topic_list *topics;  /* Kafka topics that its tasks have used; NULL: none */
    size_t n_extra_statuses;    /* statuses of tasks beyond n_tasks, to be removed by the leader */
    struct extra_status *extra_statuses;
};

/* A deleted connector whose outside leftovers (MQTT sessions) are still to be ended. Sorted by
 * name, then id, in a snapshot. */
struct retirement {
    struct ref ref; /* of the original, which `owner` names; a snapshot shows a view of it */
    struct retirement *owner;
    char *name;
    char *id; /* unique: the key is retire-<connector>-<id> */
    struct kvs config;
    struct kvs *task_configs;
    size_t n_task_configs;
    int64_t requested_ms; /* wall clock of the request */
    int64_t offset;
};

/* Who leads, as the last leader record says. */
struct leader_record {
    char *worker_id; /* NULL: no leader record yet */
    char *url;
    char *instance;
    int64_t offset;
};

struct snapshot {
    struct ref ref;
    struct connector_state **connectors; /* sorted by name; has_config or not */
    size_t n_connectors;
    struct retirement *retirements;
    size_t n_retirements;
    struct leader_record leader;
    struct cluster_levels *levels; /* of loggers, set since the start; NULL: none */
    struct files_notices *notices; /* which files workers have; NULL: none said so */
    struct worker_notes *notes;    /* of workers (config_workers.h); NULL: none */
    uint64_t offset_changes;       /* records of the offset topic that were folded in */
    int64_t config_position;       /* offset behind the newest config record that is folded in */
    bool caught_up;                /* all topics were read to the end that they had at the start */
};

/* A question about a snapshot; asked under a lock, so it only looks. */
typedef bool snapshot_test_fn(const struct snapshot *snapshot, const void *arg);

/* connector_state_ref and _unref keep one connector's state beyond its snapshot; both take NULL. */
struct connector_state *connector_state_ref(const struct connector_state *connector);
void connector_state_unref(struct connector_state *connector);

/* snapshot_ref and snapshot_unref take and give back a reference; both take NULL. Thread: any. */
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);
/* snapshot_find returns the connector with a config, NULL if there is none. snapshot_find_any also
 * returns one of which only leftovers are known. Borrowed from the snapshot. */
const struct connector_state *snapshot_find(const struct snapshot *snapshot, const char *name);
const struct connector_state *snapshot_find_any(const struct snapshot *snapshot, const char *name);

struct config_state *config_state_new(void);
void config_state_free(struct config_state *state);

enum log_topic {
    LOG_TOPIC_CONFIG,
    LOG_TOPIC_STATUS,
    LOG_TOPIC_OFFSET
};

/* One record of an internal topic; borrowed. */
struct log_record {
    enum log_topic topic;
    int64_t offset;
    const char *key; /* not terminated */
    size_t key_length;
    const char *value; /* NULL: tombstone */
    size_t value_length;
    const struct cJSON *parsed; /* value, for who has parsed it already; NULL: not so */
};

/* config_state_fold takes one record in; nothing it contains can make it fail: malformed or unknown
 * records are ignored and counted, as Connect does (one debug line). */
void config_state_fold(struct config_state *state, const struct log_record *record);
/* config_state_caught_up says that the history was read: from now on restart requests count. */
void config_state_caught_up(struct config_state *state);
/* config_state_snapshot returns a new reference to the present state; connectors that did not
 * change are shared with the last snapshot, and an unchanged state gives the same object. */
struct snapshot *config_state_snapshot(struct config_state *state);
/* config_state_ignored counts the records that were malformed or unknown. */
uint64_t config_state_ignored(const struct config_state *state);
