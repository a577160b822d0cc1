/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The topics of one producer: a table that only grows and is read without a lock. It also knows
 * which topics are missing. A single "unknown topic" proves nothing: a broker says so while it
 * creates the topic, and librdkafka goes on saying so while no broker answers. So a topic counts as
 * missing only when it has been unknown for a while and the cluster, asked again, denies it.
 * Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/macros.h"

#define TOPIC_BUCKETS     256
#define TOPIC_NAME_LENGTH 249

struct topic_entry {
    struct topic_entry *next; /* never changes once others see the entry */
    rd_kafka_topic_t *handle;
    uint32_t hash;
    _Atomic uint64_t unknown_since_ms; /* 0: not unknown */
    atomic_bool missing;               /* asked and denied */
    char name[TOPIC_NAME_LENGTH + 1];
};

struct topic_table {
    _Atomic(struct topic_entry *) buckets[TOPIC_BUCKETS];
    atomic_uint n_topics;
    rd_kafka_t *client;
    uint64_t patience_ms; /* how long a topic may be unknown before the cluster is asked */
};

/* topic_table_init prepares an empty table in zeroed storage; topic_table_fini gives the handles
 * back. */
void topic_table_init(struct topic_table *table, rd_kafka_t *client, uint64_t patience_ms);
void topic_table_fini(struct topic_table *table);

/* topic_table_find returns the entry of a name, making it at the first call; NULL when the table is
 * full. Errors: ERR_REJECTED for an illegal name; ERR_UNAVAILABLE. Thread: any. */
enum err topic_table_find(struct topic_table *table, const char *name,
                          struct topic_entry **ret_entry, struct error *reterr) MUST_CHECK;

/* topic_table_missing is told that librdkafka does not know the topic, or this partition of it, and
 * returns whether that is certain. Blocks up to a second, once in patience_ms. Thread: any. */
bool topic_table_missing(struct topic_table *table, struct topic_entry *entry, int32_t partition);

/* topic_seen notes a delivery to the topic; topic_is_missing tells what topic_table_missing found
 * out. Both take a message's topic handle. Thread: any. */
void topic_seen(const rd_kafka_topic_t *handle);
bool topic_is_missing(const rd_kafka_topic_t *handle);
