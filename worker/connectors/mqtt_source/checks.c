/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of MqttSource's keys. Pure. See settings.h. */
#include <strings.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/settings.h"
#include "worker/kafka/producer.h"
#include "worker/mqtt/filter.h"

enum err mqtt_source_check_uris(const char *value, struct error *reterr)
{
    struct mqtt_uris uris;
    enum err err = mqtt_uris_parse(value, &uris, reterr);
    if (err == ERR_OK) {
        mqtt_uris_fini(&uris);
    }
    return err;
}

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

enum err mqtt_source_check_text(const char *value, struct error *reterr)
{
    return mqtt_text_check(value, reterr);
}

enum err mqtt_source_check_group(const char *value, struct error *reterr)
{
    return mqtt_share_group_check(value, reterr);
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

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

enum err mqtt_source_check_pem(const char *value, struct error *reterr)
{
    static const struct {
        const char *end;
        const char *kind;
        const char *mend;
    } others[] = {
        { ".jks", "JKS",
          "keytool -importkeystore -srckeystore x.jks -destkeystore x.p12 -deststoretype PKCS12, "
          "then openssl pkcs12 -in x.p12 -out x.pem" },
        { ".p12", "PKCS12", "openssl pkcs12 -in x.p12 -out x.pem" },
        { ".pfx", "PKCS12", "openssl pkcs12 -in x.pfx -out x.pem" },
        { ".bcfks", "BCFKS", "keytool, then openssl pkcs12 -in x.p12 -out x.pem" },
    };
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        if (ends_with(value, others[i].end)) {
            return error_set(reterr, ERR_INVALID,
                             "a %s store cannot be read, convert it to PEM: %s", others[i].kind,
                             others[i].mend);
        }
    }
    return ERR_OK;
}

static bool is_set(const struct kvs *config, const char *key)
{
    CLEANUP(free_charp) char *text = config_text(&mqtt_source_table, config, key);
    return text && text[0] != '\0';
}

static void require_with(const struct kvs *config, struct config_result *result, const char *key,
                         const char *other)
{
    if (is_set(config, other) && !is_set(config, key)) {
        config_value_error(config_result_add(result, key, NULL, NULL),
                           "Invalid value  for configuration %s: must be set together with %s", key,
                           other);
    }
}

/* An entry that parsed; NULL if it has errors already. */
static struct config_value *good_entry(struct config_result *result, const char *key)
{
    struct config_value *entry = config_result_find(result, key);
    return entry && entry->value && entry->n_errors == 0 ? entry : NULL;
}

/* There is no place for a warning in what validate answers; a recommended value is the hint. */
static void recommend(struct config_result *result, const char *key, const char *bad,
                      const char *good)
{
    struct config_value *entry = good_entry(result, key);
    if (entry && strcasecmp(entry->value, bad) == 0) {
        config_value_recommend(entry, good);
    }
}

static bool has_long_id(const struct kvs *config)
{
    const char *name = kvs_get(config, "name");
    const char *prefix = kvs_get(config, "mqtt.client.id.prefix");
    return (name ? strlen(name) : 0) + (prefix ? strlen(prefix) : 0) > 65000;
}

void mqtt_source_validate(const struct kvs *config, struct config_result *result)
{
    require_with(config, result, "mqtt.ssl.client.key.path", "mqtt.ssl.client.cert.path");
    require_with(config, result, "mqtt.ssl.client.cert.path", "mqtt.ssl.client.key.path");
    if (is_set(config, "mqtt.password") && !is_set(config, "mqtt.username")) {
        config_value_error(config_result_add(result, "mqtt.username", NULL, NULL),
                           "Invalid value  for configuration mqtt.username: must be set together "
                           "with mqtt.password");
    }
    if (has_long_id(config)) {
        config_value_error(config_result_add(result, "mqtt.client.id.prefix", NULL, NULL),
                           "Invalid value for configuration mqtt.client.id.prefix: the client ids "
                           "would be longer than MQTT allows");
    }
    recommend(result, "mqtt.qos", "0", "1");
    recommend(result, "mqtt.qos", "2", "1");
    recommend(result, "mqtt.clean.session.enabled", "true", "false");
    recommend(result, "mqtt.ssl.insecure", "true", "false");
}
