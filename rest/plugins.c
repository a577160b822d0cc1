/* SPDX-License-Identifier: Apache-2.0 */
/* /connector-plugins: the list, definitions of keys, validation. */
#include "worker/plugins.h"

#include "rest/body.h"
#include "rest/definitions.h"
#include "rest/resources.h"
#include "rest/validation.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/version_range.h"

static void add_plugins(cJSON *list, enum plugin_kind kind)
{
    struct plugin *plugins = NULL;
    size_t n = plugins_of(kind, &plugins);
    for (size_t i = 0; i < n; i++) {
        cJSON *plugin = cJSON_CreateObject();
        (void)cJSON_AddStringToObject(plugin, "class", plugins[i].class_name);
        (void)cJSON_AddStringToObject(plugin, "type", plugin_kind_name(kind));
        (void)cJSON_AddStringToObject(plugin, "version", plugins[i].version);
        (void)cJSON_AddItemToArray(list, plugin);
    }
    free(plugins);
}

static enum err list_plugins(struct call *call)
{
    bool connectors_only = target_flag(&call->target, "connectorsOnly", true);
    cJSON *list = cJSON_CreateArray();
    for (enum plugin_kind kind = PLUGIN_SINK; kind < N_PLUGIN_KINDS; kind++) {
        if (!connectors_only || kind <= PLUGIN_SOURCE) {
            add_plugins(list, kind);
        }
    }
    answer_json(call, 200, list);
    return ERR_OK;
}

/* Whether the plug-in has the version that `version` asks for. */
static bool version_fits(struct call *call, const struct plugin *plugin)
{
    const char *wanted = target_query(&call->target, "version");
    struct error error = { ERR_OK, "" };
    bool matches = false;
    char *found = NULL;
    if (!wanted) {
        return true;
    }
    if (version_range_match(wanted, plugin->version, &matches, &found, &error) != ERR_OK) {
        answer_error(call, 400, "Invalid version specification: %s", wanted);
        return false;
    }
    CLEANUP(free_charp) char *range = found;
    if (!matches) {
        CLEANUP(free_charp)
        char *text = version_mismatch(plugin->class_name, range, plugin->version);
        answer_error(call, 400, "%s", text);
    }
    return matches;
}

static void add_common(cJSON *list, enum plugin_kind kind, const struct plugin *plugin)
{
    if (kind > PLUGIN_SOURCE) {
        return;
    }
    const struct config_table *common =
        connector_common_table(kind == PLUGIN_SINK ? CONNECTOR_SINK : CONNECTOR_SOURCE);
    for (size_t i = 0; i < common->n_rows; i++) {
        const struct config_def *def = &common->rows[i];
        bool version = strcmp(def->name, "connector.plugin.version") == 0;
        if (!config_find(plugin->table, def->name)) {
            (void)cJSON_AddItemToArray(list,
                                       definition_view(def, version ? plugin->version : NULL));
        }
    }
}

static enum err get_definitions(struct call *call)
{
    enum plugin_kind kind = PLUGIN_SINK;
    struct plugin plugin;
    if (!plugin_find_any(call->name, &kind, &plugin)) {
        answer_error(call, 404, "Unknown plugin %s.", call->name);
        return ERR_NOT_FOUND;
    }
    if (!version_fits(call, &plugin)) {
        return ERR_INVALID;
    }
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < plugin.table->n_rows; i++) {
        (void)cJSON_AddItemToArray(list, definition_view(&plugin.table->rows[i], NULL));
    }
    add_common(list, kind, &plugin);
    answer_json(call, 200, list);
    return ERR_OK;
}

/* The length of a class name without the ending "Connector". */
static size_t stem_length(const char *name)
{
    static const char suffix[] = "Connector";
    size_t length = strlen(name);
    bool has = length >= strlen(suffix) && strcmp(name + length - strlen(suffix), suffix) == 0;
    return has ? length - strlen(suffix) : length;
}

/* Connect compares only endings: the class of the body must end with the plug-in of the path. */
static bool class_matches(const char *class_name, const char *plugin)
{
    size_t class_length = stem_length(class_name);
    size_t plugin_length = stem_length(plugin);
    return plugin_length <= class_length &&
           strncmp(class_name + class_length - plugin_length, plugin, plugin_length) == 0;
}

static enum err validate(struct call *call)
{
    if (body_config(call) != ERR_OK) {
        return ERR_INVALID;
    }
    const char *class_name = kvs_get(&call->config, "connector.class");
    if (class_name && !class_matches(class_name, call->name)) {
        answer_error(call, 400, "Included connector type %s does not match request type %s",
                     class_name, call->name);
        return ERR_INVALID;
    }
    struct config_result result;
    config_result_init(&result);
    enum err err = validation_run(call, &call->config, &result);
    if (err == ERR_OK) {
        answer_json(call, 200, definitions_view(class_name, &call->config, &result));
    }
    config_result_fini(&result);
    return err;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connector-plugins",
      .handler = list_plugins,
      .flags = ROUTE_QUICK | ROUTE_EARLY,
      .doc = "Classes of connectors; with connectorsOnly=false of all plug-ins.",
      .query = { { "connectorsOnly", "boolean", "Leave out what is no connector; default true." } },
      .replies = { { 200, "[PluginInfo]" } } },
    { .method = "GET",
      .pattern = "/connector-plugins/{plugin}/config",
      .handler = get_definitions,
      .flags = ROUTE_EARLY,
      .doc = "Configuration keys of a plug-in.",
      .query = { { "version", "string",
                   "A version, a range of versions, or latest (the default)." } },
      .replies = { { 200, "[ConfigKeyInfo]" } } },
    { .method = "PUT",
      .pattern = "/connector-plugins/{plugin}/config/validate",
      .handler = validate,
      .flags = ROUTE_EARLY,
      .doc = "Checks a connector config and says what is wrong with each key.",
      .request = "{scalar?}",
      .replies = { { 200, "ConfigInfos" } } },
};

const struct route_table plugin_routes = ROUTE_TABLE(rows);
