/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The herder: the thread that owns the cluster view of this worker and its task table. It takes
 * what the other threads tell it from one queue, asks the pure core what is to be done, and has it
 * done. It never blocks on Kafka.
 */
#pragma once

#include <stdint.h>

#include "coordinator/cluster.h"
#include "coordinator/file_set.h"
#include "coordinator/records.h"
#include "coordinator/settings.h"
#include "coordinator/store.h"
#include "coordinator/view.h"
#include "worker/base/err.h"
#include "worker/kafka/group.h"
#include "worker/kafka/writer.h"

struct herder;

/* Everything is borrowed for the herder's life. on_fatal may be called from its thread. */
struct herder_options {
    const struct settings *settings; /* n_slots is known */
    struct store *store;
    struct view *view;
    struct kafka_status_writer *statuses;
    struct file_check file_check;
    void (*on_fatal)(void *arg, const char *text);
    void *arg;
};

/* herder_start starts the thread, the runner and the leader's writer. */
struct herder *herder_start(const struct herder_options *options);
/* herder_drain stops leading and all tasks, whose statuses are queued for writing, and waits until
 * they have ended or deadline_ms; from then on a revocation is not held up any more. */
void herder_drain(struct herder *herder, uint64_t deadline_ms);
/* herder_stop ends the thread and those of the tasks and the writer, and answers waiting changes
 * with ERR_CLOSED; drain first, and end the group and the store. herder_free releases the rest.
 * Both take NULL. */
void herder_stop(struct herder *herder);
void herder_free(struct herder *herder);

/* herder_on_snapshot says that the store has a new snapshot. Thread: any, never blocks. */
void herder_on_snapshot(struct herder *herder);
/* herder_turns: see cluster_turns. Thread: any, never blocks. */
bool herder_turns(struct herder *herder, uint64_t now_ms);
/* herder_files: see cluster_files. Thread: any. */
void herder_files(struct herder *herder, struct cluster_files *ret_files);
/* herder_group_callbacks gives the callbacks that feed this herder from the group's thread. */
void herder_group_callbacks(struct herder *herder, struct group_callbacks *ret_callbacks);
/* herder_change: see cluster_change. Thread: any; blocks. */
enum err herder_change(struct herder *herder, const struct cluster_request *request,
                       uint64_t deadline_ms, struct cluster_reply *ret_reply,
                       struct error *reterr) MUST_CHECK;
/* herder_write: see cluster_write. Thread: any. */
enum err herder_write(struct herder *herder, struct out_records *records) MUST_CHECK;
