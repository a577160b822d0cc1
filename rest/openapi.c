/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document and GET /openapi.json. See openapi.h. */
#include "rest/openapi.h"

#include "rest/resources.h"
#include "rest/schema.h"
#include "worker/base/mem.h"

/* The variables of the patterns. */
static const struct {
    const char *name;
    const char *type;
    const char *doc;
} variables[] = {
    { "connector", "text", "Name of a connector." },
    { "task", "integer", "Number of a task, from 0." },
    { "plugin", "text", "Name of a class, in full, or without package and ending." },
    { "logger", "text", "Name of a logger." },
};

/* Errors that a route may answer with, beside those that every route has in common. */
static const struct {
    int code;
    const char *doc;
} errors[] = {
    { 400, "The request is wrong: the message says what and how to mend it." },
    { 404, "There is no such thing, or the worker has not read its topics yet." },
    { 409,
      "Something else is in the way: a change or a rebalance under way, or an existing name." },
    { 500, "Kafka or the leader did not answer in time." },
};

static const char *reason_of(int code)
{
    static const struct {
        int code;
        const char *reason;
    } reasons[] = {
        { 200, "Done." },
        { 201, "Created." },
        { 202, "Accepted: it is under way." },
        { 204, "Done; there is nothing to say." },
        { 400, "Refused." },
        { 403, "Switched off by the worker's properties." },
        { 500, "The worker cannot serve." },
        { 503, "The worker cannot serve yet, or any more." },
    };
    for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
        if (reasons[i].code == code) {
            return reasons[i].reason;
        }
    }
    return NULL;
}

static void add_content(cJSON *owner, const struct route *route, cJSON *schema)
{
    bool text = (route->flags & ROUTE_ANY_TYPE) != 0;
    cJSON *content = cJSON_AddObjectToObject(owner, "content");
    cJSON *media = cJSON_AddObjectToObject(content, text ? "text/plain" : "application/json");
    (void)cJSON_AddItemToObject(media, "schema", schema);
}

static cJSON *parameter(const char *name, const char *in, const char *type, const char *doc)
{
    cJSON *schema = schema_of(type);
    ASSERT(schema);
    cJSON *object = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(object, "name", name);
    (void)cJSON_AddStringToObject(object, "in", in);
    (void)cJSON_AddStringToObject(object, "description", doc);
    (void)cJSON_AddBoolToObject(object, "required", strcmp(in, "path") == 0);
    (void)cJSON_AddItemToObject(object, "schema", schema);
    return object;
}

/* The parameter for a variable at the start of `text`, which is what stands behind a brace. */
static cJSON *path_parameter(const char *text)
{
    size_t length = strcspn(text, "}");
    for (size_t i = 0; i < N_ELEMENTS(variables); i++) {
        if (strlen(variables[i].name) == length && strncmp(variables[i].name, text, length) == 0) {
            cJSON *object =
                parameter(variables[i].name, "path", variables[i].type, variables[i].doc);
            cJSON *schema = cJSON_GetObjectItemCaseSensitive(object, "schema");
            bool number = strcmp(variables[i].type, "integer") == 0;
            (void)cJSON_AddNumberToObject(schema, number ? "minimum" : "minLength", number ? 0 : 1);
            return object;
        }
    }
    ASSERT(false); /* a variable of a pattern has no row */
    return NULL;
}

static void add_parameters(cJSON *operation, const struct route *route)
{
    cJSON *list = cJSON_CreateArray();
    for (const char *p = strchr(route->pattern, '{'); p; p = strchr(p + 1, '{')) {
        (void)cJSON_AddItemToArray(list, path_parameter(p + 1));
    }
    for (size_t i = 0; i < ROUTE_MAX_QUERY && route->query[i].name; i++) {
        const struct route_query *query = &route->query[i];
        (void)cJSON_AddItemToArray(list, parameter(query->name, "query", query->type, query->doc));
    }
    if (list->child) {
        (void)cJSON_AddItemToObject(operation, "parameters", list);
    } else {
        cJSON_Delete(list);
    }
}

