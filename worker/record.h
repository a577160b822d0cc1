/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record that flows from a source to Kafka or from Kafka to a sink, in two shapes: struct
 * connect_record holds typed values while transforms work on it, struct record holds the bytes
 * that converters made of it. Both borrow what they point to unless said otherwise.
 */
#pragma once

#include "worker/value.h"

#define RECORD_MAX_HEADERS 32

struct connect_header {
    const char *name;
    struct value value;
};

struct connect_record {
    const char *topic; /* Kafka topic */
    int32_t partition; /* -1: by key */
    bool from_kafka;   /* of a sink: offset counts */
    int64_t offset;
    int64_t timestamp_ms;
    struct value key;
    struct value value;
    struct connect_header headers[RECORD_MAX_HEADERS];
    size_t n_headers;
    /* Where transforms and converters put what they make; the owner resets it when the record is
     * done. */
    struct arena *arena;
    bool dropped; /* set by a transform: the record goes no further, on purpose */
};

struct record_bytes {
    const void *data; /* NULL: null (a tombstone if it is the value) */
    size_t length;
};

struct record_header {
    const char *name;
    struct record_bytes value;
};

struct record {
    const char *topic;
    int32_t partition;
    int64_t timestamp_ms;
    struct record_bytes key;
    struct record_bytes value;
    struct record_header headers[RECORD_MAX_HEADERS];
    size_t n_headers;
};
