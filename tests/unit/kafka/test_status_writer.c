/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the status writer against librdkafka's mock cluster. */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/base/map.h"
#include "worker/kafka/topic_log.h"
#include "worker/kafka/writer.h"

#define N_KEYS 20

struct fixture {
    struct mock mock;
    struct kvs props;
    struct kafka_status_writer *writer;
    struct error error;
    struct map last; /* key -> owned last value */
    unsigned n_records;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "status", 5, 1);
    kvs_init(&fixture->props);
    map_init(&fixture->last);
    mock_props(&fixture->mock, KAFKA_WORKER_PRODUCER, &fixture->props);
    assert_int_equal(kafka_status_writer_open(&fixture->props, &fixture->writer, &fixture->error),
                     ERR_OK);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_status_writer_close(fixture->writer, 0);
    MAP_FOREACH(&fixture->last, slot) {
        free(slot->value);
    }
    map_fini(&fixture->last);
    kvs_fini(&fixture->props);
    mock_close(&fixture->mock);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, int key, int value)
{
    char key_text[32];
    char value_text[32];
    (void)snprintf(key_text, sizeof(key_text), "k%d", key);
    (void)snprintf(value_text, sizeof(value_text), "%d", value);
    struct writer_record record = { "status", -1, key_text, value_text };
    kafka_status_writer_put(fixture->writer, &record);
}

static void close_writer(struct fixture *fixture, int timeout_ms)
{
    kafka_status_writer_close(fixture->writer, timeout_ms);
    fixture->writer = NULL;
}

static void on_record(void *arg, const struct topic_log_record *record)
{
    struct fixture *fixture = arg;
    CLEANUP(free_charp) char *key = xstrndup(record->key, record->key_length);
    fixture->n_records++;
    free(map_set(&fixture->last, key, xstrndup(record->value, record->value_length)));
}

static void read_back(struct fixture *fixture)
{
    static const char *const topics[] = { "status" };
    CLEANUP(kvs_fini) struct kvs props;
    struct topic_log *log = NULL;
    kvs_init(&props);
    mock_props(&fixture->mock, KAFKA_WORKER_CONSUMER, &props);
    assert_int_equal(topic_log_open(&props, topics, 1, PATIENCE_MS, &log, &fixture->error), ERR_OK);
    uint64_t end_ms = clock_mono_ms() + PATIENCE_MS;
    while (!topic_log_caught_up(log) && clock_mono_ms() < end_ms) {
        topic_log_poll(log, 100, on_record, fixture);
    }
    topic_log_close(log);
}

static void assert_last(struct fixture *fixture, int expected)
{
    char text[32];
    assert_int_equal(fixture->last.n_entries, N_KEYS);
    MAP_FOREACH(&fixture->last, slot) {
        (void)snprintf(text, sizeof(text), "%d", expected);
        assert_string_equal(slot->value, text);
    }
}

static void test_close_waits_until_everything_is_written(void **state)
{
    struct fixture *fixture = *state;
    for (int key = 0; key < N_KEYS; key++) {
        put(fixture, key, 1);
    }
    close_writer(fixture, PATIENCE_MS);
    read_back(fixture);
    assert_last(fixture, 1);
    assert_int_equal(fixture->n_records, N_KEYS);
}

static void test_the_newest_value_of_a_key_is_the_last_written(void **state)
{
    struct fixture *fixture = *state;
    for (int value = 1; value <= 500; value++) {
        for (int key = 0; key < N_KEYS; key++) {
            put(fixture, key, value);
        }
    }
    close_writer(fixture, PATIENCE_MS);
    read_back(fixture);
    assert_last(fixture, 500);
    /* What waited behind a record on its way was replaced, not queued. */
    assert_true(fixture->n_records < 500 * N_KEYS);
}

static void test_an_outage_leaves_the_newest_value(void **state)
{
    struct fixture *fixture = *state;
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    for (int value = 1; value <= 50; value++) {
        for (int key = 0; key < N_KEYS; key++) {
            put(fixture, key, value);
        }
    }
    (void)rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1);
    close_writer(fixture, PATIENCE_MS);
    read_back(fixture);
    assert_last(fixture, 50);
}

static void test_refusals_that_may_pass_are_tried_again(void **state)
{
    struct fixture *fixture = *state;
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 0 /* Produce */, 2,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_UNKNOWN);
    for (int key = 0; key < N_KEYS; key++) {
        put(fixture, key, 3);
    }
    close_writer(fixture, PATIENCE_MS);
    read_back(fixture);
    assert_last(fixture, 3);
}

static void test_close_without_a_broker_ends_in_time(void **state)
{
    struct fixture *fixture = *state;
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    put(fixture, 0, 1);
    uint64_t start_ms = clock_mono_ms();
    close_writer(fixture, 200);
    assert_in_range(clock_mono_ms() - start_ms, 200, 5000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_close_waits_until_everything_is_written),
        TEST(test_the_newest_value_of_a_key_is_the_last_written),
        TEST(test_an_outage_leaves_the_newest_value),
        TEST(test_refusals_that_may_pass_are_tried_again),
        TEST(test_close_without_a_broker_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
