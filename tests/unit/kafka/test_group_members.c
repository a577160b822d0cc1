/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question who is in the group, while the coordinator does not answer. The mock cluster cannot
 * describe groups, but it can be slow to tell who the coordinator is: the question must outlive
 * that, since librdkafka aborts the process when the lookup of a question that timed out succeeds.
 */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/group_members.h"
#include "worker/kafka/rdkafka_util.h"

/* Longer than any time-out of a request that one would think of for this question. */
#define SLOW_MS 6000

static void no_members(void *arg UNUSED, const struct group_member *members UNUSED,
                       size_t n_members UNUSED)
{
    fail();
}

static rd_kafka_t *connected_client(const struct mock *mock)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *client = NULL;
    struct error error;
    struct kvs props;
    kvs_init(&props);
    mock_props(mock, KAFKA_WORKER_CONSUMER, &props);
    assert_int_equal(rdk_conf_new(&props, &conf, &error), ERR_OK);
    assert_int_equal(rdk_client_new(RD_KAFKA_CONSUMER, conf, &client, &error), ERR_OK);
    kvs_fini(&props);
    assert_int_equal(rd_kafka_metadata(client, 0, NULL, &metadata, PATIENCE_MS), 0);
    rd_kafka_metadata_destroy(metadata);
    return client;
}

static void test_a_question_outlives_a_coordinator_that_does_not_answer(void **state UNUSED)
{
    struct mock mock;
    mock_open(&mock, 1);
    (void)rd_kafka_mock_coordinator_set(mock.cluster, "group", "g", 1);
    rd_kafka_t *client = connected_client(&mock);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, 1, SLOW_MS), 0);
    uint64_t asked_at_ms = clock_mono_ms();
    group_members_ask(client, "g", queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
    uint64_t waited_ms = clock_mono_ms() - asked_at_ms;
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_type(event), RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT);
    struct group_callbacks callbacks = { .on_members = no_members };
    assert_int_equal(group_members_take(event, "claims", &callbacks), GROUP_NO_ANSWER);
    assert_true(waited_ms >= SLOW_MS);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    mock_close(&mock);
}

static void test_a_question_that_is_open_does_not_hold_up_the_end(void **state UNUSED)
{
    struct mock mock;
    mock_open(&mock, 1);
    rd_kafka_t *client = connected_client(&mock);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, 1, SLOW_MS), 0);
    uint64_t ended_at_ms = clock_mono_ms();
    group_members_ask(client, "g", queue);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    assert_true(clock_mono_ms() - ended_at_ms < SLOW_MS);
    mock_close(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_outlives_a_coordinator_that_does_not_answer),
        cmocka_unit_test(test_a_question_that_is_open_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