static void add_request(cJSON *operation, const struct route *route)
{
    if (!route->request) {
        return;
    }
    cJSON *schema = schema_of(route->request);
    ASSERT(schema);
    cJSON *body = cJSON_AddObjectToObject(operation, "requestBody");
    (void)cJSON_AddBoolToObject(body, "required", true);
    cJSON *content = cJSON_AddObjectToObject(body, "content");
    cJSON *media = cJSON_AddObjectToObject(content, "application/json");
    (void)cJSON_AddItemToObject(media, "schema", schema);
}

/* The schema of all replies of a route with this code; NULL: they have no body. */
static cJSON *reply_schema(const struct route *route, int code)
{
    cJSON *found = NULL;
    cJSON *list = NULL;
    for (size_t i = 0; i < ROUTE_MAX_REPLIES && route->replies[i].code; i++) {
        if (route->replies[i].code != code || !route->replies[i].body) {
            continue;
        }
        cJSON *schema = schema_of(route->replies[i].body);
        ASSERT(schema);
        if (!found) {
            found = schema;
            continue;
        }
        if (!list) {
            cJSON *either = cJSON_CreateObject();
            list = cJSON_AddArrayToObject(either, "oneOf");
            (void)cJSON_AddItemToArray(list, found);
            found = either;
        }
        (void)cJSON_AddItemToArray(list, schema);
    }
    return found;
}

static void add_header(cJSON *response, const char *name, const char *doc)
{
    cJSON *headers = cJSON_AddObjectToObject(response, "headers");
    cJSON *header = cJSON_AddObjectToObject(headers, name);
    (void)cJSON_AddStringToObject(header, "description", doc);
    (void)cJSON_AddItemToObject(header, "schema", schema_of("string"));
}

static void add_replies(cJSON *responses, const struct route *route)
{
    for (size_t i = 0; i < ROUTE_MAX_REPLIES && route->replies[i].code; i++) {
        int code = route->replies[i].code;
        CLEANUP(free_charp) char *key = xasprintf("%d", code);
        if (cJSON_HasObjectItem(responses, key)) {
            continue;
        }
        const char *reason = reason_of(code);
        ASSERT(reason);
        cJSON *response = cJSON_AddObjectToObject(responses, key);
        (void)cJSON_AddStringToObject(response, "description", reason);
        if (code == 201) {
            add_header(response, "Location", "URL of what was created.");
        }
        cJSON *schema = reply_schema(route, code);
        if (schema) {
            add_content(response, route, schema);
        }
    }
}

static bool may_fail(const struct route *route, int code)
{
    switch (code) {
    case 404:
        return strchr(route->pattern, '{') || !(route->flags & ROUTE_EARLY);
    case 409:
    case 500:
        return (route->flags & ROUTE_LEADER) != 0;
    default:
        return true;
    }
}

static void add_error(cJSON *responses, const char *key, const char *doc)
{
    if (cJSON_HasObjectItem(responses, key)) {
        return;
    }
    cJSON *response = cJSON_AddObjectToObject(responses, key);
    (void)cJSON_AddStringToObject(response, "description", doc);
    cJSON *content = cJSON_AddObjectToObject(response, "content");
    cJSON *media = cJSON_AddObjectToObject(content, "application/json");
    (void)cJSON_AddItemToObject(media, "schema", schema_of("ErrorMessage"));
}

static void add_errors(cJSON *responses, const struct route *route)
{
    for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
        CLEANUP(free_charp) char *key = xasprintf("%d", errors[i].code);
        if (may_fail(route, errors[i].code)) {
            add_error(responses, key, errors[i].doc);
        }
    }
    add_error(responses, "default",
              "What is refused before a route is reached: wrong method or media type, too long, "
              "not allowed, too many connections.");
}

