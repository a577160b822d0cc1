/* SPDX-License-Identifier: Apache-2.0 */
/* /connector-plugins: the list, definitions of keys, validation. */
#include "rest/body.h"
#include "rest/definitions.h"
#include "rest/resources.h"
#include "rest/validation.h"
#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/convert.h"
#include "worker/transform.h"

/* Version of the classes that Kafka itself brings along; that of GET /. */
#define KAFKA_VERSION "4.1.1"

static void add_plugin(cJSON *list, const char *class_name, const char *type, const char *version)
{
    cJSON *plugin = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(plugin, "class", class_name);
    (void)cJSON_AddStringToObject(plugin, "type", type);
    (void)cJSON_AddStringToObject(plugin, "version", version);
    (void)cJSON_AddItemToArray(list, plugin);
}

/* Full names only; the short ones mean the same classes. */
static void add_connector(cJSON *list, const struct connector_plugin *plugin)
{
    for (const char *const *name = plugin->class_names; *name; name++) {
        if (name == plugin->class_names || strchr(*name, '.')) {
            add_plugin(list, *name, connector_type_name(plugin->type), plugin->version);
        }
    }
}

static void add_connectors(cJSON *list, enum connector_type type)
{
    for (size_t i = 0; connector_plugins()[i]; i++) {
        if (connector_plugins()[i]->type == type) {
            add_connector(list, connector_plugins()[i]);
        }
    }
}

static void add_converters(cJSON *list, bool header)
{
    for (size_t i = 0; converter_plugins()[i]; i++) {
        const struct converter_plugin *plugin = converter_plugins()[i];
        if (header ? plugin->header : plugin->data) {
            add_plugin(list, plugin->class_name, header ? "header_converter" : "converter",
                       KAFKA_VERSION);
        }
    }
}

static enum err list_plugins(struct call *call)
{
    cJSON *list = cJSON_CreateArray();
    add_connectors(list, CONNECTOR_SINK);
    add_connectors(list, CONNECTOR_SOURCE);
    if (!target_flag(&call->target, "connectorsOnly", true)) {
        for (const struct transform_plugin *p = transform_plugins(); p->class_name; p++) {
            add_plugin(list, p->class_name, "transformation", KAFKA_VERSION);
        }
        for (const struct predicate_plugin *p = predicate_plugins(); p->class_name; p++) {
            add_plugin(list, p->class_name, "predicate", KAFKA_VERSION);
        }
        add_converters(list, false);
        add_converters(list, true);
    }
    answer_json(call, 200, list);
    return ERR_OK;
}

/* What a name in the path means. */
struct found {
    const struct config_table *own; /* NULL: no such plug-in */
    const struct config_table *common;
    const char *version;
};

static struct found find_plugin(const char *name)
{
    const struct connector_plugin *connector = connector_find(name);
    if (connector) {
        return (struct found){ &connector->table, connector_common_table(connector->type),
                               connector->version };
    }
    const struct converter_plugin *converter = converter_find(name);
    if (converter) {
        return (struct found){ &converter->table, NULL, KAFKA_VERSION };
    }
    const struct transform_plugin *transform = transform_find(name);
    if (transform) {
        return (struct found){ &transform->kind->table, NULL, KAFKA_VERSION };
    }
    const struct predicate_plugin *predicate = predicate_find(name);
    return (struct found){ predicate ? &predicate->table : NULL, NULL, KAFKA_VERSION };
}

static bool version_fits(struct call *call, const char *version)
{
    const char *wanted = target_query(&call->target, "version");
    if (!wanted || wanted[0] == '\0' || strcmp(wanted, "latest") == 0 ||
        strcmp(wanted, version) == 0) {
        return true;
    }
    bool range = strpbrk(wanted, "[(") != NULL;
    CLEANUP(free_charp)
    char *shown = range ? xstrdup(wanted) : xasprintf("[%s,%s]", wanted, wanted);
    answer_error(call, 400,
                 "Plugin %s not found that matches the version range %s, available versions: [%s]",
                 call->name, shown, version);
    return false;
}

static enum err get_definitions(struct call *call)
{
    struct found found = find_plugin(call->name);
    if (!found.own) {
        answer_error(call, 404, "Unknown plugin %s.", call->name);
        return ERR_NOT_FOUND;
    }
    if (!version_fits(call, found.version)) {
        return ERR_INVALID;
    }
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < found.own->n_rows; i++) {
        (void)cJSON_AddItemToArray(list, definition_view(&found.own->rows[i], NULL));
    }
    for (size_t i = 0; found.common && i < found.common->n_rows; i++) {
        const struct config_def *def = &found.common->rows[i];
        if (!config_find(found.own, def->name)) {
            (void)cJSON_AddItemToArray(list, definition_view(def, NULL));
        }
    }
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
      .query = { { "version", "text", "A version, or latest (the default)." } },
      .replies = { { 200, "[ConfigKeyInfo]" } } },
    { .method = "PUT",
      .pattern = "/connector-plugins/{plugin}/config/validate",
      .handler = validate,
      .flags = ROUTE_EARLY,
      .doc = "Checks a connector config and says what is wrong with each key.",
      .request = "ConnectorConfig",
      .replies = { { 200, "ConfigInfos" } } },
};

const struct route_table plugin_routes = ROUTE_TABLE(rows);
