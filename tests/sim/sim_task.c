/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual task threads and retirements: they take their time, and fail now and then. */
#include "tests/sim/sim.h"

static struct vtask *find(struct sim *sim, const struct sim_worker *worker, uint64_t incarnation)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        struct vtask *vtask = &sim->vtasks[i];
        if (vtask->state != VTASK_FREE && &sim->workers[vtask->worker] == worker &&
            vtask->incarnation == incarnation) {
            return vtask;
        }
    }
    return NULL;
}

static bool chaotic(const struct sim *sim)
{
    return sim->now_ms < sim->quiet_ms;
}

unsigned sim_sessions(const struct connector_state *connector, int task)
{
    const char *text = kvs_get(&connector->tasks[task].config, "s");
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static void set_label(char *label, size_t size, const struct connector_state *connector)
{
    const char *text = kvs_get(&connector->config, "x");
    (void)snprintf(label, size, "%s", text ? text : "");
}

void sim_task_start(struct sim *sim, struct sim_worker *worker, const struct action *action)
{
    int connector = sim_connector_number(action->connector);
    const struct connector_state *state = snapshot_find(worker->snapshot, action->connector);
    if (connector < 0 || !state || (size_t)action->task >= state->n_tasks ||
        !sim_worker_wants(worker, connector, action->task)) {
        sim_fail(sim, "%s starts %s-%d, which it does not have to run", worker->id,
                 action->connector, action->task);
        return;
    }
    sim_check_start(sim, worker, connector, action->task);
    if (sim->options.bug == SIM_BUG_LOST_STARTS && action->task == 1) {
        return;
    }
    struct vtask *vtask = sim->vtasks;
    while (vtask < sim->vtasks + SIM_VTASKS && vtask->state != VTASK_FREE) {
        vtask++;
    }
    if (vtask == sim->vtasks + SIM_VTASKS) {
        sim_fail(sim, "too many task threads");
        return;
    }
    *vtask = (struct vtask){
        .state = VTASK_STARTING,
        .start_ms = sim->now_ms,
        .worker = (int)(worker - sim->workers),
        .incarnation = action->incarnation,
        .connector = connector,
        .task = action->task,
        .n_joins = worker->n_joins,
        .pause_wanted = action->paused,
        .event_ms = sim->now_ms + sim_between(sim, 1, 80),
        .fail_ms = chaotic(sim) && sim_chance(sim, 10) ? sim->now_ms + sim_between(sim, 1, 9000)
                                                       : SIM_NEVER,
    };
    set_label(vtask->label, sizeof(vtask->label), state);
    vtask->update_ms = SIM_NEVER;
    vtask->held = sim_sessions(state, action->task);
    sim_check_take(sim, worker, connector, action->task, vtask->held);
    sim->n_starts[connector][action->task]++;
    sim_trace(sim, "%s starts %s-%d as %llu", worker->id, action->connector, action->task,
              (unsigned long long)action->incarnation);
}

/* Hands new configs to a task, which answers after a while, as when its window has to be finished.
 */
static void update(struct sim *sim, const struct sim_worker *worker, struct vtask *vtask,
                   const struct action *action)
{
    const struct connector_state *state = snapshot_find(worker->snapshot, action->connector);
    if (!state || vtask->updating) {
        sim_fail(sim, "%s hands c%d-%d an update that it cannot answer", worker->id,
                 vtask->connector, vtask->task);
        return;
    }
    bool slow = chaotic(sim) && sim_chance(sim, 5);
    vtask->updating = true;
    vtask->declines = sim_chance(sim, 20);
    vtask->may_take = action->may_take;
    vtask->next_held = sim_sessions(state, action->task);
    if (vtask->may_take) {
        vtask->taken = vtask->next_held & ~vtask->held;
        memcpy(vtask->took_position, worker->position, sizeof(vtask->took_position));
        sim_check_take(sim, worker, vtask->connector, vtask->task, vtask->taken);
    }
    set_label(vtask->next_label, sizeof(vtask->next_label), state);
    vtask->update_ms = sim->now_ms + sim_between(sim, 1, slow ? 3000 : 100);
}

static void update_due(struct sim *sim, struct vtask *vtask)
{
    struct sim_worker *worker = &sim->workers[vtask->worker];
    vtask->updating = false;
    vtask->update_ms = SIM_NEVER;
    worker->dirty = true;
    if (!vtask->declines) {
        vtask->held &= vtask->next_held;
        vtask->held |= vtask->may_take ? vtask->next_held : 0;
        if (sim->options.bug != SIM_BUG_OLD_CONFIGS) {
            memcpy(vtask->label, vtask->next_label, sizeof(vtask->label));
        }
        sim->n_updates++;
    }
    sim_trace(sim, "%s: %llu %s, holds %x", worker->id, (unsigned long long)vtask->incarnation,
              vtask->declines ? "declines" : "is updated", vtask->held);
    core_on_task(worker->core, vtask->incarnation,
                 vtask->declines ? CORE_TASK_DECLINED : CORE_TASK_UPDATED, NULL);
}

void sim_task_action(struct sim *sim, struct sim_worker *worker, const struct action *action)
{
    struct vtask *vtask = find(sim, worker, action->incarnation);
    if (!vtask || vtask->state == VTASK_STOPPING) {
        return; /* it failed before this reached it */
    }
    static const char *const verbs[] = {
        [ACTION_STOP_TASK] = "stops",
        [ACTION_PAUSE_TASK] = "pauses",
        [ACTION_RESUME_TASK] = "resumes",
        [ACTION_UPDATE_TASK] = "updates",
    };
    sim_trace(sim, "%s %s c%d-%d (%llu)", worker->id, verbs[action->kind], vtask->connector,
              vtask->task, (unsigned long long)action->incarnation);
    if (action->kind == ACTION_UPDATE_TASK) {
        update(sim, worker, vtask, action);
        return;
    }
    if (action->kind == ACTION_STOP_TASK && sim->options.bug != SIM_BUG_DEAF_TO_STOPS) {
        vtask->state = VTASK_STOPPING;
        vtask->stop_ms = sim->now_ms;
        vtask->fail_ms = SIM_NEVER;
        vtask->update_ms = SIM_NEVER; /* whatever it was asked, it stops */
        bool slow = chaotic(sim) && sim_chance(sim, 5);
        vtask->event_ms = sim->now_ms + sim_between(sim, 1, slow ? 3000 : 200);
        return;
    }
    if (action->kind == ACTION_STOP_TASK) {
        return; /* by a planted bug */
    }
    vtask->pause_wanted = action->kind == ACTION_PAUSE_TASK;
    if (vtask->state != VTASK_STARTING) {
        vtask->event_ms = sim->now_ms + sim_between(sim, 1, 50);
    }
}

static void event_due(struct sim *sim, struct vtask *vtask)
{
    struct sim_worker *worker = &sim->workers[vtask->worker];
    uint64_t incarnation = vtask->incarnation;
    worker->dirty = true;
    if (vtask->state == VTASK_STOPPING) {
        vtask->state = VTASK_FREE;
        sim_trace(sim, "%s: %llu has stopped", worker->id, (unsigned long long)incarnation);
        core_on_task(worker->core, incarnation, CORE_TASK_STOPPED, NULL);
        return;
    }
    vtask->state = vtask->pause_wanted ? VTASK_PAUSED : VTASK_RUNNING;
    vtask->event_ms = SIM_NEVER;
    vtask->announced = true;
    core_on_task(worker->core, incarnation,
                 vtask->pause_wanted ? CORE_TASK_PAUSED : CORE_TASK_RUNNING, NULL);
}

static void fail_due(struct sim *sim, struct vtask *vtask)
{
    struct sim_worker *worker = &sim->workers[vtask->worker];
    sim_trace(sim, "%s: c%d-%d (%llu) fails", worker->id, vtask->connector, vtask->task,
              (unsigned long long)vtask->incarnation);
    vtask->state = VTASK_FREE;
    worker->dirty = true;
    core_on_task(worker->core, vtask->incarnation, CORE_TASK_FAILED, "it broke");
}

void sim_retire_start(struct sim *sim, struct sim_worker *worker, const struct action *action)
{
    int connector = sim_connector_number(action->connector);
    sim_trace(sim, "%s retires %s %s", worker->id, action->connector, action->retire_id);
    sim_check_retire(sim, worker, connector);
    bool fails = (chaotic(sim) && sim_chance(sim, 40)) || sim->options.bug == SIM_BUG_NO_RETIREMENT;
    for (int i = 0; i < SIM_VTASKS; i++) {
        if (!sim->vretires[i].used) {
            sim->vretires[i] = (struct vretire){
                .used = true,
                .worker = (int)(worker - sim->workers),
                .incarnation = action->incarnation,
                .connector = connector,
                .event_ms = sim->now_ms + sim_between(sim, 5, chaotic(sim) ? 4000 : 300),
                .err = fails ? ERR_UNAVAILABLE : ERR_OK,
            };
            return;
        }
    }
    sim_fail(sim, "too many retirements");
}

void sim_tasks_step(struct sim *sim)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        struct vtask *vtask = &sim->vtasks[i];
        if (vtask->state != VTASK_FREE && sim->now_ms >= vtask->event_ms) {
            event_due(sim, vtask);
        }
        if (vtask->state != VTASK_FREE && sim->now_ms >= vtask->update_ms) {
            update_due(sim, vtask);
        }
        if (vtask->state != VTASK_FREE && sim->now_ms >= vtask->fail_ms) {
            fail_due(sim, vtask);
        }
        struct vretire *retire = &sim->vretires[i];
        if (retire->used && sim->now_ms >= retire->event_ms) {
            retire->used = false;
            sim->n_retires += retire->err == ERR_OK ? 1 : 0;
            core_on_retired(sim->workers[retire->worker].core, retire->incarnation, retire->err);
            sim->workers[retire->worker].dirty = true;
        }
    }
}

uint64_t sim_tasks_next(const struct sim *sim)
{
    uint64_t next = SIM_NEVER;
    for (int i = 0; i < SIM_VTASKS; i++) {
        if (sim->vtasks[i].state != VTASK_FREE) {
            sim_min(&next, sim->vtasks[i].event_ms);
            sim_min(&next, sim->vtasks[i].fail_ms);
            sim_min(&next, sim->vtasks[i].update_ms);
        }
        if (sim->vretires[i].used) {
            sim_min(&next, sim->vretires[i].event_ms);
        }
    }
    return next;
}
