/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded JSON parsing and flat maps. See json.h. */
#include "worker/base/json.h"

#include <ctype.h>
#include <math.h>

#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define MAX_LENGTH  ((size_t)8 * 1024 * 1024)
#define MAX_NESTING 64
#define MAX_NUMBER  63 /* what cJSON reads */

/* Where the checks of the raw text are. */
struct scan {
    const char *text;
    size_t length;
    size_t at;
    bool in_string;
    int depth;
};

static size_t skip_digits(const struct scan *scan, size_t at)
{
    while (at < scan->length && isdigit((unsigned char)scan->text[at])) {
        at++;
    }
    return at;
}

static bool is_at(const struct scan *scan, size_t at, const char *set)
{
    return at < scan->length && scan->text[at] && strchr(set, scan->text[at]);
}

/* End of the number that starts at the scan's place, 0 if it is none by RFC 8259. */
static size_t number_end(const struct scan *scan)
{
    size_t at = scan->at + is_at(scan, scan->at, "-");
    size_t whole = at;
    at = skip_digits(scan, at);
    if (at == whole || (scan->text[whole] == '0' && at > whole + 1)) {
        return 0;
    }
    if (is_at(scan, at, ".")) {
        size_t fraction = at + 1;
        at = skip_digits(scan, fraction);
        if (at == fraction) {
            return 0;
        }
    }
    if (is_at(scan, at, "eE")) {
        at += is_at(scan, at + 1, "+-") ? 2 : 1;
        size_t exponent = at;
        at = skip_digits(scan, exponent);
        if (at == exponent) {
            return 0;
        }
    }
    return is_at(scan, at, "0123456789+-.eE") ? 0 : at;
}

/* An escape: \u needs four digits, which cJSON does not insist on, and a NUL cuts a C string. */
static enum err check_escape(struct scan *scan, struct error *reterr)
{
    const char *text = scan->text + scan->at;
    size_t left = scan->length - scan->at;
    if (left < 2 || text[1] != 'u') {
        scan->at += left < 2 ? 1 : 2;
        return ERR_OK;
    }
    for (size_t i = 2; i < 6; i++) {
        if (i >= left || !isxdigit((unsigned char)text[i])) {
            return error_set(reterr, ERR_INVALID, "Illegal \\u escape at byte %zu", scan->at);
        }
    }
    if (memcmp(text + 2, "0000", 4) == 0) {
        return error_set(reterr, ERR_INVALID, "Illegal escape \\u0000 at byte %zu", scan->at);
    }
    scan->at += 6;
    return ERR_OK;
}

static enum err check_number(struct scan *scan, struct error *reterr)
{
    size_t end = number_end(scan);
    if (end == 0) {
        return error_set(reterr, ERR_INVALID, "Illegal number at byte %zu", scan->at);
    }
    if (end - scan->at > MAX_NUMBER) {
        return error_set(reterr, ERR_INVALID, "Number of more than %d characters at byte %zu",
                         MAX_NUMBER, scan->at);
    }
    scan->at = end;
    return ERR_OK;
}

/* What stands between strings and numbers; a depth without bound would cost stack. */
static enum err check_structure(struct scan *scan, char c, struct error *reterr)
{
    if (c == '"') {
        scan->in_string = !scan->in_string;
    } else if (!scan->in_string && (c == '{' || c == '[')) {
        scan->depth++;
    } else if (!scan->in_string && (c == '}' || c == ']')) {
        scan->depth--;
    }
    if (scan->depth > MAX_NESTING) {
        return error_set(reterr, ERR_INVALID, "More than %d levels of nesting at byte %zu",
                         MAX_NESTING, scan->at);
    }
    scan->at++;
    return ERR_OK;
}

/* What cJSON does not check or takes as well. */
static enum err check_raw(const char *text, size_t length, struct error *reterr)
{
    struct scan scan = { text, length, 0, false, 0 };
    enum err err = ERR_OK;
    while (scan.at < length && err == ERR_OK) {
        char c = text[scan.at];
        if (c == '\0') {
            return error_set(reterr, ERR_INVALID, "Illegal NUL byte at byte %zu", scan.at);
        }
        if ((unsigned char)c < 0x20 && (scan.in_string || !is_at(&scan, scan.at, "\t\r\n"))) {
            return error_set(reterr, ERR_INVALID,
                             "Illegal unescaped control character 0x%02x at byte %zu",
                             (unsigned char)c, scan.at);
        }
        if (scan.in_string && c == '\\') {
            err = check_escape(&scan, reterr);
        } else if (!scan.in_string && (c == '-' || isdigit((unsigned char)c))) {
            err = check_number(&scan, reterr);
        } else {
            err = check_structure(&scan, c, reterr);
        }
    }
    return err;
}

