/* SPDX-License-Identifier: Apache-2.0 */
/* Values that librdkafka would hand to a shell, or open whatever they lead to. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/kafka/props.h"

#define RELOGIN "sasl.kerberos.min.time.before.relogin"
#define LOGIN   "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true "

struct fixture {
    struct kvs worker;
    struct kvs overrides;
    struct kvs props;
    struct kvs ignored;
    struct error error;
    char folder[32];
    char *fifo;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    kvs_init(&fixture->worker);
    kvs_init(&fixture->overrides);
    kvs_init(&fixture->props);
    kvs_init(&fixture->ignored);
    kvs_set(&fixture->worker, "bootstrap.servers", "kafka:9092");
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/sluice-guard-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    fixture->fifo = xasprintf("%s/fifo.pem", fixture->folder);
    assert_int_equal(mkfifo(fixture->fifo, 0600), 0);
    /* An open that waits is a failure of this test, not its end. */
    (void)alarm(60);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->fifo);
    (void)rmdir(fixture->folder);
    free(fixture->fifo);
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

static bool of_connector(enum kafka_role role)
{
    return role >= KAFKA_CONNECTOR_PRODUCER;
}

/* The settings that this role of client reads. */
static struct kvs *settings(struct fixture *fixture, enum kafka_role role)
{
    return of_connector(role) ? &fixture->overrides : &fixture->worker;
}

static void speak_kerberos(struct kvs *settings)
{
    kvs_set(settings, "security.protocol", "SASL_PLAINTEXT");
    kvs_set(settings, "sasl.mechanism", "GSSAPI");
}

static void expect_refused(struct fixture *fixture, enum kafka_role role, const char *key,
                           const char *value)
{
    enum err err = build(fixture, role);
    if (err != ERR_INVALID || !strstr(fixture->error.text, key) ||
        !strstr(fixture->error.text, "command line of kinit")) {
        fail_msg("role %d %s=%s: %s: %s", (int)role, key, value, err_name(err),
                 fixture->error.text);
    }
}

static void test_what_a_shell_would_read_is_refused_for_every_client(void **state)
{
    static const char *const keys[] = { "sasl.kerberos.principal", "sasl.kerberos.keytab",
                                        "sasl.kerberos.service.name" };
    static const char *const bad[] = {
        "x;id>/tmp/p #", "$(id)", "`id`",  "a b",   "a|b",      "a&b",
        "a\"b",          "a'b",   "a\nid", "-S",    "a\\b",     "a>b",
        "(id)",          "a${x",  "%{b}",  "~root", "*.keytab", "b\xc3\xa4",
    };
    struct fixture *fixture = *state;
    for (int role = KAFKA_WORKER_PRODUCER; role <= (int)KAFKA_CONNECTOR_ADMIN; role++) {
        struct kvs *given = settings(fixture, (enum kafka_role)role);
        speak_kerberos(given);
        for (size_t i = 0; i < N_ELEMENTS(keys) * N_ELEMENTS(bad); i++) {
            const char *key = keys[i % N_ELEMENTS(keys)];
            kvs_set(given, key, bad[i / N_ELEMENTS(keys)]);
            expect_refused(fixture, (enum kafka_role)role, key, bad[i / N_ELEMENTS(keys)]);
            kvs_remove(given, key);
        }
    }
}

static void test_a_login_line_is_no_way_around(void **state)
{
    struct fixture *fixture = *state;
    static const char *const lines[] = {
        LOGIN "keyTab=\"/x\" principal=\"x;id>/tmp/p #\";",
        LOGIN "keyTab=\"/x\\\";id #\" principal=\"p\";",
        LOGIN "keyTab=\"/x\" principal=\"p\" serviceName=\"`id`\";",
    };
    for (int role = KAFKA_WORKER_PRODUCER; role <= (int)KAFKA_CONNECTOR_ADMIN; role++) {
        struct kvs *given = settings(fixture, (enum kafka_role)role);
        speak_kerberos(given);
        for (size_t i = 0; i < N_ELEMENTS(lines); i++) {
            kvs_set(given, "sasl.jaas.config", lines[i]);
            expect_refused(fixture, (enum kafka_role)role, "configuration sasl.jaas.config",
                           lines[i]);
            assert_null(strstr(fixture->error.text, "keyTab="));
        }
    }
}

static void test_names_and_paths_of_every_day_are_taken(void **state)
{
    struct fixture *fixture = *state;
    speak_kerberos(&fixture->worker);
    kvs_set(&fixture->worker, "sasl.kerberos.principal", "sluice/w-1.example.com@EXAMPLE.COM");
    kvs_set(&fixture->worker, "sasl.kerberos.keytab", "/etc/krb5/sluice_1.keytab");
    kvs_set(&fixture->worker, "sasl.kerberos.service.name", "kafka");
    assert_int_equal(build(fixture, KAFKA_WORKER_PRODUCER), ERR_OK);
    assert_string_equal(kvs_get(&fixture->props, "sasl.kerberos.keytab"),
                        "/etc/krb5/sluice_1.keytab");
}

/* librdkafka starts no kinit for a client with this at 0. */
static void expect_kinit(struct fixture *fixture, enum kafka_role role, bool runs)
{
    if (build(fixture, role) != ERR_OK) {
        fail_msg("%s", fixture->error.text);
    }
    const char *relogin = kvs_get(&fixture->props, RELOGIN);
    bool off = relogin && strcmp(relogin, "0") == 0;
    assert_int_equal(!off, runs);
}

