/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches processes of other workers: holds one idle TCP connection to the REST port of each. When
 * one breaks, the port is asked once more: if it refuses, the process is gone (nothing listens
 * there any more), which is told at once. No answer tells nothing. Nothing is polled.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct watch;

/* A process to be watched; borrowed. */
struct watch_target {
    const char *instance;  /* names it, see membership.h */
    const char *worker_id; /* host:port */
};

/* Called on the watch's thread. refused: a port that was reached before refuses connections now;
 * not refused: a port that was reported so takes connections again (of whatever process). */
typedef void watch_fn(void *arg, const char *instance, bool refused);

struct watch *watch_start(watch_fn *on_change, void *arg);
/* watch_set replaces what is watched; a target that stays keeps its connection. Thread: any, never
 * blocks. */
void watch_set(struct watch *watch, const struct watch_target *targets, size_t n_targets);
/* watch_stop ends the thread and frees. It waits for a look-up of a host name that is under way.
 * Takes NULL. */
void watch_stop(struct watch *watch);
