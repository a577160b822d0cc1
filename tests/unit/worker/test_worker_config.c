/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the worker's configuration: file, environment, defaults, and what wrong input gets. */
#include <unistd.h>

#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/worker_config.h"

/* Writes text to a new file and returns its path, owned; the caller unlinks it. */
static char *file_of(const char *text, size_t length)
{
    char path[] = "/tmp/sluice-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    (void)close(fd);
    return xstrdup(path);
}

static enum err load(const char *text, const char *const *variables, struct kvs *props,
                     struct error *ret_error)
{
    char *list[16] = { NULL };
    for (int i = 0; variables && variables[i]; i++) {
        list[i] = xstrdup(variables[i]);
    }
    CLEANUP(free_charp) char *path = text ? file_of(text, strlen(text)) : NULL;
    kvs_init(props);
    enum err err = worker_config_load(path, list, props, ret_error);
    if (path) {
        (void)unlink(path);
    }
    for (int i = 0; list[i]; i++) {
        free(list[i]);
    }
    return err;
}

static void assert_prop(const struct kvs *props, const char *key, const char *expected)
{
    assert_non_null(kvs_get(props, key));
    assert_string_equal(kvs_get(props, key), expected);
}

static void test_load_reads_the_file_and_lets_the_environment_win(void **state UNUSED)
{
    struct kvs props;
    struct error error;
    static const char *const variables[] = { "CONNECT_GROUP_ID=from-env", "PATH=/bin",
                                             "CONNECT_LOG_LEVEL=debug", NULL };
    assert_int_equal(
        load("group.id=from-file\nbootstrap.servers=k:9092\n", variables, &props, &error), ERR_OK);
    assert_prop(&props, "group.id", "from-env");
    assert_prop(&props, "bootstrap.servers", "k:9092");
    assert_prop(&props, "log.level", "debug");
    assert_false(kvs_has(&props, "path"));
    kvs_fini(&props);
}

static void test_load_maps_underscores_as_the_images_do(void **state UNUSED)
{
    struct kvs props;
    static const char *const variables[] = {
        "CONNECT_GROUP_ID=g",
        "CONNECT_CONFIG_STORAGE_TOPIC=c=d",
        "CONNECT_A__B=two",
        "CONNECT_A___B=three",
        "CONNECT_A____B=four",
        "CONNECT_PRODUCER_LINGER_MS=",
        "CONNECT_=x",
        "CONNECT_NO_VALUE",
        NULL,
    };
    assert_int_equal(load(NULL, variables, &props, NULL), ERR_OK);
    assert_prop(&props, "group.id", "g");
    assert_prop(&props, "config.storage.topic", "c=d");
    assert_prop(&props, "a_b", "two");
    assert_prop(&props, "a-b", "three");
    assert_prop(&props, "a-.b", "four");
    assert_prop(&props, "producer.linger.ms", "");
    assert_false(kvs_has(&props, ""));
    assert_false(kvs_has(&props, "no.value"));
    kvs_fini(&props);
}

static void test_load_ignores_variables_that_images_set_for_themselves(void **state UNUSED)
{
    struct kvs props;
    static const char *const variables[] = { "CONNECT_GROUP_ID=g",       "CONNECT_LOG4J_LOGGERS=x",
                                             "CONNECT_CUB_CLASSPATH=x",  "CONNECT_JVM_X=1",
                                             "CONNECT_HEAP_OPTS=-Xmx1g", NULL };
    assert_int_equal(load(NULL, variables, &props, NULL), ERR_OK);
    assert_int_equal(props.n_items, 1 + 4); /* group.id and the four topics */
    kvs_fini(&props);
}

static void test_load_names_topics_after_the_group_unless_given(void **state UNUSED)
{
    struct kvs props;
    assert_int_equal(load("group.id = bridge \noffset.storage.topic=mine\nstatus.storage.topic=",
                          NULL, &props, NULL),
                     ERR_OK);
    assert_prop(&props, "config.storage.topic", "bridge-configs");
    assert_prop(&props, "status.storage.topic", "bridge-status");
    assert_prop(&props, "offset.storage.topic", "mine");
    assert_prop(&props, "claims.storage.topic", "bridge-claims");
    kvs_fini(&props);
    assert_int_equal(load("bootstrap.servers=k:1\n", NULL, &props, NULL), ERR_OK);
    assert_false(kvs_has(&props, "config.storage.topic"));
    kvs_fini(&props);
}

