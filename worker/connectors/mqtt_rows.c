/* SPDX-License-Identifier: Apache-2.0 */
/* See mqtt_rows.h. Pure but for mqtt_rows_warn. */
#include "worker/connectors/mqtt_rows.h"

#include <strings.h>

#include "worker/base/mem.h"
#include "worker/mqtt/uri.h"
#include "worker/secrets.h"

const char *const mqtt_rows_versions[] = { "5", "3.1.1", "auto", NULL };
const char *const mqtt_also_connect_timeout[] = { "mqtt.connection_timeout", NULL };
const char *const mqtt_also_keepalive[] = { "mqtt.keep_alive_interval", NULL };
const char *const mqtt_also_clean_session[] = { "mqtt.clean_session", "connect.mqtt.clean", NULL };
const char *const mqtt_also_trust_store[] = { "mqtt.ssl.ca.path", "mqtt.ssl.ca_cert",
                                              "connect.mqtt.ssl.ca.cert", NULL };
const char *const mqtt_also_client_cert[] = { "mqtt.ssl.cert", "connect.mqtt.ssl.cert", NULL };
const char *const mqtt_also_client_key[] = { "mqtt.ssl.key", "connect.mqtt.ssl.key", NULL };

/* ---- single values ---- */

enum err mqtt_check_uris(const char *value, struct error *reterr)
{
    struct mqtt_uris uris;
    enum err err = mqtt_uris_parse(value, &uris, reterr);
    if (err == ERR_OK) {
        mqtt_uris_fini(&uris);
    }
    return err;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length >= tail && strcasecmp(text + length - tail, end) == 0;
}

enum err mqtt_check_pem(const char *value, struct error *reterr)
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

/* ---- keys against each other ---- */

static bool is_set(const struct config_table *table, const struct kvs *config, const char *key)
{
    CLEANUP(free_charp) char *text = config_text(table, config, key);
    return text && text[0] != '\0';
}

void mqtt_rows_recommend(struct config_result *result, const char *key, const char *bad,
                         const char *good)
{
    struct config_value *entry = config_result_find(result, key);
    if (entry && entry->value && entry->n_errors == 0 && strcasecmp(entry->value, bad) == 0) {
        config_value_recommend(entry, good);
    }
}

/* Keys of other connectors without which theirs would do something else, and what to set here. */
static const struct {
    const char *key;
    const char *fine;    /* this value, or none, asks for nothing */
    const char *instead; /* with this key set they are of no account; NULL: always */
    const char *mend;
} replaced[] = {
    { "mqtt.ssl.trust.store.file", "", NULL,
      "write the certificates as PEM into a file and name it in mqtt.ssl.trust.store.path" },
    { "mqtt.ssl.key.store.file", "", NULL,
      "write certificate and key as PEM into a file and name it in mqtt.ssl.key.store.path" },
    { "connect.converter.avro.schemas", "", NULL, "Avro is not read here: leave it out" },
    { "connect.mqtt.error.policy", "THROW", "errors.tolerance",
      "set errors.tolerance instead: all for NOOP, none for RETRY, as the broker is tried again "
      "for ever anyway" },
};

static void refuse_replaced(const struct kvs *config, struct config_result *result)
{
    for (size_t i = 0; i < N_ELEMENTS(replaced); i++) {
        const char *value = kvs_get(config, replaced[i].key);
        bool asks = value && value[0] != '\0' && strcasecmp(value, replaced[i].fine) != 0;
        if (asks && !(replaced[i].instead && kvs_get(config, replaced[i].instead))) {
            bool shown = !secret_name(replaced[i].key);
            config_value_error(config_result_add(result, replaced[i].key, NULL, NULL),
                               "Invalid value %s for configuration %s: %s",
                               shown ? value : "[hidden]", replaced[i].key, replaced[i].mend);
        }
    }
}

void mqtt_rows_validate(const struct config_table *table, const struct kvs *config,
                        struct config_result *result)
{
    static const struct {
        const char *key;
        const char *other;
    } pairs[] = {
        { "mqtt.ssl.client.key.path", "mqtt.ssl.client.cert.path" },
        { "mqtt.ssl.client.cert.path", "mqtt.ssl.client.key.path" },
        { "mqtt.username", "mqtt.password" },
    };
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        if (is_set(table, config, pairs[i].other) && !is_set(table, config, pairs[i].key)) {
            config_value_error(config_result_add(result, pairs[i].key, NULL, NULL),
                               "Invalid value  for configuration %s: must be set together with %s",
                               pairs[i].key, pairs[i].other);
        }
    }
    refuse_replaced(config, result);
    mqtt_rows_recommend(result, "mqtt.qos", "0", "1");
    mqtt_rows_recommend(result, "mqtt.ssl.insecure", "true", "false");
}

/* ---- log ---- */

/* What begins like this has no effect here, and nothing else is needed. */
static const char *const everywhere[] = {
    "confluent.",
    "mqtt.ssl.trust.store.password",
    "mqtt.ssl.key.store.password",
    "kafka.auth.mode",
    "kafka.service.account.id",
    "auto.restart.on.user.error",
    "datapreview.",
    "schema.context.name",
    "connect.progress.enabled",
    "connect.mqtt.polling.timeout",
    "connect.mqtt.share.replicate",
    "connect.mqtt.process.duplicates",
    "connect.mqtt.retry.interval",
    "connect.mqtt.max.retries",
    NULL,
};

/* For these something else may have to be set. */
static const char *const advised[][2] = {
    { "kafka.api.key", "set producer.override.sasl.jaas.config or consumer.override's" },
    { "kafka.api.secret", "set producer.override.sasl.jaas.config or consumer.override's" },
    { "connector.egress.whitelist", "nothing is restricted by it: use the network's policies" },
    { "connect.mqtt.converter.throw.on.error", "set errors.tolerance" },
    { "connect.mqtt.log.message", "set a level by PUT /admin/loggers" },
};

static const char *advice_of(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(advised); i++) {
        if (strcmp(advised[i][0], key) == 0) {
            return advised[i][1];
        }
    }
    return NULL;
}

static bool begins_with_one(const char *key, const char *const *prefixes)
{
    for (; *prefixes; prefixes++) {
        if (strncmp(key, *prefixes, strlen(*prefixes)) == 0) {
            return true;
        }
    }
    return false;
}

void mqtt_rows_warn(const struct config_table *table, const struct kvs *config,
                    const char *const *ignored, const struct log_ctx *log)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const char *key = config->items[i].key;
        const char *advice = advice_of(key);
        if (advice) {
            log_warn(log, "CONFIG-IGNORED",
                     "key=\"%s\" reason=\"it has no effect here\" advice=\"%s\"", key, advice);
        } else if (begins_with_one(key, everywhere) || begins_with_one(key, ignored)) {
            log_warn(log, "CONFIG-IGNORED", "key=\"%s\" reason=\"it has no effect here\"", key);
        }
    }
    if (config_bool(table, config, "mqtt.ssl.insecure")) {
        log_warn(log, "CONFIG-UNSAFE",
                 "key=mqtt.ssl.insecure value=true risk=\"anybody can pose as the broker\"");
    }
}

/* ---- tasks ---- */

char *mqtt_rows_prefix(const struct config_table *table, const struct connector_facts *facts,
                       const struct kvs *config)
{
    char *prefix = config_text(table, config, "mqtt.client.id.prefix");
    if (prefix && prefix[0]) {
        return prefix;
    }
    free(prefix);
    return xasprintf("sluice-%s-", facts->group_id);
}
