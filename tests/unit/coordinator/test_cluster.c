/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the cluster part as a whole, herder, store and leader's writer on their threads, in a
 * world of fakes: start, lead, changes, hand-over, drain, trouble.
 */
#include "coordinator/cluster.h"
#include "tests/support/unit.h"
#include "tests/unit/coordinator/fake_world.h"
#include "worker/base/thread.h"

#define PATIENCE_MS 10000

struct node {
    struct cluster *cluster;
    size_t index; /* of its group and runner in the world */
    char fatal[1024];
};

static void on_fatal(void *arg, const char *text)
{
    struct node *node = arg;
    lock_take(&world.lock);
    (void)snprintf(node->fatal, sizeof(node->fatal), "%s", text);
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
}

static void node_begin(struct node *node, const char *worker_id)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "nowhere:9092");
    kvs_set(&props, "group.id", "g");
    kvs_set(&props, "config.storage.topic", "g-configs");
    kvs_set(&props, "status.storage.topic", "g-status");
    kvs_set(&props, "offset.storage.topic", "g-offsets");
    kvs_set(&props, "claims.storage.topic", "g-claims");
    kvs_set(&props, "session.timeout.ms", "1000");
    kvs_set(&props, "rebalance.settle.ms", "0");
    kvs_set(&props, "task.shutdown.graceful.timeout.ms", "5000");
    CLEANUP(free_charp) char *url = xasprintf("http://%s", worker_id);
    struct cluster_options options = {
        .props = &props, .worker_id = worker_id, .url = url, .on_fatal = on_fatal, .arg = node
    };
    memset(node->fatal, 0, sizeof(node->fatal));
    node->index = world.n_groups;
    struct error error;
    assert_int_equal(cluster_start(&options, &node->cluster, &error), ERR_OK);
    kvs_fini(&props);
}

static bool node_has_group(void *arg)
{
    return world.n_groups > ((struct node *)arg)->index;
}

/* Starts a worker and waits until it has joined the group. */
static void node_start(struct node *node, const char *worker_id)
{
    node_begin(node, worker_id);
    lock_take(&world.lock);
    world_wait_locked(node_has_group, node);
    lock_drop(&world.lock);
}

static struct group *group_of(const struct node *node)
{
    return world.groups[node->index];
}

static struct runner *runner_of(const struct node *node)
{
    return world.runners[node->index];
}

static void node_free(struct node *node)
{
    bool joined = world.n_groups > node->index;
    cluster_free(node->cluster);
    if (joined) {
        free(group_of(node));
        free(runner_of(node));
    }
}

/* Gives slots [from, to) to a node. */
static void assign(struct node *node, int32_t from, int32_t to)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = from; slot < to; slot++) {
        slots[slot - from] = slot;
    }
    group_of(node)->callbacks.on_assigned(group_of(node)->callbacks.arg, slots,
                                          (size_t)(to - from));
}

static void revoke(struct node *node, int32_t from, int32_t to, bool lost)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = from; slot < to; slot++) {
        slots[slot - from] = slot;
    }
    const struct group_callbacks *callbacks = &group_of(node)->callbacks;
    (lost ? callbacks->on_lost : callbacks->on_revoked)(callbacks->arg, slots, (size_t)(to - from));
}

/* Tells `to` that the group is a, with slots up to border, and b, with the rest; b may be NULL. */
static void tell_members(struct node *to, struct node *a, struct node *b, int32_t border)
{
    int32_t slots[WORLD_SLOTS];
    for (int32_t slot = 0; slot < WORLD_SLOTS; slot++) {
        slots[slot] = slot;
    }
    struct group_member members[2] = {
        { .slots = slots, .n_slots = (size_t)border },
        { .slots = slots + border, .n_slots = (size_t)(WORLD_SLOTS - border) },
    };
    (void)snprintf(members[0].client_id, sizeof(members[0].client_id), "%s",
                   group_of(a)->client_id);
    if (b) {
        (void)snprintf(members[1].client_id, sizeof(members[1].client_id), "%s",
                       group_of(b)->client_id);
    }
    const struct group_callbacks *callbacks = &group_of(to)->callbacks;
    callbacks->on_members(callbacks->arg, members, b ? 2 : 1);
}

static void assert_leads(struct node *node)
{
    char url[256];
    bool self = false;
    assert_int_equal(
        cluster_wait_leader(node->cluster, clock_mono_ms() + PATIENCE_MS, url, sizeof(url), &self),
        ERR_OK);
    assert_true(self);
}

/* Starts a worker that is alone and leads. */
static void node_start_alone(struct node *node, const char *worker_id)
{
    node_start(node, worker_id);
    assign(node, 0, WORLD_SLOTS);
    tell_members(node, node, NULL, WORLD_SLOTS);
    assert_leads(node);
}

