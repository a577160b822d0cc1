/* SPDX-License-Identifier: Apache-2.0 */
/* See mqtt_connection.h. */
#include "worker/connectors/mqtt_connection.h"

#include "worker/base/mem.h"

/* A text, NULL when empty. */
static char *text_or_null(const struct config_table *table, const struct kvs *config,
                          const char *key)
{
    char *text = config_text(table, config, key);
    if (text && text[0] == '\0') {
        free(TAKE(text));
    }
    return text;
}

static void read_tls(const struct config_table *table, const struct kvs *config,
                     struct mqtt_connection *connection, struct mqtt_tls *tls)
{
    connection->ca = text_or_null(table, config, "mqtt.ssl.trust.store.path");
    connection->cert = text_or_null(table, config, "mqtt.ssl.client.cert.path");
    connection->key = text_or_null(table, config, "mqtt.ssl.client.key.path");
    CLEANUP(free_charp) char *both = text_or_null(table, config, "mqtt.ssl.key.store.path");
    if (both && !connection->cert) {
        connection->cert = xstrdup(both);
        connection->key = xstrdup(both);
    }
    connection->key_password = text_or_null(table, config, "mqtt.ssl.key.password");
    connection->alpn = text_or_null(table, config, "mqtt.ssl.alpn");
    *tls = (struct mqtt_tls){
        .ca = connection->ca,
        .cert = connection->cert,
        .key = connection->key,
        .key_password = connection->key_password,
        .alpn = connection->alpn,
        .insecure = config_bool(table, config, "mqtt.ssl.insecure"),
    };
}

static enum mqtt_version read_version(const struct config_table *table, const struct kvs *config)
{
    CLEANUP(free_charp) char *text = config_text(table, config, "mqtt.protocol.version");
    if (strcmp(text, "5") == 0) {
        return MQTT_VERSION_5;
    }
    return strcmp(text, "3.1.1") == 0 ? MQTT_VERSION_311 : MQTT_VERSION_AUTO;
}

enum err mqtt_connection_read(const struct config_table *table, const struct kvs *config,
                              struct mqtt_connection *ret_connection,
                              struct mqtt_options *ret_options, struct error *reterr)
{
    struct mqtt_connection *connection = ret_connection;
    *connection = (struct mqtt_connection){ .max_retry_ms = 0 };
    CLEANUP(free_charp) char *uris = config_text(table, config, "mqtt.server.uri");
    enum err err = mqtt_uris_parse(uris ? uris : "", &connection->uris, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, err, "mqtt.server.uri");
    }
    connection->username = text_or_null(table, config, "mqtt.username");
    connection->password = text_or_null(table, config, "mqtt.password");
    connection->max_retry_ms = config_int(table, config, "max.retry.time.ms");
    read_tls(table, config, connection, &ret_options->tls);
    ret_options->uris = &connection->uris;
    ret_options->username = connection->username;
    ret_options->password = connection->password;
    ret_options->version = read_version(table, config);
    ret_options->keepalive_s = (int)config_int(table, config, "mqtt.keepalive.interval.seconds");
    ret_options->connect_timeout_s = (int)config_int(table, config, "mqtt.connect.timeout.seconds");
    return ERR_OK;
}

void mqtt_connection_fini(struct mqtt_connection *connection)
{
    char *texts[] = { connection->username, connection->password, connection->ca,
                      connection->cert,     connection->key,      connection->key_password,
                      connection->alpn };
    mqtt_uris_fini(&connection->uris);
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        free(texts[i]);
    }
    *connection = (struct mqtt_connection){ .max_retry_ms = 0 };
}
