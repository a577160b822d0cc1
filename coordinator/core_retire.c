/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's duty to end what deleted connectors left outside. A retirement runs when nobody runs
 * a task of that connector any more, again and again with growing pauses until it is done or its
 * time is over. A new connector of the same name waits a while for it; then its tasks use the same
 * session names, so the retirement must not be run any more and is dropped. What a leader before
 * has left is not dropped until nobody else can be trying it. Each has a thread while it runs, so
 * only some run at once and the others wait for their turn, whose turn came first goes first: a
 * broker that does not answer costs its own connectors time, not the others.
 */
#include "coordinator/core_private.h"
#include "worker/base/mem.h"

void core_on_retired(struct core *core, uint64_t incarnation, enum err err)
{
    ASSERT(!incarnation || core->n_retiring > 0);
    core->n_retiring -= incarnation ? 1 : 0;
    for (size_t i = 0; i < core->n_retires && incarnation; i++) {
        struct retire *retire = &core->retires[i];
        if (retire->incarnation != incarnation) {
            continue;
        }
        retire->incarnation = 0;
        retire->done = err == ERR_OK;
        /* The pause is measured from the next look. */
        retire->retry_ms = CORE_NEVER_MS;
    }
}

bool core_retire_pending(const struct core *core, const char *name)
{
    size_t low = 0;
    size_t high = core->n_retires;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(core->retires[middle].name, name);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static bool status_blocks(const struct core *core, const struct status *status)
{
    return core_active(status) && core_maybe_alive(core, status->worker_id);
}

/* True while a task of this name may have a thread somewhere. */
static bool is_running(const struct core *core, const char *name)
{
    const struct connector_state *connector = snapshot_find_any(core->snapshot, name);
    for (size_t n = 0; connector && n < connector->n_tasks; n++) {
        if (status_blocks(core, connector->tasks[n].status)) {
            return true;
        }
    }
    for (size_t n = 0; connector && n < connector->n_extra_statuses; n++) {
        if (status_blocks(core, connector->extra_statuses[n].status)) {
            return true;
        }
    }
    for (size_t i = 0; i < core->n_own; i++) {
        if (own_has_thread(core->own[i]) && strcmp(core->own[i]->connector, name) == 0) {
            return true;
        }
    }
    return false;
}

/* True when tasks of a new connector of that name have been given slots. */
static bool names_in_use(const struct core *core, const char *name)
{
    const struct connector_state *connector = snapshot_find(core->snapshot, name);
    for (size_t n = 0; connector && n < connector->n_tasks; n++) {
        if (connector->tasks[n].slot >= 0) {
            return true;
        }
    }
    return false;
}

/* True when it must not be tried any more. */
static bool is_over(const struct core *core, const struct retire *retire, uint64_t now_ms)
{
    return retire->done || now_ms >= retire->first_ms + core->options.retire_ttl_ms ||
           names_in_use(core, retire->name) ||
           (retire->recreated_ms > 0 && now_ms >= retire->recreated_ms + CORE_RECREATED_MS);
}

/* When it may be tried next; a worker that was just starting a task when the connector went has not
 * said so yet. */
static uint64_t due_ms(const struct core *core, struct retire *retire, uint64_t now_ms)
{
    if (retire->retry_ms == CORE_NEVER_MS) {
        uint64_t next = retire->backoff_ms ? retire->backoff_ms * 2 : CORE_RETIRE_MIN_MS;
        retire->backoff_ms = next < CORE_RETIRE_MAX_MS ? next : CORE_RETIRE_MAX_MS;
        retire->retry_ms = now_ms + retire->backoff_ms;
    }
    uint64_t quiet_ms = retire->first_ms + core->options.handover_ms;
    return retire->retry_ms > quiet_ms ? retire->retry_ms : quiet_ms;
}

/* The one that has been waiting longest for its turn; NULL: none can run now. */
static struct retire *next_to_run(struct core *core, uint64_t now_ms, uint64_t *wake_ms)
{
    struct retire *next = NULL;
    uint64_t next_ms = now_ms;
    for (size_t i = 0; i < core->n_retires; i++) {
        struct retire *retire = &core->retires[i];
        if (retire->incarnation || is_over(core, retire, now_ms)) {
            continue;
        }
        uint64_t at_ms = due_ms(core, retire, now_ms);
        if (at_ms > now_ms) {
            core_wake(wake_ms, at_ms);
        } else if ((!next || at_ms < next_ms) && !is_running(core, retire->name)) {
            next = retire;
            next_ms = at_ms;
        }
    }
    return next;
}

void core_retire(struct core *core, uint64_t now_ms, struct decisions *out)
{
    struct retire *retire = NULL;
    while (core->n_retiring < CORE_RETIRE_AT_ONCE &&
           (retire = next_to_run(core, now_ms, &out->wake_ms)) != NULL) {
        retire->incarnation = ++core->last_incarnation;
        struct action *action = core_add_action(out, ACTION_RETIRE, retire->incarnation);
        action->connector = xstrdup(retire->name);
        action->retire_id = xstrdup(retire->id);
        core->n_retiring++;
    }
}

void core_retired(struct core *core, uint64_t now_ms, struct out_records *out, uint64_t *wake_ms)
{
    for (size_t i = 0; i < core->n_retires && out->n_items < CORE_BATCH; i++) {
        struct retire *retire = &core->retires[i];
        bool recreated = snapshot_find(core->snapshot, retire->name) != NULL;
        if (!recreated) {
            retire->recreated_ms = 0;
        } else if (retire->recreated_ms == 0) {
            retire->recreated_ms = now_ms ? now_ms : 1;
        }
        if (retire->incarnation) {
            continue; /* a try under way is not cut off: a new namesake waits for its end */
        }
        bool over = is_over(core, retire, now_ms);
        if (over && now_ms < retire->held_ms && !names_in_use(core, retire->name)) {
            core_wake(wake_ms, retire->held_ms);
            continue;
        }
        if (over) {
            record_retired(out, retire->name, retire->id);
            continue;
        }
        core_wake(wake_ms, retire->first_ms + core->options.retire_ttl_ms);
        if (retire->recreated_ms > 0) {
            core_wake(wake_ms, retire->recreated_ms + CORE_RECREATED_MS);
        }
    }
}
