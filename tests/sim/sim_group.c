/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual consumer group with a cooperative-sticky assignor: owners keep what they have, a joiner
 * gets the lowest slots of those that give some up, and slots change hands only after their owner
 * has given them up or its time for that is over. Members that are silent for a session's time
 * are put out; a rebalance waits for them until then.
 */
#include "tests/sim/sim.h"
#include "worker/base/mem.h"

static struct sim_worker *worker_of(struct sim *sim, const struct sim_member *member)
{
    struct sim_worker *worker = &sim->workers[member->worker];
    return worker->up && worker->process == member->process ? worker : NULL;
}

static bool responsive(struct sim *sim, const struct sim_member *member)
{
    struct sim_worker *worker = worker_of(sim, member);
    return worker && !worker->cut;
}

void sim_group_init(struct sim *sim)
{
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        sim->group.owner[slot] = -1;
    }
    sim->group.step_ms = SIM_NEVER;
}

bool sim_group_has(const struct sim *sim, const struct sim_worker *worker)
{
    return worker->member >= 0 && sim->group.members[worker->member].used &&
           sim->group.members[worker->member].process == worker->process &&
           &sim->workers[sim->group.members[worker->member].worker] == worker;
}

void sim_group_join(struct sim *sim, struct sim_worker *worker)
{
    for (int i = 0; i < SIM_MEMBERS; i++) {
        if (!sim->group.members[i].used) {
            sim->group.members[i] = (struct sim_member){
                .used = true,
                .worker = (int)(worker - sim->workers),
                .process = worker->process,
                .beat_ms = sim->now_ms,
                .dead_ms = SIM_NEVER,
                .alive_ms = SIM_NEVER,
            };
            worker->member = i;
            worker->n_joins++;
            sim->group.dirty = true;
            sim_trace(sim, "%s joins as member %d", worker->id, i);
            return;
        }
    }
    sim_fail(sim, "no place for another member");
}

static void remove_member(struct sim *sim, int member)
{
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        if (sim->group.owner[slot] == member) {
            sim->group.owner[slot] = -1;
        }
    }
    sim->group.members[member].used = false;
    sim->group.dirty = true;
}

void sim_group_leave(struct sim *sim, struct sim_worker *worker)
{
    if (sim_group_has(sim, worker)) {
        sim_trace(sim, "%s leaves the group", worker->id);
        remove_member(sim, worker->member);
    }
    worker->member = -1;
}

static void expire(struct sim *sim)
{
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_member *member = &sim->group.members[i];
        if (!member->used) {
            continue;
        }
        if (responsive(sim, member)) {
            member->beat_ms = sim->now_ms;
        } else if (sim->now_ms >= member->beat_ms + SIM_SESSION_MS) {
            sim_trace(sim, "member %d (%s) times out", i, sim->workers[member->worker].id);
            remove_member(sim, i);
        }
    }
}

static int n_owned(const int *owner, int member)
{
    int n = 0;
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        n += owner[slot] == member ? 1 : 0;
    }
    return n;
}

/* The member with the fewest (or most) slots in target. */
static int extreme_member(const struct sim *sim, const int *target, bool most)
{
    int best = -1;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        if (!sim->group.members[i].used) {
            continue;
        }
        int gain = best < 0 ? 1 : n_owned(target, best) - n_owned(target, i);
        if (best < 0 || (most ? gain < 0 : gain > 0)) {
            best = i;
        }
    }
    return best;
}

static void make_target(struct sim *sim)
{
    int *target = sim->group.target;
    memcpy(target, sim->group.owner, sizeof(sim->group.target));
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        if (target[slot] < 0) {
            target[slot] = extreme_member(sim, target, false);
        }
    }
    for (;;) {
        int from = extreme_member(sim, target, true);
        int to = extreme_member(sim, target, false);
        if (from < 0 || n_owned(target, from) - n_owned(target, to) <= 1) {
            return;
        }
        int slot = 0;
        while (target[slot] != from) {
            slot++;
        }
        target[slot] = to;
    }
}

/* A rebalance begins when every member has answered. */
static bool all_answer(struct sim *sim)
{
    for (int i = 0; i < SIM_MEMBERS; i++) {
        if (sim->group.members[i].used && !responsive(sim, &sim->group.members[i])) {
            return false;
        }
    }
    return true;
}

static void begin_revoke(struct sim *sim)
{
    struct sim_group *group = &sim->group;
    make_target(sim);
    group->generation++;
    group->state = SIM_GROUP_REVOKING;
    group->step_ms = sim->now_ms + SIM_REVOKE_MS;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_worker *worker =
            group->members[i].used ? worker_of(sim, &group->members[i]) : NULL;
        if (!worker) {
            continue;
        }
        for (int slot = 0; slot < SIM_SLOTS; slot++) {
            bool revoked = group->owner[slot] == i && group->target[slot] != i;
            group->members[i].revoking[slot] = revoked;
            worker->slots[slot] = worker->slots[slot] && !revoked;
        }
        core_group_changes(worker->core);
        sim_worker_set_slots(sim, worker);
    }
}

static bool revoke_done(struct sim *sim)
{
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_member *member = &sim->group.members[i];
        struct sim_worker *worker = member->used ? worker_of(sim, member) : NULL;
        for (int32_t slot = 0; worker && slot < SIM_SLOTS; slot++) {
            if (member->revoking[slot] && !core_slots_idle(worker->core, &slot, 1)) {
                return false;
            }
        }
    }
    return true;
}

