/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's duty to give every task a slot: new tasks, those of dead workers and of those that
 * are leaving at once, and
 * when workers' loads have differed by more than one task for a while in an unchanged group, by
 * moving the fewest tasks.
 */
#include "coordinator/config_entry.h"
#include "coordinator/core_private.h"
#include "coordinator/placement.h"
#include "coordinator/weights.h"
#include "worker/base/mem.h"

/* Moves within this time count as one replacement of workers one by one, and who was started within
 * it as replaced. */
#define ROLL_MS (10 * 60 * 1000)
/* Tasks that were moved twice lately are moved once more when the group has not changed for so many
 * times rebalance.settle.ms: then nobody is being replaced. */
#define PATIENCE 5

/* All tasks that take part, with their connectors, and who owns which slot. */
struct board {
    const struct connector_state **connectors; /* n_connectors: index is the tasks' group */
    size_t n_connectors;
    struct placement_task *tasks; /* connector by connector */
    size_t n_tasks;
    int *slot_owner;
    bool unowned; /* some slot has no owner: the group is changing */
    int n_old;    /* see placement.h */
};

/* In a group that changes, slots of a dead or leaving worker may be another's already. */
static void board_own(struct board *board, const struct member *member, int number, bool changing,
                      int n_slots)
{
    int owner = member->dead ? PLACEMENT_DEAD : member->leaving ? PLACEMENT_LEAVING : number;
    for (size_t i = 0; i < member->n_slots; i++) {
        if (member->slots[i] >= 0 && member->slots[i] < n_slots) {
            board->slot_owner[member->slots[i]] = changing ? number : owner;
        }
    }
}

static void board_slots(struct board *board, const struct core *core)
{
    int n_slots = core->options.n_slots;
    board->slot_owner = xcalloc((size_t)n_slots, sizeof(int));
    for (int slot = 0; slot < n_slots; slot++) {
        board->slot_owner[slot] = PLACEMENT_NOBODY;
    }
    for (size_t i = 0; i < core->n_members; i++) {
        board_own(board, &core->members[i], (int)i, core->members_stale, n_slots);
    }
    for (int slot = 0; slot < n_slots; slot++) {
        board->unowned = board->unowned || board->slot_owner[slot] == PLACEMENT_NOBODY;
    }
}

static bool takes_part(const struct core *core, const struct connector_state *connector)
{
    return connector->has_config && connector->committed && !connector->inconsistent &&
           connector->target != TARGET_STOPPED && connector->n_tasks > 0 &&
           core_version(core, connector) && !core_retire_pending(core, connector->name);
}

/* A task may be moved when its owner has said that it has it: the next owner then knows whom to
 * wait for. A FAILED task stays where it is: a move would start it again unasked. */
static bool settled(const struct core *core, const struct board *board,
                    const struct task_state *task)
{
    int owner = task->slot >= 0 && task->slot < core->options.n_slots
                    ? board->slot_owner[task->slot]
                    : PLACEMENT_NOBODY;
    const struct status *status = task->status;
    return owner >= 0 && status &&
           (status->state == STATE_RUNNING || status->state == STATE_PAUSED) &&
           strcmp(status->worker_id, core->members[owner].worker_id) == 0;
}

/* The weight of a task. What was measured last holds while a new owner has not measured yet: else a
 * busy task would seem light where it has just come to, and draw others after it. */
static int weight_of(struct core *core, const struct connector_state *connector, size_t task,
                     int64_t mean)
{
    struct lead *lead = core_lead_find(core, connector->name);
    int64_t rate = weights_rate(core->snapshot, connector, task);
    if (!lead) {
        return weights_of(rate, mean);
    }
    if (lead->n_rates < connector->n_tasks) {
        lead->rates = xrealloc(lead->rates, connector->n_tasks * sizeof(*lead->rates));
        while (lead->n_rates < connector->n_tasks) {
            lead->rates[lead->n_rates++] = -1;
        }
    }
    lead->rates[task] = rate >= 0 ? rate : lead->rates[task];
    return weights_of(lead->rates[task], mean);
}

static int recent_moves(const struct core *core, const struct task_state *task)
{
    int n = 0;
    for (size_t i = 0; i < N_ELEMENTS(task->moved_ms); i++) {
        int64_t at = task->moved_ms[i];
        n += at > 0 && at <= core->wall_ms && at > core->wall_ms - ROLL_MS;
    }
    return n;
}

static int count_old(const struct core *core)
{
    int n = 0;
    for (size_t i = 0; i < core->n_members; i++) {
        n += core->members[i].started_ms < core->wall_ms - ROLL_MS;
    }
    return n < (int)core->n_members ? n : 0;
}

