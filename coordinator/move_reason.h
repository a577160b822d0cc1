/* SPDX-License-Identifier: Apache-2.0 */
/* The reasons why tasks sit where they sit: in placement records, REST, metrics and the log. Pure.
 * Thread: any. */
#pragma once

#include <stdbool.h>

/* Why a task sits where it sits: X(name, text). The first are the leader's, in placement records;
 * the others happen to slots, with all tasks in them. */
#define MOVE_REASONS(X)                                                                            \
    X(PLACED, "placed")     /* it sat nowhere */                                                   \
    X(BALANCE, "balance")   /* loads of workers differed */                                        \
    X(FAILOVER, "failover") /* its worker does not answer any more */                              \
    X(LEAVING, "leaving")   /* its worker hands its tasks over and stops */                        \
    X(JOINED, "joined")     /* the group gave the slot to a worker with fewer */                   \
    X(LEFT, "left")         /* the group gave the slot away as its worker was gone */

enum move_reason {
#define X(name, text) MOVE_##name,
    MOVE_REASONS(X)
#undef X
};

/* move_reason_name gives the text; move_reason_parse reads it: false if it is none. */
const char *move_reason_name(enum move_reason reason);
bool move_reason_parse(const char *name, enum move_reason *ret_reason);
