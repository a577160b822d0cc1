/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of membership against librdkafka's mock cluster, which knows join, sync, heartbeat and
 * leave but not the description of groups: that part is a fake here, and tested with a real Kafka.
 */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/base/lock.h"
#include "worker/kafka/group_members.h"

#define N_SLOTS 8

/* Written when a member asks who is in the group; nobody answers. */
static int asked_fd;

void group_members_ask(rd_kafka_t *client UNUSED, const char *group_id,
                       rd_kafka_queue_t *queue UNUSED)
{
    if (strcmp(group_id, "g") == 0) {
        (void)eventfd_write(asked_fd, 1);
    }
}

enum group_answer group_members_take(rd_kafka_event_t *event UNUSED, const char *topic UNUSED,
                                     const struct group_callbacks *callbacks UNUSED)
{
    return GROUP_NO_ANSWER;
}

enum group_answer group_members_find(rd_kafka_event_t *event UNUSED, const char *instance_id UNUSED,
                                     bool *ret_found UNUSED)
{
    return GROUP_NO_ANSWER;
}

/* What one member was told; written on its group's thread, read by the test under the lock. */
struct member {
    struct lock lock;
    struct cond changed;
    struct group *group;
    bool held[N_SLOTS];
    size_t n_held;
    unsigned n_assigned;
    unsigned n_revoked;
    unsigned n_wrong;    /* slots assigned twice or taken away without being held */
    unsigned n_hopeless; /* told that the group cannot be used for good */
    bool block_revocation;
    bool in_revocation;
};

struct fixture {
    struct mock mock;
    struct kvs props;
    struct error error;
    struct member members[2];
};

static void on_assigned(void *arg, const int32_t *slots, size_t n_slots)
{
    struct member *member = arg;
    lock_take(&member->lock);
    for (size_t i = 0; i < n_slots; i++) {
        member->n_wrong += member->held[slots[i]];
        member->held[slots[i]] = true;
    }
    member->n_held += n_slots;
    member->n_assigned++;
    cond_broadcast(&member->changed);
    lock_drop(&member->lock);
}

static void take_away(struct member *member, const int32_t *slots, size_t n_slots)
{
    lock_take(&member->lock);
    member->in_revocation = true;
    cond_broadcast(&member->changed);
    while (member->block_revocation) {
        cond_wait(&member->changed, &member->lock);
    }
    member->in_revocation = false;
    for (size_t i = 0; i < n_slots; i++) {
        member->n_wrong += !member->held[slots[i]];
        member->held[slots[i]] = false;
    }
    member->n_held -= n_slots;
    member->n_revoked++;
    cond_broadcast(&member->changed);
    lock_drop(&member->lock);
}

static void on_revoked(void *arg, const int32_t *slots, size_t n_slots)
{
    take_away(arg, slots, n_slots);
}

static void on_members(void *arg UNUSED, const struct group_member *members UNUSED,
                       size_t n_members UNUSED)
{
}

static void on_error(void *arg, enum err err UNUSED, const char *text UNUSED)
{
    struct member *member = arg;
    lock_take(&member->lock);
    member->n_hopeless++;
    cond_broadcast(&member->changed);
    lock_drop(&member->lock);
}

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mock_open(&fixture->mock, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "claims", N_SLOTS, 1);
    (void)rd_kafka_mock_coordinator_set(fixture->mock.cluster, "group", "g", 1);
    kvs_init(&fixture->props);
    mock_props(&fixture->mock, KAFKA_WORKER_CONSUMER, &fixture->props);
    for (size_t i = 0; i < N_ELEMENTS(fixture->members); i++) {
        lock_init(&fixture->members[i].lock, LOCK_RANK_HERDER);
        cond_init(&fixture->members[i].changed);
    }
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < N_ELEMENTS(fixture->members); i++) {
        struct member *member = &fixture->members[i];
        lock_take(&member->lock);
        member->block_revocation = false;
        cond_broadcast(&member->changed);
        lock_drop(&member->lock);
        group_stop(member->group, 5000);
        cond_fini(&member->changed);
        lock_fini(&member->lock);
    }
    kvs_fini(&fixture->props);
    mock_close(&fixture->mock);
    (void)close(asked_fd);
    free(fixture);
    return 0;
}

static enum err join(struct fixture *fixture, size_t i, int session_timeout_ms)
{
    char client_id[16];
    (void)snprintf(client_id, sizeof(client_id), "w%zu", i);
    struct group_callbacks callbacks = {
        .arg = &fixture->members[i],
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_lost = on_revoked,
        .on_members = on_members,
        .on_error = on_error,
    };
    struct group_options options = {
        .props = &fixture->props,
        .group_id = "g",
        .topic = "claims",
        .client_id = client_id,
        .session_timeout_ms = session_timeout_ms,
        .heartbeat_interval_ms = 100,
        .rebalance_timeout_ms = 10000,
    };
    return group_start(&options, &callbacks, &fixture->members[i].group, &fixture->error);
}

