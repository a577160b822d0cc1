/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the shared producers against librdkafka's mock cluster. */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/producer.h"
#include "worker/record.h"

#define N_FLIGHTS 2000

struct fixture {
    struct mock mock;
    struct kvs props;
    struct kafka_producer *producer;
    struct kafka_tracker tracker;
    struct kafka_flight flights[N_FLIGHTS];
    struct error error;
    int event_fd;
};

static void open_producer(struct fixture *fixture)
{
    assert_int_equal(kafka_producer_get(&fixture->props, &fixture->producer, &fixture->error),
                     ERR_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->mock.cluster, "t", 4, 1), 0);
    kvs_init(&fixture->props);
    mock_props(&fixture->mock, KAFKA_CONNECTOR_PRODUCER, &fixture->props);
    fixture->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&fixture->tracker, fixture->event_fd, NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_producer_drop(fixture->producer);
    kafka_tracker_fini(&fixture->tracker);
    (void)close(fixture->event_fd);
    kvs_fini(&fixture->props);
    mock_close(&fixture->mock);
    free(fixture);
    return 0;
}

static struct record record_of(const char *topic, const char *key, const char *value)
{
    struct record record = { .topic = topic, .partition = -1, .timestamp_ms = 1700000000123 };
    record.key = (struct record_bytes){ key, key ? strlen(key) : 0 };
    record.value = (struct record_bytes){ value, value ? strlen(value) : 0 };
    return record;
}

static enum err send_one(struct fixture *fixture, size_t i, const struct record *record)
{
    return kafka_producer_send(fixture->producer, record, &fixture->tracker, &fixture->flights[i],
                               &fixture->error);
}

/* Waits until nothing is outstanding. */
static void await_zero(struct fixture *fixture)
{
    eventfd_t value = 0;
    assert_true(await_event(fixture->event_fd, &value));
    while (fixture->tracker.n_undelivered > 0) {
        assert_true(await_event(fixture->event_fd, &value));
    }
}

/* Reads one record back from the mock cluster. */
static rd_kafka_message_t *read_one(struct fixture *fixture, rd_kafka_t **ret_client,
                                    const char *topic, int32_t partition)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(fixture->mock.cluster), text,
                            sizeof(text));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    (void)rd_kafka_consume_start(handle, partition, RD_KAFKA_OFFSET_BEGINNING);
    rd_kafka_message_t *message = rd_kafka_consume(handle, partition, PATIENCE_MS);
    (void)rd_kafka_consume_stop(handle, partition);
    rd_kafka_topic_destroy(handle);
    *ret_client = client;
    return message;
}

static void test_every_record_is_reported_once_and_the_owner_woken(void **state)
{
    struct fixture *fixture = *state;
    open_producer(fixture);
    for (size_t i = 0; i < N_FLIGHTS; i++) {
        char key[32];
        (void)snprintf(key, sizeof(key), "key-%zu", i);
        struct record record = record_of("t", key, "value");
        fixture->flights[i].err = ERR_INTERNAL;
        assert_int_equal(send_one(fixture, i, &record), ERR_OK);
    }
    await_zero(fixture);
    assert_int_equal(fixture->tracker.n_failed, 0);
    for (size_t i = 0; i < N_FLIGHTS; i++) {
        assert_int_equal(fixture->flights[i].err, ERR_OK);
    }
    assert_true(kafka_producer_reachable(fixture->producer));
}

static void test_a_record_arrives_as_it_was_given(void **state)
{
    struct fixture *fixture = *state;
    open_producer(fixture);
    struct record record = record_of("t", "k", "");
    record.partition = 2;
    record.headers[0] = (struct record_header){ "h", { "v\0w", 3 } };
    record.headers[1] = (struct record_header){ "none", { NULL, 0 } };
    record.n_headers = 2;
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    rd_kafka_t *client = NULL;
    rd_kafka_message_t *message = read_one(fixture, &client, "t", 2);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    assert_int_equal(message->key_len, 1);
    assert_memory_equal(message->key, "k", 1);
    assert_int_equal(message->len, 0);
    assert_int_equal(rd_kafka_message_timestamp(message, NULL), 1700000000123);
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_cnt(headers), 2);
    assert_int_equal(rd_kafka_header_get_all(headers, 0, &name, &value, &size), 0);
    assert_string_equal(name, "h");
    assert_int_equal(size, 3);
    assert_memory_equal(value, "v\0w", 3);
    assert_int_equal(rd_kafka_header_get_all(headers, 1, &name, &value, &size), 0);
    assert_null(value);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(client);
}

