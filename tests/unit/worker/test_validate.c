/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the validation of whole connector configs: every bad input is answered at its key. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

struct fixture {
    struct kvs worker;
    struct kvs config;
    struct config_result result;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    kvs_init(&f->worker);
    kvs_set(&f->worker, "bootstrap.servers", "127.0.0.1:9092");
    kvs_set(&f->worker, "group.id", "g");
    kvs_init(&f->config);
    kvs_set(&f->config, "name", "c");
    kvs_set(&f->config, "connector.class", "MqttSource");
    kvs_set(&f->config, "mqtt.server.uri", "tcp://b:1883");
    kvs_set(&f->config, "mqtt.topics", "a/#");
    config_result_init(&f->result);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    config_result_fini(&f->result);
    kvs_fini(&f->config);
    kvs_fini(&f->worker);
    free(f);
    return 0;
}

static void validate(struct fixture *f)
{
    config_result_fini(&f->result);
    assert_int_equal(connector_validate(&f->worker, &f->config, &f->result, &f->error), ERR_OK);
}

/* The config with key=value has an error at key that holds this text, and errors nowhere else. */
static void assert_error(struct fixture *f, const char *key, const char *value, const char *text)
{
    struct kvs kept;
    kvs_init(&kept);
    kvs_copy(&kept, &f->config);
    kvs_set(&f->config, key, value);
    validate(f);
    const struct config_value *entry = config_result_find(&f->result, key);
    if (!entry || entry->n_errors == 0) {
        fail_msg("no error at %s=%s", key, value);
    }
    if (!strstr(entry->errors[0], text)) {
        fail_msg("%s=%s: %s", key, value, entry->errors[0]);
    }
    assert_int_equal(config_result_errors(&f->result), entry->n_errors);
    kvs_fini(&f->config);
    f->config = kept;
}

static void assert_good(struct fixture *f)
{
    validate(f);
    for (size_t i = 0; i < f->result.n_values; i++) {
        if (f->result.values[i].n_errors > 0) {
            fail_msg("%s", f->result.values[i].errors[0]);
        }
    }
}

static void test_minimal_config_is_good_under_every_class_name(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "MqttSource", "sluice.MqttSource", "MqttSourceConnector",
                                         "io.confluent.connect.mqtt.MqttSourceConnector",
                                         " MqttSource " };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        kvs_set(&f->config, "connector.class", names[i]);
        assert_good(f);
    }
}

static void test_unknown_class_is_answered_in_connects_words(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "connector.class", "x.Y");
    assert_int_equal(connector_validate(&f->worker, &f->config, &f->result, &f->error),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(f->error.text,
                           "Failed to find any class that implements Connector and which name "
                           "matches x.Y, available connectors are: PluginDesc{klass=class "));
}

static void test_missing_class_shows_the_config_without_its_secrets(void **state)
{
    struct fixture *f = *state;
    kvs_fini(&f->config);
    kvs_set(&f->config, "name", "c");
    kvs_set(&f->config, "mqtt.password", "hush");
    kvs_set(&f->config, "producer.override.sasl.jaas.config", "hush2");
    assert_int_equal(connector_validate(&f->worker, &f->config, &f->result, &f->error),
                     ERR_INVALID);
    assert_string_equal(f->error.text,
                        "Connector config {name=c, mqtt.password=[hidden], "
                        "producer.override.sasl.jaas.config=[hidden]} contains no connector type");
}

static void test_common_rows_come_first_in_connects_order(void **state)
{
    struct fixture *f = *state;
    validate(f);
    static const char *const first[] = {
        "name",      "connector.class",   "connector.plugin.version",
        "tasks.max", "tasks.max.enforce", "key.converter"
    };
    for (size_t i = 0; i < N_ELEMENTS(first); i++) {
        assert_string_equal(f->result.values[i].name, first[i]);
        assert_int_equal(f->result.values[i].def->order, i + 1);
    }
}

