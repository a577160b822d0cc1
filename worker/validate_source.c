/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of source connectors that reach Kafka: topic creation, transactions, client overrides. See
 * validate.h. */
#include <limits.h>
#include <strings.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/kafka/props.h"
#include "worker/topic_creation.h"
#include "worker/validate.h"
#include "worker/worker_config.h"

/* Each has patterns that are tried for every new topic. */
#define MAX_GROUPS 100

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* A number of partitions or replicas: -1 or 1 and more. */
static void check_count(const struct validation *v, const char *key, enum config_type type,
                        const char *reason)
{
    const char *value = kvs_get(v->config, key);
    if (!value) {
        return;
    }
    char *end = NULL;
    long long number = strtoll(value, &end, 10);
    long long max = type == CONFIG_SHORT ? SHRT_MAX : INT_MAX;
    if (value[0] == '\0' || *end != '\0' || number > max) {
        config_value_error(validate_entry(v, key),
                           "Invalid value %s for configuration %s: Not a number of type %s", value,
                           key, config_type_name(type));
    } else if (number != -1 && number < 1) {
        config_value_error(validate_entry(v, key), "Invalid value %s for configuration %s: %s",
                           value, key, reason);
    }
}

static void require(const struct validation *v, const char *key)
{
    if (!kvs_get(v->config, key)) {
        config_value_error(validate_entry(v, key),
                           "Missing required configuration \"%s\" which has no default value.",
                           key);
    }
}

/* A list of patterns for names of topics. */
static void check_patterns(const struct validation *v, const char *key)
{
    const char *value = kvs_get(v->config, key);
    struct config_list list;
    config_list_split(value ? value : "", &list);
    for (size_t i = 0; i < list.n_items; i++) {
        struct regex *regex = NULL;
        struct error error = { ERR_OK, "" };
        if (regex_new(list.items[i], &regex, &error) != ERR_OK) {
            config_value_error(validate_entry(v, key), "Invalid value %s for configuration %s: %s",
                               value, key, error.text);
        }
        regex_free(regex);
    }
    config_list_fini(&list);
}

/* Every group but default says which names are its own. */
static void check_groups(const struct validation *v)
{
    const char *text = kvs_get(v->config, TOPIC_CREATION_PREFIX "groups");
    struct config_list groups;
    config_list_split(text ? text : "", &groups);
    for (size_t i = 0; i < groups.n_items && i < MAX_GROUPS; i++) {
        CLEANUP(free_charp)
        char *include = xasprintf(TOPIC_CREATION_PREFIX "%s.include", groups.items[i]);
        CLEANUP(free_charp)
        char *exclude = xasprintf(TOPIC_CREATION_PREFIX "%s.exclude", groups.items[i]);
        if (strcmp(groups.items[i], TOPIC_CREATION_DEFAULT) != 0) {
            require(v, include);
            check_patterns(v, include);
            check_patterns(v, exclude);
        }
    }
    if (groups.n_items > MAX_GROUPS) {
        config_value_error(validate_entry(v, TOPIC_CREATION_PREFIX "groups"),
                           "Invalid value %s for configuration " TOPIC_CREATION_PREFIX
                           "groups: no more than %d groups",
                           text, MAX_GROUPS);
    }
    config_list_fini(&groups);
}

/* Aliases first: with a doubled one nothing else can be said of them. */
static bool groups_unique(const struct validation *v)
{
    const char *text = kvs_get(v->config, "topic.creation.groups");
    struct config_list groups;
    config_list_split(text ? text : "", &groups);
    validate_unique(v, "topic.creation.groups", &groups);
    config_list_fini(&groups);
    return config_result_find(v->result, "topic.creation.groups")->n_errors == 0;
}

static bool is_topic_creation(const char *key)
{
    return strncmp(key, TOPIC_CREATION_PREFIX, strlen(TOPIC_CREATION_PREFIX)) == 0;
}

static bool uses_topic_creation(const struct validation *v)
{
    for (size_t i = 0; i < v->config->n_items; i++) {
        if (is_topic_creation(v->config->items[i].key)) {
            return true;
        }
    }
    return false;
}

static void check_counts(const struct validation *v)
{
    for (size_t i = 0; i < v->config->n_items; i++) {
        const char *key = v->config->items[i].key;
        if (is_topic_creation(key) && ends_with(key, ".partitions")) {
            check_count(v, key, CONFIG_INT,
                        "Number of partitions must be positive, or -1 to use the broker's default");
        } else if (is_topic_creation(key) && ends_with(key, ".replication.factor")) {
            check_count(v, key, CONFIG_SHORT,
                        "Replication factor must be positive and not larger than the number of "
                        "brokers in the Kafka cluster, or -1 to use the broker's default");
        }
    }
}

static void check_topic_creation(const struct validation *v)
{
    if (groups_unique(v) && uses_topic_creation(v)) {
        check_counts(v);
        require(v, "topic.creation.default.replication.factor");
        require(v, "topic.creation.default.partitions");
        check_groups(v);
    }
}

static void refuse_value(const struct validation *v, const char *key, const char *value,
                         const char *text)
{
    struct config_value *entry = config_result_find(v->result, key);
    if (entry->value && strcasecmp(entry->value, value) == 0) {
        config_value_error(entry, "%s", text);
    }
}

void validate_source_keys(const struct validation *v)
{
    refuse_value(v, "exactly.once.support", "required",
                 "This worker does not have exactly-once source support enabled.");
    refuse_value(v, "transaction.boundary", "connector",
                 "The connector does not support connector-defined transaction boundaries with "
                 "the given configuration. Please reconfigure it to use a different transaction "
                 "boundary definition.");
    check_topic_creation(v);
}

