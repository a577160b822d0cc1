/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms and predicates of a connector config: the aliases, and each one's own keys behind
 * "transforms.<alias>.". See validate.h. */
#include <stdlib.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/transform.h"
#include "worker/validate.h"

/* Aliases are compared with each other, and each gets entries of its own: a bound keeps a hostile
 * list from costing more than the request that carried it. */
#define MAX_ALIASES 100

/* One list of aliases. */
struct group {
    enum plugin_kind kind;
    const char *key;   /* "transforms" */
    const char *title; /* of its groups of keys: "Transforms" */
    const char *what;  /* "Transformation" */
};

static const struct group groups[] = {
    { PLUGIN_TRANSFORMATION, "transforms", "Transforms", "Transformation" },
    { PLUGIN_PREDICATE, "predicates", "Predicates", "Predicate" },
};

/* One alias while it is checked. */
struct alias {
    const struct validation *v;
    const struct group *group;
    const char *name;
    struct config_place place;
    struct kvs config; /* its keys, without the prefix */
    int order;         /* of the next key */
};

static const struct config_def negate_row = {
    .name = "negate",
    .type = CONFIG_BOOLEAN,
    .default_value = "false",
    .importance = CONFIG_MEDIUM,
    .doc = "Applies the transformation where the predicate does not hold.",
};

static const struct config_def predicate_row = {
    .name = "predicate",
    .type = CONFIG_STRING,
    .importance = CONFIG_MEDIUM,
    .doc = "Alias of the predicate that says which records are transformed; empty: all.",
};

/* An entry of the alias itself: "Transformation type for <alias>". */
static struct config_value *add_entry(struct alias *alias, struct config_def def, const char *word)
{
    CLEANUP(free_charp)
    char *title = xasprintf("%s %s for %s", alias->group->what, word, alias->name);
    def.display_name = title;
    def.importance = CONFIG_HIGH;
    def.width = CONFIG_WIDTH_LONG;
    return config_embed(&def, &alias->config, &alias->place, alias->order++, alias->v->result);
}

static bool check_type(struct alias *alias, struct plugin *ret_plugin)
{
    struct config_def def = { .name = "type", .type = CONFIG_CLASS, .required = true };
    def.doc = "Class.";
    struct config_value *entry = add_entry(alias, def, "type");
    validate_recommend(entry, alias->group->kind);
    return validate_class(entry, alias->group->kind, ret_plugin);
}

/* Rows in Connect's order: what must be given first, then by importance, then by name. */
static int compare_rows(const void *one, const void *other)
{
    const struct config_def *a = *(const struct config_def *const *)one;
    const struct config_def *b = *(const struct config_def *const *)other;
    if (a->required != b->required) {
        return a->required ? -1 : 1;
    }
    return a->importance != b->importance ? (int)a->importance - (int)b->importance
                                          : strcmp(a->name, b->name);
}

/* Returns the number of errors. */
static size_t check_own_keys(struct alias *alias, const struct config_table *table)
{
    size_t n_errors = 0;
    size_t n = table->n_rows;
    const struct config_def **rows = xmalloc((n + 2) * sizeof(*rows));
    for (size_t i = 0; i < n; i++) {
        rows[i] = &table->rows[i];
    }
    if (alias->group->kind == PLUGIN_TRANSFORMATION) {
        rows[n++] = &negate_row;
        rows[n++] = &predicate_row;
    }
    if (n > 0) {
        qsort(rows, n, sizeof(*rows), compare_rows);
    }
    for (size_t i = 0; i < n; i++) {
        n_errors +=
            config_embed(rows[i], &alias->config, &alias->place, alias->order++, alias->v->result)
                ->n_errors;
    }
    free(rows);
    return n_errors;
}

/* Makes an instance once: its keys may be wrong together. */
static void try_instance(const struct alias *alias, const char *class_name)
{
    struct error error = { ERR_OK, "" };
    enum err err = alias->group->kind == PLUGIN_TRANSFORMATION
                       ? transform_check(transform_find(class_name), &alias->config, &error)
                       : predicate_check(predicate_find(class_name), &alias->config, &error);
    if (err != ERR_OK) {
        CLEANUP(free_charp) char *key = xasprintf("%stype", alias->place.prefix);
        config_value_error(config_result_find(alias->v->result, key), "%s", error.text);
    }
}

