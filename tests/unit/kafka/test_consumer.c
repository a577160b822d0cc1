/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the sink's consumer on librdkafka's mock cluster. */
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/consumer_internal.h"
#include "worker/kafka/producer.h"

/* An answer that is late, but no reason to give up; one that is far beyond the time for a close. */
#define SLOW_MS   400
#define FROZEN_MS 6000
#define CLOSE_MS  500
/* Enough for a rebalance to meet the taking of a batch many times. */
#define MANY 20000

struct fixture {
    struct mock mock;
    struct kvs props;
    struct config_list topics;
    char *names[2];
    struct kafka_consumer *consumer;
    struct kafka_partition *partitions[8];
    size_t n_partitions;
    size_t n_revoked;
    size_t n_reset;
    size_t n_committed;
    enum err committed;
    enum err error;
};

static void on_assigned(void *arg, struct kafka_partition *partition)
{
    struct fixture *fixture = arg;
    fixture->partitions[fixture->n_partitions++] = partition;
}

static void on_revoked(void *arg, struct kafka_partition *const *partitions, size_t n, bool lost)
{
    struct fixture *fixture = arg;
    (void)partitions;
    (void)lost;
    fixture->n_revoked += n;
}

static void on_reset(void *arg, struct kafka_partition *partition)
{
    struct fixture *fixture = arg;
    fixture->n_reset += partition ? 1 : 0;
}

static void on_committed(void *arg, enum err err, const char *text)
{
    struct fixture *fixture = arg;
    (void)text;
    fixture->committed = err;
    fixture->n_committed++;
}

static void on_error(void *arg, enum err err, const char *text)
{
    struct fixture *fixture = arg;
    (void)text;
    fixture->error = err;
}

static void open_consumer(struct fixture *fixture, const char *pattern)
{
    const struct kafka_consumer_handlers handlers = { fixture,  on_assigned,  on_revoked,
                                                      on_reset, on_committed, on_error };
    const struct kafka_consumer_options options = { &fixture->props, "g", "c", &fixture->topics,
                                                    pattern };
    struct error error;
    assert_int_equal(kafka_consumer_open(&options, &handlers, &fixture->consumer, &error), ERR_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->mock.cluster, "t1", 2, 1), 0);
    assert_int_equal(rd_kafka_mock_topic_create(fixture->mock.cluster, "other", 1, 1), 0);
    kvs_init(&fixture->props);
    mock_props(&fixture->mock, KAFKA_CONNECTOR_CONSUMER, &fixture->props);
    fixture->names[0] = xstrdup("t1");
    fixture->topics = (struct config_list){ fixture->names, 1 };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_consumer_close(fixture->consumer, 2000);
    kvs_fini(&fixture->props);
    free(fixture->names[0]);
    /* Its answer comes in the end. */
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    while (kafka_clients_linger() && clock_mono_ms() < until) {
        (void)poll(NULL, 0, 5);
    }
    assert_false(kafka_clients_linger());
    mock_close(&fixture->mock);
    test_free(fixture);
    return 0;
}

static void turn(struct fixture *fixture)
{
    struct pollfd poll_fd = { .fd = kafka_consumer_fd(fixture->consumer), .events = POLLIN };
    (void)poll(&poll_fd, 1, 50);
    kafka_consumer_clear(fixture->consumer);
    kafka_consumer_serve(fixture->consumer);
}

static void wait_assigned(struct fixture *fixture, size_t n)
{
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    while (fixture->n_partitions < n && clock_mono_ms() < until) {
        turn(fixture);
    }
    assert_int_equal(fixture->n_partitions, n);
}

