/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of transforms with their predicates. See worker/transform.h. */
#include <string.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/transform.h"

struct link {
    const struct transform_plugin *plugin;
    void *state;
    const struct predicate_plugin *predicate; /* NULL: always */
    void *predicate_state;
    bool negate;
};

struct transform_chain {
    struct link *links;
    size_t n_links;
    const char *class_name;
};

void plugin_keys(const struct kvs *config, const char *group, const char *alias,
                 struct kvs *ret_keys)
{
    CLEANUP(free_charp) char *prefix = xasprintf("%s.%s.", group, alias);
    size_t length = strlen(prefix);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, length) == 0) {
            kvs_set(ret_keys, config->items[i].key + length, config->items[i].value);
        }
    }
}

/* The first error of the keys against the rows. */
static enum err check_keys(const struct config_table *table, const struct kvs *keys,
                           struct error *reterr)
{
    struct config_result result;
    config_result_init(&result);
    config_validate(table, keys, &result);
    enum err err = ERR_OK;
    for (size_t i = 0; i < result.n_values && err == ERR_OK; i++) {
        if (result.values[i].n_errors > 0) {
            err = error_set(reterr, ERR_INVALID, "%s", result.values[i].errors[0]);
        }
    }
    config_result_fini(&result);
    return err;
}

static enum err open_transform(const struct transform_plugin *plugin, const struct kvs *keys,
                               void **ret_state, struct error *reterr)
{
    enum err err = check_keys(&plugin->kind->table, keys, reterr);
    if (err == ERR_OK && plugin->kind->open) {
        err = plugin->kind->open(keys, ret_state, reterr);
    }
    return err;
}

static enum err open_predicate(const struct predicate_plugin *plugin, const struct kvs *keys,
                               void **ret_state, struct error *reterr)
{
    enum err err = check_keys(&plugin->table, keys, reterr);
    if (err == ERR_OK && plugin->open) {
        err = plugin->open(keys, ret_state, reterr);
    }
    return err;
}

static void close_link(struct link *link)
{
    if (link->plugin && link->plugin->kind->close) {
        link->plugin->kind->close(link->state);
    }
    if (link->predicate && link->predicate->close) {
        link->predicate->close(link->predicate_state);
    }
}

enum err transform_check(const struct transform_plugin *plugin, const struct kvs *keys,
                         struct error *reterr)
{
    struct link link = { .plugin = plugin };
    enum err err = open_transform(plugin, keys, &link.state, reterr);
    if (err == ERR_OK) {
        close_link(&link);
    }
    return err;
}

enum err predicate_check(const struct predicate_plugin *plugin, const struct kvs *keys,
                         struct error *reterr)
{
    struct link link = { .predicate = plugin };
    enum err err = open_predicate(plugin, keys, &link.predicate_state, reterr);
    if (err == ERR_OK) {
        close_link(&link);
    }
    return err;
}

/* The class that `<group>.<alias>.type` names. */
static enum err class_of(const struct kvs *keys, const char *group, const char *alias,
                         const char **ret_class, struct error *reterr)
{
    const char *class_name = kvs_get(keys, "type");
    if (!class_name) {
        return error_set(reterr, ERR_INVALID,
                         "Missing required configuration \"%s.%s.type\" which has no default "
                         "value.",
                         group, alias);
    }
    *ret_class = class_name;
    return ERR_OK;
}

static enum err unknown_class(const char *group, const char *alias, const char *class_name,
                              struct error *reterr)
{
    return error_set(reterr, ERR_NOT_FOUND,
                     "Invalid value %s for configuration %s.%s.type: Class %s could not be found.",
                     class_name, group, alias, class_name);
}

static enum err prefixed(struct error *reterr, enum err err, const char *group, const char *alias)
{
    CLEANUP(free_charp) char *prefix = xasprintf("%s.%s", group, alias);
    return error_prefix(reterr, err, prefix);
}

