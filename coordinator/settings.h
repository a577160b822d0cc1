/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the coordinator's threads need of the worker's properties, read once at the start.
 * Immutable afterwards but for n_slots, which is set before the threads that read it start.
 */
#pragma once

#include <stdint.h>

#include "coordinator/config_state.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

#define N_LOG_TOPICS 3

struct settings {
    struct kvs props; /* the worker's properties */
    char *bootstrap_servers;
    char *group_id;
    char *group_instance_id;    /* NULL: dynamic membership */
    char *worker_id;            /* advertised host:port */
    char *url;                  /* advertised REST URL */
    char *instance;             /* unique per process start, see membership.h */
    char *identity;             /* url#instance: what other members see of this one */
    char *transactional_id;     /* of the leader's writer */
    char *topics[N_LOG_TOPICS]; /* by enum log_topic */
    char *claims_topic;
    int session_timeout_ms;
    int heartbeat_interval_ms;
    int rebalance_timeout_ms;
    uint64_t graceful_ms; /* task.shutdown.graceful.timeout.ms */
    uint64_t settle_ms;   /* rebalance.settle.ms */
    bool track_topics;    /* topic.tracking.enable */
    bool fast_failover;   /* failover.fast.enable */
    int n_slots;          /* partitions of the claims topic; 0 until it is known */
};

/* settings_init reads validated properties; everything is copied. Errors: ERR_INVALID when the
 * advertised URL is too long to be told to other workers. settings_fini also takes what
 * settings_init left behind when it failed. */
enum err settings_init(struct settings *settings, const struct kvs *props, const char *worker_id,
                       const char *url, struct error *reterr) MUST_CHECK;
void settings_fini(struct settings *settings);
