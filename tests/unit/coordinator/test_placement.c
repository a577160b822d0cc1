/* SPDX-License-Identifier: Apache-2.0 */
/* Placement by its properties, over random clusters. */
#include <limits.h>

#include "coordinator/placement.h"
#include "tests/support/random.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

#define MAX_SLOTS   40
#define MAX_WORKERS 8
#define MAX_TASKS   60
#define MAX_GROUPS  6
#define N_ROUNDS    3000

struct cluster_case {
    int n_slots;
    int n_workers;
    int slot_owner[MAX_SLOTS];
    struct placement_task tasks[MAX_TASKS];
    size_t n_tasks;
};

/* A random cluster; holes: some slots have no owner, and tasks may sit nowhere. */
static void make_case(struct random *random, struct cluster_case *c, bool holes)
{
    *c = (struct cluster_case){
        .n_slots = 1 + (int)random_below(random, MAX_SLOTS),
        .n_workers = 1 + (int)random_below(random, MAX_WORKERS),
        .n_tasks = random_below(random, MAX_TASKS + 1),
    };
    for (int slot = 0; slot < c->n_slots; slot++) {
        c->slot_owner[slot] = (int)random_below(random, (size_t)c->n_workers);
        if (holes && random_below(random, 4) == 0) {
            c->slot_owner[slot] = -1;
        }
    }
    for (size_t i = 0; i < c->n_tasks; i++) {
        c->tasks[i].group = (int)random_below(random, MAX_GROUPS);
        c->tasks[i].slot = (int)random_below(random, (size_t)c->n_slots);
        if (holes && random_below(random, 3) == 0) {
            c->tasks[i].slot = random_below(random, 2) ? -1 : c->n_slots + 5;
        }
    }
}

static int owner_of(const struct cluster_case *c, int slot)
{
    return slot >= 0 && slot < c->n_slots ? c->slot_owner[slot] : -1;
}

static void count_loads(const struct cluster_case *c, int group, int *load)
{
    for (int worker = 0; worker < MAX_WORKERS; worker++) {
        load[worker] = 0;
    }
    for (size_t i = 0; i < c->n_tasks; i++) {
        int owner = owner_of(c, c->tasks[i].slot);
        if (owner >= 0 && (group < 0 || c->tasks[i].group == group)) {
            load[owner]++;
        }
    }
}

static bool has_slot(const struct cluster_case *c, int worker)
{
    for (int slot = 0; slot < c->n_slots; slot++) {
        if (c->slot_owner[slot] == worker) {
            return true;
        }
    }
    return false;
}

/* Largest minus smallest load of the workers that have slots. */
static int skew(const struct cluster_case *c, int group)
{
    int load[MAX_WORKERS];
    count_loads(c, group, load);
    int low = INT_MAX;
    int high = 0;
    for (int worker = 0; worker < c->n_workers; worker++) {
        if (has_slot(c, worker)) {
            low = load[worker] < low ? load[worker] : low;
            high = load[worker] > high ? load[worker] : high;
        }
    }
    return low < high ? high - low : 0;
}

/* The fewest moves after which no two workers differ by more than one: what the fullest workers
 * have beyond their share, when they are given the larger shares. */