static void test_a_connectors_own_login_runs_no_program(void **state)
{
    struct fixture *fixture = *state;
    static const char *const own[][2] = {
        { "sasl.kerberos.keytab", "/other" },
        { "sasl.kerberos.principal", "other" },
        { "sasl.kerberos.service.name", "other" },
        { RELOGIN, "1000" },
        { "sasl.jaas.config", LOGIN "keyTab=\"/x\" principal=\"p\";" },
    };
    kvs_set(&fixture->worker, "producer.security.protocol", "SASL_PLAINTEXT");
    kvs_set(&fixture->worker, "producer.sasl.mechanism", "GSSAPI");
    kvs_set(&fixture->worker, "producer.sasl.kerberos.keytab", "/w");
    kvs_set(&fixture->worker, "producer.sasl.kerberos.principal", "w");
    expect_kinit(fixture, KAFKA_CONNECTOR_PRODUCER, true);
    kvs_set(&fixture->overrides, "linger.ms", "7");
    expect_kinit(fixture, KAFKA_CONNECTOR_PRODUCER, true);
    for (size_t i = 0; i < N_ELEMENTS(own); i++) {
        kvs_set(&fixture->overrides, own[i][0], own[i][1]);
        expect_kinit(fixture, KAFKA_CONNECTOR_PRODUCER, false);
        assert_int_equal(kvs_has(&fixture->ignored, "sasl.kerberos.keytab"), i == 0);
        kvs_remove(&fixture->overrides, own[i][0]);
    }
}

static const char *const files[] = {
    "ssl.ca.location",  "ssl.certificate.location", "ssl.key.location",
    "ssl.crl.location", "ssl.truststore.location",  "ssl.keystore.location",
};

/* OpenSSL opens what it is told to: a pipe held a thread of the REST interface for ever. */
static void test_a_path_to_no_file_is_refused_at_once(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = { fixture->fifo, "/dev/zero", "/proc/self/environ", "/dev/stdin",
                                  "/does/not/exist" };
    for (size_t i = 0; i < N_ELEMENTS(files) * N_ELEMENTS(paths); i++) {
        const char *key = files[i % N_ELEMENTS(files)];
        const char *path = paths[i / N_ELEMENTS(files)];
        kvs_fini(&fixture->overrides);
        kvs_set(&fixture->overrides, "security.protocol", "SSL");
        kvs_set(&fixture->overrides, "ssl.truststore.type", "PEM");
        kvs_set(&fixture->overrides, "ssl.keystore.type", "PEM");
        kvs_set(&fixture->overrides, key, path);
        assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
        enum err err =
            kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error);
        const char *why = strstr(path, "exist") ? "No such file" : "it is no regular file";
        if (err != ERR_INVALID || !strstr(fixture->error.text, why) ||
            !strstr(fixture->error.text, ".location: ")) {
            fail_msg("%s=%s: %s %s", key, path, err_name(err), fixture->error.text);
        }
    }
}

static void test_folders_of_authorities_and_unread_paths_are_taken(void **state)
{
    struct fixture *fixture = *state;
    kvs_set(&fixture->overrides, "ssl.ca.location", "/does/not/exist");
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_CONSUMER), ERR_OK);
    kvs_set(&fixture->props, "group.id", "g");
    assert_int_equal(kafka_props_check(KAFKA_CONNECTOR_CONSUMER, &fixture->props, &fixture->error),
                     ERR_OK);
    kvs_set(&fixture->overrides, "security.protocol", "SSL");
    kvs_set(&fixture->overrides, "ssl.ca.location", fixture->folder);
    assert_int_equal(build(fixture, KAFKA_CONNECTOR_PRODUCER), ERR_OK);
    enum err err = kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error);
    if (err != ERR_OK) {
        fail_msg("%s", fixture->error.text);
    }
}

static int listen_somewhere(int *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

/* A look at a configuration asks nobody for a token, nor waits for who does not answer. */
static void test_a_check_fetches_no_token(void **state)
{
    struct fixture *fixture = *state;
    int port = 0;
    int fd = listen_somewhere(&port);
    CLEANUP(free_charp) char *url = xasprintf("http://127.0.0.1:%d/token", port);
    kvs_set(&fixture->overrides, "security.protocol", "SASL_PLAINTEXT");
    kvs_set(&fixture->overrides, "sasl.mechanism", "OAUTHBEARER");
    kvs_set(&fixture->overrides, "sasl.oauthbearer.method", "oidc");
    kvs_set(&fixture->overrides, "sasl.oauthbearer.client.id", "i");
    kvs_set(&fixture->overrides, "sasl.oauthbearer.client.secret", "s");
    kvs_set(&fixture->overrides, "sasl.oauthbearer.token.endpoint.url", url);
    if (build(fixture, KAFKA_CONNECTOR_PRODUCER) == ERR_OK) {
        enum err err =
            kafka_props_check(KAFKA_CONNECTOR_PRODUCER, &fixture->props, &fixture->error);
        if (err != ERR_OK) {
            fail_msg("%s", fixture->error.text);
        }
        assert_int_equal(accept(fd, NULL, NULL), -1);
        assert_int_equal(errno, EAGAIN);
    } else {
        /* A librdkafka that was built without it. */
        assert_non_null(strstr(fixture->error.text, "OIDC"));
    }
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_a_shell_would_read_is_refused_for_every_client),
        TEST(test_a_login_line_is_no_way_around),
        TEST(test_names_and_paths_of_every_day_are_taken),
        TEST(test_a_connectors_own_login_runs_no_program),
        TEST(test_a_path_to_no_file_is_refused_at_once),
        TEST(test_folders_of_authorities_and_unread_paths_are_taken),
        TEST(test_a_check_fetches_no_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
