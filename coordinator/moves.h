/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tasks have gone from one worker to another, and why: found out by comparing what the
 * placement records and the group say now with what they said at the last look, so that every
 * worker knows it, whoever leads. The newest are kept. Pure. Thread: the owner's; a struct move may
 * be shared with any.
 */
#pragma once

#include "coordinator/config_state.h"
#include "coordinator/membership.h"

/* So many are kept. */
#define MOVES_KEPT 100

/* One task that has changed its worker. Immutable. */
struct move {
    struct ref ref;
    int64_t at_ms; /* wall clock of the look that found it */
    char *connector;
    int task;
    char *from; /* worker id; NULL: it sat nowhere */
    char *to;
    int slot; /* that it sits in now */
    enum move_reason reason;
};

struct move *move_ref(struct move *move);
void move_unref(struct move *move);

struct moves;

/* moves_new starts without knowledge: what the first look finds is no move. */
struct moves *moves_new(int n_slots);
void moves_free(struct moves *moves);
/* moves_look compares and calls on_move for each task that has moved since. The snapshot is
 * referenced until the next look. */
typedef void moves_fn(void *arg, const struct move *move);
void moves_look(struct moves *moves, struct snapshot *snapshot, const struct membership *members,
                int64_t now_wall_ms, moves_fn *on_move, void *arg);
/* moves_list returns an owned array with a reference to each that is kept, the newest first. */
struct move **moves_list(const struct moves *moves, size_t *ret_n);
/* moves_worker_of returns the last known worker id of a slot, NULL if none. Borrowed. */
const char *moves_worker_of(const struct moves *moves, int slot);
