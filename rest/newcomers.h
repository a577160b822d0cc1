/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that have brought no request yet. At the end those made just now are waited for: a
 * worker that has connected, TLS and all, to hand a request on must be told that nobody leads here,
 * or it cannot tell what became of the request. Those that have been idle for longer, as those of
 * workers that watch each other, are not.
 */
#pragma once

#include <stdint.h>

#include "worker/base/list.h"
#include "worker/base/lock.h"

/* How long a connection is a newcomer. */
#define NEWCOMER_MS 500U

struct newcomers {
    struct lock lock;
    struct cond gone;
    struct list items; /* under lock; the newest one last */
};

/* A part of a connection. */
struct newcomer {
    struct list link; /* in items until its first request */
    uint64_t since_ms;
};

void newcomers_init(struct newcomers *newcomers);
/* newcomers_fini releases it when no connection is left. */
void newcomers_fini(struct newcomers *newcomers);
/* newcomers_add notes a connection that was made; newcomers_remove that it has brought a request,
 * or is closed: a second time nothing happens. Thread: the connection's. */
void newcomers_add(struct newcomers *newcomers, struct newcomer *newcomer);
void newcomers_remove(struct newcomers *newcomers, struct newcomer *newcomer);
/* newcomers_wait waits until all are gone that are still newcomers, or deadline_ms (monotonic).
 * Thread: main. */
void newcomers_wait(struct newcomers *newcomers, uint64_t deadline_ms);
