/* SPDX-License-Identifier: Apache-2.0 */
/* JsonConverter: values as JSON, with their schema in an envelope around them unless
 * schemas.enable is false. */
#include <strings.h>

#include "worker/base/mem.h"
#include "worker/convert/json_read.h"
#include "worker/convert/json_write.h"
#include "worker/convert/plugins.h"

static const char *const decimal_formats[] = { "NUMERIC", "BASE64", NULL };

static const struct config_def rows[] = {
    CONVERTER_TYPE_ROW,
    { .name = "schemas.enable",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .importance = CONFIG_HIGH,
      .group = "Schemas",
      .order = 0,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Enable Schemas",
      .doc = "Writes and expects each key and value with its schema, in an envelope." },
    { .name = "schemas.cache.size",
      .type = CONFIG_INT,
      .default_value = "1000",
      .importance = CONFIG_HIGH,
      .group = "Schemas",
      .order = 1,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Schema Cache Size",
      .doc = "Accepted for compatibility: schemas are read with each record." },
    { .name = "decimal.format",
      .type = CONFIG_STRING,
      .default_value = "BASE64",
      .values = decimal_formats,
      .compare = CONFIG_ANY_CASE,
      .importance = CONFIG_LOW,
      .group = "Serialization",
      .order = 0,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Decimal Format",
      .doc = "How decimals are written: NUMERIC as numbers, BASE64 as their bytes." },
    { .name = "replace.null.with.default",
      .type = CONFIG_BOOLEAN,
      .default_value = "true",
      .importance = CONFIG_LOW,
      .group = "Serialization",
      .order = 1,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Replace null with default",
      .doc = "Takes the default of a field's schema where the field is null." },
};

static const struct config_table table = CONFIG_TABLE(rows);

struct json_converter {
    bool schemas;
    bool decimal_numbers;
    bool defaults_for_null;
};

static enum err open_json(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    CLEANUP(free_charp) char *format = config_text(&table, config, "decimal.format");
    struct json_converter *json = xmalloc(sizeof(*json));
    *json = (struct json_converter){
        .schemas = config_bool(&table, config, "schemas.enable"),
        .decimal_numbers = strcasecmp(format, "NUMERIC") == 0,
        .defaults_for_null = config_bool(&table, config, "replace.null.with.default"),
    };
    *ret_state = json;
    return ERR_OK;
}

static enum err to_bytes(void *state, const struct value *value, struct buf *out,
                         struct record_bytes *ret_bytes, struct error *reterr)
{
    const struct json_converter *json = state;
    struct json_writer writer = { out, json->decimal_numbers, json->defaults_for_null };
    if (value->type == VALUE_NULL && !value->schema) {
        *ret_bytes = (struct record_bytes){ NULL, 0 };
        return ERR_OK;
    }
    size_t start = out->length;
    enum err err = ERR_OK;
    if (json->schemas) {
        buf_add_text(out, "{\"schema\":");
        err = json_write_schema(&writer, value->schema, NULL, reterr);
        buf_add_text(out, ",\"payload\":");
    }
    err = err ? err : json_write_value(&writer, value->schema, value, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (json->schemas) {
        buf_add_char(out, '}');
    }
    *ret_bytes = (struct record_bytes){ out->data + start, out->length - start };
    return ERR_OK;
}

static enum err read_envelope(struct json_reader *reader, const cJSON *tree,
                              struct value *ret_value, struct error *reterr)
{
    const cJSON *schema_json = cJSON_GetObjectItemCaseSensitive(tree, "schema");
    const cJSON *payload = cJSON_GetObjectItemCaseSensitive(tree, "payload");
    if (!cJSON_IsObject(tree) || !schema_json || !payload || cJSON_GetArraySize(tree) != 2) {
        return error_set(reterr, ERR_INVALID,
                         "JsonConverter with schemas.enable requires \"schema\" and \"payload\" "
                         "fields and may not contain additional fields. If you are trying to "
                         "deserialize plain JSON data, set schemas.enable=false in your converter "
                         "configuration.");
    }
    const struct schema *schema = NULL;
    enum err err = json_read_schema(reader, schema_json, &schema, reterr);
    err = err ? err : json_read_value(reader, schema, payload, ret_value, reterr);
    if (err == ERR_OK) {
        ret_value->schema = schema;
    }
    return err;
}

static enum err from_bytes(void *state, const struct record_bytes *bytes, struct arena *arena,
                           struct value *ret_value, struct error *reterr)
{
    const struct json_converter *json = state;
    struct json_reader reader = { arena, json->defaults_for_null };
    if (!bytes->data) {
        *ret_value = (struct value){ .type = VALUE_NULL };
        return ERR_OK;
    }
    CLEANUP(json_delete) cJSON *tree = NULL;
    enum err err = json_parse(bytes->data, bytes->length, &tree, reterr);
    if (err != ERR_OK) {
        (void)error_prefix(reterr, err,
                           "Converting byte[] to Kafka Connect data failed due to serialization "
                           "error");
        return ERR_INVALID;
    }
    return json->schemas ? read_envelope(&reader, tree, ret_value, reterr)
                         : json_read_value(&reader, NULL, tree, ret_value, reterr);
}

const struct converter_plugin json_converter = {
    .class_name = "org.apache.kafka.connect.json.JsonConverter",
    .data = true,
    .header = true,
    .table = CONFIG_TABLE(rows),
    .open = open_json,
    .close = free,
    .to_bytes = to_bytes,
    .from_bytes = from_bytes,
};
