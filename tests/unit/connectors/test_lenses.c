/* SPDX-License-Identifier: Apache-2.0 */
/* Configs that were written for Lenses' MQTT connectors and Confluent's cloud mean the same here,
 * or are refused with what to write instead. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

struct pair {
    const char *key;
    const char *value;
};

static const struct pair source[] = {
    { "name", "c" },
    { "connector.class", "io.lenses.streamreactor.connect.mqtt.source.MqttSourceConnector" },
    { "connect.mqtt.hosts", "tcp://broker:1883" },
    { "connect.mqtt.kcql", "INSERT INTO k SELECT * FROM a/#; INSERT INTO k SELECT * FROM `b/+`" },
    { "connect.mqtt.service.quality", "1" },
    { "connect.mqtt.client.id", "lenses-" },
    { "connect.mqtt.clean", "false" },
    { "connect.mqtt.timeout", "3000" },
    { "connect.mqtt.keep.alive", "1000" },
    { "connect.mqtt.polling.timeout", "1000" },
    { NULL, NULL },
};

static const struct pair sink[] = {
    { "name", "c" },
    { "connector.class", "com.datamountaineer.streamreactor.connect.mqtt.sink.MqttSinkConnector" },
    { "topics", "t,u" },
    { "connect.mqtt.hosts", "tcp://broker:1883" },
    { "connect.mqtt.kcql",
      "INSERT INTO `x/{y` SELECT * FROM t;INSERT INTO `x/{y` SELECT * FROM u" },
    { "connect.mqtt.service.quality", "1" },
    { NULL, NULL },
};

/* Validates `base` with one more key, which may stand in place of one of it. */
static void validate(const struct pair *base, const char *key, const char *value,
                     struct config_result *ret_result)
{
    CLEANUP(kvs_fini) struct kvs worker;
    CLEANUP(kvs_fini) struct kvs config;
    struct error error;
    kvs_init(&worker);
    kvs_init(&config);
    kvs_set(&worker, "bootstrap.servers", "127.0.0.1:9092");
    kvs_set(&worker, "group.id", "workers");
    for (; base->key; base++) {
        kvs_set(&config, base->key, base->value);
    }
    if (key) {
        kvs_set(&config, key, value);
    }
    config_result_init(ret_result);
    assert_int_equal(connector_validate(&worker, &config, ret_result, &error), ERR_OK);
}

static void assert_value(const struct pair *base, const char *key, const char *value)
{
    struct config_result result;
    validate(base, NULL, NULL, &result);
    for (size_t i = 0; i < result.n_values; i++) {
        if (result.values[i].n_errors > 0) {
            fail_msg("%s: %s", result.values[i].name, result.values[i].errors[0]);
        }
    }
    const struct config_value *entry = config_result_find(&result, key);
    assert_non_null(entry);
    assert_string_equal(entry->value, value);
    config_result_fini(&result);
}

static void assert_error(const struct pair *base, const char *key, const char *value,
                         const char *text)
{
    struct config_result result;
    validate(base, key, value, &result);
    const struct config_value *entry = config_result_find(&result, key);
    assert_non_null(entry);
    assert_true(entry->n_errors > 0);
    if (!strstr(entry->errors[0], text)) {
        fail_msg("%s: %s", key, entry->errors[0]);
    }
    config_result_fini(&result);
}

static void test_a_source_is_taken_as_it_is(void **state UNUSED)
{
    assert_value(source, "mqtt.server.uri", "tcp://broker:1883");
    assert_value(source, "mqtt.topics", "a/#,b/+");
    assert_value(source, "kafka.topic", "k");
    assert_value(source, "mqtt.qos", "1");
    assert_value(source, "mqtt.client.id.prefix", "lenses-");
    assert_value(source, "mqtt.clean.session.enabled", "false");
}

static void test_times_are_milliseconds(void **state UNUSED)
{
    assert_value(source, "mqtt.connect.timeout.seconds", "3");
    assert_value(source, "mqtt.keepalive.interval.seconds", "5");
    assert_error(source, "mqtt.connect.timeout.seconds", "0", "must be at least 1");
}

static void test_a_sink_is_taken_as_it_is(void **state UNUSED)
{
    assert_value(sink, "mqtt.topic", "x/{{y");
    assert_value(sink, "mqtt.retained.enabled", "false");
}

static void test_words_for_the_target_become_a_template(void **state UNUSED)
{
    static const struct pair cases[] = {
        { "INSERT INTO _key SELECT * FROM t", "{key}" },
        { "INSERT INTO `_topic` SELECT * FROM t", "{topic}" },
        { "INSERT INTO `a.b` SELECT * FROM t PROPERTIES('mqtt.target.from.field'='true')",
          "{value.a.b}" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct config_result result;
        validate(sink, "connect.mqtt.kcql", cases[i].key, &result);
        assert_string_equal(config_result_find(&result, "mqtt.topic")->value, cases[i].value);
        config_result_fini(&result);
    }
}

static void test_names_in_statements_are_checked(void **state UNUSED)
{
    assert_error(sink, "connect.mqtt.kcql", "INSERT INTO x SELECT * FROM t",
                 "no statement selects from u");
    assert_error(sink, "connect.mqtt.kcql", "INSERT x", "stands where 'INTO' must");
    struct config_result result;
    validate(source, "connect.mqtt.kcql", "INSERT INTO k SELECT * FROM a/#/b", &result);
    assert_true(config_result_find(&result, "mqtt.topics")->n_errors > 0);
    config_result_fini(&result);
}

static void test_what_would_do_something_else_is_refused_with_the_mend(void **state UNUSED)
{
    assert_error(sink, "input.data.format", "AVRO", "no schema registry here");
    assert_error(sink, "connect.mqtt.error.policy", "NOOP", "set errors.tolerance instead");
    assert_error(source, "connect.converter.avro.schemas", "a=b", "Avro is not read here");
    assert_error(source, "mqtt.ssl.trust.store.file", "data:text/plain;base64,QQ==",
                 "Invalid value [hidden] for configuration mqtt.ssl.trust.store.file: write");
}

static void test_what_asks_for_nothing_is_fine(void **state UNUSED)
{
    struct config_result result;
    validate(sink, "connect.mqtt.error.policy", "throw", &result);
    assert_int_equal(config_result_errors(&result), 0);
    config_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_source_is_taken_as_it_is),
        cmocka_unit_test(test_times_are_milliseconds),
        cmocka_unit_test(test_a_sink_is_taken_as_it_is),
        cmocka_unit_test(test_words_for_the_target_become_a_template),
        cmocka_unit_test(test_names_in_statements_are_checked),
        cmocka_unit_test(test_what_would_do_something_else_is_refused_with_the_mend),
        cmocka_unit_test(test_what_asks_for_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
