/* SPDX-License-Identifier: Apache-2.0 */
/* Cluster administration by a short-lived or kept client. Calls block up to their time-out.
 * Thread: one at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct kafka_admin;

/* kafka_admin_open makes a client (props: kafka_props_build(KAFKA_WORKER_ADMIN)). */
enum err kafka_admin_open(const struct kvs *props, struct kafka_admin **ret_admin,
                          struct error *reterr) MUST_CHECK;
void kafka_admin_close(struct kafka_admin *admin);

/* kafka_admin_cluster_id waits for a broker and writes the cluster's id. ERR_TIMEOUT when none
 * answers, ERR_UNAUTHORIZED when it refuses us, with librdkafka's last error as the text. */
enum err kafka_admin_cluster_id(struct kafka_admin *admin, int timeout_ms, char *id, size_t size,
                                struct error *reterr) MUST_CHECK;

/* What an internal topic must be. */
struct kafka_topic_spec {
    const char *name;
    const char *property; /* the worker property that names it, for texts */
    int partitions;       /* for creation; -1: the broker's default */
    int replication_factor;
    bool exactly_one_partition; /* the config topic */
    bool compacted;             /* must have cleanup.policy=compact; false: no demand */
    const struct kvs *settings; /* further topic settings for creation, may be NULL */
};

/* kafka_admin_ensure_topic creates the topic when missing and waits until it can be used, or checks
 * an existing one. ret_partitions gets its number of partitions. Errors: ERR_INVALID with Connect's
 * text for a wrong cleanup.policy or partition count or a replication factor that the cluster
 * cannot give (naming property, value and mend); ERR_TIMEOUT; ERR_UNAUTHORIZED. A missing right to
 * describe the topic's settings is only logged. */
enum err kafka_admin_ensure_topic(struct kafka_admin *admin, const struct kafka_topic_spec *spec,
                                  int timeout_ms, int *ret_partitions,
                                  struct error *reterr) MUST_CHECK;
