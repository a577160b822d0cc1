/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a sink task that Kafka Connect has as rates, averages and maxima over a window of
 * half a minute. Thread: the task's.
 */
#pragma once

#include "worker/base/metrics.h"
#include "worker/connectors/mqtt_sink/backlog.h"

struct meter {
    struct metric_scope *metrics;
    uint64_t window_ms; /* when the window began */
    uint64_t next_ms;   /* when gauges are set again */
    uint64_t n_read;    /* since the window began */
    uint64_t n_sent;
    uint64_t n_commits;
    uint64_t n_skips;
    uint64_t commit_number;
    uint64_t n_batches;
    uint64_t batch_us;
    uint64_t batch_max_us;
    uint64_t active_max;
    uint64_t active_sum;
    uint64_t n_samples;
};

/* meter_init prepares a meter in the caller's storage; meter_clear sets the gauges to rest;
 * meter_soon has the next meter_tick set them. */
void meter_init(struct meter *meter, struct metric_scope *metrics, uint64_t now_ms);
void meter_soon(struct meter *meter);
void meter_clear(struct meter *meter);
/* meter_batch counts a batch: records read, how many of them are published, payload bytes. */
void meter_batch(struct meter *meter, size_t n_read, size_t n_sent, size_t n_bytes,
                 uint64_t elapsed_us);
/* meter_commit counts the end of a commit; late: its partitions were gone. */
void meter_commit(struct meter *meter, bool ok, bool late);
/* meter_tick sets the gauges, once a second at most. */
void meter_tick(struct meter *meter, struct backlog *backlog, const struct kafka_consumer *consumer,
                uint64_t now_ms);