static void test_load_of_unreadable_files_names_them(void **state UNUSED)
{
    struct kvs props;
    struct error error;
    kvs_init(&props);
    assert_int_equal(worker_config_load("/nonexistent/worker.properties", NULL, &props, &error),
                     ERR_IO);
    assert_string_equal(error.text, "/nonexistent/worker.properties: No such file or directory; "
                                    "give the path of a readable properties file");
    assert_int_equal(worker_config_load("/tmp", NULL, &props, &error), ERR_IO);
    assert_string_equal(error.text, "/tmp: cannot be read");
    kvs_fini(&props);
}

static void test_load_bounds_the_size_of_the_file(void **state UNUSED)
{
    size_t length = 1024U * 1024U + 1;
    char *text = xmalloc(length);
    memset(text, '#', length);
    CLEANUP(free_charp) char *path = file_of(text, length);
    struct kvs props;
    struct error error;
    kvs_init(&props);
    assert_int_equal(worker_config_load(path, NULL, &props, &error), ERR_IO);
    assert_non_null(strstr(error.text, ": larger than 1 MiB"));
    assert_int_equal(truncate(path, (off_t)length - 1), 0);
    assert_int_equal(worker_config_load(path, NULL, &props, &error), ERR_OK);
    (void)unlink(path);
    kvs_fini(&props);
    free(text);
}

static void test_load_of_a_malformed_file_names_file_and_line(void **state UNUSED)
{
    struct kvs props;
    struct error error;
    assert_int_equal(load("a=1\nb=\\u12\n", NULL, &props, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "/tmp/sluice-test-"));
    assert_non_null(strstr(error.text, ": line 2: malformed \\uXXXX escape"));
    kvs_fini(&props);
}

/* Checks a config of the two required keys and the pairs; returns what it logged, owned. */
static char *checked(const char *const *pairs, enum err *ret_err, struct error *ret_error)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "kafka:9092");
    kvs_set(&props, "group.id", "g");
    for (; pairs[0]; pairs += 2) {
        if (pairs[1]) {
            kvs_set(&props, pairs[0], pairs[1]);
        } else {
            kvs_remove(&props, pairs[0]);
        }
    }
    *ret_error = (struct error){ ERR_OK, "" };
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture_start(&capture);
    *ret_err = worker_config_check(&props, ret_error);
    char *text = capture_stop(&capture);
    kvs_fini(&props);
    return text;
}

static void assert_refused(const char *key, const char *value, const char *expected)
{
    enum err err = ERR_OK;
    struct error error;
    CLEANUP(free_charp)
    char *text = checked((const char *const[]){ key, value, NULL }, &err, &error);
    assert_int_equal(err, ERR_INVALID);
    assert_string_equal(error.text, expected);
    assert_string_equal(text, "");
}

static void assert_accepted(const char *key, const char *value)
{
    enum err err = ERR_OK;
    struct error error;
    CLEANUP(free_charp)
    char *text = checked((const char *const[]){ key, value, NULL }, &err, &error);
    if (err != ERR_OK) {
        fail_msg("%s=%s: %s", key, value, error.text);
    }
    assert_string_equal(text, "");
}

static void test_check_needs_only_servers_and_group(void **state UNUSED)
{
    assert_accepted("log.level", "INFO");
    assert_refused("group.id", NULL,
                   "Missing required configuration \"group.id\" which has no default value. Set "
                   "group.id in the properties file, or CONNECT_GROUP_ID in the environment.");
    assert_refused("bootstrap.servers", NULL,
                   "Missing required configuration \"bootstrap.servers\" which has no default "
                   "value. Set bootstrap.servers in the properties file, or "
                   "CONNECT_BOOTSTRAP_SERVERS in the environment.");
    assert_refused("group.id", " ",
                   "Invalid value  for configuration group.id: String must be non-empty. Set "
                   "group.id in the properties file, or CONNECT_GROUP_ID in the environment.");
}

static void test_check_names_key_value_and_mend(void **state UNUSED)
{
    assert_refused("rest.max.connections", "many",
                   "Invalid value many for configuration rest.max.connections: Not a number of "
                   "type INT. Remove the line to get the default, 256.");
    assert_refused("session.timeout.ms", "10",
                   "Invalid value 10 for configuration session.timeout.ms: Value must be at least "
                   "1000. Remove the line to get the default, 6000.");
    assert_refused("log.format", "xml",
                   "Invalid value xml for configuration log.format: String must be one of (case "
                   "insensitive): text, json. Remove the line to get the default, text.");
    assert_refused("claims.storage.partitions", "0",
                   "Invalid value 0 for configuration claims.storage.partitions: Value must be -1 "
                   "(the broker's default) or more than 0. Remove the line to get the default, "
                   "64.");
    assert_refused("rest.advertised.port", "70000",
                   "Invalid value 70000 for configuration rest.advertised.port: Value must be no "
                   "more than 65535.");
}

