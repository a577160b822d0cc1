/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of threads: how many run at once, and that every job is run.
 *
 * fakes: fake_cluster
 */
#include <stdatomic.h>

#include "rest/job_pool.h"
#include "tests/support/unit.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"

#define MAX_THREADS 4
#define N_JOBS      50

/* Jobs that wait until they are let go. */
struct gate {
    struct lock lock;
    struct cond changed;
    unsigned n_inside;
    unsigned most_inside;
    unsigned n_done;
    bool open;
};

struct gate_job {
    struct job job;
    struct gate *gate;
};

static void run_gate(struct job *job)
{
    struct gate *gate = CONTAINER_OF(job, struct gate_job, job)->gate;
    lock_take(&gate->lock);
    gate->n_inside++;
    gate->most_inside = gate->n_inside > gate->most_inside ? gate->n_inside : gate->most_inside;
    cond_broadcast(&gate->changed);
    while (!gate->open) {
        cond_wait(&gate->changed, &gate->lock);
    }
    gate->n_inside--;
    gate->n_done++;
    lock_drop(&gate->lock);
}

static void gate_init(struct gate *gate, struct gate_job *jobs)
{
    *gate = (struct gate){ .open = false };
    lock_init(&gate->lock, LOCK_RANK_QUEUE);
    cond_init(&gate->changed);
    for (size_t i = 0; i < N_JOBS; i++) {
        jobs[i] = (struct gate_job){ .job.run = run_gate, .gate = gate };
    }
}

static void gate_fini(struct gate *gate)
{
    cond_fini(&gate->changed);
    lock_fini(&gate->lock);
}

static void gate_wait_inside(struct gate *gate, unsigned n)
{
    lock_take(&gate->lock);
    while (gate->n_inside < n) {
        cond_wait(&gate->changed, &gate->lock);
    }
    lock_drop(&gate->lock);
}

static void gate_open(struct gate *gate)
{
    lock_take(&gate->lock);
    gate->open = true;
    cond_broadcast(&gate->changed);
    lock_drop(&gate->lock);
}

static void test_as_many_jobs_run_at_once_as_there_may_be_threads(void **state UNUSED)
{
    struct gate gate;
    struct gate_job jobs[N_JOBS];
    gate_init(&gate, jobs);
    struct job_pool *pool = job_pool_start(MAX_THREADS);
    for (size_t i = 0; i < N_JOBS; i++) {
        assert_true(job_pool_add(pool, &jobs[i].job));
    }
    gate_wait_inside(&gate, MAX_THREADS);
    gate_open(&gate);
    job_pool_stop(pool);
    assert_int_equal(gate.n_done, N_JOBS);
    assert_int_equal(gate.most_inside, MAX_THREADS);
    job_pool_free(pool);
    gate_fini(&gate);
}

static void test_a_stopped_pool_takes_nothing(void **state UNUSED)
{
    struct gate gate;
    struct gate_job jobs[N_JOBS];
    gate_init(&gate, jobs);
    struct job_pool *pool = job_pool_start(MAX_THREADS);
    job_pool_stop(pool);
    assert_false(job_pool_add(pool, &jobs[0].job));
    assert_int_equal(gate.n_done, 0);
    job_pool_free(pool);
    gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_jobs_run_at_once_as_there_may_be_threads),
        cmocka_unit_test(test_a_stopped_pool_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
