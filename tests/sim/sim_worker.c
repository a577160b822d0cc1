/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual worker: what the herder, store and group threads do around the core. */
#include "tests/sim/sim.h"
#include "worker/base/mem.h"

static enum err task_configs(void *arg, const struct connector_state *connector, size_t n_auto,
                             struct kvs **ret_configs, size_t *ret_n, struct error *reterr)
{
    struct sim *sim = arg;
    const char *bad = kvs_get(&connector->config, "bad");
    if (bad && strcmp(bad, "always") == 0) {
        return error_set(reterr, ERR_INVALID, "the config is bad");
    }
    if (bad && sim->now_ms < sim->quiet_ms && sim_chance(sim, 60)) {
        return error_set(reterr, ERR_UNAVAILABLE, "not now");
    }
    const char *max = kvs_get(&connector->config, "tasks.max");
    size_t n = max ? strtoul(max, NULL, 10) : 1;
    if (max && strcmp(max, "auto") == 0) {
        n = n_auto < SIM_SESSIONS ? n_auto : SIM_SESSIONS;
    }
    struct kvs *configs = xcalloc(n + 1, sizeof(*configs));
    for (size_t i = 0; i < n; i++) {
        char number[32];
        (void)snprintf(number, sizeof(number), "%zu", i);
        kvs_set(&configs[i], "task.class", "FakeTask");
        kvs_set(&configs[i], "n", number);
        unsigned sessions = 0;
        for (size_t k = i; k < SIM_SESSIONS; k += n) {
            sessions |= 1U << k;
        }
        (void)snprintf(number, sizeof(number), "%u", sessions);
        kvs_set(&configs[i], "s", number);
    }
    *ret_configs = configs;
    *ret_n = n;
    return ERR_OK;
}

static const char *version(void *arg UNUSED, const char *class_name)
{
    return strcmp(class_name, "Fake") == 0 ? "1.0" : NULL;
}

static void new_snapshot(struct sim *sim, struct sim_worker *worker)
{
    snapshot_unref(worker->snapshot);
    worker->snapshot = config_state_snapshot(worker->state);
    core_set_snapshot(worker->core, worker->snapshot);
    sim_note_wanted(sim, worker);
    worker->dirty = true;
}

void sim_worker_start(struct sim *sim, struct sim_worker *worker)
{
    unsigned process = worker->process + 1;
    *worker = (struct sim_worker){ .up = true, .process = process, .member = -1 };
    worker->started_ms = SIM_WALL_MS + (int64_t)sim->now_ms;
    (void)snprintf(worker->id, sizeof(worker->id), "w%d:8083", (int)(worker - sim->workers));
    sim_trace(sim, "%s starts (process %u)", worker->id, process);
    char instance[32];
    (void)snprintf(instance, sizeof(instance), "%s/%u", worker->id, process);
    bool no_handover = sim->options.bug == SIM_BUG_NO_HANDOVER ||
                       sim->options.bug == SIM_BUG_NO_BARRIER || sim->options.bug == SIM_BUG_BLIND;
    const struct core_options options = {
        .worker_id = worker->id,
        .url = worker->id,
        .instance = instance,
        .n_slots = SIM_SLOTS,
        .settle_ms = sim->options.bug == SIM_BUG_NO_BALANCE ? SIM_NEVER / 8 : SIM_SETTLE_MS,
        .handover_ms = no_handover ? 0 : SIM_HANDOVER,
        .retire_ttl_ms = SIM_TTL_MS,
    };
    const struct core_port port = { sim, task_configs, version };
    worker->core = core_new(&options, &port);
    worker->state = config_state_new();
    out_records_init(&worker->batch);
    out_records_init(&worker->outbox);
    worker->lost_ms = SIM_NEVER;
    worker->describe_ms = SIM_NEVER;
    worker->outbox_ms = SIM_NEVER;
    worker->wake_ms = SIM_NEVER;
    (void)sim_deliver(sim, worker);
    config_state_caught_up(worker->state);
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        worker->lag_ms[p] = sim_between(sim, 1, 40);
    }
    new_snapshot(sim, worker);
    worker->join_ms = sim->now_ms + sim_between(sim, 10, 200);
}

void sim_worker_kill(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s is gone", worker->id);
    for (int i = 0; i < SIM_VTASKS; i++) {
        if (sim->vtasks[i].state != VTASK_FREE && &sim->workers[sim->vtasks[i].worker] == worker) {
            sim->vtasks[i].state = VTASK_FREE;
        }
        if (sim->vretires[i].used && &sim->workers[sim->vretires[i].worker] == worker) {
            sim->vretires[i].used = false;
        }
    }
    core_free(TAKE(worker->core));
    snapshot_unref(TAKE(worker->snapshot));
    config_state_free(TAKE(worker->state));
    out_records_fini(&worker->batch);
    out_records_fini(&worker->outbox);
    worker->up = false;
    worker->cut = false;
    worker->draining = false;
}

void sim_worker_set_slots(struct sim *sim, struct sim_worker *worker)
{
    int32_t slots[SIM_SLOTS];
    size_t n_slots = 0;
    for (int32_t slot = 0; slot < SIM_SLOTS; slot++) {
        if (worker->slots[slot]) {
            slots[n_slots++] = slot;
        }
    }
    core_set_slots(worker->core, slots, n_slots);
    sim_note_wanted(sim, worker);
    worker->dirty = true;
}

