/* SPDX-License-Identifier: Apache-2.0 */
/* SimpleHeaderConverter: header values as Connect's text forms, e.g. 5, true, word. */
#include "worker/base/utf8.h"
#include "worker/convert/plugins.h"

static enum err to_bytes(void *state, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr)
{
    (void)state;
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type == VALUE_STRING || value->type == VALUE_BYTES) {
        *ret_bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
        return ERR_OK;
    }
    size_t start = out->length;
    if (!value_add_text(value, out)) {
        return error_set(reterr, ERR_INVALID, "Invalid schema type for SimpleHeaderConverter: %s",
                         value_type_text(value->type));
    }
    *ret_bytes = (struct record_bytes){ out->data + start, out->length - start };
    return ERR_OK;
}

static enum err from_bytes(void *state, const struct record_bytes *bytes, struct value *ret_value,
                           struct error *reterr)
{
    (void)state;
    (void)reterr;
    *ret_value = (struct value){ .type = VALUE_NULL };
    if (bytes->data) {
        bool text = utf8_valid(bytes->data, bytes->length);
        ret_value->type = text ? VALUE_STRING : VALUE_BYTES;
        ret_value->as.bytes.data = bytes->data;
        ret_value->as.bytes.length = bytes->length;
    }
    return ERR_OK;
}

const struct converter_plugin simple_header_converter = {
    .class_name = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    .header = true,
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
