/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings of an MqttSource: the rows, their checks, the division of a connector into tasks, and
 * the parsed form that a task works with.
 */
#pragma once

#include "worker/connector.h"
#include "worker/connectors/error_policy.h"
#include "worker/connectors/mqtt_connection.h"
#include "worker/connectors/mqtt_rows.h"

/* The rows of rows.c; the number stands here because other files' constants need it. */
#define MQTT_SOURCE_N_ROWS 36
#define MQTT_SOURCE_TABLE                                                                          \
    {                                                                                              \
        mqtt_source_rows, MQTT_SOURCE_N_ROWS                                                       \
    }
extern const struct config_def mqtt_source_rows[MQTT_SOURCE_N_ROWS];
extern const struct config_table mqtt_source_table;

/* Checks of single values, for the rows. */
enum err mqtt_source_check_filters(const char *value, struct error *reterr);
enum err mqtt_source_check_topic(const char *value, struct error *reterr);
enum err mqtt_source_check_dropped_topic(const char *value, struct error *reterr);
/* mqtt_source_validate checks keys against each other. */
void mqtt_source_validate(const struct kvs *config, struct config_result *result);

/* Keys of a task's config, beside those of mqtt_rows.h. */
#define MQTT_TASK_SESSIONS    "mqtt.task.sessions"       /* numbers, e.g. "0,4,8" */
#define MQTT_TASK_TOTAL       "mqtt.task.sessions.total" /* of all tasks */
#define MQTT_TASK_SHARE_GROUP "mqtt.task.share.group"
#define MQTT_TASK_RETIRING                                                                         \
    "mqtt.task.retiring" /* of task 0: JSON list of client ids, all of the connector's */

/* mqtt_source_task_configs divides the sessions: session k belongs to task k mod T. */
enum err mqtt_source_task_configs(const struct connector_facts *facts, const struct kvs *config,
                                  const struct kvs *before, size_t n_before,
                                  struct kvs **ret_configs, size_t *ret_n, struct error *reterr);

/* source_settings_check_total refuses more task configs than are to be computed and stored at once;
 * bytes_each: of what each repeats. Errors: ERR_INVALID. */
enum err source_settings_check_total(int64_t n_tasks, size_t bytes_each,
                                     struct error *reterr) MUST_CHECK;

/* Everything parsed; owns its texts. */
struct source_settings {
    struct mqtt_connection connection;
    struct config_list filters;
    struct config_list shared; /* the same as $share/... */
    char *kafka_topic;
    char *prefix;
    char *connector;
    int total;     /* sessions of the connector */
    int *sessions; /* numbers of this task's */
    size_t n_sessions;
    char *dropped_topic;         /* where the broker tells what it dropped; NULL: not watched */
    struct config_list retiring; /* client ids of sessions that this task is to give up for good */
    bool retire_never;           /* no session is given up */
    bool retire_anyway;          /* also where nobody has taken over what they are subscribed to */
    size_t window;               /* messages of one session on their way */
    struct error_policy errors;
    struct mqtt_options options; /* the same for all sessions but client id and lists */
};

/* source_settings_read parses the config of a connector and one of its task configs. Errors:
 * ERR_INVALID. */
enum err source_settings_read(const char *connector, const struct kvs *config,
                              const struct kvs *task_config, struct source_settings *ret_settings,
                              struct error *reterr) MUST_CHECK;
void source_settings_fini(struct source_settings *settings);
/* source_settings_max_packet returns the largest MQTT message that is taken: what the config says,
 * or what follows from the largest request of its producer. */
size_t source_settings_max_packet(const struct kvs *config, const struct kvs *worker_props);
/* source_settings_client_id returns the owned client id of session k. */
char *source_settings_client_id(const struct source_settings *settings, int k);
/* source_settings_own_filters fills ret_list with the filters that session k has in exclusive mode.
 */
void source_settings_own_filters(const struct source_settings *settings, int k,
                                 struct config_list *ret_list);
/* source_settings_warn logs what the config asks for that is not safe or has no effect. */
void source_settings_warn(const struct kvs *config, const struct log_ctx *log);
