/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a sink connector's config must say about topics, dead letters and its group. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/connector.h"

struct pair {
    const char *key;
    const char *value;
};

/* Validates a good sink config with changes; a NULL value takes a key out. */
static void validate(const struct pair *changes, size_t n, struct config_result *result)
{
    CLEANUP(kvs_fini) struct kvs worker;
    CLEANUP(kvs_fini) struct kvs config;
    struct error error;
    kvs_init(&worker);
    kvs_init(&config);
    kvs_set(&worker, "bootstrap.servers", "127.0.0.1:9092");
    kvs_set(&worker, "group.id", "connect-workers");
    kvs_set(&config, "name", "s");
    kvs_set(&config, "connector.class", "MqttSink");
    kvs_set(&config, "topics", "a, b");
    kvs_set(&config, "mqtt.server.uri", "127.0.0.1:1883");
    for (size_t i = 0; i < n; i++) {
        if (changes[i].value) {
            kvs_set(&config, changes[i].key, changes[i].value);
        } else {
            kvs_remove(&config, changes[i].key);
        }
    }
    config_result_init(result);
    assert_int_equal(connector_validate(&worker, &config, result, &error), ERR_OK);
}

static void assert_error(struct config_result *result, const char *key, const char *text)
{
    const struct config_value *entry = config_result_find(result, key);
    assert_non_null(entry);
    assert_true(entry->n_errors >= 1);
    assert_string_equal(entry->errors[0], text);
}

static void test_a_good_config_has_no_errors(void **state)
{
    (void)state;
    struct config_result result;
    validate(NULL, 0, &result);
    assert_int_equal(config_result_errors(&result), 0);
    config_result_fini(&result);
}

/* Each task config repeats the topics. */
static void test_many_tasks_with_many_topics_are_refused(void **state)
{
    (void)state;
    struct config_result result;
    char topics[2001];
    memset(topics, 'x', sizeof(topics) - 1);
    for (size_t i = 100; i < sizeof(topics) - 1; i += 101) {
        topics[i] = ',';
    }
    topics[sizeof(topics) - 1] = '\0';
    const struct pair many[] = { { "topics", topics }, { "tasks.max", "10000" } };
    validate(many, 2, &result);
    assert_error(&result, "tasks.max",
                 "Invalid value 10000 for configuration tasks.max: each task's config repeats "
                 "topics, topics.regex and mqtt.client.id.prefix, which have 2000 bytes; all "
                 "together must not have more than 16777216: give fewer tasks or fewer topics");
    config_result_fini(&result);
    const struct pair fewer[] = { { "topics", topics }, { "tasks.max", "8000" } };
    validate(fewer, 2, &result);
    assert_int_equal(config_result_find(&result, "tasks.max")->n_errors, 0);
    config_result_fini(&result);
}

static void test_exactly_one_of_topics_and_pattern(void **state)
{
    (void)state;
    struct config_result result;
    const struct pair none[] = { { "topics", NULL } };
    validate(none, 1, &result);
    assert_int_equal(config_result_errors(&result), 2);
    assert_error(&result, "topics", "Must configure one of topics or topics.regex");
    assert_error(&result, "topics.regex", "Must configure one of topics or topics.regex");
    config_result_fini(&result);

    const struct pair both[] = { { "topics.regex", "a.*" } };
    validate(both, 1, &result);
    assert_int_equal(config_result_errors(&result), 2);
    assert_error(&result, "topics",
                 "topics and topics.regex are mutually exclusive options, but both are set.");
    config_result_fini(&result);

    const struct pair pattern[] = { { "topics", NULL }, { "topics.regex", "a\\d+" } };
    validate(pattern, 2, &result);
    assert_int_equal(config_result_errors(&result), 0);
    config_result_fini(&result);

    const struct pair bad[] = { { "topics", NULL }, { "topics.regex", "(" } };
    validate(bad, 2, &result);
    assert_int_equal(config_result_errors(&result), 1);
    config_result_fini(&result);
}

static void test_the_dead_letter_queue_is_not_read(void **state)
{
    (void)state;
    struct config_result result;
    const struct pair listed[] = { { "errors.deadletterqueue.topic.name", "b" } };
    validate(listed, 1, &result);
    assert_int_equal(config_result_errors(&result), 1);
    assert_error(&result, "topics",
                 "The DLQ topic 'b' may not be included in the list of topics ('topics=[a, b]') "
                 "consumed by the connector");
    config_result_fini(&result);

    const struct pair matched[] = { { "topics", NULL },
                                    { "topics.regex", "d.*" },
                                    { "errors.deadletterqueue.topic.name", "dlq" } };
    validate(matched, 3, &result);
    assert_int_equal(config_result_errors(&result), 1);
    assert_error(&result, "topics.regex",
                 "The DLQ topic 'dlq' may not be matched by the regex for the topics "
                 "('topics.regex=d.*') consumed by the connector");
    config_result_fini(&result);
}

static void test_the_group_is_not_the_workers(void **state)
{
    (void)state;
    struct config_result result;
    const struct pair named[] = { { "name", "workers" } };
    validate(named, 1, &result);
    assert_error(&result, "name",
                 "Consumer group for sink connector named workers conflicts with Connect worker "
                 "group connect-workers");
    config_result_fini(&result);

    const struct pair given[] = { { "consumer.override.group.id", "connect-workers" } };
    validate(given, 1, &result);
    assert_error(&result, "consumer.override.group.id",
                 "Consumer group connect-workers conflicts with Connect worker group "
                 "connect-workers");
    config_result_fini(&result);
}

static void test_topic_templates_are_checked(void **state)
{
    (void)state;
    struct config_result result;
    const struct pair bad[] = { { "mqtt.topic", "a/{what}" } };
    validate(bad, 1, &result);
    assert_int_equal(config_result_errors(&result), 1);
    assert_non_null(strstr(config_result_find(&result, "mqtt.topic")->errors[0], "{what}"));
    config_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_config_has_no_errors),
        cmocka_unit_test(test_many_tasks_with_many_topics_are_refused),
        cmocka_unit_test(test_exactly_one_of_topics_and_pattern),
        cmocka_unit_test(test_the_dead_letter_queue_is_not_read),
        cmocka_unit_test(test_the_group_is_not_the_workers),
        cmocka_unit_test(test_topic_templates_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
