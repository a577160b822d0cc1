/* SPDX-License-Identifier: Apache-2.0 */
/* Converters, transforms and plug-in versions of a connector config. See validate.h. */
#include <strings.h>

#include "worker/base/mem.h"
#include "worker/convert.h"
#include "worker/transform.h"
#include "worker/validate.h"

/* The version of Apache Kafka whose converters these are the counterparts of, as in GET /. */
#define KAFKA_VERSION "4.1.1"

static const struct {
    const char *key;
    const char *version_key;
    bool header;
} converter_keys[] = {
    { "key.converter", "key.converter.plugin.version", false },
    { "value.converter", "value.converter.plugin.version", false },
    { "header.converter", "header.converter.plugin.version", true },
};

static bool converts(const struct converter_plugin *plugin, bool header)
{
    return header ? plugin->header : plugin->data;
}

static void recommend_converters(struct config_value *entry, bool header)
{
    for (size_t i = 0; converter_plugins()[i]; i++) {
        if (converts(converter_plugins()[i], header)) {
            config_value_recommend(entry, converter_plugins()[i]->class_name);
        }
    }
}

/* Opens the converter once: its own keys may be wrong. */
static void try_converter(const struct validation *v, const char *key, struct config_value *entry)
{
    struct converter *converter = NULL;
    struct error error = { ERR_OK, "" };
    if (converter_open(v->config, v->worker_props, key, "", &converter, &error) != ERR_OK) {
        config_value_error(entry, "%s", error.text);
        return;
    }
    free(entry->value);
    entry->value = xstrdup(converter_name(converter));
    converter_close(converter);
}

static void check_converter(const struct validation *v, const char *key, bool header)
{
    struct config_value *entry = config_result_find(v->result, key);
    recommend_converters(entry, header);
    const char *class_name = converter_class(v->config, v->worker_props, key, NULL);
    if (!class_name) {
        return;
    }
    const struct converter_plugin *plugin = converter_find(class_name);
    if (!plugin) {
        config_value_error(entry,
                           "Invalid value %s for configuration %s: Class %s could not be found.",
                           class_name, key, class_name);
    } else if (!converts(plugin, header)) {
        config_value_error(entry, "Class class %s does not implement the %s interface",
                           plugin->class_name, header ? "HeaderConverter" : "Converter");
    } else {
        try_converter(v, key, entry);
    }
}

void validate_converters(const struct validation *v)
{
    for (size_t i = 0; i < N_ELEMENTS(converter_keys); i++) {
        check_converter(v, converter_keys[i].key, converter_keys[i].header);
    }
}

/* Whether a wanted version, as Connect writes ranges, can only be `version`. */
static bool version_matches(const char *wanted, const char *version)
{
    if (wanted[0] == '\0' || strcasecmp(wanted, "latest") == 0 || strcmp(wanted, version) == 0) {
        return true;
    }
    CLEANUP(free_charp) char *exact = xasprintf("[%s]", version);
    CLEANUP(free_charp) char *range = xasprintf("[%s,%s]", version, version);
    return strcmp(wanted, exact) == 0 || strcmp(wanted, range) == 0;
}

static void check_version(const struct validation *v, const char *class_key, const char *key,
                          const char *version)
{
    struct config_value *entry = config_result_find(v->result, key);
    config_value_recommend(entry, version);
    if (!entry->value) {
        entry->value = xstrdup(version);
        return;
    }
    if (version_matches(entry->value, version)) {
        return;
    }
    const char *class_name = kvs_get(v->config, class_key);
    const char *open = strpbrk(entry->value, "[(") ? "" : "[";
    const char *close = open[0] ? "]" : "";
    CLEANUP(free_charp)
    char *text =
        xasprintf("Plugin %s not found that matches the version range %s%s%s%s%s, available "
                  "versions: [%s]",
                  class_name ? class_name : class_key, open, entry->value, open[0] ? "," : "",
                  open[0] ? entry->value : "", close, version);
    config_value_error(config_result_find(v->result, class_key), "%s", text);
    config_value_error(entry, "%s", text);
}

void validate_versions(const struct validation *v)
{
    check_version(v, "connector.class", "connector.plugin.version", v->plugin->version);
    for (size_t i = 0; i < N_ELEMENTS(converter_keys); i++) {
        check_version(v, converter_keys[i].key, converter_keys[i].version_key, KAFKA_VERSION);
    }
}

/* Aliases are compared with each other, and each gets an entry of its own: a bound keeps a hostile
 * list from costing more than the request that carried it. */
#define MAX_ALIASES 100

static bool listed_before(const struct config_list *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list->items[i], list->items[n]) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_duplicates(const struct config_list *list)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (listed_before(list, i)) {
            return true;
        }
    }
    return false;
}

static void add_duplicate_error(const struct validation *v, const char *key,
                                const struct config_list *list)
{
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < list->n_items; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", list->items[i]);
    }
    config_value_error(validate_entry(v, key),
                       "Invalid value [%s] for configuration %s: Duplicate alias provided.",
                       buf_text(&text), key);
    buf_fini(&text);
}

/* Makes an instance once: what its own keys may have wrong shows then. */
static enum err try_plugin(const struct validation *v, const char *group, const char *alias,
                           const char *class_name, struct error *reterr)
{
    bool transform = strcmp(group, "transforms") == 0;
    const struct transform_plugin *plugin = transform ? transform_find(class_name) : NULL;
    const struct predicate_plugin *predicate = transform ? NULL : predicate_find(class_name);
    if (!plugin && !predicate) {
        return error_set(reterr, ERR_NOT_FOUND,
                         "Invalid value %s for configuration %s.%s.type: Class %s could not be "
                         "found.",
                         class_name, group, alias, class_name);
    }
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    plugin_keys(v->config, group, alias, &keys);
    return plugin ? transform_check(plugin, &keys, reterr)
                  : predicate_check(predicate, &keys, reterr);
}

static void check_type(const struct validation *v, const char *group, const char *alias)
{
    CLEANUP(free_charp) char *key = xasprintf("%s.%s.type", group, alias);
    const char *class_name = kvs_get(v->config, key);
    struct config_value *entry = validate_entry(v, key);
    struct error error = { ERR_OK, "" };
    if (!class_name) {
        config_value_error(
            entry, "Missing required configuration \"%s\" which has no default value.", key);
    } else if (try_plugin(v, group, alias, class_name, &error) != ERR_OK) {
        config_value_error(entry, "%s", error.text);
    }
}

static void check_group(const struct validation *v, const char *group)
{
    const char *text = kvs_get(v->config, group);
    struct config_list aliases;
    config_list_split(text ? text : "", &aliases);
    if (aliases.n_items > MAX_ALIASES) {
        config_value_error(validate_entry(v, group),
                           "Invalid value of %zu aliases for configuration %s: List must have no "
                           "more than %d entries",
                           aliases.n_items, group, MAX_ALIASES);
        config_list_fini(&aliases);
        return;
    }
    if (has_duplicates(&aliases)) {
        add_duplicate_error(v, group, &aliases);
    }
    for (size_t i = 0; i < aliases.n_items; i++) {
        check_type(v, group, aliases.items[i]);
    }
    config_list_fini(&aliases);
}

void validate_transforms(const struct validation *v)
{
    check_group(v, "transforms");
    check_group(v, "predicates");
}
