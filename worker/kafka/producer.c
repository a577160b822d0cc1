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
#include "worker/kafka/topic_table.h"
#include "worker/record.h"

#define TOPIC_PATIENCE_MS 10000

struct kafka_producer {
    struct list link;
    unsigned n_refs; /* guarded by pool.lock */
    struct kvs props;
    rd_kafka_t *client;
    struct delivery *delivery;
    struct topic_table topics;
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
    const char *patience = kvs_get(props, "topic.metadata.propagation.max.ms");
    topic_table_init(&producer->topics, client,
                     patience ? strtoull(patience, NULL, 10) : TOPIC_PATIENCE_MS);
    producer->delivery = delivery_start(client);
    *ret_producer = producer;
    return ERR_OK;
}

static void close_producer(struct kafka_producer *producer)
{
    delivery_stop(producer->delivery);
    topic_table_fini(&producer->topics);
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
static enum err refusal(struct kafka_producer *producer, struct topic_entry *entry,
                        rd_kafka_resp_err_t code, const struct record *record, struct error *reterr)
{
    char cause[512];
    rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(producer->client, cause, sizeof(cause));
    if (fatal) {
        /* A missing right does not go away with a new producer. */
        enum err err = rdk_err(fatal) == ERR_UNAUTHORIZED ? ERR_UNAUTHORIZED : ERR_FENCED;
        return error_set(reterr, err, "topic %s: %s", record->topic, cause);
    }
    enum err err = rdk_err(code);
    if (err == ERR_TIMEOUT || err == ERR_INVALID) {
        err = ERR_UNAVAILABLE;
    }
    if (err == ERR_NOT_FOUND && entry &&
        !topic_table_missing(&producer->topics, entry, record->partition)) {
        err = ERR_UNAVAILABLE;
    }
    return error_set(reterr, err, "topic %s: %s", record->topic, rd_kafka_err2str(code));
}

enum err kafka_producer_send(struct kafka_producer *producer, const struct record *record,
                             struct kafka_tracker *tracker, struct kafka_flight *flight,
                             struct error *reterr)
{
    struct topic_entry *entry = NULL;
    flight->tracker = tracker;
    flight->err = ERR_OK;
    flight->kafka_code = 0;
    enum err err = topic_table_find(&producer->topics, record->topic, &entry, reterr);
    if (err != ERR_OK) {
        flight->err = err;
        return err;
    }
    uint32_t n_before = tracker_take(tracker);
    rd_kafka_error_t *error = produce(producer, entry ? entry->handle : NULL, record, flight);
    if (!error) {
        return ERR_OK; /* the flight is the poll thread's now */
    }
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    err = refusal(producer, entry, code, record, reterr);
    flight->err = err;
    flight->kafka_code = (int)code;
    tracker_give_back(tracker, n_before);
    return err;
}

const char *kafka_code_text(int kafka_code)
{
    if (kafka_code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP) {
        return "Broker: Invalid timestamp: the clock of this worker, or Kafka's, is wrong by more "
               "than "
               "the topic's message.timestamp.after.max.ms or before.max.ms; mend: set the clock";
    }
    return rd_kafka_err2str((rd_kafka_resp_err_t)kafka_code);
}
