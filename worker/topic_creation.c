/* SPDX-License-Identifier: Apache-2.0 */
/* Topics that a source connector may make. See topic_creation.h. */
#include "worker/topic_creation.h"

#include "worker/base/clock.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/base/regex.h"
#include "worker/kafka/admin.h"
#include "worker/kafka/props.h"
#include "worker/worker_config.h"

#define ENSURE_MS 3000
/* After Kafka did not answer it is left alone for so long: all sessions of a task ask, and each
 * would hold the task's thread. */
#define AGAIN_MS 2000
/* Topics that are remembered; beyond it all are looked for again. */
#define MAX_KNOWN 8192

struct patterns {
    struct regex **items;
    size_t n_items;
};

struct group {
    char *name;
    struct patterns include;
    struct patterns exclude;
    int partitions;
    int replication_factor;
    struct kvs settings;
};

struct topic_creation {
    struct group *groups; /* in the order of topic.creation.groups; default is the last */
    size_t n_groups;
    struct kvs admin_props;
    struct map known;  /* names of topics that are there; the value says nothing */
    char *newest;      /* the last name that was asked for: mostly the next one too */
    uint64_t again_ms; /* Kafka is not asked before; monotonic */
    char *why;         /* what it said, or did not, last time */
};

size_t topic_creation_group_of(const char *key, const char **ret_name)
{
    size_t prefix = strlen(TOPIC_CREATION_PREFIX);
    if (strncmp(key, TOPIC_CREATION_PREFIX, prefix) != 0) {
        return 0;
    }
    const char *dot = strchr(key + prefix, '.');
    if (!dot || dot == key + prefix || dot[1] == '\0') {
        return 0;
    }
    *ret_name = dot + 1;
    return (size_t)(dot - key) - prefix;
}

/* ---- rules ---- */

static void patterns_fini(struct patterns *patterns)
{
    for (size_t i = 0; i < patterns->n_items; i++) {
        regex_free(patterns->items[i]);
    }
    free(patterns->items);
}

static const char *setting(const struct kvs *config, const char *group, const char *name)
{
    CLEANUP(free_charp) char *key = xasprintf(TOPIC_CREATION_PREFIX "%s.%s", group, name);
    return kvs_get(config, key);
}

static enum err read_patterns(const struct kvs *config, const char *group, const char *name,
                              struct patterns *patterns, struct error *reterr)
{
    const char *text = setting(config, group, name);
    struct config_list list;
    config_list_split(text ? text : "", &list);
    patterns->items = xcalloc(list.n_items + 1, sizeof(*patterns->items));
    enum err err = ERR_OK;
    for (size_t i = 0; i < list.n_items && err == ERR_OK; i++) {
        struct error error = { ERR_OK, "" };
        err = regex_new(list.items[i], &patterns->items[patterns->n_items], &error);
        if (err == ERR_OK) {
            patterns->n_items++;
        } else {
            (void)error_set(reterr, err,
                            "Invalid value %s for configuration " TOPIC_CREATION_PREFIX "%s.%s: %s",
                            text, group, name, error.text);
        }
    }
    config_list_fini(&list);
    return err;
}

/* A number of the group, else of the default group, else the broker's default. */
static int count_of(const struct kvs *config, const char *group, const char *name)
{
    const char *text = setting(config, group, name);
    int64_t number = -1;
    if (!text) {
        text = setting(config, TOPIC_CREATION_DEFAULT, name);
    }
    (void)config_parse_whole(text, &number);
    return (int)number;
}

