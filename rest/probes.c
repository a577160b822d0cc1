/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /health/startup, /health/live and /health/ready: probes of whoever keeps the process running.
 * Anyone may ask, so the texts tell nothing but yes or no.
 */
#include "rest/resources.h"
#include "worker/base/clock.h"

static enum err answer_probe(struct call *call, bool up, const char *message)
{
    cJSON *body = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(body, "status", up ? "up" : "down");
    (void)cJSON_AddStringToObject(body, "message", message);
    answer_json(call, up ? 200 : 503, body);
    return ERR_OK;
}

static enum err get_startup(struct call *call)
{
    bool up = call->cluster != NULL;
    return answer_probe(call, up, up ? "The worker's threads run." : "The worker starts.");
}

static enum err get_live(struct call *call)
{
    bool up = !call->cluster || cluster_turns(call->cluster, clock_mono_ms());
    return answer_probe(call, up, up ? "The worker's loop turns." : "The worker's loop hangs.");
}

static enum err get_ready(struct call *call)
{
    bool up = call->cluster && cluster_takes_tasks(call->cluster);
    return answer_probe(call, up,
                        up ? "The worker takes requests and tasks."
                           : "The worker starts, stops, or is cut off from Kafka.");
}

#define PROBE_FLAGS (ROUTE_EARLY | ROUTE_QUICK | ROUTE_PROBE | ROUTE_OPEN)

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/health/startup",
      .handler = get_startup,
      .flags = PROBE_FLAGS,
      .doc = "Whether the worker's threads run (200); does not wait for Kafka.",
      .replies = { { 200, "Probe" }, { 503, "Probe" } } },
    { .method = "GET",
      .pattern = "/health/live",
      .handler = get_live,
      .flags = PROBE_FLAGS,
      .doc = "Whether the worker's loop turns (200); never depends on Kafka or MQTT.",
      .replies = { { 200, "Probe" }, { 503, "Probe" } } },
    { .method = "GET",
      .pattern = "/health/ready",
      .handler = get_ready,
      .flags = PROBE_FLAGS,
      .doc =
          "Whether the worker has read its topics, has its share of the group's slots and does not "
          "stop (200).",
      .replies = { { 200, "Probe" }, { 503, "Probe" } } },
};

const struct route_table probe_routes = ROUTE_TABLE(rows);
