/* SPDX-License-Identifier: Apache-2.0 */
/* Message to record to producer. See pipeline.h. */
#include "worker/connectors/mqtt_source/pipeline.h"

#include "worker/active_topics.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/loop_guard.h"
#include "worker/connectors/mqtt_source/dead_letter.h"
#include "worker/convert.h"
#include "worker/kafka/props.h"
#include "worker/record.h"
#include "worker/topic_creation.h"
#include "worker/transform.h"

#define KEY_CONVERTER    "org.apache.kafka.connect.storage.StringConverter"
#define VALUE_CONVERTER  "org.apache.kafka.connect.converters.ByteArrayConverter"
#define HEADER_CONVERTER "org.apache.kafka.connect.storage.SimpleHeaderConverter"

/* How often a refused record is sent again by itself. */
#define SUSPECT_TRIES 3
/* Warnings about single records are written this often at most. */
#define LOG_EVERY_MS 10000

struct pipeline {
    const struct task_context *context;
    const struct source_settings *settings;
    struct kvs producer_props;
    struct kafka_producer *producer;
    struct transform_chain *transforms;
    struct topic_creation *topics; /* NULL: the broker makes topics, or nobody */
    struct converter *key_converter;
    struct converter *value_converter;
    struct converter *header_converter;
    /* Kept from message to message: nothing is allocated for one. */
    struct connect_record typed;
    struct record record;
    struct arena arena; /* of the record at hand; not touched without transforms */
    struct buf key;
    struct buf value;
    struct buf headers[RECORD_MAX_HEADERS];
    struct loop_guard loop;
    char trail[TRAIL_TEXT];
    struct log_limit error_limit;
    struct log_limit skip_limit;
    struct log_limit batch_limit;
};

static enum err read_props(struct pipeline *pipeline, struct error *reterr)
{
    static const char prefix[] = "producer.override.";
    const struct kvs *config = pipeline->context->connector_config;
    CLEANUP(kvs_fini) struct kvs overrides;
    kvs_init(&overrides);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, strlen(prefix)) == 0) {
            kvs_set(&overrides, config->items[i].key + strlen(prefix), config->items[i].value);
        }
    }
    CLEANUP(kvs_fini) struct kvs ignored;
    kvs_init(&ignored);
    enum err err = kafka_props_build(KAFKA_CONNECTOR_PRODUCER, pipeline->context->worker_props,
                                     &overrides, &pipeline->producer_props, &ignored, reterr);
    for (size_t i = 0; err == ERR_OK && i < ignored.n_items; i++) {
        log_debug(pipeline->context->log, "CONFIG-IGNORED", "key=%s client=producer",
                  ignored.items[i].key);
    }
    return err;
}

static enum err open_parts(struct pipeline *pipeline, struct error *reterr)
{
    const struct kvs *config = pipeline->context->connector_config;
    const struct kvs *worker = pipeline->context->worker_props;
    enum err err = converter_open(config, worker, "key.converter", KEY_CONVERTER,
                                  &pipeline->key_converter, reterr);
    err = err ? err
              : converter_open(config, worker, "value.converter", VALUE_CONVERTER,
                               &pipeline->value_converter, reterr);
    err = err ? err
              : converter_open(config, worker, "header.converter", HEADER_CONVERTER,
                               &pipeline->header_converter, reterr);
    err = err ? err : transform_chain_open(config, &pipeline->transforms, reterr);
    err = err ? err : topic_creation_open(worker, config, &pipeline->topics, reterr);
    err = err ? err : read_props(pipeline, reterr);
    return err ? err : kafka_producer_get(&pipeline->producer_props, &pipeline->producer, reterr);
}

/* Which broker the records come from is told by the addresses of this config. */
static void read_domains(struct pipeline *pipeline)
{
    loop_guard_read(&mqtt_source_table, pipeline->context->connector_config,
                    &pipeline->settings->connection.uris, pipeline->context->worker_props,
                    &pipeline->loop);
}

