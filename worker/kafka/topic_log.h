/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads compacted topics from their beginning and goes on following them: the config, status and
 * offset topics. read_committed, no group, no auto creation. Thread: one, the store's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct topic_log;

/* One record; everything is borrowed until the callback returns. */
struct topic_log_record {
    unsigned topic; /* index in the list given to topic_log_open */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    const char *key; /* NULL: none; not terminated */
    size_t key_length;
    const char *value; /* NULL: tombstone; not terminated */
    size_t value_length;
};

typedef void topic_log_fn(void *arg, const struct topic_log_record *record);

/* topic_log_open opens a consumer on all partitions of n_topics existing topics, from their
 * beginning. props come from kafka_props_build(KAFKA_WORKER_CONSUMER). Errors: ERR_INVALID,
 * ERR_NOT_FOUND for a topic, ERR_TIMEOUT when no broker answers within timeout_ms. */
enum err topic_log_open(const struct kvs *props, const char *const *topics, unsigned n_topics,
                        int timeout_ms, struct topic_log **ret_log,
                        struct error *reterr) MUST_CHECK;
void topic_log_close(struct topic_log *log);
/* topic_log_poll waits up to timeout_ms (-1: until something comes) and hands what has come, at
 * most 1000 records, to on_record. Returns early after topic_log_wake. */
void topic_log_poll(struct topic_log *log, int timeout_ms, topic_log_fn *on_record, void *arg);
/* topic_log_wake makes a waiting poll return. Thread: any. */
void topic_log_wake(struct topic_log *log);
/* topic_log_caught_up tells whether every partition was read to the end that it had at open, or to
 * a later one. Once true it stays true. */
bool topic_log_caught_up(const struct topic_log *log);
/* topic_log_position returns the offset of the next record to read of one partition: every record
 * below it was handed out. */
int64_t topic_log_position(const struct topic_log *log, unsigned topic, int32_t partition);
