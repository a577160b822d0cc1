/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the way from configurations to client properties. */
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/kafka/props.h"

/* A self-signed certificate and its key, made for this test, in one line as properties files have
 * them. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE----- MIIBdTCCARugAwIBAgIUcigIZeT4c+vildi02VK3bgNbyl8wCgYIKoZIzj0E"
    "AwIw DzENMAsGA1UEAwwEdW5pdDAgFw0yNjExMjIxNTA4NDlaGA8yMTI2MTAyOTE1MDg0 OVowDzENMAsGA1UEAw"
    "wEdW5pdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMRI bQM9tglxF7GIeF3yzEYZ2MtmYLuIvL6JGfieO8EkY"
    "F8TmEWcObAywuAJb3u9++Ib cnBpsQ08Qji4wqAnyY+jUzBRMB0GA1UdDgQWBBTe+VK00kU0kAsk8ln/195pi8m6"
    " LDAfBgNVHSMEGDAWgBTe+VK00kU0kAsk8ln/195pi8m6LDAPBgNVHRMBAf8EBTAD AQH/MAoGCCqGSM49BAMCA0"
    "gAMEUCIH0oxuDgGtyW7/bWSnnzTSvR02BdF0EUqTRB V1TJDhH+AiEAjlTXOR8avIQlTDPegtuTBmNY6XrxSJcNM"
    "Xsf1M9QjDk= -----END CERTIFICATE-----";
static const char private_key[] =
    "-----BEGIN PRIVATE KEY----- MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZ8BXg4659mWS"
    "yAxg vzoT52EmrXBDFZXuU244lMLFzbqhRANCAATESG0DPbYJcRexiHhd8sxGGdjLZmC7 iLy+iRn4njvBJGBfE5"
    "hFnDmwMsLgCW97vfviG3JwabENPEI4uMKgJ8mP -----END PRIVATE KEY-----";

struct fixture {
    struct kvs worker;
    struct kvs overrides;
    struct kvs props;
    struct kvs ignored;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    kvs_init(&fixture->worker);
    kvs_init(&fixture->overrides);
    kvs_init(&fixture->props);
    kvs_init(&fixture->ignored);
    kvs_set(&fixture->worker, "bootstrap.servers", "kafka:9092");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    kvs_fini(&fixture->worker);
    kvs_fini(&fixture->overrides);
    kvs_fini(&fixture->props);
    kvs_fini(&fixture->ignored);
    free(fixture);
    return 0;
}

static enum err build(struct fixture *fixture, enum kafka_role role)
{
    kvs_fini(&fixture->props);
    kvs_fini(&fixture->ignored);
    return kafka_props_build(role, &fixture->worker, &fixture->overrides, &fixture->props,
                             &fixture->ignored, &fixture->error);
}

static void assert_prop(const struct fixture *fixture, const char *key, const char *value)
{
    const char *found = kvs_get(&fixture->props, key);
    if (!value) {
        assert_null(found);
        return;
    }
    if (!found) {
        fail_msg("%s is not set", key);
    }
    assert_string_equal(found, value);
}

static void test_connector_producers_never_lose_by_default(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    assert_prop(fixture, "bootstrap.servers", "kafka:9092");
    assert_prop(fixture, "acks", "all");
    assert_prop(fixture, "enable.idempotence", "true");
    assert_prop(fixture, "message.timeout.ms", "0");
    assert_prop(fixture, "linger.ms", "1");
    assert_prop(fixture, "partitioner", "murmur2_random");
    assert_int_equal(fixture->ignored.n_items, 0);
    assert_int_equal(kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error),
                     ERR_OK);
}

static void test_every_role_builds_what_librdkafka_takes(void **state)
{
    struct fixture *fixture = *state;
    for (int role = KAFKA_WORKER_PRODUCER; role <= KAFKA_CONNECTOR_ADMIN; role++) {
        assert_int_equal(build(fixture, (enum kafka_role)role), ERR_OK);
        assert_int_equal(kafka_props_check((enum kafka_role)role, &fixture->props, &fixture->error),
                         ERR_OK);
    }
}

/* What becomes of one setting of a connector's client. */
static const struct {
    enum kafka_role role;
    const char *given;
    const char *value;
    const char *key;
    const char *expected;
} translations[] = {
    { KAFKA_CONNECTOR_PRODUCER, "acks", "-1", "acks", "all" },
    { KAFKA_CONNECTOR_PRODUCER, "request.required.acks", "all", "acks", "all" },
    { KAFKA_CONNECTOR_PRODUCER, "batch.size", "16384", "batch.size", "16384" },
    { KAFKA_CONNECTOR_PRODUCER, "linger.ms", "25", "linger.ms", "25" },
    { KAFKA_CONNECTOR_PRODUCER, "queue.buffering.max.ms", "25", "linger.ms", "25" },
    { KAFKA_CONNECTOR_PRODUCER, "compression.type", "zstd", "compression.type", "zstd" },
    { KAFKA_CONNECTOR_PRODUCER, "max.request.size", "2000000", "message.max.bytes", "2000000" },
    { KAFKA_CONNECTOR_PRODUCER, "buffer.memory", "134217728", "queue.buffering.max.kbytes",
      "131072" },
    { KAFKA_CONNECTOR_PRODUCER, "buffer.memory", "1024", "queue.buffering.max.kbytes", "2050" },
    { KAFKA_CONNECTOR_PRODUCER, "delivery.timeout.ms", "60000", "message.timeout.ms", "60000" },
    { KAFKA_CONNECTOR_PRODUCER, "retries", "2147483647", "retries", "2147483647" },
    { KAFKA_CONNECTOR_PRODUCER, "request.timeout.ms", "40000", "request.timeout.ms", "40000" },
    { KAFKA_CONNECTOR_PRODUCER, "request.timeout.ms", "40000", "socket.timeout.ms", "40000" },
    { KAFKA_CONNECTOR_CONSUMER, "request.timeout.ms", "400000", "socket.timeout.ms", "300000" },
    { KAFKA_CONNECTOR_CONSUMER, "request.timeout.ms", "40000", "request.timeout.ms", NULL },
    { KAFKA_CONNECTOR_PRODUCER, "send.buffer.bytes", "-1", "socket.send.buffer.bytes", "0" },
    { KAFKA_CONNECTOR_PRODUCER, "receive.buffer.bytes", "65536", "socket.receive.buffer.bytes",
      "65536" },
    { KAFKA_CONNECTOR_PRODUCER, "client.id", "me", "client.id", "me" },
    { KAFKA_CONNECTOR_PRODUCER, "security.protocol", "SASL_SSL", "security.protocol", "sasl_ssl" },
    { KAFKA_CONNECTOR_PRODUCER, "sasl.mechanisms", "PLAIN", "sasl.mechanism", "PLAIN" },
    { KAFKA_CONNECTOR_PRODUCER, "sasl.mechanism", "SCRAM-SHA-512", "sasl.mechanism",
      "SCRAM-SHA-512" },
    { KAFKA_CONNECTOR_PRODUCER, "partitioner.class",
      "org.apache.kafka.clients.producer.RoundRobinPartitioner", "partitioner", "random" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.endpoint.identification.algorithm", "",
      "ssl.endpoint.identification.algorithm", "none" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.truststore.location", "/x/ca.pem", "ssl.ca.location",
      "/x/ca.pem" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.keystore.location", "/x/me.pem", "ssl.certificate.location",
      "/x/me.pem" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.keystore.location", "/x/me.pem", "ssl.key.location",
      "/x/me.pem" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.keystore.location", "/x/me.p12", "ssl.keystore.location",
      "/x/me.p12" },
    { KAFKA_CONNECTOR_PRODUCER, "ssl.ca.location", "/x/ca.pem", "ssl.ca.location", "/x/ca.pem" },
    { KAFKA_CONNECTOR_PRODUCER, "socket.nagle.disable", "false", "socket.nagle.disable", "false" },
    { KAFKA_CONNECTOR_CONSUMER, "fetch.max.wait.ms", "77", "fetch.wait.max.ms", "77" },
    { KAFKA_CONNECTOR_CONSUMER, "auto.offset.reset", "none", "auto.offset.reset", "error" },
    { KAFKA_CONNECTOR_CONSUMER, "auto.offset.reset", "latest", "auto.offset.reset", "latest" },
    { KAFKA_CONNECTOR_CONSUMER, "max.partition.fetch.bytes", "5000", "max.partition.fetch.bytes",
      "5000" },
    { KAFKA_CONNECTOR_CONSUMER, "partition.assignment.strategy",
      "org.apache.kafka.clients.consumer.RangeAssignor, "
      "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
      "partition.assignment.strategy", "range,cooperative-sticky" },
    { KAFKA_CONNECTOR_CONSUMER, "enable.auto.commit", "true", "enable.auto.commit", "false" },
};

