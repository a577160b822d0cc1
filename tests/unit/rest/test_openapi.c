/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI document: every route is in it and nothing else, and it says all that it must. That
 * answers are as announced is checked wherever a test of this folder makes a request.
 *
 * fakes: fake_cluster
 */
#include <strings.h>

#include "conform.h"
#include "rest/openapi.h"
#include "rest/router.h"
#include "rest/schema.h"
#include "served.h"
#include "tests/support/unit.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
    const cJSON *item = member(object, name);
    assert_true(cJSON_IsString(item));
    return item->valuestring;
}

static size_t count_routes(void)
{
    size_t n = 0;
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        n += (*table)->n_rows;
    }
    return n;
}

static bool has_route(const char *method, const char *pattern)
{
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            const struct route *route = &(*table)->rows[i];
            if (strcasecmp(route->method, method) == 0 && strcmp(route->pattern, pattern) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void test_document_has_every_route_and_no_other(void **state UNUSED)
{
    cJSON *document = openapi_document();
    assert_string_equal(text_of(document, "openapi"), "3.1.0");
    size_t n = 0;
    const cJSON *path = NULL;
    cJSON_ArrayForEach(path, member(document, "paths"))
    {
        const cJSON *operation = NULL;
        cJSON_ArrayForEach(operation, path)
        {
            n++;
            assert_true(has_route(operation->string, path->string));
        }
    }
    assert_int_equal(n, count_routes());
    cJSON_Delete(document);
}

static void check_row(const struct route *route)
{
    bool success = false;
    for (size_t i = 0; i < ROUTE_MAX_REPLIES && route->replies[i].code; i++) {
        /* What is for others alone promises no success to anyone. */
        bool never = strstr(route->doc, "always refused") != NULL;
        success = success || (route->replies[i].code < 300) != never;
    }
    if (!success || !route->doc || strlen(route->doc) < 10) {
        fail_msg("%s %s: the row lacks a reply or a line of text", route->method, route->pattern);
    }
    bool reads_body = route->check != NULL || strcmp(route->method, "PATCH") == 0;
    if (reads_body && !route->request) {
        fail_msg("%s %s: the row does not say what the body is", route->method, route->pattern);
    }
}

static void test_rows_say_what_they_take_and_answer(void **state UNUSED)
{
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            check_row(&(*table)->rows[i]);
        }
    }
}

/* Calls back for every object inside value. */
static void walk(const cJSON *document, const cJSON *value,
                 void (*visit)(const cJSON *document, const cJSON *object))
{
    const cJSON *item = NULL;
    if (cJSON_IsObject(value)) {
        visit(document, value);
    }
    cJSON_ArrayForEach(item, value)
    {
        walk(document, item, visit);
    }
}

static void check_reference(const cJSON *document, const cJSON *object)
{
    static const char prefix[] = "#/components/schemas/";
    const cJSON *reference = member(object, "$ref");
    if (cJSON_IsString(reference)) {
        assert_memory_equal(reference->valuestring, prefix, strlen(prefix));
        const cJSON *schemas = member(member(document, "components"), "schemas");
        assert_non_null(member(schemas, reference->valuestring + strlen(prefix)));
    }
}

static void test_references_lead_to_schemas(void **state UNUSED)
{
    cJSON *document = openapi_document();
    walk(document, document, check_reference);
    cJSON_Delete(document);
}

static void test_variables_of_paths_are_parameters(void **state UNUSED)
{
    cJSON *document = openapi_document();
    const cJSON *path = member(member(document, "paths"), "/connectors/{connector}/tasks/{task}/"
                                                          "status");
    const cJSON *list = member(member(path, "get"), "parameters");
    assert_int_equal(cJSON_GetArraySize(list), 2);
    assert_string_equal(text_of(cJSON_GetArrayItem(list, 0), "name"), "connector");
    assert_string_equal(text_of(cJSON_GetArrayItem(list, 1), "name"), "task");
    assert_string_equal(text_of(member(cJSON_GetArrayItem(list, 1), "schema"), "type"), "integer");
    cJSON_Delete(document);
}

