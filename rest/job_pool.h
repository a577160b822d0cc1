/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for requests that may block: started when they are needed, ended when they have been idle
 * for a while; two always stay. Jobs that find no thread wait in the order in which they came.
 */
#pragma once

#include "worker/base/list.h"
#include "worker/base/macros.h"

struct job_pool;

/* Part of what a caller wants to have run; it must stay until run has been called. */
struct job {
    struct list link;
    void (*run)(struct job *job); /* on a thread of the pool; may block, may free the job */
};

/* job_pool_start makes a pool of at most max_threads; owned. Thread: main. */
struct job_pool *job_pool_start(unsigned max_threads);
/* job_pool_add has a job run; false, and nothing is done, after job_pool_stop. Thread: any. */
bool job_pool_add(struct job_pool *pool, struct job *job) MUST_CHECK;
/* job_pool_stop waits until all jobs have been run and joins the threads; job_pool_free releases
 * the stopped pool. Thread: main. */
void job_pool_stop(struct job_pool *pool);
void job_pool_free(struct job_pool *pool);
