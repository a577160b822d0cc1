/* SPDX-License-Identifier: Apache-2.0 */
/* Resolved configs of a task. See task_inputs.h. */
#include "worker/task_inputs.h"

#include "worker/base/mem.h"
#include "worker/secrets.h"

static enum err resolve_all(const struct providers *providers, const struct kvs *connector_config,
                            const struct kvs *task_configs, struct task_inputs *inputs,
                            struct error *reterr)
{
    enum err err = providers_resolve(providers, connector_config, &inputs->connector, reterr);
    for (size_t i = 0; err == ERR_OK && i < inputs->n_tasks; i++) {
        err = providers_resolve(providers, &task_configs[i], &inputs->tasks[i], reterr);
    }
    return err;
}

static void collect(const struct task_inputs *inputs, const struct resolution *resolution,
                    struct redactions *set)
{
    redactions_copy(set, &resolution->secrets);
    secrets_collect(&resolution->config, &inputs->connector.config, set);
}

enum err task_inputs_open(const struct providers *providers, const struct kvs *connector_config,
                          const struct kvs *task_configs, size_t n_tasks,
                          struct task_inputs *ret_inputs, struct error *reterr)
{
    struct task_inputs inputs = { .n_tasks = n_tasks };
    resolution_init(&inputs.connector);
    redactions_init(&inputs.secrets);
    inputs.tasks = xcalloc(n_tasks, sizeof(*inputs.tasks));
    for (size_t i = 0; i < n_tasks; i++) {
        resolution_init(&inputs.tasks[i]);
    }
    enum err err = resolve_all(providers, connector_config, task_configs, &inputs, reterr);
    if (err != ERR_OK) {
        task_inputs_close(&inputs);
        return err;
    }
    collect(&inputs, &inputs.connector, &inputs.secrets);
    for (size_t i = 0; i < n_tasks; i++) {
        collect(&inputs, &inputs.tasks[i], &inputs.secrets);
    }
    redact_publish(&inputs.secrets);
    *ret_inputs = inputs;
    return ERR_OK;
}

void task_inputs_redact(const struct task_inputs *inputs, struct error *error)
{
    CLEANUP(free_charp) char *redacted = redactions_apply_cut(&inputs->secrets, error->text);
    CLEANUP(free_charp) char *text = secrets_mask_uris(redacted);
    (void)error_set(error, error->code, "%s", text);
}

void task_inputs_close(struct task_inputs *inputs)
{
    redact_withdraw(&inputs->secrets);
    redactions_fini(&inputs->secrets);
    resolution_fini(&inputs->connector);
    for (size_t i = 0; i < inputs->n_tasks; i++) {
        resolution_fini(&inputs->tasks[i]);
    }
    free(TAKE(inputs->tasks));
    inputs->n_tasks = 0;
}
