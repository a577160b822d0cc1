/* SPDX-License-Identifier: Apache-2.0 */
/* ByteArrayConverter: bytes as they are. A string counts as its UTF-8 bytes, so that a worker whose
 * key.converter is this one takes the MQTT topic as the key. */
#include "worker/convert/plugins.h"

static const struct config_def rows[] = { CONVERTER_TYPE_ROW };

static enum err to_bytes(void *state UNUSED, const struct value *value, struct buf *out UNUSED,
                         struct record_bytes *ret_bytes, struct error *reterr)
{
    const struct schema *schema = value->schema;
    if (schema && schema->type != SCHEMA_BYTES && schema->type != SCHEMA_STRING) {
        return error_set(reterr, ERR_INVALID, "Invalid schema type for ByteArrayConverter: %s",
                         schema_type_text(schema->type));
    }
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type == VALUE_STRING || value->type == VALUE_BYTES) {
        *ret_bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "ByteArrayConverter is not compatible with objects of type class %s",
                     value_class(value));
}

static enum err from_bytes(void *state UNUSED, const struct record_bytes *bytes,
                           struct arena *arena UNUSED, struct value *ret_value,
                           struct error *reterr UNUSED)
{
    *ret_value = bytes->data ? value_bytes(bytes->data, bytes->length)
                             : (struct value){ .type = VALUE_NULL };
    ret_value->schema = schema_plain(SCHEMA_BYTES, true);
    return ERR_OK;
}

const struct converter_plugin byte_array_converter = {
    .class_name = "org.apache.kafka.connect.converters.ByteArrayConverter",
    .data = true,
    .header = true,
    .table = CONFIG_TABLE(rows),
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
