/* SPDX-License-Identifier: Apache-2.0 */
/* Which values are secret, looked at as somebody who wants to read them. */
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/secrets.h"

static void test_names_say_secret_however_they_are_written(void **state UNUSED)
{
    static const char *const secret[] = {
        "password",
        "PASSWORD",
        "ssl.keystore.password",
        "db_pass",
        "mqtt.pwd",
        "api.key",
        "api_key",
        "apiKey",
        "api-key",
        "sasl.jaas.config",
        "ssl.keystore.key",
        "ssl.key.pem",
        "client-secret",
        "bearer.auth.token",
        "private.key",
        "basic.auth.user.info",
        "basic.auth.credentials.source",
        "http.headers.Authorization",
        "aws.secret.access.key",
        "passphrase",
        "tls.psk",
        "azure.connection.string",
        "sasl.oauthbearer.config",
    };
    static const char *const plain[] = {
        "kafka.topic",
        "key.converter",
        "bypass",
        "compass",
        "mqtt.client.id",
        "key",
        "pinned",
        "ssl.truststore.location",
        "ssl.keystore.certificate.chain",
        "passive",
        "",
        "sas.topic",
    };
    for (size_t i = 0; i < N_ELEMENTS(secret); i++) {
        if (!secret_name(secret[i])) {
            fail_msg("%s", secret[i]);
        }
    }
    for (size_t i = 0; i < N_ELEMENTS(plain); i++) {
        if (secret_name(plain[i])) {
            fail_msg("%s", plain[i]);
        }
    }
}

static void fill(struct kvs *config, const char *class_name)
{
    kvs_init(config);
    kvs_set(config, "connector.class", class_name);
    kvs_set(config, "transforms", "maskToken");
    kvs_set(config, "transforms.maskToken.type", "InsertHeader");
    kvs_set(config, "transforms.maskToken.header", "X-Api-Key");
    kvs_set(config, "transforms.f.static.field", "password");
    kvs_set(config, "transforms.g.header", "origin");
}

static void test_keys_are_secret_by_definition_or_by_name(void **state UNUSED)
{
    static const char *const secret[] = {
        "mqtt.password",
        "mqtt.username",
        "mqtt.ssl.key.password",
        "confluent.license",
        "producer.override.sasl.jaas.config",
        "consumer.override.ssl.key.password",
        "admin.override.ssl.keystore.key",
        "value.converter.basic.auth.user.info",
        "transforms.maskToken.value.literal",
        "transforms.f.static.value",
        "transforms.x.api.key",
        "something.nobody.knows.token",
    };
    static const char *const plain[] = {
        "connector.class",
        "transforms",
        "transforms.maskToken.type",
        "mqtt.topics",
        "transforms.maskToken.header",
        "transforms.g.value.literal",
        "predicates.secret.type",
        "topic.creation.token.partitions",
        "producer.override.acks",
        "mqtt.server.uri",
        "mqtt.ssl.client.key.path",
        "tasks.max",
    };
    struct kvs config;
    fill(&config, "MqttSource");
    for (size_t i = 0; i < N_ELEMENTS(secret); i++) {
        if (!secret_key(&config, secret[i])) {
            fail_msg("%s", secret[i]);
        }
    }
    for (size_t i = 0; i < N_ELEMENTS(plain); i++) {
        if (secret_key(&config, plain[i])) {
            fail_msg("%s", plain[i]);
        }
    }
    kvs_fini(&config);
}

/* A change of the class, or one that this worker does not know, uncovers nothing. */
static void test_a_key_that_any_kind_hides_is_hidden_under_every_class(void **state UNUSED)
{
    static const char *const classes[] = { "MqttSource", "MqttSink", "com.example.Unknown" };
    for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
        struct kvs config;
        fill(&config, classes[i]);
        assert_true(secret_key(&config, "mqtt.username"));
        assert_true(secret_key(&config, "mqtt.password"));
        kvs_remove(&config, "connector.class");
        assert_true(secret_key(&config, "mqtt.username"));
        kvs_fini(&config);
    }
}

