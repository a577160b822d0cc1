/* SPDX-License-Identifier: Apache-2.0 */
/* GET / and GET /health. */
#include "rest/resources.h"
#include "worker/version_range.h"

static enum err get_root(struct call *call)
{
    char id[128] = "";
    if (call->cluster) {
        cluster_kafka_id(call->cluster, id, sizeof(id));
    }
    cJSON *body = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(body, "version", CONNECT_VERSION);
    (void)cJSON_AddStringToObject(body, "commit", "sluice-" SLUICE_VERSION);
    (void)cJSON_AddItemToObject(body, "kafka_cluster_id",
                                id[0] != '\0' ? cJSON_CreateString(id) : cJSON_CreateNull());
    answer_json(call, 200, body);
    return ERR_OK;
}

static void answer_health(struct call *call, int code, const char *status, const char *message)
{
    struct buf text;
    buf_init(&text);
    buf_add_text(&text, message);
    if (code != 200) {
        call_stage(call, &text);
    }
    cJSON *body = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(body, "status", status);
    (void)cJSON_AddStringToObject(body, "message", buf_text(&text));
    answer_json(call, code, body);
    buf_fini(&text);
}

static enum cluster_phase phase_of(const struct call *call)
{
    char stage[256];
    int64_t since_ms = 0;
    return call->cluster ? cluster_health(call->cluster, stage, sizeof(stage), &since_ms)
                         : CLUSTER_STARTING;
}

static enum err get_health(struct call *call)
{
    switch (phase_of(call)) {
    case CLUSTER_READY:
        answer_health(call, 200, "healthy",
                      "Worker has completed startup and is ready to handle requests.");
        break;
    case CLUSTER_STARTING:
        answer_health(call, 503, "starting", "Worker is still starting up.");
        break;
    case CLUSTER_DRAINING:
        answer_health(call, 503, "unhealthy", "Worker is shutting down.");
        break;
    case CLUSTER_UNHEALTHY:
        answer_health(call, 500, "unhealthy",
                      "Worker was unable to handle this request and may be unable to handle other "
                      "requests.");
        break;
    }
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/",
      .handler = get_root,
      .flags = ROUTE_EARLY | ROUTE_QUICK,
      .doc = "Version of the interface and id of the Kafka cluster.",
      .replies = { { 200, "ServerInfo" } } },
    { .method = "GET",
      .pattern = "/health",
      .handler = get_health,
      .flags = ROUTE_EARLY | ROUTE_QUICK | ROUTE_PROBE,
      .doc = "Whether the worker has started (200), is starting or stopping (503), or is cut off "
             "from Kafka (500).",
      .replies = { { 200, "WorkerStatus" }, { 500, "WorkerStatus" }, { 503, "WorkerStatus" } } },
};

const struct route_table root_routes = ROUTE_TABLE(rows);
