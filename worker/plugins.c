/* SPDX-License-Identifier: Apache-2.0 */
/* All classes by kind. See plugins.h. */
#include "worker/plugins.h"

#include <stdlib.h>
#include <string.h>

#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/convert.h"
#include "worker/transform.h"
#include "worker/version_range.h"

/* A growing list; the caller keeps the memory. */
struct listing {
    struct plugin *items;
    size_t n_items;
};

static void add(struct listing *list, const char *class_name, const char *version,
                const struct config_table *table)
{
    list->items = xrealloc(list->items, (list->n_items + 1) * sizeof(*list->items));
    list->items[list->n_items++] = (struct plugin){ class_name, version, table };
}

/* Under each of its full names, and under the first. */
static void add_connectors(struct listing *list, enum connector_type type)
{
    for (size_t i = 0; connector_plugins()[i]; i++) {
        const struct connector_plugin *plugin = connector_plugins()[i];
        for (const char *const *name = plugin->class_names; plugin->type == type && *name; name++) {
            if (name == plugin->class_names || strchr(*name, '.')) {
                add(list, *name, plugin->version, &plugin->table);
            }
        }
    }
}

static bool converts(const struct converter_plugin *plugin, bool header)
{
    return header ? plugin->header : plugin->data;
}

static void add_converters(struct listing *list, bool header)
{
    for (size_t i = 0; converter_plugins()[i]; i++) {
        const struct converter_plugin *plugin = converter_plugins()[i];
        if (converts(plugin, header)) {
            add(list, plugin->class_name, CONNECT_VERSION, &plugin->table);
        }
    }
}

static void add_transforms(struct listing *list)
{
    for (const struct transform_plugin *p = transform_plugins(); p->class_name; p++) {
        add(list, p->class_name, CONNECT_VERSION, &p->kind->table);
    }
}

static void add_predicates(struct listing *list)
{
    for (const struct predicate_plugin *p = predicate_plugins(); p->class_name; p++) {
        add(list, p->class_name, CONNECT_VERSION, &p->table);
    }
}

static int compare_names(const void *one, const void *other)
{
    const struct plugin *a = one;
    const struct plugin *b = other;
    return strcmp(a->class_name, b->class_name);
}

const char *plugin_kind_name(enum plugin_kind kind)
{
    static const char *const names[] = {
        "sink", "source", "transformation", "predicate", "converter", "header_converter",
    };
    return names[kind];
}

size_t plugins_of(enum plugin_kind kind, struct plugin **ret_list)
{
    struct listing list = { .items = NULL };
    switch (kind) {
    case PLUGIN_SINK:
        add_connectors(&list, CONNECTOR_SINK);
        break;
    case PLUGIN_SOURCE:
        add_connectors(&list, CONNECTOR_SOURCE);
        break;
    case PLUGIN_TRANSFORMATION:
        add_transforms(&list);
        break;
    case PLUGIN_CONVERTER:
    case PLUGIN_HEADER_CONVERTER:
        add_converters(&list, kind == PLUGIN_HEADER_CONVERTER);
        break;
    case PLUGIN_PREDICATE:
        add_predicates(&list);
        break;
    case N_PLUGIN_KINDS:
        break;
    }
    if (list.n_items > 1) {
        qsort(list.items, list.n_items, sizeof(*list.items), compare_names);
    }
    *ret_list = list.items;
    return list.n_items;
}

static bool find_connector(enum connector_type type, const char *name, struct plugin *ret_plugin)
{
    const struct connector_plugin *plugin = connector_find(name);
    if (!plugin || plugin->type != type) {
        return false;
    }
    *ret_plugin = (struct plugin){ plugin->class_names[0], plugin->version, &plugin->table };
    return true;
}

static bool find_converter(const char *name, bool header, struct plugin *ret_plugin)
{
    const struct converter_plugin *plugin = converter_find(name);
    if (!plugin || !converts(plugin, header)) {
        return false;
    }
    *ret_plugin = (struct plugin){ plugin->class_name, CONNECT_VERSION, &plugin->table };
    return true;
}

static bool find_transform(const char *name, struct plugin *ret_plugin)
{
    const struct transform_plugin *plugin = transform_find(name);
    if (!plugin) {
        return false;
    }
    *ret_plugin = (struct plugin){ plugin->class_name, CONNECT_VERSION, &plugin->kind->table };
    return true;
}

static bool find_predicate(const char *name, struct plugin *ret_plugin)
{
    const struct predicate_plugin *plugin = predicate_find(name);
    if (!plugin) {
        return false;
    }
    *ret_plugin = (struct plugin){ plugin->class_name, CONNECT_VERSION, &plugin->table };
    return true;
}

bool plugin_find(enum plugin_kind kind, const char *name, struct plugin *ret_plugin)
{
    switch (kind) {
    case PLUGIN_SINK:
        return find_connector(CONNECTOR_SINK, name, ret_plugin);
    case PLUGIN_SOURCE:
        return find_connector(CONNECTOR_SOURCE, name, ret_plugin);
    case PLUGIN_TRANSFORMATION:
        return find_transform(name, ret_plugin);
    case PLUGIN_CONVERTER:
        return find_converter(name, false, ret_plugin);
    case PLUGIN_HEADER_CONVERTER:
        return find_converter(name, true, ret_plugin);
    case PLUGIN_PREDICATE:
        return find_predicate(name, ret_plugin);
    case N_PLUGIN_KINDS:
        break;
    }
    return false;
}

bool plugin_find_any(const char *name, enum plugin_kind *ret_kind, struct plugin *ret_plugin)
{
    for (enum plugin_kind kind = PLUGIN_SINK; kind < N_PLUGIN_KINDS; kind++) {
        if (plugin_find(kind, name, ret_plugin)) {
            *ret_kind = kind;
            return true;
        }
    }
    return false;
}
