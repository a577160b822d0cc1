/* SPDX-License-Identifier: Apache-2.0 */
/* See dead_letter.h. */
#include "worker/connectors/dead_letter.h"

#include <stdio.h>
#include <string.h>

void dead_letter_add_header(struct record *record, const char *name, const char *text)
{
    ASSERT(record->n_headers < RECORD_MAX_HEADERS);
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

void dead_letter_add_context(struct record *record, const struct dead_letter_place *place,
                             const struct failure *failure, struct dead_letter_texts *texts)
{
    (void)snprintf(texts->task, sizeof(texts->task), "%d", place->task);
    dead_letter_add_header(record, "__connect.errors.topic", place->topic);
    if (place->partition >= 0) {
        (void)snprintf(texts->partition, sizeof(texts->partition), "%d", (int)place->partition);
        (void)snprintf(texts->offset, sizeof(texts->offset), "%lld", (long long)place->offset);
        dead_letter_add_header(record, "__connect.errors.partition", texts->partition);
        dead_letter_add_header(record, "__connect.errors.offset", texts->offset);
    }
    dead_letter_add_header(record, "__connect.errors.connector.name", place->connector);
    dead_letter_add_header(record, "__connect.errors.task.id", texts->task);
    dead_letter_add_header(record, "__connect.errors.stage", failure->stage);
    dead_letter_add_header(record, "__connect.errors.class.name", failure->class_name);
    dead_letter_add_header(record, "__connect.errors.exception.class.name",
                           exception_class(failure->error.code));
    dead_letter_add_header(record, "__connect.errors.exception.message", failure->error.text);
    dead_letter_add_header(record, "__connect.errors.exception.stacktrace", failure->error.text);
}
