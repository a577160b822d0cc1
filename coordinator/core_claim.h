/* SPDX-License-Identifier: Apache-2.0 */
/* Claims to tasks, inside of the pure core. Thread: the owner of the core. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct claims;
struct core;
struct decisions;
struct own_task;
struct status;

/* core_claim_blocks tells whether a task that is wanted here must not start yet: its claim has not
 * come back in the status topic, a claim of a living worker stands before it, or a living worker
 * shows the task as its own. The wait for all that ends after the hand-over time. */
bool core_claim_blocks(struct core *core, struct own_task *own, uint64_t now_ms);
/* core_claim_status writes a claim for a task that waits with its start, and gives up one that is
 * not needed any more; returns whether something is under way about it. `said`: a status of the
 * task was written just now. */
bool core_claim_status(struct core *core, struct own_task *own, bool said, uint64_t now_ms,
                       struct decisions *out);
/* core_claim_differs tells whether another worker that lives claims a task, whose newest status is
 * given, for another set than that of division: it may start it. */
bool core_claim_differs(const struct core *core, const struct claims *claims,
                        const struct status *status, int64_t division);
/* core_claimed tells whether a worker that lives claims a task. */
bool core_claimed(const struct core *core, const struct claims *claims);
