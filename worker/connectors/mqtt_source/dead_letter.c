/* SPDX-License-Identifier: Apache-2.0 */
/* Dead letters. See dead_letter.h. */
#include "worker/connectors/mqtt_source/dead_letter.h"

#include "worker/base/clock.h"
#include "worker/record.h"

enum err dead_letter_send(struct kafka_producer *producer, const struct dead_letter *letter,
                          struct kafka_tracker *tracker, struct kafka_flight *flight,
                          struct error *reterr)
{
    const struct mqtt_message *message = letter->message;
    char id[16];
    char qos[16];
    char size[32];
    struct dead_letter_texts texts;
    (void)snprintf(id, sizeof(id), "%u", (unsigned)message->id);
    (void)snprintf(qos, sizeof(qos), "%d", message->qos);
    uint64_t n_bytes = message->oversize > 0 ? message->oversize : message->length;
    (void)snprintf(size, sizeof(size), "%llu", (unsigned long long)n_bytes);
    struct record record = {
        .topic = letter->settings->errors.dlq_topic,
        .partition = -1,
        .timestamp_ms = clock_wall_ms(),
        .key = { message->topic, strlen(message->topic) },
        .value = { message->payload, message->length },
    };
    dead_letter_add_header(&record, "mqtt.message.id", id);
    dead_letter_add_header(&record, "mqtt.qos", qos);
    dead_letter_add_header(&record, "mqtt.retained", message->retained ? "true" : "false");
    dead_letter_add_header(&record, "mqtt.duplicate", message->duplicate ? "true" : "false");
    if (letter->settings->errors.dlq_headers) {
        const struct dead_letter_place place = { letter->context->connector, letter->context->task,
                                                 letter->settings->kafka_topic, -1, -1 };
        dead_letter_add_context(&record, &place, letter->failure, &texts);
    }
    enum err err = ERR_TOO_LARGE;
    if (!letter->bare) {
        err = kafka_producer_send(producer, &record, tracker, flight, reterr);
    }
    if (err == ERR_TOO_LARGE) {
        dead_letter_add_header(&record, "sluice.errors.value.bytes", size);
        record.value = (struct record_bytes){ NULL, 0 };
        err = kafka_producer_send(producer, &record, tracker, flight, reterr);
    }
    return err;
}
