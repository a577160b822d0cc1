/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for requests that may block. See job_pool.h. */
#include "rest/job_pool.h"

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

#define MIN_THREADS 2U
#define IDLE_MS     10000U

/* A thread, in pool->running, then in pool->ended. */
struct pool_thread {
    struct list link;
    struct job_pool *pool;
    struct thread thread;
};

struct job_pool {
    struct lock lock;
    struct cond changed;
    /* All under lock. */
    struct list jobs;
    struct list running;
    struct list ended; /* to be joined */
    unsigned n_jobs;   /* in the list */
    unsigned n_running;
    unsigned n_idle;
    unsigned max_threads;
    bool stopping;
};

/* The next job; NULL: the thread has to end. */
static struct job *take_job(struct job_pool *pool)
{
    uint64_t deadline = clock_mono_ms() + IDLE_MS;
    pool->n_idle++;
    while (list_empty(&pool->jobs) && !pool->stopping) {
        if (!cond_wait_until(&pool->changed, &pool->lock, deadline)) {
            if (pool->n_running > MIN_THREADS && list_empty(&pool->jobs)) {
                break;
            }
            deadline = clock_mono_ms() + IDLE_MS;
        }
    }
    pool->n_idle--;
    struct list *link = list_pop_front(&pool->jobs);
    pool->n_jobs -= link ? 1U : 0U;
    return link ? CONTAINER_OF(link, struct job, link) : NULL;
}

static void *pool_main(void *arg)
{
    struct pool_thread *self = arg;
    struct job_pool *pool = self->pool;
    lock_take(&pool->lock);
    for (struct job *job = take_job(pool); job; job = take_job(pool)) {
        lock_drop(&pool->lock);
        job->run(job);
        lock_take(&pool->lock);
    }
    pool->n_running--;
    list_remove(&self->link);
    list_push_back(&pool->ended, &self->link);
    cond_broadcast(&pool->changed);
    lock_drop(&pool->lock);
    return NULL;
}

static void join_all(struct list *threads)
{
    for (struct list *link = list_pop_front(threads); link; link = list_pop_front(threads)) {
        struct pool_thread *thread = CONTAINER_OF(link, struct pool_thread, link);
        thread_join(&thread->thread);
        free(thread);
    }
}

/* Takes over the threads that have ended; they are joined without the lock. */
static void take_ended(struct job_pool *pool, struct list *ret_ended)
{
    list_init(ret_ended);
    for (struct list *link = list_pop_front(&pool->ended); link;
         link = list_pop_front(&pool->ended)) {
        list_push_back(ret_ended, link);
    }
}

static void add_thread(struct job_pool *pool)
{
    struct pool_thread *thread = xcalloc(1, sizeof(*thread));
    thread->pool = pool;
    list_init(&thread->link);
    list_push_back(&pool->running, &thread->link);
    pool->n_running++;
    thread_start(&thread->thread, "rest-job", pool_main, thread);
}

struct job_pool *job_pool_start(unsigned max_threads)
{
    struct job_pool *pool = xcalloc(1, sizeof(*pool));
    lock_init(&pool->lock, LOCK_RANK_REST);
    cond_init(&pool->changed);
    list_init(&pool->jobs);
    list_init(&pool->running);
    list_init(&pool->ended);
    pool->max_threads = max_threads < MIN_THREADS ? MIN_THREADS : max_threads;
    lock_take(&pool->lock);
    while (pool->n_running < MIN_THREADS) {
        add_thread(pool);
    }
    lock_drop(&pool->lock);
    return pool;
}

bool job_pool_add(struct job_pool *pool, struct job *job)
{
    struct list ended;
    list_init(&job->link);
    lock_take(&pool->lock);
    bool taken = !pool->stopping;
    if (taken) {
        list_push_back(&pool->jobs, &job->link);
        pool->n_jobs++;
        if (pool->n_jobs > pool->n_idle && pool->n_running < pool->max_threads) {
            add_thread(pool);
        }
        cond_signal(&pool->changed);
    }
    take_ended(pool, &ended);
    lock_drop(&pool->lock);
    join_all(&ended);
    return taken;
}

void job_pool_stop(struct job_pool *pool)
{
    struct list ended;
    lock_take(&pool->lock);
    pool->stopping = true;
    cond_broadcast(&pool->changed);
    while (pool->n_running > 0) {
        cond_wait(&pool->changed, &pool->lock);
    }
    take_ended(pool, &ended);
    lock_drop(&pool->lock);
    join_all(&ended);
}

void job_pool_free(struct job_pool *pool)
{
    cond_fini(&pool->changed);
    lock_fini(&pool->lock);
    free(pool);
}
