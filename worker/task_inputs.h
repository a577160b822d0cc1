/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task or retirement works with: its configs with placeholders resolved, for as long as it
 * lives. While it is open its secrets are kept out of the log; then they are overwritten.
 */
#pragma once

#include "worker/providers/providers.h"

struct task_inputs {
    struct resolution connector;
    struct resolution *tasks; /* one for each task config that was given */
    size_t n_tasks;
    struct redactions secrets;
};

/* task_inputs_open resolves a connector's config and n_tasks task configs. ERR_IO or ERR_INVALID of
 * providers_resolve; ret_inputs is then untouched. providers may be NULL. Thread: any. */
enum err task_inputs_open(const struct providers *providers, const struct kvs *connector_config,
                          const struct kvs *task_configs, size_t n_tasks,
                          struct task_inputs *ret_inputs, struct error *reterr) MUST_CHECK;
/* task_inputs_redact takes the secrets out of an error's text. */
void task_inputs_redact(const struct task_inputs *inputs, struct error *error);
/* task_inputs_close withdraws and overwrites; a zeroed one is fine. */
void task_inputs_close(struct task_inputs *inputs);