/* "get-connectors-connector-status" */
static void add_id(cJSON *operation, const struct route *route)
{
    struct buf id;
    buf_init(&id);
    for (const char *p = route->method; *p; p++) {
        buf_add_char(&id, (char)(*p | 0x20));
    }
    for (const char *p = route->pattern; *p; p++) {
        if (*p == '/') {
            buf_add_char(&id, '-');
        } else if (*p != '{' && *p != '}') {
            buf_add_char(&id, *p);
        }
    }
    (void)cJSON_AddStringToObject(operation, "operationId", buf_text(&id));
    buf_fini(&id);
}

static void add_route(cJSON *paths, const struct route *route)
{
    char method[16];
    size_t length = strlen(route->method);
    ASSERT(length < sizeof(method));
    for (size_t i = 0; i <= length; i++) {
        method[i] = (char)(route->method[i] | (route->method[i] ? 0x20 : 0));
    }
    cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, route->pattern);
    if (!path) {
        path = cJSON_AddObjectToObject(paths, route->pattern);
    }
    cJSON *operation = cJSON_AddObjectToObject(path, method);
    (void)cJSON_AddStringToObject(operation, "summary", route->doc);
    add_id(operation, route);
    add_parameters(operation, route);
    add_request(operation, route);
    cJSON *responses = cJSON_AddObjectToObject(operation, "responses");
    add_replies(responses, route);
    add_errors(responses, route);
}

/* Users are known by name and password, where the worker has a list of users at all. */
static void add_security(cJSON *document, cJSON *components)
{
    cJSON *schemes = cJSON_AddObjectToObject(components, "securitySchemes");
    cJSON *basic = cJSON_AddObjectToObject(schemes, "basic");
    (void)cJSON_AddStringToObject(basic, "type", "http");
    (void)cJSON_AddStringToObject(basic, "scheme", "basic");
    cJSON *either = cJSON_AddArrayToObject(document, "security");
    (void)cJSON_AddItemToArray(either, cJSON_CreateObject());
    cJSON *needed = cJSON_CreateObject();
    (void)cJSON_AddArrayToObject(needed, "basic");
    (void)cJSON_AddItemToArray(either, needed);
}

cJSON *openapi_document(void)
{
    cJSON *document = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(document, "openapi", "3.1.0");
    cJSON *info = cJSON_AddObjectToObject(document, "info");
    (void)cJSON_AddStringToObject(info, "title", "Sluice");
    (void)cJSON_AddStringToObject(info, "version", SLUICE_VERSION);
    (void)cJSON_AddStringToObject(
        info, "description",
        "Kafka Connect's REST interface of a cluster that bridges MQTT brokers and Kafka. Any "
        "worker answers any request. HEAD is answered wherever GET is, OPTIONS everywhere.");
    cJSON *license = cJSON_AddObjectToObject(info, "license");
    (void)cJSON_AddStringToObject(license, "name", "Apache-2.0");
    (void)cJSON_AddStringToObject(license, "identifier", "Apache-2.0");
    cJSON *paths = cJSON_AddObjectToObject(document, "paths");
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            add_route(paths, &(*table)->rows[i]);
        }
    }
    cJSON *components = cJSON_AddObjectToObject(document, "components");
    (void)cJSON_AddItemToObject(components, "schemas", schema_components());
    add_security(document, components);
    return document;
}

void openapi_print(struct buf *buf)
{
    cJSON *document = openapi_document();
    char *text = cJSON_Print(document);
    ASSERT(text);
    buf_printf(buf, "%s\n", text);
    cJSON_free(text);
    cJSON_Delete(document);
}

static enum err get_openapi(struct call *call)
{
    answer_json(call, 200, openapi_document());
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/openapi.json",
      .handler = get_openapi,
      .flags = ROUTE_EARLY,
      .doc = "This interface as an OpenAPI document.",
      .replies = { { 200, "{any}" } } },
};

const struct route_table openapi_routes = ROUTE_TABLE(rows);
