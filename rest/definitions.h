/* SPDX-License-Identifier: Apache-2.0 */
/* Definitions of configuration keys and results of a validation as JSON. Pure. Thread: any. */
#pragma once

#include <cjson/cJSON.h>

#include "worker/base/config_def.h"
#include "worker/base/config_result.h"

/* definition_view is a ConfigKeyInfo, owned. `fallback` is shown as default where the row has none
 * (what the running worker would take), or NULL. */
cJSON *definition_view(const struct config_def *def, const char *fallback);
/* definitions_view is the answer of validate: name, error_count, groups, configs. Owned. */
cJSON *definitions_view(const char *class_name, const struct kvs *config,
                        const struct config_result *result);
