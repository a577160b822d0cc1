/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics. */
#include "worker/base/metrics.h"

#include "rest/resources.h"

static enum err get_metrics(struct call *call)
{
    struct buf text;
    buf_init(&text);
    metrics_render(&text);
    answer_text(call, 200, "text/plain; version=0.0.4; charset=utf-8", buf_take(&text));
    return ERR_OK;
}

static const struct route rows[] = {
    { .method = "GET",
      .pattern = "/metrics",
      .handler = get_metrics,
      .flags = ROUTE_EARLY | ROUTE_QUICK | ROUTE_ANY_TYPE | ROUTE_PROBE,
      .doc = "Metrics of this worker in Prometheus' text format.",
      .replies = { { 200, "string" } } },
};

const struct route_table metrics_routes = ROUTE_TABLE(rows);
