/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What workers say of themselves and of each other in records `worker-<worker id>` of the status
 * topic: how fast their tasks work, whose REST port refuses them, that they are going away. Pure.
 * Thread: the fold's belong to the owner of the state; notes in snapshots may be read by any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/ref.h"

/* Bounds on what a record may list. */
#define WORKER_MAX_REFUSED 1000
#define WORKER_MAX_RATES   100000

/* Messages per second of one task. */
struct task_rate {
    char *connector;
    int task;
    int64_t rate;
};

/* What one worker says. Immutable. */
struct worker_note {
    struct ref ref;
    char *worker_id;
    char *instance; /* the process that says it, see membership.h */
    char **refused; /* instances whose REST port was lost and refuses connections; sorted */
    size_t n_refused;
    bool objects;            /* it was taken for dead and lives */
    bool leaving;            /* it hands its tasks over and stops */
    struct task_rate *rates; /* of tasks that it runs; by connector, then task */
    size_t n_rates;
};

/* All notes, by worker id. Immutable. */
struct worker_notes {
    struct ref ref;
    struct worker_note **items;
    size_t n_items;
};

/* worker_note_new returns an empty note that is to be filled before it is shared;
 * worker_note_refuse and worker_note_rate add to it. worker_note_unref takes NULL. Thread: any. */
struct worker_note *worker_note_new(const char *worker_id, const char *instance);
void worker_note_refuse(struct worker_note *note, const char *instance);
void worker_note_rate(struct worker_note *note, const char *connector, int task, int64_t rate);
void worker_note_unref(struct worker_note *note);
/* worker_note_refuses tells whether an instance is listed. */
bool worker_note_refuses(const struct worker_note *note, const char *instance);
/* worker_note_find_rate returns a task's rate, -1 when it is not listed. */
int64_t worker_note_find_rate(const struct worker_note *note, const char *connector, int task);

/* worker_notes_ref and worker_notes_unref take NULL. Thread: any. */
struct worker_notes *worker_notes_ref(struct worker_notes *notes);
void worker_notes_unref(struct worker_notes *notes);
/* worker_notes_find returns what a worker says, NULL if nothing; notes may be NULL. Borrowed. */
const struct worker_note *worker_notes_find(const struct worker_notes *notes,
                                            const char *worker_id);
