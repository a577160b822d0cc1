/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connectors and their configs: create, read, change, delete, list.
 *
 * fakes: fake_cluster
 */
#include <limits.h>

#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

#define CLASS "\"connector.class\":\"TestSource\""
#define ENDING                                                                                     \
    "\nYou can also find the above list of errors at the endpoint "                                \
    "`/connector-plugins/{connectorType}/config/validate`"

static void test_create_answers_201_with_location_and_info(void **state)
{
    struct served *served = *state;
    int code = served_call(served, "POST", "/connectors",
                           "{\"name\":\" a \",\"config\":{" CLASS ",\"url\":\"u\",\"tasks.max\":2,"
                           "\"errors.log.enable\":true}}");
    assert_int_equal(code, 201);
    assert_body(served, "{\"name\":\"a\",\"config\":{" CLASS
                        ",\"url\":\"u\",\"tasks.max\":\"2\",\"errors.log.enable\":\"true\","
                        "\"name\":\"a\"},\"tasks\":[],\"type\":\"source\"}");
    assert_string_equal(served_header(served, "Location"), "http://worker:8083/connectors/a");
}

static void test_location_has_the_base_that_the_client_used(void **state)
{
    struct served *served = *state;
    served->request.host = "gateway.example:80";
    served_create(served, "a/b c?\xc3\xa4");
    assert_string_equal(served_header(served, "Location"),
                        "http://gateway.example:80/connectors/a%2Fb%20c%3F%C3%A4");
    served->request.host = "evil host/\r\nX: y";
    served_create(served, "b");
    assert_string_equal(served_header(served, "Location"), "http://worker:8083/connectors/b");
}

static void test_every_legal_name_can_be_read_and_deleted(void **state)
{
    struct served *served = *state;
    static const char *const names[][2] = {
        { "a/b", "a%2Fb" }, { "a%b", "a%25b" }, { "a\\\\b", "a%5Cb" },
        { "a;b", "a%3Bb" }, { "a b", "a%20b" }, { "a->b", "a%2D%3Eb" },
        { "a+b", "a+b" },   { "?", "%3F" },     { "\xf0\x9f\x98\x80", "%F0%9F%98%80" },
    };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        served_create(served, names[i][0]);
        CLEANUP(free_charp) char *path = xasprintf("/connectors/%s", names[i][1]);
        assert_int_equal(served_call(served, "GET", path, NULL), 200);
        assert_int_equal(served_call(served, "DELETE", path, NULL), 204);
        assert_int_equal(served_call(served, "GET", path, NULL), 404);
    }
}

static void test_create_twice_is_409_but_an_invalid_config_comes_first(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "POST", "/connectors",
                                 "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\"}}"),
                     409);
    assert_error(served, 409, "Connector a already exists");
    assert_int_equal(
        served_call(served, "POST", "/connectors", "{\"name\":\"a\",\"config\":{" CLASS "}}"), 400);
}

static void test_validation_text_lists_all_errors(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "POST", "/connectors",
                                 "{\"config\":{" CLASS ",\"level\":\"0\",\"tasks.max\":-1}}"),
                     400);
    assert_error(served, 400,
                 "Connector configuration is invalid and contains the following 4 error(s):\n"
                 "Invalid value  for configuration name: String may not be empty\n"
                 "Invalid value -1 for configuration tasks.max: Value must be at least 1\n"
                 "Missing required configuration \"url\" which has no default value.\n"
                 "Invalid value 0 for configuration level: Value must be at least 1" ENDING);
}

