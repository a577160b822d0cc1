/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: a thread that follows the config, status and offset topics, folds them into one state
 * and publishes it as snapshots. The thread owns the reader; the state is guarded by a lock of its
 * own, because task threads read source offsets from it; the newest snapshot by another.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "coordinator/config_offsets.h"
#include "coordinator/config_state.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct store;

struct store_options {
    const struct kvs *props;      /* librdkafka properties of the consumer */
    char *const *topics;          /* names by enum log_topic; they exist */
    void (*on_change)(void *arg); /* a new snapshot is there; on the store's thread */
    void (*on_fatal)(void *arg, enum err err, const char *text); /* the topics cannot be read */
    void *arg;
};

/* store_new makes a store with an empty snapshot; nothing is read yet. */
struct store *store_new(void);
/* store_start begins to read; options are copied. */
void store_start(struct store *store, const struct store_options *options);
/* store_end_waits ends all waits, now and later, with ERR_CLOSED; reading goes on. */
void store_end_waits(struct store *store);
/* store_stop ends the thread and every wait with ERR_CLOSED; may be called twice. The last
 * snapshot stays. store_free releases the rest; takes NULL. */
void store_stop(struct store *store);
void store_free(struct store *store);

/* store_snapshot returns a reference to the newest snapshot, never NULL. Thread: any. */
struct snapshot *store_snapshot(struct store *store);
/* store_wait waits until the newest snapshot passes the test, or the deadline: ERR_TIMEOUT;
 * ERR_CLOSED when the store stops. Thread: any. */
enum err store_wait(struct store *store, snapshot_test_fn *test, const void *arg,
                    uint64_t deadline_ms) MUST_CHECK;
/* store_wait_position waits until the snapshot's config_position has reached position. Errors as
 * above. Thread: any. */
enum err store_wait_position(struct store *store, int64_t position,
                             uint64_t deadline_ms) MUST_CHECK;
/* store_wait_caught_up waits until the topics were read to the end that they had at the start.
 * Errors as above. Thread: any. */
enum err store_wait_caught_up(struct store *store, uint64_t deadline_ms) MUST_CHECK;
/* store_offset returns the owned text of a stored source offset, NULL if none; store_offsets copies
 * all of a connector. Thread: any. */
char *store_offset(struct store *store, const char *connector, const char *partition);
void store_offsets(struct store *store, const char *connector, struct source_offsets *ret_offsets);
/* store_uses tells whether it is known that the connector has used a Kafka topic; what this points
 * to grows when that is forgotten of some topic. Thread: any. */
bool store_uses(struct store *store, const char *connector, const char *topic);
const atomic_ulong *store_topic_removals(const struct store *store);
/* store_foresee takes in a record that this worker has just queued for writing or written, so that
 * it knows its own offsets and topics at once. Thread: any. */
void store_foresee(struct store *store, enum log_topic topic, const char *key, const char *value);
