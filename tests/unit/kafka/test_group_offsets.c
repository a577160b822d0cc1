/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets of consumer groups: written and read back by the mock cluster, which knows no deletion,
 * and bounded in time. What real Kafka answers is tested by the integration tier.
 */
#include <stdatomic.h>

#include "mock_cluster.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/thread.h"
#include "worker/kafka/group_offsets.h"

#define until(ms) (&(struct group_patience){ .deadline_ms = (ms) })

static void test_edits_of_one_partition_replace_each_other(void **state UNUSED)
{
    struct group_offsets edits = { NULL, 0 };
    group_offsets_set(&edits, "t", 0, 1);
    group_offsets_set(&edits, "t", 1, 2);
    group_offsets_set(&edits, "u", 0, 3);
    group_offsets_set(&edits, "t", 0, GROUP_OFFSET_NONE);
    assert_int_equal(edits.n_items, 3);
    assert_int_equal(edits.items[0].offset, GROUP_OFFSET_NONE);
    assert_int_equal(edits.items[1].offset, 2);
    group_offsets_fini(&edits);
    assert_int_equal(edits.n_items, 0);
}

static void test_offsets_are_committed_for_a_group_without_members(void **state UNUSED)
{
    struct mock mock;
    struct group_offsets edits = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    mock_open(&mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(mock.cluster, "t", 2, 1), 0);
    mock_props(&mock, KAFKA_CONNECTOR_ADMIN, &props);
    group_offsets_set(&edits, "t", 1, 7);
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    if (kafka_group_offsets_change(&props, "g", &edits, until(deadline_ms), &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    /* Nothing to change is no question. */
    group_offsets_fini(&edits);
    assert_int_equal(kafka_group_offsets_change(&props, "g", &edits, until(0), &error), ERR_OK);
    mock_close(&mock);
}

static void test_refusals_are_told_apart(void **state UNUSED)
{
    static const struct {
        rd_kafka_resp_err_t code;
        enum err err;
    } cases[] = {
        { RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, ERR_CONFLICT },
        { RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED },
        { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_NOT_FOUND },
    };
    struct mock mock;
    struct group_offsets edits = { NULL, 0 };
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    mock_open(&mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(mock.cluster, "t", 1, 1), 0);
    mock_props(&mock, KAFKA_CONNECTOR_ADMIN, &props);
    group_offsets_set(&edits, "t", 0, 7);
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct error error = { ERR_OK, "" };
        rd_kafka_mock_push_request_errors(mock.cluster, 8 /* OffsetCommit */, 1, cases[i].code);
        assert_int_equal(kafka_group_offsets_change(&props, "g", &edits,
                                                    until(clock_mono_ms() + PATIENCE_MS), &error),
                         cases[i].err);
        assert_non_null(strstr(error.text, "consumer group g: "));
    }
    group_offsets_fini(&edits);
    mock_close(&mock);
}

static void test_a_kafka_that_does_not_answer_costs_no_more_than_the_deadline(void **state UNUSED)
{
    struct group_offsets offsets = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    uint64_t start_ms = clock_mono_ms();
    assert_int_equal(kafka_group_offsets_get(&props, "g", until(start_ms + 300), &offsets, &error),
                     ERR_TIMEOUT);
    assert_int_equal(kafka_group_delete(&props, "g", until(start_ms + 400), &error), ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - start_ms, 300, PATIENCE_MS);
    kvs_set(&props, "no.such.property", "x");
    assert_int_equal(kafka_group_offsets_get(&props, "g", until(start_ms), &offsets, &error),
                     ERR_INVALID);
}

/* Answers come around the deadline, in every step of the conversation: librdkafka aborts the
 * process when a coordinator answers a question whose time was up inside of it. */
static void test_answers_around_the_deadline_do_no_harm(void **state UNUSED)
{
    struct mock mock;
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    mock_open(&mock, 1);
    mock_props(&mock, KAFKA_CONNECTOR_ADMIN, &props);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, 1, 20), 0);
    unsigned n_late = 0;
    for (uint64_t wait_ms = 0; wait_ms <= 150; wait_ms += 5) {
        struct group_offsets offsets = { NULL, 0 };
        struct error error = { ERR_OK, "" };
        uint64_t deadline_ms = clock_mono_ms() + wait_ms;
        enum err err = kafka_group_offsets_get(&props, "g", until(deadline_ms), &offsets, &error);
        assert_true(err == ERR_OK || err == ERR_TIMEOUT);
        n_late += err == ERR_TIMEOUT;
        group_offsets_fini(&offsets);
    }
    assert_true(n_late > 0);
    mock_close(&mock);
}

static pthread_barrier_t crowd; /* where the questions wait for each other */
static atomic_uint n_timeouts;
static atomic_uint n_refused;
static atomic_int most_threads; /* of librdkafka, as seen at the end of a question */

static void *ask_late(void *arg)
{
    const struct kvs *props = arg;
    struct group_offsets offsets = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    (void)pthread_barrier_wait(&crowd);
    uint64_t deadline_ms = clock_mono_ms() + 500;
    enum err err = kafka_group_offsets_get(props, "g", until(deadline_ms), &offsets, &error);
    n_timeouts += err == ERR_TIMEOUT;
    n_refused += err == ERR_UNAVAILABLE;
    int n_threads = rd_kafka_thread_cnt();
    int most = most_threads;
    while (n_threads > most && !atomic_compare_exchange_weak(&most_threads, &most, n_threads)) {
    }
    return NULL;
}

/* Many clients ask while Kafka is away: few questions are open at once, and all end in time. */
static void test_a_crowd_of_questions_ends_in_time(void **state UNUSED)
{
    struct thread threads[40];
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    assert_int_equal(pthread_barrier_init(&crowd, NULL, N_ELEMENTS(threads)), 0);
    uint64_t start_ms = clock_mono_ms();
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        threads[i] = (struct thread){ .running = false };
        thread_start(&threads[i], "ask", ask_late, &props);
    }
    for (size_t i = 0; i < N_ELEMENTS(threads); i++) {
        thread_join(&threads[i]);
    }
    (void)pthread_barrier_destroy(&crowd);
    assert_in_range(clock_mono_ms() - start_ms, 500, PATIENCE_MS / 2);
    assert_int_equal(n_timeouts + n_refused, N_ELEMENTS(threads));
    /* Four ask, sixteen wait. */
    assert_in_range(n_timeouts, 20, N_ELEMENTS(threads));
    assert_true(n_refused > 0);
    assert_in_range(most_threads, 0, 24);
}

static void test_a_caller_that_gives_up_is_not_held(void **state UNUSED)
{
    struct group_offsets offsets = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    atomic_bool cancelled = true;
    uint64_t start_ms = clock_mono_ms();
    const struct group_patience patience = { start_ms + 2 * PATIENCE_MS, &cancelled };
    assert_int_equal(kafka_group_offsets_get(&props, "g", &patience, &offsets, &error),
                     ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - start_ms, 0, PATIENCE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits_of_one_partition_replace_each_other),
        cmocka_unit_test(test_offsets_are_committed_for_a_group_without_members),
        cmocka_unit_test(test_refusals_are_told_apart),
        cmocka_unit_test(test_answers_around_the_deadline_do_no_harm),
        cmocka_unit_test(test_a_caller_that_gives_up_is_not_held),
        cmocka_unit_test(test_a_crowd_of_questions_ends_in_time),
        cmocka_unit_test(test_a_kafka_that_does_not_answer_costs_no_more_than_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
