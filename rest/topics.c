/* SPDX-License-Identifier: Apache-2.0 */
/* /connectors/{connector}/topics: the Kafka topics that a connector has used. */
#include "coordinator/config_topics.h"
#include "coordinator/direct.h"
#include "rest/forward.h"
#include "rest/resources.h"
#include "worker/worker_config.h"

static bool tracked(struct call *call)
{
    bool enabled = worker_config_bool(&call->env->props, "topic.tracking.enable");
    if (!enabled) {
        answer_error(call, 403, "Topic tracking is disabled.");
    }
    return enabled;
}

/* As in Connect a connector that does not exist has no topics. */
static enum err get_topics(struct call *call)
{
    if (!tracked(call)) {
        return ERR_UNSUPPORTED;
    }
    const struct connector_state *connector = call_connector(call);
    const struct topic_list *topics = connector ? connector->topics : NULL;
    cJSON *view = cJSON_CreateObject();
    cJSON *entry = cJSON_AddObjectToObject(view, call->name);
    cJSON *list = cJSON_AddArrayToObject(entry, "topics");
    for (size_t i = 0; topics && i < topics->n_items; i++) {
        (void)cJSON_AddItemToArray(list, cJSON_CreateString(topics->items[i]->name));
    }
    answer_json(call, 200, view);
    return ERR_OK;
}

static enum err reset_topics(struct call *call)
{
    if (!tracked(call)) {
        return ERR_UNSUPPORTED;
    }
    if (!worker_config_bool(&call->env->props, "topic.tracking.allow.reset")) {
        answer_error(call, 403, "Topic tracking reset is disabled.");
        return ERR_UNSUPPORTED;
    }
    if (!forward_take_place(call)) {
        return ERR_UNAVAILABLE;
    }
    enum err err = direct_reset_topics(call->cluster, call->name, call->deadline_ms);
    forward_give_place(call);
    if (err == ERR_OK) {
        answer_empty(call, 202);
    } else {
        answer_direct_error(call, err);
    }
    return err;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connectors/{connector}/topics",
      .handler = get_topics,
      .flags = ROUTE_QUICK,
      .doc = "Kafka topics that the connector's tasks have used since it was made, or since the "
             "last reset.",
      .replies = { { 200, "{ActiveTopics}" }, { 403, "ErrorMessage" } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/topics/reset",
      .handler = reset_topics,
      .doc = "Forgets these topics; those that are used again come back.",
      .replies = { { 202, NULL }, { 403, "ErrorMessage" } } },
};

const struct route_table topic_routes = ROUTE_TABLE(rows);
