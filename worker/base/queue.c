/* SPDX-License-Identifier: Apache-2.0 */
/* Op queue between threads. See queue.h. */
#include "worker/base/queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

void queue_init(struct queue *queue, unsigned max_items, bool with_event_fd)
{
    lock_init(&queue->lock, LOCK_RANK_QUEUE);
    cond_init(&queue->ready);
    list_init(&queue->items);
    queue->n_items = 0;
    queue->max_items = max_items;
    queue->closed = false;
    queue->event_fd = -1;
    if (with_event_fd) {
        queue->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ASSERT(queue->event_fd >= 0);
    }
}

void queue_fini(struct queue *queue)
{
    ASSERT(list_empty(&queue->items));
    if (queue->event_fd >= 0) {
        (void)close(queue->event_fd);
        queue->event_fd = -1;
    }
    cond_fini(&queue->ready);
    lock_fini(&queue->lock);
}

/* The eventfd counts whether ops wait, not how many: written when the queue stops being empty. */
static void raise_event_locked(struct queue *queue)
{
    if (queue->event_fd >= 0) {
        (void)eventfd_write(queue->event_fd, 1);
    }
}

bool queue_push(struct queue *queue, struct list *node)
{
    lock_take(&queue->lock);
    bool taken = !queue->closed && (queue->max_items == 0 || queue->n_items < queue->max_items);
    if (taken) {
        list_push_back(&queue->items, node);
        queue->n_items++;
        if (queue->n_items == 1) {
            raise_event_locked(queue);
        }
        cond_signal(&queue->ready);
    }
    lock_drop(&queue->lock);
    return taken;
}

static struct list *take_first_locked(struct queue *queue)
{
    struct list *node = list_pop_front(&queue->items);
    if (node) {
        queue->n_items--;
    }
    if (queue->n_items == 0 && queue->event_fd >= 0 && !queue->closed) {
        eventfd_t ignored;
        (void)eventfd_read(queue->event_fd, &ignored);
    }
    return node;
}

struct list *queue_pop(struct queue *queue, uint64_t deadline_ms)
{
    lock_take(&queue->lock);
    while (list_empty(&queue->items) && !queue->closed && deadline_ms != 0) {
        if (deadline_ms == UINT64_MAX) {
            cond_wait(&queue->ready, &queue->lock);
        } else if (!cond_wait_until(&queue->ready, &queue->lock, deadline_ms)) {
            break;
        }
    }
    struct list *node = take_first_locked(queue);
    lock_drop(&queue->lock);
    return node;
}

void queue_close(struct queue *queue)
{
    lock_take(&queue->lock);
    queue->closed = true;
    raise_event_locked(queue);
    cond_broadcast(&queue->ready);
    lock_drop(&queue->lock);
}

int queue_fd(const struct queue *queue)
{
    return queue->event_fd;
}
