/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the look at the cluster and its topics, against librdkafka's mock cluster, which cannot
 * create topics: creation and cleanup policies are tested with a real Kafka.
 */
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/kafka/admin.h"

struct fixture {
    struct mock mock;
    struct kafka_admin *admin;
    struct error error;
};

static void open_admin(struct fixture *fixture)
{
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    mock_props(&fixture->mock, KAFKA_WORKER_ADMIN, &props);
    assert_int_equal(kafka_admin_open(&props, &fixture->admin, &fixture->error), ERR_OK);
}

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    mock_open(&fixture->mock, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "one", 1, 1);
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "five", 5, 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kafka_admin_close(fixture->admin);
    mock_close(&fixture->mock);
    free(fixture);
    return 0;
}

static void test_cluster_id_is_found(void **state)
{
    struct fixture *fixture = *state;
    char id[64] = "";
    open_admin(fixture);
    assert_int_equal(
        kafka_admin_cluster_id(fixture->admin, PATIENCE_MS, id, sizeof(id), &fixture->error),
        ERR_OK);
    assert_int_not_equal(id[0], '\0');
}

static void test_no_broker_is_a_timeout_that_names_the_cause_and_may_be_tried_again(void **state)
{
    struct fixture *fixture = *state;
    char id[64] = "";
    (void)rd_kafka_mock_broker_set_down(fixture->mock.cluster, 1);
    open_admin(fixture);
    uint64_t start_ms = clock_mono_ms();
    assert_int_equal(kafka_admin_cluster_id(fixture->admin, 500, id, sizeof(id), &fixture->error),
                     ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - start_ms, 400, 5000);
    assert_non_null(strstr(fixture->error.text, "refused"));
    assert_string_equal(id, "");
    (void)rd_kafka_mock_broker_set_up(fixture->mock.cluster, 1);
    assert_int_equal(
        kafka_admin_cluster_id(fixture->admin, PATIENCE_MS, id, sizeof(id), &fixture->error),
        ERR_OK);
}

static void test_an_existing_topic_is_taken_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_topic_spec spec = { .name = "five",
                                     .property = "claims.storage.topic",
                                     .partitions = 64,
                                     .replication_factor = 3 };
    int n_partitions = 0;
    open_admin(fixture);
    assert_int_equal(kafka_admin_ensure_topic(fixture->admin, &spec, PATIENCE_MS, &n_partitions,
                                              &fixture->error),
                     ERR_OK);
    assert_int_equal(n_partitions, 5);
}

static void test_the_config_topic_must_have_one_partition(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_topic_spec spec = { .name = "five",
                                     .property = "config.storage.topic",
                                     .exactly_one_partition = true };
    int n_partitions = -1;
    open_admin(fixture);
    assert_int_equal(kafka_admin_ensure_topic(fixture->admin, &spec, PATIENCE_MS, &n_partitions,
                                              &fixture->error),
                     ERR_INVALID);
    assert_non_null(strstr(fixture->error.text,
                           "Topic 'five' supplied via the 'config.storage.topic' property is "
                           "required to have a single partition in order to guarantee "
                           "consistency of connector configurations, but found 5 partitions"));
    assert_int_equal(n_partitions, -1);
    spec.name = "one";
    assert_int_equal(kafka_admin_ensure_topic(fixture->admin, &spec, PATIENCE_MS, &n_partitions,
                                              &fixture->error),
                     ERR_OK);
    assert_int_equal(n_partitions, 1);
}

static void test_a_missing_right_on_a_topic_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct kafka_topic_spec spec = { .name = "secret", .property = "claims.storage.topic" };
    int n_partitions = -1;
    /* As Kafka does, the mock shows no partition of it: it was created with none. */
    (void)rd_kafka_mock_topic_create(fixture->mock.cluster, "secret", 0, 1);
    rd_kafka_mock_topic_set_error(fixture->mock.cluster, "secret",
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    open_admin(fixture);
    assert_int_equal(kafka_admin_ensure_topic(fixture->admin, &spec, PATIENCE_MS, &n_partitions,
                                              &fixture->error),
                     ERR_UNAUTHORIZED);
    assert_non_null(strstr(fixture->error.text, "topic secret"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cluster_id_is_found),
        TEST(test_no_broker_is_a_timeout_that_names_the_cause_and_may_be_tried_again),
        TEST(test_an_existing_topic_is_taken_as_it_is),
        TEST(test_the_config_topic_must_have_one_partition),
        TEST(test_a_missing_right_on_a_topic_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
