/* SPDX-License-Identifier: Apache-2.0 */
/* Schemas out of JSON. See json_read.h. */
#include <math.h>

#include "worker/base/mem.h"
#include "worker/convert/json_read.h"

static const struct {
    const char *name;
    enum schema_type type;
} type_names[] = {
    { "boolean", SCHEMA_BOOLEAN }, { "int8", SCHEMA_INT8 },   { "int16", SCHEMA_INT16 },
    { "int32", SCHEMA_INT32 },     { "int64", SCHEMA_INT64 }, { "float", SCHEMA_FLOAT32 },
    { "double", SCHEMA_FLOAT64 },  { "bytes", SCHEMA_BYTES }, { "string", SCHEMA_STRING },
    { "array", SCHEMA_ARRAY },     { "map", SCHEMA_MAP },     { "struct", SCHEMA_STRUCT },
};

static const char *copy_text(struct json_reader *reader, const cJSON *json, const char *member)
{
    const char *text = json_string(json, member);
    return text ? arena_strndup(reader->arena, text, strlen(text)) : NULL;
}

static enum err read_type(const cJSON *json, struct schema *schema, struct error *reterr)
{
    const char *name = json_string(json, "type");
    if (!name) {
        return error_set(reterr, ERR_INVALID, "Schema must contain 'type' field");
    }
    for (size_t i = 0; i < N_ELEMENTS(type_names); i++) {
        if (strcmp(type_names[i].name, name) == 0) {
            schema->type = type_names[i].type;
            return ERR_OK;
        }
    }
    return error_set(reterr, ERR_INVALID, "Unknown schema type: %.200s", name);
}

/* The schema of a member, which has to be there and no null. */
static enum err read_part(struct json_reader *reader, const cJSON *json, const char *member,
                          const struct schema **ret_schema, struct error *reterr)
{
    static const struct {
        const char *member;
        const char *text;
    } missing[] = {
        { "items", "Array schema did not specify the element type" },
        { "keys", "Map schema did not specify the key type" },
        { "values", "Map schema did not specify the value type" },
    };
    const cJSON *part = cJSON_GetObjectItemCaseSensitive(json, member);
    if (part && !cJSON_IsNull(part)) {
        return json_read_schema(reader, part, ret_schema, reterr);
    }
    size_t i = 0;
    while (strcmp(missing[i].member, member) != 0) {
        i++;
    }
    return error_set(reterr, ERR_INVALID, "%s", missing[i].text);
}

static enum err read_fields(struct json_reader *reader, const cJSON *json, struct schema *schema,
                            struct error *reterr)
{
    const cJSON *fields = cJSON_GetObjectItemCaseSensitive(json, "fields");
    if (!cJSON_IsArray(fields)) {
        return error_set(reterr, ERR_INVALID,
                         "Struct schema's \"fields\" argument is not an array.");
    }
    if (cJSON_GetArraySize(fields) > SCHEMA_MAX_FIELDS) {
        return error_set(reterr, ERR_INVALID, "Struct schema has more than %d fields",
                         SCHEMA_MAX_FIELDS);
    }
    schema->fields =
        arena_array(reader->arena, (size_t)cJSON_GetArraySize(fields), sizeof(*schema->fields));
    const cJSON *field = NULL;
    cJSON_ArrayForEach(field, fields)
    {
        const struct schema *part = NULL;
        const char *name = copy_text(reader, field, "field");
        if (!name) {
            return error_set(reterr, ERR_INVALID,
                             "Struct schema's field name not specified properly");
        }
        enum err err = json_read_schema(reader, field, &part, reterr);
        err = err ? err : schema_add_field(schema, name, part, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err read_parts(struct json_reader *reader, const cJSON *json, struct schema *schema,
                           struct error *reterr)
{
    switch (schema->type) {
    case SCHEMA_ARRAY:
        return read_part(reader, json, "items", &schema->items, reterr);
    case SCHEMA_MAP: {
        enum err err = read_part(reader, json, "keys", &schema->keys, reterr);
        return err ? err : read_part(reader, json, "values", &schema->items, reterr);
    }
    case SCHEMA_STRUCT:
        return read_fields(reader, json, schema, reterr);
    case SCHEMA_INT8:
    case SCHEMA_INT16:
    case SCHEMA_INT32:
    case SCHEMA_INT64:
    case SCHEMA_FLOAT32:
    case SCHEMA_FLOAT64:
    case SCHEMA_BOOLEAN:
    case SCHEMA_STRING:
    case SCHEMA_BYTES:
        break;
    }
    return ERR_OK;
}

static enum err read_parameters(struct json_reader *reader, const cJSON *json,
                                struct schema *schema, struct error *reterr)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "parameters");
    if (!cJSON_IsObject(list)) {
        return ERR_OK;
    }
    struct schema_parameter *parameters =
        arena_array(reader->arena, (size_t)cJSON_GetArraySize(list), sizeof(*parameters));
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item)) {
            return error_set(reterr, ERR_INVALID, "Schema parameters must have string values.");
        }
        parameters[schema->n_parameters++] = (struct schema_parameter){
            arena_strndup(reader->arena, item->string, strlen(item->string)),
            arena_strndup(reader->arena, item->valuestring, strlen(item->valuestring)),
        };
    }
    schema->parameters = parameters;
    return ERR_OK;
}

static void read_version(const cJSON *json, struct schema *schema)
{
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(json, "version");
    if (cJSON_IsNumber(version) && !strpbrk(version->valuestring, ".eE") &&
        fabs(version->valuedouble) <= INT32_MAX) {
        schema->has_version = true;
        schema->version = (int32_t)version->valuedouble;
    }
}

static enum err read_default(struct json_reader *reader, const cJSON *json, struct schema *schema,
                             struct error *reterr)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, "default");
    if (!member || (cJSON_IsNull(member) && schema->optional)) {
        return ERR_OK;
    }
    struct value *value = arena_alloc(reader->arena, sizeof(*value));
    enum err err = json_read_value(reader, schema, member, value, reterr);
    if (err == ERR_OK) {
        schema->default_value = value;
    }
    return err;
}

enum err json_read_schema(struct json_reader *reader, const cJSON *json,
                          const struct schema **ret_schema, struct error *reterr)
{
    if (cJSON_IsNull(json)) {
        *ret_schema = NULL;
        return ERR_OK;
    }
    struct schema *schema = arena_alloc(reader->arena, sizeof(*schema));
    enum err err = read_type(json, schema, reterr);
    err = err ? err : read_parts(reader, json, schema, reterr);
    if (err != ERR_OK) {
        return err;
    }
    schema->optional = json_bool(json, "optional", false);
    schema->name = copy_text(reader, json, "name");
    schema->doc = copy_text(reader, json, "doc");
    read_version(json, schema);
    err = read_parameters(reader, json, schema, reterr);
    err = err ? err : read_default(reader, json, schema, reterr);
    if (err == ERR_OK) {
        *ret_schema = schema;
    }
    return err;
}