static void test_check_refuses_illegal_topic_names(void **state UNUSED)
{
    assert_refused("config.storage.topic", "my group-configs",
                   "Invalid value my group-configs for configuration config.storage.topic: a Kafka "
                   "topic name has 1 to 249 letters, digits, '.', '_' or '-'. Set "
                   "config.storage.topic; without it the name is made from group.id.");
}

static void test_check_refuses_one_topic_for_two_purposes(void **state UNUSED)
{
    enum err err = ERR_OK;
    struct error error;
    CLEANUP(free_charp)
    char *text = checked(
        (const char *const[]){ "config.storage.topic", "t", "claims.storage.topic", "t", NULL },
        &err, &error);
    assert_int_equal(err, ERR_INVALID);
    assert_string_equal(text, "");
    assert_string_equal(error.text,
                        "Invalid value t for configuration claims.storage.topic: "
                        "config.storage.topic names the same topic. Give each its own.");
}

static void test_check_refuses_heartbeats_beyond_a_third_of_the_session(void **state UNUSED)
{
    assert_refused("heartbeat.interval.ms", "2001",
                   "Invalid value 2001 for configuration heartbeat.interval.ms: it must be at most "
                   "a third of session.timeout.ms (6000). Lower it to 2000.");
    assert_accepted("heartbeat.interval.ms", "2000");
}

static void test_check_reads_every_server(void **state UNUSED)
{
    static const char *const good[] = { "h:1", "a:9092, b:9092", "10.0.0.1:65535", "[::1]:9092",
                                        "kafka-0.kafka.svc:9093" };
    for (size_t i = 0; i < N_ELEMENTS(good); i++) {
        assert_accepted("bootstrap.servers", good[i]);
    }
    static const char *const bad[] = {
        "h",   "h:",    ":9092", "h:0",           "h:65536", "h:-1",
        "h:x", "::1:9", "a b:9", "http://h:9092", "h:9/x",   "h:+1"
    };
    for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
        CLEANUP(free_charp) char *list = xasprintf("good:9092,%s", bad[i]);
        CLEANUP(free_charp)
        char *expected = xasprintf(
            "Invalid value [good:9092, %s] for configuration bootstrap.servers: '%s' is not "
            "host:port with a port from 1 to 65535. Set bootstrap.servers in the properties file, "
            "or CONNECT_BOOTSTRAP_SERVERS in the environment.",
            bad[i], bad[i]);
        assert_refused("bootstrap.servers", list, expected);
    }
    assert_refused("bootstrap.servers", "a:1,,b:1",
                   "Invalid value [a:1, , b:1] for configuration bootstrap.servers: '' is not "
                   "host:port with a port from 1 to 65535. Set bootstrap.servers in the properties "
                   "file, or CONNECT_BOOTSTRAP_SERVERS in the environment.");
}

static void test_check_tries_the_converters_with_their_keys(void **state UNUSED)
{
    enum err err = ERR_OK;
    struct error error;
    static const char *const good[] = { "value.converter", "JsonConverter",
                                        "value.converter.schemas.enable", "false", NULL };
    free(checked(good, &err, &error));
    assert_int_equal(err, ERR_OK);
    static const char *const bad[] = { "value.converter", "JsonConverter",
                                       "value.converter.schemas.enable", "perhaps", NULL };
    free(checked(bad, &err, &error));
    assert_int_equal(err, ERR_INVALID);
    assert_string_equal(error.text,
                        "value.converter: Invalid value perhaps for configuration schemas.enable: "
                        "Expected value to be either true or false");
    static const char *const wrong[] = { "key.converter", "SimpleHeaderConverter", NULL };
    free(checked(wrong, &err, &error));
    assert_int_equal(err, ERR_INVALID);
    assert_non_null(strstr(error.text, "does not implement the Converter interface"));
}

static void test_check_looks_for_the_versions_of_converters(void **state UNUSED)
{
    static const struct {
        const char *pairs[5];
        const char *told; /* NULL: fine */
    } cases[] = {
        { { "value.converter.plugin.version", "4.1.1", NULL }, NULL },
        { { "value.converter.plugin.version", "[4.0,)", NULL }, NULL },
        { { "header.converter.plugin.version", "latest", NULL }, NULL },
        { { "value.converter.plugin.version", "3.9.0", NULL },
          "Invalid value 3.9.0 for configuration value.converter.plugin.version: " },
        { { "header.converter.plugin.version", "(,4.0]", NULL },
          "for configuration header.converter.plugin.version: " },
        { { "key.converter", "JsonConverter", "key.converter.plugin.version", "[1,", NULL },
          "Invalid value [1, for configuration key.converter.plugin.version: " },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        enum err err = ERR_OK;
        struct error error = { ERR_OK, "" };
        free(checked(cases[i].pairs, &err, &error));
        assert_int_equal(err, cases[i].told ? ERR_INVALID : ERR_OK);
        if (cases[i].told) {
            assert_non_null(strstr(error.text, cases[i].told));
            assert_non_null(strstr(error.text, "; leave it out, or give 4.1.1"));
        }
    }
}

