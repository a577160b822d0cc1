/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the validation of connector configs that share one result. Pure. Thread: any. */
#pragma once

#include "worker/connector.h"

/* What is being validated. */
struct validation {
    const struct kvs *worker_props;
    const struct kvs *config;
    const struct connector_plugin *plugin;
    struct config_result *result;
};

/* Each adds its entries and errors to the result. */
void validate_converters(const struct validation *v);
void validate_transforms(const struct validation *v);
void validate_source_keys(const struct validation *v);
void validate_sink_keys(const struct validation *v);
void validate_client_overrides(const struct validation *v);
void validate_versions(const struct validation *v);

/* validate_name checks a connector's name; as config_def.check. */
enum err validate_name(const char *name, struct error *reterr);
/* validate_dlq_topic checks a dead letter queue's topic name, which may be empty. */
enum err validate_dlq_topic(const char *name, struct error *reterr);
/* validate_entry returns the result's entry of key, adding one without a definition if needed. */
struct config_value *validate_entry(const struct validation *v, const char *key);
