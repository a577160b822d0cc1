/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies. See body.h. */
#include "rest/body.h"

#include <strings.h>

#include "worker/base/json.h"
#include "worker/base/mem.h"

#define MAX_COMMAS 65536

const char *body_kind(const cJSON *value)
{
    if (cJSON_IsArray(value)) {
        return "Array";
    }
    if (cJSON_IsObject(value)) {
        return "Object";
    }
    if (cJSON_IsString(value)) {
        return "String";
    }
    if (cJSON_IsBool(value)) {
        return "Boolean";
    }
    return cJSON_IsNull(value) ? "null" : "Number";
}

/* Each value becomes a node of some hundred bytes: a body of commas is not made into millions. */
static bool has_too_many_values(const char *text, size_t length)
{
    size_t n_commas = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += text[i] == '\\';
        } else {
            n_commas += text[i] == ',';
        }
    }
    return n_commas > MAX_COMMAS;
}

enum err body_object(struct call *call)
{
    const struct http_request *http = call->http;
    if (call->json) {
        return ERR_OK;
    }
    if (http->body_length == 0) {
        answer_error(call, 400, "Request body is missing: expected a JSON object");
        return ERR_INVALID;
    }
    if (has_too_many_values(http->body, http->body_length)) {
        answer_error(call, 400, "Request body has too many values: at most %d are taken",
                     MAX_COMMAS + 1);
        return ERR_INVALID;
    }
    struct error error = { ERR_OK, "" };
    enum err err = json_parse(http->body, http->body_length, &call->json, &error);
    if (err != ERR_OK) {
        answer_error(call, 400, "Request body is not valid JSON: %s", error.text);
        return ERR_INVALID;
    }
    if (!cJSON_IsObject(call->json)) {
        answer_error(call, 400,
                     "Cannot deserialize value of type `java.util.LinkedHashMap` from %s value: "
                     "the request body must be a JSON object",
                     body_kind(call->json));
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err read_config(struct call *call, const cJSON *object)
{
    struct error error = { ERR_OK, "" };
    if (json_to_kvs(object, &call->config, &error) != ERR_OK) {
        answer_error(call, 400, "%s", error.text);
        return ERR_INVALID;
    }
    return ERR_OK;
}

enum err body_config(struct call *call)
{
    if (body_object(call) != ERR_OK) {
        return ERR_INVALID;
    }
    kvs_fini(&call->config);
    kvs_init(&call->config);
    return read_config(call, call->json);
}

/* As Java's trim: everything up to the space, at both ends. */
static char *java_trim(const char *text)
{
    while (*text && (unsigned char)*text <= ' ') {
        text++;
    }
    size_t length = strlen(text);
    while (length > 0 && (unsigned char)text[length - 1] <= ' ') {
        length--;
    }
    return xstrndup(text, length);
}

static enum err read_name(struct call *call, const cJSON *value)
{
    if (cJSON_IsArray(value) || cJSON_IsObject(value)) {
        answer_error(call, 400,
                     "Cannot deserialize value of type `java.lang.String` from %s value at field "
                     "'name'",
                     body_kind(value));
        return ERR_INVALID;
    }
    if (cJSON_IsNumber(value) || cJSON_IsBool(value)) {
        call->body_name = json_print(value);
    } else {
        call->body_name = java_trim(cJSON_IsString(value) ? value->valuestring : "");
    }
    call->name = call->body_name;
    return ERR_OK;
}

static enum err read_initial_state(struct call *call, const cJSON *value)
{
    static const struct {
        const char *name;
        enum target_state state;
    } states[] = {
        { "RUNNING", TARGET_STARTED },
        { "PAUSED", TARGET_PAUSED },
        { "STOPPED", TARGET_STOPPED },
    };
    const char *text = cJSON_IsString(value) ? value->valuestring : body_kind(value);
    for (size_t i = 0; i < N_ELEMENTS(states); i++) {
        if (cJSON_IsString(value) && strcasecmp(states[i].name, text) == 0) {
            call->target_state = states[i].state;
            call->has_target_state = true;
            return ERR_OK;
        }
    }
    answer_error(call, 400,
                 "Invalid value %.100s for field 'initial_state': must be one of RUNNING, PAUSED, "
                 "STOPPED",
                 text);
    return ERR_INVALID;
}

static enum err check_fields(struct call *call)
{
    static const char *const known[] = { "name", "config", "initial_state" };
    for (const cJSON *field = call->json->child; field; field = field->next) {
        bool found = false;
        for (size_t i = 0; i < N_ELEMENTS(known); i++) {
            found = found || strcmp(known[i], field->string) == 0;
        }
        if (!found) {
            answer_error(call, 400,
                         "Unrecognized field \"%.200s\" (3 known properties: \"name\", \"config\", "
                         "\"initial_state\")",
                         field->string);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

enum err body_create(struct call *call)
{
    if (body_object(call) != ERR_OK || check_fields(call) != ERR_OK) {
        return ERR_INVALID;
    }
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(call->json, "name");
    const cJSON *config = cJSON_GetObjectItemCaseSensitive(call->json, "config");
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(call->json, "initial_state");
    if (!config || cJSON_IsNull(config)) {
        answer_error(call, 400, "Field 'config' is missing: expected a JSON object of strings");
        return ERR_INVALID;
    }
    if (!cJSON_IsObject(config)) {
        answer_error(call, 400,
                     "Cannot deserialize value of type `java.util.LinkedHashMap` from %s value at "
                     "field 'config'",
                     body_kind(config));
        return ERR_INVALID;
    }
    if (read_name(call, name) != ERR_OK || read_config(call, config) != ERR_OK) {
        return ERR_INVALID;
    }
    return state && !cJSON_IsNull(state) ? read_initial_state(call, state) : ERR_OK;
}
