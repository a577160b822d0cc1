/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /connectors/{connector}/offsets: what a source has stored in the offset topic, what a sink's
 * consumer group has committed; shown, changed, forgotten. Changes are made on the leader, and only
 * while the connector is stopped and none of its tasks lives: a task would write its own over them.
 */
#include "coordinator/changes.h"
#include "rest/forward.h"
#include "rest/offset_body.h"
#include "rest/resources.h"
#include "rest/sink_offsets.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

/* How long tasks that are asked to stop are waited for. */
#define MAX_REST_WAIT_MS 10000U
/* Longest wait for this worker's own view after the leader has answered. */
#define MAX_SETTLE_MS 10000U

static const struct connector_plugin *plugin_of(const struct connector_state *connector)
{
    const char *class_name = kvs_get(&connector->config, "connector.class");
    return class_name ? connector_find(class_name) : NULL;
}

/* Of a class that is not here the topics tell: only sinks have them. */
static bool is_sink(const struct connector_state *connector)
{
    const struct connector_plugin *plugin = plugin_of(connector);
    return plugin ? plugin->type == CONNECTOR_SINK
                  : kvs_has(&connector->config, "topics") ||
                        kvs_has(&connector->config, "topics.regex");
}

/* ---- look ---- */

static enum err get_source_offsets(struct call *call)
{
    struct source_offsets offsets;
    cluster_offsets(call->cluster, call->name, &offsets);
    cJSON *view = cJSON_CreateObject();
    cJSON *list = cJSON_AddArrayToObject(view, "offsets");
    for (size_t i = 0; i < offsets.n_items; i++) {
        /* As texts: each digit of a number counts. */
        cJSON *entry = cJSON_CreateObject();
        (void)cJSON_AddRawToObject(entry, "partition", offsets.items[i].partition);
        (void)cJSON_AddRawToObject(entry, "offset", offsets.items[i].value);
        (void)cJSON_AddItemToArray(list, entry);
    }
    source_offsets_fini(&offsets);
    answer_json(call, 200, view);
    return ERR_OK;
}

static enum err get_offsets(struct call *call)
{
    const struct connector_state *connector = call_connector(call);
    if (!connector) {
        answer_not_found(call);
        return ERR_NOT_FOUND;
    }
    if (!is_sink(connector)) {
        return get_source_offsets(call);
    }
    if (!forward_take_place(call)) {
        return ERR_UNAVAILABLE;
    }
    enum err err = sink_offsets_get(call, connector);
    forward_give_place(call);
    return err;
}

/* ---- change ---- */

/* Ends a wait for the tasks: they have stopped, or there is nothing to wait for any more. */
static bool rests_or_moves(const struct snapshot *snapshot, const void *arg)
{
    const struct connector_state *connector = snapshot_find(snapshot, arg);
    return !connector || connector->target != TARGET_STOPPED || connector_at_rest(connector);
}

static void answer_not_stopped(struct call *call)
{
    answer_error(call, 400,
                 "Connectors must be in the STOPPED state before their offsets can be modified. "
                 "This can be done for the specified connector by issuing a 'PUT' request to the "
                 "'/connectors/%s/stop' endpoint",
                 call->name);
}

/* Looks again until the connector may be changed; ERR_OK, or what was answered. */
static enum err await_rest(struct call *call)
{
    uint64_t deadline_ms = clock_mono_ms() + MAX_REST_WAIT_MS;
    deadline_ms = deadline_ms < call->deadline_ms ? deadline_ms : call->deadline_ms;
    call_look(call);
    const struct connector_state *connector = call_connector(call);
    if (!connector) {
        answer_not_found(call);
        return ERR_NOT_FOUND;
    }
    if (connector->target != TARGET_STOPPED) {
        answer_not_stopped(call);
        return ERR_INVALID;
    }
    enum err err = cluster_wait(call->cluster, rests_or_moves, call->name, deadline_ms);
    if (err == ERR_TIMEOUT) {
        sink_offsets_answer_zombies(call);
    } else if (err != ERR_OK) {
        answer_direct_error(call, err);
    }
    call_look(call);
    return err;
}

static enum err write_source(struct call *call, const struct source_offsets *edits)
{
    struct cluster_request request = {
        .change = CHANGE_OFFSETS,
        .name = call->name,
        .offsets = edits,
    };
    struct cluster_reply reply;
    return edits->n_items > 0 ? forward_change(call, &request, &reply) : ERR_OK;
}