static void test_check_keeps_the_mend_behind_a_long_value(void **state UNUSED)
{
    char value[5001];
    memset(value, '7', sizeof(value));
    value[5000] = '\0';
    enum err err = ERR_OK;
    struct error error;
    CLEANUP(free_charp)
    char *text =
        checked((const char *const[]){ "rest.max.connections", value, NULL }, &err, &error);
    assert_int_equal(err, ERR_INVALID);
    assert_string_equal(text, "");
    assert_non_null(strstr(error.text, "777... for configuration rest.max.connections: Not a "
                                       "number of type INT. Remove the line to get the default, "
                                       "256."));
}

static void test_check_never_shows_a_secret(void **state UNUSED)
{
    enum err err = ERR_OK;
    struct error error;
    CLEANUP(free_charp)
    char *text =
        checked((const char *const[]){ "sasl.jaas.config", "hunter2", "ssl.key.pasword", "hunter2",
                                       "pasword", "hunter2", "group.id", NULL, NULL },
                &err, &error);
    assert_int_equal(err, ERR_INVALID);
    assert_null(strstr(error.text, "hunter2"));
    assert_null(strstr(text, "hunter2"));
}

static void test_check_warns_of_each_unknown_key_once(void **state UNUSED)
{
    enum err err = ERR_INVALID;
    struct error error;
    CLEANUP(free_charp)
    char *text = checked((const char *const[]){ "sesion.timeout.ms", "6000", "my.key", "x",
                                                "producer.linger.ms", "5", "ssl.protocol", "TLS",
                                                "plugin.path", "/x", NULL },
                         &err, &error);
    assert_int_equal(err, ERR_OK);
    assert_non_null(strstr(text, " WARN  CONFIG-UNKNOWN-KEY key=\"sesion.timeout.ms\" mend=\"did "
                                 "you mean session.timeout.ms?\"\n"));
    assert_non_null(strstr(text, " WARN  CONFIG-UNKNOWN-KEY key=\"my.key\" mend=\"it has no "
                                 "effect; remove it\"\n"));
    size_t n_lines = 0;
    for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n')) {
        n_lines++;
    }
    assert_int_equal(n_lines, 2);
}

static void test_check_suggests_a_key_for_each_kind_of_slip(void **state UNUSED)
{
    static const char *const slips[] = { "goup.id",  "groupp.id", "grpup.id",
                                         "gruop.id", "group.i",   "Group.id" };
    for (size_t i = 0; i < N_ELEMENTS(slips); i++) {
        enum err err = ERR_INVALID;
        struct error error;
        CLEANUP(free_charp)
        char *text = checked((const char *const[]){ slips[i], "x", NULL }, &err, &error);
        assert_non_null(strstr(text, "did you mean group.id?"));
    }
    enum err err = ERR_INVALID;
    struct error error;
    CLEANUP(free_charp)
    char *text = checked((const char *const[]){ "grp.id", "x", "id", "x", NULL }, &err, &error);
    assert_null(strstr(text, "did you mean"));
}

static void test_check_of_4096_unknown_keys_warns_and_passes(void **state UNUSED)
{
    struct kvs props;
    kvs_init(&props);
    char key[32];
    for (int i = 0; i < 4094; i++) {
        (void)snprintf(key, sizeof(key), "unknown.%d", i);
        kvs_set(&props, key, "x");
    }
    kvs_set(&props, "bootstrap.servers", "k:9092");
    kvs_set(&props, "group.id", "g");
    struct capture capture;
    log_setup(LOG_INFO, LOG_FORMAT_TEXT);
    capture_start(&capture);
    enum err err = worker_config_check(&props, NULL);
    CLEANUP(free_charp) char *text = capture_stop(&capture);
    assert_int_equal(err, ERR_OK);
    assert_non_null(strstr(text, "key=\"unknown.4093\""));
    kvs_fini(&props);
}

