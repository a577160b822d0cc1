/* SPDX-License-Identifier: Apache-2.0 */
/* What configs of Lenses' MQTT connectors (connect.mqtt.*) say in the words of ours, where another
 * name for a key is not enough. Pure. Thread: any. */
#pragma once

#include "worker/base/config_result.h"

/* Their class names. */
#define LENSES_CLASS(kind, name)     "io.lenses.streamreactor.connect.mqtt." kind "." name
#define LENSES_OLD_CLASS(kind, name) "com.datamountaineer.streamreactor.connect.mqtt." kind "." name

/* Checks of connect.mqtt.kcql, for the rows. */
enum err lenses_check_source(const char *value, struct error *reterr);
enum err lenses_check_sink(const char *value, struct error *reterr);

/* For config_def.derive. Times are read as the milliseconds that Lenses' documents say, although
 * its code takes them for seconds. */
char *lenses_connect_timeout(const struct kvs *config); /* mqtt.connect.timeout.seconds */
char *lenses_keepalive(const struct kvs *config);       /* mqtt.keepalive.interval.seconds */
char *lenses_filters(const struct kvs *config);         /* mqtt.topics */
char *lenses_kafka_topic(const struct kvs *config);     /* kafka.topic */
char *lenses_mqtt_topic(const struct kvs *config);      /* mqtt.topic */
char *lenses_retained(const struct kvs *config);        /* mqtt.retained.enabled */

/* lenses_check_topics adds an error for each of a sink's `topics` that no statement names: Lenses'
 * connector passes over its records without a word. */
void lenses_check_topics(const struct kvs *config, struct config_result *result);

#define LENSES_ROW_KCQL(checked, what)                                                             \
    {                                                                                              \
        .name = "connect.mqtt.kcql", .type = CONFIG_STRING, .check = checked,                      \
        .cost = CONFIG_COST_NOTHING, .importance = CONFIG_LOW, .group = "Other Connectors",        \
        .order = 1, .width = CONFIG_WIDTH_LONG, .display_name = "KCQL", .doc = what                \
    }
