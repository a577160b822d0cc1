/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What connector kinds that connect to an MQTT broker have in common: the rows of their shared
 * keys, the checks of those, and what both say in validation and log. A row is a macro because
 * each kind has one constant table in an order of its own. Thread: any.
 */
#pragma once

#include "worker/base/config_result.h"
#include "worker/base/log.h"
#include "worker/connector.h"
#include "worker/connectors/lenses.h"
#include "worker/mqtt/filter.h"

/* Keys of task configs. */
#define MQTT_TASK_CLASS  "task.class"
#define MQTT_TASK_PREFIX "mqtt.task.client.id.prefix"

/* Checks of single values, for the rows: addresses of brokers; the path of a PEM file, which must
 * not look like one of Java's stores. */
enum err mqtt_check_uris(const char *value, struct error *reterr);
enum err mqtt_check_pem(const char *value, struct error *reterr);

/* mqtt_rows_validate checks the shared keys against each other, and names the mend for those of
 * other connectors that cannot be taken. */
void mqtt_rows_validate(const struct config_table *table, const struct kvs *config,
                        struct config_result *result);
/* mqtt_rows_recommend gives `good` as the recommended value of a key that is `bad`: what validate
 * answers has no place for a warning. */
void mqtt_rows_recommend(struct config_result *result, const char *key, const char *bad,
                         const char *good);
/* mqtt_rows_warn logs which keys have no effect, and what to set instead, those that begin with one
 * of `ignored` (ended by NULL) among them, and that TLS is not checked. */
void mqtt_rows_warn(const struct config_table *table, const struct kvs *config,
                    const char *const *ignored, const struct log_ctx *log);
/* mqtt_rows_prefix returns the owned text that client ids begin with. */
char *mqtt_rows_prefix(const struct config_table *table, const struct connector_facts *facts,
                       const struct kvs *config);

/* What the rows point to. */
extern const char *const mqtt_rows_versions[];
extern const char *const mqtt_also_connect_timeout[];
extern const char *const mqtt_also_keepalive[];
extern const char *const mqtt_also_clean_session[];
extern const char *const mqtt_also_trust_store[];
extern const char *const mqtt_also_client_cert[];
extern const char *const mqtt_also_client_key[];

#define MQTT_ROW_SERVER_URI(also)                                                                  \
    {                                                                                              \
        .name = "mqtt.server.uri", .type = CONFIG_LIST, .required = true, .non_empty = true,       \
        .check = mqtt_check_uris, .aliases = also, .cost = CONFIG_COST_RECONNECT,                  \
        .importance = CONFIG_HIGH, .group = "MQTT Broker", .order = 1, .width = CONFIG_WIDTH_LONG, \
        .display_name = "MQTT Server URI",                                                         \
        .doc = "Addresses of the broker, tried in turn: tcp://host:port, mqtt://, "                \
               "ssl://, mqtts:// or host:port."                                                    \
    }
#define MQTT_ROW_USERNAME(place, also)                                                             \
    {                                                                                              \
        .name = "mqtt.username", .type = CONFIG_PASSWORD, .default_value = "",                     \
        .check = mqtt_text_check, .aliases = also, .cost = CONFIG_COST_RECONNECT,                  \
        .importance = CONFIG_MEDIUM, .group = "MQTT Broker", .order = place,                       \
        .width = CONFIG_WIDTH_MEDIUM, .display_name = "MQTT Username",                             \
        .doc = "User name for the broker."                                                         \
    }
#define MQTT_ROW_PASSWORD(place, also)                                                             \
    {                                                                                              \
        .name = "mqtt.password", .type = CONFIG_PASSWORD, .default_value = "", .aliases = also,    \
        .cost = CONFIG_COST_RECONNECT, .importance = CONFIG_MEDIUM, .group = "MQTT Broker",        \
        .order = place, .width = CONFIG_WIDTH_MEDIUM, .display_name = "MQTT Password",             \
        .doc = "Password for the broker."                                                          \
    }
