/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is in the cluster and what has moved, as one worker sees it: made by the herder whenever it
 * changes, read by REST. Immutable. Thread: any.
 */
#pragma once

#include "coordinator/membership.h"
#include "coordinator/moves.h"

struct roster {
    struct ref ref;
    char *group_id;
    int n_slots;
    bool known;         /* the group has told who is in it */
    int64_t generation; /* grows with each change of the group */
    char *leader;       /* REST URL of the worker that leads; "": nobody */
    struct membership members;
    struct move **moves; /* newest first */
    size_t n_moves;
};

struct roster *roster_ref(struct roster *roster);
/* roster_unref takes NULL. */
void roster_unref(struct roster *roster);
/* roster_worker_of returns the member that holds a slot, NULL if nobody is known to. Borrowed. */
const struct member *roster_worker_of(const struct roster *roster, int slot);
