/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status records: what this worker has to say about its own tasks, and, as leader, about
 * connectors, and about tasks of which nobody else will speak. Level-triggered: a record is written
 * when the newest one in the snapshot is not what it should be, and not again while it may still be
 * on its way.
 */
#include "coordinator/config_workers.h"
#include "coordinator/core_private.h"
#include "worker/base/mem.h"

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* A record of this key that came after what was there when ours was written, by somebody else. */
static bool overtaken(const struct core *core, const struct sent *sent, const struct status *seen)
{
    int64_t offset = seen ? seen->offset : -1;
    return offset != sent->seen_offset && !(seen && core_is_me(core, seen->worker_id));
}

static void sent_note(struct sent *sent, const struct status *seen, uint64_t now_ms)
{
    sent->any = true;
    sent->confirmed = false;
    sent->seen_offset = seen ? seen->offset : -1;
    sent->at_ms = now_ms;
}

bool sent_due(const struct core *core, struct sent *sent, const struct status *seen,
              const struct status_fields *want, uint64_t now_ms, uint64_t *wake_ms)
{
    bool same =
        sent->any && !sent->gone && sent->state == want->state && sent->division == want->division;
    if (same && seen && seen->state == want->state && seen->division == want->division &&
        core_is_me(core, seen->worker_id) &&
        (want->state != STATE_FAILED || same_text(seen->trace, want->trace))) {
        sent->confirmed = true;
        return false;
    }
    if (same && !sent->confirmed && !overtaken(core, sent, seen) &&
        now_ms < sent->at_ms + CORE_RESEND_MS) {
        core_wake(wake_ms, sent->at_ms + CORE_RESEND_MS);
        return false;
    }
    sent->gone = false;
    sent->state = want->state;
    sent->division = want->division;
    sent_note(sent, seen, now_ms);
    return true;
}

/* The same for a tombstone of a record that is there. */
static bool tombstone_due(struct sent *sent, const struct status *seen, uint64_t now_ms,
                          uint64_t *wake_ms)
{
    if (sent->any && sent->gone && sent->seen_offset == seen->offset &&
        now_ms < sent->at_ms + CORE_RESEND_MS) {
        core_wake(wake_ms, sent->at_ms + CORE_RESEND_MS);
        return false;
    }
    sent->gone = true;
    sent_note(sent, seen, now_ms);
    return true;
}

static struct status_fields fields_of(const struct core *core, enum run_state state)
{
    return (struct status_fields){
        .state = state,
        .worker_id = core->options.worker_id,
        .generation = core->generation,
        .division = -1,
    };
}

/* What the snapshot knows of a task: its status, and the connector if there is one. */
static const struct status *seen_status(const struct core *core, const struct own_task *own,
                                        const struct connector_state **ret_connector)
{
    const struct connector_state *connector = snapshot_find_any(core->snapshot, own->connector);
    *ret_connector = connector;
    if (!connector) {
        return NULL;
    }
    if ((size_t)own->task < connector->n_tasks) {
        return connector->tasks[own->task].status;
    }
    for (size_t i = 0; i < connector->n_extra_statuses; i++) {
        if (connector->extra_statuses[i].task == own->task) {
            return connector->extra_statuses[i].status;
        }
    }
    return NULL;
}

/* Returns whether this state has something to say, and what. */
static bool own_says(const struct own_task *own, enum run_state *ret_state)
{
    switch (own->state) {
    case OWN_RUNNING:
        *ret_state = STATE_RUNNING;
        return true;
    case OWN_PAUSED:
        *ret_state = STATE_PAUSED;
        return true;
    case OWN_FAILED:
        *ret_state = STATE_FAILED;
        return true;
    case OWN_IDLE:
    case OWN_STARTING:
    case OWN_STOPPING:
        *ret_state = STATE_RESTARTING;
        return own->restarting;
    case OWN_GONE:
        break;
    }
    return false;
}

/* A thread that is being stopped and that nobody can see: the leader removed its record before it
 * had read it. Whoever makes the connector anew has to know of it. */
static bool is_unseen(const struct own_task *own, const struct status *seen)
{
    return own->state == OWN_STOPPING && !own->restarting && !seen;
}

/* True when the record in the topic, or one on its way to it, says that this worker runs a task
 * that it has stopped. A newer record of another worker is left alone. */
static bool unassigned_is_missing(const struct core *core, const struct own_task *own,
                                  const struct status *seen)
{
    if (seen && core_is_me(core, seen->worker_id)) {
        return core_active(seen);
    }
    return own->sent.any && own->sent.state != STATE_UNASSIGNED && !own->sent.confirmed &&
           own->sent.state != STATE_FAILED && !overtaken(core, &own->sent, seen);
}

/* A task that has stopped and waits with its start while its record says that it runs: others may
 * wait for what it held. */
static bool lets_go(const struct core *core, const struct own_task *own, const struct status *seen)
{
    return own->state == OWN_IDLE && own->now && core_active(seen) &&
           core_is_me(core, seen->worker_id) && seen->division < own->now->division;
}

