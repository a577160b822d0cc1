/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the work of a connector is divided anew, what one task gives up another one gets. Each task
 * says in its status of which division it holds something; who gets more waits until nobody is left
 * with an older one: for tasks of this worker as long as it takes, for those of another one for the
 * hand-over time at most.
 */
#include "coordinator/core_private.h"

int64_t core_held(const struct own_task *own)
{
    if (own_has_thread(own)) {
        return own->division;
    }
    return own->now ? own->now->division : -1;
}

static bool here(const struct own_task *own, int64_t division)
{
    return own && own_has_thread(own) && own->division < division;
}

/* A newer division than ours counts as well: then we have not read the config topic far enough.
 * Whether that worker lives is not asked: who has just joined may be unknown here, and a wait for a
 * dead one ends with the hand-over time, or when its task has been taken over. */
static bool elsewhere(const struct core *core, const struct status *status, int64_t division)
{
    return core_active(status) && status->division != division &&
           !core_is_me(core, status->worker_id);
}

/* So does a claim count that may become a thread of another division at any moment. */
static bool task_elsewhere(const struct core *core, const struct status *status,
                           const struct claims *claims, int64_t division)
{
    return elsewhere(core, status, division) || core_claim_differs(core, claims, status, division);
}

/* Threads of tasks that the connector does not have any more. */
static size_t beyond(const struct core *core, const struct connector_state *connector)
{
    size_t n = 0;
    for (size_t i = 0; i < core->n_own && core->n_unwanted > 0; i++) {
        const struct own_task *own = core->own[i];
        n += own_has_thread(own) && (size_t)own->task >= connector->n_tasks &&
             strcmp(own->connector, connector->name) == 0;
    }
    return n;
}

static void count(struct core *core, const struct connector_state *connector)
{
    struct holders *holders = &core->holders;
    *holders = (struct holders){ .of = connector, .n_here = beyond(core, connector) };
    for (size_t n = 0; n < connector->n_tasks; n++) {
        bool is_here = here(core_own(core, connector->name, (int)n, false), connector->division);
        holders->n_here += is_here;
        const struct task_state *task = &connector->tasks[n];
        holders->n_elsewhere +=
            !is_here && task_elsewhere(core, task->status, task->claims, connector->division);
    }
    for (size_t i = 0; i < connector->n_extra_statuses; i++) {
        const struct extra_status *extra = &connector->extra_statuses[i];
        holders->n_elsewhere +=
            task_elsewhere(core, extra->status, extra->claims, connector->division);
    }
}

bool core_barrier(struct core *core, struct own_task *own, uint64_t now_ms, uint64_t *wake_ms)
{
    const struct connector_state *connector = own->now;
    if (core->holders.of != connector) {
        count(core, connector);
    }
    bool self = here(own, connector->division);
    const struct task_state *task = &connector->tasks[own->task];
    bool self_elsewhere =
        !self && task_elsewhere(core, task->status, task->claims, connector->division);
    if (core->holders.n_here > (self ? 1U : 0U)) {
        return true; /* its event asks again */
    }
    if (core->holders.n_elsewhere <= (self_elsewhere ? 1U : 0U)) {
        own->barrier_ms = 0;
        return false;
    }
    if (own->barrier_ms == 0 || own->barrier_of != connector->division) {
        own->barrier_ms = now_ms + core->options.handover_ms;
        own->barrier_of = connector->division;
    }
    if (now_ms >= own->barrier_ms) {
        return false;
    }
    core_wake(wake_ms, own->barrier_ms);
    return true;
}