static void test_operations_have_ids_of_their_own(void **state UNUSED)
{
    cJSON *document = openapi_document();
    cJSON *seen = cJSON_CreateObject();
    const cJSON *path = NULL;
    cJSON_ArrayForEach(path, member(document, "paths"))
    {
        const cJSON *operation = NULL;
        cJSON_ArrayForEach(operation, path)
        {
            const char *id = text_of(operation, "operationId");
            assert_null(member(seen, id));
            (void)cJSON_AddTrueToObject(seen, id);
        }
    }
    assert_non_null(member(seen, "get-connectors-connector-status"));
    cJSON_Delete(seen);
    cJSON_Delete(document);
}

static void assert_schema(const char *type, const char *text)
{
    cJSON *schema = schema_of(type);
    cJSON *wanted = text ? cJSON_Parse(text) : NULL;
    assert_int_equal(schema != NULL, wanted != NULL);
    assert_true(!schema || cJSON_Compare(schema, wanted, true));
    cJSON_Delete(schema);
    cJSON_Delete(wanted);
}

static void test_notation_of_types(void **state UNUSED)
{
    assert_schema("string", "{\"type\":\"string\"}");
    assert_schema("text",
                  "{\"type\":\"string\",\"pattern\":\"^[^\\\\u0000-\\\\u001f\\\\u007f]*$\"}");
    assert_schema("string?", "{\"type\":[\"string\",\"null\"]}");
    assert_schema("[integer]", "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}");
    assert_schema("{any}?", "{\"type\":[\"object\",\"null\"],\"additionalProperties\":{}}");
    assert_schema("a|b?", "{\"type\":[\"string\",\"null\"],\"enum\":[\"a\",\"b\",null]}");
    assert_schema("ServerInfo", "{\"$ref\":\"#/components/schemas/ServerInfo\"}");
    assert_schema("ServerInfo?", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/ServerInfo\"},"
                                 "{\"type\":\"null\"}]}");
    assert_schema("Unheard", NULL);
    assert_schema("[Unheard]", NULL);
    assert_schema("[string", NULL);
    assert_schema("", NULL);
}

static bool refused(const char *type, const char *text)
{
    cJSON *document = openapi_document();
    cJSON *schema = schema_of(type);
    cJSON *value = cJSON_Parse(text);
    char why[256];
    bool no = conform_refuses(document, schema, value, why, sizeof(why));
    cJSON_Delete(value);
    cJSON_Delete(schema);
    cJSON_Delete(document);
    return no;
}

static void test_answers_that_are_not_announced_are_noticed(void **state UNUSED)
{
    assert_false(refused("WorkerStatus", "{\"status\":\"healthy\",\"message\":\"\"}"));
    assert_true(refused("WorkerStatus", "{\"status\":\"fine\",\"message\":\"\"}"));
    assert_true(refused("WorkerStatus", "{\"status\":\"healthy\"}"));
    assert_true(refused("WorkerStatus", "{\"status\":\"healthy\",\"message\":\"\",\"more\":1}"));
    assert_true(refused("WorkerStatus", "{\"status\":\"healthy\",\"message\":null}"));
    assert_true(refused("[string]", "[\"a\",1]"));
    assert_true(refused("[string]", "{}"));
    assert_true(refused("{string?}", "{\"a\":[]}"));
    assert_false(refused("{string?}", "{\"a\":null,\"b\":\"\"}"));
    assert_true(refused("ConfigInfo", "{\"definition\":null,\"value\":null}"));
}

static void test_document_is_served_before_the_worker_is_ready(void **state)
{
    struct served *served = *state;
    atomic_store(&served->env.cluster, NULL);
    assert_int_equal(served_call(served, "GET", "/openapi.json", NULL), 200);
    cJSON *body = served_json(served);
    cJSON *document = openapi_document();
    assert_true(cJSON_Compare(body, document, true));
    cJSON_Delete(document);
    cJSON_Delete(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document_has_every_route_and_no_other),
        cmocka_unit_test(test_rows_say_what_they_take_and_answer),
        cmocka_unit_test(test_references_lead_to_schemas),
        cmocka_unit_test(test_variables_of_paths_are_parameters),
        cmocka_unit_test(test_operations_have_ids_of_their_own),
        cmocka_unit_test(test_notation_of_types),
        cmocka_unit_test(test_answers_that_are_not_announced_are_noticed),
        cmocka_unit_test_setup_teardown(test_document_is_served_before_the_worker_is_ready,
                                        served_setup, served_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
