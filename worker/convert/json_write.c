/* SPDX-License-Identifier: Apache-2.0 */
/* JSON out of values and schemas. See json_write.h. */
#include "worker/convert/json_write.h"

#include <math.h>

#include "worker/base/base64.h"
#include "worker/base/mem.h"

#define MS_PER_DAY INT64_C(86400000)

/* ---- text ---- */

static void write_control(struct buf *out, unsigned char c)
{
    static const char shorts[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'
    };
    if (c < sizeof(shorts) && shorts[c]) {
        buf_add_char(out, '\\');
        buf_add_char(out, shorts[c]);
    } else {
        buf_printf(out, "\\u%04X", c);
    }
}

/* A character beyond the first plane, as two escaped halves: Connect's bytes. */
static void write_pair(struct buf *out, const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    uint32_t point = (c[0] & 7U) << 18 | (c[1] & 63U) << 12 | (c[2] & 63U) << 6 | (c[3] & 63U);
    point -= 0x10000;
    buf_printf(out, "\\u%04X\\u%04X", 0xD800 | point >> 10, 0xDC00 | (point & 0x3FF));
}

/* Writes what stands for the character at text; returns its length. */
static size_t write_special(struct buf *out, const char *text, size_t left)
{
    unsigned char c = (unsigned char)text[0];
    if (c >= 0xF0 && left >= 4) {
        write_pair(out, text);
        return 4;
    }
    if (c < 0x20) {
        write_control(out, c);
    } else {
        buf_add_text(out, c == '"' || c == '\\' ? "\\" : "");
        buf_add_char(out, (char)c);
    }
    return 1;
}

void json_write_text(struct buf *out, const char *text, size_t length)
{
    buf_add_char(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < length;) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c < 0xF0 && c != '"' && c != '\\') {
            i++;
            continue;
        }
        buf_add(out, text + from, i - from);
        i += write_special(out, text + i, length - i);
        from = i;
    }
    buf_add(out, text + from, length - from);
    buf_add_char(out, '"');
}

static void write_name(struct buf *out, bool *first, const char *name)
{
    if (!*first) {
        buf_add_char(out, ',');
    }
    *first = false;
    json_write_text(out, name, strlen(name));
    buf_add_char(out, ':');
}

static void write_base64(struct buf *out, const void *bytes, size_t length)
{
    buf_add_char(out, '"');
    base64_add(out, bytes, length);
    buf_add_char(out, '"');
}

/* ---- logical types ---- */

static enum err wrong_type(const struct schema *schema, const struct value *value,
                           struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "Invalid type for %s: class %s",
                     schema ? schema_type_text(schema->type) : "unknown schema",
                     value_class(value));
}

static enum err write_decimal(struct json_writer *writer, const struct schema *schema,
                              const struct value *value, struct error *reterr)
{
    int32_t scale = 0;
    if (value->type != VALUE_DECIMAL) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid type for Decimal, expected BigDecimal but was class %s",
                         value_class(value));
    }
    if (writer->decimal_numbers) {
        decimal_add_text(value->as.decimal, writer->out);
        return ERR_OK;
    }
    if (!schema_scale(schema, &scale)) {
        return error_set(reterr, ERR_INVALID, "Invalid Decimal schema: scale parameter not found.");
    }
    if (scale != value->as.decimal->scale) {
        return error_set(reterr, ERR_INVALID,
                         "Decimal value has mismatching scale for given Decimal schema. Schema has "
                         "scale %d, value has scale %d.",
                         (int)scale, (int)value->as.decimal->scale);
    }
    write_base64(writer->out, value->as.decimal->unscaled, value->as.decimal->length);
    return ERR_OK;
}

static enum err write_time(struct json_writer *writer, const struct schema *schema,
                           const struct value *value, struct error *reterr)
{
    enum schema_logical logical = schema_logical(schema);
    int64_t ms = value->as.number;
    if (value->type != VALUE_DATE) {
        static const char *const names[] = { "", "", "Date", "Time", "Timestamp" };
        return error_set(reterr, ERR_INVALID, "Invalid type for %s, expected Date but was class %s",
                         names[logical], value_class(value));
    }
    if (logical == LOGICAL_DATE && ms % MS_PER_DAY != 0) {
        return error_set(reterr, ERR_INVALID,
                         "Kafka Connect Date type should not have any time fields set to non-zero "
                         "values.");
    }
    if (logical == LOGICAL_TIME && (ms < 0 || ms > MS_PER_DAY)) {
        return error_set(reterr, ERR_INVALID,
                         "Kafka Connect Time type should not have any date fields set to non-zero "
                         "values.");
    }
    struct value number = value_whole(VALUE_INT64, logical == LOGICAL_DATE ? ms / MS_PER_DAY : ms);
    value_add_text(&number, writer->out);
    return ERR_OK;
}

