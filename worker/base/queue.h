/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Op queue between threads: many senders, one receiver. An op embeds a struct list. A queue can
 * be waited for with a deadline, or watched by poll(2) through its eventfd.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"

struct queue {
    struct lock lock;
    struct cond ready;
    struct list items;
    unsigned n_items;
    unsigned max_items; /* 0: no bound */
    bool closed;
    int event_fd; /* -1 unless asked for */
};

/* queue_init makes an empty queue; max_items 0 means unbounded; with_event_fd adds an eventfd that
 * is readable while ops wait. Aborts when the system has no descriptors left. */
void queue_init(struct queue *queue, unsigned max_items, bool with_event_fd);
/* queue_fini releases the queue, which must be empty. */
void queue_fini(struct queue *queue);
/* queue_push takes node; false (and the caller keeps it) when the queue is full or closed.
 * Thread: any. */
bool queue_push(struct queue *queue, struct list *node) MUST_CHECK;
/* queue_pop returns the oldest op, which the caller then owns, waiting until deadline_ms of the
 * monotonic clock (0: do not wait, UINT64_MAX: for ever). NULL when there is none, or when the
 * queue is closed and empty. Thread: the receiver. */
struct list *queue_pop(struct queue *queue, uint64_t deadline_ms);
/* queue_close refuses further pushes and wakes the receiver; what is in stays. Thread: any. */
void queue_close(struct queue *queue);
/* queue_fd returns the eventfd to poll for POLLIN, -1 if none. */
int queue_fd(const struct queue *queue);