static void assert_uris(const char *text, const char *expected)
{
    CLEANUP(free_charp) char *masked = secrets_mask_uris(text);
    assert_string_equal(masked, expected);
}

static void test_passwords_in_uris_are_masked(void **state UNUSED)
{
    assert_uris("tcp://u:pw@host:1883", "tcp://u:[hidden]@host:1883");
    assert_uris("tcp://u:p@w:x@host", "tcp://u:[hidden]@host");
    assert_uris("a tcp://u:one@a,ssl://v:two@b c", "a tcp://u:[hidden]@a,ssl://v:[hidden]@b c");
    assert_uris("'https://:pw@h/p'", "'https://:[hidden]@h/p'");
    assert_uris("tcp://host:1883", "tcp://host:1883");
    assert_uris("tcp://user@host:1883", "tcp://user@host:1883");
    assert_uris("tcp://u:@host", "tcp://u:@host");
    assert_uris("tcp://u:${env:PW}@host", "tcp://u:${env:PW}@host");
    assert_uris("no uri: a@b", "no uri: a@b");
    assert_uris("://", "://");
    assert_uris("", "");
}

static void test_secrets_inside_of_values_are_collected(void **state UNUSED)
{
    struct kvs config;
    fill(&config, "MqttSource");
    kvs_set(&config, "producer.override.sasl.jaas.config",
            "x.PlainLoginModule required username=\"anna\" password=\"opensesame\";");
    kvs_set(&config, "admin.override.sasl.jaas.config", "y required password=unquoted;");
    kvs_set(&config, "http.proxy", "http://anna:proxied@host");
    kvs_set(&config, "mqtt.password", " padded\n");
    kvs_set(&config, "mqtt.username", "${file:/x:user}");
    struct redactions set;
    redactions_init(&set);
    secrets_collect(&config, &config, &set);
    CLEANUP(free_charp)
    char *text = redactions_apply(&set, "opensesame unquoted proxied padded anna ${file:/x:user}");
    assert_string_equal(text, "[hidden] [hidden] [hidden] [hidden] anna ${file:/x:user}");
    redactions_fini(&set);
    kvs_fini(&config);
}

static char *repeated(const char *piece, size_t n)
{
    struct buf out;
    buf_init(&out);
    for (size_t i = 0; i < n; i++) {
        buf_add_text(&out, piece);
    }
    return buf_take(&out);
}

/* What is looked for in a value costs no more than a few times its length. */
static void test_long_values_of_many_options_or_uris_cost_little(void **state UNUSED)
{
    CLEANUP(free_charp) char *options = repeated("token=", 160000);
    CLEANUP(free_charp) char *short_options = repeated("token=a ", 20000);
    CLEANUP(free_charp) char *uris = repeated("://", 320000);
    struct kvs config;
    struct redactions set;
    fill(&config, "MqttSource");
    kvs_set(&config, "a.token", options);
    kvs_set(&config, "b.token", short_options);
    kvs_set(&config, "c", uris);
    redactions_init(&set);
    uint64_t start_ms = clock_mono_ms();
    secrets_collect(&config, &config, &set);
    assert_uris(uris, uris);
    assert_in_range(clock_mono_ms() - start_ms, 0, 5000);
    assert_in_range(set.n_bytes, strlen(options), (size_t)2 * 1024 * 1024);
    CLEANUP(free_charp) char *text = redactions_apply(&set, options);
    assert_string_equal(text, SECRET_MASK);
    redactions_fini(&set);
    kvs_fini(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_say_secret_however_they_are_written),
        cmocka_unit_test(test_keys_are_secret_by_definition_or_by_name),
        cmocka_unit_test(test_a_key_that_any_kind_hides_is_hidden_under_every_class),
        cmocka_unit_test(test_passwords_in_uris_are_masked),
        cmocka_unit_test(test_secrets_inside_of_values_are_collected),
        cmocka_unit_test(test_long_values_of_many_options_or_uris_cost_little),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