static void test_bad_bodies_are_400_and_change_nothing(void **state)
{
    struct served *served = *state;
    static const char *const bodies[] = {
        "",
        "{",
        "nul",
        "[]",
        "5",
        "null",
        "\"a\"",
        "{} x",
        "{\"name\":\"a\"}",
        "{\"name\":\"a\",\"config\":null}",
        "{\"name\":\"a\",\"config\":[]}",
        "{\"name\":\"a\",\"config\":\"x\"}",
        "{\"name\":\"a\",\"config\":{}}",
        "{\"name\":[],\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":{}}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":[\"u\"]}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":null}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\",\"x\":null}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\"},\"extra\":1}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\"},\"initial_state\":\"NOPE\"}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\"},\"initial_state\":1}",
        "{\"name\":\"a\",\"name\":\"b\",\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"a\",\"config\":{" CLASS ",\"url\":\"u\",\"name\":\"b\"}}",
        "{\"name\":\"a\\u0000b\",\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"a\\u0007b\",\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"\xff\",\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"..\",\"config\":{" CLASS ",\"url\":\"u\"}}",
        "{\"name\":\"a\",\"config\":{\"connector.class\":null}}",
        "{\"name\":\"a\",\"config\":{\"connector.class\":\"Nope\"}}",
    };
    for (size_t i = 0; i < N_ELEMENTS(bodies); i++) {
        if (served_call(served, "POST", "/connectors", bodies[i]) != 400) {
            fail_msg("%s: %d", bodies[i], served->response.code);
        }
        cJSON_Delete(served_json(served));
    }
    assert_int_equal(fake_cluster_changes(served->cluster), 0);
}

static void test_a_name_that_no_uri_can_hold_is_refused(void **state)
{
    struct served *served = *state;
    struct buf body;
    buf_init(&body);
    buf_add_text(&body, "{\"config\":{" CLASS ",\"url\":\"u\"},\"name\":\"");
    for (int i = 0; i < 10240; i++) {
        buf_add_char(&body, 'n');
    }
    buf_add_text(&body, "\"}");
    assert_int_equal(served_call(served, "POST", "/connectors", buf_text(&body)), 400);
    assert_non_null(strstr(served->response.body, "for configuration name: "));
    buf_fini(&body);
}

static void test_names_must_match(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "POST", "/connectors", "{\"config\":{\"name\":\"a\"}}"),
                     400);
    assert_error(served, 400,
                 "Connector name configuration (a) doesn't match connector name in the URL ()");
    served_create(served, "c");
    static const char *const methods[] = { "PUT", "PATCH" };
    for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
        assert_int_equal(
            served_call(served, methods[i], "/connectors/c/config", "{\"name\":\"other\"}"), 400);
        assert_error(
            served, 400,
            "Connector name configuration (other) doesn't match connector name in the URL (c)");
    }
}

static void test_a_config_without_class_is_shown_without_secrets(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "POST", "/connectors",
                                 "{\"name\":\"a\",\"config\":{\"password\":\"opensesame\"}}"),
                     400);
    assert_error(served, 400,
                 "Connector config {password=[hidden], name=a} contains no connector type");
}

static void test_initial_state_is_taken_in_any_case(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "POST", "/connectors",
                                 "{\"name\":\"a\",\"initial_state\":\"stopped\",\"config\":{" CLASS
                                 ",\"url\":\"u\"}}"),
                     201);
    struct snapshot *snapshot = cluster_snapshot(served->cluster);
    assert_int_equal(snapshot_find(snapshot, "a")->target, TARGET_STOPPED);
    snapshot_unref(snapshot);
}

static void test_put_creates_with_201_and_replaces_with_200(void **state)
{
    struct served *served = *state;
    static const char config[] = "{" CLASS ",\"url\":\"u\"}";
    assert_int_equal(served_call(served, "PUT", "/connectors/a%20b/config", config), 201);
    assert_string_equal(served_header(served, "Location"), "http://worker:8083/connectors/a%20b");
    served_tasks(served, "a b", 2);
    assert_int_equal(
        served_call(served, "PUT", "/connectors/a%20b/config", "{" CLASS ",\"url\":\"v\"}"), 200);
    assert_null(served_header(served, "Location"));
    assert_body(served, "{\"name\":\"a b\",\"config\":{" CLASS
                        ",\"url\":\"v\",\"name\":\"a b\"},\"tasks\":[{\"connector\":\"a b\","
                        "\"task\":0},{\"connector\":\"a b\",\"task\":1}],\"type\":\"source\"}");
}

