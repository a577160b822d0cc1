/* SPDX-License-Identifier: Apache-2.0 */
/* Making values and asking about them. See value.h. */
#include "worker/value.h"

#include <string.h>

bool value_is_whole(const struct value *value)
{
    return value->type >= VALUE_INT8 && value->type <= VALUE_INT64;
}

bool value_equals_text(const struct value *value, const char *text)
{
    size_t length = strlen(text);
    return value->type == VALUE_STRING && value->as.bytes.length == length &&
           (length == 0 || memcmp(value->as.bytes.data, text, length) == 0);
}

static const struct value *map_find(const struct value *map, const char *name)
{
    for (size_t i = 0; i < map->as.map.n_entries; i++) {
        if (value_equals_text(&map->as.map.entries[i].key, name)) {
            return &map->as.map.entries[i].value;
        }
    }
    return NULL;
}

const struct value *value_field(const struct value *value, const char *name)
{
    if (value->type == VALUE_MAP) {
        return map_find(value, name);
    }
    int at = value->type == VALUE_STRUCT ? schema_find(value->schema, name) : -1;
    return at < 0 ? NULL : &value->as.fields[at];
}

const struct value *value_or_default(const struct value *value, size_t i, bool plain)
{
    const struct value *field = &value->as.fields[i];
    const struct value *fallback = value->schema->fields[i].schema->default_value;
    return field->type == VALUE_NULL && fallback && !plain ? fallback : field;
}

struct value value_struct(struct arena *arena, const struct schema *schema,
                          struct value **ret_fields)
{
    *ret_fields = arena_array(arena, schema->n_fields, sizeof(**ret_fields));
    return (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = *ret_fields };
}

struct value value_map(struct arena *arena, size_t n_entries, struct value_entry **ret_entries)
{
    *ret_entries = arena_array(arena, n_entries, sizeof(**ret_entries));
    struct value value = { .type = VALUE_MAP };
    value.as.map.entries = *ret_entries;
    return value;
}

bool value_schema_type(const struct value *value, enum schema_type *ret_type)
{
    static const struct {
        bool known;
        enum schema_type type;
    } types[] = {
        [VALUE_BOOLEAN] = { true, SCHEMA_BOOLEAN }, [VALUE_INT8] = { true, SCHEMA_INT8 },
        [VALUE_INT16] = { true, SCHEMA_INT16 },     [VALUE_INT32] = { true, SCHEMA_INT32 },
        [VALUE_INT64] = { true, SCHEMA_INT64 },     [VALUE_FLOAT32] = { true, SCHEMA_FLOAT32 },
        [VALUE_FLOAT64] = { true, SCHEMA_FLOAT64 }, [VALUE_STRING] = { true, SCHEMA_STRING },
        [VALUE_BYTES] = { true, SCHEMA_BYTES },     [VALUE_ARRAY] = { true, SCHEMA_ARRAY },
        [VALUE_MAP] = { true, SCHEMA_MAP },         [VALUE_STRUCT] = { true, SCHEMA_STRUCT },
        [VALUE_DATE] = { false, SCHEMA_INT64 },     [VALUE_DECIMAL] = { false, SCHEMA_BYTES },
    };
    if (!types[value->type].known) {
        return false;
    }
    *ret_type = types[value->type].type;
    return true;
}

static bool fits(const struct schema *schema, const struct value *value)
{
    switch (schema_logical(schema)) {
    case LOGICAL_DECIMAL:
        return value->type == VALUE_DECIMAL;
    case LOGICAL_DATE:
    case LOGICAL_TIME:
    case LOGICAL_TIMESTAMP:
        return value->type == VALUE_DATE;
    case LOGICAL_NONE:
        break;
    }
    enum schema_type type = SCHEMA_STRUCT;
    return value_schema_type(value, &type) && type == schema->type;
}

enum err value_check(const struct schema *schema, const struct value *value, const char *name,
                     struct error *reterr)
{
    if (!schema) {
        return ERR_OK;
    }
    if (value->type == VALUE_NULL) {
        if (schema->optional) {
            return ERR_OK;
        }
        return error_set(reterr, ERR_INVALID,
                         "Invalid value: null used for required field: \"%s\", schema type: %s",
                         name, schema_type_text(schema->type));
    }
    if (fits(schema, value)) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Invalid Java object for schema%s%s%s with type %s: class %s for field: "
                     "\"%s\"",
                     schema->name ? " \"" : "", schema->name ? schema->name : "",
                     schema->name ? "\"" : "", schema_type_text(schema->type), value_class(value),
                     name);
}

const char *value_class(const struct value *value)
{
    static const char *const names[] = {
        [VALUE_NULL] = "null",
        [VALUE_BOOLEAN] = "java.lang.Boolean",
        [VALUE_INT8] = "java.lang.Byte",
        [VALUE_INT16] = "java.lang.Short",
        [VALUE_INT32] = "java.lang.Integer",
        [VALUE_INT64] = "java.lang.Long",
        [VALUE_FLOAT32] = "java.lang.Float",
        [VALUE_FLOAT64] = "java.lang.Double",
        [VALUE_STRING] = "java.lang.String",
        [VALUE_BYTES] = "[B",
        [VALUE_ARRAY] = "java.util.ArrayList",
        [VALUE_MAP] = "java.util.HashMap",
        [VALUE_STRUCT] = "org.apache.kafka.connect.data.Struct",
        [VALUE_DATE] = "java.util.Date",
        [VALUE_DECIMAL] = "java.math.BigDecimal",
    };
    return names[value->type];
}
