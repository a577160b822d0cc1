/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of one session between their arrival and their acknowledgement: the flights that
 * delivery reports write into, copies of the messages where an error may call for them, and times.
 * Grows in chunks, so that a flight stays where it is. Thread: the task's; reports come in from the
 * producer's thread through the tracker only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/kafka/producer.h"
#include "worker/mqtt/session.h"

struct window;
struct failure;

/* One record on its way. */
struct window_item {
    struct kafka_flight flight;
    struct mqtt_message *copy;  /* in the window's memory; NULL unless copies are kept */
    struct failure *why;        /* of a dead letter; the window frees it */
    struct active_topic *topic; /* where it went, borrowed from the task; NULL: not tracked */
    uint32_t n_bytes;
    uint16_t n_tries; /* sends of the same message before this one */
    bool dead_letter; /* went to the dead letter queue */
    bool bare;        /* there without its value */
};

/* window_new makes an empty window whose tracker writes event_fd, until window_free, and observes
 * into metrics, of which it takes over one reference (NULL: none). keep_copies: messages are
 * copied, so that they can be sent again or to the dead letter queue. */
struct window *window_new(int event_fd, struct metric_scope *metrics, bool keep_copies);
/* window_free frees it, now or, while reports are still to come, at a later call of this function;
 * NULL: only what is left of earlier ones. */
void window_free(struct window *window);

/* window_add returns a place for a record made of message. */
struct window_item *window_add(struct window *window, const struct mqtt_message *message);
/* window_take_back gives the last place back: the record was not sent. */
void window_take_back(struct window *window);
/* window_note counts a message that needs no record, for times and bytes. */
void window_note(struct window *window, const struct mqtt_message *message, uint64_t now_us);
/* window_reset empties it; nothing may be undelivered. */
void window_reset(struct window *window);

/* window_keep_copies changes whether messages are copied; only while the window is empty. */
void window_keep_copies(struct window *window, bool keep_copies);

struct kafka_tracker *window_tracker(struct window *window);
/* window_undelivered returns the records without a report. */
size_t window_undelivered(const struct window *window);
/* window_settled tells whether every record has its report and every failed one was returned by
 * window_next_failed. Once true it stays so until the next window_add. */
bool window_settled(const struct window *window);
/* window_next_failed returns the next item with a failed report that was not returned before, NULL
 * if there is none. Only while nothing is undelivered. */
struct window_item *window_next_failed(struct window *window);
/* window_suspect notes that a batch was refused; window_suspects returns how often since the last
 * reset. */
void window_suspect(struct window *window);
size_t window_suspects(const struct window *window);
/* window_messages, window_bytes: what came in since the last reset. */
size_t window_messages(const struct window *window);
size_t window_bytes(const struct window *window);
/* What Kafka has of a window: records, dead letters among them, and payload bytes. */
struct window_sum {
    size_t n_records;
    size_t n_letters;
    size_t n_bytes;
};

/* window_delivered counts what Kafka has, and notes the topics as used; only while nothing is
 * undelivered. */
void window_delivered(const struct window *window, struct window_sum *ret_sum);
/* window_opened_ms returns when the oldest message came, 0 if empty. */
uint64_t window_opened_ms(const struct window *window);
/* window_observe adds the ages of all messages to a histogram. */
void window_observe(const struct window *window, struct metric_scope *metrics, uint64_t now_us);
