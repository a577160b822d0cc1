/* SPDX-License-Identifier: Apache-2.0 */
/* Constant schemas and small questions about schemas. See schema.h. */
#include "worker/schema.h"

#include "worker/base/config_def.h"
#include "worker/base/mem.h"

#define PLAIN(type_name)                                                                           \
    {                                                                                              \
        { .type = (type_name) },                                                                   \
        {                                                                                          \
            .type = (type_name), .optional = true                                                  \
        }                                                                                          \
    }

const struct schema schema_plains[SCHEMA_BYTES + 1][2] = {
    [SCHEMA_INT8] = PLAIN(SCHEMA_INT8),       [SCHEMA_INT16] = PLAIN(SCHEMA_INT16),
    [SCHEMA_INT32] = PLAIN(SCHEMA_INT32),     [SCHEMA_INT64] = PLAIN(SCHEMA_INT64),
    [SCHEMA_FLOAT32] = PLAIN(SCHEMA_FLOAT32), [SCHEMA_FLOAT64] = PLAIN(SCHEMA_FLOAT64),
    [SCHEMA_BOOLEAN] = PLAIN(SCHEMA_BOOLEAN), [SCHEMA_STRING] = PLAIN(SCHEMA_STRING),
    [SCHEMA_BYTES] = PLAIN(SCHEMA_BYTES),
};

#define TIME(type_name, class_name)                                                                \
    {                                                                                              \
        { .type = (type_name), .name = (class_name), .has_version = true, .version = 1 },          \
        {                                                                                          \
            .type = (type_name), .name = (class_name), .has_version = true, .version = 1,          \
            .optional = true                                                                       \
        }                                                                                          \
    }

static const struct schema times[][2] = {
    [LOGICAL_DATE] = TIME(SCHEMA_INT32, "org.apache.kafka.connect.data.Date"),
    [LOGICAL_TIME] = TIME(SCHEMA_INT32, "org.apache.kafka.connect.data.Time"),
    [LOGICAL_TIMESTAMP] = TIME(SCHEMA_INT64, "org.apache.kafka.connect.data.Timestamp"),
};

const struct schema *schema_time(enum schema_logical logical, bool optional)
{
    ASSERT(logical >= LOGICAL_DATE && logical < N_ELEMENTS(times));
    return &times[logical][optional];
}

enum schema_logical schema_logical(const struct schema *schema)
{
    static const char prefix[] = "org.apache.kafka.connect.data.";
    static const char *const names[] = {
        [LOGICAL_DECIMAL] = "Decimal",
        [LOGICAL_DATE] = "Date",
        [LOGICAL_TIME] = "Time",
        [LOGICAL_TIMESTAMP] = "Timestamp",
    };
    if (!schema || !schema->name || strncmp(schema->name, prefix, strlen(prefix)) != 0) {
        return LOGICAL_NONE;
    }
    for (enum schema_logical i = LOGICAL_DECIMAL; i < N_ELEMENTS(names); i++) {
        if (strcmp(schema->name + strlen(prefix), names[i]) == 0) {
            return i;
        }
    }
    return LOGICAL_NONE;
}

const char *schema_parameter(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_parameters; i++) {
        if (strcmp(schema->parameters[i].name, name) == 0) {
            return schema->parameters[i].value;
        }
    }
    return NULL;
}

bool schema_scale(const struct schema *schema, int32_t *ret_scale)
{
    int64_t scale = 0;
    if (!config_parse_whole(schema_parameter(schema, "scale"), &scale) || scale < INT32_MIN ||
        scale > INT32_MAX) {
        return false;
    }
    *ret_scale = (int32_t)scale;
    return true;
}

int schema_find(const struct schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_fields; i++) {
        if (strcmp(schema->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const char *schema_type_text(enum schema_type type)
{
    static const char *const names[] = { "INT8",    "INT16",   "INT32",   "INT64",
                                         "FLOAT32", "FLOAT64", "BOOLEAN", "STRING",
                                         "BYTES",   "ARRAY",   "MAP",     "STRUCT" };
    return names[type];
}

struct schema *schema_copy(struct arena *arena, const struct schema *schema)
{
    return arena_memdup(arena, schema, sizeof(*schema));
}

struct schema *schema_struct(struct arena *arena, const struct schema *like, size_t n_fields)
{
    struct schema *schema = arena_alloc(arena, sizeof(*schema));
    if (like) {
        *schema = *like;
        schema->optional = false;
        schema->default_value = NULL;
        schema->keys = NULL;
        schema->items = NULL;
    }
    schema->type = SCHEMA_STRUCT;
    schema->n_fields = 0;
    schema->fields = arena_array(arena, n_fields, sizeof(*schema->fields));
    return schema;
}

enum err schema_add_field(struct schema *schema, const char *name, const struct schema *field,
                          struct error *reterr)
{
    if (schema_find(schema, name) >= 0) {
        return error_set(reterr, ERR_INVALID,
                         "Cannot create field because of field name duplication %s", name);
    }
    /* The array was made for this schema and is nobody else's yet. */
    union {
        const struct schema_field *given;
        struct schema_field *own;
    } fields = { schema->fields };
    fields.own[schema->n_fields++] = (struct schema_field){ name, field };
    return ERR_OK;
}