/* One kind of client and the prefix of its keys. */
struct override_kind {
    const char *prefix;
    enum kafka_role role;
};

/* More than librdkafka has properties; each is tried alone, which takes time. */
#define MAX_OVERRIDES 200

static const struct override_kind override_kinds[] = {
    { "producer.override.", KAFKA_CONNECTOR_PRODUCER },
    { "consumer.override.", KAFKA_CONNECTOR_CONSUMER },
    { "admin.override.", KAFKA_CONNECTOR_ADMIN },
};

static enum err try_props(const struct validation *v, enum kafka_role role,
                          const struct kvs *overrides, struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    enum err err = kafka_props_build(role, v->worker_props, overrides, &props, NULL, reterr);
    return err == ERR_OK ? kafka_props_check(role, &props, reterr) : err;
}

/* What connector.client.config.override.policy says of a client's key. */
static bool policy_allows(const char *policy, const char *key)
{
    static const char *const principal[] = { "sasl.jaas.config", "sasl.mechanism",
                                             "security.protocol" };
    if (strcasecmp(policy, "Principal") != 0) {
        return strcasecmp(policy, "None") != 0;
    }
    for (size_t i = 0; i < N_ELEMENTS(principal); i++) {
        if (strcmp(principal[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether all overrides of a kind together make a client: some fit only with others, such as a
 * short max.poll.interval.ms with a short session.timeout.ms. */
static bool fit_together(const struct validation *v, const struct override_kind *kind)
{
    CLEANUP(kvs_fini) struct kvs overrides;
    kvs_init(&overrides);
    struct error error = { ERR_OK, "" };
    for (size_t i = 0; i < v->config->n_items; i++) {
        const struct kv *item = &v->config->items[i];
        if (item->value && strncmp(item->key, kind->prefix, strlen(kind->prefix)) == 0) {
            kvs_set(&overrides, item->key + strlen(kind->prefix), item->value);
        }
    }
    return try_props(v, kind->role, &overrides, &error) == ERR_OK;
}

/* As in Connect, the name with its prefix, and the one without it to be shown. */
static void define(struct config_value *entry, const char *key)
{
    struct config_def def;
    if (!entry->def && kafka_props_define(key, &def)) {
        config_value_define(entry, &def, NULL, key, -1);
    }
}

/* Each override is tried alone, so that the error stands at its key. */
static void check_override(const struct validation *v, const struct override_kind *kind,
                           const struct kv *item)
{
    CLEANUP(kvs_fini) struct kvs overrides;
    kvs_init(&overrides);
    kvs_set(&overrides, item->key + strlen(kind->prefix), item->value);
    struct config_value *entry = validate_entry(v, item->key);
    define(entry, item->key + strlen(kind->prefix));
    CLEANUP(free_charp)
    char *policy = worker_config_text(v->worker_props, "connector.client.config.override.policy");
    if (!policy_allows(policy, item->key + strlen(kind->prefix))) {
        config_value_error(entry,
                           "The '%s' policy does not allow '%s' to be overridden in the connector "
                           "configuration.",
                           policy, item->key + strlen(kind->prefix));
        return;
    }
    if (!item->value) {
        config_value_error(entry, "Null value can not be supplied as the configuration value.");
        return;
    }
    struct error error = { ERR_OK, "" };
    if (try_props(v, kind->role, &overrides, &error) != ERR_OK && !fit_together(v, kind)) {
        config_value_error(entry, "%s", error.text);
    }
}

static void check_kind(const struct validation *v, const struct override_kind *kind)
{
    struct error error = { ERR_OK, "" };
    bool base_tried = false;
    size_t n_overrides = 0;
    for (size_t i = 0; i < v->config->n_items; i++) {
        const struct kv *item = &v->config->items[i];
        if (strncmp(item->key, kind->prefix, strlen(kind->prefix)) != 0) {
            continue;
        }
        /* What the worker's own settings do wrong is no error of this config. */
        if (!base_tried && try_props(v, kind->role, NULL, &error) != ERR_OK) {
            return;
        }
        base_tried = true;
        if (++n_overrides > MAX_OVERRIDES) {
            config_value_error(validate_entry(v, item->key),
                               "Invalid value %s for configuration %s: a connector may override no "
                               "more than %d keys of a client",
                               item->value ? item->value : "null", item->key, MAX_OVERRIDES);
            return;
        }
        check_override(v, kind, item);
    }
}

static bool has_text(const struct validation *v, const char *key)
{
    const char *value = kvs_get(v->config, key);
    return value && value[0] != '\0';
}

/* Only clients that a connector has are looked at; others' keys mean nothing. */
static bool uses_client(const struct validation *v, enum kafka_role role)
{
    bool source = v->plugin->type == CONNECTOR_SOURCE;
    bool dead_letters = has_text(v, "errors.deadletterqueue.topic.name");
    switch (role) {
    case KAFKA_CONNECTOR_PRODUCER:
        return source || dead_letters;
    case KAFKA_CONNECTOR_CONSUMER:
        return !source;
    default:
        return source ? uses_topic_creation(v) : dead_letters;
    }
}

void validate_client_overrides(const struct validation *v)
{
    for (size_t i = 0; i < N_ELEMENTS(override_kinds); i++) {
        if (uses_client(v, override_kinds[i].role)) {
            check_kind(v, &override_kinds[i]);
        }
    }
}