/* What is no rule of ours is a setting of the topic. */
static void read_settings(const struct kvs *config, struct group *group)
{
    static const char *const rules[] = { "include", "exclude", "partitions", "replication.factor" };
    for (size_t i = 0; i < config->n_items; i++) {
        const char *name = NULL;
        const struct kv *item = &config->items[i];
        size_t length = topic_creation_group_of(item->key, &name);
        bool is_setting =
            length == strlen(group->name) && item->value &&
            strncmp(item->key + strlen(TOPIC_CREATION_PREFIX), group->name, length) == 0;
        for (size_t k = 0; k < N_ELEMENTS(rules); k++) {
            is_setting = is_setting && strcmp(name, rules[k]) != 0;
        }
        if (is_setting) {
            kvs_set(&group->settings, name, item->value);
        }
    }
}

static enum err add_group(struct topic_creation *creation, const struct kvs *config,
                          const char *name, struct error *reterr)
{
    struct group *group = &creation->groups[creation->n_groups++];
    group->name = xstrdup(name);
    kvs_init(&group->settings);
    group->partitions = count_of(config, name, "partitions");
    group->replication_factor = count_of(config, name, "replication.factor");
    read_settings(config, group);
    if (strcmp(name, TOPIC_CREATION_DEFAULT) == 0) {
        return ERR_OK; /* takes every name */
    }
    enum err err = read_patterns(config, name, "include", &group->include, reterr);
    return err ? err : read_patterns(config, name, "exclude", &group->exclude, reterr);
}

static enum err read_groups(struct topic_creation *creation, const struct kvs *config,
                            struct error *reterr)
{
    const char *text = kvs_get(config, TOPIC_CREATION_PREFIX "groups");
    struct config_list names;
    config_list_split(text ? text : "", &names);
    creation->groups = xcalloc(names.n_items + 1, sizeof(*creation->groups));
    enum err err = ERR_OK;
    for (size_t i = 0; i < names.n_items && err == ERR_OK; i++) {
        if (strcmp(names.items[i], TOPIC_CREATION_DEFAULT) != 0) {
            err = add_group(creation, config, names.items[i], reterr);
        }
    }
    config_list_fini(&names);
    return err ? err : add_group(creation, config, TOPIC_CREATION_DEFAULT, reterr);
}

static enum err read_admin_props(struct topic_creation *creation, const struct kvs *worker_props,
                                 const struct kvs *config, struct error *reterr)
{
    static const char prefix[] = "admin.override.";
    CLEANUP(kvs_fini) struct kvs overrides;
    kvs_init(&overrides);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, strlen(prefix)) == 0) {
            kvs_set(&overrides, config->items[i].key + strlen(prefix), config->items[i].value);
        }
    }
    return kafka_props_build(KAFKA_CONNECTOR_ADMIN, worker_props, &overrides,
                             &creation->admin_props, NULL, reterr);
}

static bool is_used(const struct kvs *config)
{
    return setting(config, TOPIC_CREATION_DEFAULT, "partitions") ||
           setting(config, TOPIC_CREATION_DEFAULT, "replication.factor");
}

enum err topic_creation_open(const struct kvs *worker_props, const struct kvs *config,
                             struct topic_creation **ret_creation, struct error *reterr)
{
    if (!is_used(config) || !worker_config_bool(worker_props, "topic.creation.enable")) {
        *ret_creation = NULL;
        return ERR_OK;
    }
    struct topic_creation *creation = xcalloc(1, sizeof(*creation));
    kvs_init(&creation->admin_props);
    map_init(&creation->known);
    enum err err = read_groups(creation, config, reterr);
    err = err ? err : read_admin_props(creation, worker_props, config, reterr);
    if (err != ERR_OK) {
        topic_creation_close(creation);
        return err;
    }
    *ret_creation = creation;
    return ERR_OK;
}

void topic_creation_close(struct topic_creation *creation)
{
    if (!creation) {
        return;
    }
    for (size_t i = 0; i < creation->n_groups; i++) {
        struct group *group = &creation->groups[i];
        patterns_fini(&group->include);
        patterns_fini(&group->exclude);
        kvs_fini(&group->settings);
        free(group->name);
    }
    free(creation->groups);
    kvs_fini(&creation->admin_props);
    map_fini(&creation->known);
    free(creation->newest);
    free(creation->why);
    free(creation);
}