static void test_required_keys(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { "name", "mqtt.server.uri", "mqtt.topics" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        CLEANUP(free_charp) char *kept = xstrdup(kvs_get(&f->config, keys[i]));
        kvs_remove(&f->config, keys[i]);
        validate(f);
        const struct config_value *entry = config_result_find(&f->result, keys[i]);
        CLEANUP(free_charp)
        char *text =
            xasprintf("Missing required configuration \"%s\" which has no default value.", keys[i]);
        assert_int_equal(entry->n_errors, 1);
        assert_string_equal(entry->errors[0], text);
        kvs_set(&f->config, keys[i], kept);
    }
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "name", "", "String may not be empty");
    assert_error(f, "name", "a\x07\n.b",
                 "String may not contain control sequences but had the following ASCII chars: 7, "
                 "10");
    assert_error(f, "name", "a\xc2\x85z", "ASCII chars: 133"); /* U+0085, a C1 control */
    assert_error(f, "name", ".", "URL");
    assert_error(f, "name", "..", "URL");
    char *longest = xmalloc(10241);
    memset(longest, 'x', 10240);
    longest[10240] = '\0';
    assert_error(f, "name", longest, "too long");
    /* 3 characters each when encoded. */
    memset(longest, ' ', 3000);
    longest[0] = 'a';
    longest[3000] = 'b';
    longest[3001] = '\0';
    assert_error(f, "name", longest, "too long");
    free(longest);
    static const char *const good[] = { "a b", "a/b", "a%b", "caf\xc3\xa9", "->", "a?b" };
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        kvs_set(&f->config, "name", good[i]);
        assert_good(f);
    }
}

static void test_tasks_max(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "tasks.max", "0", "Value must be at least 1");
    assert_error(f, "tasks.max", "-1", "Value must be at least 1");
    assert_error(f, "tasks.max", "1000000000", "Value must be no more than 10000");
    assert_error(f, "tasks.max", "x", "Not a number of type INT");
}

static void test_uris(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "mqtt.server.uri", "tcp://a:1,tcp://b:70000", "tcp://b:70000");
    assert_error(f, "mqtt.server.uri", "ws://a", "websockets");
    assert_error(f, "mqtt.server.uri", "", "mqtt.server.uri");
}

static void test_filters(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "mqtt.topics", "a,b/#/c", "b/#/c");
    assert_error(f, "mqtt.topics", "a+", "a+");
    assert_error(f, "mqtt.topics", "\xff", "UTF-8");
    assert_error(f, "mqtt.topics", "$share/g", "$share");
}

static void test_kafka_topic(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "kafka.topic", "a b", "249");
    assert_error(f, "kafka.topic", "..", "249");
    assert_error(f, "kafka.topic", "", "non-empty");
    assert_error(f, "errors.deadletterqueue.topic.name", "a/b", "249");
}

static void test_other_values(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "mqtt.qos", "3", "no more than 2");
    assert_error(f, "mqtt.protocol.version", "3.1", "String must be one of: 5, 3.1.1, auto");
    assert_error(f, "mqtt.receive.maximum", "65536", "no more than 65535");
    assert_error(f, "mqtt.keepalive.interval.seconds", "0", "at least 5");
    assert_error(f, "mqtt.share.group", "a/b", "share group");
    assert_error(f, "mqtt.ssl.trust.store.path", "/x/trust.jks", "PEM");
    assert_error(f, "mqtt.ssl.key.store.path", "/x/key.P12", "PEM");
    assert_error(f, "errors.tolerance", "some", "String must be one of: none, all");
    assert_error(f, "config.action.reload", "later", "String must be one of: none, restart");
    assert_error(f, "errors.retry.timeout", "soon", "Not a number of type LONG");
}

static void test_passwords_are_not_quoted(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.username", "a\x01secret");
    validate(f);
    const struct config_value *entry = config_result_find(&f->result, "mqtt.username");
    assert_int_equal(entry->n_errors, 1);
    assert_null(strstr(entry->errors[0], "secret"));
}

static void test_converters(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "value.converter", "x.Y",
                 "Invalid value x.Y for configuration value.converter: Class x.Y could not be "
                 "found.");
    assert_error(f, "key.converter", "SimpleHeaderConverter",
                 "does not implement the Converter interface");
    kvs_set(&f->config, "value.converter", "StringConverter");
    assert_good(f);
    assert_string_equal(config_result_find(&f->result, "value.converter")->value,
                        "org.apache.kafka.connect.storage.StringConverter");
    assert_true(config_result_find(&f->result, "value.converter")->n_recommended >= 2);
}