static size_t held_now(struct member *member)
{
    lock_take(&member->lock);
    size_t n_held = member->n_held;
    lock_drop(&member->lock);
    return n_held;
}

/* Waits until the member holds n slots. */
static bool await_held(struct member *member, size_t n)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    bool in_time = true;
    lock_take(&member->lock);
    while (member->n_held != n && in_time) {
        in_time = cond_wait_until(&member->changed, &member->lock, deadline_ms);
    }
    bool held = member->n_held == n;
    lock_drop(&member->lock);
    return held;
}

static void test_the_first_member_gets_every_slot_and_asks_who_is_there(void **state)
{
    struct fixture *fixture = *state;
    eventfd_t n_asked = 0;
    assert_int_equal(join(fixture, 0, 6000), ERR_OK);
    assert_true(await_held(&fixture->members[0], N_SLOTS));
    assert_true(await_event(asked_fd, &n_asked));
    assert_int_equal(n_asked, 1);
    lock_take(&fixture->members[0].lock);
    unsigned n_wrong = fixture->members[0].n_wrong;
    unsigned n_revoked = fixture->members[0].n_revoked;
    lock_drop(&fixture->members[0].lock);
    assert_int_equal(n_wrong, 0);
    assert_int_equal(n_revoked, 0);
}

static unsigned wrong_now(struct member *member)
{
    lock_take(&member->lock);
    unsigned n_wrong = member->n_wrong;
    lock_drop(&member->lock);
    return n_wrong;
}

static bool await_revocation(struct member *member)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    bool in_time = true;
    lock_take(&member->lock);
    while (!member->in_revocation && in_time) {
        in_time = cond_wait_until(&member->changed, &member->lock, deadline_ms);
    }
    lock_drop(&member->lock);
    return in_time;
}

static void let_revocation_end(struct member *member)
{
    lock_take(&member->lock);
    member->block_revocation = false;
    cond_broadcast(&member->changed);
    lock_drop(&member->lock);
}

/* Kafka answers the next requests of these kinds with these errors. */
enum {
    REQUEST_JOIN = 11,
    REQUEST_HEARTBEAT = 12
};

static void forbid_joins(struct fixture *fixture)
{
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, REQUEST_JOIN, 2,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
}

static unsigned hopeless_now(struct member *member)
{
    lock_take(&member->lock);
    unsigned n_hopeless = member->n_hopeless;
    lock_drop(&member->lock);
    return n_hopeless;
}

static void test_a_member_that_loses_the_right_to_join_is_back_when_it_has_it_again(void **state)
{
    struct fixture *fixture = *state;
    struct member *member = &fixture->members[0];
    assert_int_equal(join(fixture, 0, 6000), ERR_OK);
    assert_true(await_held(member, N_SLOTS));
    forbid_joins(fixture);
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, REQUEST_HEARTBEAT, 1,
                                      RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
    assert_true(await_held(member, 0));
    assert_true(await_held(member, N_SLOTS));
    assert_int_equal(hopeless_now(member), 0);
}

static void test_who_may_not_join_from_the_start_is_told_so(void **state)
{
    struct fixture *fixture = *state;
    struct member *member = &fixture->members[0];
    forbid_joins(fixture);
    assert_int_equal(join(fixture, 0, 6000), ERR_OK);
    assert_true(await_held(member, N_SLOTS));
    assert_true(hopeless_now(member) > 0);
}

static void test_slots_move_to_a_second_member_and_back_when_it_leaves(void **state)
{
    struct fixture *fixture = *state;
    struct member *first = &fixture->members[0];
    struct member *second = &fixture->members[1];
    assert_int_equal(join(fixture, 0, 6000), ERR_OK);
    assert_true(await_held(first, N_SLOTS));
    lock_take(&first->lock);
    first->block_revocation = true;
    lock_drop(&first->lock);
    assert_int_equal(join(fixture, 1, 6000), ERR_OK);
    assert_true(await_revocation(first));
    /* Nothing moves before the callback returned. */
    assert_int_equal(held_now(second), 0);
    let_revocation_end(first);
    assert_true(await_held(second, N_SLOTS / 2));
    assert_true(await_held(first, N_SLOTS / 2));
    group_stop(second->group, 5000);
    second->group = NULL;
    /* The stop revoked what it had, and the other takes over. */
    assert_int_equal(second->n_held, 0);
    assert_true(await_held(first, N_SLOTS));
    assert_int_equal(wrong_now(first), 0);
    assert_int_equal(second->n_wrong, 0);
}

static void test_wrong_options_are_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(join(fixture, 0, -1), ERR_INVALID);
    assert_non_null(strstr(fixture->error.text, "session.timeout.ms"));
    assert_null(fixture->members[0].group);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_first_member_gets_every_slot_and_asks_who_is_there),
        TEST(test_a_member_that_loses_the_right_to_join_is_back_when_it_has_it_again),
        TEST(test_who_may_not_join_from_the_start_is_told_so),
        TEST(test_slots_move_to_a_second_member_and_back_when_it_leaves),
        TEST(test_wrong_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
