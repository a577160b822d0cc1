/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas of record keys, values and headers: Kafka Connect's types. A schema is immutable once a
 * value refers to it; those made from records live in the record's arena, the others are constants.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/arena.h"
#include "worker/base/err.h"

struct value;

enum schema_type {
    SCHEMA_INT8,
    SCHEMA_INT16,
    SCHEMA_INT32,
    SCHEMA_INT64,
    SCHEMA_FLOAT32,
    SCHEMA_FLOAT64,
    SCHEMA_BOOLEAN,
    SCHEMA_STRING,
    SCHEMA_BYTES,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_STRUCT
};

/* Types that Connect knows by the schema's name. */
enum schema_logical {
    LOGICAL_NONE,
    LOGICAL_DECIMAL,
    LOGICAL_DATE,
    LOGICAL_TIME,
    LOGICAL_TIMESTAMP
};

struct schema_field {
    const char *name;
    const struct schema *schema;
};

struct schema_parameter {
    const char *name;
    const char *value;
};

struct schema {
    enum schema_type type;
    bool optional;
    bool has_version;
    int32_t version;
    const char *name;                  /* NULL: none */
    const char *doc;                   /* NULL: none */
    const struct value *default_value; /* NULL: none */
    const struct schema_parameter *parameters;
    size_t n_parameters;
    const struct schema *keys;         /* of a map */
    const struct schema *items;        /* of an array or map's values */
    const struct schema_field *fields; /* of a struct; names occur once */
    size_t n_fields;
};

/* Most fields of a struct: names are looked for one by one. */
#define SCHEMA_MAX_FIELDS 2000

extern const struct schema schema_plains[SCHEMA_BYTES + 1][2];
/* schema_plain returns the constant schema of a type without parts (not array, map, struct). */
static inline const struct schema *schema_plain(enum schema_type type, bool optional)
{
    return &schema_plains[type][optional];
}
/* schema_time returns the constant schema of LOGICAL_DATE, _TIME or _TIMESTAMP. */
const struct schema *schema_time(enum schema_logical logical, bool optional);
/* schema_logical tells what the name of a schema (may be NULL) says. */
enum schema_logical schema_logical(const struct schema *schema);
/* schema_parameter returns the value of a parameter, NULL if it has none of that name. */
const char *schema_parameter(const struct schema *schema, const char *name);
/* schema_scale reads the scale of a decimal; false if it has none. */
bool schema_scale(const struct schema *schema, int32_t *ret_scale);
/* schema_find returns the index of a field, -1 if a struct's schema has none of that name. */
int schema_find(const struct schema *schema, const char *name);
/* schema_type_text returns the type as Connect's texts write it, e.g. "INT64". */
const char *schema_type_text(enum schema_type type);
/* schema_copy makes a changeable copy in the arena, which shares the parts. */
struct schema *schema_copy(struct arena *arena, const struct schema *schema);
/* schema_struct makes a changeable struct schema with room for n_fields fields (n_fields of it is
 * 0) and the name, version, doc and parameters of `like`; it is required, without default. */
struct schema *schema_struct(struct arena *arena, const struct schema *like, size_t n_fields);
/* schema_add_field puts a field at the end of what schema_struct made; ERR_INVALID with Connect's
 * text if there is one of that name. */
enum err schema_add_field(struct schema *schema, const char *name, const struct schema *field,
                          struct error *reterr) MUST_CHECK;
