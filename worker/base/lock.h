/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locks with ranks. A thread takes locks in rising order of rank only; debug and sanitizer builds
 * check it, so that a deadlock shows in the first test that takes two locks the wrong way round. No
 * call-outs (callbacks, library calls that block, log sinks) while a lock is held.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Lower ranks are taken first. */
enum lock_rank {
    LOCK_RANK_REST = 1,
    LOCK_RANK_HERDER,
    LOCK_RANK_STORE,
    LOCK_RANK_RUNNER,
    LOCK_RANK_KAFKA,
    LOCK_RANK_QUEUE,
    LOCK_RANK_METRICS,
    LOCK_RANK_LOG,
    LOCK_RANK_SECRETS,
};

#ifdef __clang__
#define LOCK_ATTRIBUTE(x) __attribute__((x))
#else
#define LOCK_ATTRIBUTE(x)
#endif

struct LOCK_ATTRIBUTE(capability("mutex")) lock {
    pthread_mutex_t mutex;
    enum lock_rank rank;
};

struct cond {
    pthread_cond_t cond; /* waits on the monotonic clock */
};

/* lock_init and lock_fini prepare and release a lock in the caller's storage. */
void lock_init(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
/* lock_take blocks until the lock is held; lock_drop gives it back. */
void lock_take(struct lock *lock) LOCK_ATTRIBUTE(acquire_capability(*lock));
void lock_drop(struct lock *lock) LOCK_ATTRIBUTE(release_capability(*lock));

void cond_init(struct cond *cond);
void cond_fini(struct cond *cond);
/* cond_wait waits with the lock held until signalled; spurious wake-ups happen. */
void cond_wait(struct cond *cond, struct lock *lock);
/* cond_wait_until does the same up to deadline_ms of the monotonic clock; false when it passed. */
bool cond_wait_until(struct cond *cond, struct lock *lock, uint64_t deadline_ms);
void cond_signal(struct cond *cond);
void cond_broadcast(struct cond *cond);