static void test_settings_are_translated_one_by_one(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < N_ELEMENTS(translations); i++) {
        kvs_fini(&fixture->overrides);
        kvs_set(&fixture->overrides, "security.protocol", "SSL");
        kvs_set(&fixture->overrides, translations[i].given, translations[i].value);
        if (build(fixture, translations[i].role) != ERR_OK) {
            fail_msg("%s=%s: %s", translations[i].given, translations[i].value,
                     fixture->error.text);
        }
        assert_prop(fixture, translations[i].key, translations[i].expected);
    }
}

/* Settings that are refused, and words that the answer must hold. */
static const struct {
    const char *given;
    const char *value;
    const char *words;
} refusals[] = {
    { "acks", "1", "Invalid value 1 for configuration acks: must be all" },
    { "acks", "0", "must be all" },
    { "request.required.acks", "0", "request.required.acks: must be all" },
    { "enable.idempotence", "false", "must be true" },
    { "enable.idempotence", "maybe", "Expected value to be either true or false" },
    { "retries", "0", "at least 1" },
    { "max.in.flight.requests.per.connection", "6", "1 to 5" },
    { "max.in.flight", "1000", "max.in.flight: must be 1 to 5" },
    { "transactional.id", "t", "leave it out" },
    { "delivery.report.only.error", "true", "lose" },
    { "queuing.strategy", "lifo", "order" },
    { "plugin.library.paths", "/tmp/x.so", "not safe" },
    { "sasl.kerberos.kinit.cmd", "reboot", "not safe" },
    { "ssl.engine.location", "/tmp/x.so", "not safe" },
    { "ssl.engine.id", "x", "not safe" },
    { "ssl.providers", "x", "not safe" },
    { "offset.store.method", "file", "not safe" },
    { "offset.store.path", "/tmp/x", "not safe" },
    { "topic.offset.store.path", "/tmp/x", "topic.offset.store.path: it is not safe" },
    { "topic.acks", "0", "Invalid value 0 for configuration topic.acks: must be all" },
    { "topic.request.required.acks", "1", "must be all" },
    { "topic.topic.acks", "0", "must be all" },
    { "open_cb", "x", "open_cb" },
    { "interceptors", "x", "interceptors" },
    { "test.mock.num.brokers", "3", "not safe" },
    { "linger.ms", "x", "Invalid value x for configuration linger.ms: Not a number of type LONG" },
    { "linger.ms", "", "Not a number of type LONG" },
    { "linger.ms", " 5", "Not a number of type LONG" },
    { "linger.ms", "-3", "linger.ms" },
    { "batch.size", "99999999999", "Not a number of type INT" },
    { "compression.type", "rar", "Invalid value rar for configuration compression.type" },
    { "security.protocol", "TELNET", "must be one of (case insensitive): PLAINTEXT" },
    { "compression.type", "", "compression.type" },
    { "ssl.truststore.location", "/x/trust.jks", "ssl.truststore.type=PEM" },
    { "ssl.truststore.location", "/x/trust", "keytool" },
    { "ssl.truststore.location", "/x/trust.p12", "only PEM" },
    { "ssl.keystore.location", "/x/key.jks", "PKCS12" },
    { "ssl.truststore.certificates", "not pem", "no PEM block" },
    { "ssl.truststore.certificates", "-----BEGIN CERTIFICATE-----", "no PEM block" },
    { "ssl.keystore.key", "x", "go together" },
    { "sasl.jaas.config", "PlainLoginModule required username=\"a\";", "needs the option" },
    { "sasl.jaas.config", "Foo required;", "PlainLoginModule" },
    { "request.timeout.ms", "1", "at least 10" },
    { "buffer.memory", "12", "at least 1024" },
    { "socket.keepalive.enable", "perhaps", "socket.keepalive.enable" },
};

