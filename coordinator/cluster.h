/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The coordinator as REST and main see it: start and stop a worker of the cluster, read its
 * snapshot, send it a change. Behind it stand the herder, store, group and writer threads.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/config_offsets.h"
#include "coordinator/config_state.h"
#include "coordinator/file_set.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct cluster;

/* cluster_start begins to start a worker: it checks and creates the internal topics, reads them,
 * joins the group, all on its own threads, and returns at once. props are the worker's properties,
 * validated (see worker/worker_config.h); copied. on_fatal is called once, on a thread of the
 * cluster, when the worker cannot go on (wrong topic policy, second worker with the same URL,
 * authorisation): text is one line that names key, value and mend; main then stops with exit 1. */
struct cluster_options {
    const struct kvs *props;
    const char *worker_id;        /* advertised host:port */
    const char *url;              /* advertised REST URL, without a slash at its end */
    struct file_check file_check; /* of connectors from files; lives as long as the cluster */
    void (*on_fatal)(void *arg, const char *text);
    void *arg;
};
enum err cluster_start(const struct cluster_options *options, struct cluster **ret_cluster,
                       struct error *reterr) MUST_CHECK;
/* cluster_drain hands all tasks over and leaves the group within
 * task.shutdown.graceful.timeout.ms; blocks. cluster_free then releases everything. */
void cluster_drain(struct cluster *cluster);
void cluster_free(struct cluster *cluster);

enum cluster_phase {
    CLUSTER_STARTING,
    CLUSTER_READY,
    CLUSTER_DRAINING,
    CLUSTER_UNHEALTHY
};
/* cluster_takes_tasks tells whether the worker is ready and has its share of the slots, or has seen
 * that there is none for it. Whoever replaces workers one by one waits for this: one that is ended
 * while the group still divides the slots anew makes that take a second more. Any thread. */
bool cluster_takes_tasks(struct cluster *cluster);

/* cluster_health returns the phase; stage (at least 256 bytes) gets what the worker is doing in
 * Connect's words, "" if nothing is known, and ret_since_ms the wall clock when that began. Never
 * blocks. Thread: any. */
enum cluster_phase cluster_health(struct cluster *cluster, char *stage, size_t size,
                                  int64_t *ret_since_ms);
/* cluster_turns tells whether the worker's main loop, the herder's, goes round: false when it has
 * not answered the question of an earlier call for ten seconds. So it is to be asked again and
 * again. It depends neither on Kafka nor on MQTT; a worker that still starts, or whose loop has
 * ended with the drain, turns. now_ms is monotonic. Never blocks. Thread: any. */
bool cluster_turns(struct cluster *cluster, uint64_t now_ms);
/* cluster_kafka_id writes Kafka's cluster id ("" until known). Thread: any. */
void cluster_kafka_id(struct cluster *cluster, char *id, size_t size);
/* cluster_worker_id and cluster_url return what was given at the start. */
const char *cluster_worker_id(const struct cluster *cluster);
/* cluster_snapshot returns a reference to the newest snapshot; never NULL. Thread: any. */
struct snapshot *cluster_snapshot(struct cluster *cluster);
/* cluster_roster returns a reference to who is in the cluster (roster.h), NULL while that is not
 * known. Thread: any. */
struct roster;
struct roster *cluster_roster(struct cluster *cluster);
/* cluster_wait_position waits until the snapshot has folded config records up to position
 * (exclusive), or the deadline: ERR_TIMEOUT. Thread: any. */
enum err cluster_wait_position(struct cluster *cluster, int64_t position,
                               uint64_t deadline_ms) MUST_CHECK;
/* cluster_wait_leader waits until somebody leads and writes the leader's URL; ret_self tells
 * whether it is this worker. ERR_TIMEOUT at the deadline (0: do not wait). */
enum err cluster_wait_leader(struct cluster *cluster, uint64_t deadline_ms, char *url, size_t size,
                             bool *ret_self) MUST_CHECK;

/* cluster_wait waits until the newest snapshot passes the test, or the deadline: ERR_TIMEOUT;
 * ERR_CLOSED when the worker stops. Thread: any. */
enum err cluster_wait(struct cluster *cluster, snapshot_test_fn *test, const void *arg,
                      uint64_t deadline_ms) MUST_CHECK;
/* cluster_write queues records that any worker may write, and takes them; see direct.h, which also
 * waits for them. Errors: ERR_UNAVAILABLE while the worker starts, ERR_CLOSED. Thread: any. */
struct out_records;
enum err cluster_write(struct cluster *cluster, struct out_records *records) MUST_CHECK;
/* cluster_offsets returns an owned copy of a connector's source offsets. Thread: any. */
void cluster_offsets(struct cluster *cluster, const char *connector,
                     struct source_offsets *ret_offsets);

/* What a worker knows of the connectors from its files. */
struct cluster_files {
    bool enabled;         /* connectors.dir is set; if not, the rest is empty */
    bool prune;           /* connectors.dir.prune */
    const char *folder;   /* borrowed from the cluster */
    struct file_set *set; /* owned reference; NULL: not read yet */
    bool agreed;          /* all workers that have such files have the same */
    char other[256];      /* a worker that has others, "" if none is known */
};
/* cluster_files fills ret_files; the caller gives the set back. Never blocks. Thread: any. */
void cluster_files(struct cluster *cluster, struct cluster_files *ret_files);

enum cluster_change {
    CHANGE_CREATE,       /* name, config, target (initial state); ERR_EXISTS */
    CHANGE_PUT_CONFIG,   /* name, config: create or replace; if_offset */
    CHANGE_DELETE,       /* name */
    CHANGE_TARGET,       /* name, target */
    CHANGE_RESTART,      /* name, include_tasks, only_failed */
    CHANGE_RESTART_TASK, /* name, task */
    CHANGE_OFFSETS,      /* name, offsets; ERR_CONFLICT unless stopped and at rest */
};

/* A change to be made by the leader; borrowed during the call. Configs were validated before. */
struct cluster_request {
    enum cluster_change change;
    const char *name;
    const struct kvs *config;
    const struct source_offsets *offsets; /* edits */
    enum target_state target;
    bool has_target;   /* CHANGE_CREATE: initial_state was given */
    int64_t if_offset; /* CHANGE_PUT_CONFIG: only if config_offset is still this; -1: any */
    bool include_tasks;
    bool only_failed;
    int task;
};

struct cluster_reply {
    bool created;     /* CHANGE_PUT_CONFIG made a new connector */
    int64_t position; /* the snapshot that shows the change has at least this config_position */
};

/* cluster_change has the change written by this worker as leader and waits until its own snapshot
 * shows it. Requests are served one at a time, in order, so that one create of a name wins.
 * Errors: ERR_NOT_LEADER (nothing was done), ERR_EXISTS, ERR_NOT_FOUND (with Connect's wording of
 * the request), ERR_CONFLICT (if_offset is stale), ERR_MANAGED (its
 * file says how it is to be), ERR_TIMEOUT (the change may still be made),
 * ERR_CLOSED (shutting down), ERR_IO. Thread: any; blocks until deadline_ms. */
enum err cluster_change(struct cluster *cluster, const struct cluster_request *request,
                        uint64_t deadline_ms, struct cluster_reply *ret_reply,
                        struct error *reterr) MUST_CHECK;