enum err pipeline_open(const struct task_context *context, const struct source_settings *settings,
                       struct pipeline **ret_pipeline, struct error *reterr)
{
    struct pipeline *pipeline = xcalloc(1, sizeof(*pipeline));
    pipeline->context = context;
    pipeline->settings = settings;
    kvs_init(&pipeline->producer_props);
    arena_init(&pipeline->arena);
    pipeline->typed.arena = &pipeline->arena;
    buf_init(&pipeline->key);
    buf_init(&pipeline->value);
    for (size_t i = 0; i < RECORD_MAX_HEADERS; i++) {
        buf_init(&pipeline->headers[i]);
    }
    read_domains(pipeline);
    enum err err = open_parts(pipeline, reterr);
    if (err != ERR_OK) {
        pipeline_close(pipeline);
        return err;
    }
    *ret_pipeline = pipeline;
    return ERR_OK;
}

void pipeline_close(struct pipeline *pipeline)
{
    if (!pipeline) {
        return;
    }
    kafka_producer_drop(pipeline->producer);
    transform_chain_close(pipeline->transforms);
    topic_creation_close(pipeline->topics);
    converter_close(pipeline->key_converter);
    converter_close(pipeline->value_converter);
    converter_close(pipeline->header_converter);
    arena_fini(&pipeline->arena);
    buf_fini(&pipeline->key);
    buf_fini(&pipeline->value);
    for (size_t i = 0; i < RECORD_MAX_HEADERS; i++) {
        buf_fini(&pipeline->headers[i]);
    }
    kvs_fini(&pipeline->producer_props);
    free(pipeline);
}

void pipeline_keep(struct pipeline *pipeline, const struct task_context *context,
                   const struct source_settings *settings)
{
    pipeline->context = context;
    pipeline->settings = settings;
    read_domains(pipeline);
}

/* ---- conversion ---- */

/* Values are written where they stay: a copy of what was just written in parts stalls the
 * processor, at a cost of all conversions together. */
static void set_bytes(struct value *value, enum schema_type type, const char *data, size_t length)
{
    value->type = type == SCHEMA_STRING ? VALUE_STRING : VALUE_BYTES;
    value->schema = schema_plain(type, false);
    value->as.bytes.data = data;
    value->as.bytes.length = length;
}

static void set_int_header(struct connect_header *header, const char *name, int64_t number)
{
    header->name = name;
    header->value.type = VALUE_INT32;
    header->value.schema = schema_plain(SCHEMA_INT32, false);
    header->value.as.number = number;
}

static void set_bool_header(struct connect_header *header, const char *name, bool truth)
{
    header->name = name;
    header->value.type = VALUE_BOOLEAN;
    header->value.schema = schema_plain(SCHEMA_BOOLEAN, false);
    header->value.as.boolean = truth;
}

/* The record of Confluent's MQTT source: same key, value and headers. */
static void make_typed(const struct pipeline *pipeline, const struct mqtt_message *message,
                       struct connect_record *typed)
{
    typed->topic = pipeline->settings->kafka_topic;
    typed->partition = -1;
    typed->timestamp_ms = clock_wall_ms();
    set_bytes(&typed->key, SCHEMA_STRING, message->topic, strlen(message->topic));
    set_bytes(&typed->value, SCHEMA_BYTES, message->payload, message->length);
    set_int_header(&typed->headers[0], "mqtt.message.id", message->id);
    set_int_header(&typed->headers[1], "mqtt.qos", message->qos);
    set_bool_header(&typed->headers[2], "mqtt.retained", message->retained);
    set_bool_header(&typed->headers[3], "mqtt.duplicate", message->duplicate);
    typed->n_headers = 4;
}

