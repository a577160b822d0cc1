/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of routes, one for each resource's file; routes.c lists them. */
#pragma once

#include "rest/router.h"

extern const struct route_table root_routes;      /* root.c: / and /health */
extern const struct route_table probe_routes;     /* probes.c: /health/live and its like */
extern const struct route_table connector_routes; /* connectors.c: list, create, get, delete */
extern const struct route_table config_routes;    /* config.c: /connectors/{connector}/config */
extern const struct route_table status_routes;    /* status.c: status and tasks */
extern const struct route_table action_routes;    /* actions.c: restart, pause, resume, stop */
extern const struct route_table topic_routes;     /* topics.c: topics and their reset */
extern const struct route_table offset_routes;    /* offsets.c: /connectors/{connector}/offsets */
extern const struct route_table logger_routes;    /* loggers.c: /admin/loggers */
extern const struct route_table internal_routes;  /* internal.c: Connect's own, refused */
extern const struct route_table file_routes;      /* connector_files.c: /connector-files */
extern const struct route_table plugin_routes;    /* plugins.c: /connector-plugins */
extern const struct route_table metrics_routes;   /* metrics.c: /metrics */
extern const struct route_table cluster_routes;   /* cluster.c: /cluster */
extern const struct route_table openapi_routes;   /* openapi.c: /openapi.json */