static void test_patch_merges_and_null_removes(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    assert_int_equal(served_call(served, "PATCH", "/connectors/a/config",
                                 "{\"url\":\"v\",\"password\":null,\"level\":7}"),
                     200);
    assert_int_equal(served_call(served, "GET", "/connectors/a/config", NULL), 200);
    assert_body(served, "{\"connector.class\":\"" TEST_SOURCE
                        "\",\"url\":\"v\",\"name\":\"a\",\"level\":\"7\"}");
    assert_int_equal(served_call(served, "PATCH", "/connectors/a/config", "{\"url\":null}"), 400);
    assert_int_equal(served_call(served, "PATCH", "/connectors/b/config", "{\"url\":\"v\"}"), 404);
    assert_error(served, 404, "Connector b not found");
}

static void test_patch_is_computed_anew_when_others_were_faster(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    fake_cluster_fail(served->cluster, ERR_CONFLICT, 3);
    assert_int_equal(served_call(served, "PATCH", "/connectors/a/config", "{\"url\":\"v\"}"), 200);
    fake_cluster_fail(served->cluster, ERR_CONFLICT, UINT_MAX);
    served->env.request_timeout_ms = 50;
    assert_int_equal(served_call(served, "PATCH", "/connectors/a/config", "{\"url\":\"w\"}"), 409);
}

static void test_secrets_are_masked_and_a_mask_keeps_them(void **state)
{
    struct served *served = *state;
    served_create(served, "a");
    served_tasks(served, "a", 1);
    served_status(served, "a", -1, STATE_RUNNING, NULL);
    served_status(served, "a", 0, STATE_FAILED, "login with opensesame failed");
    static const char *const paths[] = { "/connectors/a",
                                         "/connectors/a/config",
                                         "/connectors/a/tasks",
                                         "/connectors/a/status",
                                         "/connectors/a/tasks/0/status",
                                         "/connectors?expand=info&expand=status" };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        assert_int_equal(served_call(served, "GET", paths[i], NULL), 200);
        assert_null(strstr(served->response.body, "opensesame"));
        assert_non_null(strstr(served->response.body, "[hidden]"));
    }
    static const char masked[] = "{" CLASS ",\"url\":\"v\",\"password\":\"[hidden]\"}";
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", masked), 200);
    assert_null(strstr(served->response.body, "opensesame"));
    assert_int_equal(
        served_call(served, "PATCH", "/connectors/a/config", "{\"password\":\"[hidden]\"}"), 200);
    struct snapshot *snapshot = cluster_snapshot(served->cluster);
    const struct connector_state *connector = snapshot_find(snapshot, "a");
    assert_string_equal(kvs_get(&connector->config, "password"), "opensesame");
    assert_string_equal(kvs_get(&connector->config, "url"), "v");
    snapshot_unref(snapshot);
}

static void test_a_mask_without_a_stored_value_is_400(void **state)
{
    struct served *served = *state;
    static const char masked[] = "{" CLASS ",\"url\":\"v\",\"password\":\"[hidden]\"}";
    CLEANUP(free_charp) char *create = xasprintf("{\"name\":\"a\",\"config\":%s}", masked);
    assert_int_equal(served_call(served, "POST", "/connectors", create), 400);
    assert_non_null(
        strstr(served->response.body, "Invalid value [hidden] for configuration password: "));
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", masked), 400);
    assert_int_equal(fake_cluster_changes(served->cluster), 0);
}

