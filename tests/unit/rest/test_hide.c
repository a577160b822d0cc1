/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers about configs with placeholders: what these stand for is looked up, used, and not shown.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"

#define CLASS    "\"connector.class\":\"" TEST_SOURCE "\""
#define VALIDATE "/connector-plugins/TestSource/config/validate"
#define GONE     "Could not read properties from file /no/such/file"

static int setup(void **state)
{
    (void)served_setup(state);
    struct served *served = *state;
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "config.providers", "env,file");
    kvs_set(&props, "config.providers.env.class", "EnvVarConfigProvider");
    kvs_set(&props, "config.providers.file.class", "FileConfigProvider");
    struct error error;
    providers_free(served->env.providers);
    assert_int_equal(providers_new(&props, &served->env.providers, &error), ERR_OK);
    kvs_fini(&props);
    assert_int_equal(setenv("SLUICE_TEST_SECRET", "opensesame", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_ZERO", "0", 1), 0);
    assert_int_equal(setenv("SLUICE_TEST_LIST", "alpha, beta-secret", 1), 0);
    return 0;
}

/* One entry of the last validation. Borrowed from json. */
static const cJSON *value_of(const cJSON *json, const char *key)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(json, "configs"))
    {
        const cJSON *value = cJSON_GetObjectItem(item, "value");
        if (strcmp(cJSON_GetObjectItem(value, "name")->valuestring, key) == 0) {
            return value;
        }
    }
    fail_msg("no entry of %s", key);
    return NULL;
}

static void assert_value(const cJSON *json, const char *key, const char *text, const char *error)
{
    const cJSON *value = value_of(json, key);
    const char *shown = cJSON_GetObjectItem(value, "value")->valuestring;
    if (text) {
        assert_string_equal(shown, text);
    } else {
        assert_null(shown);
    }
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(value, "errors"), 0);
    if (error) {
        assert_non_null(first);
        assert_string_equal(first->valuestring, error);
    } else {
        assert_null(first);
    }
}

static void test_validate_shows_placeholders_in_values_and_errors(void **state)
{
    struct served *served = *state;
    static const char body[] =
        "{" CLASS ",\"name\":\"a\",\"url\":\"${env:SLUICE_TEST_SECRET}\",\"level\":"
        "\"${env:SLUICE_TEST_ZERO}\",\"password\":\"${env:SLUICE_TEST_SECRET}\",\"tasks.max\":"
        "\"${env:SLUICE_TEST_SECRET}\",\"value.converter\":\"${env:SLUICE_TEST_SECRET}\"}";
    assert_int_equal(served_call(served, "PUT", VALIDATE, body), 200);
    assert_null(strstr(served->response.body, "opensesame"));
    cJSON *json = served_json(served);
    assert_value(json, "url", "${env:SLUICE_TEST_SECRET}", NULL);
    assert_value(json, "password", "[hidden]", NULL);
    assert_value(json, "level", "${env:SLUICE_TEST_ZERO}",
                 "Invalid value ${env:SLUICE_TEST_ZERO} for configuration level: Value must be at "
                 "least 1");
    assert_value(
        json, "tasks.max", "${env:SLUICE_TEST_SECRET}",
        "Invalid value ${env:SLUICE_TEST_SECRET} for configuration tasks.max: Not a number "
        "of type INT");
    cJSON_Delete(json);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", body), 400);
    assert_null(strstr(served->response.body, "opensesame"));
    assert_non_null(strstr(served->response.body, "${env:SLUICE_TEST_SECRET}"));
}

/* The fault is in one key, the error stands at another. */
static void test_errors_at_a_plugins_class_hide_the_values_of_its_keys(void **state)
{
    struct served *served = *state;
    static const char body[] =
        "{" CLASS ",\"name\":\"a\",\"url\":\"u\",\"transforms\":\"x\",\"transforms.x.type\":"
        "\"org.apache.kafka.connect.transforms.Cast$Value\",\"transforms.x.spec\":"
        "\"f:${env:SLUICE_TEST_LIST}\"}";
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", body), 400);
    assert_non_null(strstr(served->response.body, "[hidden]"));
    assert_null(strstr(served->response.body, "alpha"));
    assert_null(strstr(served->response.body, "beta"));
}

/* Names of transforms would be keys of the answer. */
static void test_placeholders_that_would_become_names_are_refused(void **state)
{
    struct served *served = *state;
    static const char *const keys[] = { "transforms", "predicates", "topic.creation.groups" };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        CLEANUP(free_charp)
        char *body = xasprintf("{" CLASS ",\"name\":\"a\",\"url\":\"u\",\"%s\":"
                               "\"x,${env:SLUICE_TEST_LIST}\"}",
                               keys[i]);
        assert_int_equal(served_call(served, "PUT", "/connectors/a/config", body), 400);
        assert_non_null(strstr(served->response.body, "are not resolved here"));
        assert_null(strstr(served->response.body, "alpha"));
        assert_null(strstr(served->response.body, "beta"));
    }
    assert_int_equal(fake_cluster_changes(served->cluster), 0);
}