static void produce(struct fixture *fixture, int32_t partition, const char *value)
{
    struct kvs props;
    struct kafka_producer *producer = NULL;
    struct kafka_tracker tracker;
    struct kafka_flight flight;
    struct error error;
    eventfd_t value_read;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    kvs_init(&props);
    mock_props(&fixture->mock, KAFKA_CONNECTOR_PRODUCER, &props);
    assert_int_equal(kafka_producer_get(&props, &producer, &error), ERR_OK);
    kafka_tracker_init(&tracker, fd, NULL);
    struct record record = { .topic = "t1",
                             .partition = partition,
                             .timestamp_ms = 5,
                             .key = { "k", 1 },
                             .value = { value, strlen(value) },
                             .headers = { { "h", { "x", 1 } }, { "h", { "y", 1 } } },
                             .n_headers = 2 };
    assert_int_equal(kafka_producer_send(producer, &record, &tracker, &flight, &error), ERR_OK);
    assert_true(await_event(fd, &value_read));
    assert_int_equal(flight.err, ERR_OK);
    kafka_tracker_fini(&tracker);
    kafka_producer_drop(producer);
    close(fd);
    kvs_fini(&props);
}

/* Waits for one record. */
static void take_one(struct fixture *fixture, struct kafka_fetched *ret_fetched)
{
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    size_t n = 0;
    bool more = false;
    while (n == 0 && clock_mono_ms() < until) {
        n = kafka_consumer_take(fixture->consumer, ret_fetched, 1, &more);
        if (n == 0) {
            turn(fixture);
        }
    }
    assert_int_equal(n, 1);
}

static void test_records_come_with_all_they_have(void **state)
{
    struct fixture *fixture = *state;
    produce(fixture, 1, "v1");
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    struct kafka_fetched fetched;
    take_one(fixture, &fetched);
    assert_string_equal(fetched.partition->topic, "t1");
    assert_int_equal(fetched.partition->number, 1);
    assert_int_equal(fetched.offset, 0);
    assert_int_equal(fetched.timestamp_ms, 5);
    assert_memory_equal(fetched.value.data, "v1", 2);
    assert_memory_equal(fetched.key.data, "k", 1);
    struct record_header headers[1];
    assert_int_equal(kafka_fetched_headers(&fetched, headers, 1), 2);
    assert_string_equal(headers[0].name, "h");
    struct record_bytes last;
    assert_true(kafka_fetched_header(&fetched, "h", &last));
    assert_memory_equal(last.data, "y", 1);
    assert_false(kafka_fetched_header(&fetched, "none", &last));
    kafka_fetched_free(&fetched);
}

/* What the group has committed, as another client sees it. */
static int64_t committed_offset(struct fixture *fixture, int32_t partition)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "group.id", "g", text, sizeof(text));
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(fixture->mock.cluster), text,
                            sizeof(text));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    assert_non_null(client);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, "t1", partition);
    assert_int_equal(rd_kafka_committed(client, list, PATIENCE_MS), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(client);
    return offset;
}

static void test_a_position_is_committed_when_asked_and_not_before(void **state)
{
    struct fixture *fixture = *state;
    produce(fixture, 0, "v1");
    produce(fixture, 0, "v2");
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    struct kafka_fetched fetched;
    struct error error;
    take_one(fixture, &fetched);
    assert_true(committed_offset(fixture, 0) < 0);
    const struct kafka_position position = { fetched.partition, fetched.offset + 1 };
    assert_int_equal(kafka_consumer_commit(fixture->consumer, &position, 1, &error), ERR_OK);
    kafka_fetched_free(&fetched);
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    while (fixture->n_committed == 0 && clock_mono_ms() < until) {
        turn(fixture);
    }
    assert_int_equal(fixture->n_committed, 1);
    assert_int_equal(fixture->committed, ERR_OK);
    assert_int_equal(committed_offset(fixture, 0), 1);
    kafka_consumer_close(TAKE(fixture->consumer), 2000);
    assert_int_equal(fixture->n_revoked, 2);
    assert_int_equal(committed_offset(fixture, 0), 1);
}

/* Takes a record and serves until its position is on its way to Kafka, which answers that late. */
static void begin_commit(struct fixture *fixture, int answer_ms)
{
    struct kafka_fetched fetched;
    struct error error;
    take_one(fixture, &fetched);
    const struct kafka_position position = { fetched.partition, fetched.offset + 1 };
    assert_int_equal(
        rd_kafka_mock_broker_push_request_error_rtts(fixture->mock.cluster, 1, 8 /* OffsetCommit */,
                                                     1, RD_KAFKA_RESP_ERR_NO_ERROR, answer_ms),
        0);
    assert_int_equal(kafka_consumer_commit(fixture->consumer, &position, 1, &error), ERR_OK);
    kafka_fetched_free(&fetched);
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    while (!fixture->consumer->committing && clock_mono_ms() < until) {
        turn(fixture);
    }
    assert_true(fixture->consumer->committing);
    assert_int_equal(fixture->n_committed, 0);
}

