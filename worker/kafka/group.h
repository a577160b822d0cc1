/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership in the worker group: a consumer of the claims topic (partition = slot) with the
 * cooperative-sticky assignor. Assigned partitions are paused at once, no data flows. One thread
 * polls and calls the callbacks below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct group;

/* A member of the group as the group coordinator sees it. */
struct group_member {
    char client_id[256]; /* what the member gave as its identity at group_start */
    int32_t *slots;
    size_t n_slots;
};

/* Called on the group's thread. */
struct group_callbacks {
    void *arg;
    /* on_assigned: these slots were added to ours; called with n 0 after a rebalance that gave
     * nothing, as far as librdkafka tells. */
    void (*on_assigned)(void *arg, const int32_t *slots, size_t n_slots);
    /* on_revoked: these slots go to another worker; may block, bounded, until their tasks have
     * stopped: only then does the group go on. */
    void (*on_revoked)(void *arg, const int32_t *slots, size_t n_slots);
    /* on_lost: the session timed out; the slots are somebody else's already. Must not block. */
    void (*on_lost)(void *arg, const int32_t *slots, size_t n_slots);
    /* on_members: the stable group after a change, every member with its slots; borrowed. */
    void (*on_members)(void *arg, const struct group_member *members, size_t n_members);
    /* on_error: the group cannot be used for good (authorisation, fenced instance): text for
     * people. */
    void (*on_error)(void *arg, enum err err, const char *text);
};

struct group_options {
    const struct kvs *props; /* kafka_props_build(KAFKA_WORKER_CONSUMER) */
    const char *group_id;
    const char *topic;       /* the claims topic, which exists */
    const char *client_id;   /* identity that other workers see, at most 255 bytes */
    const char *instance_id; /* group.instance.id, NULL for none */
    int session_timeout_ms;
    int heartbeat_interval_ms;
    int rebalance_timeout_ms; /* bound on on_revoked */
};

/* group_start joins. Options and callbacks are copied. Errors: ERR_INVALID. */
enum err group_start(const struct group_options *options, const struct group_callbacks *callbacks,
                     struct group **ret_group, struct error *reterr) MUST_CHECK;
/* group_stop leaves the group (on_revoked runs for all slots), ends the thread and frees. When
 * Kafka does not answer it gives up leaving after timeout_ms. Takes NULL. Thread: any but the
 * group's. */
void group_stop(struct group *group, int timeout_ms);
