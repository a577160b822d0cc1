/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the herder on its threads, in a world of fakes: who leads, how tasks are handed over,
 * what it does in trouble. How it goes is in test_herder_drain.c.
 *
 * fakes: world world_node
 */
#include <sched.h>

#include "coordinator/cluster.h"
#include "tests/fakes/world_node.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

#define PATIENCE_MS 10000

struct racer {
    struct thread thread;
    struct node *node;
    enum err err;
};

static void *racer_main(void *arg)
{
    struct racer *racer = arg;
    racer->err = node_create(racer->node, "c");
    return NULL;
}

static void test_follower_knows_the_leader_and_refuses_changes(void **state UNUSED)
{
    struct node leader;
    struct node follower;
    node_start(&leader, "a:1");
    node_assign(&leader, 4, WORLD_SLOTS);
    node_assert_leads(&leader);
    node_start(&follower, "b:1");
    node_assign(&follower, 0, 4);
    node_tell_members(&follower, &follower, &leader, 4);
    char url[256];
    bool self = true;
    assert_int_equal(cluster_wait_leader(follower.cluster, clock_mono_ms() + PATIENCE_MS, url,
                                         sizeof(url), &self),
                     ERR_OK);
    assert_string_equal(url, "http://a:1");
    assert_false(self);
    assert_int_equal(node_create(&follower, "c"), ERR_NOT_LEADER);
    node_free(&follower);
    node_free(&leader);
}

static void test_leader_that_left_is_not_named(void **state UNUSED)
{
    struct node leader;
    struct node follower;
    node_start_alone(&leader, "a:1");
    node_start(&follower, "b:1");
    node_tell_members(&follower, &follower, NULL, 4);
    char url[256];
    bool self = true;
    assert_int_equal(
        cluster_wait_leader(follower.cluster, clock_mono_ms() + 50, url, sizeof(url), &self),
        ERR_TIMEOUT);
    node_free(&follower);
    node_free(&leader);
}

static void test_leading_moves_with_the_last_slot(void **state UNUSED)
{
    struct node old;
    struct node next;
    node_start_alone(&old, "a:1");
    assert_int_equal(node_create(&old, "c"), ERR_OK);
    node_wait_running(&old, 3);
    node_start(&next, "b:1");
    node_revoke(&old, 0, WORLD_SLOTS, false);
    assert_int_equal(node_create(&old, "d"), ERR_NOT_LEADER);
    node_assign(&next, 0, WORLD_SLOTS);
    node_tell_members(&next, &old, &next, 0);
    node_assert_leads(&next);
    assert_int_equal(node_create(&next, "d"), ERR_OK);
    node_wait_running(&next, 6);
    node_free(&next);
    node_free(&old);
}

static void test_losing_the_last_slot_answers_who_waits(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    lock_take(&world.lock);
    world.writer_blocked = true;
    lock_drop(&world.lock);
    struct racer racers[3];
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        racers[i] = (struct racer){ .node = &node, .err = ERR_INTERNAL };
        thread_start(&racers[i].thread, "racer", racer_main, &racers[i]);
    }
    node_revoke(&node, 0, WORLD_SLOTS, true);
    lock_take(&world.lock);
    world.writer_blocked = false;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    size_t n_ok = 0;
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        thread_join(&racers[i].thread);
        n_ok += racers[i].err == ERR_OK ? 1 : 0;
        assert_true(racers[i].err == ERR_OK || racers[i].err == ERR_NOT_LEADER);
    }
    assert_true(n_ok <= 1); /* the one that was being written */
    node_free(&node);
}

static void test_fenced_leader_fences_back_while_it_holds_the_slot(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    lock_take(&world.lock);
    world.writer_epoch++; /* another writer */
    lock_drop(&world.lock);
    assert_int_equal(node_create(&node, "c"), ERR_NOT_LEADER);
    node_assert_leads(&node);
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    assert_int_equal(world.n_inits, 2);
    node_free(&node);
}

/* Two that both may lead would else do nothing but fence each other. */
static void test_a_leader_that_is_fenced_again_and_again_waits_longer_each_time(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    uint64_t start_ms = clock_mono_ms();
    for (int i = 0; i < 4; i++) {
        lock_take(&world.lock);
        world.writer_epoch++; /* another writer */
        lock_drop(&world.lock);
        assert_int_equal(node_create(&node, "c"), ERR_NOT_LEADER);
        node_assert_leads(&node);
    }
    assert_true(clock_mono_ms() - start_ms >= 25 + 50 + 100 + 200);
    assert_int_equal(world.n_inits, 5);
    node_free(&node);
}

/* Nobody could place tasks in the new ones, and this worker may lead without the last one. */
static void test_more_slots_than_at_the_start_end_the_worker(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    node_tell_members(&node, &node, NULL, WORLD_SLOTS);
    node_assert_leads(&node);
    assert_string_equal(node.fatal, "");
    int32_t slots[] = { 0, WORLD_SLOTS };
    struct group_member member = { .slots = slots, .n_slots = N_ELEMENTS(slots) };
    const struct group *group = node_group(&node);
    (void)snprintf(member.client_id, sizeof(member.client_id), "%s", group->client_id);
    group->callbacks.on_members(group->callbacks.arg, &member, 1);
    node_wait_fatal(&node);
    assert_non_null(strstr(node.fatal, "had 8 partitions"));
    assert_non_null(strstr(node.fatal, "restart the worker"));
    node_free(&node);
}

