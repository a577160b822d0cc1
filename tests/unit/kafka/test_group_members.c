/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The question who is in the group, while the coordinator does not answer. It must stay open then:
 * librdkafka aborts the process when the coordinator is found for a question that timed out. The
 * mock cluster cannot describe groups, so an answer is not waited for.
 */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/group_members.h"
#include "worker/kafka/rdkafka_util.h"

/* Far beyond the test's end: the broker never answers. */
#define NEVER_MS 600000
/* Longer than any time-out that one would think of for this question. */
#define OPEN_MS 5500

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

static void test_an_unanswered_question_stays_open_and_does_not_hold_up_the_end(void **state UNUSED)
{
    struct mock mock;
    mock_open(&mock, 1);
    rd_kafka_t *client = connected_client(&mock);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(mock.cluster, 1, NEVER_MS), 0);
    group_members_ask(client, "g", queue);
    assert_null(rd_kafka_queue_poll(queue, OPEN_MS));
    uint64_t ended_at_ms = clock_mono_ms();
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    assert_true(clock_mono_ms() - ended_at_ms < PATIENCE_MS);
    mock_close(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unanswered_question_stays_open_and_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
