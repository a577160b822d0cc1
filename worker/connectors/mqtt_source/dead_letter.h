/* SPDX-License-Identifier: Apache-2.0 */
/* Records for the dead letter queue: the message's own bytes and what went wrong. Thread: the
 * task's. */
#pragma once

#include "worker/connectors/dead_letter.h"
#include "worker/connectors/mqtt_source/settings.h"
#include "worker/kafka/producer.h"

/* What a dead letter is made of. */
struct dead_letter {
    const struct task_context *context;
    const struct source_settings *settings;
    const struct mqtt_message *message;
    const struct failure *failure;
    bool bare; /* without the payload, whose size goes into a header */
};

/* dead_letter_send sends a letter to the dead letter queue. A payload that Kafka does not take
 * there either is left out and its size noted in a header. Errors: as kafka_producer_send. */
enum err dead_letter_send(struct kafka_producer *producer, const struct dead_letter *letter,
                          struct kafka_tracker *tracker, struct kafka_flight *flight,
                          struct error *reterr) MUST_CHECK;
