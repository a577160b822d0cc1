/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a connector's config to the configs of its tasks, as they are written to the config topic:
 * computed with placeholders resolved, stored with placeholders. Reads the files that they name,
 * else pure. Thread: the herder's.
 */
#pragma once

#include "coordinator/config_state.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/providers/providers.h"

/* expand_task_configs asks the connector's kind for its task configs and adds task.class. Values
 * that came from a config provider are turned into their placeholders again. The caller owns
 * ret_configs (connector_configs_free). On failure the text, without secrets, is fit for the
 * connector's trace; ERR_IO: a provider cannot read. providers may be NULL. */
struct expand_facts {
    const char *group_id;
    size_t auto_tasks; /* what tasks.max=auto stands for now */
};
enum err expand_task_configs(const struct providers *providers, const struct expand_facts *facts,
                             const struct connector_state *connector, struct kvs **ret_configs,
                             size_t *ret_n, struct error *reterr) MUST_CHECK;
