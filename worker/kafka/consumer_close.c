/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a consumer. librdkafka frees a client only when its group has ended, and that waits
 * for the answer to a commit: where Kafka is frozen, up to request.timeout.ms. So what has not
 * closed by the deadline is freed on a thread of its own, which nobody waits for.
 */
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/kafka/consumer_internal.h"
#include "worker/kafka/topic_search.h"

/* The group names a new member at once. */
#define NAME_MS 1000
/* Consumers that end by themselves at a time: each has threads and connections. */
#define MAX_ENDING 32

static atomic_int n_ending;

void consumer_free(struct kafka_consumer *consumer)
{
    topic_search_stop(consumer->search);
    committed_stop(consumer->committed);
    if (consumer->wanted) {
        rd_kafka_topic_partition_list_destroy(consumer->wanted);
    }
    if (consumer->revoking) {
        rd_kafka_topic_partition_list_destroy(consumer->revoking);
    }
    if (consumer->records) {
        rd_kafka_queue_destroy(consumer->records);
    }
    if (consumer->events) {
        rd_kafka_queue_destroy(consumer->events);
    }
    if (consumer->client) {
        /* Left already, as far as it could be done in time. Waits for the answer to a commit. */
        rd_kafka_destroy_flags(consumer->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    for (size_t i = 0; i < consumer->n_assigned; i++) {
        consumer_free_assigned(consumer->assigned[i]);
    }
    if (consumer->event_fd >= 0) {
        close(consumer->event_fd);
    }
    free(consumer->assigned);
    free(consumer);
}

/* Serves what comes by a queue until something is so or the time is up. */
static void serve_until(struct kafka_consumer *consumer, rd_kafka_queue_t *queue,
                        bool (*is_so)(const struct kafka_consumer *consumer), uint64_t deadline_ms)
{
    uint64_t now_ms = clock_mono_ms();
    while (!is_so(consumer) && now_ms < deadline_ms) {
        uint64_t left_ms = deadline_ms - now_ms;
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, left_ms < 100 ? (int)left_ms : 100);
        if (event) {
            consumer_take_event(consumer, event);
        }
        now_ms = clock_mono_ms();
    }
}

static bool knows_its_name(const struct kafka_consumer *consumer)
{
    return kafka_consumer_may_commit(consumer) || rdk_is_member(consumer->client);
}

static bool is_no_member(const struct kafka_consumer *consumer)
{
    return !rdk_is_member(consumer->client);
}

static bool is_closed(const struct kafka_consumer *consumer)
{
    return rd_kafka_consumer_closed(consumer->client) != 0;
}

/* A member that the group does not hear of any more holds up every rebalance until its session
 * times out. So one that has just asked to join waits for the name that it is given, or it could
 * not leave; and one without partitions, which a close alone would forget there, leaves first.
 * Returns whether it has been a member. */
static bool leave(struct kafka_consumer *consumer, uint64_t deadline_ms)
{
    serve_until(consumer, consumer->events, knows_its_name, clock_mono_ms() + NAME_MS);
    bool was_member = rdk_is_member(consumer->client);
    if (rdk_leave_empty(consumer->client)) {
        serve_until(consumer, consumer->events, is_no_member, deadline_ms);
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(consumer->client);
    consumer_report(consumer, rd_kafka_consumer_close_queue(consumer->client, queue));
    serve_until(consumer, queue, is_closed, deadline_ms);
    rd_kafka_queue_destroy(queue);
    return was_member || rdk_is_member(consumer->client);
}

static void *end_main(void *arg)
{
    consumer_free(arg);
    n_ending--;
    (void)rdk_lingering(-1);
    return NULL;
}

/* The log callback uses the consumer until its client is gone; its owner is not called any more. */
static void free_later(struct kafka_consumer *consumer)
{
    bool waits = ++n_ending > MAX_ENDING;
    (void)rdk_lingering(1);
    log_warn(NULL, "CONSUMER-CLOSE-LATE",
             "client=%s action=\"%s\" reason=\"Kafka does not answer\"",
             rd_kafka_name(consumer->client),
             waits ? "waits: too many others end already" : "ends by itself");
    if (waits) {
        (void)end_main(consumer);
        return;
    }
    struct thread thread;
    thread_start(&thread, "kafka-end", end_main, consumer);
    thread_detach(&thread);
}

bool kafka_clients_linger(void)
{
    return rdk_lingering(0) > 0;
}

void kafka_consumer_close(struct kafka_consumer *consumer, int timeout_ms)
{
    if (!consumer) {
        return;
    }
    uint64_t deadline_ms = clock_mono_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0);
    consumer->closing = true;
    topic_search_stop(TAKE(consumer->search));
    committed_stop(TAKE(consumer->committed));
    kafka_consumer_release(consumer);
    if (leave(consumer, deadline_ms) && !consumer->had_assignment) {
        rdk_give_up(consumer->client);
        return;
    }
    if (is_closed(consumer)) {
        consumer_free(consumer);
    } else {
        free_later(consumer);
    }
}