/* Where a source goes on is known outside as well (an MQTT broker keeps its sessions and what waits
 * in them), so the answer is the one for connectors that manage offsets of their own. */
static enum err change_source(struct call *call, const struct connector_state *connector)
{
    bool reset = strcmp(call->http->method, "DELETE") == 0;
    struct source_offsets known;
    struct source_offsets edits = { .items = NULL };
    struct error error = { ERR_OK, "" };
    enum err err = ERR_OK;
    cluster_offsets(call->cluster, call->name, &known);
    for (size_t i = 0; reset && i < known.n_items; i++) {
        source_offsets_edit(&edits, known.items[i].key, NULL);
    }
    if (!reset) {
        err = offset_body_source(call, plugin_of(connector), &known, &edits, &error);
    }
    if (err != ERR_OK) {
        answer_error(call, 400, "%s", error.text);
    } else {
        err = write_source(call, &edits);
    }
    if (err == ERR_OK) {
        answer_offsets_changed(call, "The Connect framework-managed offsets for this connector "
                                     "have been %s successfully. However, if this connector "
                                     "manages offsets externally, they will need to be manually %s "
                                     "in the system that the connector uses.");
    }
    source_offsets_fini(&known);
    source_offsets_fini(&edits);
    return err;
}

static enum err change_offsets(struct call *call)
{
    enum err err = ERR_CONFLICT;
    /* A conflict means that it was started again before the change was written. */
    while (err == ERR_CONFLICT) {
        err = await_rest(call);
        const struct connector_state *connector = call_connector(call);
        if (err != ERR_OK) {
            return err;
        }
        if (!connector || connector->target != TARGET_STOPPED) {
            err = ERR_CONFLICT;
        } else {
            err = is_sink(connector) ? sink_offsets_change(call, connector)
                                     : change_source(call, connector);
        }
    }
    return err;
}

/* ---- read after write ---- */

/* What the wait is for; sinks' offsets are Kafka's, the same for every worker. */
static bool shown(struct call *call)
{
    const struct connector_state *connector = call_connector(call);
    if (!connector || is_sink(connector)) {
        return true;
    }
    struct source_offsets known;
    cluster_offsets(call->cluster, call->name, &known);
    bool found = call->json ? offset_body_shown(call, &known) : known.n_items == 0;
    source_offsets_fini(&known);
    return found;
}

static bool more_offsets_read(const struct snapshot *snapshot, const void *arg)
{
    return snapshot->offset_changes > *(const uint64_t *)arg;
}

static enum err settle(struct call *call)
{
    uint64_t deadline_ms = clock_mono_ms() + MAX_SETTLE_MS;
    deadline_ms = deadline_ms < call->deadline_ms ? deadline_ms : call->deadline_ms;
    enum err err = ERR_OK;
    call_look(call);
    while (err == ERR_OK && !shown(call)) {
        uint64_t seen = call->snapshot->offset_changes;
        err = cluster_wait(call->cluster, more_offsets_read, &seen, deadline_ms);
        call_look(call);
    }
    if (err != ERR_OK) {
        log_warn(NULL, "REST-CATCH-UP-SLOW", "connector=\"%s\" what=offsets", call->name);
    }
    return err;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/connectors/{connector}/offsets",
      .handler = get_offsets,
      .doc =
          "Offsets of a connector: a source's stored ones, or those that a sink's consumer group "
          "has committed.",
      .replies = { { 200, "ConnectorOffsets" } } },
    { .method = "PATCH",
      .pattern = "/connectors/{connector}/offsets",
      .check = offset_body_check,
      .handler = change_offsets,
      .settle = settle,
      .flags = ROUTE_LEADER,
      .doc = "Changes offsets of a stopped connector; null forgets one.",
      .request = "ConnectorOffsets",
      .replies = { { 200, "Message" } } },
    { .method = "DELETE",
      .pattern = "/connectors/{connector}/offsets",
      .handler = change_offsets,
      .settle = settle,
      .flags = ROUTE_LEADER,
      .doc = "Forgets all offsets of a stopped connector.",
      .replies = { { 200, "Message" } } },
};

const struct route_table offset_routes = ROUTE_TABLE(rows);
