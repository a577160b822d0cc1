/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters. See dead_letter.h. */
#include "worker/connectors/mqtt_source/dead_letter.h"

#include "worker/base/clock.h"
#include "worker/record.h"

static void add_header(struct record *record, const char *name, const char *text)
{
    struct record_header *header = &record->headers[record->n_headers++];
    header->name = name;
    header->value = (struct record_bytes){ text, strlen(text) };
}

/* The Java class that clients of Kafka Connect's dead letters look for. */
static const char *exception_class(enum err err)
{
    static const struct {
        enum err err;
        const char *name;
    } classes[] = {
        { ERR_TOO_LARGE, "org.apache.kafka.common.errors.RecordTooLargeException" },
        { ERR_NOT_FOUND, "org.apache.kafka.common.errors.UnknownTopicOrPartitionException" },
        { ERR_REJECTED, "org.apache.kafka.common.errors.InvalidRecordException" },
    };
    for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
        if (classes[i].err == err) {
            return classes[i].name;
        }
    }
    return "org.apache.kafka.connect.errors.DataException";
}

static void add_context(struct record *record, const struct dead_letter *letter, const char *task)
{
    const struct error *error = &letter->failure->error;
    add_header(record, "__connect.errors.topic", letter->settings->kafka_topic);
    add_header(record, "__connect.errors.connector.name", letter->context->connector);
    add_header(record, "__connect.errors.task.id", task);
    add_header(record, "__connect.errors.stage", letter->failure->stage);
    add_header(record, "__connect.errors.class.name", letter->failure->class_name);
    add_header(record, "__connect.errors.exception.class.name", exception_class(error->code));
    add_header(record, "__connect.errors.exception.message", error->text);
    add_header(record, "__connect.errors.exception.stacktrace", error->text);
}

enum err dead_letter_send(struct kafka_producer *producer, const struct dead_letter *letter,
                          struct kafka_tracker *tracker, struct kafka_flight *flight,
                          struct error *reterr)
{
    const struct mqtt_message *message = letter->message;
    char id[16];
    char qos[16];
    char task[16];
    char size[32];
    (void)snprintf(id, sizeof(id), "%u", (unsigned)message->id);
    (void)snprintf(qos, sizeof(qos), "%d", message->qos);
    (void)snprintf(task, sizeof(task), "%d", letter->context->task);
    (void)snprintf(size, sizeof(size), "%zu", message->length);
    struct record record = {
        .topic = letter->settings->errors.dlq_topic,
        .partition = -1,
        .timestamp_ms = clock_wall_ms(),
        .key = { message->topic, strlen(message->topic) },
        .value = { message->payload, message->length },
    };
    add_header(&record, "mqtt.message.id", id);
    add_header(&record, "mqtt.qos", qos);
    add_header(&record, "mqtt.retained", message->retained ? "true" : "false");
    add_header(&record, "mqtt.duplicate", message->duplicate ? "true" : "false");
    if (letter->settings->errors.dlq_headers) {
        add_context(&record, letter, task);
    }
    enum err err = ERR_TOO_LARGE;
    if (!letter->bare) {
        err = kafka_producer_send(producer, &record, tracker, flight, reterr);
    }
    if (err == ERR_TOO_LARGE) {
        add_header(&record, "sluice.errors.value.bytes", size);
        record.value = (struct record_bytes){ NULL, 0 };
        err = kafka_producer_send(producer, &record, tracker, flight, reterr);
    }
    return err;
}