static enum err change(struct node *node, enum cluster_change kind, const char *name,
                       struct cluster_reply *ret_reply, struct error *reterr)
{
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "connector.class", "Fake");
    kvs_set(&config, "tasks.max", "3");
    kvs_set(&config, "name", name);
    struct cluster_request request = {
        .change = kind, .name = name, .config = &config, .if_offset = -1
    };
    enum err err =
        cluster_change(node->cluster, &request, clock_mono_ms() + PATIENCE_MS, ret_reply, reterr);
    kvs_fini(&config);
    return err;
}

static enum err create(struct node *node, const char *name)
{
    struct cluster_reply reply;
    struct error error;
    return change(node, CHANGE_CREATE, name, &reply, &error);
}

/* ---- what tests wait for; each under the world's lock ---- */

struct wanted_tasks {
    struct runner *runner;
    size_t n_running;
};

static bool runs_as_many(void *arg)
{
    const struct wanted_tasks *wanted = arg;
    size_t n = 0;
    for (size_t i = 0; i < wanted->runner->n_tasks; i++) {
        n += wanted->runner->tasks[i].stopped ? 0 : 1;
    }
    return n == wanted->n_running;
}

static void wait_running(struct node *node, size_t n_running)
{
    struct wanted_tasks wanted = { runner_of(node), n_running };
    lock_take(&world.lock);
    world_wait_locked(runs_as_many, &wanted);
    lock_drop(&world.lock);
}

struct wanted_value {
    const char *key;
    const char *part; /* of the newest value; NULL: a tombstone */
};

static bool newest_has(void *arg)
{
    const struct wanted_value *wanted = arg;
    for (size_t i = world.n_records; i > 0; i--) {
        if (strcmp(world.records[i - 1].key, wanted->key) == 0) {
            const char *value = world.records[i - 1].value;
            return wanted->part ? value && strstr(value, wanted->part) : !value;
        }
    }
    return false;
}

static void wait_record(const char *key, const char *part)
{
    struct wanted_value wanted = { key, part };
    lock_take(&world.lock);
    world_wait_locked(newest_has, &wanted);
    lock_drop(&world.lock);
}

static bool has_fatal(void *arg)
{
    return ((struct node *)arg)->fatal[0] != '\0';
}

static void wait_fatal(struct node *node)
{
    lock_take(&world.lock);
    world_wait_locked(has_fatal, node);
    lock_drop(&world.lock);
}

/* The phase has no signal that a test could wait for: look until it is there. */
static void wait_phase(struct node *node, enum cluster_phase wanted, char *stage, size_t size)
{
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    int64_t since;
    while (cluster_health(node->cluster, stage, size, &since) != wanted) {
        assert_true(clock_mono_ms() < deadline);
        (void)sched_yield();
    }
}

static void test_start_goes_through_the_stages(void **state UNUSED)
{
    char stage[256];
    int64_t since = 0;
    struct node node;
    world.unreachable = 1;
    node_begin(&node, "a:1");
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_STARTING);
    assert_string_equal(stage, "initializing and reading to the end of internal topics");
    assert_true(since > 0);
    lock_take(&world.lock);
    world_wait_locked(node_has_group, &node);
    lock_drop(&world.lock);
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_STARTING);
    char id[64];
    cluster_kafka_id(node.cluster, id, sizeof(id));
    assert_string_equal(id, "WORLD");
    assign(&node, 0, 0);
    wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    assert_string_equal(stage, "");
    node_free(&node);
}

static void test_start_refuses_a_wrong_topic(void **state UNUSED)
{
    struct node node;
    world.refused_topic = "status.storage.topic";
    world.refusal = ERR_INVALID;
    node_begin(&node, "a:1");
    wait_fatal(&node);
    assert_string_equal(node.fatal,
                        "Topic 'g-status' supplied via the 'status.storage.topic' property");
    node_free(&node);
}

static void test_stop_while_kafka_is_unreachable_ends(void **state UNUSED)
{
    struct node node;
    world.unreachable = UINT32_MAX;
    node_begin(&node, "a:1");
    node_free(&node);
    assert_int_equal(world.n_groups, 0);
}

static void test_create_is_expanded_placed_and_run(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_OK);
    assert_true(reply.created);
    struct snapshot *snapshot = cluster_snapshot(node.cluster);
    assert_true(snapshot->config_position >= reply.position);
    assert_non_null(snapshot_find(snapshot, "c"));
    snapshot_unref(snapshot);
    wait_running(&node, 3);
    wait_record("status-task-c-2", "\"RUNNING\"");
    wait_record("status-connector-c", "\"RUNNING\"");
    wait_record("task-c-0", "\"x.FakeTask\"");
    node_free(&node);
}

