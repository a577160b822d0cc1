/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the transactional writer against librdkafka's mock cluster. */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/writer.h"

struct fixture {
    struct mock mock;
    struct kvs props;
    struct kafka_writer *writer;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "config", 1, 1);
    kvs_init(&fixture->props);
    mock_props(&fixture->mock, KAFKA_WORKER_PRODUCER, &fixture->props);
    assert_int_equal(
        kafka_writer_open(&fixture->props, "g-leader", &fixture->writer, &fixture->error), ERR_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_writer_close(fixture->writer);
    kvs_fini(&fixture->props);
    mock_close(&fixture->mock);
    free(fixture);
    return 0;
}

static const struct writer_record records[] = {
    { "config", 0, "connector-a", "{}" },
    { "config", -1, "task-a-0", "{}" },
    { "config", 0, "commit-a", NULL },
};

static enum err commit(struct fixture *fixture, int64_t *ret_offset)
{
    return kafka_writer_commit(fixture->writer, records, N_ELEMENTS(records), PATIENCE_MS,
                               ret_offset, &fixture->error);
}

static void test_commit_tells_the_highest_offset(void **state)
{
    struct fixture *fixture = *state;
    int64_t first = -1;
    int64_t second = -1;
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    assert_int_equal(commit(fixture, &first), ERR_OK);
    assert_int_equal(first, 2);
    assert_int_equal(commit(fixture, &second), ERR_OK);
    assert_true(second > first);
}

static void test_init_without_a_broker_times_out_and_may_be_called_again(void **state)
{
    struct fixture *fixture = *state;
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    assert_int_equal(kafka_writer_init(fixture->writer, 300, &fixture->error), ERR_TIMEOUT);
    (void)rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1);
    enum err err = kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error);
    assert_int_equal(err, ERR_OK);
}

static void test_a_fenced_writer_stays_fenced(void **state)
{
    struct fixture *fixture = *state;
    int64_t offset = -7;
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 24 /* AddPartitionsToTxn */, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH);
    assert_int_equal(commit(fixture, &offset), ERR_FENCED);
    assert_int_equal(fixture->error.code, ERR_FENCED);
    assert_int_equal(commit(fixture, &offset), ERR_FENCED);
    assert_int_equal(offset, -7);
}

static void test_a_refused_record_aborts_and_the_writer_goes_on(void **state)
{
    struct fixture *fixture = *state;
    int64_t offset = -7;
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(commit(fixture, &offset), ERR_TOO_LARGE);
    assert_int_equal(offset, -7);
    /* The sequence numbers that the refused records used up cost one more transaction. */
    enum err err = commit(fixture, &offset);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_IO);
        err = commit(fixture, &offset);
    }
    assert_int_equal(err, ERR_OK);
    assert_true(offset >= 2);
}

static void test_a_missing_right_is_told(void **state)
{
    struct fixture *fixture = *state;
    int64_t offset = 0;
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 24 /* AddPartitionsToTxn */, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    assert_int_equal(commit(fixture, &offset), ERR_UNAUTHORIZED);
}

static void test_a_commit_without_a_broker_times_out_and_says_what_next(void **state)
{
    struct fixture *fixture = *state;
    int64_t offset = 0;
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    assert_int_equal(commit(fixture, &offset), ERR_OK);
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    enum err err = kafka_writer_commit(fixture->writer, records, N_ELEMENTS(records), 300, &offset,
                                       &fixture->error);
    assert_int_equal(err, ERR_TIMEOUT);
    (void)rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1);
    assert_int_equal(commit(fixture, &offset), ERR_INTERNAL);
    /* A new writer takes over from the broken one. */
    kafka_writer_close(fixture->writer);
    assert_int_equal(
        kafka_writer_open(&fixture->props, "g-leader", &fixture->writer, &fixture->error), ERR_OK);
    assert_int_equal(kafka_writer_init(fixture->writer, PATIENCE_MS, &fixture->error), ERR_OK);
    assert_int_equal(commit(fixture, &offset), ERR_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commit_tells_the_highest_offset),
        TEST(test_init_without_a_broker_times_out_and_may_be_called_again),
        TEST(test_a_fenced_writer_stays_fenced),
        TEST(test_a_refused_record_aborts_and_the_writer_goes_on),
        TEST(test_a_missing_right_is_told),
        TEST(test_a_commit_without_a_broker_times_out_and_says_what_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
