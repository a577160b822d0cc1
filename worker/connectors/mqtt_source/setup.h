/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a task makes of one version of its configs: the parsed settings, the pipeline. A
 * change of config makes a second one beside the first. Thread: the task's.
 */
#pragma once

#include "worker/connectors/mqtt_source/pipeline.h"
#include "worker/connectors/mqtt_source/settings.h"

struct setup {
    struct task_context context; /* with the configs of this version */
    struct source_settings settings;
    struct pipeline *pipeline; /* NULL: another setup's is to be kept */
};

/* setup_new parses the configs that context names, which outlive the setup, and opens a pipeline if
 * it is to. Errors: as source_settings_read and pipeline_open. */
enum err setup_new(const struct task_context *context, bool with_pipeline, struct setup **ret_setup,
                   struct error *reterr) MUST_CHECK;
/* setup_free releases it and what is left in it. Takes NULL. */
void setup_free(struct setup *setup);
/* setup_keep_pipeline moves the pipeline of the setup before. */
void setup_keep_pipeline(struct setup *setup, struct setup *before);
