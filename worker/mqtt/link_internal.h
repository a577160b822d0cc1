/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a link share: link.c (life of a connection), link_connack.c,
 * link_publish.c. */
#pragma once

#include <mosquitto.h>

#include "worker/mqtt/link.h"
#include "worker/mqtt/seam.h"

struct link {
    struct mosquitto *mosq;
    const struct mqtt_options *options;
    struct link_handlers handlers;
    struct seam *seam;
    bool v5;
    bool tls;
    bool duplicate;     /* DUP of the PUBLISH that is being handled */
    bool wrote_all;     /* no queued packet was left over by the last write */
    unsigned n_packets; /* grows with each that is received */
    int reason;         /* of the broker's DISCONNECT */
    bool said_goodbye;
    bool garbled; /* what came is no packet of this MQTT version */
    char text[256];
    char lib_error[192]; /* the library's last error line */
};

/* link_connack_read makes of a CONNACK what the session has to know. */
struct link_connack link_connack_read(const struct mqtt_options *options, int code, int flags,
                                      const mosquitto_property *properties);