/* True when a claim of another worker, that came to nothing perhaps, stands over what this one has
 * shown: who reads the compacted topic finds the claim only. Once, until it is seen. */
static bool is_covered(struct own_task *own, const struct connector_state *connector,
                       uint64_t now_ms, uint64_t *wake_ms)
{
    bool shows = own->state == OWN_RUNNING || own->state == OWN_PAUSED || own->state == OWN_FAILED;
    bool covered = shows && connector && (size_t)own->task < connector->n_tasks &&
                   connector->tasks[own->task].covered;
    if (!covered) {
        own->covered_ms = 0;
        return false;
    }
    if (own->covered_ms > 0 && now_ms < own->covered_ms + CORE_RESEND_MS) {
        core_wake(wake_ms, own->covered_ms + CORE_RESEND_MS);
        return false;
    }
    own->covered_ms = now_ms;
    return true;
}

static struct status_fields own_fields(const struct core *core, const struct own_task *own,
                                       enum run_state state)
{
    struct status_fields want = fields_of(core, state);
    if (state == STATE_RUNNING || state == STATE_PAUSED || state == STATE_RESTARTING) {
        want.division = core_held(own);
    }
    want.trace = state == STATE_FAILED ? own->trace : NULL;
    want.version = own->from ? core_version(core, own->from) : NULL;
    return want;
}

/* Writes what one entry has to say; returns false when it has nothing to say any more. ret_said: a
 * record was written that ends its claim. */
static bool own_status(struct core *core, struct own_task *own, uint64_t now_ms,
                       struct decisions *out, bool *ret_said)
{
    const struct connector_state *connector = NULL;
    const struct status *seen = seen_status(core, own, &connector);
    enum run_state state = STATE_UNASSIGNED;
    *ret_said = false;
    if (own->state == OWN_GONE) {
        bool waits = own->sent.any && own->sent.state == STATE_UNASSIGNED &&
                     !overtaken(core, &own->sent, seen) && !(seen && !core_active(seen)) &&
                     now_ms < own->sent.at_ms + CORE_RESEND_MS;
        if (!waits && !unassigned_is_missing(core, own, seen)) {
            return false;
        }
    } else if (lets_go(core, own, seen) && !own->restarting) {
        state = STATE_UNASSIGNED;
    } else if (is_unseen(own, seen)) {
        state = own->paused ? STATE_PAUSED : STATE_RUNNING;
    } else if (!own_says(own, &state)) {
        return own->now || own_has_thread(own);
    }
    struct status_fields want = own_fields(core, own, state);
    bool covered = is_covered(own, connector, now_ms, &out->wake_ms);
    if (sent_due(core, &own->sent, seen, &want, now_ms, &out->wake_ms) || covered) {
        record_status(&out->statuses, own->connector, own->task, &want);
        *ret_said = state == STATE_UNASSIGNED || state == STATE_FAILED;
    }
    /* A failed task that is somebody else's business now: its record stays until he writes. */
    return own->state != OWN_FAILED || own->now;
}

void core_own_statuses(struct core *core, uint64_t now_ms, struct decisions *out)
{
    size_t i = 0;
    while (i < core->n_own) {
        struct own_task *own = core->own[i];
        bool said = false;
        bool speaks = own_status(core, own, now_ms, out, &said);
        bool claims = core_claim_status(core, own, said, now_ms, out);
        if (speaks || claims) {
            i++;
        } else {
            core_own_free(core, i);
        }
    }
}

static struct sent *task_sent(struct lead *lead, int task)
{
    for (size_t i = 0; i < lead->n_tasks; i++) {
        if (lead->tasks[i].task == task) {
            return &lead->tasks[i].sent;
        }
    }
    lead->tasks = xrealloc(lead->tasks, (lead->n_tasks + 1) * sizeof(*lead->tasks));
    lead->tasks[lead->n_tasks] = (struct task_sent){ .task = task };
    return &lead->tasks[lead->n_tasks++].sent;
}

/* Returns false when the leader has nothing to say about the connector's state (yet). */
static bool connector_says(const struct core *core, const struct lead *lead,
                           const struct connector_state *connector, enum run_state *ret_state)
{
    if (core->draining) {
        /* Of what this worker showed as its own it lets go, as it does with tasks. */
        *ret_state = STATE_UNASSIGNED;
        return connector->target != TARGET_STOPPED && connector->status &&
               core_is_me(core, connector->status->worker_id) && core_active(connector->status);
    }
    if (connector->target == TARGET_STOPPED) {
        *ret_state = STATE_STOPPED;
    } else if (lead_restart_due(lead, connector)) {
        *ret_state = STATE_RESTARTING;
    } else if (lead->failure) {
        *ret_state = STATE_FAILED;
    } else {
        *ret_state = connector->target == TARGET_PAUSED ? STATE_PAUSED : STATE_RUNNING;
    }
    /* A new connector is shown when its task configs were made, or could not be made. */
    return *ret_state != STATE_RUNNING || connector->committed || lead->tried;
}