/* ---- values ---- */

static enum err write_array(struct json_writer *writer, const struct schema *schema,
                            const struct value *value, struct error *reterr)
{
    enum err err = ERR_OK;
    buf_add_char(writer->out, '[');
    for (size_t i = 0; i < value->as.array.n_items && err == ERR_OK; i++) {
        if (i > 0) {
            buf_add_char(writer->out, ',');
        }
        err = json_write_value(writer, schema ? schema->items : NULL, &value->as.array.items[i],
                               reterr);
    }
    buf_add_char(writer->out, ']');
    return err;
}

static enum err write_entry(struct json_writer *writer, const struct schema *schema,
                            const struct value_entry *entry, bool as_object, struct error *reterr)
{
    if (!as_object) {
        buf_add_char(writer->out, '[');
    }
    enum err err = json_write_value(writer, schema ? schema->keys : NULL, &entry->key, reterr);
    if (err != ERR_OK) {
        return err;
    }
    buf_add_char(writer->out, as_object ? ':' : ',');
    err = json_write_value(writer, schema ? schema->items : NULL, &entry->value, reterr);
    if (!as_object) {
        buf_add_char(writer->out, ']');
    }
    return err;
}

/* Maps whose keys are all texts become objects, others lists of pairs. */
static enum err write_map(struct json_writer *writer, const struct schema *schema,
                          const struct value *value, struct error *reterr)
{
    bool typed = schema && schema->keys;
    bool as_object = !typed || schema->keys->type == SCHEMA_STRING;
    for (size_t i = 0; i < value->as.map.n_entries && !typed; i++) {
        as_object = as_object && value->as.map.entries[i].key.type == VALUE_STRING;
    }
    enum err err = ERR_OK;
    buf_add_char(writer->out, as_object ? '{' : '[');
    for (size_t i = 0; i < value->as.map.n_entries && err == ERR_OK; i++) {
        if (i > 0) {
            buf_add_char(writer->out, ',');
        }
        err = write_entry(writer, schema, &value->as.map.entries[i], as_object, reterr);
    }
    buf_add_char(writer->out, as_object ? '}' : ']');
    return err;
}

static enum err write_struct(struct json_writer *writer, const struct value *value,
                             struct error *reterr)
{
    const struct schema *schema = value->schema;
    enum err err = ERR_OK;
    bool first = true;
    buf_add_char(writer->out, '{');
    for (size_t i = 0; i < schema->n_fields && err == ERR_OK; i++) {
        write_name(writer->out, &first, schema->fields[i].name);
        err = json_write_value(writer, schema->fields[i].schema, &value->as.fields[i], reterr);
    }
    buf_add_char(writer->out, '}');
    return err;
}

static void write_real(struct json_writer *writer, const struct value *value)
{
    bool finite = isfinite(value->as.real);
    buf_add_text(writer->out, finite ? "" : "\"");
    value_add_text(value, writer->out);
    buf_add_text(writer->out, finite ? "" : "\"");
}

static enum err write_by_type(struct json_writer *writer, const struct schema *schema,
                              const struct value *value, struct error *reterr)
{
    switch (value->type) {
    case VALUE_BOOLEAN:
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
        value_add_text(value, writer->out);
        return ERR_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        write_real(writer, value);
        return ERR_OK;
    case VALUE_STRING:
        json_write_text(writer->out, value->as.bytes.data, value->as.bytes.length);
        return ERR_OK;
    case VALUE_BYTES:
        write_base64(writer->out, value->as.bytes.data, value->as.bytes.length);
        return ERR_OK;
    case VALUE_ARRAY:
        return write_array(writer, schema, value, reterr);
    case VALUE_MAP:
        return write_map(writer, schema, value, reterr);
    case VALUE_STRUCT:
        return write_struct(writer, value, reterr);
    case VALUE_NULL:
    case VALUE_DATE:
    case VALUE_DECIMAL:
        break;
    }
    return error_set(reterr, ERR_INVALID,
                     "Java class class %s does not have corresponding schema type.",
                     value_class(value));
}