static void test_a_commit_that_is_answered_during_the_close_is_not_told(void **state)
{
    struct fixture *fixture = *state;
    produce(fixture, 0, "v1");
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    begin_commit(fixture, SLOW_MS);
    kafka_consumer_close(TAKE(fixture->consumer), PATIENCE_MS);
    assert_int_equal(fixture->n_committed, 0);
    assert_int_equal(committed_offset(fixture, 0), 1);
    assert_false(kafka_clients_linger());
}

static void test_a_close_does_not_wait_for_an_answer_that_does_not_come(void **state)
{
    struct fixture *fixture = *state;
    produce(fixture, 0, "v1");
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    begin_commit(fixture, FROZEN_MS);
    uint64_t begin_ms = clock_mono_ms();
    kafka_consumer_close(TAKE(fixture->consumer), CLOSE_MS);
    assert_in_range(clock_mono_ms() - begin_ms, 0, FROZEN_MS - 1);
    assert_int_equal(fixture->n_revoked, 2);
    assert_int_equal(fixture->n_committed, 0);
    assert_true(kafka_clients_linger());
}

static void test_a_pause_holds_records_back_and_goes_on_where_it_was(void **state)
{
    struct fixture *fixture = *state;
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    kafka_consumer_pause(fixture->consumer, true);
    produce(fixture, 0, "v1");
    struct kafka_fetched fetched;
    bool more = false;
    for (int i = 0; i < 10; i++) {
        turn(fixture);
        assert_int_equal(kafka_consumer_take(fixture->consumer, &fetched, 1, &more), 0);
    }
    kafka_consumer_pause(fixture->consumer, false);
    take_one(fixture, &fetched);
    assert_memory_equal(fetched.value.data, "v1", 2);
    kafka_fetched_free(&fetched);
}

/* ---- partitions that leave and come back ---- */

static void test_a_partition_that_left_during_a_pause_is_read_when_it_is_back(void **state)
{
    struct fixture *fixture = *state;
    struct fixture other = { .mock = fixture->mock,
                             .props = fixture->props,
                             .topics = fixture->topics };
    kvs_set(&fixture->props, "heartbeat.interval.ms", "100");
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    kafka_consumer_pause(fixture->consumer, true);
    other.props = fixture->props;
    open_consumer(&other, NULL);
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    while (other.n_partitions == 0 && clock_mono_ms() < until) {
        turn(fixture);
        turn(&other);
        kafka_consumer_release(fixture->consumer);
    }
    assert_int_equal(other.n_partitions, 1);
    assert_int_equal(fixture->n_revoked, 1);
    int32_t number = other.partitions[0]->number;
    kafka_consumer_pause(fixture->consumer, false);
    kafka_consumer_close(other.consumer, PATIENCE_MS);
    wait_assigned(fixture, 3);
    produce(fixture, number, "v1");
    struct kafka_fetched fetched;
    take_one(fixture, &fetched);
    assert_int_equal(fetched.partition->number, number);
    kafka_fetched_free(&fetched);
}

/* ---- partitions that stay during a rebalance ---- */

