/* SPDX-License-Identifier: Apache-2.0 */
/* ByteArrayConverter: bytes as they are. A string counts as its UTF-8 bytes, so that a worker whose
 * key.converter is this one takes the MQTT topic as the key. */
#include "worker/convert/plugins.h"

static enum err to_bytes(void *state, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr)
{
    (void)state;
    (void)out;
    switch (value->type) {
    case VALUE_NULL:
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    case VALUE_STRING:
    case VALUE_BYTES:
        *ret_bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
        return ERR_OK;
    case VALUE_BOOLEAN:
    case VALUE_INT:
    case VALUE_DOUBLE:
    case VALUE_JSON:
        break;
    }
    return error_set(reterr, ERR_INVALID, "Invalid schema type for ByteArrayConverter: %s",
                     value_type_text(value->type));
}

static enum err from_bytes(void *state, const struct record_bytes *bytes, struct value *ret_value,
                           struct error *reterr)
{
    (void)state;
    (void)reterr;
    *ret_value = (struct value){ .type = bytes->data ? VALUE_BYTES : VALUE_NULL };
    ret_value->as.bytes.data = bytes->data;
    ret_value->as.bytes.length = bytes->length;
    return ERR_OK;
}

const struct converter_plugin byte_array_converter = {
    .class_name = "org.apache.kafka.connect.converters.ByteArrayConverter",
    .header = true,
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
