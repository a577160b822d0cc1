/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the validation of connector configs that share one result. Pure. Thread: any. */
#pragma once

#include "worker/connector.h"
#include "worker/plugins.h"
#include "worker/version_range.h"

/* What is being validated. */
struct validation {
    const struct kvs *worker_props;
    const struct kvs *config;
    const struct connector_plugin *plugin;
    struct config_result *result;
};

/* Each adds its entries and errors to the result. validate_connector_version says whether the
 * version that the config asks for is there; without it nothing else is worth checking.
 * validate_converters is about the classes, validate_converter_keys about what they define. */
bool validate_connector_version(const struct validation *v);
void validate_converters(const struct validation *v);
void validate_transforms(const struct validation *v);
void validate_source_keys(const struct validation *v);
void validate_sink_keys(const struct validation *v);
void validate_client_overrides(const struct validation *v);
void validate_converter_keys(const struct validation *v);

/* validate_recommend recommends all classes of a kind. */
void validate_recommend(struct config_value *entry, enum plugin_kind kind);
/* validate_class checks an entry whose value names a class, and puts the full name in its place; a
 * name that is none leaves null. False when there is no class to go on with. */
bool validate_class(struct config_value *entry, enum plugin_kind kind, struct plugin *ret_plugin);
/* validate_version checks the version that is asked for; errors stand at both entries, those of the
 * range's form at the class only if tell_class. */
bool validate_version(struct config_value *class_entry, struct config_value *version_entry,
                      const struct plugin *plugin, bool tell_class);
/* validate_sub_keys adds the keys behind a prefix, without it. */
void validate_sub_keys(const struct kvs *config, const char *prefix, struct kvs *ret_keys);
/* validate_unique adds an error at key if an alias of its list is there twice. */
void validate_unique(const struct validation *v, const char *key, const struct config_list *list);

/* validate_name checks a connector's name; as config_def.check. */
enum err validate_name(const char *name, struct error *reterr);
/* validate_dlq_topic checks a dead letter queue's topic name, which may be empty. */
enum err validate_dlq_topic(const char *name, struct error *reterr);
/* validate_entry returns the result's entry of key, adding one without a definition if needed. */
struct config_value *validate_entry(const struct validation *v, const char *key);