#define MQTT_ROW_PROTOCOL_VERSION(place)                                                           \
    {                                                                                              \
        .name = "mqtt.protocol.version", .type = CONFIG_STRING, .default_value = "auto",           \
        .values = mqtt_rows_versions, .cost = CONFIG_COST_RECONNECT, .importance = CONFIG_MEDIUM,  \
        .group = "MQTT Broker", .order = place, .width = CONFIG_WIDTH_SHORT,                       \
        .display_name = "MQTT Protocol Version",                                                   \
        .doc = "MQTT version; auto begins with 5 and falls back to 3.1.1 where the "               \
               "broker does not speak it."                                                         \
    }
#define MQTT_ROW_CONNECT_TIMEOUT(place, change)                                                    \
    {                                                                                              \
        .name = "mqtt.connect.timeout.seconds", .type = CONFIG_INT, .default_value = "30",         \
        .has_min = true, .min = 1, .has_max = true, .max = 3600,                                   \
        .aliases = mqtt_also_connect_timeout, .derive = lenses_connect_timeout, .cost = change,    \
        .importance = CONFIG_LOW, .group = "MQTT Broker", .order = place,                          \
        .width = CONFIG_WIDTH_SHORT, .display_name = "MQTT Connect Timeout",                       \
        .doc = "Longest time for one attempt to connect, from the name lookup to the "             \
               "broker's answer."                                                                  \
    }
#define MQTT_ROW_KEEPALIVE(place, what)                                                            \
    {                                                                                              \
        .name = "mqtt.keepalive.interval.seconds", .type = CONFIG_INT, .default_value = "60",      \
        .has_min = true, .min = 5, .has_max = true, .max = 65535, .aliases = mqtt_also_keepalive,  \
        .derive = lenses_keepalive, .cost = CONFIG_COST_RECONNECT, .importance = CONFIG_LOW,       \
        .group = "MQTT Broker", .order = place, .width = CONFIG_WIDTH_SHORT,                       \
        .display_name = "MQTT Keepalive Interval", .doc = what                                     \
    }
#define MQTT_ROW_MAX_RETRY(place)                                                                  \
    {                                                                                              \
        .name = "max.retry.time.ms", .type = CONFIG_LONG, .has_min = true, .min = 1,               \
        .cost = CONFIG_COST_NOTHING, .importance = CONFIG_LOW, .group = "MQTT Broker",             \
        .order = place, .width = CONFIG_WIDTH_MEDIUM, .display_name = "Maximum Retry Time",        \
        .doc = "How long a task tries to reach the broker before it fails; not set: for ever."     \
    }
#define MQTT_ROW_CLIENT_ID_PREFIX(also, what)                                                      \
    {                                                                                              \
        .name = "mqtt.client.id.prefix", .type = CONFIG_STRING, .check = mqtt_text_check,          \
        .aliases = also, .cost = CONFIG_COST_RECONNECT, .importance = CONFIG_MEDIUM,               \
        .group = "MQTT Session", .order = 2, .width = CONFIG_WIDTH_MEDIUM,                         \
        .display_name = "MQTT Client ID Prefix", .doc = what                                       \
    }
#define MQTT_ROW_LOOP_PROTECTION(where, place)                                                     \
    {                                                                                              \
        .name = "mqtt.loop.protection", .type = CONFIG_BOOLEAN, .default_value = "true",           \
        .cost = CONFIG_COST_PIPELINE, .importance = CONFIG_LOW, .group = where, .order = place,    \
        .width = CONFIG_WIDTH_SHORT, .display_name = "Loop Protection",                            \
        .doc = "Notes in the header sluice.via and the user property sluice-via where a "          \
               "message has been, and passes over what would go there again."                      \
    }
#define MQTT_ROW_LOOP_BROKER(where, place)                                                         \
    {                                                                                              \
        .name = "mqtt.loop.broker", .type = CONFIG_STRING, .default_value = "",                    \
        .check = mqtt_text_check, .cost = CONFIG_COST_PIPELINE, .importance = CONFIG_LOW,          \
        .group = where, .order = place, .width = CONFIG_WIDTH_MEDIUM,                              \
        .display_name = "Loop Protection Broker",                                                  \
        .doc = "Name of the MQTT broker for loop protection, the same for all connectors "         \
               "to it. Empty: its addresses."                                                      \
    }
