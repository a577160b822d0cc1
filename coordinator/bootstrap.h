/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first steps of a worker: reach Kafka, create or check the internal topics. Blocks; runs on
 * the cluster's start thread.
 */
#pragma once

#include <stdbool.h>

#include "coordinator/settings.h"
#include "coordinator/view.h"
#include "worker/base/err.h"
#include "worker/base/lock.h"

/* Tells the steps that the worker stops. */
struct bootstrap_stop {
    struct lock lock;
    struct cond changed;
    bool stopping;
};

void bootstrap_stop_init(struct bootstrap_stop *stop);
void bootstrap_stop_fini(struct bootstrap_stop *stop);
/* bootstrap_stop_raise makes the steps end soon. Thread: any. */
void bootstrap_stop_raise(struct bootstrap_stop *stop);
bool bootstrap_stop_raised(struct bootstrap_stop *stop);

/* bootstrap_topics reaches Kafka, however long it takes, notes its id in the view, makes sure that
 * the four internal topics exist and are as they must be, and sets ret_n_slots to the number of
 * slots. Errors: ERR_CLOSED when the worker stops; ERR_INVALID and ERR_UNAUTHORIZED with one line
 * that names property, value and mend: the worker cannot run. */
enum err bootstrap_topics(const struct settings *settings, struct view *view,
                          struct bootstrap_stop *stop, int *ret_n_slots,
                          struct error *reterr) MUST_CHECK;