static void test_failed_write_is_told_and_nothing_is_there(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    lock_take(&world.lock);
    world.commit_error = ERR_TIMEOUT;
    lock_drop(&world.lock);
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(node_change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_IO);
    assert_string_equal(error.text, "Failed to write to config topic; this may be due to a "
                                    "transient error and the request can be safely retried");
    node_assert_leads(&node);
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_free(&node);
}

static bool retires(void *arg)
{
    const struct runner *runner = arg;
    return runner->retirement != 0;
}

static bool was_told_to_end_retirements(void *arg)
{
    const struct runner *runner = arg;
    return runner->n_retirement_ends > 0;
}

/* The next leader, or this one in its next term, may let a new connector have the same names. */
static void test_who_leads_no_more_ends_its_retirements(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    struct runner *runner = node_runner(&node);
    lock_take(&world.lock);
    runner->hold_retirements = true;
    lock_drop(&world.lock);
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    assert_int_equal(node_change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_OK);
    world_wait(retires, runner);
    assert_int_equal(runner->n_retirement_ends, 0);
    lock_take(&world.lock);
    world.commit_error = ERR_TIMEOUT;
    lock_drop(&world.lock);
    assert_int_equal(node_change(&node, CHANGE_CREATE, "d", &reply, &error), ERR_IO);
    world_wait(was_told_to_end_retirements, runner);
    runner_tell(runner, RETIRE_EVENT_DONE, runner->retirement);
    node_free(&node);
}

static bool all_updated(void *arg)
{
    const struct runner *runner = arg;
    size_t n = 0;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        n += runner->tasks[i].n_updates == 1 && !runner->tasks[i].stopped;
    }
    return n == 3;
}

static bool all_restarted(void *arg)
{
    const struct runner *runner = arg;
    size_t n_stopped = 0;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        n_stopped += runner->tasks[i].stopped;
    }
    return n_stopped == 3 && runner->n_tasks == 6;
}

static void put_config(struct node *node, const char *value)
{
    CLEANUP(kvs_fini) struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "connector.class", "Fake");
    kvs_set(&config, "tasks.max", "3");
    kvs_set(&config, "name", "c");
    kvs_set(&config, "x", value);
    struct cluster_request request = {
        .change = CHANGE_PUT_CONFIG, .name = "c", .config = &config, .if_offset = -1
    };
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(
        cluster_change(node->cluster, &request, clock_mono_ms() + PATIENCE_MS, &reply, &error),
        ERR_OK);
}

static void
test_new_config_is_handed_to_running_tasks_and_restarts_those_that_decline(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    struct runner *runner = node_runner(&node);
    node_wait_running(&node, 3);
    put_config(&node, "1");
    world_wait(all_updated, runner);
    lock_take(&world.lock);
    runner->declines = true;
    lock_drop(&world.lock);
    put_config(&node, "2");
    world_wait(all_restarted, runner);
    node_free(&node);
}

static void test_lost_group_is_unhealthy_until_it_comes_back(void **state UNUSED)
{
    char stage[256];
    struct node node;
    node_start_alone(&node, "a:1");
    node_wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    node_revoke(&node, 0, WORLD_SLOTS, true);
    node_wait_phase(&node, CLUSTER_UNHEALTHY, stage, sizeof(stage));
    assert_string_equal(stage,
                        "polling the group coordinator for up to 1000ms or until interrupted");
    node_assign(&node, 0, WORLD_SLOTS);
    node_wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    node_assert_leads(&node);
    node_free(&node);
}

static void test_a_loop_that_hangs_shows_and_one_that_goes_on_again_too(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    uint64_t now = 1;
    for (int i = 0; i < 1000; i++) {
        assert_true(cluster_turns(node.cluster, now)); /* asked too often is no harm */
    }
    /* The loop stops tasks, whose runner waits for this lock. */
    lock_take(&world.lock);
    node_revoke(&node, 0, WORLD_SLOTS, true);
    uint64_t deadline = clock_mono_ms() + 10000;
    while (cluster_turns(node.cluster, now) && clock_mono_ms() < deadline) {
        now += 10000;
        (void)sched_yield();
    }
    bool hangs = !cluster_turns(node.cluster, now);
    lock_drop(&world.lock);
    assert_true(hangs);
    node_wait_running(&node, 0);
    while (!cluster_turns(node.cluster, now + 10000) && clock_mono_ms() < deadline) {
        (void)sched_yield();
    }
    assert_true(cluster_turns(node.cluster, now + 10000));
    cluster_drain(node.cluster);
    for (int i = 1; i <= 3; i++) {
        assert_true(cluster_turns(node.cluster, now + (uint64_t)i * 100000)); /* it has ended */
    }
    node_free(&node);
}

