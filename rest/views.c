/* SPDX-License-Identifier: Apache-2.0 */
/* Connect's entities as JSON. See views.h. */
#include "rest/views.h"

#include "rest/secrets.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

static const struct connector_plugin *plugin_of(const struct connector_state *connector)
{
    const char *class_name =
        connector->has_config ? kvs_get(&connector->config, "connector.class") : NULL;
    return class_name ? connector_find(class_name) : NULL;
}

const char *view_type(const struct connector_state *connector)
{
    const struct connector_plugin *plugin = plugin_of(connector);
    return plugin ? connector_type_name(plugin->type) : "unknown";
}

/* A config as it is stored, or with its secrets masked. */
static cJSON *config_view(const struct kvs *config, const struct connector_state *connector,
                          bool masked)
{
    return masked ? secrets_mask(config, &connector->config) : secrets_plain(config);
}

cJSON *view_config(const struct connector_state *connector, bool masked)
{
    cJSON *config = config_view(&connector->config, connector, masked);
    if (!kvs_get(&connector->config, "name")) {
        cJSON_DeleteItemFromObjectCaseSensitive(config, "name");
        (void)cJSON_AddStringToObject(config, "name", connector->name);
    }
    return config;
}

static cJSON *task_id(const struct connector_state *connector, size_t task)
{
    cJSON *id = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(id, "connector", connector->name);
    (void)cJSON_AddNumberToObject(id, "task", (double)task);
    return id;
}

cJSON *view_info(const struct connector_state *connector, const struct connector_state *tasks,
                 bool masked)
{
    cJSON *info = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(info, "name", connector->name);
    (void)cJSON_AddItemToObject(info, "config", view_config(connector, masked));
    cJSON *list = cJSON_AddArrayToObject(info, "tasks");
    for (size_t i = 0; tasks && i < tasks->n_tasks; i++) {
        (void)cJSON_AddItemToArray(list, task_id(tasks, i));
    }
    (void)cJSON_AddStringToObject(info, "type", view_type(connector));
    return info;
}

cJSON *view_tasks(const struct connector_state *connector, bool masked)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < connector->n_tasks; i++) {
        cJSON *task = cJSON_CreateObject();
        (void)cJSON_AddItemToObject(task, "id", task_id(connector, i));
        (void)cJSON_AddItemToObject(task, "config",
                                    config_view(&connector->tasks[i].config, connector, masked));
        (void)cJSON_AddItemToArray(list, task);
    }
    return list;
}

/* Adds state, worker_id, version and trace. The version is the plug-in's where the record has
 * none: unlike Java's, ours is the same in every state. */
static void add_state(cJSON *object, const struct connector_state *connector,
                      const struct status *status, bool restarting)
{
    const struct connector_plugin *plugin = plugin_of(connector);
    const char *version = status->version || !plugin ? status->version : plugin->version;
    enum run_state state = restarting ? STATE_RESTARTING : status->state;
    (void)cJSON_AddStringToObject(object, "state", run_state_name(state));
    (void)cJSON_AddStringToObject(object, "worker_id", status->worker_id ? status->worker_id : "");
    (void)cJSON_AddItemToObject(object, "version",
                                version ? cJSON_CreateString(version) : cJSON_CreateNull());
    if (status->trace && status->trace[0] != '\0') {
        CLEANUP(free_charp)
        char *trace = connector->has_config ? secrets_redact(status->trace, &connector->config)
                                            : xstrdup(status->trace);
        (void)cJSON_AddStringToObject(object, "trace", trace);
    }
}

static cJSON *task_view(const struct connector_state *connector, int task,
                        const struct status *status, bool restarting)
{
    cJSON *object = cJSON_CreateObject();
    (void)cJSON_AddNumberToObject(object, "id", task);
    add_state(object, connector, status, restarting);
    return object;
}

static bool takes_in(const struct view_restart *restart, const struct status *status)
{
    return restart && (!restart->only_failed || status->state == STATE_FAILED);
}

cJSON *view_status(const struct connector_state *connector, const struct view_restart *restart)
{
    if (!connector->status) {
        return NULL;
    }
    cJSON *view = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(view, "name", connector->name);
    cJSON *own = cJSON_AddObjectToObject(view, "connector");
    add_state(own, connector, connector->status, takes_in(restart, connector->status));
    cJSON *list = cJSON_AddArrayToObject(view, "tasks");
    for (size_t i = 0; i < connector->n_tasks; i++) {
        const struct status *status = connector->tasks[i].status;
        if (status) {
            bool restarting = restart && restart->include_tasks && takes_in(restart, status);
            (void)cJSON_AddItemToArray(list, task_view(connector, (int)i, status, restarting));
        }
    }
    (void)cJSON_AddStringToObject(view, "type", view_type(connector));
    return view;
}

cJSON *view_task_status(const struct connector_state *connector, int task)
{
    if (task < 0 || (size_t)task >= connector->n_tasks || !connector->tasks[task].status) {
        return NULL;
    }
    return task_view(connector, task, connector->tasks[task].status, false);
}