static void test_unsafe_and_wrong_settings_are_refused_with_a_reason(void **state)
{
    struct fixture *fixture = *state;
    for (size_t i = 0; i < N_ELEMENTS(refusals); i++) {
        kvs_fini(&fixture->overrides);
        kvs_set(&fixture->overrides, "security.protocol", "SSL");
        kvs_set(&fixture->overrides, refusals[i].given, refusals[i].value);
        fixture->error.text[0] = '\0';
        enum err err = build(fixture, KAFKA_CONNECTOR_PRODUCER);
        if (err != ERR_INVALID || !strstr(fixture->error.text, refusals[i].words)) {
            fail_msg("%s=%s: %s: %s", refusals[i].given, refusals[i].value, err_name(err),
                     fixture->error.text);
        }
        assert_int_equal(fixture->props.n_items, 0);
    }
}

static void test_a_message_names_the_key_as_it_was_written(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "producer.linger.ms", "x");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_INVALID);
    assert_string_equal(fixture->error.text, "Invalid value x for configuration "
                                             "producer.linger.ms: Not a number of type LONG");
}

static void test_secrets_are_never_in_a_message(void **state)
{
    static const char *const keys[] = { "sasl.jaas.config", "ssl.keystore.key" };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        CLEANUP(free_charp) char *prefixed = xasprintf("producer.%s", keys[i]);
        kvs_fini(&fixture->overrides);
        kvs_fini(&fixture->worker);
        kvs_set(&fixture->worker, "bootstrap.servers", "kafka:9092");
        kvs_set(&fixture->worker, "producer.security.protocol", "SSL");
        kvs_set(&fixture->worker, "producer.ssl.keystore.certificate.chain", certificate);
        kvs_set(&fixture->worker, prefixed, "hunter2");
        assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_INVALID);
        assert_null(strstr(fixture->error.text, "hunter2"));
        assert_non_null(strstr(fixture->error.text, "[hidden]"));
    }
}

