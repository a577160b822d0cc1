/* SPDX-License-Identifier: Apache-2.0 */
/* Answers against the OpenAPI document. See conform.h. */
#include "conform.h"

#include <string.h>

#include "rest/openapi.h"
#include "rest/target.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool is_of_type(const char *type, const cJSON *value)
{
    if (strcmp(type, "integer") == 0) {
        return cJSON_IsNumber(value) && value->valuedouble == (double)(long long)value->valuedouble;
    }
    return (strcmp(type, "number") == 0 && cJSON_IsNumber(value)) ||
           (strcmp(type, "string") == 0 && cJSON_IsString(value)) ||
           (strcmp(type, "boolean") == 0 && cJSON_IsBool(value)) ||
           (strcmp(type, "array") == 0 && cJSON_IsArray(value)) ||
           (strcmp(type, "object") == 0 && cJSON_IsObject(value)) ||
           (strcmp(type, "null") == 0 && cJSON_IsNull(value));
}

static bool is_of_types(const cJSON *types, const cJSON *value)
{
    if (!types || cJSON_IsString(types)) {
        return !types || is_of_type(types->valuestring, value);
    }
    const cJSON *type = NULL;
    cJSON_ArrayForEach(type, types)
    {
        if (is_of_type(type->valuestring, value)) {
            return true;
        }
    }
    return false;
}

static bool is_listed(const cJSON *list, const cJSON *value)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_Compare(item, value, true)) {
            return true;
        }
    }
    return list == NULL;
}

/* How many of the alternatives fit. */
static int count_fits(const cJSON *document, const cJSON *alternatives, const cJSON *value)
{
    int fits = 0;
    const cJSON *schema = NULL;
    char why[256];
    cJSON_ArrayForEach(schema, alternatives)
    {
        fits += !conform_refuses(document, schema, value, why, sizeof(why));
    }
    return fits;
}

static bool refuses_members(const cJSON *document, const cJSON *schema, const cJSON *value,
                            char *why, size_t size)
{
    const cJSON *name = NULL;
    cJSON_ArrayForEach(name, member(schema, "required"))
    {
        if (!member(value, name->valuestring)) {
            (void)snprintf(why, size, "%s is missing", name->valuestring);
            return true;
        }
    }
    const cJSON *others = member(schema, "additionalProperties");
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, value)
    {
        const cJSON *own = member(member(schema, "properties"), item->string);
        if (!own && cJSON_IsFalse(others)) {
            (void)snprintf(why, size, "%s is not announced", item->string);
            return true;
        }
        own = own ? own : others;
        if (own && conform_refuses(document, own, item, why, size)) {
            return true;
        }
    }
    return false;
}

static bool refuses_items(const cJSON *document, const cJSON *schema, const cJSON *value, char *why,
                          size_t size)
{
    const cJSON *items = member(schema, "items");
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, value)
    {
        if (items && conform_refuses(document, items, item, why, size)) {
            return true;
        }
    }
    return false;
}

static const cJSON *follow(const cJSON *document, const cJSON *schema)
{
    static const char prefix[] = "#/components/schemas/";
    const cJSON *reference = member(schema, "$ref");
    if (!reference) {
        return schema;
    }
    assert_memory_equal(reference->valuestring, prefix, strlen(prefix));
    const cJSON *schemas = member(member(document, "components"), "schemas");
    const cJSON *found = member(schemas, reference->valuestring + strlen(prefix));
    assert_non_null(found);
    return found;
}

bool conform_refuses(const cJSON *document, const cJSON *schema, const cJSON *value, char *why,
                     size_t size)
{
    schema = follow(document, schema);
    const char *name = value->string ? value->string : "the value";
    const cJSON *any = member(schema, "anyOf");
    const cJSON *one = member(schema, "oneOf");
    if ((any && count_fits(document, any, value) == 0) ||
        (one && count_fits(document, one, value) != 1)) {
        (void)snprintf(why, size, "%s fits none of the alternatives, or more than one", name);
        return true;
    }
    if (!is_of_types(member(schema, "type"), value)) {
        (void)snprintf(why, size, "%s is of another type", name);
        return true;
    }
    if (!is_listed(member(schema, "enum"), value)) {
        (void)snprintf(why, size, "%s is not one of the listed values", name);
        return true;
    }
    return cJSON_IsObject(value) ? refuses_members(document, schema, value, why, size)
                                 : refuses_items(document, schema, value, why, size);
}

/* Whether the segments of a target fit a path of the document. */
static bool fits(const char *path, const struct target *target)
{
    const char *p = path + 1;
    size_t i = 0;
    for (; *p; i++) {
        size_t length = strcspn(p, "/");
        if (i == target->n_segments) {
            return false;
        }
        const char *segment = target->segments[i];
        bool number = strspn(segment, "+-0123456789") == strlen(segment);
        if (p[0] == '{' ? strncmp(p, "{task}", length) == 0 && !number
                        : strlen(segment) != length || strncmp(p, segment, length) != 0) {
            return false;
        }
        p += length + (p[length] == '/');
    }
    return i == target->n_segments;
}

static const cJSON *find_operation(const cJSON *document, const char *method, const char *text)
{
    struct target target;
    if (target_parse(text, &target, NULL) != ERR_OK) {
        return NULL;
    }
    char lower[16] = "";
    bool head = strcmp(method, "HEAD") == 0;
    for (size_t i = 0; method[i] >= 'A' && method[i] <= 'Z' && i < sizeof(lower) - 1; i++) {
        lower[i] = (char)(method[i] | 0x20);
    }
    const cJSON *found = NULL;
    const cJSON *path = NULL;
    cJSON_ArrayForEach(path, member(document, "paths"))
    {
        if (!found && fits(path->string, &target)) {
            found = member(path, head ? "get" : lower);
        }
    }
    target_fini(&target);
    return found;
}

static void check_body(const cJSON *document, const cJSON *announced,
                       const struct http_response *response, const char *what)
{
    const cJSON *content = member(announced, "content");
    if (!content) {
        if (response->body) {
            fail_msg("%s: a body, which is not announced: %.200s", what, response->body);
        }
        return;
    }
    const cJSON *media = member(content, "application/json");
    assert_non_null(response->body);
    if (!media) {
        assert_memory_equal(response->content_type, "text/plain", strlen("text/plain"));
        return;
    }
    assert_string_equal(response->content_type, "application/json");
    cJSON *body = cJSON_Parse(response->body);
    assert_non_null(body);
    char why[256] = "";
    if (conform_refuses(document, member(media, "schema"), body, why, sizeof(why))) {
        fail_msg("%s: %s, in %.400s", what, why, response->body);
    }
    cJSON_Delete(body);
}

void conform_answer(const char *method, const char *target, const struct http_response *response)
{
    if (strcmp(method, "OPTIONS") == 0) {
        return;
    }
    cJSON *document = openapi_document();
    const cJSON *operation = find_operation(document, method, target);
    CLEANUP(free_charp)
    char *what = xasprintf("%s %.100s -> %d", method, target, response->code);
    if (!operation) {
        assert_in_range(response->code, 400, 599);
    } else {
        CLEANUP(free_charp) char *code = xasprintf("%d", response->code);
        const cJSON *responses = member(operation, "responses");
        const cJSON *announced = member(responses, code);
        if (!announced && response->code < 400) {
            fail_msg("%s: the code is not announced", what);
        }
        check_body(document, announced ? announced : member(responses, "default"), response, what);
    }
    cJSON_Delete(document);
}