/* Records of partition 0, which differ by their offsets only. */
static void produce_many(struct fixture *fixture)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    (void)rd_kafka_conf_set(conf, "bootstrap.servers",
                            rd_kafka_mock_cluster_bootstraps(fixture->mock.cluster), text,
                            sizeof(text));
    (void)rd_kafka_conf_set(conf, "batch.num.messages", "1000", text, sizeof(text));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(client);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(rd_kafka_producev(client, RD_KAFKA_V_TOPIC("t1"), RD_KAFKA_V_PARTITION(0),
                                           RD_KAFKA_V_VALUE(text, 1), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    assert_int_equal(rd_kafka_flush(client, PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(client);
}

struct pauser {
    rd_kafka_t *client;
    sem_t begin;
    sem_t done;
    atomic_bool ends;
};

/* What librdkafka does on a thread of its own with the partitions that stay during a rebalance. */
static void *pause_main(void *arg)
{
    struct pauser *pauser = arg;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, "t1", 0);
    while (sem_wait(&pauser->begin) == 0 && !pauser->ends) {
        (void)rd_kafka_pause_partitions(pauser->client, list);
        (void)rd_kafka_resume_partitions(pauser->client, list);
        (void)sem_post(&pauser->done);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return NULL;
}

/* Takes a batch: the record that was taken last may come once more, but none is passed over. False:
 * one was. */
static bool take_batch(struct fixture *fixture, int64_t *next)
{
    static struct kafka_fetched fetched[KAFKA_TAKE_MAX];
    bool more = false;
    bool whole = true;
    size_t n = kafka_consumer_take(fixture->consumer, fetched, KAFKA_TAKE_MAX, &more);
    for (size_t i = 0; i < n; i++) {
        whole = whole && (fetched[i].offset == *next || fetched[i].offset == *next - 1);
        *next = fetched[i].offset + 1;
        kafka_fetched_free(&fetched[i]);
    }
    return whole;
}

static void test_a_rebalance_in_the_middle_of_a_batch_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->props, "fetch.wait.max.ms", "5");
    produce_many(fixture);
    open_consumer(fixture, NULL);
    wait_assigned(fixture, 2);
    struct pauser pauser = { .client = fixture->consumer->client };
    pthread_t thread;
    assert_int_equal(sem_init(&pauser.begin, 0, 0) + sem_init(&pauser.done, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, pause_main, &pauser), 0);
    uint64_t until = clock_mono_ms() + PATIENCE_MS;
    int64_t next = 0;
    bool whole = true;
    while (whole && next < MANY && clock_mono_ms() < until) {
        if (rd_kafka_queue_length(fixture->consumer->records) < KAFKA_TAKE_MAX &&
            MANY - next >= KAFKA_TAKE_MAX) {
            kafka_consumer_serve(fixture->consumer);
            (void)poll(NULL, 0, 1);
            continue;
        }
        (void)sem_post(&pauser.begin);
        whole = take_batch(fixture, &next);
        (void)sem_wait(&pauser.done);
    }
    pauser.ends = true;
    (void)sem_post(&pauser.begin);
    (void)pthread_join(thread, NULL);
    (void)sem_destroy(&pauser.begin);
    (void)sem_destroy(&pauser.done);
    assert_true(whole);
    assert_int_equal(next, MANY);
}

static void test_topics_of_a_java_expression_are_read(void **state)
{
    struct fixture *fixture = *state;
    /* \d and (?i) mean nothing, or something else, to librdkafka's own patterns. */
    open_consumer(fixture, "(?i)T\\d");
    wait_assigned(fixture, 2);
    assert_string_equal(fixture->partitions[0]->topic, "t1");
    assert_string_equal(fixture->partitions[1]->topic, "t1");
}

static void test_a_bad_expression_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct kafka_consumer_handlers handlers = { fixture,  on_assigned,  on_revoked,
                                                      on_reset, on_committed, on_error };
    const struct kafka_consumer_options options = { &fixture->props, "g", "c", &fixture->topics,
                                                    "(" };
    struct error error;
    struct kafka_consumer *consumer = NULL;
    assert_int_equal(kafka_consumer_open(&options, &handlers, &consumer, &error), ERR_INVALID);
    assert_null(consumer);
    assert_non_null(strstr(error.text, "topics.regex"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_come_with_all_they_have, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_position_is_committed_when_asked_and_not_before,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_commit_that_is_answered_during_the_close_is_not_told,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_close_does_not_wait_for_an_answer_that_does_not_come,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pause_holds_records_back_and_goes_on_where_it_was,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_partition_that_left_during_a_pause_is_read_when_it_is_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rebalance_in_the_middle_of_a_batch_loses_nothing,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_topics_of_a_java_expression_are_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_expression_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
