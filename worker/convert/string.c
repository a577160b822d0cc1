/* SPDX-License-Identifier: Apache-2.0 */
/* StringConverter: values as UTF-8 text. Bytes are taken as they are: the text of a Java byte
 * array's identity, which the original writes, is of no use to anybody. */
#include <strings.h>

#include "worker/base/utf8.h"
#include "worker/convert/plugins.h"

static const struct config_def rows[] = {
    CONVERTER_TYPE_ROW,
    { .name = "converter.encoding",
      .type = CONFIG_STRING,
      .default_value = "UTF-8",
      .importance = CONFIG_HIGH,
      .order = -1,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Encoding",
      .doc = "Character set of the text; UTF-8 is the only one." },
};

static enum err open_string(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    char *encoding = config_text(&table, config, "converter.encoding");
    bool good = strcasecmp(encoding, "UTF-8") == 0 || strcasecmp(encoding, "UTF8") == 0;
    *ret_state = NULL;
    enum err err = good ? ERR_OK
                        : error_set(reterr, ERR_INVALID,
                                    "Invalid value %s for configuration converter.encoding: "
                                    "only UTF-8 is supported",
                                    encoding);
    free(encoding);
    return err;
}

static enum err to_bytes(void *state UNUSED, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr UNUSED)
{
    if (value->type == VALUE_NULL) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    if (value->type == VALUE_STRING || value->type == VALUE_BYTES) {
        *ret_bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
        return ERR_OK;
    }
    size_t start = out->length;
    value_add_text(value, out);
    *ret_bytes = (struct record_bytes){ out->data + start, out->length - start };
    return ERR_OK;
}

static enum err from_bytes(void *state UNUSED, const struct record_bytes *bytes,
                           struct arena *arena UNUSED, struct value *ret_value,
                           struct error *reterr)
{
    if (bytes->data && !utf8_valid(bytes->data, bytes->length)) {
        return error_set(reterr, ERR_INVALID, "the bytes are not valid UTF-8");
    }
    *ret_value =
        bytes->data ? value_text(bytes->data, bytes->length) : (struct value){ .type = VALUE_NULL };
    ret_value->schema = schema_plain(SCHEMA_STRING, true);
    return ERR_OK;
}

const struct converter_plugin string_converter = {
    .class_name = "org.apache.kafka.connect.storage.StringConverter",
    .data = true,
    .header = true,
    .table = CONFIG_TABLE(rows),
    .open = open_string,
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
