/* SPDX-License-Identifier: Apache-2.0 */
/* A producer without Kafka. See kafka_producer.h. */
#include "tests/fakes/kafka_producer.h"

#include <pthread.h>

#include "worker/base/mem.h"
#include "worker/kafka/delivery.h"
#include "worker/kafka/producer.h"
#include "worker/record.h"

#define MAX_RECORDS 4096

struct kafka_producer {
    int unused;
};

static struct {
    pthread_mutex_t lock;
    struct kafka_producer producer;
    struct fake_record records[MAX_RECORDS];
    struct kafka_flight *flights[MAX_RECORDS]; /* NULL once reported */
    size_t n_records;
    bool deliver;
    char refused[64];
    enum err refusal;
    unsigned n_refusals; /* 0: for ever */
    char topic[64];
    enum err topic_refusal;
    unsigned n_topic_refusals; /* 0: none */
    bool dead;
    unsigned n_gets;
    unsigned n_users;
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void take(void)
{
    (void)pthread_mutex_lock(&fake.lock);
}

static void drop(void)
{
    (void)pthread_mutex_unlock(&fake.lock);
}

void fake_producer_reset(void)
{
    take();
    fake.n_records = 0;
    fake.deliver = false;
    fake.refused[0] = '\0';
    fake.n_topic_refusals = 0;
    fake.dead = false;
    fake.n_gets = 0;
    fake.n_users = 0;
    drop();
}

size_t fake_producer_count(void)
{
    take();
    size_t n = fake.n_records;
    drop();
    return n;
}

void fake_producer_record(size_t i, struct fake_record *ret_record)
{
    take();
    ASSERT(i < fake.n_records);
    *ret_record = fake.records[i];
    drop();
}

static void report(struct kafka_flight **place, enum err err, bool unsure)
{
    struct kafka_flight *flight = TAKE(*place);
    struct kafka_tracker *tracker = flight->tracker;
    flight->err = err;
    flight->kafka_code = 0;
    flight->unsure = unsure;
    if (err != ERR_OK) {
        (void)atomic_fetch_add(&tracker->n_failed, 1);
    }
    tracker_release(tracker, 1);
}

static void settle(enum err err, size_t limit, bool unsure)
{
    take();
    for (size_t i = 0; i < fake.n_records && limit > 0; i++) {
        if (fake.flights[i]) {
            report(&fake.flights[i], err, unsure);
            limit--;
        }
    }
    drop();
}

void fake_producer_settle(enum err err)
{
    settle(err, SIZE_MAX, false);
}

void fake_producer_settle_first(enum err err)
{
    settle(err, 1, false);
}

void fake_producer_doubt_first(void)
{
    settle(ERR_UNAVAILABLE, 1, true);
}

void fake_producer_auto(bool deliver)
{
    take();
    fake.deliver = deliver;
    drop();
}

void fake_producer_refuse(const char *text, enum err err, unsigned n)
{
    take();
    (void)snprintf(fake.refused, sizeof(fake.refused), "%s", text ? text : "");
    fake.refusal = err;
    fake.n_refusals = n;
    drop();
}

void fake_producer_refuse_topic(const char *topic, enum err err, unsigned n)
{
    take();
    (void)snprintf(fake.topic, sizeof(fake.topic), "%s", topic);
    fake.topic_refusal = err;
    fake.n_topic_refusals = n;
    drop();
}

void fake_producer_kill(void)
{
    take();
    fake.dead = true;
    drop();
}

unsigned fake_producer_gets(void)
{
    take();
    unsigned n = fake.n_gets;
    drop();
    return n;
}

/* ---- the producer ---- */

enum err kafka_producer_get(const struct kvs *props, struct kafka_producer **ret_producer,
                            struct error *reterr)
{
    (void)props;
    (void)reterr;
    take();
    fake.dead = false;
    fake.n_gets++;
    fake.n_users++;
    drop();
    *ret_producer = &fake.producer;
    return ERR_OK;
}

void kafka_producer_drop(struct kafka_producer *producer)
{
    if (!producer) {
        return;
    }
    take();
    bool last = --fake.n_users == 0;
    drop();
    if (last) {
        fake_producer_settle(ERR_UNAVAILABLE);
    }
}

static void copy_text(char *place, size_t size, const struct record_bytes *bytes)
{
    size_t n = bytes->length < size - 1 ? bytes->length : size - 1;
    if (n > 0) {
        memcpy(place, bytes->data, n);
    }
    place[n] = '\0';
}

static void keep(const struct record *record)
{
    struct fake_record *own = &fake.records[fake.n_records];
    *own = (struct fake_record){ .length = record->value.length,
                                 .null_value = record->value.data == NULL };
    (void)snprintf(own->topic, sizeof(own->topic), "%s", record->topic);
    copy_text(own->key, sizeof(own->key), &record->key);
    copy_text(own->value, sizeof(own->value), &record->value);
    size_t at = 0;
    for (size_t i = 0; i < record->n_headers; i++) {
        char text[64];
        copy_text(text, sizeof(text), &record->headers[i].value);
        int n = snprintf(own->headers + at, sizeof(own->headers) - at, "%s=%s;",
                         record->headers[i].name, text);
        at += n > 0 && at + (size_t)n < sizeof(own->headers) ? (size_t)n : 0;
    }
}

/* ERR_OK, or why this record is not taken. */
static enum err refusal(const struct record *record)
{
    size_t length = strlen(fake.refused);
    if (fake.dead) {
        return ERR_FENCED;
    }
    if (fake.n_topic_refusals > 0 && strcmp(fake.topic, record->topic) == 0) {
        fake.n_topic_refusals--;
        return fake.topic_refusal;
    }
    if (length == 0 || record->value.length < length ||
        memcmp(record->value.data, fake.refused, length) != 0) {
        return ERR_OK;
    }
    if (fake.n_refusals > 0 && --fake.n_refusals == 0) {
        fake.refused[0] = '\0';
    }
    return fake.refusal;
}

enum err kafka_producer_send(struct kafka_producer *producer, const struct record *record,
                             struct kafka_tracker *tracker, struct kafka_flight *flight,
                             struct error *reterr)
{
    (void)producer;
    take();
    enum err err = refusal(record);
    if (err != ERR_OK) {
        drop();
        return error_set(reterr, err, "refused by the fake");
    }
    ASSERT(fake.n_records < MAX_RECORDS);
    keep(record);
    tracker_take(tracker);
    flight->tracker = tracker;
    fake.flights[fake.n_records] = flight;
    if (fake.deliver) {
        report(&fake.flights[fake.n_records], ERR_OK, false);
    }
    fake.n_records++;
    drop();
    return ERR_OK;
}

bool kafka_producer_fatal(const struct kafka_producer *producer)
{
    (void)producer;
    take();
    bool dead = fake.dead;
    drop();
    return dead;
}

bool kafka_producer_reachable(const struct kafka_producer *producer)
{
    (void)producer;
    return true;
}

const char *kafka_code_text(int kafka_code)
{
    (void)kafka_code;
    return "refused by the fake";
}
