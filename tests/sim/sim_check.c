/* SPDX-License-Identifier: Apache-2.0 */
/* What must always hold, and what must hold when nothing has happened for a while. */
#include "tests/sim/sim.h"
#include "worker/base/mem.h"

bool sim_worker_wants(const struct sim_worker *worker, int connector, int task)
{
    const struct connector_state *state =
        snapshot_find(worker->snapshot, sim_connector_name(connector));
    if (!state || worker->draining || !state->committed || state->inconsistent ||
        state->target == TARGET_STOPPED || (size_t)task >= state->n_tasks) {
        return false;
    }
    int slot = state->tasks[task].slot;
    return slot >= 0 && slot < SIM_SLOTS && worker->slots[slot];
}

static void note_division(const struct sim *sim, struct sim_worker *worker, int connector)
{
    const struct connector_state *state =
        snapshot_find(worker->snapshot, sim_connector_name(connector));
    if (state && state->division != worker->division[connector]) {
        worker->division[connector] = state->division;
        worker->division_since[connector] = sim->now_ms;
    }
}

void sim_note_wanted(struct sim *sim, struct sim_worker *worker)
{
    for (int c = 0; c < SIM_CONNECTORS; c++) {
        note_division(sim, worker, c);
        for (int t = 0; t < SIM_TASKS; t++) {
            bool wanted = sim_worker_wants(worker, c, t);
            uint64_t *since = &worker->wanted_since[c][t];
            *since = wanted ? (*since ? *since : sim->now_ms) : 0;
        }
    }
}

/* True when the newest record of the task in the topic is one that the worker has not read. */
static bool has_unread_status(const struct sim *sim, const struct sim_worker *worker, int connector,
                              int task)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "status-task-c%d-%d", connector, task);
    for (unsigned p = 1; p < SIM_PARTITIONS; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        for (size_t i = worker->position[p]; i < partition->n_records; i++) {
            const struct sim_record *record = &partition->records[i];
            bool claim = record->value && strstr(record->value, "\"claim\"");
            if (!claim && strcmp(record->key, key) == 0) {
                return true;
            }
        }
    }
    return false;
}

static const char *newest_status(const struct sim *sim, const struct vtask *vtask)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "status-task-c%d-%d", vtask->connector, vtask->task);
    for (unsigned p = 1; p < SIM_PARTITIONS; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        for (size_t i = partition->n_records; i > 0; i--) {
            const struct sim_record *record = &partition->records[i - 1];
            bool claim = record->value && strstr(record->value, "\"claim\"");
            if (!claim && strcmp(record->key, key) == 0) {
                return record->value ? record->value : "";
            }
        }
    }
    return "";
}

/* True when the newest record of the task says that this worker runs it; a late one of a worker
 * that was put out of the group may hide that for a moment. */
static bool is_shown(const struct sim *sim, const struct sim_worker *worker,
                     const struct vtask *vtask)
{
    const char *status = newest_status(sim, vtask);
    return strstr(status, worker->id) && !strstr(status, "\"UNASSIGNED\"");
}

bool sim_is_zombie(const struct sim *sim, const struct vtask *vtask)
{
    const struct sim_worker *worker = &sim->workers[vtask->worker];
    return !sim_group_has(sim, worker) || worker->n_joins != vtask->n_joins ||
           (vtask->state == VTASK_STOPPING && sim->now_ms >= vtask->stop_ms + SIM_HANDOVER);
}

/* True when somebody takes, or took just now, the worker for dead: then its tasks are elsewhere,
 * and nobody waits for it, nor it for them. */
static bool is_suspected(const struct sim *sim, const struct sim_worker *worker)
{
    if (!sim_group_has(sim, worker)) {
        return false;
    }
    const struct sim_member *member = &sim->group.members[worker->member];
    return sim->now_ms >= member->dead_ms &&
           (member->alive_ms == SIM_NEVER || sim->now_ms < member->alive_ms + 3000);
}

