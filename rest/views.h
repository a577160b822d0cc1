/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON of Connect's entities, made from a snapshot. Secrets in traces are masked, those in
 * configs if `masked` says so; placeholders of config providers stay. All results are owned.
 * Thread: any.
 */
#pragma once

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "coordinator/config_state.h"

/* view_info is a ConnectorInfo: name, config, tasks, type. `tasks` is the connector whose tasks are
 * listed (after a change: as it was before), NULL: none. */
cJSON *view_info(const struct connector_state *connector, const struct connector_state *tasks,
                 bool masked);
/* view_config is the config as a flat map. */
cJSON *view_config(const struct connector_state *connector, bool masked);
/* view_tasks is the list of tasks with their configs. */
cJSON *view_tasks(const struct connector_state *connector, bool masked);
/* view_status is a ConnectorStateInfo, NULL when the connector has no status yet. `restart` (may be
 * NULL) tells what a restart request takes in: that is shown as RESTARTING. */
struct view_restart {
    bool include_tasks;
    bool only_failed;
};
cJSON *view_status(const struct connector_state *connector, const struct view_restart *restart);
/* view_task_status is one task's state, NULL when it has none. */
cJSON *view_task_status(const struct connector_state *connector, int task);
/* view_type returns "source", "sink" or "unknown". */
const char *view_type(const struct connector_state *connector);
