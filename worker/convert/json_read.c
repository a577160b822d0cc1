/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values out of JSON. Where the original puts another number in place of one that does not fit its
 * type (0 for a text, the low bits of a large one), this is an error: no reading is changed in
 * silence. See json_read.h.
 */
#include "worker/convert/json_read.h"

#include <errno.h>
#include <math.h>

#include "worker/base/base64.h"
#include "worker/base/mem.h"

#define MS_PER_DAY INT64_C(86400000)

typedef enum err (*read_fn)(struct json_reader *reader, const struct schema *schema,
                            const cJSON *json, struct value *ret_value, struct error *reterr);

static const char *node_type(const cJSON *json)
{
    if (cJSON_IsNull(json)) {
        return "NULL";
    }
    if (cJSON_IsBool(json)) {
        return "BOOLEAN";
    }
    if (cJSON_IsNumber(json)) {
        return "NUMBER";
    }
    if (cJSON_IsString(json)) {
        return "STRING";
    }
    return cJSON_IsArray(json) ? "ARRAY" : "OBJECT";
}

static enum err unfit(const struct schema *schema, const cJSON *json, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "Invalid value for %s field: found %s%s%.40s",
                     schema_type_text(schema->type), node_type(json),
                     cJSON_IsNumber(json) ? " " : "",
                     cJSON_IsNumber(json) ? json->valuestring : "");
}

static bool is_integral(const cJSON *json)
{
    return !strpbrk(json->valuestring, ".eE");
}

static struct value read_text(struct json_reader *reader, const char *text)
{
    size_t length = strlen(text);
    return value_text(arena_strndup(reader->arena, text, length), length);
}

/* ---- plain types ---- */

static enum err read_boolean(struct json_reader *reader UNUSED, const struct schema *schema,
                             const cJSON *json, struct value *ret_value, struct error *reterr)
{
    if (!cJSON_IsBool(json)) {
        return unfit(schema, json, reterr);
    }
    *ret_value = value_truth(cJSON_IsTrue(json));
    return ERR_OK;
}

/* A whole number, also when it is written as 1.0 or 1e3. */
static bool whole_number(const cJSON *json, int64_t *ret_number)
{
    if (is_integral(json)) {
        char *end = NULL;
        errno = 0;
        *ret_number = strtoll(json->valuestring, &end, 10);
        return errno == 0 && *end == '\0';
    }
    double number = json->valuedouble;
    if (!(fabs(number) < 9.0e15) || number > floor(number)) {
        return false;
    }
    *ret_number = (int64_t)number;
    return true;
}

static enum err read_whole(struct json_reader *reader UNUSED, const struct schema *schema,
                           const cJSON *json, struct value *ret_value, struct error *reterr)
{
    static const struct {
        enum value_type type;
        int64_t min;
        int64_t max;
    } ranges[] = {
        [SCHEMA_INT8] = { VALUE_INT8, INT8_MIN, INT8_MAX },
        [SCHEMA_INT16] = { VALUE_INT16, INT16_MIN, INT16_MAX },
        [SCHEMA_INT32] = { VALUE_INT32, INT32_MIN, INT32_MAX },
        [SCHEMA_INT64] = { VALUE_INT64, INT64_MIN, INT64_MAX },
    };
    int64_t number = 0;
    if (!cJSON_IsNumber(json) || !whole_number(json, &number) ||
        number < ranges[schema->type].min || number > ranges[schema->type].max) {
        return unfit(schema, json, reterr);
    }
    *ret_value = value_whole(ranges[schema->type].type, number);
    return ERR_OK;
}

static enum err read_real(struct json_reader *reader UNUSED, const struct schema *schema,
                          const cJSON *json, struct value *ret_value, struct error *reterr)
{
    double number = json->valuedouble;
    if (cJSON_IsString(json) && strcmp(json->valuestring, "NaN") == 0) {
        number = (double)NAN;
    } else if (cJSON_IsString(json) && strcmp(json->valuestring, "Infinity") == 0) {
        number = (double)INFINITY;
    } else if (cJSON_IsString(json) && strcmp(json->valuestring, "-Infinity") == 0) {
        number = -(double)INFINITY;
    } else if (!cJSON_IsNumber(json)) {
        return unfit(schema, json, reterr);
    }
    bool is_float = schema->type == SCHEMA_FLOAT32;
    *ret_value = (struct value){ .type = is_float ? VALUE_FLOAT32 : VALUE_FLOAT64 };
    ret_value->as.real = is_float ? (double)(float)number : number;
    return ERR_OK;
}

static enum err read_string(struct json_reader *reader, const struct schema *schema,
                            const cJSON *json, struct value *ret_value, struct error *reterr)
{
    if (!cJSON_IsString(json)) {
        return unfit(schema, json, reterr);
    }
    *ret_value = read_text(reader, json->valuestring);
    return ERR_OK;
}

