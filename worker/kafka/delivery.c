/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery reports and trackers. The poll thread owns nothing but its queue: flights and trackers
 * are the producers' callers', who give them up when n_undelivered is 0. So everything is written
 * before the count comes down, and the count comes down once for a whole run of reports of the same
 * tracker. See delivery.h.
 */
#include "worker/kafka/delivery.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/kafka/rdkafka_util.h"
#include "worker/kafka/topic_table.h"

/* One latency in so many is measured and counted for all of them. */
#define LATENCY_SAMPLE 16

/* Warnings about records that count as delivered by hearsay are written this often at most. */
#define UNSURE_EVERY_MS 10000

/* How long the last polls before the end may wait for purged reports. */
#define DRAIN_POLL_MS 100

struct delivery {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct thread thread;
    atomic_bool stopping;
    atomic_bool all_down;
    struct log_limit unsure_limit; /* the thread's */
};

/* A run of reports that belong to one tracker. */
struct run {
    struct kafka_tracker *tracker; /* NULL: none yet */
    uint32_t n;
    uint32_t n_failed;
    uint32_t n_sampled; /* reports that latency_us stands for, so far */
    int64_t latency_us;
};

/* Held while a count falls to 0 and the eventfd is written: kafka_tracker_fini and
 * kafka_tracker_orphan take it to be sure that nobody is between the two. */
static pthread_once_t zero_once = PTHREAD_ONCE_INIT;
static struct lock zero_lock;

static void zero_lock_init(void)
{
    lock_init(&zero_lock, LOCK_RANK_KAFKA);
}

void kafka_tracker_init(struct kafka_tracker *tracker, int event_fd, struct metric_scope *metrics)
{
    (void)pthread_once(&zero_once, zero_lock_init);
    atomic_init(&tracker->n_undelivered, 0);
    atomic_init(&tracker->n_failed, 0);
    tracker->event_fd = event_fd;
    tracker->metrics = metrics;
}

void kafka_tracker_fini(struct kafka_tracker *tracker)
{
    lock_take(&zero_lock);
    uint32_t left = tracker->n_undelivered;
    lock_drop(&zero_lock);
    ASSERT(left == 0);
}

void kafka_tracker_orphan(struct kafka_tracker *tracker)
{
    lock_take(&zero_lock);
    tracker->event_fd = -1;
    lock_drop(&zero_lock);
}

uint32_t tracker_take(struct kafka_tracker *tracker)
{
    return atomic_fetch_add_explicit(&tracker->n_undelivered, 1, memory_order_relaxed);
}

/* A wake-up for nothing would bring the owner back at once, and again, for as long as the queue is
 * full of other owners' records. */
void tracker_give_back(struct kafka_tracker *tracker, uint32_t n_before)
{
    if (n_before > 0) {
        tracker_release(tracker, 1);
    } else {
        (void)atomic_fetch_sub_explicit(&tracker->n_undelivered, 1, memory_order_relaxed);
    }
}

void tracker_release(struct kafka_tracker *tracker, uint32_t n)
{
    uint32_t now = atomic_load_explicit(&tracker->n_undelivered, memory_order_relaxed);
    while (now != n) {
        if (atomic_compare_exchange_weak_explicit(&tracker->n_undelivered, &now, now - n,
                                                  memory_order_release, memory_order_relaxed)) {
            return;
        }
    }
    lock_take(&zero_lock);
    int fd = tracker->event_fd;
    if (atomic_fetch_sub_explicit(&tracker->n_undelivered, n, memory_order_release) == n &&
        fd >= 0) {
        (void)eventfd_write(fd, 1);
    }
    lock_drop(&zero_lock);
}

static void observe(struct run *run)
{
    if (run->n_sampled > 0 && run->tracker->metrics) {
        metric_observe_many(run->tracker->metrics, METRIC_PRODUCE_LATENCY,
                            (double)run->latency_us / 1e6, run->n_sampled);
    }
    run->n_sampled = 0;
}

