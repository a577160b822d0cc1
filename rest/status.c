/* SPDX-License-Identifier: Apache-2.0 */
/* Status of connectors and tasks, and task configs. */
#include "rest/resources.h"
#include "rest/views.h"

static enum err get_status(struct call *call)
{
    const struct connector_state *connector = snapshot_find_any(call->snapshot, call->name);
    cJSON *view = connector ? view_status(connector, NULL) : NULL;
    if (!view) {
        answer_error(call, 404, "No status found for connector %s", call->name);
    } else {
        answer_json(call, 200, view);
    }
    return ERR_OK;
}

static enum err get_tasks(struct call *call)
{
    const struct connector_state *connector = call_connector(call);
    if (!connector) {
        answer_not_found(call);
    } else {
        answer_json(call, 200, view_tasks(connector, call->env->masking));
    }
    return ERR_OK;
}

static enum err get_task_status(struct call *call)
{
    const struct connector_state *connector = snapshot_find_any(call->snapshot, call->name);
    cJSON *view = connector ? view_task_status(connector, call->task) : NULL;
    if (!view) {
        answer_error(call, 404, "No status found for task %s-%d", call->name, call->task);
    } else {
        answer_json(call, 200, view);
    }
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connectors/{connector}/status",
      .handler = get_status,
      .flags = ROUTE_QUICK,
      .doc = "State of a connector and its tasks, with the worker of each.",
      .replies = { { 200, "ConnectorStateInfo" } } },
    { .method = "GET",
      .pattern = "/connectors/{connector}/tasks",
      .handler = get_tasks,
      .flags = ROUTE_QUICK,
      .doc = "Tasks of a connector with their configs.",
      .replies = { { 200, "[TaskInfo]" } } },
    { .method = "GET",
      .pattern = "/connectors/{connector}/tasks/{task}/status",
      .handler = get_task_status,
      .flags = ROUTE_QUICK,
      .doc = "State of one task.",
      .replies = { { 200, "TaskState" } } },
};

const struct route_table status_routes = ROUTE_TABLE(rows);
