/* SPDX-License-Identifier: Apache-2.0 */
/* Commands to connectors and tasks: restart, pause, resume, stop. */
#include "rest/forward.h"
#include "rest/resources.h"
#include "rest/views.h"

/* As Connect, a restart of the connector alone tells when its config cannot be resolved; the leader
 * has found the same, and shows the connector as FAILED. */
static void answer_restarted(struct call *call, const struct connector_state *connector)
{
    struct resolution resolution;
    struct error error = { ERR_OK, "" };
    if (connector && providers_resolve(call->env->providers, &connector->config, &resolution,
                                       &error) != ERR_OK) {
        answer_error(call, 500, "%s", error.text);
        return;
    }
    if (connector) {
        resolution_fini(&resolution);
    }
    answer_empty(call, 204);
}

static enum err restart_connector(struct call *call)
{
    struct view_restart plan = {
        .include_tasks = target_flag(&call->target, "includeTasks", false),
        .only_failed = target_flag(&call->target, "onlyFailed", false),
    };
    struct cluster_request request = {
        .change = CHANGE_RESTART,
        .name = call->name,
        .include_tasks = plan.include_tasks,
        .only_failed = plan.only_failed,
    };
    /* The plan is made from the state before the request: afterwards it is under way. */
    struct connector_state *before = connector_state_ref(call_connector(call));
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err == ERR_OK && (plan.include_tasks || plan.only_failed)) {
        cJSON *view = before ? view_status(before, &plan) : NULL;
        if (view) {
            answer_json(call, 202, view);
        } else {
            answer_error(call, 404, "Status for connector %s not found", call->name);
        }
    } else if (err == ERR_OK) {
        answer_restarted(call, before);
    }
    connector_state_unref(before);
    return err;
}

static enum err restart_task(struct call *call)
{
    struct cluster_request request = {
        .change = CHANGE_RESTART_TASK,
        .name = call->name,
        .task = call->task,
    };
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err == ERR_OK) {
        answer_empty(call, 204);
    }
    return err;
}

static enum err set_target(struct call *call, enum target_state target, int code)
{
    struct cluster_request request = {
        .change = CHANGE_TARGET,
        .name = call->name,
        .target = target,
    };
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err == ERR_OK) {
        answer_empty(call, code);
    }
    return err;
}

static enum err pause_connector(struct call *call)
{
    return set_target(call, TARGET_PAUSED, 202);
}

static enum err resume_connector(struct call *call)
{
    return set_target(call, TARGET_STARTED, 202);
}

static enum err stop_connector(struct call *call)
{
    return set_target(call, TARGET_STOPPED, 204);
}

static const struct route rows[] = {
    { .method = "POST",
      .pattern = "/connectors/{connector}/restart",
      .handler = restart_connector,
      .flags = ROUTE_LEADER,
      .doc = "Restarts a connector; includeTasks=true its tasks too, onlyFailed=true only what "
             "has failed.",
      .query = { { "includeTasks", "boolean", "Its tasks too; default false." },
                 { "onlyFailed", "boolean", "Only what has failed; default false." } },
      .replies = { { 202, "ConnectorStateInfo" }, { 204, NULL } } },
    { .method = "POST",
      .pattern = "/connectors/{connector}/tasks/{task}/restart",
      .handler = restart_task,
      .flags = ROUTE_LEADER,
      .doc = "Restarts one task.",
      .replies = { { 204, NULL } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/pause",
      .handler = pause_connector,
      .flags = ROUTE_LEADER,
      .doc = "Pauses a connector: connections are closed, sessions and messages are kept.",
      .replies = { { 202, NULL } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/resume",
      .handler = resume_connector,
      .flags = ROUTE_LEADER,
      .doc = "Lets a paused or stopped connector run again.",
      .replies = { { 202, NULL } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/stop",
      .handler = stop_connector,
      .flags = ROUTE_LEADER,
      .doc = "Stops a connector and drops its tasks; config and sessions are kept.",
      .replies = { { 204, NULL } } },
};

const struct route_table action_routes = ROUTE_TABLE(rows);