static void test_second_worker_with_one_url_gives_up_and_the_first_stays(void **state UNUSED)
{
    struct node elder;
    struct node newcomer;
    node_start_alone(&elder, "a:1");
    int64_t start = clock_wall_ms();
    while (clock_wall_ms() == start) {
        (void)sched_yield(); /* who is older shows in the millisecond of the start */
    }
    node_start(&newcomer, "a:1");
    node_tell_members(&elder, &elder, &newcomer, 4);
    node_tell_members(&newcomer, &elder, &newcomer, 4);
    node_wait_fatal(&newcomer);
    assert_non_null(strstr(newcomer.fatal, "rest.advertised.host.name"));
    assert_non_null(strstr(newcomer.fatal, "a:1"));
    assert_string_equal(elder.fatal, "");
    node_free(&newcomer);
    node_free(&elder);
}

/* ---- fail-over ---- */

static const char *instance_of(const struct node *node)
{
    return strchr(node_group(node)->client_id, '#') + 1;
}

static bool is_watched(void *arg)
{
    const struct watch *watch = arg;
    return watch->n_instances == 1;
}

/* The node is refused by the process of an instance, which it was watching. */
static void refuse(const struct node *by, const char *instance)
{
    struct watch *watch = world.watches[by->index];
    world_wait(is_watched, watch);
    assert_string_equal(watch->instances[0], instance);
    watch->on_change(watch->arg, instance, true);
}

/* Tells a node that a worker which is no node of this world has the slots from border on. */
static void tell_of_ghost(struct node *node, int32_t border)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        slots[slot] = slot;
    }
    struct group_member members[] = {
        { .slots = slots, .n_slots = (size_t)border },
        { .client_id = "http://ghost:1#1-a",
          .slots = slots + border,
          .n_slots = (size_t)(WORLD_SLOTS - border) },
    };
    const struct group *group = node_group(node);
    (void)snprintf(members[0].client_id, sizeof(members[0].client_id), "%s", group->client_id);
    group->callbacks.on_members(group->callbacks.arg, members, N_ELEMENTS(members));
}

static void test_leader_that_refuses_connections_is_replaced_at_once(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "b:1");
    assert_int_equal(node_create(&node, "c"), ERR_OK);
    node_wait_running(&node, 3);
    node_revoke(&node, 6, WORLD_SLOTS, false);
    tell_of_ghost(&node, 6);
    node_wait_running(&node, 1); /* in slot 5 */
    assert_int_equal(node_create(&node, "d"), ERR_NOT_LEADER);
    refuse(&node, "1-a");
    node_assert_leads(&node);
    world_wait_record("placement-c", "\"failover\"");
    node_wait_running(&node, 3);
    assert_int_equal(node_create(&node, "d"), ERR_OK);
    node_free(&node);
}

static void test_living_leader_objects_and_leads_on(void **state UNUSED)
{
    struct node leader;
    struct node other;
    node_start(&leader, "a:1");
    node_start(&other, "b:1");
    node_assign(&leader, 1, WORLD_SLOTS);
    node_assign(&other, 0, 1);
    node_tell_members(&leader, &other, &leader, 1);
    node_tell_members(&other, &other, &leader, 1);
    node_assert_leads(&leader);
    refuse(&other, instance_of(&leader));
    world_wait_record("worker-a:1", "\"objects\"");
    struct watch *watch = world.watches[other.index];
    watch->on_change(watch->arg, instance_of(&leader), false); /* its port answers again */
    world_wait_record("worker-b:1", NULL);
    world_wait_record("worker-a:1", NULL);
    /* The other may have fenced it for a moment: then its next write finds that out. */
    if (node_create(&leader, "d") == ERR_NOT_LEADER) {
        node_assert_leads(&leader);
        assert_int_equal(node_create(&leader, "d"), ERR_OK);
    }
    node_free(&other);
    node_free(&leader);
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
        WORLD_TEST(test_follower_knows_the_leader_and_refuses_changes),
        WORLD_TEST(test_leader_that_left_is_not_named),
        WORLD_TEST(test_leading_moves_with_the_last_slot),
        WORLD_TEST(test_losing_the_last_slot_answers_who_waits),
        WORLD_TEST(test_fenced_leader_fences_back_while_it_holds_the_slot),
        WORLD_TEST(test_a_leader_that_is_fenced_again_and_again_waits_longer_each_time),
        WORLD_TEST(test_more_slots_than_at_the_start_end_the_worker),
        WORLD_TEST(test_failed_write_is_told_and_nothing_is_there),
        WORLD_TEST(test_who_leads_no_more_ends_its_retirements),
        WORLD_TEST(test_new_config_is_handed_to_running_tasks_and_restarts_those_that_decline),
        WORLD_TEST(test_lost_group_is_unhealthy_until_it_comes_back),
        WORLD_TEST(test_a_loop_that_hangs_shows_and_one_that_goes_on_again_too),
        WORLD_TEST(test_leader_that_refuses_connections_is_replaced_at_once),
        WORLD_TEST(test_living_leader_objects_and_leads_on),
        WORLD_TEST(test_second_worker_with_one_url_gives_up_and_the_first_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