/* Adds to *ret_any whether one of the patterns matches. */
static enum err match_any(const struct patterns *patterns, const char *topic, bool *ret_any,
                          struct error *reterr)
{
    enum err err = ERR_OK;
    bool any = false;
    for (size_t i = 0; i < patterns->n_items && !any && err == ERR_OK; i++) {
        err = regex_matches(patterns->items[i], topic, strlen(topic), &any, reterr);
    }
    *ret_any = any;
    return err;
}

enum err topic_creation_rule(const struct topic_creation *creation, const char *topic,
                             struct topic_rule *ret_rule, struct error *reterr)
{
    const struct group *found = &creation->groups[creation->n_groups - 1];
    for (size_t i = 0; i + 1 < creation->n_groups; i++) {
        const struct group *group = &creation->groups[i];
        bool included = false;
        bool excluded = false;
        enum err err = match_any(&group->include, topic, &included, reterr);
        err = err ? err : match_any(&group->exclude, topic, &excluded, reterr);
        if (err != ERR_OK) {
            return err;
        }
        if (included && !excluded) {
            found = group;
            break;
        }
    }
    *ret_rule = (struct topic_rule){ found->name, found->partitions, found->replication_factor,
                                     &found->settings };
    return ERR_OK;
}

/* ---- making a topic ---- */

/* A client of its own for each topic that is new: that is rare, and an open client costs. */
static enum err make(const struct topic_creation *creation, const char *topic,
                     const struct log_ctx *log, struct error *reterr)
{
    struct topic_rule rule;
    struct kafka_admin *admin = NULL;
    enum err err = topic_creation_rule(creation, topic, &rule, reterr);
    err = err ? err : kafka_admin_open(&creation->admin_props, &admin, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *property = xasprintf(TOPIC_CREATION_PREFIX "%s.*", rule.group);
    const struct kafka_topic_spec spec = {
        .name = topic,
        .property = property,
        .partitions = rule.partitions,
        .replication_factor = rule.replication_factor,
        .settings = rule.settings,
    };
    int n_partitions = 0;
    err = kafka_admin_ensure_topic(admin, &spec, ENSURE_MS, &n_partitions, reterr);
    kafka_admin_close(admin);
    if (err == ERR_OK) {
        log_debug(log, "TOPIC-READY", "topic=%s group=%s partitions=%d", topic, rule.group,
                  n_partitions);
    }
    return err;
}

static enum err try_make(struct topic_creation *creation, const char *topic,
                         const struct log_ctx *log, struct error *reterr)
{
    if (clock_mono_ms() < creation->again_ms) {
        return error_set(reterr, ERR_TIMEOUT, "%s", creation->why);
    }
    struct error error = { ERR_OK, "" };
    enum err err = make(creation, topic, log, &error);
    if (err == ERR_TIMEOUT) {
        creation->again_ms = clock_mono_ms() + AGAIN_MS;
        free(creation->why);
        creation->why = xstrdup(error.text);
    }
    return err == ERR_OK ? ERR_OK : error_set(reterr, err, "%s", error.text);
}

enum err topic_creation_ensure(struct topic_creation *creation, const char *topic,
                               const struct log_ctx *log, struct error *reterr)
{
    static int there;
    if (!creation || (creation->newest && strcmp(creation->newest, topic) == 0)) {
        return ERR_OK;
    }
    if (!map_get(&creation->known, topic)) {
        enum err err = try_make(creation, topic, log, reterr);
        if (err != ERR_OK) {
            return err;
        }
        if (creation->known.n_entries >= MAX_KNOWN) {
            map_fini(&creation->known);
            map_init(&creation->known);
        }
        (void)map_set(&creation->known, topic, &there);
    }
    free(creation->newest);
    creation->newest = xstrdup(topic);
    return ERR_OK;
}