static void test_transforms(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "transforms", "a");
    kvs_set(&f->config, "transforms.a.type", "x.Y");
    validate(f);
    assert_string_equal(config_result_find(&f->result, "transforms.a.type")->errors[0],
                        "Invalid value x.Y for configuration transforms.a.type: Class x.Y could "
                        "not be found.");
    kvs_set(&f->config, "transforms", "a, a");
    validate(f);
    assert_string_equal(config_result_find(&f->result, "transforms")->errors[0],
                        "Invalid value [a, a] for configuration transforms: Duplicate alias "
                        "provided.");
}

static void test_versions(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "connector.plugin.version", "99");
    validate(f);
    assert_int_equal(config_result_errors(&f->result), 2);
    const char *text = config_result_find(&f->result, "connector.class")->errors[0];
    assert_non_null(strstr(text, "Plugin MqttSource not found that matches the version range "
                                 "[99,99], available versions: ["));
    kvs_set(&f->config, "connector.plugin.version", SLUICE_VERSION);
    assert_good(f);
    kvs_set(&f->config, "connector.plugin.version", "latest");
    assert_good(f);
}

static void test_nulls(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "whatever", NULL);
    validate(f);
    assert_string_equal(f->result.values[0].name, "whatever");
    assert_null(f->result.values[0].def);
    assert_string_equal(f->result.values[0].errors[0],
                        "Null value can not be supplied as the configuration value.");
}

static void test_unknown_keys_are_no_error_and_not_shown(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "whatever", "x");
    assert_good(f);
    assert_null(config_result_find(&f->result, "whatever"));
}

static void test_aliases_that_contradict_each_other(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "mqtt.topic", "b");
    validate(f);
    assert_int_equal(config_result_find(&f->result, "mqtt.topics")->n_errors, 1);
    assert_int_equal(config_result_find(&f->result, "mqtt.topic")->n_errors, 1);
    kvs_set(&f->config, "mqtt.topic", "a/#");
    assert_good(f);
    kvs_remove(&f->config, "mqtt.topics");
    assert_good(f);
}

static void test_overrides_that_have_an_effect_have_a_definition(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "producer.override.linger.ms", "5");
    kvs_set(&f->config, "producer.override.max.block.ms", "5");
    kvs_set(&f->config, "producer.override.nope", "5");
    assert_good(f);
    const struct config_value *entry =
        config_result_find(&f->result, "producer.override.linger.ms");
    assert_non_null(entry->def);
    assert_string_equal(entry->def->name, "producer.override.linger.ms");
    assert_string_equal(entry->def->display_name, "linger.ms");
    assert_int_equal(entry->def->type, CONFIG_LONG);
    assert_string_equal(entry->value, "5");
    assert_null(config_result_find(&f->result, "producer.override.max.block.ms")->def);
}

static void test_producer_overrides_have_the_error_at_their_key(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "producer.override.linger.ms", "x", "linger.ms");
    assert_error(f, "producer.override.acks", "1", "acks");
    kvs_set(&f->config, "producer.override.linger.ms", "5");
    kvs_set(&f->config, "producer.override.compression.type", "lz4");
    assert_good(f);
}

static void test_topic_creation(void **state)
{
    struct fixture *f = *state;
    kvs_set(&f->config, "topic.creation.default.partitions", "3");
    kvs_set(&f->config, "topic.creation.default.replication.factor", "-1");
    assert_good(f);
    assert_error(f, "topic.creation.default.partitions", "0",
                 "Number of partitions must be positive, or -1 to use the broker's default");
    kvs_remove(&f->config, "topic.creation.default.partitions");
    validate(f);
    assert_int_equal(config_result_errors(&f->result), 1);
}

static void test_what_mqtt_cannot_give_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_error(f, "exactly.once.support", "required",
                 "This worker does not have exactly-once source support enabled.");
    assert_error(f, "transaction.boundary", "connector", "transaction boundaries");
    kvs_set(&f->config, "exactly.once.support", "REQUESTED");
    assert_good(f);
}