void sim_check_start(struct sim *sim, const struct sim_worker *worker, int connector, int task)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        struct vtask *old = &sim->vtasks[i];
        if (old->state == VTASK_FREE || old->connector != connector || old->task != task) {
            continue;
        }
        const struct sim_worker *owner = &sim->workers[old->worker];
        if (owner == worker) {
            sim_fail(sim, "%s starts c%d-%d a second time", worker->id, connector, task);
            return;
        }
        char name[16];
        (void)snprintf(name, sizeof(name), "c%d", connector);
        int slot = snapshot_find(worker->snapshot, name)->tasks[task].slot;
        bool dead = sim_is_zombie(sim, old);
        bool waited = sim->now_ms >= worker->wanted_since[connector][task] + SIM_HANDOVER;
        bool forced =
            sim->group.forced_ms[slot] > 0 && sim->now_ms < sim->group.forced_ms[slot] + 3000;
        /* Somebody took the task over by the rules while the owner was cut off and could not stop
         * its thread: who follows waits for that one only. */
        bool overtaken = old->overtaken || is_suspected(sim, owner) || is_suspected(sim, worker);
        old->overtaken = overtaken || owner->cut;
        if (!dead && !waited && !forced && !overtaken) {
            sim_fail(sim, "%s starts c%d-%d while %s, which lives, still has a thread for it",
                     worker->id, connector, task, owner->id);
            return;
        }
        sim->n_takeovers++;
    }
}

/* True when a claim of the worker to its task came to the topic behind what the other one had read
 * when it took sessions over: then neither knew of the other, and only the broker keeps them apart
 * until the worker has read of the new division. */
static bool crossed(const struct sim *sim, const struct sim_worker *worker, int connector, int task,
                    const struct vtask *other, unsigned sessions)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "status-task-c%d-%d", connector, task);
    if ((other->held & sessions & ~other->taken) != 0) {
        return false;
    }
    for (unsigned p = 1; p < SIM_PARTITIONS; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        for (size_t i = other->took_position[p]; i < partition->n_records; i++) {
            const struct sim_record *record = &partition->records[i];
            if (record->value && strstr(record->value, "\"claim\"") &&
                strstr(record->value, worker->id) && strcmp(record->key, key) == 0) {
                return true;
            }
        }
    }
    return false;
}

void sim_check_take(struct sim *sim, const struct sim_worker *worker, int connector, int task,
                    unsigned sessions)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        struct vtask *old = &sim->vtasks[i];
        if (old->state == VTASK_FREE || old->connector != connector || old->task == task ||
            (old->held & sessions) == 0) {
            continue;
        }
        const struct sim_worker *owner = &sim->workers[old->worker];
        bool waited = sim->now_ms >= worker->division_since[connector] + SIM_HANDOVER;
        /* It has not said yet that it runs, or the word has not come here: nobody could know. */
        bool hidden = !old->announced || !is_shown(sim, owner, old) ||
                      strstr(newest_status(sim, old), "\"UNASSIGNED\"") ||
                      has_unread_status(sim, worker, connector, old->task);
        hidden = hidden || crossed(sim, worker, connector, task, old, sessions);
        bool overtaken =
            old->overtaken || owner->cut || is_suspected(sim, owner) || is_suspected(sim, worker);
        if (owner == worker || !(waited || hidden || overtaken || sim_is_zombie(sim, old))) {
            sim_fail(sim, "%s: c%d-%d takes sessions %x while c%d-%d of %s still holds them",
                     worker->id, connector, task, old->held & sessions, connector, old->task,
                     owner->id);
            return;
        }
        sim->n_takeovers++;
    }
}

void sim_check_retire(struct sim *sim, const struct sim_worker *worker, int connector)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        const struct vtask *vtask = &sim->vtasks[i];
        if (vtask->state == VTASK_FREE || vtask->connector != connector || !vtask->announced) {
            continue;
        }
        const struct sim_worker *owner = &sim->workers[vtask->worker];
        /* One that lags so much that it has not read the deletion is taken over by session. */
        bool behind = owner->position[0] < sim->partitions[0].n_records;
        if (!sim_is_zombie(sim, vtask) && !behind && !is_suspected(sim, owner) &&
            is_shown(sim, owner, vtask) &&
            !has_unread_status(sim, worker, connector, vtask->task)) {
            sim_fail(sim, "c%d is retired while %s has a thread of it", connector, owner->id);
        }
    }
}

