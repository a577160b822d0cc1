/* SPDX-License-Identifier: Apache-2.0 */
/* Records as a consumer fetched them. Thread: the consumer's. */
#pragma once

#include "worker/record.h"

/* A partition that this member reads; the consumer's, from on_assigned until it is released. */
struct kafka_partition {
    const char *topic;
    int32_t number;
    void *owner; /* the user's */
};

/* A record as it was fetched; its bytes stay until kafka_fetched_free. */
struct kafka_fetched {
    struct kafka_partition *partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct record_bytes key;
    struct record_bytes value;
    void *handle;
};

/* kafka_fetched_headers fills in up to `max` headers and returns how many the record has. */
size_t kafka_fetched_headers(const struct kafka_fetched *fetched, struct record_header *ret_headers,
                             size_t max);
/* kafka_fetched_header finds the last header of a name; false if there is none. */
bool kafka_fetched_header(const struct kafka_fetched *fetched, const char *name,
                          struct record_bytes *ret_value);
void kafka_fetched_free(struct kafka_fetched *fetched);
