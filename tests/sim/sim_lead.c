/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's side of a virtual worker: transactions that take a while, that stay open while it is
 * cut off, and that fail when a newer leader has initialised its own. Also serves REST requests.
 */
#include "tests/sim/sim.h"
#include "worker/base/mem.h"

struct sim_worker *sim_leader(struct sim *sim)
{
    for (int i = 0; i < SIM_WORKERS; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (worker->up && !worker->cut && !worker->draining && worker->lead_state == SIM_LEADS &&
            worker->epoch == sim->epoch) {
            return worker;
        }
    }
    return NULL;
}

void sim_lead_stop(struct sim_worker *worker)
{
    if (worker->lead_state != SIM_FOLLOWS) {
        worker->lead_state = SIM_FOLLOWS;
        worker->n_ops = 0;
        core_set_leading(worker->core, false);
        worker->dirty = true;
    }
}

static void begin_init(struct sim *sim, struct sim_worker *worker)
{
    worker->lead_state = SIM_INIT;
    if (sim->options.bug == SIM_BUG_EARLY_LEAD) {
        core_set_leading(worker->core, true);
    }
    worker->lead_ms = sim->now_ms + sim_between(sim, 5, 60);
}

static void finish_init(struct sim *sim, struct sim_worker *worker)
{
    sim->epoch += sim->options.bug == SIM_BUG_NO_FENCE && sim->epoch > 0 ? 0 : 1;
    worker->epoch = sim->epoch;
    struct out_records records;
    out_records_init(&records);
    record_leader(&records, worker->id, worker->id, "instance");
    sim_log_append(sim, &records.items[0]);
    out_records_fini(&records);
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        worker->readback[p] = sim->partitions[p].n_records;
    }
    worker->lead_state = SIM_READBACK;
}

static bool read_back(const struct sim_worker *worker)
{
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        if (worker->position[p] < worker->readback[p]) {
            return false;
        }
    }
    return true;
}

static void commit(struct sim *sim, struct sim_worker *worker)
{
    worker->committing = false;
    worker->dirty = true;
    if (worker->epoch != sim->epoch) {
        sim_trace(sim, "%s is fenced", worker->id);
        sim_lead_stop(worker);
    } else {
        for (size_t i = 0; i < worker->batch.n_items; i++) {
            sim_log_append(sim, &worker->batch.items[i]);
        }
        worker->wait_position = sim->partitions[0].next_offset;
    }
    out_records_fini(&worker->batch);
}

static void op_config(struct sim *sim, const struct sim_op *op, struct kvs *config)
{
    char text[16];
    kvs_set(config, "connector.class", "Fake");
    (void)snprintf(text, sizeof(text), "c%d", op->connector);
    kvs_set(config, "name", text);
    (void)snprintf(text, sizeof(text), "%d", op->n_tasks);
    if (op->auto_tasks) {
        (void)snprintf(text, sizeof(text), "auto");
    }
    kvs_set(config, "tasks.max", text);
    (void)snprintf(text, sizeof(text), "%u", ++sim->n_labels);
    kvs_set(config, "x", text);
    if (op->bad) {
        kvs_set(config, "bad", sim_chance(sim, 30) ? "always" : "sometimes");
    }
}

