/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed values, Kafka Connect's: what a converter reads, transforms work on and a converter writes.
 * A value borrows what it points to: the message, a constant, or the arena of its record. Nothing
 * that a value points to is changed in place, so values may share parts.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/schema.h"

enum value_type {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_INT8,
    VALUE_INT16,
    VALUE_INT32,
    VALUE_INT64,
    VALUE_FLOAT32,
    VALUE_FLOAT64,
    VALUE_STRING, /* UTF-8 */
    VALUE_BYTES,
    VALUE_ARRAY,
    VALUE_MAP,
    VALUE_STRUCT,
    VALUE_DATE, /* a Date, Time or Timestamp: milliseconds since 1970 UTC in number */
    VALUE_DECIMAL
};

struct value_entry;
struct decimal;

struct value {
    enum value_type type;
    /* Of a key, value or header: its schema, NULL for none. Of a struct, wherever it is: its own.
     * Not looked at in other values inside values, whose schema is in what holds them. */
    const struct schema *schema;
    union {
        bool boolean;
        int64_t number; /* INT8 to INT64, DATE */
        double real;    /* FLOAT32, FLOAT64 */
        struct {
            const char *data; /* not ended by a NUL */
            size_t length;
        } bytes; /* STRING, BYTES */
        struct {
            const struct value *items;
            size_t n_items;
        } array;
        struct {
            const struct value_entry *entries; /* in the order of their arrival */
            size_t n_entries;
        } map;
        const struct value *fields; /* STRUCT: as many as its schema has */
        const struct decimal *decimal;
    } as;
};

struct value_entry {
    struct value key;
    struct value value;
};

/* A number of any length: unscaled times ten to the power of minus scale. */
struct decimal {
    const unsigned char *unscaled; /* two's complement, the highest byte first; at least one */
    size_t length;
    int32_t scale;
};

/* Most bytes of an unscaled number: about 600 digits. */
#define DECIMAL_MAX_BYTES 256

/* value_text, value_bytes, value_whole and value_truth make values without a schema. value_whole
 * takes the type, one of INT8 to INT64 or DATE. Made for each message, so in the header. */
static inline struct value value_text(const char *text, size_t length)
{
    struct value value = { .type = VALUE_STRING };
    value.as.bytes.data = text;
    value.as.bytes.length = length;
    return value;
}
static inline struct value value_bytes(const void *data, size_t length)
{
    struct value value = { .type = VALUE_BYTES };
    value.as.bytes.data = data;
    value.as.bytes.length = length;
    return value;
}
static inline struct value value_whole(enum value_type type, int64_t number)
{
    return (struct value){ .type = type, .as.number = number };
}
static inline struct value value_truth(bool truth)
{
    return (struct value){ .type = VALUE_BOOLEAN, .as.boolean = truth };
}
/* value_is_whole tells whether the type is one of INT8 to INT64. */
bool value_is_whole(const struct value *value);
/* value_equals_text tells whether it is a string of that text. */
bool value_equals_text(const struct value *value, const char *text);

/* value_field returns the field of a struct or the entry of a map with string keys, NULL if it has
 * none of that name (or is neither). */
const struct value *value_field(const struct value *value, const char *name);
/* value_or_default returns a struct's field i; the default of its schema when it is null, unless
 * `plain`. */
const struct value *value_or_default(const struct value *value, size_t i, bool plain);
/* value_struct makes a struct of a schema with all fields null; ret_fields is the array to fill,
 * nobody else's yet. value_map does the same for a map with room for n_entries. */
struct value value_struct(struct arena *arena, const struct schema *schema,
                          struct value **ret_fields);
struct value value_map(struct arena *arena, size_t n_entries, struct value_entry **ret_entries);
/* value_check tells whether a value may stand under a schema (NULL: any may): ERR_INVALID with the
 * text that Connect has for a field of that name. */
enum err value_check(const struct schema *schema, const struct value *value, const char *name,
                     struct error *reterr) MUST_CHECK;
/* value_schema_type returns the type that a value has by itself, as Connect infers it; false for
 * null, dates and decimals. */
bool value_schema_type(const struct value *value, enum schema_type *ret_type);

/* value_class returns the class that holds such a value in Java, for error texts, e.g.
 * "java.lang.Long". */
const char *value_class(const struct value *value);
/* value_add_text appends the text that Java's String.valueOf gives, e.g. 1.0E10, {a=1}, "Struct{}";
 * bytes as they are. Thread: any. */
void value_add_text(const struct value *value, struct buf *out);

/* decimal_parse reads a decimal number as Java's BigDecimal does, e.g. -1.50E+3; false when it is
 * none or longer than DECIMAL_MAX_BYTES allows. The result lives in the arena. */
bool decimal_parse(const char *text, size_t length, struct arena *arena,
                   struct decimal *ret_decimal);
/* decimal_add_text appends BigDecimal's text. */
void decimal_add_text(const struct decimal *decimal, struct buf *out);
