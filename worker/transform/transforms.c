/* SPDX-License-Identifier: Apache-2.0 */
/* The transforms that exist, and chains of them. See worker/transform.h. */
#include <string.h>

#include "worker/base/mem.h"
#include "worker/class_name.h"
#include "worker/transform.h"

static const struct transform_plugin *const plugins[] = {
    NULL,
};

struct link {
    const struct transform_plugin *plugin;
    void *state;
};

struct transform_chain {
    struct link *links;
    size_t n_links;
};

const struct transform_plugin *const *transform_plugins(void)
{
    return plugins;
}

const struct transform_plugin *transform_find(const char *class_name)
{
    for (size_t i = 0; plugins[i]; i++) {
        if (class_name_is(plugins[i]->class_name, class_name, "Transformation")) {
            return plugins[i];
        }
    }
    return NULL;
}

/* The keys of one alias, without "transforms.<alias>." before them. */
static void alias_keys(const struct kvs *config, const char *alias, struct kvs *ret_keys)
{
    CLEANUP(free_charp) char *prefix = xasprintf("transforms.%s.", alias);
    size_t length = strlen(prefix);
    for (size_t i = 0; i < config->n_items; i++) {
        if (strncmp(config->items[i].key, prefix, length) == 0) {
            kvs_set(ret_keys, config->items[i].key + length, config->items[i].value);
        }
    }
}

static enum err add_link(struct transform_chain *chain, const struct kvs *config, const char *alias,
                         struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    alias_keys(config, alias, &keys);
    const char *class_name = kvs_get(&keys, "type");
    if (!class_name) {
        return error_set(reterr, ERR_INVALID,
                         "Missing required configuration \"transforms.%s.type\" which has no "
                         "default value.",
                         alias);
    }
    const struct transform_plugin *plugin = transform_find(class_name);
    if (!plugin) {
        return error_set(reterr, ERR_NOT_FOUND,
                         "Invalid value %s for configuration transforms.%s.type: Class %s could "
                         "not be found.",
                         class_name, alias, class_name);
    }
    void *state = NULL;
    enum err err = plugin->open(&keys, &state, reterr);
    if (err != ERR_OK) {
        return error_prefix(reterr, err, alias);
    }
    chain->links = xrealloc(chain->links, (chain->n_links + 1) * sizeof(*chain->links));
    chain->links[chain->n_links++] = (struct link){ plugin, state };
    return ERR_OK;
}

enum err transform_chain_open(const struct kvs *config, struct transform_chain **ret_chain,
                              struct error *reterr)
{
    struct transform_chain *chain = xcalloc(1, sizeof(*chain));
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
        chain->links[i].plugin->close(chain->links[i].state);
    }
    free(chain->links);
    free(chain);
}

enum err transform_chain_apply(struct transform_chain *chain, struct connect_record *record,
                               bool *ret_keep, struct error *reterr)
{
    bool keep = true;
    for (size_t i = 0; i < chain->n_links && keep; i++) {
        enum err err = chain->links[i].plugin->apply(chain->links[i].state, record, &keep, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *ret_keep = keep;
    return ERR_OK;
}