void sim_worker_lost(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s has lost its slots", worker->id);
    memset(worker->slots, 0, sizeof(worker->slots));
    memset(worker->sees_dead, 0, sizeof(worker->sees_dead));
    sim_worker_set_slots(sim, worker);
    worker->lost_ms = SIM_NEVER;
    worker->member = -1;
    worker->describe_ms = SIM_NEVER;
    if (!worker->cut) {
        worker->join_ms = sim->now_ms + sim_between(sim, 10, 300);
    }
}

static void perform(struct sim *sim, struct sim_worker *worker)
{
    struct decisions decisions;
    core_reconcile(worker->core, sim->now_ms, &decisions);
    for (size_t i = 0; i < decisions.n_actions; i++) {
        const struct action *action = &decisions.actions[i];
        switch (action->kind) {
        case ACTION_START_TASK:
            sim_task_start(sim, worker, action);
            if (sim->options.bug == SIM_BUG_STARTS_TWICE) {
                sim_task_start(sim, worker, action);
            }
            break;
        case ACTION_STOP_TASK:
        case ACTION_PAUSE_TASK:
        case ACTION_RESUME_TASK:
        case ACTION_UPDATE_TASK:
            sim_task_action(sim, worker, action);
            break;
        case ACTION_RETIRE:
            sim_retire_start(sim, worker, action);
            break;
        }
    }
    struct out_records *box = &worker->outbox;
    const struct out_records *statuses = &decisions.statuses;
    if (statuses->n_items > 0) {
        box->items = xrealloc(box->items, (box->n_items + statuses->n_items) * sizeof(*box->items));
        memcpy(&box->items[box->n_items], statuses->items, statuses->n_items * sizeof(*box->items));
        box->n_items += statuses->n_items;
        box->size = box->n_items;
        decisions.statuses.n_items = 0; /* their texts are the outbox's now */
        sim_min(&worker->outbox_ms, sim->now_ms + sim_between(sim, 1, 20));
    }
    sim_min(&worker->wake_ms, decisions.wake_ms);
    decisions_fini(&decisions);
}

/* By a planted bug. */
static bool is_lost(const struct sim *sim, const struct out_record *record)
{
    return (sim->options.bug == SIM_BUG_LOST_STATUSES &&
            strcmp(record->key, "status-task-c0-0") == 0) ||
           (sim->options.bug == SIM_BUG_NO_TOMBSTONES && !record->value);
}

static void flush(struct sim *sim, struct sim_worker *worker)
{
    for (size_t i = 0; i < worker->outbox.n_items; i++) {
        if (!is_lost(sim, &worker->outbox.items[i])) {
            sim_log_append(sim, &worker->outbox.items[i]);
        }
    }
    out_records_fini(&worker->outbox);
    worker->outbox_ms = SIM_NEVER;
}

/* Session, membership and what the logs bring. */
static void step_inputs(struct sim *sim, struct sim_worker *worker)
{
    if (sim->now_ms >= worker->lost_ms) {
        sim_worker_lost(sim, worker);
    }
    if (!worker->cut && sim->now_ms >= worker->join_ms && !worker->draining) {
        worker->join_ms = SIM_NEVER;
        sim_group_join(sim, worker);
    }
    if (!worker->cut && sim->now_ms >= worker->describe_ms) {
        worker->describe_ms = SIM_NEVER;
        sim_describe(sim, worker);
    }
    if (sim_deliver(sim, worker)) {
        new_snapshot(sim, worker);
    }
    if (!worker->cut && sim->now_ms >= worker->outbox_ms) {
        flush(sim, worker);
    }
}

void sim_worker_step(struct sim *sim, struct sim_worker *worker)
{
    step_inputs(sim, worker);
    sim_lead_step(sim, worker);
    if (worker->dirty || sim->now_ms >= worker->wake_ms) {
        worker->dirty = false;
        worker->wake_ms = SIM_NEVER;
        perform(sim, worker);
        sim_lead_duty(sim, worker);
    }
    if (worker->draining &&
        (core_tasks_here(worker->core) == 0 || sim->now_ms >= worker->drain_ms)) {
        if (!worker->cut) {
            flush(sim, worker);
            sim_group_leave(sim, worker);
        }
        sim_worker_kill(sim, worker);
    }
}

uint64_t sim_worker_next(const struct sim *sim, const struct sim_worker *worker)
{
    uint64_t next = SIM_NEVER;
    if (!worker->up) {
        return next;
    }
    sim_min(&next, worker->dirty ? sim->now_ms : worker->wake_ms);
    sim_min(&next, worker->lost_ms);
    if (!worker->cut) {
        sim_min(&next, worker->draining ? SIM_NEVER : worker->join_ms);
        sim_min(&next, worker->describe_ms);
        sim_min(&next, worker->outbox_ms);
        sim_min(&next, sim_deliver_next(sim, worker));
        sim_min(&next, sim_lead_next(sim, worker));
    }
    sim_min(&next, worker->draining ? worker->drain_ms : SIM_NEVER);
    return next;
}
