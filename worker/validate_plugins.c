/* SPDX-License-Identifier: Apache-2.0 */
/* Classes and versions of a connector config: the connector's own version, the converters, and what
 * these share with transforms. See validate.h. */
#include <stdlib.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/convert.h"
#include "worker/validate.h"

static const char *interface_name(enum plugin_kind kind)
{
    static const char *const names[] = {
        "SinkConnector", "SourceConnector", "Transformation",
        "Predicate",     "Converter",       "HeaderConverter",
    };
    return names[kind];
}

void validate_recommend(struct config_value *entry, enum plugin_kind kind)
{
    struct plugin *list = NULL;
    size_t n = plugins_of(kind, &list);
    for (size_t i = 0; i < n; i++) {
        config_value_recommend(entry, list[i].class_name);
    }
    free(list);
}

bool validate_class(struct config_value *entry, enum plugin_kind kind, struct plugin *ret_plugin)
{
    if (!entry->value) {
        return false;
    }
    CLEANUP(free_charp) char *given = xstrdup(entry->value);
    if (plugin_find(kind, given, ret_plugin)) {
        config_value_set(entry, ret_plugin->class_name);
        return true;
    }
    enum plugin_kind other = kind;
    struct plugin known;
    if (plugin_find_any(given, &other, &known)) {
        config_value_set(entry, known.class_name);
        config_value_error(entry, "Class class %s does not implement the %s interface",
                           known.class_name, interface_name(kind));
    } else {
        config_value_set(entry, NULL);
        config_value_error(entry,
                           "Invalid value %s for configuration %s: Class %s could not be found.",
                           given, entry->name, given);
    }
    return false;
}

bool validate_version(struct config_value *class_entry, struct config_value *version_entry,
                      const struct plugin *plugin, bool tell_class)
{
    struct error error = { ERR_OK, "" };
    bool matches = true;
    char *range = NULL;
    const char *wanted = version_entry->value;
    if (!wanted) {
        return true;
    }
    if (version_range_match(wanted, plugin->version, &matches, &range, &error) != ERR_OK) {
        config_value_error(version_entry, "%s", error.text);
        if (tell_class) {
            config_value_error(class_entry, "%s", error.text);
        }
        return false;
    }
    CLEANUP(free_charp) char *shown = range;
    if (!matches) {
        CLEANUP(free_charp)
        char *text = version_mismatch(plugin->class_name, shown, plugin->version);
        config_value_error(class_entry, "%s", text);
        config_value_error(version_entry, "%s", text);
    }
    return matches;
}

void validate_sub_keys(const struct kvs *config, const char *prefix, struct kvs *ret_keys)
{
    size_t length = strlen(prefix);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, length) == 0) {
            kvs_set(ret_keys, config->items[i].key + length, config->items[i].value);
        }
    }
}

bool validate_connector_version(const struct validation *v)
{
    static const char key[] = "connector.plugin.version";
    const struct plugin plugin = { v->plugin->class_names[0], v->plugin->version, NULL };
    struct config_value *entry = config_result_find(v->result, key);
    config_value_default(entry, plugin.version);
    config_value_recommend(entry, plugin.version);
    if (!entry->value && entry->n_errors == 0) {
        config_value_set(entry, plugin.version);
    }
    return validate_version(config_result_find(v->result, "connector.class"), entry, &plugin, true);
}

/* The three places of converters; in the order in which Connect adds their own keys. */
static const struct place {
    const char *key;
    const char *version_key;
    const char *prefix;
    const char *type;
    enum plugin_kind kind;
    const char *fallback; /* class if neither connector nor worker names one */
} places[] = {
    { "header.converter", "header.converter.plugin.version", "header.converter.", "header",
      PLUGIN_HEADER_CONVERTER, "org.apache.kafka.connect.storage.SimpleHeaderConverter" },
    { "key.converter", "key.converter.plugin.version", "key.converter.", "key", PLUGIN_CONVERTER,
      NULL },
    { "value.converter", "value.converter.plugin.version", "value.converter.", "value",
      PLUGIN_CONVERTER, NULL },
};

/* What the worker converts with if the connector does not say. */
static void show_default(const struct validation *v, const struct place *place,
                         struct config_value *entry)
{
    const char *name = converter_class(NULL, v->worker_props, place->key, place->fallback);
    struct plugin plugin;
    if (!name || !plugin_find(place->kind, name, &plugin)) {
        return;
    }
    config_value_default(entry, plugin.class_name);
    if (!kvs_has(v->config, place->key)) {
        config_value_set(entry, plugin.class_name);
    }
}

/* The version entry of a converter that is fine, or that the worker chooses. */
static void show_version(struct config_value *entry)
{
    config_value_default(entry, CONNECT_VERSION);
    if (!entry->value && entry->n_errors == 0) {
        config_value_set(entry, CONNECT_VERSION);
    }
}

static void check_place(const struct validation *v, const struct place *place)
{
    struct config_value *entry = config_result_find(v->result, place->key);
    struct config_value *version = config_result_find(v->result, place->version_key);
    validate_recommend(entry, place->kind);
    show_default(v, place, entry);
    struct plugin plugin;
    if (!kvs_get(v->config, place->key)) {
        show_version(version);
        version->hidden = kvs_has(v->config, place->key);
        if (!version->hidden) {
            config_value_recommend(version, CONNECT_VERSION);
        }
        return;
    }
    /* Blanks around a class are no part of any name, and the task's start takes it as it is. */
    if (entry->value && strcmp(entry->value, kvs_get(v->config, place->key)) != 0) {
        config_value_set(entry, kvs_get(v->config, place->key));
    }
    if (!validate_class(entry, place->kind, &plugin)) {
        version->hidden = entry->value == NULL;
        config_value_set(version, NULL);
        return;
    }
    show_version(version);
    config_value_recommend(version, CONNECT_VERSION);
    (void)validate_version(entry, version, &plugin, false);
}

void validate_converters(const struct validation *v)
{
    for (size_t i = 0; i < N_ELEMENTS(places); i++) {
        check_place(v, &places[i]);
    }
}

/* Opens the converter once: its keys may be wrong together. */
static void try_converter(const struct validation *v, const struct place *place)
{
    struct converter *converter = NULL;
    struct error error = { ERR_OK, "" };
    if (converter_open(v->config, v->worker_props, place->key, "", &converter, &error) != ERR_OK) {
        config_value_error(config_result_find(v->result, place->key), "%s", error.text);
        return;
    }
    converter_close(converter);
}

static size_t embed_rows(const struct validation *v, const struct place *place,
                         const struct config_table *table)
{
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    validate_sub_keys(v->config, place->prefix, &keys);
    kvs_set(&keys, "converter.type", place->type);
    const struct config_place where = { .prefix = place->prefix, .apart = true };
    size_t n_errors = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        n_errors += config_embed(&table->rows[i], &keys, &where, 0, v->result)->n_errors;
    }
    return n_errors;
}

void validate_converter_keys(const struct validation *v)
{
    for (size_t i = 0; i < N_ELEMENTS(places); i++) {
        const struct place *place = &places[i];
        const struct config_value *entry = config_result_find(v->result, place->key);
        const struct config_value *version = config_result_find(v->result, place->version_key);
        struct plugin plugin;
        bool usable = kvs_get(v->config, place->key) && entry->n_errors == 0 &&
                      version->n_errors == 0 && entry->value &&
                      plugin_find(place->kind, entry->value, &plugin);
        if (usable && embed_rows(v, place, plugin.table) == 0) {
            try_converter(v, place);
        }
    }
}