static void test_shorthands_give_given_values_or_defaults(void **state UNUSED)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "session.timeout.ms", "9000");
    CLEANUP(free_charp) char *listeners = worker_config_text(&props, "listeners");
    assert_string_equal(listeners, "http://:8083");
    assert_int_equal(worker_config_int(&props, "session.timeout.ms"), 9000);
    assert_int_equal(worker_config_int(&props, "heartbeat.interval.ms"), 500);
    kvs_fini(&props);
}

static void test_rows_have_defaults_that_pass_their_own_checks(void **state UNUSED)
{
    const struct config_table *table = worker_config_table();
    size_t n_required = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct config_def *def = &table->rows[i];
        n_required += def->required;
        assert_ptr_equal(config_find(table, def->name), def);
        assert_true(def->doc && def->doc[0]);
    }
    assert_int_equal(n_required, 2);
    assert_accepted("group.id", "g");
}

static void test_load_resolves_placeholders_and_keeps_them_out_of_the_log(void **state UNUSED)
{
    static const char text[] =
        "bootstrap.servers=k:9092\ngroup.id=g-${env:SLUICE_TEST_GROUP}\n"
        "config.providers=env\nconfig.providers.env.class=EnvVarConfigProvider\n"
        "sasl.jaas.config=x required password=\"${env:SLUICE_TEST_SECRET}\";\n"
        "session.timeout.ms=${env:SLUICE_TEST_SECRET}\nclient.id=${env:SLUICE_TEST_NONE}\n";
    assert_int_equal(setenv("SLUICE_TEST_GROUP", "one", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_SECRET", "open-sesame-42", 1), 0);
    struct kvs props;
    struct error error;
    struct capture capture;
    capture_start(&capture);
    enum err loaded = load(text, NULL, &props, &error);
    enum err checked = loaded ? loaded : worker_config_check(&props, &error);
    log_error(NULL, "CONFIG-INVALID", "%s", error.text);
    CLEANUP(free_charp) char *log = capture_stop(&capture);
    assert_int_equal(loaded, ERR_OK);
    assert_int_equal(checked, ERR_INVALID);
    assert_prop(&props, "group.id", "g-one");
    assert_prop(&props, "config.storage.topic", "g-one-configs");
    assert_prop(&props, "sasl.jaas.config", "x required password=\"open-sesame-42\";");
    assert_null(strstr(log, "open-sesame-42"));
    assert_non_null(strstr(log, "Invalid value ${env:SLUICE_TEST_SECRET} for"));
    assert_non_null(strstr(log, "CONFIG-PLACEHOLDER key=\"client.id\""));
    kvs_fini(&props);
}

static void test_load_names_a_wrong_provider(void **state UNUSED)
{
    struct kvs props;
    struct error error;
    assert_int_equal(load("config.providers=vault\n", NULL, &props, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "config.providers.vault.class"));
    kvs_fini(&props);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load_reads_the_file_and_lets_the_environment_win),
        cmocka_unit_test(test_load_maps_underscores_as_the_images_do),
        cmocka_unit_test(test_load_ignores_variables_that_images_set_for_themselves),
        cmocka_unit_test(test_load_names_topics_after_the_group_unless_given),
        cmocka_unit_test(test_load_of_unreadable_files_names_them),
        cmocka_unit_test(test_load_bounds_the_size_of_the_file),
        cmocka_unit_test(test_load_of_a_malformed_file_names_file_and_line),
        cmocka_unit_test(test_load_resolves_placeholders_and_keeps_them_out_of_the_log),
        cmocka_unit_test(test_load_names_a_wrong_provider),
        cmocka_unit_test(test_check_needs_only_servers_and_group),
        cmocka_unit_test(test_check_names_key_value_and_mend),
        cmocka_unit_test(test_check_refuses_illegal_topic_names),
        cmocka_unit_test(test_check_refuses_one_topic_for_two_purposes),
        cmocka_unit_test(test_check_refuses_heartbeats_beyond_a_third_of_the_session),
        cmocka_unit_test(test_check_reads_every_server),
        cmocka_unit_test(test_check_tries_the_converters_with_their_keys),
        cmocka_unit_test(test_check_looks_for_the_versions_of_converters),
        cmocka_unit_test(test_check_keeps_the_mend_behind_a_long_value),
        cmocka_unit_test(test_check_never_shows_a_secret),
        cmocka_unit_test(test_check_warns_of_each_unknown_key_once),
        cmocka_unit_test(test_check_suggests_a_key_for_each_kind_of_slip),
        cmocka_unit_test(test_check_of_4096_unknown_keys_warns_and_passes),
        cmocka_unit_test(test_shorthands_give_given_values_or_defaults),
        cmocka_unit_test(test_rows_have_defaults_that_pass_their_own_checks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