static enum err convert_headers(struct pipeline *pipeline, const struct connect_record *typed,
                                struct record *record, struct failure *ret_failure)
{
    for (size_t i = 0; i < typed->n_headers; i++) {
        struct buf *out = &pipeline->headers[i];
        buf_clear(out);
        record->headers[i].name = typed->headers[i].name;
        enum err err = converter_to_bytes(pipeline->header_converter, &typed->headers[i].value, out,
                                          &record->headers[i].value, &ret_failure->error);
        if (err != ERR_OK) {
            ret_failure->stage = "HEADER_CONVERTER";
            ret_failure->class_name = converter_name(pipeline->header_converter);
            return err;
        }
    }
    record->n_headers = typed->n_headers;
    return ERR_OK;
}

static enum err convert(struct pipeline *pipeline, const struct connect_record *typed,
                        struct record *record, struct failure *ret_failure)
{
    record->topic = typed->topic;
    record->partition = typed->partition;
    record->timestamp_ms = typed->timestamp_ms;
    buf_clear(&pipeline->key);
    ret_failure->stage = "KEY_CONVERTER";
    ret_failure->class_name = converter_name(pipeline->key_converter);
    enum err err = converter_to_bytes(pipeline->key_converter, &typed->key, &pipeline->key,
                                      &record->key, &ret_failure->error);
    if (err != ERR_OK) {
        return err;
    }
    buf_clear(&pipeline->value);
    ret_failure->stage = "VALUE_CONVERTER";
    ret_failure->class_name = converter_name(pipeline->value_converter);
    err = converter_to_bytes(pipeline->value_converter, &typed->value, &pipeline->value,
                             &record->value, &ret_failure->error);
    if (err != ERR_OK) {
        return err;
    }
    return convert_headers(pipeline, typed, record, ret_failure);
}

/* Not by way of the header converter, which may quote it. */
static void add_trail(struct pipeline *pipeline, const struct mqtt_message *message,
                      struct record *record)
{
    struct trail trail = message->trail;
    if (record->n_headers == RECORD_MAX_HEADERS) {
        return;
    }
    trail_add(&trail, trail_place(pipeline->loop.mqtt, message->topic));
    trail_format(&trail, pipeline->trail);
    record->headers[record->n_headers++] =
        (struct record_header){ TRAIL_HEADER, { pipeline->trail, strlen(pipeline->trail) } };
}

/* Fills pipeline->record; ret_keep false: a transform dropped it, or it has been there. */
static enum err make_record(struct pipeline *pipeline, const struct mqtt_message *message,
                            bool *ret_keep, struct failure *ret_failure)
{
    struct connect_record *typed = &pipeline->typed;
    arena_reset(&pipeline->arena);
    make_typed(pipeline, message, typed);
    enum err err =
        transform_chain_apply(pipeline->transforms, typed, ret_keep, &ret_failure->error);
    if (err != ERR_OK || !*ret_keep) {
        ret_failure->stage = "TRANSFORMATION";
        ret_failure->class_name = transform_chain_class(pipeline->transforms);
        return err;
    }
    if (pipeline->loop.on &&
        !trail_goes_on(&message->trail, trail_place(pipeline->loop.kafka, typed->topic))) {
        metric_add(pipeline->context->metrics, METRIC_LOOPED, 0, 1);
        *ret_keep = false;
        return ERR_OK;
    }
    err = convert(pipeline, typed, &pipeline->record, ret_failure);
    if (err == ERR_OK && pipeline->loop.on) {
        add_trail(pipeline, message, &pipeline->record);
    }
    return err;
}

/* ---- records that cannot be written ---- */

static enum pipeline_result fail(const struct pipeline *pipeline, const struct failure *failure,
                                 struct error *reterr)
{
    (void)error_set(reterr, failure->error.code, "%s in stage %s, Kafka topic %s: %s",
                    failure->class_name, failure->stage, pipeline->settings->kafka_topic,
                    failure->error.text);
    return PIPELINE_FAILED;
}

