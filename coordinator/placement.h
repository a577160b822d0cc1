/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: which slot each task sits in. Pure. Tasks of one connector are spread over workers,
 * new tasks go to the least loaded worker, and only when loads differ by more than one are the
 * fewest tasks moved.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One task to place. */
struct placement_task {
    int group;  /* tasks of one connector share a number */
    int slot;   /* in: present slot or -1; out: the slot it is to sit in */
    bool fixed; /* in: counts as load, but placement_balance leaves it where it is */
    bool moved; /* out: slot was changed */
};

/* In all calls slot_owner[slot] is the owner's number, 0 <= number < n_workers, or -1 if nobody
 * holds the slot. Workers without slots take no part. */

/* placement_fill gives every task without a legal slot one: on the least loaded worker, then the
 * one with the fewest tasks of the same group, then its emptiest slot. Tasks in slots that nobody
 * owns are left alone: their slot will be claimed again at once. Returns how many were given a
 * slot. */
size_t placement_fill(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers);
/* placement_balance moves the fewest tasks such that loads of workers differ by at most one, as far
 * as tasks that are not fixed allow. Returns how many were moved. */
size_t placement_balance(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                         int n_slots, int n_workers);
/* placement_skew returns the largest minus the smallest number of tasks per worker. */
size_t placement_skew(const struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers);