static void test_null_and_empty_values_stay_apart(void **state)
{
    struct fixture *fixture = *state;
    open_producer(fixture);
    struct record record = record_of("t", NULL, NULL);
    record.partition = 1;
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    record = record_of("t", "", "");
    record.partition = 3;
    assert_int_equal(send_one(fixture, 1, &record), ERR_OK);
    await_zero(fixture);
    for (int32_t partition = 1; partition <= 3; partition += 2) {
        rd_kafka_t *client = NULL;
        rd_kafka_message_t *message = read_one(fixture, &client, "t", partition);
        assert_non_null(message);
        assert_int_equal(message->key == NULL, partition == 1);
        assert_int_equal(message->payload == NULL, partition == 1);
        rd_kafka_message_destroy(message);
        rd_kafka_destroy(client);
    }
}

static void test_equal_properties_share_a_producer(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_producer *same = NULL;
    struct kafka_producer *other = NULL;
    open_producer(fixture);
    assert_int_equal(kafka_producer_get(&fixture->props, &same, &fixture->error), ERR_OK);
    assert_ptr_equal(same, fixture->producer);
    kvs_set(&fixture->props, "linger.ms", "3");
    assert_int_equal(kafka_producer_get(&fixture->props, &other, &fixture->error), ERR_OK);
    assert_ptr_not_equal(other, fixture->producer);
    kafka_producer_drop(other);
    kafka_producer_drop(same);
    struct record record = record_of("t", "k", "v");
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
}

static void test_wrong_properties_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_producer *producer = NULL;
    kvs_set(&fixture->props, "acks", "seven");
    assert_int_equal(kafka_producer_get(&fixture->props, &producer, &fixture->error), ERR_INVALID);
    assert_non_null(strstr(fixture->error.text, "acks"));
    assert_null(producer);
}

static void test_a_record_too_large_is_refused_and_not_counted(void **state)
{
    struct fixture *fixture = *state;
    open_producer(fixture);
    size_t length = 2 * 1024 * 1024;
    char *value = xmalloc(length);
    memset(value, 'x', length);
    struct record record = record_of("t", "k", "");
    record.value = (struct record_bytes){ value, length };
    enum err err = send_one(fixture, 0, &record);
    free(value);
    assert_int_equal(err, ERR_TOO_LARGE);
    assert_int_equal(fixture->flights[0].err, ERR_TOO_LARGE);
    assert_int_equal(fixture->tracker.n_undelivered, 0);
    assert_int_equal(fixture->tracker.n_failed, 0);
    assert_non_null(strstr(kafka_code_text(fixture->flights[0].kafka_code), "too large"));
}

static void test_a_full_queue_says_try_again(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->props, "queue.buffering.max.messages", "10");
    assert_int_equal(rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1), 0);
    open_producer(fixture);
    struct record record = record_of("t", "k", "v");
    size_t n_taken = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && n_taken < N_FLIGHTS) {
        err = send_one(fixture, n_taken, &record);
        n_taken += err == ERR_OK;
    }
    assert_int_equal(err, ERR_UNAVAILABLE);
    assert_true(err_retriable(err));
    assert_int_equal(n_taken, 10);
    assert_int_equal(fixture->tracker.n_undelivered, 10);
    assert_int_equal(rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1), 0);
    await_zero(fixture);
    assert_int_equal(fixture->tracker.n_failed, 0);
}

/* The second owner has nothing on its way: nothing that it could be woken for. */
static void test_a_queue_full_of_others_records_wakes_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_tracker tracker;
    struct kafka_flight flight;
    struct error error;
    eventfd_t value = 0;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kafka_tracker_init(&tracker, fd, NULL);
    kvs_set(&fixture->props, "queue.buffering.max.messages", "1");
    assert_int_equal(rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1), 0);
    open_producer(fixture);
    struct record record = record_of("t", "k", "v");
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kafka_producer_send(fixture->producer, &record, &tracker, &flight, &error),
                         ERR_UNAVAILABLE);
        assert_int_equal(tracker.n_undelivered, 0);
        assert_int_equal(eventfd_read(fd, &value), -1);
    }
    assert_int_equal(rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1), 0);
    await_zero(fixture);
    kafka_tracker_fini(&tracker);
    (void)close(fd);
}

