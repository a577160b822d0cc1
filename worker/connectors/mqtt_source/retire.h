/* SPDX-License-Identifier: Apache-2.0 */
/* Ends the sessions of a deleted connector at the broker. */
#pragma once

#include "worker/connector.h"

/* mqtt_source_retire: see connector_plugin.retire. */
enum err mqtt_source_retire(const struct connector_facts *facts, const struct kvs *config,
                            const struct kvs *task_configs, size_t n_task_configs,
                            struct error *reterr);