static void test_connector_clients_do_not_inherit_the_workers_security(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "security.protocol", "SSL");
    kvs_set(&fixture->worker, "ssl.ca.location", "/worker/ca.pem");
    kvs_set(&fixture->worker, "group.id", "g");
    kvs_set(&fixture->worker, "producer.compression.type", "lz4");
    kvs_set(&fixture->worker, "consumer.fetch.min.bytes", "7");
    assert_int_equal(build(fixture, KAFKA_WORKER_PRODUCER), ERR_OK);
    assert_prop(fixture, "security.protocol", "ssl");
    assert_prop(fixture, "ssl.ca.location", "/worker/ca.pem");
    assert_prop(fixture, "compression.type", NULL);
    assert_prop(fixture, "group.id", NULL);
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    assert_prop(fixture, "security.protocol", NULL);
    assert_prop(fixture, "ssl.ca.location", NULL);
    assert_prop(fixture, "compression.type", "lz4");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_CONSUMER), ERR_OK);
    assert_prop(fixture, "security.protocol", NULL);
    assert_prop(fixture, "fetch.min.bytes", "7");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_ADMIN), ERR_OK);
    assert_prop(fixture, "security.protocol", "ssl");
}

static void test_overrides_win_over_the_worker_under_either_name(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "producer.linger.ms", "5");
    kvs_set(&fixture->worker, "producer.bootstrap.servers", "other:9092");
    kvs_set(&fixture->overrides, "queue.buffering.max.ms", "9");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    assert_prop(fixture, "linger.ms", "9");
    assert_prop(fixture, "bootstrap.servers", "other:9092");
}

static void test_names_without_a_counterpart_are_left_out_and_named(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "producer.interceptor.classes", "a.b.C");
    kvs_set(&fixture->worker, "producer.max.block.ms", "1");
    kvs_set(&fixture->worker, "producer.no.such.thing", "1");
    kvs_set(&fixture->worker, "producer.fetch.min.bytes", "1");
    kvs_set(&fixture->worker, "producer.linger.ms", "1");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    assert_int_equal(fixture->ignored.n_items, 4);
    assert_true(kvs_has(&fixture->ignored, "producer.interceptor.classes"));
    assert_true(kvs_has(&fixture->ignored, "producer.max.block.ms"));
    assert_true(kvs_has(&fixture->ignored, "producer.no.such.thing"));
    assert_true(kvs_has(&fixture->ignored, "producer.fetch.min.bytes"));
    assert_prop(fixture, "no.such.thing", NULL);
    assert_prop(fixture, "fetch.min.bytes", NULL);
}

static void test_a_login_line_becomes_user_and_password(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "security.protocol", "SASL_PLAINTEXT");
    kvs_set(&fixture->worker, "sasl.mechanism", "SCRAM-SHA-256");
    kvs_set(&fixture->worker, "sasl.jaas.config",
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" "
            "password=\"p;w\";");
    assert_int_equal(build(fixture, KAFKA_WORKER_CONSUMER), ERR_OK);
    assert_prop(fixture, "sasl.username", "u");
    assert_prop(fixture, "sasl.password", "p;w");
    assert_prop(fixture, "sasl.jaas.config", NULL);
    assert_int_equal(kafka_props_check(KAFKA_WORKER_CONSUMER, &fixture->props, &fixture->error),
                     ERR_OK);
}

