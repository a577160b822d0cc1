/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of how a herder gives slots up and goes, on its threads, in a world of fakes.
 *
 * fakes: world world_node
 */
#include "coordinator/cluster.h"
#include "tests/fakes/world_node.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/thread.h"

struct revoker {
    struct thread thread;
    struct node *node;
    bool done; /* under the world's lock */
};

static void *revoker_main(void *arg)
{
    struct revoker *revoker = arg;
    node_revoke(revoker->node, 0, WORLD_SLOTS - 1, false); /* the last one stays: it leads on */
    lock_take(&world.lock);
    revoker->done = true;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    return NULL;
}

static bool one_asked_to_stop(void *arg)
{
    const struct runner *runner = arg;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (runner->tasks[i].deadline_ms > 0) {
            return true;
        }
    }
    return false;
}

static bool all_asked_to_stop(void *arg)
{
    const struct runner *runner = arg;
    size_t n = 0;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        n += runner->tasks[i].deadline_ms > 0;
    }
    return n == 3;
}

static void test_revocation_waits_for_the_tasks(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    for (int task = 0; task < 3; task++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "status-task-c-%d", task);
        world_wait_record(key, "\"RUNNING\"");
    }
    struct runner *runner = node_runner(&node);
    lock_take(&world.lock);
    runner->hold_stops = true;
    lock_drop(&world.lock);
    struct revoker revoker = { .node = &node };
    thread_start(&revoker.thread, "revoker", revoker_main, &revoker);
    world_wait(one_asked_to_stop, runner);
    /* When this has its answer, the herder has long been through with the revocation's op. */
    assert_int_equal(node_create(&node, "d"), ERR_OK);
    lock_take(&world.lock);
    bool early = revoker.done;
    runner->hold_stops = false;
    lock_drop(&world.lock);
    assert_false(early);
    for (size_t i = 0; i < 3; i++) {
        if (runner->tasks[i].deadline_ms > 0) {
            runner_tell(runner, TASK_EVENT_STOPPED, runner->tasks[i].incarnation);
        }
    }
    thread_join(&revoker.thread);
    node_free(&node);
}

/* Who lets the group wait longer loses all its slots. */
static void test_revocation_waits_no_longer_than_the_group_allows(void **state UNUSED)
{
    struct node node;
    world.rebalance_timeout = "1000"; /* tasks have 5000 */
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    struct runner *runner = node_runner(&node);
    lock_take(&world.lock);
    runner->hold_stops = true;
    lock_drop(&world.lock);
    uint64_t begin_ms = clock_mono_ms();
    node_revoke(&node, 0, WORLD_SLOTS, false);
    uint64_t took_ms = clock_mono_ms() - begin_ms;
    assert_in_range(took_ms, 1000, 4000);
    world_wait(all_asked_to_stop, runner);
    for (size_t i = 0; i < 3; i++) {
        assert_true(runner->tasks[i].deadline_ms >= begin_ms + 5000);
        runner_tell(runner, TASK_EVENT_STOPPED, runner->tasks[i].incarnation);
    }
    node_free(&node);
}

static void test_drain_stops_tasks_says_so_and_leaves(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    world_wait_record("status-task-c-2", "\"RUNNING\"");
    uint64_t begin = clock_mono_ms();
    cluster_drain(node.cluster);
    assert_true(clock_mono_ms() - begin < 4000);
    assert_true(node_group(&node)->left);
    node_wait_running(&node, 0);
    world_wait_record("status-task-c-2", "\"UNASSIGNED\"");
    char stage[256];
    int64_t since;
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_DRAINING);
    assert_int_equal(node_create(&node, "d"), ERR_NOT_LEADER);
    node_free(&node);
}

static void *drainer_main(void *arg)
{
    cluster_drain(((struct node *)arg)->cluster);
    return NULL;
}

/* Without slots the other one can take nothing over: what is left is stopped like anywhere. */
static void
test_leader_whose_tasks_nobody_takes_stops_them_when_that_time_is_over(void **state UNUSED)
{
    struct node leader;
    struct node heir;
    node_start_alone(&leader, "a:1");
    assert_int_equal(node_create(&leader, "c"), ERR_OK);
    node_wait_running(&leader, 3);
    node_start(&heir, "b:1");
    node_tell_members(&leader, &leader, &heir, WORLD_SLOTS);
    struct runner *runner = node_runner(&leader);
    struct thread drainer;
    uint64_t begin_ms = clock_mono_ms();
    thread_start(&drainer, "drainer", drainer_main, &leader);
    world_wait(all_asked_to_stop, runner);
    assert_true(clock_mono_ms() - begin_ms < 3500); /* of the 5000 that its tasks may take */
    thread_join(&drainer);
    node_wait_running(&leader, 0);
    node_free(&heir);
    node_free(&leader);
}

static bool all_swept(void *arg)
{
    const struct runner *runner = arg;
    size_t n = 0;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        n += runner->tasks[i].swept;
    }
    return n == 3;
}

/* Else they would show on this worker, too, when they run on another. */
static void test_of_tasks_that_are_gone_nothing_is_left_in_the_runner(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    for (int task = 0; task < 3; task++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "status-task-c-%d", task);
        world_wait_record(key, "\"RUNNING\"");
    }
    node_revoke(&node, 0, WORLD_SLOTS, false);
    world_wait(all_swept, node_runner(&node));
    node_free(&node);
}

static int begin(void **state UNUSED)
{
    world_begin();
    return 0;
}

static int end(void **state UNUSED)
{
    world_end();
    return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_revocation_waits_for_the_tasks),
        WORLD_TEST(test_revocation_waits_no_longer_than_the_group_allows),
        WORLD_TEST(test_drain_stops_tasks_says_so_and_leaves),
        WORLD_TEST(test_of_tasks_that_are_gone_nothing_is_left_in_the_runner),
        WORLD_TEST(test_leader_whose_tasks_nobody_takes_stops_them_when_that_time_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
