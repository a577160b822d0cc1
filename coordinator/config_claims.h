/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has laid claim to a task, in the order of the status topic, which is the same for everybody:
 * a worker claims a task before it starts it, and starts it when nobody who lives stands before it.
 * A claim is a status record with a member "claim"; Connect reads it as UNASSIGNED.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "coordinator/config_state.h"

/* More than so many claims of one task are not kept: the oldest are those of workers long dead. */
#define CLAIMS_MAX 16

struct claim {
    char *worker_id;
    char *token; /* of one claim of one process; NULL: known from what the worker showed only */
    int64_t division;   /* of the set that the worker is going to start; -1: not said */
    int64_t generation; /* of the group, as the worker knew it */
};

/* The queue of one task. Immutable; shared by snapshots. */
struct claims {
    struct ref ref;
    size_t n_items;
    struct claim items[];
};

/* claims_ref and claims_unref take NULL. Thread: any. */
struct claims *claims_ref(struct claims *claims);
void claims_unref(struct claims *claims);
/* claims_after returns the queue (a reference, NULL: empty) after one more record. token: its
 * "claim": NULL when it is an ordinary status, "" when a claim is given up. An ordinary status that
 * says that the worker has the task ends all claims before its own, any other its own. */
struct claims *claims_after(const struct claims *claims, const struct status *status,
                            const char *token);
/* claims_find returns the place of a worker, claims->n_items when it has none; claims may be NULL,
 * then 0. */
size_t claims_find(const struct claims *claims, const char *worker_id);
size_t claims_count(const struct claims *claims);
