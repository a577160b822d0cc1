/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded JSON parsing and flat maps. See json.h. */
#include "worker/base/json.h"

#include <math.h>

#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define MAX_LENGTH  ((size_t)8 * 1024 * 1024)
#define MAX_NESTING 64
#define MAX_MEMBERS 4096

/* What cJSON does not check: raw NUL bytes and escapes of them, which would cut a C string, and a
 * depth that would cost stack. */
static enum err check_raw(const char *text, size_t length, struct error *reterr)
{
    bool in_string = false;
    int depth = 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (c == '\0') {
            return error_set(reterr, ERR_INVALID, "Illegal NUL byte at byte %zu", i);
        }
        if (in_string && c == '\\') {
            if (length - i >= 6 && memcmp(text + i + 1, "u0000", 5) == 0) {
                return error_set(reterr, ERR_INVALID, "Illegal escape \\u0000 at byte %zu", i);
            }
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            depth++;
        } else if (!in_string && (c == '}' || c == ']')) {
            depth--;
        } else if (in_string && (unsigned char)c < 0x20) {
            return error_set(reterr, ERR_INVALID,
                             "Illegal unescaped control character 0x%02x at byte %zu",
                             (unsigned char)c, i);
        }
        if (depth > MAX_NESTING) {
            return error_set(reterr, ERR_INVALID, "More than %d levels of nesting at byte %zu",
                             MAX_NESTING, i);
        }
    }
    return ERR_OK;
}

/* The first key that occurs twice in an object of value, NULL if none. */
static const char *double_key(const cJSON *value)
{
    struct map seen;
    map_init(&seen);
    const char *found = NULL;
    for (cJSON *child = value->child; child && !found; child = child->next) {
        if (cJSON_IsObject(value) && map_set(&seen, child->string, child)) {
            found = child->string;
        }
        if (!found && child->child) {
            found = double_key(child);
        }
    }
    map_fini(&seen);
    return found;
}

enum err json_parse(const char *text, size_t length, cJSON **ret_value, struct error *reterr)
{
    if (length > MAX_LENGTH) {
        return error_set(reterr, ERR_TOO_LARGE, "JSON of %zu bytes, at most %zu", length,
                         MAX_LENGTH);
    }
    enum err err = check_raw(text, length, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (!utf8_valid(text, length)) {
        return error_set(reterr, ERR_INVALID, "JSON is not well-formed UTF-8");
    }
    /* A copy with a NUL behind it lets cJSON check that nothing follows the value. */
    CLEANUP(free_charp) char *copy = xmemdup(text, length);
    const char *end = NULL;
    cJSON *value = cJSON_ParseWithLengthOpts(copy, length + 1, &end, true);
    if (!value) {
        size_t at = end ? (size_t)(end - copy) : 0;
        if (at >= length) {
            return error_set(reterr, ERR_INVALID, "Unexpected end-of-input at byte %zu", length);
        }
        return error_set(reterr, ERR_INVALID, "Unexpected character ('%c' (code %d)) at byte %zu",
                         copy[at] > 0x20 && copy[at] < 0x7F ? copy[at] : '?',
                         (unsigned char)copy[at], at);
    }
    const char *twice = double_key(value);
    if (twice) {
        err = error_set(reterr, ERR_INVALID, "Duplicate field '%.200s'", twice);
        cJSON_Delete(value);
        return err;
    }
    *ret_value = value;
    return ERR_OK;
}

enum err json_to_kvs(const cJSON *object, struct kvs *kvs, struct error *reterr)
{
    if (!cJSON_IsObject(object)) {
        return error_set(reterr, ERR_INVALID, "Expected a JSON object of strings");
    }
    if (cJSON_GetArraySize(object) > MAX_MEMBERS) {
        return error_set(reterr, ERR_INVALID, "An object may have at most %d fields here",
                         MAX_MEMBERS);
    }
    for (const cJSON *child = object->child; child; child = child->next) {
        if (cJSON_IsString(child)) {
            kvs_set(kvs, child->string, child->valuestring);
        } else if (cJSON_IsNull(child)) {
            kvs_set(kvs, child->string, NULL);
        } else if (cJSON_IsBool(child) || cJSON_IsNumber(child)) {
            CLEANUP(free_charp) char *text = json_print(child);
            kvs_set(kvs, child->string, text);
        } else {
            return error_set(reterr, ERR_INVALID,
                             "Cannot deserialize value of type `java.lang.String` from %s value"
                             " at field '%.200s'",
                             cJSON_IsArray(child) ? "Array" : "Object", child->string);
        }
    }
    return ERR_OK;
}

cJSON *json_from_kvs(const struct kvs *kvs)
{
    cJSON *object = cJSON_CreateObject();
    ASSERT(object != NULL);
    for (size_t i = 0; i < kvs->n_items; i++) {
        const struct kv *kv = &kvs->items[i];
        cJSON *item = kv->value ? cJSON_CreateString(kv->value) : cJSON_CreateNull();
        ASSERT(item != NULL);
        (void)cJSON_AddItemToObject(object, kv->key, item);
    }
    return object;
}

char *json_print(const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    ASSERT(text != NULL);
    return text;
}

const char *json_string(const cJSON *object, const char *key)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(member) ? member->valuestring : NULL;
}

bool json_bool(const cJSON *object, const char *key, bool fallback)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsBool(member) ? cJSON_IsTrue(member) : fallback;
}

long long json_int(const cJSON *object, const char *key, long long fallback)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(member) || fabs(member->valuedouble) > 9007199254740992.0 ||
        member->valuedouble != floor(member->valuedouble)) {
        return fallback;
    }
    return (long long)member->valuedouble;
}

void json_delete(cJSON **place)
{
    cJSON_Delete(*place);
    *place = NULL;
}