/* What the broker answers, and what the flight tells. */
static const struct {
    rd_kafka_resp_err_t answer;
    enum err err;
} answers[] = {
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_TOO_LARGE },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED },
};

static void test_a_refusal_of_the_broker_is_told_by_the_flight(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < N_ELEMENTS(answers); i++) {
        struct record record = record_of("t", "k", "v");
        open_producer(fixture);
        rd_kafka_mock_push_request_errors(fixture->mock.cluster, 0 /* Produce */, 1,
                                          answers[i].answer);
        assert_int_equal(send_one(fixture, i, &record), ERR_OK);
        await_zero(fixture);
        assert_int_equal(fixture->flights[i].err, answers[i].err);
        assert_int_equal(fixture->flights[i].kafka_code, answers[i].answer);
        assert_int_equal(fixture->tracker.n_failed, i + 1);
        kafka_producer_drop(fixture->producer);
        fixture->producer = NULL;
    }
}

static void test_a_passing_refusal_is_retried_by_itself(void **state)
{
    struct fixture *fixture = *state;
    struct record record = record_of("t", "k", "v");
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 0 /* Produce */, 2,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    open_producer(fixture);
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[0].err, ERR_OK);
}

/* The broker refuses the first request and takes the second, which was on its way already: as a new
 * partition does while its leader makes the log. */
static void test_a_record_counts_as_delivered_only_when_a_broker_said_so(void **state)
{
    struct fixture *fixture = *state;
    struct record record = record_of("t", "k", "v");
    kvs_set(&fixture->props, "batch.num.messages", "1");
    open_producer(fixture);
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[0].err, ERR_OK);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(fixture->mock.cluster, 1, 500), 0);
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 0 /* Produce */, 1,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    assert_int_equal(send_one(fixture, 1, &record), ERR_OK);
    assert_int_equal(send_one(fixture, 2, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[1].err, ERR_UNAVAILABLE);
    assert_int_equal(fixture->flights[2].err, ERR_OK);
    assert_int_equal(fixture->tracker.n_failed, 1);
}

static void test_an_illegal_topic_name_is_refused_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct record record = record_of("a b", "k", "v");
    open_producer(fixture);
    assert_int_equal(send_one(fixture, 0, &record), ERR_REJECTED);
    assert_int_equal(fixture->flights[0].err, ERR_REJECTED);
    assert_int_equal(fixture->tracker.n_undelivered, 0);
}

static void test_a_missing_topic_is_told_only_when_the_cluster_denies_it(void **state)
{
    struct fixture *fixture = *state;
    struct record record = record_of("nowhere", "k", "v");
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "nowhere",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    kvs_set(&fixture->props, "topic.metadata.propagation.max.ms", "500");
    open_producer(fixture);
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[0].err, ERR_UNAVAILABLE);
    uint64_t start_ms = clock_mono_ms();
    enum err err = send_one(fixture, 1, &record);
    while (err == ERR_UNAVAILABLE && clock_mono_ms() - start_ms < PATIENCE_MS) {
        err = send_one(fixture, 1, &record);
    }
    assert_int_equal(err, ERR_NOT_FOUND);
    assert_in_range(clock_mono_ms() - start_ms, 500, PATIENCE_MS);
    assert_non_null(strstr(fixture->error.text, "topic nowhere"));
}

static void test_a_topic_that_seemed_missing_is_written_when_it_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct record record = record_of("late", "k", "v");
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "late",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    kvs_set(&fixture->props, "topic.metadata.propagation.max.ms", "200");
    open_producer(fixture);
    assert_int_equal(send_one(fixture, 0, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[0].err, ERR_UNAVAILABLE);
    assert_int_equal(send_one(fixture, 1, &record), ERR_UNAVAILABLE);
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "late", RD_KAFKA_RESP_ERR_NO_ERROR);
    uint64_t start_ms = clock_mono_ms();
    enum err err = ERR_UNAVAILABLE;
    while (err == ERR_UNAVAILABLE && clock_mono_ms() - start_ms < PATIENCE_MS) {
        err = send_one(fixture, 2, &record);
    }
    assert_int_equal(err, ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[2].err, ERR_OK);
}

