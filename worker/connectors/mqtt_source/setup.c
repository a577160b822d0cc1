/* SPDX-License-Identifier: Apache-2.0 */
/* One version of a task's configs. See setup.h. */
#include "worker/connectors/mqtt_source/setup.h"

#include "worker/base/mem.h"

enum err setup_new(const struct task_context *context, bool with_pipeline, struct setup **ret_setup,
                   struct error *reterr)
{
    struct setup *setup = xcalloc(1, sizeof(*setup));
    setup->context = *context;
    enum err err = source_settings_read(context->connector, context->connector_config,
                                        context->task_config, &setup->settings, reterr);
    setup->settings.options.max_packet =
        source_settings_max_packet(context->connector_config, context->worker_props);
    if (err == ERR_OK && with_pipeline) {
        err = pipeline_open(&setup->context, &setup->settings, &setup->pipeline, reterr);
    }
    if (err != ERR_OK) {
        setup_free(setup);
        return err;
    }
    *ret_setup = setup;
    return ERR_OK;
}

void setup_free(struct setup *setup)
{
    if (!setup) {
        return;
    }
    pipeline_close(setup->pipeline);
    source_settings_fini(&setup->settings);
    free(setup);
}

void setup_keep_pipeline(struct setup *setup, struct setup *before)
{
    setup->pipeline = TAKE(before->pipeline);
    pipeline_keep(setup->pipeline, &setup->context, &setup->settings);
}
