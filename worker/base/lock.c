/* SPDX-License-Identifier: Apache-2.0 */
/* Ranked locks and condition variables on the monotonic clock. See lock.h. */
#include "worker/base/lock.h"

#include <errno.h>

#include "worker/base/macros.h"

#if !defined(NDEBUG) || defined(SLUICE_SANITIZED)
/* One bit for each rank that this thread holds. */
static _Thread_local unsigned held_ranks;

static void rank_push(enum lock_rank rank)
{
    ASSERT((held_ranks >> rank) == 0);
    held_ranks |= 1U << rank;
}

static void rank_pop(enum lock_rank rank)
{
    ASSERT((held_ranks >> rank & 1U) != 0);
    held_ranks &= ~(1U << rank);
}
#else
static void rank_push(enum lock_rank rank UNUSED)
{
}

static void rank_pop(enum lock_rank rank UNUSED)
{
}
#endif

void lock_init(struct lock *lock, enum lock_rank rank)
{
    lock->rank = rank;
    ASSERT(pthread_mutex_init(&lock->mutex, NULL) == 0);
}

void lock_fini(struct lock *lock)
{
    (void)pthread_mutex_destroy(&lock->mutex);
}

/* The analysis looks for the capability in the mutex inside, which has none. */
LOCK_ATTRIBUTE(no_thread_safety_analysis)
void lock_take(struct lock *lock)
{
    rank_push(lock->rank);
    ASSERT(pthread_mutex_lock(&lock->mutex) == 0);
}

LOCK_ATTRIBUTE(no_thread_safety_analysis)
void lock_drop(struct lock *lock)
{
    rank_pop(lock->rank);
    ASSERT(pthread_mutex_unlock(&lock->mutex) == 0);
}

void cond_init(struct cond *cond)
{
    pthread_condattr_t attr;
    ASSERT(pthread_condattr_init(&attr) == 0);
    ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ASSERT(pthread_cond_init(&cond->cond, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

void cond_fini(struct cond *cond)
{
    (void)pthread_cond_destroy(&cond->cond);
}

void cond_wait(struct cond *cond, struct lock *lock)
{
    ASSERT(pthread_cond_wait(&cond->cond, &lock->mutex) == 0);
}

bool cond_wait_until(struct cond *cond, struct lock *lock, uint64_t deadline_ms)
{
    struct timespec ts = {
        .tv_sec = (time_t)(deadline_ms / 1000U),
        .tv_nsec = (long)(deadline_ms % 1000U) * 1000000L,
    };
    int rc = pthread_cond_timedwait(&cond->cond, &lock->mutex, &ts);
    ASSERT(rc == 0 || rc == ETIMEDOUT);
    return rc == 0;
}

void cond_signal(struct cond *cond)
{
    (void)pthread_cond_signal(&cond->cond);
}

void cond_broadcast(struct cond *cond)
{
    (void)pthread_cond_broadcast(&cond->cond);
}