static void test_create_of_one_name_is_won_once(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(create(&node, "c"), ERR_OK);
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_EXISTS);
    assert_string_equal(error.text, "Connector c already exists");
    node_free(&node);
}

struct racer {
    struct thread thread;
    struct node *node;
    enum err err;
};

static void *racer_main(void *arg)
{
    struct racer *racer = arg;
    racer->err = create(racer->node, "c");
    return NULL;
}

static void test_concurrent_creates_of_one_name_have_one_winner(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    struct racer racers[6];
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        racers[i] = (struct racer){ .node = &node, .err = ERR_INTERNAL };
        thread_start(&racers[i].thread, "racer", racer_main, &racers[i]);
    }
    size_t n_ok = 0;
    size_t n_exists = 0;
    for (size_t i = 0; i < N_ELEMENTS(racers); i++) {
        thread_join(&racers[i].thread);
        n_ok += racers[i].err == ERR_OK ? 1 : 0;
        n_exists += racers[i].err == ERR_EXISTS ? 1 : 0;
    }
    assert_int_equal(n_ok, 1);
    assert_int_equal(n_exists, N_ELEMENTS(racers) - 1);
    node_free(&node);
}

static void test_delete_stops_the_tasks_and_frees_the_name(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(create(&node, "c"), ERR_OK);
    wait_running(&node, 3);
    wait_record("status-task-c-0", "\"RUNNING\"");
    struct cluster_reply reply;
    struct error error;
    assert_int_equal(change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_OK);
    wait_running(&node, 0);
    wait_record("status-connector-c", NULL);
    wait_record("status-task-c-0", NULL);
    assert_int_equal(change(&node, CHANGE_DELETE, "c", &reply, &error), ERR_NOT_FOUND);
    assert_string_equal(error.text, "Connector c not found");
    assert_int_equal(create(&node, "c"), ERR_OK);
    wait_running(&node, 3);
    node_free(&node);
}

static void test_follower_knows_the_leader_and_refuses_changes(void **state UNUSED)
{
    struct node leader;
    struct node follower;
    node_start(&leader, "a:1");
    assign(&leader, 4, WORLD_SLOTS);
    assert_leads(&leader);
    node_start(&follower, "b:1");
    assign(&follower, 0, 4);
    tell_members(&follower, &follower, &leader, 4);
    char url[256];
    bool self = true;
    assert_int_equal(cluster_wait_leader(follower.cluster, clock_mono_ms() + PATIENCE_MS, url,
                                         sizeof(url), &self),
                     ERR_OK);
    assert_string_equal(url, "http://a:1");
    assert_false(self);
    assert_int_equal(create(&follower, "c"), ERR_NOT_LEADER);
    node_free(&follower);
    node_free(&leader);
}

static void test_leader_that_left_is_not_named(void **state UNUSED)
{
    struct node leader;
    struct node follower;
    node_start_alone(&leader, "a:1");
    node_start(&follower, "b:1");
    tell_members(&follower, &follower, NULL, 4);
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
    assert_int_equal(create(&old, "c"), ERR_OK);
    wait_running(&old, 3);
    node_start(&next, "b:1");
    revoke(&old, 0, WORLD_SLOTS, false);
    assert_int_equal(create(&old, "d"), ERR_NOT_LEADER);
    assign(&next, 0, WORLD_SLOTS);
    tell_members(&next, &old, &next, 0);
    assert_leads(&next);
    assert_int_equal(create(&next, "d"), ERR_OK);
    wait_running(&next, 6);
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
    revoke(&node, 0, WORLD_SLOTS, true);
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
    assert_int_equal(create(&node, "c"), ERR_NOT_LEADER);
    assert_leads(&node);
    assert_int_equal(create(&node, "c"), ERR_OK);
    assert_int_equal(world.n_inits, 2);
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
    assert_int_equal(change(&node, CHANGE_CREATE, "c", &reply, &error), ERR_IO);
    assert_string_equal(error.text, "Failed to write to config topic; this may be due to a "
                                    "transient error and the request can be safely retried");
    assert_leads(&node);
    assert_int_equal(create(&node, "c"), ERR_OK);
    node_free(&node);
}

struct revoker {
    struct thread thread;
    struct node *node;
    bool done; /* under the world's lock */
};

static void *revoker_main(void *arg)
{
    struct revoker *revoker = arg;
    revoke(revoker->node, 0, WORLD_SLOTS, false);
    lock_take(&world.lock);
    revoker->done = true;
    cond_broadcast(&world.changed);
    lock_drop(&world.lock);
    return NULL;
}