/* A thread that is not being stopped belongs to a worker that has to run it. */
static void check_threads(struct sim *sim)
{
    for (int i = 0; i < SIM_VTASKS; i++) {
        const struct vtask *vtask = &sim->vtasks[i];
        if (vtask->state == VTASK_FREE || vtask->state == VTASK_STOPPING) {
            continue;
        }
        const struct sim_worker *worker = &sim->workers[vtask->worker];
        if (!worker->dirty && !sim_worker_wants(worker, vtask->connector, vtask->task)) {
            sim_fail(sim, "%s runs c%d-%d without having to", worker->id, vtask->connector,
                     vtask->task);
        }
    }
}

/* Whoever does not lead writes nothing, and only one leader's transactions are accepted. */
static void check_leaders(struct sim *sim)
{
    int n_leaders = 0;
    for (int i = 0; i < SIM_WORKERS; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (!worker->up) {
            continue;
        }
        n_leaders += worker->lead_state == SIM_LEADS && worker->epoch == sim->epoch ? 1 : 0;
        if (worker->lead_state == SIM_LEADS) {
            continue;
        }
        struct out_records records;
        uint64_t wake_ms = SIM_NEVER;
        core_lead(worker->core, sim->now_ms, &records, &wake_ms);
        if (records.n_items > 0) {
            sim_fail(sim, "%s acts as leader without being it", worker->id);
        }
        out_records_fini(&records);
    }
    if (n_leaders > 1) {
        sim_fail(sim, "%d leaders", n_leaders);
    }
}

void sim_check_step(struct sim *sim)
{
    check_threads(sim);
    check_leaders(sim);
}

static const struct vtask *only_thread(struct sim *sim, int connector, int task)
{
    const struct vtask *found = NULL;
    for (int i = 0; i < SIM_VTASKS; i++) {
        const struct vtask *vtask = &sim->vtasks[i];
        if (vtask->state == VTASK_FREE || vtask->connector != connector || vtask->task != task) {
            continue;
        }
        if (found) {
            sim_fail(sim, "c%d-%d has two threads at rest", connector, task);
        }
        found = vtask;
    }
    return found;
}

static bool status_is(const struct status *status, enum run_state state, const char *worker_id)
{
    return status && status->state == state && strcmp(status->worker_id, worker_id) == 0;
}

/* A task that has to run does so, once, where its slot is, with the newest config. */
static void check_task(struct sim *sim, const struct connector_state *connector, int task)
{
    int c = sim_connector_number(connector->name);
    const struct task_state *state = &connector->tasks[task];
    int member = state->slot >= 0 && state->slot < SIM_SLOTS ? sim->group.owner[state->slot] : -1;
    if (member < 0) {
        sim_fail(sim, "%s-%d sits in no worker's slot (%d)", connector->name, task, state->slot);
        return;
    }
    const struct sim_worker *worker = &sim->workers[sim->group.members[member].worker];
    bool paused = connector->target == TARGET_PAUSED;
    const struct vtask *vtask = only_thread(sim, c, task);
    if (!vtask || &sim->workers[vtask->worker] != worker ||
        vtask->state != (paused ? VTASK_PAUSED : VTASK_RUNNING)) {
        sim_fail(sim, "%s-%d does not run on %s as it should", connector->name, task, worker->id);
    } else if (strcmp(vtask->label, kvs_get(&connector->config, "x")) != 0) {
        sim_fail(sim, "%s-%d runs with an old config", connector->name, task);
    } else if (vtask->held != sim_sessions(connector, task)) {
        sim_fail(sim, "%s-%d holds sessions %x instead of %x", connector->name, task, vtask->held,
                 sim_sessions(connector, task));
    }
    if (!status_is(state->status, paused ? STATE_PAUSED : STATE_RUNNING, worker->id)) {
        sim_fail(sim, "%s-%d has the wrong status", connector->name, task);
    }
}

