/* SPDX-License-Identifier: Apache-2.0 */
/* Converters of single numbers and truth values: the highest byte first, of a fixed width. */
#include "worker/convert/plugins.h"

static const struct config_def rows[] = { CONVERTER_TYPE_ROW };

/* One of the types, borrowed as an instance's state. */
struct number {
    const char *name; /* in error texts */
    const char *reader;
    enum value_type value;
    enum schema_type schema;
    size_t width;
};

static const struct number numbers[] = {
    { "short", "ShortDeserializer", VALUE_INT16, SCHEMA_INT16, 2 },
    { "integer", "IntegerDeserializer", VALUE_INT32, SCHEMA_INT32, 4 },
    { "long", "LongDeserializer", VALUE_INT64, SCHEMA_INT64, 8 },
    { "float", "Deserializer", VALUE_FLOAT32, SCHEMA_FLOAT32, 4 },
    { "double", "Deserializer", VALUE_FLOAT64, SCHEMA_FLOAT64, 8 },
};

static uint64_t bits_of(const struct value *value)
{
    uint64_t bits = (uint64_t)value->as.number;
    if (value->type == VALUE_FLOAT32) {
        float number = (float)value->as.real;
        uint32_t small = 0;
        memcpy(&small, &number, sizeof(small));
        bits = small;
    } else if (value->type == VALUE_FLOAT64) {
        memcpy(&bits, &value->as.real, sizeof(bits));
    }
    return bits;
}

static void set_bits(struct value *value, uint64_t bits)
{
    uint32_t small = (uint32_t)bits;
    float number = 0;
    switch (value->type) {
    case VALUE_INT16:
        value->as.number = (int16_t)bits;
        break;
    case VALUE_INT32:
        value->as.number = (int32_t)bits;
        break;
    case VALUE_FLOAT32:
        memcpy(&number, &small, sizeof(number));
        value->as.real = (double)number;
        break;
    case VALUE_FLOAT64:
        memcpy(&value->as.real, &bits, sizeof(bits));
        break;
    case VALUE_NULL:
    case VALUE_BOOLEAN:
    case VALUE_INT8:
    case VALUE_INT64:
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_STRUCT:
    case VALUE_DATE:
    case VALUE_DECIMAL:
        value->as.number = (int64_t)bits;
        break;
    }
}

static enum err number_to_bytes(void *state, const struct value *value, struct buf *out,
                                struct record_bytes *ret_bytes, struct error *reterr)
{
    const struct number *number = state;
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type != number->value) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to serialize to %s (was class %s): ", number->name,
                         value_class(value));
    }
    uint64_t bits = bits_of(value);
    size_t start = out->length;
    for (size_t i = number->width; i > 0; i--) {
        buf_add_char(out, (char)(bits >> (8 * (i - 1)) & 255));
    }
    *ret_bytes = (struct record_bytes){ out->data + start, number->width };
    return ERR_OK;
}

static enum err number_from_bytes(void *state, const struct record_bytes *bytes,
                                  struct arena *arena UNUSED, struct value *ret_value,
                                  struct error *reterr)
{
    const struct number *number = state;
    struct value value = { .type = VALUE_NULL, .schema = schema_plain(number->schema, true) };
    if (bytes->data && bytes->length != number->width) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to deserialize %s: Size of data received by %s is not %zu",
                         number->name, number->reader, number->width);
    }
    if (bytes->data) {
        const unsigned char *data = bytes->data;
        uint64_t bits = 0;
        for (size_t i = 0; i < number->width; i++) {
            bits = bits << 8 | data[i];
        }
        value.type = number->value;
        set_bits(&value, bits);
    }
    *ret_value = value;
    return ERR_OK;
}

static enum err boolean_to_bytes(void *state UNUSED, const struct value *value,
                                 struct buf *out UNUSED, struct record_bytes *ret_bytes,
                                 struct error *reterr)
{
    static const char truths[] = { 0, 1 };
    if (value->schema && value->schema->type != SCHEMA_BOOLEAN) {
        return error_set(reterr, ERR_INVALID, "Invalid schema type for BooleanConverter: %s",
                         schema_type_text(value->schema->type));
    }
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type != VALUE_BOOLEAN) {
        return error_set(reterr, ERR_INVALID,
                         "BooleanConverter is not compatible with objects of type class %s",
                         value_class(value));
    }
    *ret_bytes = (struct record_bytes){ &truths[value->as.boolean], 1 };
    return ERR_OK;
}

static enum err boolean_from_bytes(void *state UNUSED, const struct record_bytes *bytes,
                                   struct arena *arena UNUSED, struct value *ret_value,
                                   struct error *reterr)
{
    const unsigned char *data = bytes->data;
    struct value value = { .type = VALUE_NULL };
    if (data && bytes->length != 1) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to deserialize boolean: Size of data received by "
                         "BooleanDeserializer is not 1");
    }
    if (data && data[0] > 1) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to deserialize boolean: Unexpected byte received by "
                         "BooleanDeserializer: %d",
                         (int)(signed char)data[0]);
    }
    if (data) {
        value = value_truth(data[0] == 1);
    }
    value.schema = schema_plain(SCHEMA_BOOLEAN, true);
    *ret_value = value;
    return ERR_OK;
}

/* The state is never changed. */
static enum err take_number(size_t i, void **ret_state)
{
    union {
        const struct number *row;
        void *state;
    } number = { &numbers[i] };
    *ret_state = number.state;
    return ERR_OK;
}

#define NUMBER_CONVERTER(lower, upper, i)                                                          \
    static enum err open_##lower(const struct kvs *config UNUSED, void **ret_state,                \
                                 struct error *reterr UNUSED)                                      \
    {                                                                                              \
        return take_number(i, ret_state);                                                          \
    }                                                                                              \
    const struct converter_plugin lower##_converter = {                                            \
        .class_name = "org.apache.kafka.connect.converters." #upper "Converter",                   \
        .data = true,                                                                              \
        .header = true,                                                                            \
        .table = CONFIG_TABLE(rows),                                                               \
        .open = open_##lower,                                                                      \
        .to_bytes = number_to_bytes,                                                               \
        .from_bytes = number_from_bytes,                                                           \
    }

NUMBER_CONVERTER(short, Short, 0);
NUMBER_CONVERTER(integer, Integer, 1);
NUMBER_CONVERTER(long, Long, 2);
NUMBER_CONVERTER(float, Float, 3);
NUMBER_CONVERTER(double, Double, 4);

const struct converter_plugin boolean_converter = {
    .class_name = "org.apache.kafka.connect.converters.BooleanConverter",
    .data = true,
    .header = true,
    .table = CONFIG_TABLE(rows),
    .to_bytes = boolean_to_bytes,
    .from_bytes = boolean_from_bytes,
};
