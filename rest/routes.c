/* SPDX-License-Identifier: Apache-2.0 */
/* The resources of the REST interface: a new one is a file with a table and a line here. */
#include "rest/resources.h"

static const struct route_table *const tables[] = {
    &root_routes,    &probe_routes,  &connector_routes, &config_routes,
    &status_routes,  &action_routes, &topic_routes,     &offset_routes,
    &logger_routes,  &plugin_routes, &metrics_routes,   &internal_routes,
    &cluster_routes, &file_routes,   &openapi_routes,   NULL,
};

const struct route_table *const *routes_all(void)
{
    return tables;
}