void sim_group_tell(struct sim *sim, struct sim_worker *worker)
{
    const struct sim_group *group = &sim->group;
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        worker->slots[slot] =
            group->owner[slot] == worker->member && !group->members[worker->member].revoking[slot];
    }
    core_set_generation(worker->core, group->generation);
    core_group_changes(worker->core);
    memset(worker->sees_dead, 0, sizeof(worker->sees_dead));
    sim_worker_set_slots(sim, worker);
    worker->describe_ms = sim->now_ms + sim_between(sim, 5, 100);
}

static void assign(struct sim *sim)
{
    struct sim_group *group = &sim->group;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_member *member = &group->members[i];
        struct sim_worker *worker = member->used ? worker_of(sim, member) : NULL;
        for (int32_t slot = 0; worker && slot < SIM_SLOTS; slot++) {
            if (member->revoking[slot] && !core_slots_idle(worker->core, &slot, 1)) {
                group->forced_ms[slot] = sim->now_ms;
            }
            member->revoking[slot] = false;
        }
    }
    for (int slot = 0; slot < SIM_SLOTS; slot++) {
        int member = group->target[slot];
        group->owner[slot] = member >= 0 && group->members[member].used ? member : -1;
    }
    group->state = SIM_GROUP_STABLE;
    group->step_ms = SIM_NEVER;
    group->assigned_ms = sim->now_ms;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_worker *worker =
            group->members[i].used ? worker_of(sim, &group->members[i]) : NULL;
        if (!worker || worker->cut || worker->member != i) {
            continue;
        }
        sim_group_tell(sim, worker);
    }
}

void sim_group_step(struct sim *sim)
{
    struct sim_group *group = &sim->group;
    expire(sim);
    if (group->state == SIM_GROUP_STABLE && group->dirty) {
        group->state = SIM_GROUP_JOINING;
        group->step_ms = sim->now_ms + sim_between(sim, 10, 150);
        group->dirty = false;
    }
    if (group->state == SIM_GROUP_JOINING && sim->now_ms >= group->step_ms && all_answer(sim)) {
        begin_revoke(sim);
    }
    if (group->state == SIM_GROUP_REVOKING && (sim->now_ms >= group->step_ms || revoke_done(sim))) {
        assign(sim);
    }
}

uint64_t sim_group_next(const struct sim *sim)
{
    uint64_t next = sim->group.step_ms > sim->now_ms ? sim->group.step_ms : SIM_NEVER;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        const struct sim_member *member = &sim->group.members[i];
        if (member->used && member->beat_ms < sim->now_ms) {
            sim_min(&next, member->beat_ms + SIM_SESSION_MS);
        }
    }
    return next;
}

static bool taken_for_dead(const struct sim *sim, const struct sim_member *member)
{
    return sim->now_ms >= member->dead_ms && sim->now_ms < member->alive_ms;
}

void sim_suspect(struct sim *sim, const struct sim_worker *worker, bool lives)
{
    if (!sim_group_has(sim, worker)) {
        return;
    }
    struct sim_member *member = &sim->group.members[worker->member];
    if (member->dead_ms != SIM_NEVER &&
        (member->alive_ms == SIM_NEVER || sim->now_ms < member->alive_ms + 3000)) {
        return; /* under suspicion already */
    }
    member->dead_ms = sim->now_ms + sim_between(sim, 5, 300);
    member->alive_ms = lives ? member->dead_ms + sim_between(sim, 20, 600) : SIM_NEVER;
    sim_trace(sim, "%s will be taken for dead%s", worker->id, lives ? " wrongly" : "");
    for (int i = 0; i < SIM_WORKERS; i++) {
        struct sim_worker *other = &sim->workers[i];
        if (other->up && other->member >= 0) {
            sim_min(&other->describe_ms, member->dead_ms + sim_between(sim, 0, 60));
        }
    }
}

/* Notes whom the worker takes for dead, and looks again when that changes. */
static void note_dead(struct sim *sim, struct sim_worker *worker)
{
    memset(worker->sees_dead, 0, sizeof(worker->sees_dead));
    for (int i = 0; i < SIM_MEMBERS; i++) {
        const struct sim_member *member = &sim->group.members[i];
        if (!member->used) {
            continue;
        }
        uint64_t next = member->dead_ms > sim->now_ms ? member->dead_ms : member->alive_ms;
        if (next != SIM_NEVER && next > sim->now_ms) {
            sim_min(&worker->describe_ms, next + sim_between(sim, 0, 60));
        }
        if (!taken_for_dead(sim, member)) {
            continue;
        }
        for (int slot = 0; slot < SIM_SLOTS; slot++) {
            worker->sees_dead[slot] = worker->sees_dead[slot] || sim->group.owner[slot] == i;
        }
    }
}

void sim_describe(struct sim *sim, struct sim_worker *worker)
{
    note_dead(sim, worker);
    struct core_member members[SIM_MEMBERS];
    int32_t slots[SIM_MEMBERS][SIM_SLOTS];
    size_t n_members = 0;
    for (int i = 0; i < SIM_MEMBERS; i++) {
        bool blind = sim->options.bug == SIM_BUG_BLIND && i != worker->member;
        if (!sim->group.members[i].used || blind) {
            continue;
        }
        struct core_member *member = &members[n_members];
        *member = (struct core_member){
            .worker_id = sim->workers[sim->group.members[i].worker].id,
            .slots = slots[n_members],
            .dead = taken_for_dead(sim, &sim->group.members[i]),
            .started_ms = sim->workers[sim->group.members[i].worker].started_ms,
        };
        for (int32_t slot = 0; slot < SIM_SLOTS; slot++) {
            if (sim->group.owner[slot] == i) {
                slots[n_members][member->n_slots++] = slot;
            }
        }
        n_members++;
    }
    core_set_members(worker->core, members, n_members);
    worker->dirty = true;
}