static void test_confluent_config_can_be_posted_as_it_is(void **state)
{
    struct fixture *f = *state;
    static const char *const pairs[][2] = {
        { "connector.class", "io.confluent.connect.mqtt.MqttSourceConnector" },
        { "tasks.max", "1" },
        { "mqtt.server.uri", "tcp://127.0.0.1:1883" },
        { "mqtt.topics", "temperature,humidity" },
        { "kafka.topic", "mqtt.temperature" },
        { "mqtt.qos", "2" },
        { "mqtt.clean.session.enabled", "true" },
        { "mqtt.connect.timeout.seconds", "30" },
        { "mqtt.keepalive.interval.seconds", "60" },
        { "mqtt.ssl.trust.store.path", "" },
        { "mqtt.ssl.key.store.password", "x" },
        { "max.retry.time.ms", "30000" },
        { "records.buffer.queue.size", "50000" },
        { "records.buffer.queue.empty.timeout", "100" },
        { "confluent.topic.bootstrap.servers", "kafka:9092" },
        { "confluent.topic.replication.factor", "1" },
        { "confluent.license", "" },
    };
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        kvs_set(&f->config, pairs[i][0], pairs[i][1]);
    }
    assert_good(f);
    /* The unsafe choices are hinted at. */
    assert_int_equal(config_result_find(&f->result, "mqtt.qos")->n_recommended, 1);
    assert_int_equal(config_result_find(&f->result, "mqtt.clean.session.enabled")->n_recommended,
                     1);
}

static void test_every_row_is_complete(void **state)
{
    (void)state;
    const struct config_table *tables[] = { connector_common_table(CONNECTOR_SOURCE),
                                            connector_common_table(CONNECTOR_SINK),
                                            &connector_plugins()[0]->table };
    for (size_t t = 0; t < N_ELEMENTS(tables); t++) {
        for (size_t i = 0; i < tables[t]->n_rows; i++) {
            const struct config_def *def = &tables[t]->rows[i];
            assert_non_null(def->doc);
            assert_non_null(def->group);
            assert_ptr_equal(config_find(tables[t], def->name), def);
            assert_true(!def->required || def->default_value == NULL);
        }
    }
}

#define VALIDATES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* Each task config repeats prefix and group. */
static void test_many_tasks_with_long_names_are_refused(void **state)
{
    struct fixture *f = *state;
    char prefix[2001];
    memset(prefix, 'p', sizeof(prefix) - 1);
    prefix[sizeof(prefix) - 1] = '\0';
    kvs_set(&f->config, "mqtt.client.id.prefix", prefix);
    assert_error(f, "tasks.max", "10000", "which have 2000 bytes");
    kvs_set(&f->config, "mqtt.sessions", "100");
    kvs_set(&f->config, "tasks.max", "10000");
    validate(f);
    assert_int_equal(config_result_find(&f->result, "tasks.max")->n_errors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        VALIDATES(test_minimal_config_is_good_under_every_class_name),
        VALIDATES(test_unknown_class_is_answered_in_connects_words),
        VALIDATES(test_missing_class_shows_the_config_without_its_secrets),
        VALIDATES(test_common_rows_come_first_in_connects_order),
        VALIDATES(test_required_keys),
        VALIDATES(test_names),
        VALIDATES(test_tasks_max),
        VALIDATES(test_uris),
        VALIDATES(test_filters),
        VALIDATES(test_kafka_topic),
        VALIDATES(test_other_values),
        VALIDATES(test_passwords_are_not_quoted),
        VALIDATES(test_converters),
        VALIDATES(test_transforms),
        VALIDATES(test_versions),
        VALIDATES(test_nulls),
        VALIDATES(test_unknown_keys_are_no_error_and_not_shown),
        VALIDATES(test_aliases_that_contradict_each_other),
        VALIDATES(test_overrides_that_have_an_effect_have_a_definition),
        VALIDATES(test_producer_overrides_have_the_error_at_their_key),
        VALIDATES(test_topic_creation),
        VALIDATES(test_what_mqtt_cannot_give_is_refused),
        VALIDATES(test_confluent_config_can_be_posted_as_it_is),
        VALIDATES(test_many_tasks_with_long_names_are_refused),
        cmocka_unit_test(test_every_row_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
