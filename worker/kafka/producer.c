/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of shared producers and the way of a record into librdkafka. The pool's lock guards the
 * list and the reference counts only; a record on its way takes no lock of ours: topic handles are
 * kept in a table that only grows and is read without one. See producer.h.
 */
#include "worker/kafka/producer.h"

#include <pthread.h>

#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/kafka/delivery.h"
#include "worker/kafka/rdkafka_util.h"
#include "worker/record.h"

#define N_BUCKETS 256
/* More topics than this are looked up by name for each record: memory stays bounded. */
#define MAX_CACHED_TOPICS 8192
#define MAX_TOPIC_NAME    249

struct topic_entry {
    struct topic_entry *next; /* never changes once the entry is seen by others */
    rd_kafka_topic_t *topic;
    uint32_t hash;
    char name[MAX_TOPIC_NAME + 1];
};

struct kafka_producer {
    struct list link;
    unsigned n_refs; /* guarded by pool.lock */
    struct kvs props;
    rd_kafka_t *client;
    struct delivery *delivery;
    _Atomic(struct topic_entry *) topics[N_BUCKETS];
    atomic_uint n_topics;
};

static struct {
    pthread_once_t once;
    struct lock lock;
    struct list producers;
} pool = { .once = PTHREAD_ONCE_INIT };

static void pool_init(void)
{
    lock_init(&pool.lock, LOCK_RANK_KAFKA);
    list_init(&pool.producers);
}

