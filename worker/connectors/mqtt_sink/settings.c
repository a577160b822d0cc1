/* SPDX-License-Identifier: Apache-2.0 */
/* Parsed settings, checks and the division into tasks. See settings.h. */
#include "worker/connectors/mqtt_sink/settings.h"

#include <strings.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_rows.h"
#include "worker/worker_config.h"

/* A commit is one small request; the longer the interval, the more duplicates after a crash. */
#define COMMIT_EVERY_MS 1000
/* Of all task configs of a connector; the leader computes and stores them at once. */
#define MAX_CONFIGS_BYTES ((size_t)16 * 1024 * 1024)

enum err mqtt_sink_check_topic(const char *value, struct error *reterr)
{
    struct topic_template *template = NULL;
    enum err err = topic_template_new(value, &template, reterr);
    if (err == ERR_OK) {
        topic_template_free(template);
    }
    return err;
}

enum err mqtt_sink_check_format(const char *value, struct error *reterr)
{
    static const char *const formats[] = { "", "BYTES", "STRING", "JSON" };
    for (size_t i = 0; i < N_ELEMENTS(formats); i++) {
        if (strcasecmp(value, formats[i]) == 0) {
            return ERR_OK;
        }
    }
    return error_set(reterr, ERR_INVALID,
                     "it must be BYTES, STRING or JSON, as there is no schema registry here; or "
                     "leave it out and set value.converter");
}

/* ---- checks across keys ---- */

static size_t length_of(const struct kvs *config, const char *key)
{
    const char *value = kvs_get(config, key);
    return value ? strlen(value) : 0;
}

/* Each task config has the topics and the prefix again. */
static enum err check_total(const struct kvs *config, int64_t n_tasks, struct error *reterr)
{
    size_t each = length_of(config, "topics") + length_of(config, "topics.regex") +
                  length_of(config, "mqtt.client.id.prefix");
    if (each <= MAX_CONFIGS_BYTES / (size_t)n_tasks) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %lld for configuration tasks.max: each task's config repeats "
                     "topics, topics.regex and mqtt.client.id.prefix, which have %zu bytes; all "
                     "together must not have more than %zu: give fewer tasks or fewer topics",
                     (long long)n_tasks, each, MAX_CONFIGS_BYTES);
}

/* Only of a number of tasks that is one; other values have an error already. */
static void check_size(const struct kvs *config, struct config_result *result)
{
    struct config_value *entry = config_result_find(result, "tasks.max");
    struct error error = { ERR_OK, "" };
    if (!entry || entry->n_errors > 0) {
        return;
    }
    int64_t n = config_int(connector_common_table(CONNECTOR_SINK), config, "tasks.max");
    if (n >= 1 && n <= CONNECTOR_TASKS_LIMIT && check_total(config, n, &error) != ERR_OK) {
        config_value_error(entry, "%s", error.text);
    }
}

void mqtt_sink_validate(const struct kvs *config, struct config_result *result)
{
    mqtt_rows_validate(&mqtt_sink_table, config, result);
    lenses_check_topics(config, result);
    check_size(config, result);
}

/* ---- tasks ---- */

static void copy_if_set(struct kvs *to, const struct kvs *config, const char *key)
{
    const char *value = kvs_get(config, key);
    if (value) {
        kvs_set(to, key, value);
    }
}

