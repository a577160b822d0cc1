/* SPDX-License-Identifier: Apache-2.0 */
/* /connectors: list, create, get, delete. */
#include "rest/body.h"
#include "rest/forward.h"
#include "rest/resources.h"
#include "rest/secrets.h"
#include "rest/validation.h"
#include "rest/views.h"
#include "worker/base/log.h"

/* The expansions of one connector; NULL when one of them has nothing to show, as Connect leaves
 * such a connector out. */
static cJSON *expand(const struct call *call, const struct connector_state *connector)
{
    cJSON *entry = cJSON_CreateObject();
    for (size_t i = 0; i < call->target.n_query; i++) {
        const struct query_pair *pair = &call->target.query[i];
        bool status = strcmp(pair->value, "status") == 0;
        if (strcmp(pair->name, "expand") != 0 || (!status && strcmp(pair->value, "info") != 0) ||
            cJSON_HasObjectItem(entry, pair->value)) {
            continue;
        }
        cJSON *part = status ? view_status(connector, NULL)
                             : view_info(connector, connector, call->env->masking);
        if (!part) {
            cJSON_Delete(entry);
            return NULL;
        }
        (void)cJSON_AddItemToObject(entry, pair->value, part);
    }
    return entry;
}

static enum err list_connectors(struct call *call)
{
    bool expanded = target_query(&call->target, "expand") != NULL;
    cJSON *list = expanded ? cJSON_CreateObject() : cJSON_CreateArray();
    for (size_t i = 0; i < call->snapshot->n_connectors; i++) {
        const struct connector_state *connector = call->snapshot->connectors[i];
        if (!connector->has_config) {
            continue;
        }
        if (!expanded) {
            /* The name lives as long as the call's snapshot, longer than the list. */
            (void)cJSON_AddItemToArray(list, cJSON_CreateStringReference(connector->name));
            continue;
        }
        cJSON *entry = expand(call, connector);
        if (entry) {
            (void)cJSON_AddItemToObject(list, connector->name, entry);
        }
    }
    answer_json(call, 200, list);
    return ERR_OK;
}

static enum err check_create(struct call *call)
{
    enum err err = body_create(call);
    if (err == ERR_OK) {
        err = validation_name(call);
    }
    return err == ERR_OK
               ? validation_pass(call, &call->config, secrets_restore(&call->config, NULL))
               : err;
}

static enum err create_connector(struct call *call)
{
    struct cluster_request request = {
        .change = CHANGE_CREATE,
        .name = call->name,
        .config = &call->config,
        .target = call->target_state,
        .has_target = call->has_target_state,
        .if_offset = -1,
    };
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err != ERR_OK) {
        return err;
    }
    struct connector_state created = {
        .name = call->body_name,
        .has_config = true,
        .config = call->config,
    };
    answer_location(call, call->name);
    answer_json(call, 201, view_info(&created, NULL, call->env->masking));
    return ERR_OK;
}

static enum err get_connector(struct call *call)
{
    const struct connector_state *connector = call_connector(call);
    if (!connector) {
        answer_not_found(call);
    } else {
        if (connector->managed) {
            http_response_header(call->response, "X-Sluice-Managed-By", "file");
        }
        answer_json(call, 200, view_info(connector, connector, call->env->masking));
    }
    return ERR_OK;
}

static enum err delete_connector(struct call *call)
{
    struct cluster_request request = { .change = CHANGE_DELETE, .name = call->name };
    struct cluster_reply reply;
    enum err err = forward_change(call, &request, &reply);
    if (err == ERR_OK) {
        answer_empty(call, 204);
    }
    return err;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connectors",
      .handler = list_connectors,
      .flags = ROUTE_QUICK,
      .doc = "Names of all connectors; with expand=status and expand=info a map with these.",
      .query = { { "expand", "[status|info]",
                   "What to show of each connector; may be given twice." } },
      .replies = { { 200, "[string]" }, { 200, "{ExpandedConnector}" } } },
    { .method = "POST",
      .pattern = "/connectors",
      .check = check_create,
      .handler = create_connector,
      .flags = ROUTE_LEADER,
      .doc = "Creates a connector from name, config and optionally initial_state.",
      .request = "CreateConnectorRequest",
      .replies = { { 201, "ConnectorInfo" } } },
    { .method = "GET",
      .pattern = "/connectors/{connector}",
      .handler = get_connector,
      .flags = ROUTE_QUICK,
      .doc = "Config and tasks of a connector.",
      .replies = { { 200, "ConnectorInfo" } } },
    { .method = "DELETE",
      .pattern = "/connectors/{connector}",
      .handler = delete_connector,
      .flags = ROUTE_LEADER,
      .doc = "Deletes a connector and ends its MQTT sessions.",
      .replies = { { 204, NULL } } },
};

const struct route_table connector_routes = ROUTE_TABLE(rows);
