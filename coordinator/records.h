/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builders of internal-topic records, the inverse of config_state_fold: keys and JSON as Kafka
 * Connect writes them, and Sluice's own (placement-, retire-, restart-task-, leader), which Connect
 * ignores. Pure. All texts are owned by the list.
 */
#pragma once

#include "coordinator/config_state.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* A record to be written; topic says where. */
struct out_record {
    enum log_topic topic;
    char *key;
    char *value; /* NULL: tombstone */
};

struct out_records {
    struct out_record *items;
    size_t n_items;
    size_t size;
};

void out_records_init(struct out_records *records);
void out_records_fini(struct out_records *records);

/* records_take moves all records of `from`, which is empty then, behind those of `to`. */
void records_take(struct out_records *to, struct out_records *from);
/* records_check refuses a record that has more than CONNECTOR_RECORD_LIMIT bytes: Kafka would not
 * take it, nor anything that is written together with it. Errors: ERR_TOO_LARGE. */
enum err records_check(const struct out_records *records, struct error *reterr) MUST_CHECK;

/* record_own adds a record of a kind that only its own file knows; key and value (NULL: tombstone)
 * are taken. */
void record_own(struct out_records *out, enum log_topic topic, char *key, char *value);
void record_connector(struct out_records *out, const char *name, const struct kvs *config);
void record_target(struct out_records *out, const char *name, enum target_state target);
/* record_tasks adds the task- records and the commit; config_offset: of the connector record that
 * they were made from; division: as in struct connector_state. */
void record_tasks(struct out_records *out, const char *name, const struct kvs *configs,
                  size_t n_configs, int64_t config_offset, int64_t division);
/* record_stop adds the commit of no tasks. It keeps one config of the set that was ("last-task",
 * which Connect ignores), so that the next set is made with knowledge of it. */
void record_stop(struct out_records *out, const struct connector_state *connector);
/* record_placement adds the slot of each task and why it sits there. */
struct seat;
void record_placement(struct out_records *out, const char *name, const struct seat *seats,
                      size_t n_seats);
/* record_worker adds what a worker says; note NULL: nothing (any more). */
struct worker_note;
void record_worker(struct out_records *out, const char *worker_id, const struct worker_note *note);
void record_restart(struct out_records *out, const char *name, bool include_tasks,
                    bool only_failed);
void record_restart_task(struct out_records *out, const char *name, int task);
void record_leader(struct out_records *out, const char *worker_id, const char *url,
                   const char *instance);
/* record_retire asks for the end of what a connector leaves outside. It keeps one config of the
 * connector's tasks, as record_stop does. */
void record_retire(struct out_records *out, const struct connector_state *connector, const char *id,
                   int64_t now_wall_ms);
void record_retired(struct out_records *out, const char *name, const char *id);
/* record_delete adds the tombstones of a connector: config, target state, placement, the mark of
 * its file, topics that it has used. Its task and commit records stay, as in Connect, which takes
 * tombstones of those for errors; they mean nothing without a config. */
void record_delete(struct out_records *out, const struct connector_state *connector);
/* Status records: of the connector (task -1) or one task. */
struct status_fields {
    enum run_state state;
    const char *worker_id;
    const char *trace;
    const char *version;
    int64_t generation;
    int64_t division; /* of a task that may have a thread; -1: leave it out */
    /* Of a task, with UNASSIGNED: the token of a claim; "": it is given up; NULL: it is none. */
    const char *claim;
};
void record_status(struct out_records *out, const char *name, int task,
                   const struct status_fields *status);
void record_status_gone(struct out_records *out, const char *name, int task);
/* record_topic_use adds that a task has used a Kafka topic; record_topic_unused removes it. */
void record_topic_use(struct out_records *out, const char *name, int task, const char *topic,
                      int64_t now_wall_ms);
void record_topic_unused(struct out_records *out, const char *name, const char *topic);
/* record_topics_unused removes all that the connector is known to have used. */
void record_topics_unused(struct out_records *out, const struct connector_state *connector);
/* record_logger adds the level of a logger in the whole cluster. */
void record_logger(struct out_records *out, const char *name, const char *level);
/* record_offset_by_key adds a source offset under the key of its record; value NULL removes it. */
void record_offset_by_key(struct out_records *out, const char *key, const char *value);
/* record_offset adds a source offset; offset NULL removes it. */
void record_offset(struct out_records *out, const char *name, const char *partition,
                   const char *offset);
