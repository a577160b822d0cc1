/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's writer: a thread that owns the transactional producer, because its calls block. It
 * does one job at a time for the herder: become the only writer, write a batch, give up. A batch
 * is done when the store has read it back, so that the next one is planned on what is there.
 */
#pragma once

#include <stdint.h>

#include "coordinator/records.h"
#include "coordinator/settings.h"
#include "coordinator/store.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"

struct leader_writer;

enum leader_job {
    LEADER_JOB_OPEN,   /* fence older leaders, then write the batch (our leader record) */
    LEADER_JOB_COMMIT, /* write the batch as one transaction */
    LEADER_JOB_CLOSE,  /* release the producer; nothing is reported */
};

/* The outcome of a job; borrowed during the call. err: ERR_OK: written and read back; ERR_CLOSED:
 * the worker stops; ERR_TOO_LARGE, ERR_UNAUTHORIZED: refused, the writer goes on; ERR_FENCED: a
 * newer leader writes; ERR_IO, ERR_TIMEOUT: not written; ERR_INTERNAL: written, but not read back
 * in time. After the last four the writer needs LEADER_JOB_OPEN again. */
struct leader_result {
    enum leader_job job;
    uint64_t epoch;
    enum err err;
    int64_t position; /* config position behind the batch */
    const char *text;
};

struct leader_writer_options {
    const struct settings *settings;                                /* borrowed for life */
    struct store *store;                                            /* borrowed for life */
    void (*on_done)(void *arg, const struct leader_result *result); /* on the writer's thread */
    void *arg;
};

/* leader_writer_start starts the thread; it opens no client until it is asked to. */
struct leader_writer *leader_writer_start(const struct leader_writer_options *options);
/* leader_writer_close refuses further jobs; the one in progress is finished. Does not block. */
void leader_writer_close(struct leader_writer *writer);
/* leader_writer_stop does that and ends the thread; may be called twice. leader_writer_free
 * releases everything. Both take NULL. */
void leader_writer_stop(struct leader_writer *writer);
void leader_writer_free(struct leader_writer *writer);
/* leader_writer_submit queues a job; records are taken over (NULL for none). epoch comes back in
 * the result. Thread: any. */
void leader_writer_submit(struct leader_writer *writer, enum leader_job job, uint64_t epoch,
                          struct out_records *records);
