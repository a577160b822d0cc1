/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared idempotent producer: one per distinct set of properties and worker, with one poll thread
 * that takes delivery reports in batches, writes each record's outcome into its flight, counts
 * them into the owner's tracker and wakes the owner by eventfd when nothing is outstanding.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/metrics.h"

struct kafka_producer;
struct record;

/* The outstanding records of one owner (an MQTT session's window, say). It must stay in place
 * until n_undelivered is 0. */
struct kafka_tracker {
    _Atomic uint32_t n_undelivered; /* up by produce, down by delivery reports */
    _Atomic uint32_t n_failed;      /* reports with an error since tracker_init; see the flights */
    int event_fd;                   /* written when n_undelivered falls to 0; the owner's */
    struct metric_scope *metrics;   /* produce latency is observed here; may be NULL */
};

/* One record on its way; embedded in the owner's window, in place until it is reported. */
struct kafka_flight {
    struct kafka_tracker *tracker;
    enum err err;   /* valid after the report: ERR_OK; ERR_TOO_LARGE, ERR_REJECTED, ERR_NOT_FOUND
                       (unknown topic): this record cannot be written; ERR_UNAUTHORIZED; else
                       (ERR_UNAVAILABLE, ERR_FENCED) the producer failed and the record may be sent
                       again through a new one */
    int kafka_code; /* librdkafka's code, for texts */
    bool unsure;    /* ERR_UNAVAILABLE, but the producer is well: no broker acknowledged it */
};

/* kafka_tracker_init prepares a tracker in the caller's storage; event_fd stays the caller's. */
void kafka_tracker_init(struct kafka_tracker *tracker, int event_fd, struct metric_scope *metrics);
/* kafka_tracker_fini must be called, with n_undelivered at 0, before event_fd is closed or the
 * tracker's storage is given up: the poll thread may still be about to write the eventfd. Waits for
 * that write, no longer. Thread: the owner's. */
void kafka_tracker_fini(struct kafka_tracker *tracker);
/* kafka_tracker_orphan lets event_fd be closed while records are still under way: nobody is woken
 * any more when the last of them is reported. Waits for a write that has begun, no longer. Thread:
 * the owner's. */
void kafka_tracker_orphan(struct kafka_tracker *tracker);

/* kafka_producer_get returns the worker's producer for these properties (kafka_props_build), made
 * at the first call, and takes a reference. A producer that had a fatal error is replaced: callers
 * drop theirs and get again. Errors: ERR_INVALID for properties that librdkafka refuses. Thread:
 * any. */
enum err kafka_producer_get(const struct kvs *props, struct kafka_producer **ret_producer,
                            struct error *reterr) MUST_CHECK;
/* kafka_producer_drop gives a reference back; the last one ends the poll thread and destroys the
 * client. Records that are still queued are purged and reported with ERR_UNAVAILABLE before it
 * returns, so that every tracker comes down to 0. Takes NULL. Thread: any. */
void kafka_producer_drop(struct kafka_producer *producer);

/* kafka_producer_send hands a record over; key, value and headers are copied. `flight` is filled
 * and reported later through its tracker. Errors, none of which will be reported again:
 * ERR_UNAVAILABLE: local queue full, try again after the next report, or after a while, as they may
 * all be other owners'; ERR_TOO_LARGE, ERR_NOT_FOUND, ERR_REJECTED: this record cannot be written;
 * ERR_FENCED: fatal, get a new producer. Thread: any, but one at a time for each tracker. */
enum err kafka_producer_send(struct kafka_producer *producer, const struct record *record,
                             struct kafka_tracker *tracker, struct kafka_flight *flight,
                             struct error *reterr) MUST_CHECK;
/* kafka_producer_fatal tells whether the producer can send no more. Thread: any. */
bool kafka_producer_fatal(const struct kafka_producer *producer);
/* kafka_producer_reachable tells whether at least one broker connection is up, for state texts. */
bool kafka_producer_reachable(const struct kafka_producer *producer);
/* kafka_code_text returns librdkafka's text of a flight's kafka_code. */
const char *kafka_code_text(int kafka_code);
/* kafka_topic_legal tells whether name is a legal Kafka topic name: 1 to 249 of [a-zA-Z0-9._-],
 * not "." or "..". */
bool kafka_topic_legal(const char *name);
