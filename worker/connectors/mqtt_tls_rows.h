/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the TLS keys of connections to MQTT brokers, the group "TLS" of each kind's table. */
#pragma once

#include "worker/connectors/mqtt_rows.h"

/* A PEM file. */
#define MQTT_TLS_FILE(key, place, also, title, what)                                               \
    {                                                                                              \
        .name = key, .type = CONFIG_STRING, .default_value = "", .check = mqtt_check_pem,          \
        .aliases = also, .cost = CONFIG_COST_RECONNECT, .importance = CONFIG_MEDIUM,               \
        .group = "TLS", .order = place, .width = CONFIG_WIDTH_LONG, .display_name = title,         \
        .doc = what                                                                                \
    }
#define MQTT_TLS_PASSWORD(key, place, change, weight, title, what)                                 \
    {                                                                                              \
        .name = key, .type = CONFIG_PASSWORD, .default_value = "", .cost = change,                 \
        .importance = weight, .group = "TLS", .order = place, .width = CONFIG_WIDTH_MEDIUM,        \
        .display_name = title, .doc = what                                                         \
    }
#define MQTT_TLS_SWITCH(key, place, kind, standard, title, what)                                   \
    {                                                                                              \
        .name = key, .type = kind, .default_value = standard, .cost = CONFIG_COST_RECONNECT,       \
        .importance = CONFIG_LOW, .group = "TLS", .order = place, .width = CONFIG_WIDTH_SHORT,     \
        .display_name = title, .doc = what                                                         \
    }

/* clang-format off */
#define MQTT_TLS_ROWS                                                                              \
    MQTT_TLS_FILE("mqtt.ssl.trust.store.path", 1, mqtt_also_trust_store, "CA Certificates",        \
                  "PEM file with the certificate authorities that are trusted. Empty: the "        \
                  "system's."),                                                                    \
    MQTT_TLS_PASSWORD("mqtt.ssl.trust.store.password", 2, CONFIG_COST_NOTHING, CONFIG_LOW,         \
                      "CA Certificates Password",                                                  \
                      "Accepted for compatibility: PEM files of certificates have none."),         \
    MQTT_TLS_FILE("mqtt.ssl.key.store.path", 3, NULL, "Key Store",                                 \
                  "PEM file with both the client's certificate and its key."),                     \
    MQTT_TLS_PASSWORD("mqtt.ssl.key.store.password", 4, CONFIG_COST_NOTHING, CONFIG_LOW,           \
                      "Key Store Password",                                                        \
                      "Accepted for compatibility; the key's own password is "                     \
                      "mqtt.ssl.key.password."),                                                   \
    MQTT_TLS_PASSWORD("mqtt.ssl.key.password", 5, CONFIG_COST_RECONNECT, CONFIG_MEDIUM,            \
                      "Key Password", "Password of the client's key."),                            \
    MQTT_TLS_FILE("mqtt.ssl.client.cert.path", 6, mqtt_also_client_cert, "Client Certificate",     \
                  "PEM file with the client's certificate."),                                      \
    MQTT_TLS_FILE("mqtt.ssl.client.key.path", 7, mqtt_also_client_key, "Client Key",               \
                  "PEM file with the client's key."),                                              \
    MQTT_TLS_SWITCH("mqtt.ssl.insecure", 8, CONFIG_BOOLEAN, "false", "Skip TLS Checks",            \
                    "true: neither the broker's certificate nor its host name is checked."),       \
    MQTT_TLS_SWITCH("mqtt.ssl.alpn", 9, CONFIG_STRING, "", "TLS ALPN",                             \
                    "Application protocol to announce in the TLS handshake.")
/* clang-format on */
