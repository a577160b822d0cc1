/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closes sockets whose time is over, however busily bytes drip over them. One thread of its own,
 * "rest-reaper". Thread: any. Locks: its own, of rank LOCK_RANK_REST.
 */
#pragma once

#include <stdint.h>

#include "worker/base/list.h"

/* A socket, inside the structure of its connection; reaper_begin makes it ready. */
struct reaped {
    struct list link; /* in the reaper's list while it is watched */
    int fd;
    uint64_t deadline_ms;
};

struct reaper;

/* reaper_start returns an owned reaper that gives each socket limit_ms. */
struct reaper *reaper_start(uint64_t limit_ms);
/* reaper_stop joins the thread and frees the reaper. Nothing may be watched any more, or be told to
 * be afterwards. */
void reaper_stop(struct reaper *reaper);

/* reaper_begin sets the socket, which is not watched yet. */
void reaper_begin(struct reaped *socket, int fd);
/* reaper_watch gives the socket the whole time, from now on; when it is over, the socket is shut
 * down in both directions and watched no more. reaper_unwatch ends that; after it the socket may be
 * closed. */
void reaper_watch(struct reaper *reaper, struct reaped *socket);
void reaper_unwatch(struct reaper *reaper, struct reaped *socket);
