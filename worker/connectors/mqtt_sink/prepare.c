/* SPDX-License-Identifier: Apache-2.0 */
/* Record to message. See prepare.h. */
#include "worker/connectors/mqtt_sink/prepare.h"

#include <strings.h>

#include "worker/base/mem.h"
#include "worker/connectors/mqtt_sink/extras.h"
#include "worker/connectors/mqtt_sink/sink_task.h"
#include "worker/convert.h"
#include "worker/transform.h"

#define BYTES_CONVERTER  "org.apache.kafka.connect.converters.ByteArrayConverter"
#define HEADER_CONVERTER "org.apache.kafka.connect.storage.SimpleHeaderConverter"
#define STRING_CONVERTER "org.apache.kafka.connect.storage.StringConverter"
#define JSON_CONVERTER   "org.apache.kafka.connect.json.JsonConverter"

struct preparer {
    const struct sink_settings *settings;
    struct metric_scope *metrics;
    struct converter *key_converter;
    struct converter *value_converter;
    struct converter *header_converter;
    struct converter *json_converter; /* for values that are neither bytes nor text */
    struct transform_chain *transforms;
    struct arena arena;
    /* Kept from record to record: nothing is allocated for one. */
    struct connect_record record;
    struct record_header headers[RECORD_MAX_HEADERS];
};

static enum err open_json(struct converter **ret_converter, struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "value.converter", JSON_CONVERTER);
    kvs_set(&config, "value.converter.schemas.enable", "false");
    return converter_open(&config, NULL, "value.converter", JSON_CONVERTER, ret_converter, reterr);
}

/* What a config says, or what input.data.format says in its place. */
static enum err open_value(const struct kvs *config, const struct kvs *worker,
                           struct converter **ret_converter, struct error *reterr)
{
    static const struct {
        const char *format;
        const char *converter;
    } formats[] = { { "BYTES", BYTES_CONVERTER },
                    { "STRING", STRING_CONVERTER },
                    { "JSON", JSON_CONVERTER } };
    CLEANUP(free_charp)
    char *format = config_text(&mqtt_sink_table, config, "input.data.format");
    CLEANUP(kvs_fini) struct kvs whole;
    kvs_init(&whole);
    kvs_copy(&whole, config);
    bool stands = format && !kvs_get(config, "value.converter");
    for (size_t i = 0; stands && i < N_ELEMENTS(formats); i++) {
        if (strcasecmp(format, formats[i].format) == 0) {
            kvs_set(&whole, "value.converter", formats[i].converter);
        }
    }
    if (stands && !kvs_get(config, "value.converter.schemas.enable")) {
        kvs_set(&whole, "value.converter.schemas.enable", "false");
    }
    return converter_open(&whole, worker, "value.converter", BYTES_CONVERTER, ret_converter,
                          reterr);
}

enum err preparer_new(const struct task_context *context, const struct sink_settings *settings,
                      struct preparer **ret_preparer, struct error *reterr)
{
    const struct kvs *config = context->connector_config;
    const struct kvs *worker = context->worker_props;
    struct preparer *preparer = xcalloc(1, sizeof(*preparer));
    preparer->settings = settings;
    preparer->metrics = context->metrics;
    arena_init(&preparer->arena);
    enum err err = converter_open(config, worker, "key.converter", BYTES_CONVERTER,
                                  &preparer->key_converter, reterr);
    err = err ? err : open_value(config, worker, &preparer->value_converter, reterr);
    err = err ? err
              : converter_open(config, worker, "header.converter", HEADER_CONVERTER,
                               &preparer->header_converter, reterr);
    err = err ? err : open_json(&preparer->json_converter, reterr);
    err = err ? err : transform_chain_open(config, &preparer->transforms, reterr);
    if (err != ERR_OK) {
        preparer_free(preparer);
        return err;
    }
    *ret_preparer = preparer;
    return ERR_OK;
}

void preparer_free(struct preparer *preparer)
{
    if (!preparer) {
        return;
    }
    converter_close(preparer->key_converter);
    converter_close(preparer->value_converter);
    converter_close(preparer->header_converter);
    converter_close(preparer->json_converter);
    transform_chain_close(preparer->transforms);
    arena_fini(&preparer->arena);
    free(preparer);
}

/* ---- bytes to values ---- */

static enum err convert(struct preparer *preparer, struct converter *converter, const char *stage,
                        const struct record_bytes *bytes, struct value *ret_value,
                        struct failure *failure)
{
    enum err err =
        converter_from_bytes(converter, bytes, &preparer->arena, ret_value, &failure->error);
    if (err != ERR_OK) {
        failure->stage = stage;
        failure->class_name = converter_name(converter);
    }
    return err;
}