/* What a task of a deleted connector still told about its topics while it stopped. */
static void clean_topics(struct lead *lead, const struct connector_state *connector,
                         uint64_t now_ms, struct decisions *out)
{
    const struct topic_list *topics = connector->topics;
    if (!topics) {
        lead->topics_sent = NULL;
        return;
    }
    if (topics == lead->topics_sent && now_ms < lead->topics_sent_ms + CORE_RESEND_MS) {
        core_wake(&out->wake_ms, lead->topics_sent_ms + CORE_RESEND_MS);
        return;
    }
    record_topics_unused(&out->statuses, connector);
    lead->topics_sent = topics;
    lead->topics_sent_ms = now_ms;
}

static void connector_status(struct core *core, struct lead *lead,
                             const struct connector_state *connector, uint64_t now_ms,
                             struct decisions *out)
{
    const struct status *seen = connector->status;
    enum run_state state = STATE_UNASSIGNED;
    if (!connector->has_config) {
        if (seen && tombstone_due(&lead->sent, seen, now_ms, &out->wake_ms)) {
            record_status_gone(&out->statuses, connector->name, -1);
        }
        clean_topics(lead, connector, now_ms, out);
        return;
    }
    if (!connector_says(core, lead, connector, &state)) {
        return;
    }
    struct status_fields want = fields_of(core, state);
    want.trace = state == STATE_FAILED ? lead->failure : NULL;
    want.version = core_version(core, connector);
    if (sent_due(core, &lead->sent, seen, &want, now_ms, &out->wake_ms)) {
        record_status(&out->statuses, connector->name, -1, &want);
    }
}

/* Removes records of tasks that are no more, once whoever ran them has stopped or is dead. */
static void clean_extras(struct core *core, struct lead *lead,
                         const struct connector_state *connector, uint64_t now_ms,
                         struct decisions *out)
{
    for (size_t i = 0; i < connector->n_extra_statuses; i++) {
        const struct extra_status *extra = &connector->extra_statuses[i];
        if (core_active(extra->status) && core_maybe_alive(core, extra->status->worker_id)) {
            continue;
        }
        if (core_claimed(core, extra->claims)) {
            continue;
        }
        struct sent *sent = task_sent(lead, extra->task);
        if (tombstone_due(sent, extra->status, now_ms, &out->wake_ms)) {
            record_status_gone(&out->statuses, connector->name, extra->task);
        }
    }
}

/* A task that sits nowhere and was run by a worker that is dead: nobody else will correct it. */
static void clean_orphans(struct core *core, struct lead *lead,
                          const struct connector_state *connector, uint64_t now_ms,
                          struct decisions *out)
{
    for (size_t n = 0; n < connector->n_tasks; n++) {
        const struct status *seen = connector->tasks[n].status;
        if (connector->tasks[n].slot >= 0 || !core_active(seen) ||
            core_maybe_alive(core, seen->worker_id)) {
            continue;
        }
        struct status_fields want = fields_of(core, STATE_UNASSIGNED);
        want.version = core_version(core, connector);
        if (sent_due(core, task_sent(lead, (int)n), seen, &want, now_ms, &out->wake_ms)) {
            record_status(&out->statuses, connector->name, (int)n, &want);
        }
    }
}

static bool is_member(const struct core *core, const char *worker_id)
{
    for (size_t i = 0; i < core->n_members; i++) {
        if (strcmp(core->members[i].worker_id, worker_id) == 0) {
            return true;
        }
    }
    return core_is_me(core, worker_id);
}

/* Removes the notes of workers that are no more. */
static void clean_notes(struct core *core, uint64_t now_ms, struct decisions *out)
{
    const struct worker_notes *notes = core->snapshot->notes;
    bool known = core->n_members > 0 && !core->members_stale && !core->draining;
    if (!notes || !known) {
        return;
    }
    bool again = notes != core->notes_sent || now_ms >= core->notes_sent_ms + CORE_RESEND_MS;
    bool any = false;
    for (size_t i = 0; i < notes->n_items; i++) {
        if (is_member(core, notes->items[i]->worker_id)) {
            continue;
        }
        any = true;
        if (again) {
            record_worker(&out->statuses, notes->items[i]->worker_id, NULL);
        }
    }
    if (any && again) {
        core->notes_sent = notes;
        core->notes_sent_ms = now_ms;
    }
    if (any) {
        core_wake(&out->wake_ms, core->notes_sent_ms + CORE_RESEND_MS);
    }
}

void core_lead_statuses(struct core *core, uint64_t now_ms, struct decisions *out)
{
    clean_notes(core, now_ms, out);
    for (size_t i = 0; i < core->n_leads; i++) {
        const struct connector_state *connector = core->snapshot->connectors[i];
        struct lead *lead = &core->leads[i];
        connector_status(core, lead, connector, now_ms, out);
        if (core->draining) {
            continue;
        }
        clean_extras(core, lead, connector, now_ms, out);
        clean_orphans(core, lead, connector, now_ms, out);
        if (connector->n_extra_statuses == 0 && lead->n_tasks > connector->n_tasks) {
            free(lead->tasks);
            lead->tasks = NULL;
            lead->n_tasks = 0;
        }
    }
}