static enum err write_null(struct json_writer *writer, const struct schema *schema,
                           struct error *reterr)
{
    if (schema && schema->default_value && writer->defaults_for_null) {
        return json_write_value(writer, schema, schema->default_value, reterr);
    }
    if (schema && !schema->optional) {
        return error_set(reterr, ERR_INVALID,
                         "Conversion error: null value for field that is required and has no "
                         "default value");
    }
    buf_add_text(writer->out, "null");
    return ERR_OK;
}

enum err json_write_value(struct json_writer *writer, const struct schema *schema,
                          const struct value *value, struct error *reterr)
{
    if (value->type == VALUE_NULL) {
        return write_null(writer, schema, reterr);
    }
    switch (schema_logical(schema)) {
    case LOGICAL_DECIMAL:
        return write_decimal(writer, schema, value, reterr);
    case LOGICAL_DATE:
    case LOGICAL_TIME:
    case LOGICAL_TIMESTAMP:
        return write_time(writer, schema, value, reterr);
    case LOGICAL_NONE:
        break;
    }
    enum schema_type type = SCHEMA_STRUCT;
    if (schema && (!value_schema_type(value, &type) || type != schema->type)) {
        return wrong_type(schema, value, reterr);
    }
    return write_by_type(writer, schema, value, reterr);
}

/* ---- schemas ---- */

static const char *type_name(enum schema_type type)
{
    static const char *const names[] = { "int8",    "int16",  "int32", "int64", "float", "double",
                                         "boolean", "string", "bytes", "array", "map",   "struct" };
    return names[type];
}

static enum err write_fields(struct json_writer *writer, const struct schema *schema,
                             struct error *reterr)
{
    enum err err = ERR_OK;
    buf_add_text(writer->out, ",\"fields\":[");
    for (size_t i = 0; i < schema->n_fields && err == ERR_OK; i++) {
        buf_add_text(writer->out, i == 0 ? "" : ",");
        err = json_write_schema(writer, schema->fields[i].schema, schema->fields[i].name, reterr);
    }
    buf_add_char(writer->out, ']');
    return err;
}

static enum err write_parts(struct json_writer *writer, const struct schema *schema,
                            struct error *reterr)
{
    enum err err = ERR_OK;
    if (schema->type == SCHEMA_STRUCT) {
        return write_fields(writer, schema, reterr);
    }
    if (schema->type == SCHEMA_MAP) {
        buf_add_text(writer->out, ",\"keys\":");
        err = json_write_schema(writer, schema->keys, NULL, reterr);
    }
    if (err == ERR_OK && (schema->type == SCHEMA_MAP || schema->type == SCHEMA_ARRAY)) {
        buf_add_text(writer->out, schema->type == SCHEMA_MAP ? ",\"values\":" : ",\"items\":");
        err = json_write_schema(writer, schema->items, NULL, reterr);
    }
    return err;
}

static void write_parameters(struct json_writer *writer, const struct schema *schema)
{
    bool first = true;
    buf_add_text(writer->out, ",\"parameters\":{");
    for (size_t i = 0; i < schema->n_parameters; i++) {
        const char *value = schema->parameters[i].value;
        write_name(writer->out, &first, schema->parameters[i].name);
        json_write_text(writer->out, value, strlen(value));
    }
    buf_add_char(writer->out, '}');
}

static void write_member(struct buf *out, const char *name, const char *text)
{
    bool first = false;
    if (text) {
        write_name(out, &first, name);
        json_write_text(out, text, strlen(text));
    }
}

enum err json_write_schema(struct json_writer *writer, const struct schema *schema,
                           const char *field, struct error *reterr)
{
    struct buf *out = writer->out;
    if (!schema) {
        buf_add_text(out, "null");
        return ERR_OK;
    }
    buf_add_text(out, "{\"type\":\"");
    buf_add_text(out, type_name(schema->type));
    buf_add_char(out, '"');
    enum err err = write_parts(writer, schema, reterr);
    if (err != ERR_OK) {
        return err;
    }
    buf_add_text(out, schema->optional ? ",\"optional\":true" : ",\"optional\":false");
    write_member(out, "name", schema->name);
    if (schema->has_version) {
        buf_printf(out, ",\"version\":%d", (int)schema->version);
    }
    write_member(out, "doc", schema->doc);
    if (schema->n_parameters > 0) {
        write_parameters(writer, schema);
    }
    if (schema->default_value) {
        buf_add_text(out, ",\"default\":");
        err = json_write_value(writer, schema, schema->default_value, reterr);
    }
    write_member(out, "field", field);
    buf_add_char(out, '}');
    return err;
}
