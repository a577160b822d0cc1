/* SPDX-License-Identifier: Apache-2.0 */
/* See reaper.h. */
#include "rest/reaper.h"

#include <sys/socket.h>

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

struct reaper {
    uint64_t limit_ms;
    struct lock lock;
    struct cond stop;    /* stopping is set */
    struct list watched; /* earliest deadline first; under lock */
    bool stopping;       /* under lock */
    struct thread thread;
};

/* Nobody wakes the reaper for a new socket: its deadline is not before those that the reaper
 * knows, nor before the end of a wait that began when there was none. */
static void *reaper_main(void *arg)
{
    struct reaper *reaper = arg;
    lock_take(&reaper->lock);
    while (!reaper->stopping) {
        uint64_t now = clock_mono_ms();
        uint64_t next = now + reaper->limit_ms;
        struct reaped *first = NULL;
        if (!list_empty(&reaper->watched)) {
            first = CONTAINER_OF(reaper->watched.next, struct reaped, link);
            next = first->deadline_ms;
        }
        if (now < next) {
            (void)cond_wait_until(&reaper->stop, &reaper->lock, next);
            continue;
        }
        /* Under the lock the socket cannot be closed and its number given to another; the call does
         * not block. The connection's thread sees the end and cleans up. */
        list_remove(&first->link);
        (void)shutdown(first->fd, SHUT_RDWR);
    }
    lock_drop(&reaper->lock);
    return NULL;
}

struct reaper *reaper_start(uint64_t limit_ms)
{
    struct reaper *reaper = xcalloc(1, sizeof(*reaper));
    reaper->limit_ms = limit_ms;
    lock_init(&reaper->lock, LOCK_RANK_REST);
    cond_init(&reaper->stop);
    list_init(&reaper->watched);
    thread_start(&reaper->thread, "rest-reaper", reaper_main, reaper);
    return reaper;
}

void reaper_stop(struct reaper *reaper)
{
    lock_take(&reaper->lock);
    reaper->stopping = true;
    cond_broadcast(&reaper->stop);
    lock_drop(&reaper->lock);
    thread_join(&reaper->thread);
    cond_fini(&reaper->stop);
    lock_fini(&reaper->lock);
    free(reaper);
}

void reaper_begin(struct reaped *socket, int fd)
{
    list_init(&socket->link);
    socket->fd = fd;
}

/* Deadlines are all equally long: one that gets a new one goes to the end. */
void reaper_watch(struct reaper *reaper, struct reaped *socket)
{
    lock_take(&reaper->lock);
    list_remove(&socket->link);
    socket->deadline_ms = clock_mono_ms() + reaper->limit_ms;
    list_push_back(&reaper->watched, &socket->link);
    lock_drop(&reaper->lock);
}

void reaper_unwatch(struct reaper *reaper, struct reaped *socket)
{
    lock_take(&reaper->lock);
    list_remove(&socket->link);
    lock_drop(&reaper->lock);
}