static void test_an_unreadable_file_is_500_in_connects_words(void **state)
{
    struct served *served = *state;
    static const char config[] =
        "{" CLASS ",\"name\":\"a\",\"url\":\"u\",\"password\":\"${file:/no/such/file:pw}\"}";
    CLEANUP(free_charp) char *create = xasprintf("{\"name\":\"a\",\"config\":%s}", config);
    assert_int_equal(served_call(served, "PUT", VALIDATE, config), 500);
    assert_error(served, 500, GONE);
    assert_int_equal(served_call(served, "POST", "/connectors", create), 500);
    assert_error(served, 500, GONE);
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", config), 500);
    assert_error(served, 500, GONE);
    assert_int_equal(fake_cluster_changes(served->cluster), 0);
}

/* As when the file went after the connector was made. */
static void test_restart_with_an_unreadable_file(void **state)
{
    struct served *served = *state;
    struct out_records records;
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "connector.class", TEST_SOURCE);
    kvs_set(&config, "password", "${file:/no/such/file:pw}");
    out_records_init(&records);
    record_connector(&records, "a", &config);
    fake_log_add(served->log, &records);
    kvs_fini(&config);
    served_tasks(served, "a", 1);
    served_status(served, "a", -1, STATE_RUNNING, NULL);
    served_status(served, "a", 0, STATE_RUNNING, NULL);
    assert_int_equal(served_call(served, "POST", "/connectors/a/restart", NULL), 500);
    assert_error(served, 500, GONE);
    /* It was asked for all the same: that is how the connector comes to be FAILED. */
    assert_int_equal(fake_cluster_changes(served->cluster), 1);
    assert_int_equal(served_call(served, "POST", "/connectors/a/restart?includeTasks=true", NULL),
                     202);
    assert_int_equal(fake_cluster_changes(served->cluster), 2);
}

static void test_configs_keep_their_placeholders(void **state)
{
    struct served *served = *state;
    static const char body[] =
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"tcp://u:${env:SLUICE_TEST_SECRET}@h\","
        "\"password\":\"${env:SLUICE_TEST_SECRET}\"}}";
    assert_int_equal(served_call(served, "POST", "/connectors", body), 201);
    assert_null(strstr(served->response.body, "opensesame"));
    assert_int_equal(served_call(served, "GET", "/connectors/a/config", NULL), 200);
    cJSON *json = served_json(served);
    assert_string_equal(cJSON_GetObjectItem(json, "password")->valuestring,
                        "${env:SLUICE_TEST_SECRET}");
    assert_string_equal(cJSON_GetObjectItem(json, "url")->valuestring,
                        "tcp://u:${env:SLUICE_TEST_SECRET}@h");
    cJSON_Delete(json);
}

static void test_pieces_of_a_secret_in_an_error_are_hidden(void **state)
{
    struct served *served = *state;
    static const char body[] =
        "{" CLASS ",\"name\":\"a\",\"url\":\"u\",\"producer.override.sasl.jaas.config\":"
        "\"x.PlainLoginModule required username=\\\"anna\\\" password=\\\"open sesame\"}";
    assert_int_equal(served_call(served, "PUT", VALIDATE, body), 200);
    assert_null(strstr(served->response.body, "sesame"));
    assert_null(strstr(served->response.body, "anna"));
}

static void test_without_masking_configs_are_shown_as_they_are_stored(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    served_tasks(served, "a", 1);
    served_status(served, "a", 0, STATE_FAILED, "login with opensesame failed");
    served->env.masking = false;
    static const char *const shown[] = { "/connectors/a", "/connectors/a/config",
                                         "/connectors/a/tasks", "/connectors?expand=info" };
    for (size_t i = 0; i < N_ELEMENTS(shown); i++) {
        assert_int_equal(served_call(served, "GET", shown[i], NULL), 200);
        assert_non_null(strstr(served->response.body, "opensesame"));
    }
    assert_int_equal(served_call(served, "GET", "/connectors/a/tasks/0/status", NULL), 200);
    assert_null(strstr(served->response.body, "opensesame"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, served_teardown)
        SERVED(test_validate_shows_placeholders_in_values_and_errors),
        SERVED(test_errors_at_a_plugins_class_hide_the_values_of_its_keys),
        SERVED(test_placeholders_that_would_become_names_are_refused),
        SERVED(test_an_unreadable_file_is_500_in_connects_words),
        SERVED(test_restart_with_an_unreadable_file),
        SERVED(test_configs_keep_their_placeholders),
        SERVED(test_pieces_of_a_secret_in_an_error_are_hidden),
        SERVED(test_without_masking_configs_are_shown_as_they_are_stored),
#undef SERVED
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
