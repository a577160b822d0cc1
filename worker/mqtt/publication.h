/* SPDX-License-Identifier: Apache-2.0 */
/* A message to be published, and what a broker takes. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/list.h"

/* What a CONNACK allows; MQTT 3.1.1 allows everything. */
struct mqtt_limits {
    uint16_t receive_maximum; /* unacknowledged messages, at least 1 */
    uint8_t max_qos;
    bool retain_available;
    uint32_t max_packet; /* bytes; 0: no limit */
};

struct mqtt_user_property {
    const char *name;
    const char *value;
};

/* Embedded in the owner's storage and left alone until it is done; the texts are borrowed so long.
 * Everything from expiry_s on needs MQTT 5 and is left out otherwise. */
struct mqtt_publication {
    const char *topic;
    const void *payload;
    size_t length;
    int qos;
    bool retained;
    uint32_t expiry_s; /* 0: none */
    const char *content_type;
    const char *response_topic;
    const void *correlation;
    uint16_t correlation_length;
    const struct mqtt_user_property *user;
    size_t n_user;

    struct list link;  /* the publisher's from here on */
    uint16_t id;       /* on the present connection; 0: not sent there */
    uint64_t since_ms; /* when it was sent first; 0: not yet */
    bool forgotten;
};
