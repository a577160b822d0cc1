/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what all Kafka clients share. */
#include "tests/support/capture.h"
#include "tests/unit/kafka/mock_cluster.h"
#include "worker/base/log.h"
#include "worker/kafka/rdkafka_util.h"

static const struct {
    rd_kafka_resp_err_t code;
    enum err err;
} codes[] = {
    { RD_KAFKA_RESP_ERR_NO_ERROR, ERR_OK },
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_TOO_LARGE },
    { RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_NOT_FOUND },
    { RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_NOT_FOUND },
    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_NOT_FOUND },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED },
    { RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_UNAUTHORIZED },
    { RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_UNAUTHORIZED },
    { RD_KAFKA_RESP_ERR_INVALID_MSG, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERR_REJECTED },
    { RD_KAFKA_RESP_ERR__FATAL, ERR_FENCED },
    { RD_KAFKA_RESP_ERR__FENCED, ERR_FENCED },
    { RD_KAFKA_RESP_ERR_PRODUCER_FENCED, ERR_FENCED },
    { RD_KAFKA_RESP_ERR__TIMED_OUT, ERR_TIMEOUT },
    { RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR__TRANSPORT, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR__PURGE_QUEUE, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, ERR_UNAVAILABLE },
    { RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, ERR_UNAVAILABLE },
};

static void test_codes_are_mapped_and_unknown_ones_may_be_retried(void **state UNUSED)
{
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        if (rdk_err(codes[i].code) != codes[i].err) {
            fail_msg("%s", rd_kafka_err2name(codes[i].code));
        }
    }
    assert_int_equal(rdk_err((rd_kafka_resp_err_t)4711), ERR_UNAVAILABLE);
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
        n++;
    }
    return n;
}

static void test_repeated_errors_are_one_line(void **state UNUSED)
{
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture_start(&capture);
    for (int i = 0; i < 1000; i++) {
        rdk_report(NULL, RD_KAFKA_RESP_ERR__SSL, "he said \"no\"\nand left");
    }
    rdk_report(NULL, RD_KAFKA_RESP_ERR__RESOLVE, "who?");
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_int_equal(count_of(text, "KAFKA-ERROR"), 2);
    assert_int_equal(count_of(text, "\n"), 2);
    assert_non_null(strstr(text, "client=- kind=_SSL text=\"he said 'no'\\nand left\""));
    assert_non_null(strstr(text, "kind=_RESOLVE"));
}

static void test_a_broker_that_is_away_gives_few_lines(void **state UNUSED)
{
    struct capture capture;
    struct mock mock;
    CLEANUP(kvs_fini) struct kvs props;
    struct error error;
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *client = NULL;
    kvs_init(&props);
    mock_open(&mock, 1);
    mock_props(&mock, KAFKA_WORKER_PRODUCER, &props);
    (void)rd_kafka_mock_broker_set_down(mock.cluster, 1);
    kvs_set(&props, "reconnect.backoff.ms", "1");
    kvs_set(&props, "reconnect.backoff.max.ms", "1");
    assert_int_equal(rdk_conf_new(&props, &conf, &error), ERR_OK);
    capture_start(&capture);
    enum err err = rdk_client_new(RD_KAFKA_PRODUCER, conf, &client, &error);
    uint64_t end_ms = clock_mono_ms() + 300;
    while (err == ERR_OK && clock_mono_ms() < end_ms) {
        (void)rd_kafka_poll(client, 20);
    }
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_int_equal(err, ERR_OK);
    rd_kafka_destroy(client);
    mock_close(&mock);
    assert_in_range(count_of(text, "\n"), 1, 3);
}

static void test_conf_new_hides_secrets_in_its_errors(void **state UNUSED)
{
    CLEANUP(kvs_fini) struct kvs props;
    struct error error;
    rd_kafka_conf_t *conf = NULL;
    kvs_init(&props);
    kvs_set(&props, "no.such.password", "hunter2");
    assert_int_equal(rdk_conf_new(&props, &conf, &error), ERR_INVALID);
    assert_null(strstr(error.text, "hunter2"));
    assert_non_null(strstr(error.text, "no.such.password"));
    assert_null(conf);
}

static void test_errors_after_which_waiting_does_not_help_are_told_apart(void **state UNUSED)
{
    assert_int_equal(rdk_hopeless(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED), ERR_UNAUTHORIZED);
    assert_int_equal(rdk_hopeless(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET), ERR_INVALID);
    assert_int_equal(rdk_hopeless(RD_KAFKA_RESP_ERR__FATAL), ERR_FENCED);
    assert_int_equal(rdk_hopeless(RD_KAFKA_RESP_ERR__BAD_MSG), ERR_IO);
    assert_int_equal(rdk_hopeless(RD_KAFKA_RESP_ERR__TRANSPORT), ERR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_mapped_and_unknown_ones_may_be_retried),
        cmocka_unit_test(test_repeated_errors_are_one_line),
        cmocka_unit_test(test_a_broker_that_is_away_gives_few_lines),
        cmocka_unit_test(test_conf_new_hides_secrets_in_its_errors),
        cmocka_unit_test(test_errors_after_which_waiting_does_not_help_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