static void check_negate(const struct alias *alias)
{
    if (alias->group->kind == PLUGIN_TRANSFORMATION && kvs_has(&alias->config, "negate") &&
        !kvs_has(&alias->config, "predicate")) {
        CLEANUP(free_charp) char *key = xasprintf("%stype", alias->place.prefix);
        config_value_error(config_result_find(alias->v->result, key),
                           "Config '%snegate' was provided but there is no config '%spredicate' "
                           "defining a predicate to be negated.",
                           alias->place.prefix, alias->place.prefix);
    }
}

static void check_keys(struct alias *alias)
{
    struct plugin plugin = { .version = NULL };
    bool found = check_type(alias, &plugin);
    struct config_def def = { .name = "plugin.version", .type = CONFIG_STRING };
    def.doc = "Version of the class that must be there.";
    def.default_value = plugin.version;
    struct config_value *version = add_entry(alias, def, "version");
    if (!found) {
        return;
    }
    /* Adding the second entry may have moved the first. */
    CLEANUP(free_charp) char *key = xasprintf("%stype", alias->place.prefix);
    struct config_value *type = config_result_find(alias->v->result, key);
    config_value_recommend(version, plugin.version);
    if (validate_version(type, version, &plugin, true)) {
        size_t n_errors = check_own_keys(alias, plugin.table);
        check_negate(alias);
        if (n_errors == 0) {
            try_instance(alias, plugin.class_name);
        }
    }
}

static void check_alias(const struct validation *v, const struct group *group, const char *name)
{
    CLEANUP(free_charp) char *prefix = xasprintf("%s.%s.", group->key, name);
    CLEANUP(free_charp) char *title = xasprintf("%s: %s", group->title, name);
    struct alias alias = {
        .v = v, .group = group, .name = name, .place = { prefix, title, false }
    };
    kvs_init(&alias.config);
    validate_sub_keys(v->config, prefix, &alias.config);
    check_keys(&alias);
    kvs_fini(&alias.config);
}

static bool listed_before(const struct config_list *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list->items[i], list->items[n]) == 0) {
            return true;
        }
    }
    return false;
}

void validate_unique(const struct validation *v, const char *key, const struct config_list *list)
{
    struct buf text;
    buf_init(&text);
    bool doubled = false;
    for (size_t i = 0; i < list->n_items; i++) {
        buf_printf(&text, "%s%s", i == 0 ? "" : ", ", list->items[i]);
        doubled = doubled || listed_before(list, i);
    }
    if (doubled) {
        config_value_error(validate_entry(v, key),
                           "Invalid value [%s] for configuration %s: Duplicate alias provided.",
                           buf_text(&text), key);
    }
    buf_fini(&text);
}

/* Connect's check of the aliases meets a null before the framework does. */
static void check_null(const struct validation *v, const char *key)
{
    struct config_value *entry = validate_entry(v, key);
    if (!kvs_has(v->config, key) || kvs_get(v->config, key) || entry->n_errors == 0) {
        return;
    }
    config_value_error(entry, "Invalid value null for configuration %s: entry must be non null",
                       key);
    char *first = entry->errors[0];
    entry->errors[0] = entry->errors[entry->n_errors - 1];
    entry->errors[entry->n_errors - 1] = first;
}

static void check_group(const struct validation *v, const struct group *group)
{
    const char *text = kvs_get(v->config, group->key);
    check_null(v, group->key);
    struct config_list aliases;
    config_list_split(text ? text : "", &aliases);
    if (aliases.n_items > MAX_ALIASES) {
        config_value_error(validate_entry(v, group->key),
                           "Invalid value of %zu aliases for configuration %s: List must have no "
                           "more than %d entries",
                           aliases.n_items, group->key, MAX_ALIASES);
        config_list_fini(&aliases);
        return;
    }
    validate_unique(v, group->key, &aliases);
    for (size_t i = 0; i < aliases.n_items; i++) {
        if (!listed_before(&aliases, i)) {
            check_alias(v, group, aliases.items[i]);
        }
    }
    config_list_fini(&aliases);
}

void validate_transforms(const struct validation *v)
{
    for (size_t i = 0; i < N_ELEMENTS(groups); i++) {
        check_group(v, &groups[i]);
    }
}