static enum err convert_headers(struct preparer *preparer, struct sink_item *item,
                                struct connect_record *record, struct failure *failure)
{
    size_t n = kafka_fetched_headers(&item->fetched, preparer->headers, RECORD_MAX_HEADERS);
    if (n > RECORD_MAX_HEADERS) {
        failure->stage = "HEADER_CONVERTER";
        failure->class_name = converter_name(preparer->header_converter);
        return error_set(&failure->error, ERR_INVALID, "the record has %zu headers, more than %d",
                         n, RECORD_MAX_HEADERS);
    }
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        record->headers[i].name = preparer->headers[i].name;
        err = convert(preparer, preparer->header_converter, "HEADER_CONVERTER",
                      &preparer->headers[i].value, &record->headers[i].value, failure);
    }
    record->n_headers = n;
    item->has_headers = n > 0;
    return err;
}

static enum err read_record(struct preparer *preparer, struct sink_item *item,
                            struct failure *failure)
{
    const struct kafka_fetched *fetched = &item->fetched;
    struct connect_record *record = &preparer->record;
    record->topic = fetched->partition->topic;
    record->partition = fetched->partition->number;
    record->from_kafka = true;
    record->offset = fetched->offset;
    record->arena = &preparer->arena;
    record->dropped = false;
    record->timestamp_ms = fetched->timestamp_ms;
    enum err err = convert(preparer, preparer->key_converter, "KEY_CONVERTER", &fetched->key,
                           &record->key, failure);
    err = err ? err
              : convert(preparer, preparer->value_converter, "VALUE_CONVERTER", &fetched->value,
                        &record->value, failure);
    return err ? err : convert_headers(preparer, item, record, failure);
}

/* ---- values to the message ---- */

static bool lies_in(const struct record_bytes *bytes, const void *data, size_t length)
{
    uintptr_t start = (uintptr_t)data;
    uintptr_t at = (uintptr_t)bytes->data;
    return data && at >= start && at + bytes->length <= start + length;
}

/* Whether the bytes live as long as the item. */
static bool keeps(const struct sink_item *item, const struct record_bytes *bytes)
{
    const struct kafka_fetched *fetched = &item->fetched;
    return bytes->length == 0 || lies_in(bytes, fetched->value.data, fetched->value.length) ||
           lies_in(bytes, fetched->key.data, fetched->key.length) ||
           lies_in(bytes, item->payload.data, item->payload.length);
}

/* Bytes and text as they are, everything else as JSON text, which for plain values is their text.
 */
static enum err make_payload(const struct preparer *preparer, const struct value *value,
                             struct sink_item *item, struct error *reterr)
{
    struct mqtt_publication *publication = &item->publication;
    struct record_bytes bytes = { "", 0 };
    if (value->type == VALUE_BYTES || value->type == VALUE_STRING) {
        bytes = (struct record_bytes){ value->as.bytes.data, value->as.bytes.length };
    } else if (value->type != VALUE_NULL) {
        enum err err =
            converter_to_bytes(preparer->json_converter, value, &item->payload, &bytes, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    publication->payload = bytes.data;
    publication->length = bytes.length;
    if (keeps(item, &bytes)) {
        return ERR_OK;
    }
    /* What a transform or converter made lives no longer than the record. */
    buf_clear(&item->payload);
    buf_add(&item->payload, bytes.data, bytes.length);
    publication->payload = buf_text(&item->payload);
    return ERR_OK;
}

static enum err make_message(const struct preparer *preparer, struct sink_item *item,
                             enum prepare_result *ret_result, struct failure *failure)
{
    const struct sink_settings *settings = preparer->settings;
    bool keep = true;
    failure->stage = "TASK_PUT";
    failure->class_name = SINK_CLASS;
    enum err err =
        topic_template_make(settings->topic, &preparer->record, &item->topic, &failure->error);
    item->publication.topic = buf_text(&item->topic);
    err = err ? err : extras_add(settings, &preparer->record, item, &keep, &failure->error);
    *ret_result = keep ? PREPARE_SEND : PREPARE_LOOP;
    return err || !keep ? err
                        : make_payload(preparer, &preparer->record.value, item, &failure->error);
}

enum err preparer_make(struct preparer *preparer, struct sink_item *item,
                       enum prepare_result *ret_result, struct failure *failure)
{
    bool keep = true;
    *ret_result = PREPARE_DROP;
    arena_reset(&preparer->arena);
    enum err err = read_record(preparer, item, failure);
    if (err != ERR_OK) {
        return err;
    }
    err = transform_chain_apply(preparer->transforms, &preparer->record, &keep, &failure->error);
    if (err != ERR_OK) {
        failure->stage = "TRANSFORMATION";
        failure->class_name = transform_chain_class(preparer->transforms);
        return err;
    }
    if (!keep) {
        metric_add(preparer->metrics, METRIC_FILTERED, 0, 1);
        return ERR_OK;
    }
    if (preparer->record.value.type == VALUE_NULL && preparer->settings->skip_tombstones) {
        return ERR_OK;
    }
    return make_message(preparer, item, ret_result, failure);
}
