/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a consumer. A member that goes without leaving holds up its group until its session
 * times out, and librdkafka tries to leave once, for five seconds. So Kafka is asked something
 * first: while it does not answer nothing is tried, but a thread that nobody waits for leaves when
 * it does. That thread also frees what has not closed by the deadline, since librdkafka frees a
 * client only when every commit is answered: where Kafka is frozen, up to request.timeout.ms.
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
/* How long a thread of its own waits for Kafka's answer to the leave. */
#define LATE_LEAVE_MS 5000
/* How soon a coordinator that could not say is asked again. */
#define AGAIN_MS 100

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
    if (consumer->closing_queue) {
        rd_kafka_queue_destroy(consumer->closing_queue);
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
 * not leave; and one without partitions, which a close alone would forget there, leaves first. */
static void leave(struct kafka_consumer *consumer, uint64_t deadline_ms)
{
    serve_until(consumer, consumer->events, knows_its_name, clock_mono_ms() + NAME_MS);
    bool was_member = rdk_is_member(consumer->client);
    if (rdk_leave_empty(consumer->client)) {
        serve_until(consumer, consumer->events, is_no_member, deadline_ms);
    }
    consumer->closing_queue = rd_kafka_queue_new(consumer->client);
    consumer_report(consumer,
                    rd_kafka_consumer_close_queue(consumer->client, consumer->closing_queue));
    serve_until(consumer, consumer->closing_queue, is_closed, deadline_ms);
    consumer->undestroyable =
        !consumer->had_assignment && (was_member || rdk_is_member(consumer->client));
}

/* Some partitions of what it reads, to ask about. */
static rd_kafka_topic_partition_list_t *anything(const struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    if (rd_kafka_subscription(consumer->client, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return rd_kafka_topic_partition_list_new(0);
    }
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].partition = 0;
    }
    return list;
}

static bool is_no_answer(rd_kafka_resp_err_t code)
{
    static const rd_kafka_resp_err_t codes[] = {
        RD_KAFKA_RESP_ERR__TIMED_OUT,
        RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR__WAIT_COORD,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_COORDINATOR_FOR_GROUP,
        RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
    };
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        if (codes[i] == code) {
            return true;
        }
    }
    return false;
}

static bool never(const struct kafka_consumer *consumer)
{
    (void)consumer;
    return false;
}

/* Whether the group's coordinator answers until then, or need not: who is no member has nothing to
 * leave; and while a member joins, what it asks waits for the end of that, as its leave does. */
static bool kafka_answers(struct kafka_consumer *consumer, uint64_t until_ms)
{
    if (!kafka_consumer_may_commit(consumer) || is_no_member(consumer)) {
        return true;
    }
    rd_kafka_topic_partition_list_t *list = anything(consumer);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    uint64_t now_ms = clock_mono_ms();
    while (is_no_answer(code) && now_ms < until_ms) {
        code = rd_kafka_committed(consumer->client, list, (int)(until_ms - now_ms));
        now_ms = clock_mono_ms();
        if (is_no_answer(code) && now_ms + AGAIN_MS < until_ms) {
            serve_until(consumer, consumer->events, never, now_ms + AGAIN_MS);
            now_ms = clock_mono_ms();
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return !is_no_answer(code);
}

static void end(struct kafka_consumer *consumer)
{
    if (consumer->undestroyable) {
        rdk_give_up(consumer->client);
    } else {
        consumer_free(consumer);
    }
}

static void finish(struct kafka_consumer *consumer)
{
    end(consumer);
    n_ending--;
    (void)rdk_lingering(-1);
}

static void *end_main(void *arg)
{
    struct kafka_consumer *consumer = arg;
    if (!consumer->closing_queue) {
        (void)kafka_answers(consumer, clock_mono_ms() + (uint64_t)consumer->session_ms);
        leave(consumer, clock_mono_ms() + LATE_LEAVE_MS);
    } else {
        serve_until(consumer, consumer->closing_queue, is_closed, clock_mono_ms() + LATE_LEAVE_MS);
    }
    finish(consumer);
    return NULL;
}

static void nobody_assigned(void *arg, struct kafka_partition *partition)
{
    (void)arg;
    (void)partition;
}

static void nobody_revoked(void *arg, struct kafka_partition *const *partitions,
                           size_t n_partitions, bool lost)
{
    (void)arg;
    (void)partitions;
    (void)n_partitions;
    (void)lost;
}

/* The owner is told of what it still has, and of nothing after that. */
static void disown(struct kafka_consumer *consumer)
{
    struct kafka_partition **partitions = xcalloc(consumer->n_assigned + 1, sizeof(*partitions));
    for (size_t i = 0; i < consumer->n_assigned; i++) {
        partitions[i] = &consumer->assigned[i]->partition;
    }
    if (consumer->n_assigned > 0) {
        consumer->handlers.on_revoked(consumer->handlers.arg, partitions, consumer->n_assigned,
                                      true);
    }
    free(partitions);
    /* A close calls these two only. */
    consumer->handlers.on_assigned = nobody_assigned;
    consumer->handlers.on_revoked = nobody_revoked;
}

/* The log callback uses the consumer until its client is gone. */
static void end_later(struct kafka_consumer *consumer)
{
    bool waits = ++n_ending > MAX_ENDING;
    disown(consumer);
    (void)rdk_lingering(1);
    log_warn(NULL, "CONSUMER-CLOSE-LATE",
             "client=%s action=\"%s\" reason=\"Kafka does not answer\"",
             rd_kafka_name(consumer->client),
             waits ? "does not leave: too many others wait to" : "leaves when it does");
    if (waits) {
        consumer->undestroyable = !consumer->had_assignment && rdk_is_member(consumer->client);
        finish(consumer);
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
    /* A quarter of what is left is for the leave itself. */
    uint64_t now_ms = clock_mono_ms();
    uint64_t left_ms = now_ms < deadline_ms ? deadline_ms - now_ms : 0;
    if (kafka_answers(consumer, now_ms + left_ms * 3 / 4)) {
        leave(consumer, deadline_ms);
    }
    if (consumer->closing_queue && (is_closed(consumer) || consumer->undestroyable)) {
        end(consumer);
    } else {
        end_later(consumer);
    }
}
