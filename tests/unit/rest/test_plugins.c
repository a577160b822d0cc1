/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plug-ins, definitions of keys, validation.
 *
 * fakes: fake_cluster
 */
#include "plugins.h"
#include "served.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"

static void test_list_has_sinks_then_sources_and_more_on_request(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/connector-plugins", NULL), 200);
    assert_body(served, "[{\"class\":\"test.TestSinkConnector\",\"type\":\"sink\",\"version\":"
                        "\"1.2.3\"},{\"class\":\"" TEST_SOURCE
                        "\",\"type\":\"source\",\"version\":\"1.2.3\"}]");
    assert_int_equal(served_call(served, "GET", "/connector-plugins?connectorsOnly=false", NULL),
                     200);
    cJSON *list = served_json(served);
    assert_in_range(cJSON_GetArraySize(list), 4, 100);
    bool header = false;
    const cJSON *plugin = NULL;
    cJSON_ArrayForEach(plugin, list)
    {
        const char *type = cJSON_GetObjectItem(plugin, "type")->valuestring;
        header = header || strcmp(type, "header_converter") == 0;
    }
    assert_true(header);
    cJSON_Delete(list);
}

static const cJSON *find(const cJSON *list, const char *name)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *value = cJSON_GetObjectItem(item, "value");
        const cJSON *holder = value ? value : item;
        if (strcmp(cJSON_GetObjectItem(holder, "name")->valuestring, name) == 0) {
            return item;
        }
    }
    return NULL;
}

static void test_definitions_are_own_keys_first(void **state)
{
    struct served *served = *state;
    static const char *const names[] = { "TestSource", "TestSourceConnector", TEST_SOURCE };
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        char target[100];
        (void)snprintf(target, sizeof(target), "/connector-plugins/%s/config", names[i]);
        assert_int_equal(served_call(served, "GET", target, NULL), 200);
        cJSON *list = served_json(served);
        assert_string_equal(cJSON_GetObjectItem(list->child, "name")->valuestring, "url");
        assert_non_null(find(list, "tasks.max"));
        assert_non_null(find(list, "topic.creation.groups"));
        cJSON_Delete(list);
    }
    assert_int_equal(served_call(served, "GET", "/connector-plugins/Nope/config", NULL), 404);
    assert_error(served, 404, "Unknown plugin Nope.");
}

static void test_versions_are_checked(void **state)
{
    struct served *served = *state;
    static const char base[] = "/connector-plugins/TestSource/config?version=";
    static const struct {
        const char *version;
        int code;
    } cases[] = { { "1.2.3", 200 }, { "latest", 200 }, { "%5B1,2)", 200 },
                  { "%5B1,", 400 }, { "", 400 },       { "9", 400 } };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        char target[100];
        (void)snprintf(target, sizeof(target), "%s%s", base, cases[i].version);
        assert_int_equal(served_call(served, "GET", target, NULL), cases[i].code);
    }
    assert_error(served, 400,
                 "Plugin test.TestSourceConnector not found that matches the version range [9,9], "
                 "available versions: [1.2.3]");
}

static void test_a_definition_has_connects_fields(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "GET", "/connector-plugins/TestSource/config", NULL), 200);
    static const char first[] =
        "[{\"name\":\"url\",\"type\":\"STRING\",\"required\":true,\"default_value\":null,"
        "\"importance\":\"HIGH\",\"documentation\":\"Where to read.\",\"group\":\"Test\","
        "\"width\":\"LONG\",\"display_name\":\"URL\",\"dependents\":[],\"order\":1},";
    assert_int_equal(strncmp(served->response.body, first, strlen(first)), 0);
}

static void test_validate_is_200_with_errors_at_their_keys(void **state)
{
    struct served *served = *state;
    assert_int_equal(served_call(served, "PUT", "/connector-plugins/TestSource/config/validate",
                                 "{\"connector.class\":\"TestSource\",\"name\":\"a\","
                                 "\"password\":\"opensesame\",\"level\":\"x\",\"tasks.max\":0}"),
                     200);
    assert_null(strstr(served->response.body, "opensesame"));
    cJSON *body = served_json(served);
    assert_string_equal(cJSON_GetObjectItem(body, "name")->valuestring, "TestSource");
    assert_int_equal(cJSON_GetObjectItem(body, "error_count")->valueint, 4);
    const cJSON *groups = cJSON_GetObjectItem(body, "groups");
    static const char *const expected[] = { "Common",         "Transforms",
                                            "Predicates",     "Error Handling",
                                            "Topic Creation", "Exactly Once Support",
                                            "offsets.topic",  "Test" };
    assert_int_equal(cJSON_GetArraySize(groups), N_ELEMENTS(expected));
    for (int i = 0; i < (int)N_ELEMENTS(expected); i++) {
        assert_string_equal(cJSON_GetArrayItem(groups, i)->valuestring, expected[i]);
    }
    const cJSON *configs = cJSON_GetObjectItem(body, "configs");
    const cJSON *value = cJSON_GetObjectItem(find(configs, "password"), "value");
    assert_string_equal(cJSON_GetObjectItem(value, "value")->valuestring, "[hidden]");
    value = cJSON_GetObjectItem(find(configs, "tasks.max"), "value");
    assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(value, "errors"), 0)->valuestring,
                        "Invalid value 0 for configuration tasks.max: Value must be at least 1");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(
                         cJSON_GetObjectItem(find(configs, "level"), "value"), "errors")),
                     2);
    cJSON_Delete(body);
}

static void test_validate_refuses_what_it_cannot_answer(void **state)
{
    struct served *served = *state;
    static const char path[] = "/connector-plugins/TestSource/config/validate";
    assert_int_equal(served_call(served, "PUT", path, "{}"), 400);
    assert_error(served, 400, "Connector config {} contains no connector type");
    assert_int_equal(
        served_call(served, "PUT", path, "{\"connector.class\":\"test.TestSinkConnector\"}"), 400);
    assert_error(
        served, 400,
        "Included connector type test.TestSinkConnector does not match request type TestSource");
    assert_int_equal(served_call(served, "PUT", "/connector-plugins/Nope/config/validate",
                                 "{\"connector.class\":\"Nope\"}"),
                     400);
    assert_int_equal(served_call(served, "PUT", path, "[]"), 400);
    assert_int_equal(served_call(served, "PUT",
                                 "/connector-plugins/SourceConnector/config/validate",
                                 "{\"connector.class\":\"" TEST_SOURCE "\"}"),
                     200);
}

#define served_test(name) cmocka_unit_test_setup_teardown(name, served_setup, served_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        served_test(test_list_has_sinks_then_sources_and_more_on_request),
        served_test(test_definitions_are_own_keys_first),
        served_test(test_versions_are_checked),
        served_test(test_a_definition_has_connects_fields),
        served_test(test_validate_is_200_with_errors_at_their_keys),
        served_test(test_validate_refuses_what_it_cannot_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