static void finish_run(struct run *run)
{
    if (!run->tracker) {
        return;
    }
    observe(run);
    if (run->n_failed > 0) {
        (void)atomic_fetch_add_explicit(&run->tracker->n_failed, run->n_failed,
                                        memory_order_relaxed);
    }
    tracker_release(run->tracker, run->n);
    *run = (struct run){ .tracker = NULL };
}

static rd_kafka_resp_err_t report_code(struct delivery *delivery, const rd_kafka_message_t *message)
{
    unsigned suppressed = 0;
    if (message->err || rdk_is_acked(message)) {
        return message->err;
    }
    if (log_limit_pass(&delivery->unsure_limit, UNSURE_EVERY_MS, &suppressed)) {
        log_warn(NULL, "RECORD-UNSURE",
                 "client=%s kafka_topic=%s partition=%d suppressed=%u action=\"it is sent again\" "
                 "reason=\"its request failed and a later one was taken\"",
                 rd_kafka_name(delivery->client), rd_kafka_topic_name(message->rkt),
                 (int)message->partition, suppressed);
    }
    return RD_KAFKA_RESP_ERR__RETRY;
}

/* What a flight may carry: the contract of kafka_flight.err. */
static enum err flight_err(const rd_kafka_message_t *message, rd_kafka_resp_err_t code)
{
    enum err err = rdk_err(code);
    if (err == ERR_NOT_FOUND) {
        return topic_is_missing(message->rkt) ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
    }
    return err == ERR_TIMEOUT || err == ERR_INVALID ? ERR_UNAVAILABLE : err;
}

static void take_report(struct delivery *delivery, struct run *run,
                        const rd_kafka_message_t *message)
{
    struct kafka_flight *flight = message->_private;
    rd_kafka_resp_err_t code = report_code(delivery, message);
    if (flight->tracker != run->tracker) {
        finish_run(run);
        run->tracker = flight->tracker;
    }
    flight->err = flight_err(message, code);
    flight->kafka_code = (int)code;
    flight->unsure = code && !message->err;
    run->n++;
    if (code) {
        run->n_failed++;
        return;
    }
    if (run->n_sampled == LATENCY_SAMPLE) {
        observe(run);
    }
    if (run->n_sampled++ == 0) {
        run->latency_us = rd_kafka_message_latency(message);
    }
}

static void take_reports(struct delivery *delivery, rd_kafka_event_t *event)
{
    struct run run = { .tracker = NULL };
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    if (message && !message->err) {
        /* The first stands for all: an event holds one batch, of one partition. */
        delivery->all_down = false;
        topic_seen(message->rkt);
    }
    for (; message; message = rd_kafka_event_message_next(event)) {
        take_report(delivery, &run, message);
    }
    finish_run(&run);
}

static void take_error(struct delivery *delivery, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        delivery->all_down = true;
    }
    rdk_report(delivery->client, code, rd_kafka_event_error_string(event));
}

static void take_event(struct delivery *delivery, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        take_reports(delivery, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        take_error(delivery, event);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static void *delivery_main(void *arg)
{
    struct delivery *delivery = arg;
    while (!delivery->stopping) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(delivery->queue, -1);
        if (event) {
            take_event(delivery, event);
        }
    }
    (void)rd_kafka_purge(delivery->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(delivery->client) > 0) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(delivery->queue, DRAIN_POLL_MS);
        if (event) {
            take_event(delivery, event);
        }
    }
    return NULL;
}

struct delivery *delivery_start(rd_kafka_t *client)
{
    struct delivery *delivery = xcalloc(1, sizeof(*delivery));
    delivery->client = client;
    delivery->queue = rd_kafka_queue_get_main(client);
    thread_start(&delivery->thread, "kafka-reports", delivery_main, delivery);
    return delivery;
}

void delivery_stop(struct delivery *delivery)
{
    if (!delivery) {
        return;
    }
    delivery->stopping = true;
    rd_kafka_queue_yield(delivery->queue);
    thread_join(&delivery->thread);
    rd_kafka_queue_destroy(delivery->queue);
    free(delivery);
}

bool delivery_reachable(const struct delivery *delivery)
{
    return !delivery->all_down;
}
