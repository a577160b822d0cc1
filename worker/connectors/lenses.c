/* SPDX-License-Identifier: Apache-2.0 */
/* See lenses.h. */
#include "worker/connectors/lenses.h"

#include "worker/base/mem.h"
#include "worker/connectors/kcql.h"

static enum err check(enum connector_type type, const char *value, struct error *reterr)
{
    struct kcql kcql;
    enum err err = kcql_parse(type, value, &kcql, reterr);
    if (err == ERR_OK) {
        kcql_fini(&kcql);
    }
    return err;
}

enum err lenses_check_source(const char *value, struct error *reterr)
{
    return check(CONNECTOR_SOURCE, value, reterr);
}

enum err lenses_check_sink(const char *value, struct error *reterr)
{
    return check(CONNECTOR_SINK, value, reterr);
}

static bool statements(enum connector_type type, const struct kvs *config, struct kcql *ret_kcql)
{
    const char *text = kvs_get(config, "connect.mqtt.kcql");
    return text && kcql_parse(type, text, ret_kcql, NULL) == ERR_OK;
}

/* Whole seconds within our limits; what is no number is handed on as it is, for its error. */
static char *seconds(const struct kvs *config, const char *key, int64_t least, int64_t most)
{
    const char *text = kvs_get(config, key);
    int64_t ms = 0;
    if (!text || !config_parse_whole(text, &ms)) {
        return text ? xstrdup(text) : NULL;
    }
    int64_t whole = ms / 1000;
    whole = whole < least ? least : whole;
    return xasprintf("%lld", (long long)(whole > most ? most : whole));
}

char *lenses_connect_timeout(const struct kvs *config)
{
    return seconds(config, "connect.mqtt.timeout", 1, 3600);
}

char *lenses_keepalive(const struct kvs *config)
{
    return seconds(config, "connect.mqtt.keep.alive", 5, 65535);
}

char *lenses_filters(const struct kvs *config)
{
    struct kcql kcql;
    if (!statements(CONNECTOR_SOURCE, config, &kcql)) {
        return NULL;
    }
    struct buf list;
    buf_init(&list);
    for (size_t i = 0; i < kcql.sources.n_items; i++) {
        buf_printf(&list, "%s%s", i == 0 ? "" : ",", kcql.sources.items[i]);
    }
    kcql_fini(&kcql);
    return buf_take(&list);
}

char *lenses_kafka_topic(const struct kvs *config)
{
    struct kcql kcql;
    if (!statements(CONNECTOR_SOURCE, config, &kcql)) {
        return NULL;
    }
    char *topic = TAKE(kcql.target);
    kcql_fini(&kcql);
    return topic;
}

/* Braces mean something in a template. */
static char *as_template(const char *text)
{
    struct buf buf;
    buf_init(&buf);
    for (const char *p = text; *p; p++) {
        bool twice = *p == '{' || *p == '}';
        buf_add(&buf, p, 1);
        buf_add(&buf, p, twice ? 1 : 0);
    }
    return buf_take(&buf);
}

char *lenses_mqtt_topic(const struct kvs *config)
{
    struct kcql kcql;
    if (!statements(CONNECTOR_SINK, config, &kcql)) {
        return NULL;
    }
    char *topic = NULL;
    if (kcql.target_is_field) {
        topic = xasprintf("{value.%s}", kcql.target);
    } else if (strcmp(kcql.target, "_key") == 0) {
        topic = xstrdup("{key}");
    } else {
        topic = strcmp(kcql.target, "_topic") == 0 ? xstrdup("{topic}") : as_template(kcql.target);
    }
    kcql_fini(&kcql);
    return topic;
}

char *lenses_retained(const struct kvs *config)
{
    return kvs_get(config, "connect.mqtt.kcql") ? xstrdup("false") : NULL;
}

static bool names(const struct kcql *kcql, const char *topic)
{
    for (size_t i = 0; i < kcql->sources.n_items; i++) {
        if (strcmp(kcql->sources.items[i], topic) == 0) {
            return true;
        }
    }
    return false;
}

void lenses_check_topics(const struct kvs *config, struct config_result *result)
{
    struct kcql kcql;
    const char *given = kvs_get(config, "topics");
    if (!given || kvs_get(config, "mqtt.topic") || !statements(CONNECTOR_SINK, config, &kcql)) {
        return;
    }
    struct config_list topics;
    config_list_split(given, &topics);
    for (size_t i = 0; i < topics.n_items; i++) {
        if (!names(&kcql, topics.items[i])) {
            config_value_error(config_result_add(result, "connect.mqtt.kcql", NULL, NULL),
                               "Invalid value for configuration connect.mqtt.kcql: no statement "
                               "selects from %.200s, which is in topics",
                               topics.items[i]);
        }
    }
    config_list_fini(&topics);
    kcql_fini(&kcql);
}
