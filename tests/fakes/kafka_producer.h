/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer without Kafka, in the place of worker/kafka/producer.c: it keeps what is sent until a
 * test says what became of it. Thread: any; the records that it returns are copies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/err.h"

struct fake_record {
    char topic[64];
    char key[64];
    char value[64]; /* its first bytes */
    size_t length;
    bool null_value;
    char headers[512]; /* name=value;name=value; */
};

/* fake_producer_reset forgets everything; records that are under way must be settled before. */
void fake_producer_reset(void);
/* fake_producer_count returns the number of records sent so far, fake_producer_record the i-th. */
size_t fake_producer_count(void);
void fake_producer_record(size_t i, struct fake_record *ret_record);
/* fake_producer_settle reports all records that are under way with this outcome. */
void fake_producer_settle(enum err err);
/* fake_producer_settle_first reports only the oldest one. */
void fake_producer_settle_first(enum err err);
/* fake_producer_doubt_first reports the oldest one as acknowledged by no broker. */
void fake_producer_doubt_first(void);
/* fake_producer_auto makes every later record be delivered at once, or not. */
void fake_producer_auto(bool deliver);
/* fake_producer_refuse makes sends of a value that begins with `text` return err; NULL: of none.
 * n: so many times, 0 for ever. */
void fake_producer_refuse(const char *text, enum err err, unsigned n);
/* fake_producer_refuse_topic makes the next n sends to a topic return err. */
void fake_producer_refuse_topic(const char *topic, enum err err, unsigned n);
/* fake_producer_kill makes the present producer fatal; fake_producer_gets counts the producers. */
void fake_producer_kill(void);
unsigned fake_producer_gets(void);
