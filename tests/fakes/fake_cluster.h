/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster in memory in place of coordinator/cluster.c: tests of the REST interface link this
 * object first. Records are planned, written and folded by the real pure parts, into a log that
 * several fakes share as the workers of a cluster share the config topic; what a fake shows may be
 * held back, so that waiting can be seen. Thread: any.
 */
#pragma once

#include "coordinator/cluster.h"
#include "coordinator/records.h"

/* The shared config and status topics. */
struct fake_log *fake_log_new(void);
/* fake_log_free releases the log after all clusters on it. */
void fake_log_free(struct fake_log *log);
/* fake_log_add appends records, which it takes, to the log. */
void fake_log_add(struct fake_log *log, struct out_records *records);

/* fake_cluster_new makes a worker that is ready and shows all of log (borrowed). Release with
 * cluster_free. */
struct cluster *fake_cluster_new(struct fake_log *log, const char *worker_id, const char *url);
void fake_cluster_phase(struct cluster *cluster, enum cluster_phase phase, const char *stage);
/* fake_cluster_hang: the worker's loop does not turn any more. */
void fake_cluster_hang(struct cluster *cluster);
/* fake_cluster_files: what cluster_files answers; the set is borrowed. */
void fake_cluster_files(struct cluster *cluster, const struct cluster_files *files);
/* fake_cluster_leader sets who leads: self, another's URL, or nobody (NULL and false). */
void fake_cluster_leader(struct cluster *cluster, const char *url, bool self);
/* fake_cluster_lag: the worker shows new records only when somebody waits for a position. */
void fake_cluster_lag(struct cluster *cluster, bool lag);
/* fake_cluster_fail makes the next n changes fail with err, before anything is written. */
void fake_cluster_fail(struct cluster *cluster, enum err err, unsigned n);
/* fake_cluster_unread: the worker has not read its topics yet. */
void fake_cluster_unread(struct cluster *cluster);
/* fake_cluster_asked counts how often the leader was asked for. */
unsigned fake_cluster_asked(struct cluster *cluster);
/* fake_cluster_changes counts the changes that were asked for. */
unsigned fake_cluster_changes(struct cluster *cluster);
