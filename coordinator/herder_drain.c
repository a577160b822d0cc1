/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a worker goes. One that leads first hands its own tasks over as it would those of any worker
 * that leaves: else they would follow its slots to wherever the group gives them. Then, or at once
 * if it does not lead, it gives up the lead and stops its tasks.
 */
#include "coordinator/herder_private.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"

/* Longest time for the hand-over; what is not handed over by then follows the slots. */
#define HAND_OVER_MS 1000

/* Another member that may take tasks. */
static bool has_heir(const struct herder *herder)
{
    bool any = false;
    for (size_t i = 0; i < herder->membership.n_members; i++) {
        const struct member *member = &herder->membership.members[i];
        any = any || (!member->dead && !member->leaving &&
                      strcmp(member->instance, herder->options.settings->instance) != 0);
    }
    return any;
}

static void end_hand_over(struct herder *herder)
{
    herder->handing_over = false;
    core_set_draining(herder->core);
    lock_take(&herder->lock);
    herder->handed_over = true;
    cond_broadcast(&herder->changed);
    lock_drop(&herder->lock);
    herder->wake_ms = 0; /* the core has decided about this round before it knew of this */
}

void herder_on_drain(struct herder *herder, uint64_t deadline_ms)
{
    if (herder->draining) {
        return;
    }
    herder->draining = true;
    herder->drain_deadline_ms = deadline_ms;
    if (herder->lead.state != LEAD_ACTIVE || !has_heir(herder)) {
        end_hand_over(herder);
        return;
    }
    uint64_t until_ms = clock_mono_ms() + HAND_OVER_MS;
    herder->handing_over = true;
    herder->hand_over_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
}

void herder_drain_step(struct herder *herder, uint64_t now_ms)
{
    if (!herder->handing_over) {
        return;
    }
    bool given = core_tasks_wanted(herder->core) == 0;
    if (given || herder->lead.state != LEAD_ACTIVE || now_ms >= herder->hand_over_ms) {
        end_hand_over(herder);
    }
}

void herder_release_waiters(struct herder *herder)
{
    struct herder_op *op = herder->revocation;
    bool idle = op && core_slots_idle(herder->core, op->slots, op->n_slots);
    bool drained = herder->draining && !herder->handing_over && core_tasks_here(herder->core) == 0;
    if (!idle && !drained) {
        return;
    }
    lock_take(&herder->lock);
    if (idle) {
        herder->revokes_done = op->ticket;
    }
    herder->drained = herder->drained || drained;
    cond_broadcast(&herder->changed);
    lock_drop(&herder->lock);
    if (idle) {
        herder_op_free(TAKE(herder->revocation));
    }
}

void herder_drain(struct herder *herder, uint64_t deadline_ms)
{
    struct herder_op *op = herder_op_new(HERDER_OP_DRAIN);
    op->deadline_ms = deadline_ms;
    herder_post(herder, op);
    uint64_t until_ms = clock_mono_ms() + 2 * HAND_OVER_MS;
    until_ms = until_ms < deadline_ms ? until_ms : deadline_ms;
    lock_take(&herder->lock);
    while (!herder->handed_over && cond_wait_until(&herder->changed, &herder->lock, until_ms)) {
    }
    lock_drop(&herder->lock);
    leader_writer_close(herder->writer);
    lock_take(&herder->lock);
    while (!herder->drained && cond_wait_until(&herder->changed, &herder->lock, deadline_ms)) {
    }
    bool drained = herder->drained;
    herder->abandoned = !drained;
    cond_broadcast(&herder->changed);
    lock_drop(&herder->lock);
    if (!drained) {
        log_warn(NULL, "WORKER-DRAIN-LATE",
                 "reason=\"tasks did not stop within task.shutdown.graceful.timeout.ms\"");
    }
}
