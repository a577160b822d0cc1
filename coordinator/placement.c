/* SPDX-License-Identifier: Apache-2.0 */
/* Which slot each task sits in. See placement.h. */
#include "coordinator/placement.h"

#include "worker/base/mem.h"

/* What a placement looks like from the workers' side. */
struct tally {
    const int *slot_owner;
    int n_slots;
    int n_workers;
    int n_groups;
    int64_t *load;  /* weight per worker */
    int margin;     /* differences up to this are noise */
    bool *has_slot; /* per worker */
    int *in_slot;   /* tasks per slot */
    int *in_group;  /* tasks per group and worker */
    int n_old;      /* see placement.h */
};

static int owner_of(const struct tally *tally, int slot)
{
    return slot >= 0 && slot < tally->n_slots ? tally->slot_owner[slot] : PLACEMENT_NOBODY;
}

static int weight_of(const struct placement_task *task)
{
    return task->weight > 0 ? task->weight : PLACEMENT_UNIT;
}

static int *group_cell(const struct tally *tally, int group, int worker)
{
    return &tally->in_group[(size_t)group * (size_t)tally->n_workers + (size_t)worker];
}

/* Counts `change` tasks in or out. */
static void tally_add(struct tally *tally, const struct placement_task *task, int change)
{
    int owner = owner_of(tally, task->slot);
    if (task->slot >= 0 && task->slot < tally->n_slots) {
        tally->in_slot[task->slot] += change;
    }
    if (owner >= 0) {
        tally->load[owner] += (int64_t)change * weight_of(task);
        *group_cell(tally, task->group, owner) += change;
    }
}

static void tally_init(struct tally *tally, const struct placement_task *tasks, size_t n_tasks)
{
    for (size_t i = 0; i < n_tasks; i++) {
        ASSERT(tasks[i].group >= 0);
        tally->n_groups = tasks[i].group >= tally->n_groups ? tasks[i].group + 1 : tally->n_groups;
        if (weight_of(&tasks[i]) != PLACEMENT_UNIT) {
            tally->margin = PLACEMENT_UNIT / 2;
        }
    }
    size_t n_workers = (size_t)tally->n_workers;
    tally->load = xcalloc(n_workers + 1, sizeof(*tally->load));
    tally->has_slot = xcalloc(n_workers + 1, sizeof(bool));
    tally->in_slot = xcalloc((size_t)tally->n_slots + 1, sizeof(int));
    tally->in_group = xcalloc((size_t)tally->n_groups * n_workers + 1, sizeof(int));
    for (int slot = 0; slot < tally->n_slots; slot++) {
        ASSERT(tally->slot_owner[slot] < tally->n_workers);
        if (tally->slot_owner[slot] >= 0) {
            tally->has_slot[tally->slot_owner[slot]] = true;
        }
    }
    for (size_t i = 0; i < n_tasks; i++) {
        tally_add(tally, &tasks[i], 1);
    }
}

static void tally_fini(struct tally *tally)
{
    free(tally->load);
    free(tally->has_slot);
    free(tally->in_slot);
    free(tally->in_group);
}

/* The worker for one more task of a group, from number `from` on; -1 when nobody has a slot. */
static int pick_worker(const struct tally *tally, int group, int from)
{
    int best = -1;
    for (int worker = from; worker < tally->n_workers; worker++) {
        if (!tally->has_slot[worker]) {
            continue;
        }
        int64_t gain = best < 0 ? 1 : tally->load[best] - tally->load[worker];
        if (gain == 0) {
            gain = *group_cell(tally, group, best) - *group_cell(tally, group, worker);
        }
        best = gain >= 0 ? worker : best;
    }
    return best;
}

/* The group's assignor gives a joining worker the lowest slots of the others: tasks in high slots
 * stay where they are, and are moved by balance, if at all, one by one and without waiting for the
 * group. So a worker that is replaced, or restarts, draws no tasks to and fro. */
static bool better_slot(const struct tally *tally, int slot, int than)
{
    if (tally->in_slot[slot] != tally->in_slot[than]) {
        return tally->in_slot[slot] < tally->in_slot[than];
    }
    return slot > than;
}

static int pick_slot(const struct tally *tally, int worker)
{
    int best = -1;
    for (int slot = 0; slot < tally->n_slots; slot++) {
        if (tally->slot_owner[slot] == worker && (best < 0 || better_slot(tally, slot, best))) {
            best = slot;
        }
    }
    return best;
}

static void move_task(struct tally *tally, struct placement_task *task, int worker)
{
    tally_add(tally, task, -1);
    task->slot = pick_slot(tally, worker);
    task->moved = true;
    tally_add(tally, task, 1);
}

/* The lowest number of the workers that a task may go to from one that leaves. */
static int first_for(const struct tally *tally, const struct placement_task *task)
{
    int newest = tally->n_workers - 1;
    while (newest > 0 && !tally->has_slot[newest]) {
        newest--;
    }
    bool leaves = owner_of(tally, task->slot) == PLACEMENT_LEAVING;
    if (!leaves || task->moves == 0) {
        return 0;
    }
    return tally->n_old > 0 && tally->n_old < newest ? tally->n_old : newest;
}