static enum err add_predicate(struct link *link, const struct kvs *config, const char *transform,
                              const char *alias, struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    plugin_keys(config, "predicates", alias, &keys);
    const char *class_name = NULL;
    struct config_list aliases;
    const char *names = kvs_get(config, "predicates");
    config_list_split(names ? names : "", &aliases);
    bool listed = false;
    for (size_t i = 0; i < aliases.n_items; i++) {
        listed = listed || strcmp(aliases.items[i], alias) == 0;
    }
    config_list_fini(&aliases);
    if (!listed) {
        return error_set(reterr, ERR_INVALID,
                         "Unknown configuration 'predicates.%s.type': transforms.%s.predicate "
                         "names a predicate that is not listed in predicates",
                         alias, transform);
    }
    enum err err = class_of(&keys, "predicates", alias, &class_name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct predicate_plugin *plugin = predicate_find(class_name);
    if (!plugin) {
        return unknown_class("predicates", alias, class_name, reterr);
    }
    err = open_predicate(plugin, &keys, &link->predicate_state, reterr);
    if (err != ERR_OK) {
        return prefixed(reterr, err, "predicates", alias);
    }
    link->predicate = plugin;
    return ERR_OK;
}

static enum err fill_link(struct link *link, const struct kvs *config, const char *alias,
                          struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    plugin_keys(config, "transforms", alias, &keys);
    const char *class_name = NULL;
    enum err err = class_of(&keys, "transforms", alias, &class_name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct transform_plugin *plugin = transform_find(class_name);
    if (!plugin) {
        return unknown_class("transforms", alias, class_name, reterr);
    }
    err = open_transform(plugin, &keys, &link->state, reterr);
    if (err != ERR_OK) {
        return prefixed(reterr, err, "transforms", alias);
    }
    link->plugin = plugin;
    const char *predicate = kvs_get(&keys, "predicate");
    (void)config_parse_bool(kvs_get(&keys, "negate"), &link->negate);
    return predicate ? add_predicate(link, config, alias, predicate, reterr) : ERR_OK;
}

static enum err add_link(struct transform_chain *chain, const struct kvs *config, const char *alias,
                         struct error *reterr)
{
    struct link link = { .plugin = NULL };
    enum err err = fill_link(&link, config, alias, reterr);
    if (err != ERR_OK) {
        close_link(&link);
        return err;
    }
    chain->links = xrealloc(chain->links, (chain->n_links + 1) * sizeof(*chain->links));
    chain->links[chain->n_links++] = link;
    return ERR_OK;
}

enum err transform_chain_open(const struct kvs *config, struct transform_chain **ret_chain,
                              struct error *reterr)
{
    struct transform_chain *chain = xcalloc(1, sizeof(*chain));
    chain->class_name = "transforms";
    const char *names = kvs_get(config, "transforms");
    struct config_list aliases;
    config_list_split(names ? names : "", &aliases);
    enum err err = ERR_OK;
    for (size_t i = 0; i < aliases.n_items && err == ERR_OK; i++) {
        err = add_link(chain, config, aliases.items[i], reterr);
    }
    config_list_fini(&aliases);
    if (err != ERR_OK) {
        transform_chain_close(chain);
        return err;
    }
    *ret_chain = chain;
    return ERR_OK;
}

void transform_chain_close(struct transform_chain *chain)
{
    if (!chain) {
        return;
    }
    for (size_t i = 0; i < chain->n_links; i++) {
        close_link(&chain->links[i]);
    }
    free(chain->links);
    free(chain);
}

static enum err apply_link(struct link *link, struct connect_record *record, struct error *reterr)
{
    bool holds = true;
    if (link->predicate) {
        enum err err = link->predicate->test(link->predicate_state, record, &holds, reterr);
        if (err != ERR_OK) {
            return err;
        }
        holds = holds != link->negate;
    }
    if (!holds) {
        return ERR_OK;
    }
    struct value *targets[] = { NULL, &record->key, &record->value };
    return link->plugin->kind->apply(link->state, record, targets[link->plugin->side], reterr);
}

enum err transform_chain_apply(struct transform_chain *chain, struct connect_record *record,
                               bool *ret_keep, struct error *reterr)
{
    record->dropped = false;
    for (size_t i = 0; i < chain->n_links && !record->dropped; i++) {
        chain->class_name = chain->links[i].plugin->class_name;
        enum err err = apply_link(&chain->links[i], record, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_keep = !record->dropped;
    return ERR_OK;
}

const char *transform_chain_class(const struct transform_chain *chain)
{
    return chain->class_name;
}
