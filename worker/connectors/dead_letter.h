/* SPDX-License-Identifier: Apache-2.0 */
/* What a record in a dead letter queue says about why it is there: Connect's headers. Thread:
 * any. */
#pragma once

#include "worker/base/err.h"
#include "worker/record.h"

/* What went wrong, and where. */
struct failure {
    const char *stage;      /* Connect's stage, e.g. VALUE_CONVERTER */
    const char *class_name; /* of the part that failed */
    struct error error;
};

/* Where it went wrong. */
struct dead_letter_place {
    const char *connector;
    int task;
    const char *topic; /* Kafka topic */
    int32_t partition; /* -1: it has none yet, nor an offset */
    int64_t offset;
};

/* Texts that the headers point to. */
struct dead_letter_texts {
    char task[16];
    char partition[16];
    char offset[24];
};

/* The most headers that dead_letter_add_context adds. */
#define DEAD_LETTER_HEADERS 10

/* dead_letter_add_context adds the headers __connect.errors.*, which borrow from everything given;
 * the record must have room for them. */
void dead_letter_add_context(struct record *record, const struct dead_letter_place *place,
                             const struct failure *failure, struct dead_letter_texts *texts);
/* dead_letter_add_header adds one header with a text as its value. */
void dead_letter_add_header(struct record *record, const char *name, const char *text);