static void test_an_oauth_login_line_asks_for_tokens_by_oidc(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "sasl.mechanism", "OAUTHBEARER");
    kvs_set(&fixture->worker, "sasl.jaas.config",
            "OAuthBearerLoginModule required clientId=\"i\" clientSecret=\"s\" scope=\"c\";");
    if (build(fixture, KAFKA_WORKER_ADMIN) != ERR_OK) {
        /* A librdkafka that was built without it. */
        assert_non_null(strstr(fixture->error.text, "OIDC"));
        return;
    }
    assert_prop(fixture, "sasl.oauthbearer.method", "oidc");
    assert_prop(fixture, "sasl.oauthbearer.client.id", "i");
    assert_prop(fixture, "sasl.oauthbearer.client.secret", "s");
    assert_prop(fixture, "sasl.oauthbearer.scope", "c");
}

static void test_pem_in_one_line_is_what_librdkafka_can_read(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "security.protocol", "SSL");
    kvs_set(&fixture->worker, "ssl.truststore.type", "PEM");
    kvs_set(&fixture->worker, "ssl.truststore.certificates", certificate);
    kvs_set(&fixture->worker, "ssl.keystore.type", "PEM");
    kvs_set(&fixture->worker, "ssl.keystore.certificate.chain", certificate);
    kvs_set(&fixture->worker, "ssl.keystore.key", private_key);
    assert_int_equal(build(fixture, KAFKA_WORKER_PRODUCER), ERR_OK);
    enum err err = kafka_props_check(KAFKA_WORKER_PRODUCER, &fixture->props, &fixture->error);
    if (err != ERR_OK) {
        fail_msg("%s", fixture->error.text);
    }
}

static void test_stores_are_not_looked_at_without_tls(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->worker, "ssl.keystore.location", "/rest/listener.jks");
    assert_int_equal(build(fixture, KAFKA_WORKER_PRODUCER), ERR_OK);
    assert_prop(fixture, "ssl.keystore.location", NULL);
    kvs_set(&fixture->worker, "security.protocol", "SASL_SSL");
    assert_int_equal(build(fixture, KAFKA_WORKER_PRODUCER), ERR_INVALID);
}

static void test_check_finds_what_only_opening_a_client_finds(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->overrides, "security.protocol", "SSL");
    kvs_set(&fixture->overrides, "ssl.ca.location", "/does/not/exist.pem");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    assert_int_equal(kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error),
                     ERR_INVALID);
    assert_non_null(strstr(fixture->error.text, "ssl.ca.location"));
    kvs_set(&fixture->props, "no.such.key", "1");
    assert_int_equal(kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error),
                     ERR_INVALID);
    assert_non_null(strstr(fixture->error.text, "Invalid value 1 for configuration no.such.key"));
}

static void test_an_address_is_required(void **state)
{
    struct fixture *fixture = *state;
    kvs_remove(&fixture->worker, "bootstrap.servers");
    assert_int_equal(build(fixture, KAFKA_WORKER_ADMIN), ERR_INVALID);
    assert_non_null(strstr(fixture->error.text, "\"bootstrap.servers\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_connector_producers_never_lose_by_default),
        TEST(test_every_role_builds_what_librdkafka_takes),
        TEST(test_settings_are_translated_one_by_one),
        TEST(test_unsafe_and_wrong_settings_are_refused_with_a_reason),
        TEST(test_a_message_names_the_key_as_it_was_written),
        TEST(test_secrets_are_never_in_a_message),
        TEST(test_connector_clients_do_not_inherit_the_workers_security),
        TEST(test_overrides_win_over_the_worker_under_either_name),
        TEST(test_names_without_a_counterpart_are_left_out_and_named),
        TEST(test_a_login_line_becomes_user_and_password),
        TEST(test_an_oauth_login_line_asks_for_tokens_by_oidc),
        TEST(test_pem_in_one_line_is_what_librdkafka_can_read),
        TEST(test_stores_are_not_looked_at_without_tls),
        TEST(test_check_finds_what_only_opening_a_client_finds),
        TEST(test_an_address_is_required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