static void log_bad(struct pipeline *pipeline, const struct mqtt_message *message,
                    const struct failure *failure)
{
    unsigned suppressed = 0;
    if (!pipeline->settings->errors.log ||
        !log_limit_pass(&pipeline->error_limit, 1000, &suppressed)) {
        return;
    }
    if (pipeline->settings->errors.log_details) {
        log_error(pipeline->context->log, "RECORD-ERROR",
                  "stage=%s class=%s kafka_topic=%s error=\"%s\" mqtt_topic=\"%s\" suppressed=%u",
                  failure->stage, failure->class_name, pipeline->settings->kafka_topic,
                  failure->error.text, message->topic, suppressed);
    } else {
        log_error(pipeline->context->log, "RECORD-ERROR",
                  "stage=%s class=%s kafka_topic=%s error=\"%s\" suppressed=%u", failure->stage,
                  failure->class_name, pipeline->settings->kafka_topic, failure->error.text,
                  suppressed);
    }
}

/* A message that goes nowhere is never passed over in silence. */
static enum pipeline_result skip(struct pipeline *pipeline, const struct failure *failure)
{
    metric_add(pipeline->context->metrics, METRIC_SKIPPED, 0, 1);
    unsigned suppressed = 0;
    if (log_limit_pass(&pipeline->skip_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(pipeline->context->log, "RECORD-SKIPPED",
                 "count=%u stage=%s kafka_topic=%s error=\"%s\"", suppressed + 1, failure->stage,
                 pipeline->settings->kafka_topic, failure->error.text);
    }
    return PIPELINE_SENT;
}

/* What a send that was not taken means; FAILED: the record is at fault. */
static enum pipeline_result not_taken(struct window *window, enum err err,
                                      const struct error *error, struct error *reterr)
{
    window_take_back(window);
    if (err == ERR_UNAVAILABLE) {
        return PIPELINE_BUSY;
    }
    if (err == ERR_FENCED) {
        (void)error_set(reterr, err, "%s", error->text);
        return PIPELINE_NEW_PRODUCER;
    }
    return PIPELINE_FAILED;
}

/* before: the letter that came back, NULL for the first one. */
static enum pipeline_result send_dead_letter(struct pipeline *pipeline,
                                             const struct mqtt_message *message,
                                             struct window *window, const struct failure *failure,
                                             const struct window_item *before, struct error *reterr)
{
    struct window_item *item = window_add(window, message);
    item->dead_letter = true;
    item->why = xmemdup(failure, sizeof(*failure));
    item->n_tries = (uint16_t)(before ? before->n_tries + 1 : 0);
    item->bare = item->n_tries > SUSPECT_TRIES || message->oversize > 0;
    struct error error = { ERR_OK, "" };
    const struct dead_letter letter = { pipeline->context, pipeline->settings, message, failure,
                                        item->bare };
    enum err err = dead_letter_send(pipeline->producer, &letter, window_tracker(window),
                                    &item->flight, &error);
    if (err == ERR_OK) {
        return PIPELINE_SENT;
    }
    enum pipeline_result result = not_taken(window, err, &error, reterr);
    if (result != PIPELINE_FAILED) {
        return result;
    }
    (void)error_set(reterr, err, "dead letter queue %s: %s", pipeline->settings->errors.dlq_topic,
                    error.text);
    return PIPELINE_FAILED;
}

/* A record that cannot be written: by errors.tolerance. */
static enum pipeline_result handle_bad(struct pipeline *pipeline,
                                       const struct mqtt_message *message, struct window *window,
                                       const struct failure *failure, struct error *reterr)
{
    enum pipeline_result result = PIPELINE_SENT;
    /* Missing rights are an error of the set-up: no message is at fault. */
    if (!pipeline->settings->errors.tolerate || failure->error.code == ERR_UNAUTHORIZED) {
        result = fail(pipeline, failure, reterr);
    } else if (pipeline->settings->errors.dlq_topic) {
        result = send_dead_letter(pipeline, message, window, failure, NULL, reterr);
    } else {
        result = skip(pipeline, failure);
    }
    /* Whatever else came out comes here again, and is counted then. */
    if (result == PIPELINE_SENT || result == PIPELINE_FAILED) {
        metric_add(pipeline->context->metrics, METRIC_DELIVERY_ERRORS, 0, 1);
        log_bad(pipeline, message, failure);
    }
    return result;
}

/* ---- sending ---- */

static enum pipeline_result send(struct pipeline *pipeline, const struct mqtt_message *message,
                                 struct window *window, unsigned n_tries, struct error *reterr)
{
    struct failure failure;
    failure.error.text[0] = '\0';
    bool keep = true;
    enum err err = make_record(pipeline, message, &keep, &failure);
    if (err != ERR_OK) {
        return handle_bad(pipeline, message, window, &failure, reterr);
    }
    if (!keep) {
        metric_add(pipeline->context->metrics, METRIC_FILTERED, 0, 1);
        return PIPELINE_SENT;
    }
    err = topic_creation_ensure(pipeline->topics, pipeline->record.topic, pipeline->context->log,
                                reterr);
    if (err != ERR_OK) {
        /* No message is at fault: without an answer from Kafka all come again. */
        return err == ERR_TIMEOUT ? PIPELINE_NEW_PRODUCER : PIPELINE_FAILED;
    }
    struct window_item *item = window_add(window, message);
    item->n_tries = (uint16_t)n_tries;
    err = kafka_producer_send(pipeline->producer, &pipeline->record, window_tracker(window),
                              &item->flight, &failure.error);
    if (err == ERR_OK) {
        item->topic = active_topics_get(pipeline->context->topics, pipeline->record.topic);
        return PIPELINE_SENT;
    }
    enum pipeline_result result = not_taken(window, err, &failure.error, reterr);
    if (result != PIPELINE_FAILED) {
        return result;
    }
    failure.error.code = err;
    failure.stage = "KAFKA_PRODUCE";
    failure.class_name = "producer";
    return handle_bad(pipeline, message, window, &failure, reterr);
}

/* Its payload was never in memory: see mqtt_options.max_packet. */
static enum pipeline_result refuse_oversize(struct pipeline *pipeline,
                                            const struct mqtt_message *message,
                                            struct window *window, struct error *reterr)
{
    struct failure failure = { .stage = "VALUE_CONVERTER", .class_name = "MqttSource" };
    (void)error_set(&failure.error, ERR_TOO_LARGE,
                    "a message of %llu bytes on MQTT topic %.100s is larger than "
                    "mqtt.message.max.bytes (%zu): raise that%s",
                    (unsigned long long)message->oversize, message->topic,
                    pipeline->settings->options.max_packet,
                    pipeline->settings->errors.tolerate ? "" : ", or set errors.tolerance=all");
    metric_add(pipeline->context->metrics, METRIC_OVERSIZE, 0, 1);
    return handle_bad(pipeline, message, window, &failure, reterr);
}

enum pipeline_result pipeline_send(struct pipeline *pipeline, const struct mqtt_message *message,
                                   struct window *window, struct error *reterr)
{
    if (message->oversize > 0) {
        return refuse_oversize(pipeline, message, window, reterr);
    }
    return send(pipeline, message, window, 0, reterr);
}

/* The broker refuses a batch for one bad record in it, or for its size although each record is
 * small, so a refused record is sent again by itself before it is judged; more than once, as other
 * sessions' records may have come into its batch. A dead letter may shed its value after that. */
static bool is_suspect(const struct window_item *item)
{
    enum err err = item->flight.err;
    return (err == ERR_TOO_LARGE && item->dead_letter && !item->bare) ||
           ((err == ERR_TOO_LARGE || err == ERR_REJECTED) && item->n_tries < SUSPECT_TRIES);
}

/* From the copy. */
static enum pipeline_result send_again(struct pipeline *pipeline, struct window *window,
                                       const struct window_item *item, struct error *reterr)
{
    return item->dead_letter
               ? send_dead_letter(pipeline, item->copy, window, item->why, item, reterr)
               : send(pipeline, item->copy, window, item->n_tries + 1U, reterr);
}

static enum pipeline_result review_suspect(struct pipeline *pipeline, struct window *window,
                                           const struct window_item *item, struct error *reterr)
{
    const char *text = kafka_code_text(item->flight.kafka_code);
    unsigned suppressed = 0;
    if (item->n_tries == 0 && log_limit_pass(&pipeline->batch_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(pipeline->context->log, "BATCH-REFUSED",
                 "kafka_topic=%s error=\"%s\" action=\"its records are sent one by one\" "
                 "hint=\"max.message.bytes of the topic should not be smaller than batch.size\" "
                 "suppressed=%u",
                 item->dead_letter ? pipeline->settings->errors.dlq_topic
                                   : pipeline->settings->kafka_topic,
                 text, suppressed);
    }
    window_suspect(window);
    if (item->copy) {
        return send_again(pipeline, window, item, reterr);
    }
    (void)error_set(reterr, item->flight.err, "%s", text);
    return PIPELINE_SUSPECTS;
}

static void explain(const struct pipeline *pipeline, const struct window_item *item,
                    struct failure *failure)
{
    const char *text = kafka_code_text(item->flight.kafka_code);
    if (item->flight.err != ERR_TOO_LARGE) {
        (void)error_set(&failure->error, item->flight.err, "%s", text);
        return;
    }
    (void)error_set(&failure->error, item->flight.err,
                    "%s: a payload of %u bytes does not fit max.message.bytes of the topic: raise "
                    "that%s",
                    text, (unsigned)item->n_bytes,
                    pipeline->settings->errors.tolerate ? "" : ", or set errors.tolerance=all");
}

static enum pipeline_result review_item(struct pipeline *pipeline, struct window *window,
                                        struct window_item *item, struct error *reterr)
{
    enum err err = item->flight.err;
    if (item->flight.unsure && item->copy && item->n_tries < SUSPECT_TRIES) {
        return send_again(pipeline, window, item, reterr);
    }
    if (err == ERR_UNAVAILABLE || err == ERR_FENCED) {
        (void)error_set(reterr, err, "%s", kafka_code_text(item->flight.kafka_code));
        return PIPELINE_NEW_PRODUCER;
    }
    if (is_suspect(item)) {
        return review_suspect(pipeline, window, item, reterr);
    }
    struct failure failure = { .stage = "KAFKA_PRODUCE", .class_name = "producer" };
    explain(pipeline, item, &failure);
    if (item->dead_letter) {
        (void)error_set(reterr, err, "dead letter queue %s: %s",
                        pipeline->settings->errors.dlq_topic, failure.error.text);
        return PIPELINE_FAILED;
    }
    if (!item->copy) {
        return fail(pipeline, &failure, reterr);
    }
    return handle_bad(pipeline, item->copy, window, &failure, reterr);
}

enum pipeline_result pipeline_review(struct pipeline *pipeline, struct window *window,
                                     struct error *reterr)
{
    while (window_undelivered(window) == 0) {
        struct window_item *item = window_next_failed(window);
        if (!item) {
            break;
        }
        enum pipeline_result result = review_item(pipeline, window, item, reterr);
        /* A queue that is full right after everything was reported belongs to others: let the
         * messages come again. */
        if (result == PIPELINE_BUSY) {
            (void)error_set(reterr, ERR_UNAVAILABLE, "the producer's queue is full");
            return PIPELINE_NEW_PRODUCER;
        }
        if (result != PIPELINE_SENT) {
            return result;
        }
    }
    return PIPELINE_SENT;
}

bool pipeline_producer_dead(const struct pipeline *pipeline)
{
    return !pipeline->producer || kafka_producer_fatal(pipeline->producer);
}

enum err pipeline_renew(struct pipeline *pipeline, struct error *reterr)
{
    if (!pipeline_producer_dead(pipeline)) {
        return ERR_OK;
    }
    kafka_producer_drop(TAKE(pipeline->producer));
    log_warn(pipeline->context->log, "PRODUCER-RENEW", "reason=\"the producer had a fatal error\"");
    return kafka_producer_get(&pipeline->producer_props, &pipeline->producer, reterr);
}
