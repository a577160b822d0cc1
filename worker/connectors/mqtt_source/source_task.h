/* SPDX-License-Identifier: Apache-2.0 */
/* A running MqttSource task, inside of mqtt_source.c and live.c only. Thread: the task's. */
#pragma once

#include "worker/connectors/mqtt_source/reader.h"
#include "worker/connectors/mqtt_source/setup.h"

/* X(name): where a new config is on its way into the task. */
#define LIVE_STATES(X)                                                                             \
    X(NONE)  /* there is none */                                                                   \
    X(QUIET) /* readers finish what they have read */                                              \
    X(REST)  /* those that give up their connection close it */

enum live_state {
#define X(name) LIVE_##name,
    LIVE_STATES(X)
#undef X
};

struct source_task {
    const struct task_context *context; /* as the task was made */
    struct setup *setup;
    struct reader **readers;
    size_t n_readers;
    int event_fd;         /* records were delivered */
    struct pollfd *polls; /* readers, then control, then event_fd */
    bool reported_paused;
    bool reported_running;
    uint64_t run_ms; /* since when it is to run; 0: it is not */
    /* live.c's */
    enum live_state live;
    struct setup *next;
    unsigned costs; /* of going over to it */
};

/* source_task_parts fills in what readers work with. */
void source_task_parts(struct source_task *task, struct reader_parts *ret_parts);
/* source_task_add_reader adds the reader of session k. */
void source_task_add_reader(struct source_task *task, int k);

/* source_task_add_leavers adds readers of the sessions that are to be given up for good and that
 * nobody has yet. */
void source_task_add_leavers(struct source_task *task);

/* live_step takes a new config as far as it can go now; stopping: no more. True: what is wanted of
 * the readers has changed. */
bool live_step(struct source_task *task, bool stopping);
/* live_wish returns what is wanted of a reader, which the task as a whole wants to run. */
enum reader_wish live_wish(const struct source_task *task, const struct reader *reader);
/* live_deadline returns when live_step has to be called again, UINT64_MAX if on events only. */
uint64_t live_deadline(const struct source_task *task);
