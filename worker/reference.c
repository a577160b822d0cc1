/* SPDX-License-Identifier: Apache-2.0 */
/* The generated references. See reference.h. */
#include "worker/reference.h"

#include "worker/base/config_def.h"
#include "worker/base/metrics.h"
#include "worker/change_cost.h"
#include "worker/connector.h"
#include "worker/worker_config.h"

static void add_connectors(struct buf *buf)
{
    for (const struct connector_plugin *const *plugin = connector_plugins(); *plugin; plugin++) {
        buf_printf(buf, "\n## Connector %s\n\nA %s. `connector.class` is one of:",
                   (*plugin)->class_names[0], connector_type_name((*plugin)->type));
        for (const char *const *name = (*plugin)->class_names; *name; name++) {
            buf_printf(buf, "%s `%s`", name == (*plugin)->class_names ? "" : ",", *name);
        }
        buf_add_text(buf, ".\n\n");
        config_reference(&(*plugin)->table, buf);
        if ((*plugin)->live_updates) {
            buf_add_text(buf, "\nWhat a change of these keys costs while the connector runs:\n\n");
            change_costs_reference(&(*plugin)->table, false, buf);
        }
    }
}

void reference_configuration(struct buf *buf)
{
    buf_add_text(buf,
                 "# Configuration\n\n"
                 "Made by `sluice-worker --config-reference`; do not edit.\n\n"
                 "## Worker\n\n"
                 "Keys of `worker.properties`. The environment variable `CONNECT_X_Y` sets `x.y`"
                 " (two underscores stand for `_`, three for `-`). `producer.`, `consumer.` and"
                 " `admin.` before a Kafka client's key set it for the clients of connectors;"
                 " Java's names and librdkafka's are both understood. Any other topic setting may"
                 " stand behind `config.storage.`, `status.storage.`, `offset.storage.` and"
                 " `claims.storage.`.\n\n");
    config_reference(worker_config_table(), buf);
    buf_add_text(buf, "\n## Every source connector\n\n");
    config_reference(connector_common_table(CONNECTOR_SOURCE), buf);
    buf_add_text(buf, "\nWhat a change of these keys costs while the connector runs:\n\n");
    change_costs_reference(connector_common_table(CONNECTOR_SOURCE), true, buf);
    add_connectors(buf);
}

void reference_metrics(struct buf *buf)
{
    buf_add_text(buf, "# Metrics\n\nServed by `GET /metrics` in Prometheus' text format. Made by"
                      " `sluice-worker --metrics-reference`; do not edit.\n\n");
    metrics_reference(buf);
}