enum err mqtt_sink_task_configs(const struct connector_facts *facts, const struct kvs *config,
                                const struct kvs *before, size_t n_before, struct kvs **ret_configs,
                                size_t *ret_n, struct error *reterr)
{
    (void)before;
    (void)n_before;
    int64_t n = config_int(connector_common_table(CONNECTOR_SINK), config, "tasks.max");
    if (n < 1 || n > CONNECTOR_TASKS_LIMIT) {
        return error_set(reterr, ERR_INVALID, "tasks.max must be between 1 and %d",
                         CONNECTOR_TASKS_LIMIT);
    }
    enum err err = check_total(config, n, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *prefix = mqtt_rows_prefix(&mqtt_sink_table, facts, config);
    struct kvs *configs = xcalloc((size_t)n, sizeof(*configs));
    for (int64_t task = 0; task < n; task++) {
        kvs_init(&configs[task]);
        kvs_set(&configs[task], MQTT_TASK_CLASS, "MqttSinkTask");
        kvs_set(&configs[task], MQTT_TASK_PREFIX, prefix);
        copy_if_set(&configs[task], config, "topics");
        copy_if_set(&configs[task], config, "topics.regex");
    }
    *ret_configs = configs;
    *ret_n = (size_t)n;
    return ERR_OK;
}

/* ---- parsing ---- */

static uint64_t commit_every_ms(const struct kvs *worker_props)
{
    uint64_t ms = (uint64_t)worker_config_int(worker_props, "offset.flush.interval.ms");
    return ms > 0 && ms < COMMIT_EVERY_MS ? ms : COMMIT_EVERY_MS;
}

static enum err read_topics(const struct task_context *context, struct sink_settings *settings,
                            struct error *reterr)
{
    const struct config_table *common = connector_common_table(CONNECTOR_SINK);
    const struct kvs *config = context->connector_config;
    config_list(common, config, "topics", &settings->topics);
    settings->pattern = config_text(common, config, "topics.regex");
    if (settings->pattern && settings->pattern[0] == '\0') {
        free(TAKE(settings->pattern));
    }
    if ((settings->topics.n_items > 0) == (settings->pattern != NULL)) {
        return error_set(reterr, ERR_INVALID, "exactly one of topics and topics.regex must be set");
    }
    return ERR_OK;
}

/* What holds for each message unless its record says otherwise. */
static void read_message(const struct task_context *context, struct sink_settings *settings)
{
    const struct kvs *config = context->connector_config;
    settings->qos = (int)config_int(&mqtt_sink_table, config, "mqtt.qos");
    settings->retained = config_bool(&mqtt_sink_table, config, "mqtt.retained.enabled");
    CLEANUP(free_charp)
    char *tombstones = config_text(&mqtt_sink_table, config, "mqtt.tombstones");
    settings->skip_tombstones = strcmp(tombstones, "skip") == 0;
    settings->user_properties =
        config_bool(&mqtt_sink_table, config, "mqtt.user.properties.enabled");
    settings->expiry_s =
        (uint32_t)config_int(&mqtt_sink_table, config, "mqtt.message.expiry.seconds");
    settings->content_type = config_text(&mqtt_sink_table, config, "mqtt.content.type");
    if (settings->content_type && settings->content_type[0] == '\0') {
        free(TAKE(settings->content_type));
    }
    loop_guard_read(&mqtt_sink_table, config, &settings->connection.uris, context->worker_props,
                    &settings->loop);
    int64_t timeout_ms = config_int(&mqtt_sink_table, config, "mqtt.publish.timeout.ms");
    settings->publish_timeout_ms = timeout_ms > 0 ? (uint64_t)timeout_ms : 0;
}

static enum err read_rest(const struct task_context *context, struct sink_settings *settings,
                          struct error *reterr)
{
    const struct kvs *config = context->connector_config;
    const char *prefix = kvs_get(context->task_config, MQTT_TASK_PREFIX);
    if (!prefix) {
        return error_set(reterr, ERR_INVALID, "the task's config lacks %s", MQTT_TASK_PREFIX);
    }
    settings->client_id = xasprintf("%s%s-%d", prefix, context->connector, context->task);
    settings->group_id = xasprintf("connect-%s", context->connector);
    settings->consumer_id =
        xasprintf("connector-consumer-%s-%d", context->connector, context->task);
    settings->options.client_id = settings->client_id;
    settings->options.clean = true;
    settings->options.receive_maximum = 1;
    settings->options.takeover_wait_ms =
        (uint32_t)worker_config_int(context->worker_props, "heartbeat.interval.ms");
    settings->options.log = context->log;
    read_message(context, settings);
    settings->window = (size_t)config_int(&mqtt_sink_table, config, "mqtt.publish.max.inflight");
    settings->buffer_bytes =
        (size_t)config_int(&mqtt_sink_table, config, "mqtt.publish.buffer.bytes");
    settings->commit_every_ms = commit_every_ms(context->worker_props);
    error_policy_read(CONNECTOR_SINK, config, &settings->errors);
    CLEANUP(free_charp) char *topic = config_text(&mqtt_sink_table, config, "mqtt.topic");
    enum err err = topic_template_new(topic, &settings->topic, reterr);
    return err ? error_prefix(reterr, err, "mqtt.topic") : ERR_OK;
}

enum err sink_settings_read(const struct task_context *context, struct sink_settings *ret_settings,
                            struct error *reterr)
{
    struct sink_settings *settings = ret_settings;
    *settings = (struct sink_settings){ .qos = 1 };
    enum err err = mqtt_connection_read(&mqtt_sink_table, context->connector_config,
                                        &settings->connection, &settings->options, reterr);
    err = err ? err : read_topics(context, settings, reterr);
    err = err ? err : read_rest(context, settings, reterr);
    if (err != ERR_OK) {
        sink_settings_fini(settings);
    }
    return err;
}

void sink_settings_fini(struct sink_settings *settings)
{
    mqtt_connection_fini(&settings->connection);
    config_list_fini(&settings->topics);
    error_policy_fini(&settings->errors);
    topic_template_free(settings->topic);
    free(settings->client_id);
    free(settings->pattern);
    free(settings->group_id);
    free(settings->consumer_id);
    free(settings->content_type);
    *settings = (struct sink_settings){ .qos = 1 };
}

void sink_settings_adopt(struct sink_settings *settings, struct sink_settings *from, bool drained)
{
    struct topic_template *topic = settings->topic;
    struct error_policy errors = settings->errors;
    settings->topic = from->topic;
    settings->errors = from->errors;
    from->topic = topic;
    from->errors = errors;
    if (drained) {
        char *content_type = settings->content_type;
        settings->content_type = from->content_type;
        from->content_type = content_type;
    }
    settings->qos = from->qos;
    settings->retained = from->retained;
    settings->skip_tombstones = from->skip_tombstones;
    settings->user_properties = from->user_properties;
    settings->expiry_s = from->expiry_s;
    settings->loop = from->loop;
    settings->buffer_bytes = from->buffer_bytes;
    settings->connection.max_retry_ms = from->connection.max_retry_ms;
}

/* ---- warnings ---- */

void sink_settings_warn(const struct kvs *config, const struct log_ctx *log)
{
    static const char *const ignored[] = { NULL };
    mqtt_rows_warn(&mqtt_sink_table, config, ignored, log);
    if (config_int(&mqtt_sink_table, config, "mqtt.qos") == 0) {
        log_warn(log, "CONFIG-UNSAFE",
                 "key=mqtt.qos value=0 risk=\"messages are lost when a connection breaks\" "
                 "advice=\"use 1\"");
    }
}