static void test_list_and_expansions(void **state)
{
    struct served *served = *state;
    served_create(served, "b");
    served_create(served, "a");
    served_status(served, "a", -1, STATE_RUNNING, NULL);
    assert_int_equal(served_call(served, "GET", "/connectors", NULL), 200);
    assert_body(served, "[\"a\",\"b\"]");
    assert_int_equal(served_call(served, "GET", "/connectors?expand=nix", NULL), 200);
    assert_body(served, "{\"a\":{},\"b\":{}}");
    assert_int_equal(served_call(served, "GET", "/connectors?expand=status", NULL), 200);
    assert_body(served,
                "{\"a\":{\"status\":{\"name\":\"a\",\"connector\":{\"state\":\"RUNNING\","
                "\"worker_id\":\"worker:8083\",\"version\":\"1.2.3\"},\"tasks\":[],\"type\":"
                "\"source\"}}}");
    assert_int_equal(
        served_call(served, "GET", "/connectors?expand=info&expand=status&expand=info", NULL), 200);
    cJSON *body = served_json(served);
    const cJSON *entry = cJSON_GetObjectItem(body, "a");
    assert_int_equal(cJSON_GetArraySize(body), 1);
    assert_int_equal(cJSON_GetArraySize(entry), 2);
    assert_non_null(cJSON_GetObjectItem(entry, "info"));
    cJSON_Delete(body);
}

static void test_missing_connectors_are_404_in_connects_words(void **state)
{
    struct served *served = *state;
    static const struct {
        const char *method;
        const char *path;
        const char *text;
    } cases[] = {
        { "GET", "/connectors/x", "Connector x not found" },
        { "GET", "/connectors/x/config", "Connector x not found" },
        { "GET", "/connectors/x/tasks", "Connector x not found" },
        { "DELETE", "/connectors/x", "Connector x not found" },
        { "GET", "/connectors/x/status", "No status found for connector x" },
        { "GET", "/connectors/x/tasks/3/status", "No status found for task x-3" },
        { "POST", "/connectors/x/restart", "Unknown connector: x" },
        { "POST", "/connectors/x/restart?includeTasks=true", "Unknown connector: x" },
        { "POST", "/connectors/x/tasks/0/restart", "Unknown connector: x" },
        { "PUT", "/connectors/x/pause", "Unknown connector x" },
        { "PUT", "/connectors/x/resume", "Unknown connector x" },
        { "PUT", "/connectors/x/stop", "Unknown connector x" },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        assert_int_equal(served_call(served, cases[i].method, cases[i].path, NULL), 404);
        assert_error(served, 404, cases[i].text);
    }
}

static void test_a_body_of_very_many_values_is_refused(void **state)
{
    struct served *served = *state;
    struct buf body;
    buf_init(&body);
    buf_add_text(&body, "{" CLASS ",\"a\":[0");
    for (size_t i = 0; i < 65536; i++) {
        buf_add_text(&body, ",0");
    }
    buf_add_text(&body, "]}");
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", buf_text(&body)), 400);
    assert_error(served, 400, "Request body has too many values: at most 65537 are taken");
    buf_fini(&body);
    /* Commas of a text are none. */
    buf_init(&body);
    buf_add_text(&body, "{" CLASS ",\"url\":\"u\\\"");
    for (size_t i = 0; i < 70000; i++) {
        buf_add_char(&body, ',');
    }
    buf_add_text(&body, "\"}");
    assert_int_equal(served_call(served, "PUT", "/connectors/a/config", buf_text(&body)), 201);
    buf_fini(&body);
}

#define served_test(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        served_test(test_create_answers_201_with_location_and_info),
        served_test(test_a_body_of_very_many_values_is_refused),
        served_test(test_location_has_the_base_that_the_client_used),
        served_test(test_every_legal_name_can_be_read_and_deleted),
        served_test(test_create_twice_is_409_but_an_invalid_config_comes_first),
        served_test(test_validation_text_lists_all_errors),
        served_test(test_bad_bodies_are_400_and_change_nothing),
        served_test(test_a_name_that_no_uri_can_hold_is_refused),
        served_test(test_names_must_match),
        served_test(test_a_config_without_class_is_shown_without_secrets),
        served_test(test_initial_state_is_taken_in_any_case),
        served_test(test_put_creates_with_201_and_replaces_with_200),
        served_test(test_patch_merges_and_null_removes),
        served_test(test_patch_is_computed_anew_when_others_were_faster),
        served_test(test_secrets_are_masked_and_a_mask_keeps_them),
        served_test(test_a_mask_without_a_stored_value_is_400),
        served_test(test_list_and_expansions),
        served_test(test_missing_connectors_are_404_in_connects_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
