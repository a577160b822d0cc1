/* SPDX-License-Identifier: Apache-2.0 */
/* SimpleHeaderConverter: header values as Connect's text forms, e.g. 5, true, word, [1,"two"]; the
 * type is guessed back from the text. */
#include "worker/base/base64.h"
#include "worker/convert/header_text.h"
#include "worker/convert/plugins.h"

static enum err to_bytes(void *state UNUSED, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr UNUSED)
{
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type == VALUE_STRING) {
        *ret_bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
        return ERR_OK;
    }
    size_t start = out->length;
    if (value->type <= VALUE_FLOAT64) {
        value_add_text(value, out);
    } else {
        header_text_add(value, false, out);
    }
    *ret_bytes = (struct record_bytes){ buf_text(out) + start, out->length - start };
    return ERR_OK;
}

static enum err from_bytes(void *state UNUSED, const struct record_bytes *bytes,
                           struct arena *arena, struct value *ret_value,
                           struct error *reterr UNUSED)
{
    *ret_value = (struct value){ .type = VALUE_NULL };
    if (bytes->data) {
        header_text_parse(bytes->data, bytes->length, arena, ret_value);
    }
    return ERR_OK;
}

const struct converter_plugin simple_header_converter = {
    .class_name = "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    .header = true,
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
