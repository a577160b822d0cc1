/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every class that a config or a URL may name, whatever its kind: one view on the lists of
 * connectors, converters, transforms and predicates. Pure. Thread: any.
 */
#pragma once

#include <stdbool.h>

#include "worker/base/config_def.h"

/* In the order in which Connect lists them. */
enum plugin_kind {
    PLUGIN_SINK,
    PLUGIN_SOURCE,
    PLUGIN_TRANSFORMATION,
    PLUGIN_PREDICATE,
    PLUGIN_CONVERTER,
    PLUGIN_HEADER_CONVERTER,
    N_PLUGIN_KINDS
};

struct plugin {
    const char *class_name; /* full */
    const char *version;
    const struct config_table *table; /* its own keys */
};

/* plugin_kind_name is the kind as Connect lists it: "sink", "header_converter". */
const char *plugin_kind_name(enum plugin_kind kind);
/* plugins_of returns how many classes of a kind there are and, in ret_list (owned: free), the
 * classes sorted by name. */
size_t plugins_of(enum plugin_kind kind, struct plugin **ret_list);
/* plugin_find finds a class of a kind by its full, simple or short name. */
bool plugin_find(enum plugin_kind kind, const char *name, struct plugin *ret_plugin);
/* plugin_find_any finds a class of whatever kind. */
bool plugin_find_any(const char *name, enum plugin_kind *ret_kind, struct plugin *ret_plugin);