/* Moves behind the next number outside strings and returns its text, owned. */
static char *next_number(struct scan *scan)
{
    while (scan->text[scan->at]) {
        char c = scan->text[scan->at];
        if (!scan->in_string && (c == '-' || isdigit((unsigned char)c))) {
            size_t start = scan->at;
            scan->at = number_end(scan);
            return xmemdup(scan->text + start, scan->at - start);
        }
        if (scan->in_string && c == '\\') {
            scan->at++;
        } else if (c == '"') {
            scan->in_string = !scan->in_string;
        }
        scan->at++;
    }
    return NULL;
}

/* Hangs its text on each number below value: the double that cJSON keeps would change 1.0 and
 * numbers of more than 15 digits. Numbers come in the same order in the text and in the tree. */
static void keep_numbers(cJSON *value, struct scan *scan)
{
    if (cJSON_IsNumber(value)) {
        value->valuestring = next_number(scan);
    }
    for (cJSON *child = value->child; child; child = child->next) {
        keep_numbers(child, scan);
    }
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

/* Whether a name without quotes is what cJSON stumbled over: it then points one character on. */
static bool is_bare_name(const char *text, size_t at)
{
    if (at < 2 || !(isalpha((unsigned char)text[at - 1]) || strchr("_'$", text[at - 1]))) {
        return false;
    }
    size_t before = at - 2;
    while (before > 0 && isspace((unsigned char)text[before])) {
        before--;
    }
    return text[before] == '{' || text[before] == ',';
}

static enum err parse_failed(const char *text, size_t length, const char *end, struct error *reterr)
{
    size_t at = end ? (size_t)(end - text) : 0;
    if (at >= length) {
        return error_set(reterr, ERR_INVALID, "Unexpected end-of-input at byte %zu", length);
    }
    at -= is_bare_name(text, at);
    return error_set(reterr, ERR_INVALID, "Unexpected character ('%c' (code %d)) at byte %zu",
                     text[at] > 0x20 && text[at] < 0x7F ? text[at] : '?', (unsigned char)text[at],
                     at);
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
    CLEANUP(json_delete) cJSON *value = cJSON_ParseWithLengthOpts(copy, length + 1, &end, true);
    if (!value) {
        return parse_failed(copy, length, end, reterr);
    }
    const char *twice = double_key(value);
    if (twice) {
        return error_set(reterr, ERR_INVALID, "Duplicate field '%.200s'", twice);
    }
    struct scan scan = { copy, length, 0, false, 0 };
    keep_numbers(value, &scan);
    *ret_value = TAKE(value);
    return ERR_OK;
}

enum err json_to_kvs(const cJSON *object, struct kvs *kvs, struct error *reterr)
{
    return json_to_kvs_most(object, JSON_MAX_MEMBERS, kvs, reterr);
}

enum err json_to_kvs_most(const cJSON *object, int most, struct kvs *kvs, struct error *reterr)
{
    if (!cJSON_IsObject(object)) {
        return error_set(reterr, ERR_INVALID, "Expected a JSON object of strings");
    }
    if (cJSON_GetArraySize(object) > most) {
        return error_set(reterr, ERR_INVALID, "An object may have at most %d fields here", most);
    }
    for (const cJSON *child = object->child; child; child = child->next) {
        bool has_text = (cJSON_IsString(child) || cJSON_IsNumber(child)) && child->valuestring;
        if (has_text || cJSON_IsNull(child)) {
            kvs_set(kvs, child->string, child->valuestring);
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

static int compare_members(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

void json_sort(cJSON *value)
{
    cJSON *child = NULL;
    cJSON_ArrayForEach(child, value)
    {
        json_sort(child);
    }
    int n = cJSON_GetArraySize(value);
    if (!cJSON_IsObject(value) || n < 2) {
        return;
    }
    cJSON **members = xcalloc((size_t)n, sizeof(cJSON *));
    for (int i = 0; i < n; i++) {
        members[i] = cJSON_DetachItemViaPointer(value, value->child);
    }
    qsort(members, (size_t)n, sizeof(cJSON *), compare_members);
    for (int i = 0; i < n; i++) {
        (void)cJSON_AddItemToArray(value, members[i]);
    }
    free(members);
}

/* A raw item is printed as its text, which json_parse keeps for numbers. */
static void make_numbers_raw(cJSON *value)
{
    if (cJSON_IsNumber(value) && value->valuestring) {
        value->type = cJSON_Raw;
    }
    cJSON *child = NULL;
    cJSON_ArrayForEach(child, value)
    {
        make_numbers_raw(child);
    }
}

char *json_print_exact(const cJSON *value)
{
    CLEANUP(json_delete) cJSON *copy = cJSON_Duplicate(value, true);
    ASSERT(copy != NULL);
    make_numbers_raw(copy);
    return json_print(copy);
}
