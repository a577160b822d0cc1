/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record that flows from a source to Kafka or from Kafka to a sink, in two shapes: struct
 * connect_record holds typed values while transforms work on it, struct record holds the bytes
 * that converters made of it. Both borrow what they point to unless said otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of schemaless values; a schema may be added beside the value by later converters. */
enum value_type {
    VALUE_NULL,
    VALUE_BOOLEAN,
    VALUE_INT, /* any whole number, see bits */
    VALUE_DOUBLE,
    VALUE_STRING, /* UTF-8 */
    VALUE_BYTES,
    VALUE_JSON, /* cJSON tree: map, list or primitive */
};

struct value {
    enum value_type type;
    union {
        bool boolean;
        int64_t number;
        double real;
        struct {
            const char *data;
            size_t length;
        } bytes;    /* VALUE_STRING, VALUE_BYTES */
        void *json; /* cJSON *, owned by the record's arena */
    } as;
};

#define RECORD_MAX_HEADERS 32

struct connect_header {
    const char *name;
    struct value value;
};

struct connect_record {
    const char *topic; /* Kafka topic */
    int32_t partition; /* -1: by key */
    int64_t timestamp_ms;
    struct value key;
    struct value value;
    struct connect_header headers[RECORD_MAX_HEADERS];
    size_t n_headers;
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