static enum err read_bytes(struct json_reader *reader, const struct schema *schema,
                           const cJSON *json, struct value *ret_value, struct error *reterr)
{
    if (!cJSON_IsString(json)) {
        return unfit(schema, json, reterr);
    }
    size_t length = strlen(json->valuestring);
    unsigned char *bytes = arena_alloc(reader->arena, base64_size(length));
    size_t n = 0;
    if (!base64_decode(json->valuestring, length, bytes, &n)) {
        return error_set(reterr, ERR_INVALID, "Invalid bytes field");
    }
    *ret_value = value_bytes(bytes, n);
    return ERR_OK;
}

/* ---- types with parts ---- */

static enum err read_array(struct json_reader *reader, const struct schema *schema,
                           const cJSON *json, struct value *ret_value, struct error *reterr)
{
    if (!cJSON_IsArray(json)) {
        return unfit(schema, json, reterr);
    }
    size_t n = (size_t)cJSON_GetArraySize(json);
    struct value *items = arena_array(reader->arena, n, sizeof(*items));
    struct value value = { .type = VALUE_ARRAY };
    value.as.array.items = items;
    value.as.array.n_items = n;
    const cJSON *item = NULL;
    size_t i = 0;
    cJSON_ArrayForEach(item, json)
    {
        enum err err =
            json_read_value(reader, schema ? schema->items : NULL, item, &items[i++], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_value = value;
    return ERR_OK;
}

/* An entry of a list of pairs. */
static enum err read_pair(struct json_reader *reader, const struct schema *schema,
                          const cJSON *pair, struct value_entry *entry, struct error *reterr)
{
    if (!cJSON_IsArray(pair)) {
        return error_set(reterr, ERR_INVALID, "Found invalid map entry instead of array tuple: %s",
                         node_type(pair));
    }
    if (cJSON_GetArraySize(pair) != 2) {
        return error_set(reterr, ERR_INVALID,
                         "Found invalid map entry, expected length 2 but found :%d",
                         cJSON_GetArraySize(pair));
    }
    enum err err = json_read_value(reader, schema->keys, pair->child, &entry->key, reterr);
    return err ? err
               : json_read_value(reader, schema->items, pair->child->next, &entry->value, reterr);
}

static enum err read_map(struct json_reader *reader, const struct schema *schema, const cJSON *json,
                         struct value *ret_value, struct error *reterr)
{
    bool as_object = !schema || schema->keys->type == SCHEMA_STRING;
    if (as_object ? !cJSON_IsObject(json) : !cJSON_IsArray(json)) {
        return error_set(reterr, ERR_INVALID,
                         as_object ? "Maps with string fields should be encoded as JSON objects, "
                                     "but found %s"
                                   : "Maps with non-string fields should be encoded as JSON array "
                                     "of tuples, but found %s",
                         node_type(json));
    }
    struct value_entry *entries = NULL;
    struct value map = value_map(reader->arena, (size_t)cJSON_GetArraySize(json), &entries);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, json)
    {
        struct value_entry *entry = &entries[map.as.map.n_entries++];
        enum err err = ERR_OK;
        if (as_object) {
            entry->key = read_text(reader, item->string);
            err =
                json_read_value(reader, schema ? schema->items : NULL, item, &entry->value, reterr);
        } else {
            err = read_pair(reader, schema, item, entry, reterr);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_value = map;
    return ERR_OK;
}

static enum err read_struct(struct json_reader *reader, const struct schema *schema,
                            const cJSON *json, struct value *ret_value, struct error *reterr)
{
    if (!cJSON_IsObject(json)) {
        return error_set(reterr, ERR_INVALID,
                         "Structs should be encoded as JSON objects, but found %s",
                         node_type(json));
    }
    struct value *fields = NULL;
    struct value value = value_struct(reader->arena, schema, &fields);
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct schema_field *field = &schema->fields[i];
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, field->name);
        enum err err = json_read_value(reader, field->schema, member, &fields[i], reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_value = value;
    return ERR_OK;
}

/* ---- logical types ---- */

static enum err read_decimal(struct json_reader *reader, const struct schema *schema,
                             const cJSON *json, struct value *ret_value, struct error *reterr)
{
    struct decimal *decimal = arena_alloc(reader->arena, sizeof(*decimal));
    *ret_value = (struct value){ .type = VALUE_DECIMAL, .as.decimal = decimal };
    if (cJSON_IsNumber(json)) {
        const char *text = json->valuestring;
        return decimal_parse(text, strlen(text), reader->arena, decimal)
                   ? ERR_OK
                   : unfit(schema, json, reterr);
    }
    if (!cJSON_IsString(json)) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid type for Decimal, underlying representation should be numeric or "
                         "bytes but was %s",
                         node_type(json));
    }
    struct value bytes;
    enum err err = read_bytes(reader, schema, json, &bytes, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (bytes.as.bytes.length == 0 || bytes.as.bytes.length > DECIMAL_MAX_BYTES) {
        return error_set(reterr, ERR_INVALID, "Invalid Decimal: %zu bytes, 1 to %d are possible",
                         bytes.as.bytes.length, DECIMAL_MAX_BYTES);
    }
    decimal->unscaled = (const unsigned char *)bytes.as.bytes.data;
    decimal->length = bytes.as.bytes.length;
    if (!schema_scale(schema, &decimal->scale)) {
        return error_set(reterr, ERR_INVALID, "Invalid Decimal schema: scale parameter not found.");
    }
    return ERR_OK;
}

static enum err read_time(struct json_reader *reader, const struct schema *schema,
                          const cJSON *json, struct value *ret_value, struct error *reterr)
{
    enum schema_logical logical = schema_logical(schema);
    enum schema_type expected = logical == LOGICAL_TIMESTAMP ? SCHEMA_INT64 : SCHEMA_INT32;
    if (schema->type != expected) {
        return error_set(reterr, ERR_INVALID,
                         "Requested conversion of %s object but the schema does not match.",
                         strrchr(schema->name, '.') + 1);
    }
    enum err err = read_whole(reader, schema, json, ret_value, reterr);
    if (err != ERR_OK) {
        return err;
    }
    int64_t number = ret_value->as.number;
    if (logical == LOGICAL_TIME && (number < 0 || number > MS_PER_DAY)) {
        return error_set(reterr, ERR_INVALID,
                         "Time values must use number of milliseconds greater than 0 and less than "
                         "86400000");
    }
    *ret_value = value_whole(VALUE_DATE, logical == LOGICAL_DATE ? number * MS_PER_DAY : number);
    return ERR_OK;
}

/* ---- any value ---- */

/* Without a schema, JSON says by itself what a value is. */
static enum err read_schemaless(struct json_reader *reader, const cJSON *json,
                                struct value *ret_value, struct error *reterr)
{
    enum schema_type type = SCHEMA_STRING;
    if (!json) {
        return error_set(reterr, ERR_INVALID, "Unknown schema type: null");
    }
    if (cJSON_IsNull(json)) {
        *ret_value = (struct value){ .type = VALUE_NULL };
        return ERR_OK;
    }
    if (cJSON_IsArray(json)) {
        return read_array(reader, NULL, json, ret_value, reterr);
    }
    if (cJSON_IsObject(json)) {
        return read_map(reader, NULL, json, ret_value, reterr);
    }
    if (cJSON_IsBool(json)) {
        return read_boolean(reader, NULL, json, ret_value, reterr);
    }
    if (cJSON_IsNumber(json)) {
        type = is_integral(json) ? SCHEMA_INT64 : SCHEMA_FLOAT64;
    }
    return (type == SCHEMA_STRING ? read_string
            : type == SCHEMA_FLOAT64
                ? read_real
                : read_whole)(reader, schema_plain(type, true), json, ret_value, reterr);
}

static enum err read_null(struct json_reader *reader, const struct schema *schema,
                          struct value *ret_value, struct error *reterr)
{
    if (schema->default_value && reader->defaults_for_null) {
        *ret_value = *schema->default_value;
        return ERR_OK;
    }
    if (!schema->optional) {
        return error_set(reterr, ERR_INVALID, "Invalid null value for required %s field",
                         schema_type_text(schema->type));
    }
    *ret_value = (struct value){ .type = VALUE_NULL };
    return ERR_OK;
}

static const read_fn readers[] = {
    [SCHEMA_INT8] = read_whole,      [SCHEMA_INT16] = read_whole,   [SCHEMA_INT32] = read_whole,
    [SCHEMA_INT64] = read_whole,     [SCHEMA_FLOAT32] = read_real,  [SCHEMA_FLOAT64] = read_real,
    [SCHEMA_BOOLEAN] = read_boolean, [SCHEMA_STRING] = read_string, [SCHEMA_BYTES] = read_bytes,
    [SCHEMA_ARRAY] = read_array,     [SCHEMA_MAP] = read_map,       [SCHEMA_STRUCT] = read_struct,
};

enum err json_read_value(struct json_reader *reader, const struct schema *schema, const cJSON *json,
                         struct value *ret_value, struct error *reterr)
{
    if (!schema) {
        return read_schemaless(reader, json, ret_value, reterr);
    }
    if (!json || cJSON_IsNull(json)) {
        return read_null(reader, schema, ret_value, reterr);
    }
    switch (schema_logical(schema)) {
    case LOGICAL_DECIMAL:
        return read_decimal(reader, schema, json, ret_value, reterr);
    case LOGICAL_DATE:
    case LOGICAL_TIME:
    case LOGICAL_TIMESTAMP:
        return read_time(reader, schema, json, ret_value, reterr);
    case LOGICAL_NONE:
        break;
    }
    return readers[schema->type](reader, schema, json, ret_value, reterr);
}