bool kafka_producer_fatal(const struct kafka_producer *producer)
{
    return rd_kafka_fatal_error(producer->client, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

bool kafka_producer_reachable(const struct kafka_producer *producer)
{
    return delivery_reachable(producer->delivery);
}

static struct kafka_producer *find_locked(const struct kvs *props)
{
    LIST_FOREACH(&pool.producers, node) {
        struct kafka_producer *producer = CONTAINER_OF(node, struct kafka_producer, link);
        if (kvs_equal(&producer->props, props) && !kafka_producer_fatal(producer)) {
            producer->n_refs++;
            return producer;
        }
    }
    return NULL;
}

static enum err open_producer(const struct kvs *props, struct kafka_producer **ret_producer,
                              struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *client = NULL;
    enum err err = rdk_conf_new(props, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
    err = rdk_client_new(RD_KAFKA_PRODUCER, conf, &client, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct kafka_producer *producer = xcalloc(1, sizeof(*producer));
    list_init(&producer->link);
    producer->n_refs = 1;
    kvs_init(&producer->props);
    kvs_copy(&producer->props, props);
    producer->client = client;
    producer->delivery = delivery_start(client);
    *ret_producer = producer;
    return ERR_OK;
}

static void close_producer(struct kafka_producer *producer)
{
    delivery_stop(producer->delivery);
    for (unsigned i = 0; i < N_BUCKETS; i++) {
        struct topic_entry *entry = producer->topics[i];
        while (entry) {
            struct topic_entry *next = entry->next;
            rd_kafka_topic_destroy(entry->topic);
            free(entry);
            entry = next;
        }
    }
    log_debug(NULL, "PRODUCER-CLOSE", "client=%s", rd_kafka_name(producer->client));
    rd_kafka_destroy(producer->client);
    kvs_fini(&producer->props);
    free(producer);
}

enum err kafka_producer_get(const struct kvs *props, struct kafka_producer **ret_producer,
                            struct error *reterr)
{
    (void)pthread_once(&pool.once, pool_init);
    lock_take(&pool.lock);
    struct kafka_producer *found = find_locked(props);
    lock_drop(&pool.lock);
    if (found) {
        *ret_producer = found;
        return ERR_OK;
    }
    struct kafka_producer *opened = NULL;
    enum err err = open_producer(props, &opened, reterr);
    if (err != ERR_OK) {
        return err;
    }
    /* Another thread may have opened one meanwhile: the first in the list serves both. */
    lock_take(&pool.lock);
    found = find_locked(props);
    if (!found) {
        list_push_back(&pool.producers, &opened->link);
    }
    lock_drop(&pool.lock);
    if (found) {
        close_producer(opened);
    } else {
        log_debug(NULL, "PRODUCER-OPEN", "client=%s", rd_kafka_name(opened->client));
    }
    *ret_producer = found ? found : opened;
    return ERR_OK;
}

void kafka_producer_drop(struct kafka_producer *producer)
{
    if (!producer) {
        return;
    }
    lock_take(&pool.lock);
    bool last = --producer->n_refs == 0;
    if (last) {
        list_remove(&producer->link);
    }
    lock_drop(&pool.lock);
    if (last) {
        close_producer(producer);
    }
}

bool kafka_topic_legal(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > MAX_TOPIC_NAME || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        return false;
    }
    for (const char *p = name; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9');
        if (!plain && *p != '.' && *p != '_' && *p != '-') {
            return false;
        }
    }
    return true;
}

/* FNV-1a: topic names are checked before they are hashed into memory, and the table is bounded. */
static uint32_t hash_name(const char *name)
{
    uint32_t hash = 2166136261U;
    for (const char *p = name; *p; p++) {
        hash = (hash ^ (unsigned char)*p) * 16777619U;
    }
    return hash;
}

/* Sets ret_topic to the cached handle, to NULL when the table is full. */
static enum err find_topic(struct kafka_producer *producer, const char *name,
                           rd_kafka_topic_t **ret_topic, struct error *reterr)
{
    uint32_t hash = hash_name(name);
    _Atomic(struct topic_entry *) *bucket = &producer->topics[hash % N_BUCKETS];
    struct topic_entry *first = atomic_load_explicit(bucket, memory_order_acquire);
    for (struct topic_entry *entry = first; entry; entry = entry->next) {
        if (entry->hash == hash && strcmp(entry->name, name) == 0) {
            *ret_topic = entry->topic;
            return ERR_OK;
        }
    }
    if (!kafka_topic_legal(name)) {
        return error_set(reterr, ERR_REJECTED, "\"%s\" is not a legal Kafka topic name", name);
    }
    *ret_topic = NULL;
    if (atomic_fetch_add(&producer->n_topics, 1) >= MAX_CACHED_TOPICS) {
        (void)atomic_fetch_sub(&producer->n_topics, 1);
        return ERR_OK;
    }
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->client, name, NULL);
    if (!topic) {
        return error_set(reterr, ERR_UNAVAILABLE, "topic %s: %s", name,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    /* Two threads may add the same topic: both entries hold the same handle, counted twice. */
    struct topic_entry *entry = xcalloc(1, sizeof(*entry));
    entry->next = first;
    entry->topic = topic;
    entry->hash = hash;
    (void)snprintf(entry->name, sizeof(entry->name), "%s", name);
    while (!atomic_compare_exchange_weak_explicit(bucket, &entry->next, entry,
                                                  memory_order_acq_rel, memory_order_acquire)) {
    }
    *ret_topic = topic;
    return ERR_OK;
}

static rd_kafka_headers_t *make_headers(const struct record *record)
{
    if (record->n_headers == 0) {
        return NULL;
    }
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->n_headers);
    for (size_t i = 0; i < record->n_headers; i++) {
        const struct record_header *header = &record->headers[i];
        /* Fails only for names beyond 2 GiB. */
        (void)rd_kafka_header_add(headers, header->name, -1, header->value.data,
                                  (ssize_t)header->value.length);
    }
    return headers;
}

static rd_kafka_vu_t bytes_vu(rd_kafka_vtype_t vtype, const struct record_bytes *bytes)
{
    rd_kafka_vu_t vu = { .vtype = vtype };
    vu.u.mem.ptr = rdk_mem(bytes->data);
    vu.u.mem.size = bytes->data ? bytes->length : 0;
    return vu;
}

/* Hands the record to librdkafka; NULL on success. */
static rd_kafka_error_t *produce(struct kafka_producer *producer, rd_kafka_topic_t *topic,
                                 const struct record *record, struct kafka_flight *flight)
{
    rd_kafka_headers_t *headers = make_headers(record);
    rd_kafka_vu_t vus[8];
    size_t n = 0;
    if (topic) {
        vus[n].vtype = RD_KAFKA_VTYPE_RKT;
        vus[n++].u.rkt = topic;
    } else {
        vus[n].vtype = RD_KAFKA_VTYPE_TOPIC;
        vus[n++].u.cstr = record->topic;
    }
    vus[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    vus[n++].u.i32 = record->partition;
    vus[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    vus[n++].u.i = RD_KAFKA_MSG_F_COPY;
    vus[n++] = bytes_vu(RD_KAFKA_VTYPE_KEY, &record->key);
    vus[n++] = bytes_vu(RD_KAFKA_VTYPE_VALUE, &record->value);
    vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    vus[n++].u.i64 = record->timestamp_ms;
    vus[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[n++].u.ptr = flight;
    if (headers) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(producer->client, vus, n);
    if (error && headers) {
        rd_kafka_headers_destroy(headers);
    }
    return error;
}

/* Turns a refusal into the contract's codes; a fatal state tells its cause. */
static enum err refusal(struct kafka_producer *producer, rd_kafka_resp_err_t code,
                        const char *topic, struct error *reterr)
{
    char cause[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer->client, cause, sizeof(cause));
    if (fatal) {
        /* A missing right does not go away with a new producer. */
        enum err err = rdk_err(fatal) == ERR_UNAUTHORIZED ? ERR_UNAUTHORIZED : ERR_FENCED;
        return error_set(reterr, err, "topic %s: %s", topic, cause);
    }
    enum err err = rdk_err(code);
    if (err == ERR_TIMEOUT || err == ERR_INVALID) {
        err = ERR_UNAVAILABLE;
    }
    return error_set(reterr, err, "topic %s: %s", topic, rd_kafka_err2str(code));
}

enum err kafka_producer_send(struct kafka_producer *producer, const struct record *record,
                             struct kafka_tracker *tracker, struct kafka_flight *flight,
                             struct error *reterr)
{
    rd_kafka_topic_t *topic = NULL;
    flight->tracker = tracker;
    flight->err = ERR_OK;
    flight->kafka_code = 0;
    enum err err = find_topic(producer, record->topic, &topic, reterr);
    if (err != ERR_OK) {
        flight->err = err;
        return err;
    }
    tracker_take(tracker);
    rd_kafka_error_t *error = produce(producer, topic, record, flight);
    if (!error) {
        return ERR_OK; /* the flight is the poll thread's now */
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    err = refusal(producer, code, record->topic, reterr);
    flight->err = err;
    flight->kafka_code = (int)code;
    tracker_release(tracker, 1);
    return err;
}

const char *kafka_code_text(int kafka_code)
{
    return rd_kafka_err2str((rd_kafka_resp_err_t)kafka_code);
}
