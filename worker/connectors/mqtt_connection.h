/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a connection to an MQTT broker that connector kinds share, parsed. Thread: the
 * owner's. */
#pragma once

#include "worker/base/config_def.h"
#include "worker/mqtt/session.h"

/* Owns the texts that options borrow. */
struct mqtt_connection {
    struct mqtt_uris uris;
    char *username; /* NULL: none */
    char *password;
    char *ca;
    char *cert;
    char *key;
    char *key_password;
    char *alpn;
    int64_t max_retry_ms; /* 0: for ever */
};

/* mqtt_connection_read parses mqtt.server.uri, mqtt.username, mqtt.password, mqtt.ssl.*,
 * mqtt.protocol.version, mqtt.connect.timeout.seconds, mqtt.keepalive.interval.seconds and
 * max.retry.time.ms of a validated config, and sets what they say in options. Errors: ERR_INVALID.
 */
enum err mqtt_connection_read(const struct config_table *table, const struct kvs *config,
                              struct mqtt_connection *ret_connection,
                              struct mqtt_options *ret_options, struct error *reterr) MUST_CHECK;
void mqtt_connection_fini(struct mqtt_connection *connection);
