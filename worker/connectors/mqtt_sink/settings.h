/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of an MqttSink: the rows, their checks, the division into tasks, and the parsed form. */
#pragma once

#include "worker/connector.h"
#include "worker/connectors/error_policy.h"
#include "worker/connectors/loop_guard.h"
#include "worker/connectors/mqtt_connection.h"
#include "worker/connectors/mqtt_sink/topic.h"

/* The rows of rows.c; the number stands here because other files' constants need it. */
#define MQTT_SINK_N_ROWS 32
#define MQTT_SINK_TABLE                                                                            \
    {                                                                                              \
        mqtt_sink_rows, MQTT_SINK_N_ROWS                                                           \
    }
extern const struct config_def mqtt_sink_rows[MQTT_SINK_N_ROWS];
extern const struct config_table mqtt_sink_table;

/* mqtt_sink_check_topic checks a topic template; as config_def.check. */
enum err mqtt_sink_check_topic(const char *value, struct error *reterr);
/* mqtt_sink_check_format checks the name of a data format; likewise. */
enum err mqtt_sink_check_format(const char *value, struct error *reterr);
/* mqtt_sink_validate checks keys against each other. */
void mqtt_sink_validate(const struct kvs *config, struct config_result *result);
/* mqtt_sink_task_configs makes tasks.max equal tasks: Kafka's group divides the partitions. */
enum err mqtt_sink_task_configs(const struct connector_facts *facts, const struct kvs *config,
                                const struct kvs *before, size_t n_before, struct kvs **ret_configs,
                                size_t *ret_n, struct error *reterr);

/* Everything parsed; owns its texts. */
struct sink_settings {
    struct mqtt_connection connection;
    struct mqtt_options options;
    char *client_id;
    struct config_list topics;
    char *pattern; /* topics.regex; NULL: topics */
    char *group_id;
    char *consumer_id;
    struct topic_template *topic;
    int qos;
    bool retained;
    bool skip_tombstones;
    bool user_properties; /* from headers */
    uint32_t expiry_s;    /* 0: none */
    char *content_type;   /* NULL: none; messages borrow it until they are done */
    struct loop_guard loop;
    uint64_t publish_timeout_ms; /* 0: none */
    size_t window;
    size_t buffer_bytes;
    uint64_t commit_every_ms;
    struct error_policy errors;
};

/* sink_settings_read parses the configs of a task. Errors: ERR_INVALID. */
enum err sink_settings_read(const struct task_context *context, struct sink_settings *ret_settings,
                            struct error *reterr) MUST_CHECK;
/* sink_settings_adopt takes over from another config of the same task what says how records become
 * messages, and what is done about those that cannot; the rest stays. drained: there are no
 * messages, which borrow the content type; it stays otherwise, and must be the same in both. */
void sink_settings_adopt(struct sink_settings *settings, struct sink_settings *from, bool drained);
void sink_settings_fini(struct sink_settings *settings);
/* sink_settings_warn logs what the config asks for that is not safe or has no effect. */
void sink_settings_warn(const struct kvs *config, const struct log_ctx *log);
