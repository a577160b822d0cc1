/* SPDX-License-Identifier: Apache-2.0 */
/* Topics of a producer. See topic_table.h. */
#include "worker/kafka/topic_table.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/kafka/producer.h"
#include "worker/kafka/rdkafka_util.h"

/* More topics than this are looked up by name for each record: memory stays bounded. */
#define MAX_TOPICS     8192
#define ASK_TIMEOUT_MS 1000

void topic_table_init(struct topic_table *table, rd_kafka_t *client, uint64_t patience_ms)
{
    table->client = client;
    table->patience_ms = patience_ms;
}

void topic_table_fini(struct topic_table *table)
{
    for (unsigned i = 0; i < TOPIC_BUCKETS; i++) {
        struct topic_entry *entry = table->buckets[i];
        while (entry) {
            struct topic_entry *next = entry->next;
            rd_kafka_topic_destroy(entry->handle);
            free(entry);
            entry = next;
        }
    }
}

bool kafka_topic_legal(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > TOPIC_NAME_LENGTH || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (!plain && *p != '.' && *p != '_' && *p != '-') {
            return false;
        }
    }
    return true;
}

/* FNV-1a; names from outside may collide on purpose, but the table is bounded. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261U;
    for (const char *p = name; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619U;
    }
    return hash;
}

static struct topic_entry *open_entry(struct topic_table *table, const char *name, uint32_t hash)
{
    struct topic_entry *entry = xcalloc(1, sizeof(*entry));
    entry->hash = hash;
    (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(table->client);
    rd_kafka_topic_conf_set_opaque(conf, entry);
    entry->handle = rd_kafka_topic_new(table->client, name, conf);
    if (!entry->handle) {
        rd_kafka_topic_conf_destroy(conf);
        free(entry);
        return NULL;
    }
    return entry;
}

enum err topic_table_find(struct topic_table *table, const char *name,
                          struct topic_entry **ret_entry, struct error *reterr)
{
    uint32_t hash = hash_name(name);
    _Atomic(struct topic_entry *) *bucket = &table->buckets[hash % TOPIC_BUCKETS];
    struct topic_entry *first = atomic_load_explicit(bucket, memory_order_acquire);
    for (struct topic_entry *entry = first; entry; entry = entry->next) {
        if (entry->hash == hash && strcmp(entry->name, name) == 0) {
            *ret_entry = entry;
            return ERR_OK;
        }
    }
    if (!kafka_topic_legal(name)) {
        return error_set(reterr, ERR_REJECTED, "\"%s\" is not a legal Kafka topic name", name);
    }
    if (atomic_fetch_add(&table->n_topics, 1) >= MAX_TOPICS) {
        (void)atomic_fetch_sub(&table->n_topics, 1);
        *ret_entry = NULL;
        return ERR_OK;
    }
    struct topic_entry *entry = open_entry(table, name, hash);
    if (!entry) {
        return error_set(reterr, ERR_UNAVAILABLE, "topic %s: %s", name,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    /* Two threads may add the same topic: both entries then hold the same handle, counted twice. */
    entry->next = first;
    while (!atomic_compare_exchange_weak_explicit(bucket, &entry->next, entry, memory_order_acq_rel,
                                                  memory_order_acquire)) {
    }
    *ret_entry = entry;
    return ERR_OK;
}

/* Asks the cluster whether it has this partition of the topic; without an answer it may have. */
static bool denied(struct topic_table *table, const struct topic_entry *entry, int32_t partition)
{
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(table->client, 0, entry->handle, &metadata, ASK_TIMEOUT_MS) != 0) {
        return false;
    }
    bool none = false;
    if (metadata->topic_cnt == 1) {
        const struct rd_kafka_metadata_topic *topic = &metadata->topics[0];
        none =
            topic->err ? rdk_err(topic->err) == ERR_NOT_FOUND : partition >= topic->partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return none;
}

bool topic_table_missing(struct topic_table *table, struct topic_entry *entry, int32_t partition)
{
    uint64_t now = clock_mono_ms();
    uint64_t since = 0;
    if (atomic_compare_exchange_strong(&entry->unknown_since_ms, &since, now)) {
        return false;
    }
    if (entry->missing) {
        return true;
    }
    if (now - since < table->patience_ms) {
        return false;
    }
    bool missing = denied(table, entry, partition);
    entry->missing = missing;
    if (!missing) {
        entry->unknown_since_ms = now;
    }
    return missing;
}

void topic_seen(const rd_kafka_topic_t *handle)
{
    struct topic_entry *entry = rd_kafka_topic_opaque(handle);
    if (entry && entry->unknown_since_ms != 0) {
        entry->missing = false;
        entry->unknown_since_ms = 0;
    }
}

bool topic_is_missing(const rd_kafka_topic_t *handle)
{
    struct topic_entry *entry = rd_kafka_topic_opaque(handle);
    return !entry || entry->missing;
}
