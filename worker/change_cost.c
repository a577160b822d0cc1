/* SPDX-License-Identifier: Apache-2.0 */
/* Costs of changes. See change_cost.h. */
#include "worker/change_cost.h"

#include <string.h>

#include "worker/base/mem.h"

/* Keys that no table lists, by how they begin. */
static const struct {
    const char *prefix;
    enum config_cost cost;
} prefixes[] = {
    { "producer.override.", CONFIG_COST_PIPELINE }, { "transforms.", CONFIG_COST_PIPELINE },
    { "predicates.", CONFIG_COST_PIPELINE },        { "key.converter.", CONFIG_COST_PIPELINE },
    { "value.converter.", CONFIG_COST_PIPELINE },   { "header.converter.", CONFIG_COST_PIPELINE },
    { "topic.creation.", CONFIG_COST_PIPELINE },
};

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0 && !a == !b;
}

static unsigned row_costs(const struct config_table *table, const struct kvs *before,
                          const struct kvs *after)
{
    unsigned costs = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        CLEANUP(free_charp) char *old = config_text(table, before, table->rows[i].name);
        CLEANUP(free_charp) char *new = config_text(table, after, table->rows[i].name);
        if (!same_text(old, new)) {
            costs |= 1U << table->rows[i].cost;
        }
    }
    return costs;
}

static enum config_cost cost_of_key(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(prefixes); i++) {
        if (strncmp(key, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0) {
            return prefixes[i].cost;
        }
    }
    return CONFIG_COST_PIPELINE;
}

/* Of the keys without a row in `from` that `to` lacks or has otherwise. */
static unsigned other_costs(const struct connector_plugin *plugin, const struct kvs *from,
                            const struct kvs *to)
{
    const struct config_table *common = connector_common_table(plugin->type);
    unsigned costs = 0;
    for (size_t i = 0; i < from->n_items; i++) {
        const struct kv *item = &from->items[i];
        bool same = kvs_has(to, item->key) && same_text(item->value, kvs_get(to, item->key));
        if (!same && !config_find(common, item->key) && !config_find(&plugin->table, item->key)) {
            costs |= 1U << cost_of_key(item->key);
        }
    }
    return costs;
}

unsigned change_costs(const struct connector_plugin *plugin, const struct kvs *before,
                      const struct kvs *after)
{
    return row_costs(connector_common_table(plugin->type), before, after) |
           row_costs(&plugin->table, before, after) | other_costs(plugin, before, after) |
           other_costs(plugin, after, before);
}

/* Appends the keys of one cost; returns how many. */
static size_t add_keys(const struct config_table *table, bool with_prefixes, enum config_cost cost,
                       struct buf *buf)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n_rows; i++) {
        if (table->rows[i].cost == cost) {
            buf_printf(buf, "%s`%s`", n++ ? ", " : "", table->rows[i].name);
        }
    }
    for (size_t i = 0; with_prefixes && i < N_ELEMENTS(prefixes); i++) {
        if (prefixes[i].cost == cost) {
            buf_printf(buf, "%s`%s*`", n++ ? ", " : "", prefixes[i].prefix);
        }
    }
    return n;
}

void change_costs_reference(const struct config_table *table, bool with_prefixes, struct buf *buf)
{
    buf_add_text(buf, "| change | keys |\n| --- | --- |\n");
    for (enum config_cost cost = 0; cost < CONFIG_COST_N; cost++) {
        struct buf keys;
        buf_init(&keys);
        if (add_keys(table, with_prefixes, cost, &keys) > 0) {
            buf_printf(buf, "| %s | %s |\n", config_cost_text(cost), keys.data);
        }
        buf_fini(&keys);
    }
}
