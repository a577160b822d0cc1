/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of MqttSource's keys. Pure. See settings.h. */
#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"
#include "worker/kafka/producer.h"
#include "worker/mqtt/filter.h"

enum err mqtt_source_check_filters(const char *value, struct error *reterr)
{
    struct config_list list;
    config_list_split(value, &list);
    enum err err = ERR_OK;
    for (size_t i = 0; i < list.n_items && err == ERR_OK; i++) {
        err = mqtt_filter_check(list.items[i], reterr);
    }
    config_list_fini(&list);
    return err;
}

enum err mqtt_source_check_topic(const char *value, struct error *reterr)
{
    if (kafka_topic_legal(value)) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "a Kafka topic name has 1 to 249 characters of a-z, A-Z, 0-9, '.', '_' and "
                     "'-' and is not . or ..");
}

enum err mqtt_source_check_dropped_topic(const char *value, struct error *reterr)
{
    if (value[0] == '\0' || (strncmp(value, "$SYS/", 5) == 0 && !strpbrk(value, "+#"))) {
        return ERR_OK;
    }
    return error_set(
        reterr, ERR_INVALID,
        "must be empty or a topic of the broker's own, which begins with $SYS/ and has "
        "no wildcard");
}

static bool has_long_id(const struct kvs *config)
{
    const char *name = kvs_get(config, "name");
    CLEANUP(free_charp)
    char *prefix = config_text(&mqtt_source_table, config, "mqtt.client.id.prefix");
    return (name ? strlen(name) : 0) + (prefix ? strlen(prefix) : 0) > 65000;
}

static size_t length_of(const struct kvs *config, const char *key)
{
    const char *value = kvs_get(config, key);
    return value ? strlen(value) : 0;
}

/* Only of a number of tasks that is one; other values have an error already. */
static void check_size(const struct kvs *config, struct config_result *result)
{
    struct config_value *entry = config_result_find(result, "tasks.max");
    struct error error = { ERR_OK, "" };
    if (!entry || entry->n_errors > 0) {
        return;
    }
    int64_t n = config_int(connector_common_table(CONNECTOR_SOURCE), config, "tasks.max");
    int64_t sessions = config_int(&mqtt_source_table, config, "mqtt.sessions");
    n = sessions > 0 && sessions < n ? sessions : n;
    size_t each =
        length_of(config, "mqtt.client.id.prefix") + length_of(config, "mqtt.share.group");
    if (n >= 1 && n <= CONNECTOR_TASKS_LIMIT &&
        source_settings_check_total(n, each, &error) != ERR_OK) {
        config_value_error(entry, "%s", error.text);
    }
}

void mqtt_source_validate(const struct kvs *config, struct config_result *result)
{
    mqtt_rows_validate(&mqtt_source_table, config, result);
    if (has_long_id(config)) {
        config_value_error(config_result_add(result, "mqtt.client.id.prefix", NULL, NULL),
                           "Invalid value for configuration mqtt.client.id.prefix: the client ids "
                           "would be longer than MQTT allows");
    }
    check_size(config, result);
    mqtt_rows_recommend(result, "mqtt.qos", "2", "1");
    mqtt_rows_recommend(result, "mqtt.clean.session.enabled", "true", "false");
}
