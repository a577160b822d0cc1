/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of following topics, against librdkafka's mock cluster. */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/base/buf.h"
#include "worker/base/thread.h"
#include "worker/kafka/topic_log.h"
#include "worker/kafka/writer.h"

static const char *const topics[] = { "config", "status" };

struct fixture {
    struct mock mock;
    struct kvs consumer_props;
    struct kvs producer_props;
    struct kafka_status_writer *writer;
    struct topic_log *log;
    struct buf seen; /* "config/0@0 key=value;" for each record */
    unsigned n_seen;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "config", 1, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "status", 5, 1);
    kvs_init(&fixture->consumer_props);
    kvs_init(&fixture->producer_props);
    mock_props(&fixture->mock, KAFKA_WORKER_CONSUMER, &fixture->consumer_props);
    mock_props(&fixture->mock, KAFKA_WORKER_PRODUCER, &fixture->producer_props);
    buf_init(&fixture->seen);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_status_writer_close(fixture->writer, 0);
    topic_log_close(fixture->log);
    buf_fini(&fixture->seen);
    kvs_fini(&fixture->consumer_props);
    kvs_fini(&fixture->producer_props);
    mock_close(&fixture->mock);
    free(fixture);
    return 0;
}

/* Writes one record and waits until the cluster has it. */
static void put(struct fixture *fixture, const char *topic, const char *key, const char *value)
{
    struct writer_record record = { topic, -1, key, value };
    assert_int_equal(
        kafka_status_writer_open(&fixture->producer_props, &fixture->writer, &fixture->error),
        ERR_OK);
    kafka_status_writer_put(fixture->writer, &record);
    kafka_status_writer_close(fixture->writer, PATIENCE_MS);
    fixture->writer = NULL;
}

static void on_record(void *arg, const struct topic_log_record *record)
{
    struct fixture *fixture = arg;
    fixture->n_seen++;
    buf_printf(&fixture->seen, "%s@%lld %.*s=%.*s;", topics[record->topic],
               (long long)record->offset, (int)record->key_length, record->key ? record->key : "",
               record->value ? (int)record->value_length : 4,
               record->value ? record->value : "null");
}

static enum err open_log(struct fixture *fixture)
{
    return topic_log_open(&fixture->consumer_props, topics, N_ELEMENTS(topics), PATIENCE_MS,
                          &fixture->log, &fixture->error);
}

static void read_until_caught_up(struct fixture *fixture)
{
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (!topic_log_caught_up(fixture->log) && clock_mono_ms() < end_ms) {
        topic_log_poll(fixture->log, 100, on_record, fixture);
    }
    assert_true(topic_log_caught_up(fixture->log));
}

static void read_records(struct fixture *fixture, unsigned n)
{
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (fixture->n_seen < n && clock_mono_ms() < end_ms) {
        topic_log_poll(fixture->log, 100, on_record, fixture);
    }
    assert_int_equal(fixture->n_seen, n);
}

static void test_empty_topics_are_caught_up_at_once(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(open_log(fixture), ERR_OK);
    assert_true(topic_log_caught_up(fixture->log));
    assert_int_equal(topic_log_position(fixture->log, 0, 0), 0);
    assert_int_equal(topic_log_position(fixture->log, 1, 4), 0);
}

static void test_what_was_there_is_read_before_caught_up(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "config", "a", "1");
    put(fixture, "config", "b", NULL);
    put(fixture, "status", "c", "");
    assert_int_equal(open_log(fixture), ERR_OK);
    assert_false(topic_log_caught_up(fixture->log));
    read_until_caught_up(fixture);
    assert_int_equal(fixture->n_seen, 3);
    assert_non_null(strstr(buf_text(&fixture->seen), "config@0 a=1;"));
    assert_non_null(strstr(buf_text(&fixture->seen), "config@1 b=null;"));
    assert_non_null(strstr(buf_text(&fixture->seen), "status@0 c=;"));
    assert_int_equal(topic_log_position(fixture->log, 0, 0), 2);
}

static void test_later_records_follow(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(open_log(fixture), ERR_OK);
    put(fixture, "config", "a", "1");
    read_records(fixture, 1);
    put(fixture, "config", "a", "2");
    read_records(fixture, 2);
    assert_string_equal(buf_text(&fixture->seen), "config@0 a=1;config@1 a=2;");
    assert_true(topic_log_caught_up(fixture->log));
}

static void test_reading_goes_on_after_the_broker_was_away(void **state)
{
    struct fixture *fixture = *state;
    put(fixture, "config", "a", "1");
    assert_int_equal(open_log(fixture), ERR_OK);
    read_records(fixture, 1);
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    topic_log_poll(fixture->log, 300, on_record, fixture);
    (void)rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1);
    put(fixture, "config", "a", "2");
    read_records(fixture, 2);
    assert_string_equal(buf_text(&fixture->seen), "config@0 a=1;config@1 a=2;");
}

static void *wake(void *arg)
{
    topic_log_wake(arg);
    return NULL;
}

static void test_wake_ends_an_endless_poll(void **state)
{
    struct fixture *fixture = *state;
    struct thread thread;
    assert_int_equal(open_log(fixture), ERR_OK);
    /* The ends of the empty partitions may wake it too, each once. */
    for (int i = 0; i < 20; i++) {
        thread_start(&thread, "wake", wake, fixture->log);
        topic_log_poll(fixture->log, -1, on_record, fixture);
        thread_join(&thread);
    }
    assert_int_equal(fixture->n_seen, 0);
}

static void test_a_missing_topic_and_a_missing_broker_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    static const char *const missing[] = { "config", "nowhere" };
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "nowhere",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    assert_int_equal(topic_log_open(&fixture->consumer_props, missing, 2, PATIENCE_MS,
                                    &fixture->log, &fixture->error),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(fixture->error.text, "nowhere"));
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    assert_int_equal(
        topic_log_open(&fixture->consumer_props, topics, 2, 200, &fixture->log, &fixture->error),
        ERR_TIMEOUT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty_topics_are_caught_up_at_once),
        TEST(test_what_was_there_is_read_before_caught_up),
        TEST(test_later_records_follow),
        TEST(test_reading_goes_on_after_the_broker_was_away),
        TEST(test_wake_ends_an_endless_poll),
        TEST(test_a_missing_topic_and_a_missing_broker_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