/* How many tasks a connector must have; -1 when its config cannot be expanded. */
static int expected_tasks(const struct sim *sim, const struct connector_state *connector)
{
    const char *bad = kvs_get(&connector->config, "bad");
    if (connector->target == TARGET_STOPPED) {
        return 0;
    }
    if (bad && strcmp(bad, "always") == 0) {
        return -1;
    }
    if (connector->target == TARGET_PAUSED && connector->n_tasks == 0) {
        return 0;
    }
    const char *max = kvs_get(&connector->config, "tasks.max");
    if (strcmp(max, "auto") == 0) {
        int n_members = 0;
        for (int i = 0; i < SIM_MEMBERS; i++) {
            n_members += sim->group.members[i].used ? 1 : 0;
        }
        return 2 * n_members < SIM_SESSIONS ? 2 * n_members : SIM_SESSIONS;
    }
    return (int)strtol(max, NULL, 10);
}

static void check_connector(struct sim *sim, const struct connector_state *connector,
                            const struct sim_worker *leader)
{
    static const enum run_state states[] = {
        [TARGET_STARTED] = STATE_RUNNING,
        [TARGET_PAUSED] = STATE_PAUSED,
        [TARGET_STOPPED] = STATE_STOPPED,
    };
    int n_tasks = expected_tasks(sim, connector);
    /* What failed once stays so while it is paused; a bad config was perhaps never tried. */
    bool either = kvs_get(&connector->config, "bad") && connector->target == TARGET_PAUSED &&
                  connector->n_tasks == 0;
    enum run_state state = n_tasks < 0 && !either ? STATE_FAILED : states[connector->target];
    if (!status_is(connector->status, state, leader->id) &&
        !(either && status_is(connector->status, STATE_FAILED, leader->id))) {
        sim_fail(sim, "connector %s: status %s by %s instead of %s by %s", connector->name,
                 connector->status ? run_state_name(connector->status->state) : "none",
                 connector->status ? connector->status->worker_id : "nobody", run_state_name(state),
                 leader->id);
    }
    if (n_tasks >= 0 && connector->n_tasks != (size_t)n_tasks) {
        sim_fail(sim, "connector %s has %zu tasks instead of %d", connector->name,
                 connector->n_tasks, n_tasks);
    }
    for (int task = 0; n_tasks >= 0 && task < (int)connector->n_tasks; task++) {
        check_task(sim, connector, task);
    }
    if (connector->n_extra_statuses > 0) {
        sim_fail(sim, "connector %s: a status of task %d is left", connector->name,
                 connector->extra_statuses[0].task);
    }
}

/* The spread of all tasks over the members that have slots. */
static void check_skew(struct sim *sim, const struct snapshot *truth)
{
    int load[SIM_MEMBERS] = { 0 };
    for (size_t i = 0; i < truth->n_connectors; i++) {
        for (size_t n = 0; n < truth->connectors[i]->n_tasks; n++) {
            int slot = truth->connectors[i]->tasks[n].slot;
            int member = slot >= 0 && slot < SIM_SLOTS ? sim->group.owner[slot] : -1;
            load[member < 0 ? 0 : member] += 1;
        }
    }
    int low = INT32_MAX;
    int high = 0;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        if (sim->group.members[i].used) {
            low = load[i] < low ? load[i] : low;
            high = load[i] > high ? load[i] : high;
        }
    }
    if (high > low + 1) {
        sim_fail(sim, "loads differ by %d at rest", high - low);
    }
}

void sim_check_rest(struct sim *sim)
{
    struct snapshot *truth = sim_truth(sim);
    const struct sim_worker *leader = sim_leader(sim);
    if (!leader) {
        sim_fail(sim, "nobody leads at rest");
    }
    size_t n_tasks = 0;
    for (size_t i = 0; i < truth->n_connectors && leader; i++) {
        const struct connector_state *connector = truth->connectors[i];
        if (!connector->has_config) {
            sim_fail(sim, "%s is deleted, but records of it are left", connector->name);
        } else {
            check_connector(sim, connector, leader);
            n_tasks += connector->n_tasks;
        }
    }
    size_t n_threads = 0;
    for (int i = 0; i < SIM_VTASKS; i++) {
        n_threads += sim->vtasks[i].state != VTASK_FREE ? 1 : 0;
    }
    if (n_threads > n_tasks) {
        sim_fail(sim, "%zu threads for %zu tasks at rest", n_threads, n_tasks);
    }
    if (truth->n_retirements > 0) {
        sim_fail(sim, "retirement %s of %s is left", truth->retirements[0].id,
                 truth->retirements[0].name);
    }
    check_skew(sim, truth);
    snapshot_unref(truth);
}