/* Adds the records of a request to batch, as the herder would. */
static void serve(struct sim *sim, struct sim_worker *worker, const struct sim_op *op)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "c%d", op->connector);
    const struct connector_state *present = snapshot_find(worker->snapshot, name);
    struct out_records *out = &worker->batch;
    struct kvs config;
    kvs_init(&config);
    if (op->kind == SIM_OP_CREATE ? present != NULL : present == NULL) {
        return; /* refused */
    }
    sim_trace(sim, "%s serves operation %d on %s", worker->id, (int)op->kind, name);
    switch (op->kind) {
    case SIM_OP_CREATE:
        record_target(out, name, op->target);
        op_config(sim, op, &config);
        record_connector(out, name, &config);
        break;
    case SIM_OP_PUT:
        op_config(sim, op, &config);
        record_connector(out, name, &config);
        break;
    case SIM_OP_SAME_PUT:
        record_connector(out, name, &present->config);
        break;
    case SIM_OP_DELETE:
        (void)snprintf(name, sizeof(name), "r%u", ++sim->n_deletes);
        record_delete(out, present);
        record_retire(out, present, name, (int64_t)sim->now_ms);
        break;
    case SIM_OP_TARGET:
        record_target(out, name, op->target);
        break;
    case SIM_OP_RESTART:
        record_restart(out, name, op->include_tasks, op->only_failed);
        break;
    case SIM_OP_RESTART_TASK:
        record_restart_task(out, name, op->task);
        break;
    }
    kvs_fini(&config);
}

/* Asks for the next batch, of duties or of a request, and begins to write it. */
static void next_batch(struct sim *sim, struct sim_worker *worker)
{
    uint64_t wake_ms = SIM_NEVER;
    core_set_wall(worker->core, SIM_WALL_MS + (int64_t)sim->now_ms);
    core_lead(worker->core, sim->now_ms, &worker->batch, &wake_ms);
    if (wake_ms <= sim->now_ms) {
        worker->dirty = true;
    } else {
        sim_min(&worker->wake_ms, wake_ms);
    }
    if (worker->batch.n_items == 0 && worker->n_ops > 0) {
        out_records_fini(&worker->batch);
        serve(sim, worker, &worker->ops[0]);
        worker->n_ops--;
        memmove(worker->ops, worker->ops + 1, worker->n_ops * sizeof(worker->ops[0]));
        worker->dirty = true;
    }
    if (worker->batch.n_items > 0) {
        worker->committing = true;
        worker->commit_ms = sim->now_ms + sim_between(sim, 2, 30);
    }
}

/* The last slot, but for those of processes that are taken for dead. */
static bool holds_lead(const struct sim_worker *worker)
{
    int slot = SIM_SLOTS - 1;
    while (slot > 0 && !worker->slots[slot] && worker->sees_dead[slot]) {
        slot--;
    }
    return worker->slots[slot];
}

void sim_lead_step(struct sim *sim, struct sim_worker *worker)
{
    bool holds = holds_lead(worker) && !worker->draining;
    if (!holds && !worker->draining) {
        sim_lead_stop(worker);
    }
    if (worker->cut) {
        return;
    }
    if (worker->lead_state == SIM_LEADS && !worker->committing &&
        strcmp(worker->snapshot->leader.worker_id, worker->id) != 0) {
        sim_lead_stop(worker); /* another one has fenced it */
    }
    if (worker->committing && sim->now_ms >= worker->commit_ms) {
        commit(sim, worker);
    }
    if (worker->committing) {
        return;
    }
    if (holds && worker->lead_state == SIM_FOLLOWS) {
        begin_init(sim, worker);
    }
    if (worker->lead_state == SIM_INIT && sim->now_ms >= worker->lead_ms) {
        finish_init(sim, worker);
    }
    if (worker->lead_state == SIM_READBACK && read_back(worker)) {
        worker->lead_state = SIM_LEADS;
        core_set_leading(worker->core, true);
        worker->dirty = true;
        sim_trace(sim, "%s leads", worker->id);
    }
}

void sim_lead_duty(struct sim *sim, struct sim_worker *worker)
{
    if (worker->lead_state == SIM_LEADS && !worker->draining && !worker->cut &&
        !worker->committing && worker->snapshot->config_position >= worker->wait_position) {
        next_batch(sim, worker);
    }
}

uint64_t sim_lead_next(const struct sim *sim, const struct sim_worker *worker)
{
    if (worker->committing) {
        return worker->commit_ms > sim->now_ms ? worker->commit_ms : sim->now_ms;
    }
    return worker->lead_state == SIM_INIT ? worker->lead_ms : SIM_NEVER;
}