static void board_init(struct board *board, struct core *core)
{
    *board = (struct board){ .n_old = count_old(core) };
    board_slots(board, core);
    const struct snapshot *snapshot = core->snapshot;
    board->connectors = xcalloc(snapshot->n_connectors + 1, sizeof(struct connector_state *));
    size_t n_tasks = 0;
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        if (takes_part(core, snapshot->connectors[i])) {
            board->connectors[board->n_connectors++] = snapshot->connectors[i];
            n_tasks += snapshot->connectors[i]->n_tasks;
        }
    }
    board->tasks = xcalloc(n_tasks + 1, sizeof(*board->tasks));
    int64_t mean = weights_mean(snapshot);
    for (size_t i = 0; i < board->n_connectors; i++) {
        for (size_t n = 0; n < board->connectors[i]->n_tasks; n++) {
            const struct task_state *task = &board->connectors[i]->tasks[n];
            board->tasks[board->n_tasks++] = (struct placement_task){
                .group = (int)i,
                .slot = task->slot,
                .weight = weight_of(core, board->connectors[i], n, mean),
                .fixed = !settled(core, board, task),
                .moves = recent_moves(core, task),
                .moved_before = task->moved_ms[1],
            };
        }
    }
}

static void board_fini(struct board *board)
{
    free(board->connectors);
    free(board->tasks);
    free(board->slot_owner);
}

/* Why a task was moved: for balance, or because it could not stay. */
static enum move_reason reason_of(const struct board *board, const struct core *core, int old,
                                  bool balanced)
{
    if (balanced) {
        return MOVE_BALANCE;
    }
    bool legal = old >= 0 && old < core->options.n_slots;
    int owner = legal ? board->slot_owner[old] : PLACEMENT_NOBODY;
    return owner == PLACEMENT_DEAD      ? MOVE_FAILOVER
           : owner == PLACEMENT_LEAVING ? MOVE_LEAVING
                                        : MOVE_PLACED;
}

/* Adds the records of the connectors that have moved tasks. */
static void board_write(const struct board *board, const struct core *core, bool balanced,
                        struct out_records *out)
{
    const struct placement_task *task = board->tasks;
    for (size_t i = 0; i < board->n_connectors && out->n_items < CORE_BATCH; i++) {
        size_t n_tasks = board->connectors[i]->n_tasks;
        struct seat *seats = xcalloc(n_tasks, sizeof(*seats));
        bool moved = false;
        for (size_t n = 0; n < n_tasks; n++, task++) {
            const struct task_state *old = &board->connectors[i]->tasks[n];
            seats[n].slot = task->slot;
            seats[n].why = task->moved ? reason_of(board, core, old->slot, balanced) : old->why;
            bool counts = task->moved && old->slot >= 0;
            seats[n].moved_ms[0] = counts ? core->wall_ms : old->moved_ms[0];
            seats[n].moved_ms[1] = old->moved_ms[counts ? 0 : 1];
            moved = moved || task->moved;
        }
        if (moved) {
            record_placement(out, board->connectors[i]->name, seats, n_tasks);
        }
        free(seats);
    }
}

static void balance(struct core *core, struct board *board, uint64_t now_ms, uint64_t *wake_ms)
{
    int n_slots = core->options.n_slots;
    int n_workers = (int)core->n_members;
    if (board->unowned || core->members_stale ||
        !placement_uneven(board->tasks, board->n_tasks, board->slot_owner, n_slots, n_workers)) {
        core->skew_since_ms = CORE_NEVER_MS;
        return;
    }
    if (core->skew_since_ms == CORE_NEVER_MS) {
        core->skew_since_ms = now_ms;
    }
    if (now_ms < core->skew_since_ms + core->options.settle_ms) {
        core_wake(wake_ms, core->skew_since_ms + core->options.settle_ms);
        return;
    }
    uint64_t patient_ms = core->calm_since_ms + PATIENCE * core->options.settle_ms;
    int n_old = now_ms < patient_ms ? board->n_old : PLACEMENT_ANY;
    size_t n_moved = placement_balance(board->tasks, board->n_tasks, board->slot_owner, n_slots,
                                       n_workers, n_old);
    if (n_moved == 0 && now_ms < patient_ms) {
        core_wake(wake_ms, patient_ms);
    }
}

void core_place(struct core *core, uint64_t now_ms, struct out_records *out, uint64_t *wake_ms)
{
    if (core->n_members == 0 || out->n_items >= CORE_BATCH) {
        return;
    }
    if (core->calm_since_ms == CORE_NEVER_MS) {
        core->calm_since_ms = now_ms;
    }
    struct board board;
    board_init(&board, core);
    bool filled = placement_fill(board.tasks, board.n_tasks, board.slot_owner,
                                 core->options.n_slots, (int)core->n_members, board.n_old) > 0;
    if (!filled) {
        balance(core, &board, now_ms, wake_ms);
    }
    board_write(&board, core, !filled, out);
    board_fini(&board);
}