static size_t fewest_moves(const struct cluster_case *c)
{
    int load[MAX_WORKERS];
    count_loads(c, -1, load);
    int sorted[MAX_WORKERS];
    int n = 0;
    int total = 0;
    for (int worker = 0; worker < c->n_workers; worker++) {
        if (!has_slot(c, worker)) {
            continue;
        }
        int at = n++;
        for (; at > 0 && sorted[at - 1] < load[worker]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = load[worker];
        total += load[worker];
    }
    size_t moves = 0;
    for (int i = 0; i < n; i++) {
        int share = total / n + (i < total % n ? 1 : 0);
        moves += sorted[i] > share ? (size_t)(sorted[i] - share) : 0;
    }
    return moves;
}

static void test_fill_places_every_task_and_moves_none(void **state)
{
    struct random *random = *state;
    for (int round = 0; round < N_ROUNDS; round++) {
        struct cluster_case c;
        make_case(random, &c, true);
        struct cluster_case before = c;
        bool anybody = false;
        for (int slot = 0; slot < c.n_slots; slot++) {
            anybody = anybody || c.slot_owner[slot] >= 0;
        }
        size_t given = placement_fill(c.tasks, c.n_tasks, c.slot_owner, c.n_slots, c.n_workers, 0);
        size_t n_moved = 0;
        for (size_t i = 0; i < c.n_tasks; i++) {
            int old = before.tasks[i].slot;
            bool legal = old >= 0 && old < c.n_slots;
            n_moved += c.tasks[i].moved ? 1 : 0;
            if (legal || !anybody) {
                assert_int_equal(c.tasks[i].slot, old);
                assert_false(c.tasks[i].moved);
            } else {
                assert_true(owner_of(&c, c.tasks[i].slot) >= 0);
                assert_true(c.tasks[i].moved);
            }
        }
        assert_int_equal(given, n_moved);
    }
}

static void test_fill_of_an_empty_cluster_is_even_and_spreads_groups(void **state)
{
    struct random *random = *state;
    for (int round = 0; round < N_ROUNDS; round++) {
        struct cluster_case c;
        make_case(random, &c, false);
        for (size_t i = 0; i < c.n_tasks; i++) {
            c.tasks[i].slot = -1;
            c.tasks[i].group = (int)(i * MAX_GROUPS / MAX_TASKS); /* one connector after another */
        }
        (void)placement_fill(c.tasks, c.n_tasks, c.slot_owner, c.n_slots, c.n_workers, 0);
        assert_true(skew(&c, -1) <= 1);
        for (int group = 0; group < MAX_GROUPS; group++) {
            assert_true(skew(&c, group) <= 1);
        }
    }
}

static void test_fill_uses_the_emptiest_slot(void **state UNUSED)
{
    const int owner[] = { 0, 0, 0 };
    struct placement_task tasks[] = {
        { .slot = 0 }, { .slot = 0 }, { .slot = 2 }, { .slot = -1 }, { .slot = -1 }
    };
    assert_int_equal(placement_fill(tasks, N_ELEMENTS(tasks), owner, 3, 1, 0), 2);
    assert_int_equal(tasks[3].slot, 1);
    assert_true(tasks[4].slot != 0); /* slots 1 and 2 have one task each now */
}

static void test_balance_reaches_a_skew_of_one_with_the_fewest_moves(void **state)
{
    struct random *random = *state;
    for (int round = 0; round < N_ROUNDS; round++) {
        struct cluster_case c;
        make_case(random, &c, random_below(random, 2) == 0);
        struct cluster_case before = c;
        assert_int_equal(placement_uneven(c.tasks, c.n_tasks, c.slot_owner, c.n_slots, c.n_workers),
                         skew(&c, -1) > 1);
        size_t fewest = fewest_moves(&c);
        size_t moved =
            placement_balance(c.tasks, c.n_tasks, c.slot_owner, c.n_slots, c.n_workers, 0);
        assert_true(skew(&c, -1) <= 1);
        assert_int_equal(moved, fewest);
        size_t n_moved = 0;
        for (size_t i = 0; i < c.n_tasks; i++) {
            n_moved += c.tasks[i].slot != before.tasks[i].slot ? 1 : 0;
        }
        assert_int_equal(n_moved, fewest);
    }
}

static void test_balance_leaves_fixed_tasks(void **state)
{
    struct random *random = *state;
    for (int round = 0; round < N_ROUNDS; round++) {
        struct cluster_case c;
        make_case(random, &c, false);
        for (size_t i = 0; i < c.n_tasks; i++) {
            c.tasks[i].fixed = random_below(random, 2) == 0;
        }
        struct cluster_case before = c;
        int skew_before = skew(&c, -1);
        (void)placement_balance(c.tasks, c.n_tasks, c.slot_owner, c.n_slots, c.n_workers, 0);
        for (size_t i = 0; i < c.n_tasks; i++) {
            if (before.tasks[i].fixed) {
                assert_int_equal(c.tasks[i].slot, before.tasks[i].slot);
            }
        }
        assert_true(skew(&c, -1) <= (skew_before > 1 ? skew_before : 1));
    }
}

/* Of two movable tasks the one goes whose connector is crowded where it is. */
static void test_balance_prefers_crowded_groups(void **state UNUSED)
{
    const int owner[] = { 0, 1 };
    struct placement_task tasks[] = {
        { .group = 0, .slot = 0 },
        { .group = 1, .slot = 0 },
        { .group = 1, .slot = 0 },
        { .group = 0, .slot = 1 },
    };
    struct placement_task more[] = { tasks[0], tasks[1], tasks[2], tasks[2], tasks[3] };
    assert_int_equal(placement_balance(more, N_ELEMENTS(more), owner, 2, 2, 0), 1);
    assert_int_equal(more[0].slot, 0);
}

/* A worker that joins is given a run of the lowest slots: no task may sit there, and its share
 * comes by balance. */
static void test_a_joining_worker_draws_no_task_with_its_slots(void **state UNUSED)
{
    enum {
        N_SLOTS = 64,
        N_TASKS = 6
    };
    int owner[N_SLOTS] = { 0 };
    struct placement_task tasks[N_TASKS];
    for (int i = 0; i < N_TASKS; i++) {
        tasks[i] = (struct placement_task){ .slot = -1 };
    }
    assert_int_equal(placement_fill(tasks, N_TASKS, owner, N_SLOTS, 1, 0), N_TASKS);
    for (int slot = 0; slot < N_SLOTS / 2; slot++) {
        owner[slot] = 1;
    }
    for (int i = 0; i < N_TASKS; i++) {
        assert_int_equal(owner[tasks[i].slot], 0);
    }
    assert_true(placement_uneven(tasks, N_TASKS, owner, N_SLOTS, 2));
    assert_int_equal(placement_balance(tasks, N_TASKS, owner, N_SLOTS, 2, 0), N_TASKS / 2);
}

static void test_tasks_of_a_leaving_worker_go_to_the_least_loaded_at_once(void **state UNUSED)
{
    /* The first worker goes, the second has two tasks, the third has just come. */
    const int owner[] = { PLACEMENT_LEAVING, 1, 1, 2, 2 };
    struct placement_task tasks[] = { { .slot = 0 }, { .slot = 0 }, { .slot = 1 }, { .slot = 2 } };
    assert_int_equal(placement_fill(tasks, N_ELEMENTS(tasks), owner, 5, 3, 0), 2);
    assert_int_equal(owner[tasks[0].slot], 2);
    assert_int_equal(owner[tasks[1].slot], 2);
    assert_int_equal(tasks[2].slot, 1);
    assert_int_equal(tasks[3].slot, 2);
}

static void test_nothing_to_place_on(void **state UNUSED)
{
    const int owner[] = { -1, -1 };
    struct placement_task task = { .slot = -1 };
    assert_int_equal(placement_fill(&task, 1, owner, 2, 3, 0), 0);
    assert_int_equal(task.slot, -1);
    assert_int_equal(placement_balance(&task, 1, owner, 2, 3, 0), 0);
    assert_false(placement_uneven(&task, 1, owner, 2, 3));
    assert_int_equal(placement_fill(NULL, 0, owner, 2, 0, 0), 0);
}

int main(void)
{
    struct random random;
    random_init(&random);
#define TEST(name) cmocka_unit_test_prestate(name, &random)
    const struct CMUnitTest tests[] = {
        TEST(test_fill_places_every_task_and_moves_none),
        TEST(test_fill_of_an_empty_cluster_is_even_and_spreads_groups),
        TEST(test_fill_uses_the_emptiest_slot),
        TEST(test_balance_reaches_a_skew_of_one_with_the_fewest_moves),
        TEST(test_balance_leaves_fixed_tasks),
        TEST(test_balance_prefers_crowded_groups),
        TEST(test_a_joining_worker_draws_no_task_with_its_slots),
        TEST(test_tasks_of_a_leaving_worker_go_to_the_least_loaded_at_once),
        TEST(test_nothing_to_place_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