static void test_dropping_the_producer_reports_what_is_queued(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1), 0);
    open_producer(fixture);
    for (size_t i = 0; i < 100; i++) {
        struct record record = record_of("t", "k", "v");
        assert_int_equal(send_one(fixture, i, &record), ERR_OK);
    }
    assert_int_equal(fixture->tracker.n_undelivered, 100);
    kafka_producer_drop(fixture->producer);
    fixture->producer = NULL;
    assert_int_equal(fixture->tracker.n_undelivered, 0);
    assert_int_equal(fixture->tracker.n_failed, 100);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(fixture->flights[i].err, ERR_UNAVAILABLE);
    }
    eventfd_t value = 0;
    assert_int_equal(eventfd_read(fixture->event_fd, &value), 0);
    assert_int_equal(value, 1);
}

static void test_a_fatal_producer_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_producer *next = NULL;
    struct record record = record_of("t", "k", "v");
    rd_kafka_mock_push_request_errors(fixture->mock.cluster, 22 /* InitProducerId */, 1,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    open_producer(fixture);
    /* The producer asks on a thread of its own: the error may be there before the record. */
    enum err err = send_one(fixture, 0, &record);
    if (err == ERR_OK) {
        await_zero(fixture);
        err = fixture->flights[0].err;
    }
    assert_int_not_equal(err, ERR_OK);
    assert_true(kafka_producer_fatal(fixture->producer));
    /* A missing right is told as such: a new producer would not help. */
    assert_int_equal(send_one(fixture, 1, &record), ERR_UNAUTHORIZED);
    assert_int_equal(kafka_producer_get(&fixture->props, &next, &fixture->error), ERR_OK);
    assert_ptr_not_equal(next, fixture->producer);
    kafka_producer_drop(fixture->producer);
    fixture->producer = next;
    assert_int_equal(send_one(fixture, 2, &record), ERR_OK);
    await_zero(fixture);
    assert_int_equal(fixture->flights[2].err, ERR_OK);
}

static void test_delivery_latency_is_observed_for_each_record(void **state)
{
    struct fixture *fixture = *state;
    struct buf text;
    buf_init(&text);
    struct metric_scope *scope = metrics_task("latency", 0);
    kafka_tracker_fini(&fixture->tracker);
    kafka_tracker_init(&fixture->tracker, fixture->event_fd, scope);
    open_producer(fixture);
    for (size_t i = 0; i < 100; i++) {
        struct record record = record_of("t", "k", "v");
        assert_int_equal(send_one(fixture, i, &record), ERR_OK);
    }
    await_zero(fixture);
    metrics_render(&text);
    metrics_task_drop(scope);
    bool counted = strstr(buf_text(&text), "sluice_kafka_delivery_latency_seconds_count{connector="
                                           "\"latency\",task=\"0\"} 100\n") != NULL;
    buf_fini(&text);
    assert_true(counted);
}

static void test_topic_legal_knows_kafkas_rules(void **state UNUSED)
{
    char longest[251];
    memset(longest, 'a', 250);
    longest[250] = '\0';
    assert_false(kafka_topic_legal(longest));
    longest[249] = '\0';
    assert_true(kafka_topic_legal(longest));
    assert_true(kafka_topic_legal("A.b_c-9"));
    assert_true(kafka_topic_legal("..."));
    static const char *const wrong[] = { "", ".", "..", "a/b", "a b", "\xC3\xA9", "a\n" };
    for (size_t i = 0; i < N_ELEMENTS(wrong); i++) {
        assert_false(kafka_topic_legal(wrong[i]));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_record_is_reported_once_and_the_owner_woken),
        TEST(test_a_record_arrives_as_it_was_given),
        TEST(test_null_and_empty_values_stay_apart),
        TEST(test_equal_properties_share_a_producer),
        TEST(test_wrong_properties_are_refused),
        TEST(test_a_record_too_large_is_refused_and_not_counted),
        TEST(test_a_full_queue_says_try_again),
        TEST(test_a_queue_full_of_others_records_wakes_nobody),
        TEST(test_a_refusal_of_the_broker_is_told_by_the_flight),
        TEST(test_a_passing_refusal_is_retried_by_itself),
        TEST(test_a_record_counts_as_delivered_only_when_a_broker_said_so),
        TEST(test_an_illegal_topic_name_is_refused_at_once),
        TEST(test_a_missing_topic_is_told_only_when_the_cluster_denies_it),
        TEST(test_a_topic_that_seemed_missing_is_written_when_it_is_there),
        TEST(test_dropping_the_producer_reports_what_is_queued),
        TEST(test_a_fatal_producer_is_replaced),
        TEST(test_delivery_latency_is_observed_for_each_record),
        cmocka_unit_test(test_topic_legal_knows_kafkas_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