static bool all_asked_to_stop(void *arg)
{
    const struct runner *runner = arg;
    for (size_t i = 0; i < runner->n_tasks; i++) {
        if (runner->tasks[i].deadline_ms == 0) {
            return false;
        }
    }
    return runner->n_tasks > 0;
}

static void test_revocation_waits_for_the_tasks(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(create(&node, "c"), ERR_OK);
    wait_record("status-task-c-1", "\"RUNNING\"");
    wait_running(&node, 3);
    struct runner *runner = runner_of(&node);
    lock_take(&world.lock);
    runner->hold_stops = true;
    lock_drop(&world.lock);
    struct revoker revoker = { .node = &node };
    thread_start(&revoker.thread, "revoker", revoker_main, &revoker);
    lock_take(&world.lock);
    world_wait_locked(all_asked_to_stop, runner);
    bool early = revoker.done;
    runner->hold_stops = false;
    lock_drop(&world.lock);
    assert_false(early);
    for (size_t i = 0; i < runner->n_tasks; i++) {
        runner_tell(runner, TASK_EVENT_STOPPED, runner->tasks[i].incarnation);
    }
    thread_join(&revoker.thread);
    wait_record("status-task-c-1", "\"UNASSIGNED\"");
    node_free(&node);
}

static void test_drain_stops_tasks_says_so_and_leaves(void **state UNUSED)
{
    struct node node;
    node_start_alone(&node, "a:1");
    assert_int_equal(create(&node, "c"), ERR_OK);
    wait_running(&node, 3);
    wait_record("status-task-c-2", "\"RUNNING\"");
    uint64_t begin = clock_mono_ms();
    cluster_drain(node.cluster);
    assert_true(clock_mono_ms() - begin < 4000);
    assert_true(group_of(&node)->left);
    wait_running(&node, 0);
    wait_record("status-task-c-2", "\"UNASSIGNED\"");
    char stage[256];
    int64_t since;
    assert_int_equal(cluster_health(node.cluster, stage, sizeof(stage), &since), CLUSTER_DRAINING);
    assert_int_equal(create(&node, "d"), ERR_NOT_LEADER);
    node_free(&node);
}

static void test_lost_group_is_unhealthy_until_it_comes_back(void **state UNUSED)
{
    char stage[256];
    struct node node;
    node_start_alone(&node, "a:1");
    wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    revoke(&node, 0, WORLD_SLOTS, true);
    wait_phase(&node, CLUSTER_UNHEALTHY, stage, sizeof(stage));
    assert_string_equal(stage,
                        "polling the group coordinator for up to 1000ms or until interrupted");
    assign(&node, 0, WORLD_SLOTS);
    wait_phase(&node, CLUSTER_READY, stage, sizeof(stage));
    assert_leads(&node);
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
    tell_members(&elder, &elder, &newcomer, 4);
    tell_members(&newcomer, &elder, &newcomer, 4);
    wait_fatal(&newcomer);
    assert_non_null(strstr(newcomer.fatal, "rest.advertised.host.name"));
    assert_non_null(strstr(newcomer.fatal, "a:1"));
    assert_string_equal(elder.fatal, "");
    node_free(&newcomer);
    node_free(&elder);
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
        WORLD_TEST(test_start_goes_through_the_stages),
        WORLD_TEST(test_start_refuses_a_wrong_topic),
        WORLD_TEST(test_stop_while_kafka_is_unreachable_ends),
        WORLD_TEST(test_create_is_expanded_placed_and_run),
        WORLD_TEST(test_create_of_one_name_is_won_once),
        WORLD_TEST(test_concurrent_creates_of_one_name_have_one_winner),
        WORLD_TEST(test_delete_stops_the_tasks_and_frees_the_name),
        WORLD_TEST(test_follower_knows_the_leader_and_refuses_changes),
        WORLD_TEST(test_leader_that_left_is_not_named),
        WORLD_TEST(test_leading_moves_with_the_last_slot),
        WORLD_TEST(test_losing_the_last_slot_answers_who_waits),
        WORLD_TEST(test_fenced_leader_fences_back_while_it_holds_the_slot),
        WORLD_TEST(test_failed_write_is_told_and_nothing_is_there),
        WORLD_TEST(test_revocation_waits_for_the_tasks),
        WORLD_TEST(test_drain_stops_tasks_says_so_and_leaves),
        WORLD_TEST(test_lost_group_is_unhealthy_until_it_comes_back),
        WORLD_TEST(test_second_worker_with_one_url_gives_up_and_the_first_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
