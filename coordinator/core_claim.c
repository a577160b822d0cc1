/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock for each task, in the order of the status topic. Before a worker starts a task it writes a
 * claim and waits until it reads it back: then it knows of everybody who claimed the task before,
 * also of one whose thread has not said a word yet. It starts when all those have let go or are
 * dead, or when the hand-over time is over. Letting go is a status (UNASSIGNED, FAILED) or, when
 * nobody else is to see it, a claim that is given up.
 */
#include "coordinator/core_claim.h"

#include "coordinator/config_claims.h"
#include "coordinator/core_private.h"
#include "worker/base/mem.h"

static const struct claims *claims_of(const struct core *core, const struct own_task *own)
{
    const struct connector_state *connector = snapshot_find_any(core->snapshot, own->connector);
    if (connector && (size_t)own->task < connector->n_tasks) {
        return connector->tasks[own->task].claims;
    }
    for (size_t i = 0; connector && i < connector->n_extra_statuses; i++) {
        if (connector->extra_statuses[i].task == own->task) {
            return connector->extra_statuses[i].claims;
        }
    }
    return NULL;
}

/* True when this worker shows a task as its own: that tells of its set, whatever it claimed. */
static bool is_shown(const struct core *core, const struct own_task *own)
{
    const struct status *status = own->now->tasks[own->task].status;
    return core_active(status) && core_is_me(core, status->worker_id);
}

/* True when the claim of this time is in the queue, and tells of the set that is in force here. */
static bool is_in(const struct core *core, const struct own_task *own, const struct claims *claims,
                  size_t *ret_place)
{
    size_t place = claims_find(claims, core->options.worker_id);
    *ret_place = place;
    return own->claim && place < claims_count(claims) && claims->items[place].token &&
           strcmp(claims->items[place].token, own->claim) == 0 &&
           (claims->items[place].division == own->now->division || is_shown(core, own));
}

bool core_claimed(const struct core *core, const struct claims *claims)
{
    bool claimed = false;
    for (size_t i = 0; i < claims_count(claims); i++) {
        claimed = claimed || core_maybe_alive(core, claims->items[i].worker_id);
    }
    return claimed;
}

bool core_claim_differs(const struct core *core, const struct claims *claims,
                        const struct status *status, int64_t division)
{
    for (size_t i = 0; i < claims_count(claims); i++) {
        const struct claim *claim = &claims->items[i];
        /* What that one has shown counts more than what it claimed before. */
        bool shown = core_active(status) && strcmp(status->worker_id, claim->worker_id) == 0;
        /* Who knows more of the group than this worker may have joined just now. */
        bool alive =
            claim->generation > core->generation || core_maybe_alive(core, claim->worker_id);
        if (claim->token && claim->division >= 0 && claim->division != division && !shown &&
            !core_is_me(core, claim->worker_id) && alive) {
            return true;
        }
    }
    return false;
}

static bool is_free(const struct core *core, const struct own_task *own)
{
    const struct task_state *task = &own->now->tasks[own->task];
    const struct status *status = task->status;
    size_t place = 0;
    if (!is_in(core, own, task->claims, &place)) {
        return false;
    }
    for (size_t i = 0; i < place; i++) {
        if (core_maybe_alive(core, task->claims->items[i].worker_id)) {
            return false;
        }
    }
    return !core_active(status) || core_is_me(core, status->worker_id) ||
           !core_maybe_alive(core, status->worker_id);
}

bool core_claim_blocks(struct core *core, struct own_task *own, uint64_t now_ms)
{
    if (is_free(core, own)) {
        return false;
    }
    if (own->wait_until_ms == 0) {
        own->wait_until_ms = now_ms + core->options.handover_ms;
    }
    return now_ms < own->wait_until_ms;
}

static void drop(struct own_task *own)
{
    free(TAKE(own->claim));
    own->claim_ms = 0;
}

/* Writes a claim (token), or gives it up (""), unless that was done just now. */
static void write_claim(struct core *core, struct own_task *own, const char *token, uint64_t now_ms,
                        struct decisions *out)
{
    if (own->claim_ms > 0 && now_ms < own->claim_ms + CORE_RESEND_MS) {
        core_wake(&out->wake_ms, own->claim_ms + CORE_RESEND_MS);
        return;
    }
    own->claim_ms = now_ms;
    const struct status_fields fields = {
        .state = STATE_UNASSIGNED,
        .worker_id = core->options.worker_id,
        .generation = core->generation,
        .division = token[0] ? own->now->division : -1,
        .claim = token,
    };
    record_status(&out->statuses, own->connector, own->task, &fields);
}

static void claim(struct core *core, struct own_task *own, const struct claims *claims,
                  uint64_t now_ms, struct decisions *out)
{
    size_t place = 0;
    if (is_in(core, own, claims, &place)) {
        return;
    }
    if (!own->claim) {
        own->claim =
            xasprintf("%s %llu", core->options.instance, (unsigned long long)++core->last_claim);
        own->claim_ms = 0;
    }
    if (own->claim_of != own->now->division) {
        own->claim_of = own->now->division;
        own->claim_ms = 0;
    }
    write_claim(core, own, own->claim, now_ms, out);
}

bool core_claim_status(struct core *core, struct own_task *own, bool said, uint64_t now_ms,
                       struct decisions *out)
{
    const struct claims *claims = claims_of(core, own);
    if (said) {
        drop(own); /* what was said gives it up as well */
    }
    if (own->state == OWN_IDLE && own->now) {
        claim(core, own, claims, now_ms, out);
        return true;
    }
    bool over = own->state == OWN_GONE || own->state == OWN_FAILED;
    if (!over) {
        return false;
    }
    bool mine = claims_find(claims, core->options.worker_id) < claims_count(claims);
    if (said) {
        own->claim_ms = now_ms;
        return mine;
    }
    if (own->claim) {
        drop(own);
        write_claim(core, own, "", now_ms, out);
    } else if (mine) {
        write_claim(core, own, "", now_ms, out);
    }
    return mine;
}
