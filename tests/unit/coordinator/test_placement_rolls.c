/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers replaced one by one: whatever their number, the tasks and their weights, and whether
 * loads are evened out in between or not, no task moves more than twice.
 */
#include "coordinator/placement.h"
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

#define MAX_OLD     8
#define MAX_WORKERS (2 * MAX_OLD)
#define PER_WORKER  4 /* slots of each, its own for good */
#define N_SLOTS     (MAX_WORKERS * PER_WORKER)
#define MAX_TASKS   40
#define N_ROLLS     1500

/* Worker number w is the w-th that was started. */
struct roll {
    struct random *random;
    int n_old;
    int n_started;
    bool told_apart; /* old workers were started long ago */
    unsigned pause_percent;
    int slot_owner[N_SLOTS];
    struct placement_task tasks[MAX_TASKS];
    int moves[MAX_TASKS];
    size_t n_tasks;
    int64_t clock;
    int64_t moved_last[MAX_TASKS];
};

static void own(struct roll *roll, int worker, int owner)
{
    for (int i = 0; i < PER_WORKER; i++) {
        roll->slot_owner[worker * PER_WORKER + i] = owner;
    }
}

static int n_old_of(const struct roll *roll)
{
    return roll->told_apart ? roll->n_old : 0;
}

/* Counts what has moved, as the leader's records do. */
static void note_moves(struct roll *roll)
{
    roll->clock++;
    for (size_t i = 0; i < roll->n_tasks; i++) {
        struct placement_task *task = &roll->tasks[i];
        if (task->moved) {
            task->moved = false;
            task->moved_before = roll->moved_last[i];
            roll->moved_last[i] = roll->clock;
            task->moves = task->moves < 2 ? task->moves + 1 : 2;
            roll->moves[i]++;
        }
    }
}

static void fill(struct roll *roll)
{
    (void)placement_fill(roll->tasks, roll->n_tasks, roll->slot_owner, N_SLOTS, roll->n_started,
                         n_old_of(roll));
    note_moves(roll);
}

static void even_out(struct roll *roll, int n_old)
{
    (void)placement_balance(roll->tasks, roll->n_tasks, roll->slot_owner, N_SLOTS, roll->n_started,
                            n_old);
    note_moves(roll);
}

static void may_pause(struct roll *roll)
{
    if (random_below(roll->random, 100) < roll->pause_percent) {
        even_out(roll, n_old_of(roll));
    }
}

static void join(struct roll *roll)
{
    own(roll, roll->n_started, roll->n_started);
    roll->n_started++;
    may_pause(roll);
}

static void leave(struct roll *roll, int worker)
{
    own(roll, worker, PLACEMENT_LEAVING);
    fill(roll);
    own(roll, worker, PLACEMENT_NOBODY);
    for (size_t i = 0; i < roll->n_tasks; i++) {
        assert_true(roll->slot_owner[roll->tasks[i].slot] >= 0);
    }
    may_pause(roll);
}

static void begin(struct roll *roll, struct random *random, bool weights)
{
    *roll = (struct roll){
        .random = random,
        .n_old = 2 + (int)random_below(random, MAX_OLD - 1),
        .n_tasks = 1 + random_below(random, MAX_TASKS),
    };
    for (int slot = 0; slot < N_SLOTS; slot++) {
        roll->slot_owner[slot] = PLACEMENT_NOBODY;
    }
    for (int worker = 0; worker < roll->n_old; worker++) {
        own(roll, worker, worker);
    }
    roll->n_started = roll->n_old;
    for (size_t i = 0; i < roll->n_tasks; i++) {
        roll->tasks[i].slot = -1;
        roll->tasks[i].group = (int)random_below(random, 4);
        roll->tasks[i].weight =
            weights ? PLACEMENT_UNIT / 4 * (2 + (int)random_below(random, 31)) : PLACEMENT_UNIT;
        roll->moved_last[i] = (int64_t)random_below(random, 100);
    }
    roll->clock = 100;
    fill(roll);
    even_out(roll, PLACEMENT_ANY);
    for (size_t i = 0; i < roll->n_tasks; i++) {
        roll->tasks[i].moves = roll->moves[i] = 0;
    }
}

static void play(struct roll *roll, bool one_more)
{
    int order[MAX_OLD];
    for (int i = 0; i < roll->n_old; i++) {
        int j = (int)random_below(roll->random, (size_t)i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (int i = 0; i < roll->n_old; i++) {
        if (one_more) {
            join(roll);
            leave(roll, order[i]);
        } else {
            leave(roll, order[i]);
            join(roll);
        }
    }
    even_out(roll, n_old_of(roll));
    for (size_t i = 0; i < roll->n_tasks; i++) {
        assert_in_range(roll->moves[i], 0, 2);
    }
}

static void test_no_task_moves_more_than_twice_while_old_workers_give_way_to_new(void **state)
{
    struct random *random = *state;
    for (unsigned i = 0; i < N_ROLLS * 4; i++) {
        struct roll roll;
        begin(&roll, random, i & 1);
        roll.told_apart = true;
        roll.pause_percent = (unsigned)random_below(random, 101);
        play(&roll, i & 2);
    }
}

/* All workers young: no step takes as long as it takes until loads are evened out. */
static void test_nor_when_all_are_young_and_steps_are_quick(void **state)
{
    struct random *random = *state;
    for (unsigned i = 0; i < N_ROLLS * 4; i++) {
        struct roll roll;
        begin(&roll, random, i & 1);
        play(&roll, i & 2);
    }
}

/* It does not end uneven for good: what was moved twice is moved once more in the end. */
static void test_patience_ends_evenly(void **state)
{
    struct random *random = *state;
    for (unsigned i = 0; i < N_ROLLS; i++) {
        struct roll roll;
        begin(&roll, random, false);
        play(&roll, i & 1);
        even_out(&roll, PLACEMENT_ANY);
        assert_false(
            placement_uneven(roll.tasks, roll.n_tasks, roll.slot_owner, N_SLOTS, roll.n_started));
    }
}

static int setup(void **state)
{
    static struct random random;
    random_init(&random);
    *state = &random;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_task_moves_more_than_twice_while_old_workers_give_way_to_new),
        cmocka_unit_test(test_nor_when_all_are_young_and_steps_are_quick),
        cmocka_unit_test(test_patience_ends_evenly),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
