/* SPDX-License-Identifier: Apache-2.0 */
/* Random faults and requests. */
#include "tests/sim/sim.h"

bool sim_request(struct sim *sim, const struct sim_op *op)
{
    struct sim_worker *leader = sim_leader(sim);
    if (!leader || leader->n_ops == SIM_OPS) {
        return false;
    }
    leader->ops[leader->n_ops++] = *op;
    leader->dirty = true;
    return true;
}

static void random_request(struct sim *sim)
{
    static const enum sim_op_kind kinds[] = {
        SIM_OP_CREATE, SIM_OP_CREATE,   SIM_OP_CREATE,  SIM_OP_PUT,
        SIM_OP_PUT,    SIM_OP_DELETE,   SIM_OP_TARGET,  SIM_OP_TARGET,
        SIM_OP_TARGET, SIM_OP_SAME_PUT, SIM_OP_RESTART, SIM_OP_RESTART_TASK,
    };
    struct sim_op op = {
        .kind = kinds[random_below(&sim->random, N_ELEMENTS(kinds))],
        .connector = (int)random_below(&sim->random, SIM_CONNECTORS),
        .n_tasks = 1 + (int)random_below(&sim->random, SIM_TASKS),
        .auto_tasks = sim_chance(sim, 20),
        .bad = sim_chance(sim, 12),
        .include_tasks = sim_chance(sim, 60),
        .only_failed = sim_chance(sim, 50),
        .task = (int)random_below(&sim->random, SIM_TASKS),
    };
    bool usual = op.kind == SIM_OP_CREATE ? sim_chance(sim, 70) : sim_chance(sim, 45);
    op.target = usual ? TARGET_STARTED : (sim_chance(sim, 60) ? TARGET_PAUSED : TARGET_STOPPED);
    (void)sim_request(sim, &op);
}

static void heal(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s is connected again", worker->id);
    worker->cut = false;
    worker->dirty = true;
    if (sim_group_has(sim, worker)) {
        worker->lost_ms = SIM_NEVER;
        sim_group_tell(sim, worker);
    } else {
        sim_worker_lost(sim, worker);
    }
}

static void cut(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s is cut off", worker->id);
    worker->cut = true;
    worker->lost_ms = sim->now_ms + SIM_SESSION_MS + sim_between(sim, 0, 800);
}

static size_t n_up(const struct sim *sim)
{
    size_t n = 0;
    for (int i = 0; i < SIM_WORKERS; i++) {
        n += sim->workers[i].up && !sim->workers[i].draining ? 1 : 0;
    }
    return n;
}

static void drain(struct sim *sim, struct sim_worker *worker)
{
    sim_trace(sim, "%s drains", worker->id);
    worker->draining = true;
    worker->drain_ms = sim->now_ms + 4000;
    core_set_draining(worker->core);
    sim_note_wanted(sim, worker);
    worker->dirty = true;
}

static void random_fault(struct sim *sim)
{
    struct sim_worker *worker = &sim->workers[random_below(&sim->random, SIM_WORKERS)];
    if (!worker->up) {
        sim_worker_start(sim, worker);
    } else if (worker->cut) {
        heal(sim, worker);
    } else if (worker->draining) {
        return;
    } else if (sim_chance(sim, 35) && n_up(sim) > 1) {
        drain(sim, worker);
    } else if (sim_chance(sim, 45)) {
        if (sim_chance(sim, 60)) {
            sim_suspect(sim, worker, false);
        }
        sim_worker_kill(sim, worker);
    } else if (sim_chance(sim, 20)) {
        sim_suspect(sim, worker, true);
    } else if (sim_chance(sim, 60)) {
        cut(sim, worker);
    } else {
        unsigned partition = (unsigned)random_below(&sim->random, SIM_PARTITIONS);
        worker->lag_ms[partition] = sim_between(sim, 1, sim_chance(sim, 20) ? 1500 : 200);
    }
}

void sim_chaos_step(struct sim *sim)
{
    if (sim_chance(sim, 70)) {
        random_request(sim);
    } else {
        random_fault(sim);
    }
}

void sim_chaos_end(struct sim *sim)
{
    for (int i = 0; i < SIM_WORKERS; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (worker->up && worker->cut) {
            heal(sim, worker);
        }
        if (!worker->up && (sim_chance(sim, 60) || n_up(sim) == 0)) {
            sim_worker_start(sim, worker);
        }
        for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
            worker->lag_ms[p] = sim_between(sim, 1, 30);
        }
    }
    if (n_up(sim) == 0) {
        for (int i = 0; i < SIM_WORKERS; i++) {
            struct sim_worker *worker = &sim->workers[i];
            if (!worker->up) {
                sim_worker_start(sim, worker);
                return;
            }
        }
    }
}
