/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints that Kafka Connect's workers have for each other. Ours speak through the topics and
 * need none, so whoever asks is an outsider, and is refused as Connect refuses one.
 */
#include "rest/resources.h"

static enum err refuse(struct call *call)
{
    answer_error(call, 400, "Internal request missing required signature");
    return ERR_INVALID;
}

static const struct route rows[] = {
    { .method = "POST",
      .pattern = "/connectors/{connector}/tasks",
      .handler = refuse,
      .flags = ROUTE_EARLY | ROUTE_QUICK,
      .doc = "For workers of Kafka Connect only; always refused.",
      .replies = { { 400, "ErrorMessage" } } },
    { .method = "PUT",
      .pattern = "/connectors/{connector}/fence",
      .handler = refuse,
      .flags = ROUTE_EARLY | ROUTE_QUICK,
      .doc = "For workers of Kafka Connect only; always refused.",
      .replies = { { 400, "ErrorMessage" } } },
};

const struct route_table internal_routes = ROUTE_TABLE(rows);