size_t placement_fill(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers, int n_old)
{
    struct tally tally = { slot_owner, n_slots, n_workers, .n_old = n_old };
    tally_init(&tally, tasks, n_tasks);
    size_t n_given = 0;
    for (size_t i = 0; i < n_tasks; i++) {
        int worker = -1;
        if (tasks[i].slot < 0 || tasks[i].slot >= n_slots ||
            slot_owner[tasks[i].slot] == PLACEMENT_DEAD ||
            slot_owner[tasks[i].slot] == PLACEMENT_LEAVING) {
            worker = pick_worker(&tally, tasks[i].group, first_for(&tally, &tasks[i]));
        }
        if (worker >= 0) {
            move_task(&tally, &tasks[i], worker);
            n_given++;
        }
    }
    tally_fini(&tally);
    return n_given;
}

/* Of those that are loaded alike the newest. */
static int least_loaded(const struct tally *tally)
{
    int best = -1;
    for (int worker = 0; worker < tally->n_workers; worker++) {
        if (tally->has_slot[worker] && (best < 0 || tally->load[worker] <= tally->load[best])) {
            best = worker;
        }
    }
    return best;
}

/* What a task's move to `to` is worth. */
struct gain {
    int64_t load;   /* of the worker that it is taken from */
    int64_t relief; /* how far the two come closer */
    int spread;     /* how much more its group is crowded there */
    int64_t moved_before;
};

static bool better_gain(const struct gain *a, const struct gain *b)
{
    if (a->load != b->load) {
        return a->load > b->load;
    }
    if (a->relief != b->relief) {
        return a->relief > b->relief;
    }
    return a->moved_before != b->moved_before ? a->moved_before < b->moved_before
                                              : a->spread > b->spread;
}

/* False when the move would not lessen the difference of the two workers. */
static bool gain_of(const struct tally *tally, const struct placement_task *task, int to,
                    struct gain *ret_gain)
{
    int owner = owner_of(tally, task->slot);
    int weight = weight_of(task);
    if (owner < 0 || tally->load[owner] - tally->load[to] <= weight + tally->margin) {
        return false;
    }
    int64_t rest = tally->load[owner] - tally->load[to] - weight;
    *ret_gain = (struct gain){
        .load = tally->load[owner],
        .relief = rest < weight ? rest : weight,
        .spread = *group_cell(tally, task->group, owner) - *group_cell(tally, task->group, to),
        .moved_before = task->moved_before,
    };
    return true;
}

/* False when it was moved so often lately that it is to stay, or is not to go to an old worker. */
static bool may_go(const struct tally *tally, const struct placement_task *task, int to)
{
    if (task->fixed || tally->n_old == PLACEMENT_ANY) {
        return !task->fixed;
    }
    return task->moves == 0 || (task->moves == 1 && to >= tally->n_old);
}

/* The task whose move to `to` is worth most: from the most loaded worker, of those the one that
 * evens the two most, of those the one that has been left in peace longest, and of those the one
 * whose group is crowded there and not here. NULL when no move helps. */
static struct placement_task *pick_move(const struct tally *tally, struct placement_task *tasks,
                                        size_t n_tasks, int to)
{
    struct placement_task *best = NULL;
    struct gain best_gain = { .load = 0 };
    for (size_t i = 0; i < n_tasks; i++) {
        struct gain gain;
        if (may_go(tally, &tasks[i], to) && gain_of(tally, &tasks[i], to, &gain) &&
            (!best || better_gain(&gain, &best_gain))) {
            best = &tasks[i];
            best_gain = gain;
        }
    }
    return best;
}

size_t placement_balance(struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                         int n_slots, int n_workers, int n_old)
{
    struct tally tally = { slot_owner, n_slots, n_workers, .n_old = n_old };
    tally_init(&tally, tasks, n_tasks);
    size_t n_moved = 0;
    /* With equal weights each step takes a task from a worker that has at least two more than the
     * least loaded one: every plan that ends with a skew of one or less must do as much. */
    for (;;) {
        int to = least_loaded(&tally);
        struct placement_task *task = to < 0 ? NULL : pick_move(&tally, tasks, n_tasks, to);
        if (!task) {
            break;
        }
        move_task(&tally, task, to);
        n_moved++;
    }
    tally_fini(&tally);
    return n_moved;
}

bool placement_uneven(const struct placement_task *tasks, size_t n_tasks, const int *slot_owner,
                      int n_slots, int n_workers)
{
    struct tally tally = { slot_owner, n_slots, n_workers, .n_groups = 0 };
    tally_init(&tally, tasks, n_tasks);
    int to = least_loaded(&tally);
    bool uneven = false;
    for (size_t i = 0; to >= 0 && !uneven && i < n_tasks; i++) {
        struct gain gain;
        uneven = gain_of(&tally, &tasks[i], to, &gain);
    }
    tally_fini(&tally);
    return uneven;
}
