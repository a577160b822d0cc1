/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: which slot each task sits in. Pure. Tasks of one connector are spread over workers,
 * new tasks go to the least loaded worker, and only when loads differ by more than one task are the
 * fewest tasks moved. The load of a worker is the weight of its tasks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Weight of an ordinary task. */
#define PLACEMENT_UNIT 1000

/* Values of slot_owner that are no worker: nobody holds the slot now, but somebody will at once;
 * who holds it is dead; who holds it hands its tasks over and goes. */
#define PLACEMENT_NOBODY  (-1)
#define PLACEMENT_DEAD    (-2)
#define PLACEMENT_LEAVING (-3)

/* One task to place. */
struct placement_task {
    int group;            /* tasks of one connector share a number */
    int slot;             /* in: present slot or -1; out: the slot it is to sit in */
    int weight;           /* 0: PLACEMENT_UNIT */
    bool fixed;           /* in: counts as load, but placement_balance leaves it where it is */
    int moves;            /* in: how often it was moved lately: see n_old */
    int64_t moved_before; /* in: when, the last time but one; greater is later */
    bool moved;           /* out: slot was changed */
};

/* In all calls slot_owner[slot] is the owner's number, 0 <= number < n_workers, or one of the
 * values above; numbers rise with the time at which workers were started. Workers without slots
 * take no part.
 *
 * While workers are replaced one by one, a task is to move twice at most. n_old: those below are
 * not replaced yet, as far as one can see (0: all alike). So a task that was moved lately goes from
 * a leaving worker to one that is new, or the newest if all are alike; for balance it goes to new
 * ones only; and who was moved twice stays where it is. */
#define PLACEMENT_ANY (-1) /* for n_old: balance without regard to that */

/* placement_fill gives every task without a legal slot, or in one of a dead or leaving worker, a
 * slot: on the least loaded worker, then the one with the fewest tasks of the same group, then the
 * newest; there in its emptiest slot, then its highest. Tasks in slots that nobody owns are left
 * alone: their slot will be claimed again at once. Returns how many were given a slot. */
size_t placement_fill(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers, int n_old);
/* placement_balance moves tasks until no move of one lessens the difference between two workers (by
 * more than noise, when weights differ): with equal weights these are the fewest moves such that
 * loads differ by at most one task, as far as tasks that are not fixed allow. Returns how many were
 * moved. */
size_t placement_balance(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                         int n_slots, int n_workers, int n_old);
/* placement_uneven tells whether placement_balance would move anything if no task were fixed. */
bool placement_uneven(const struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers);
