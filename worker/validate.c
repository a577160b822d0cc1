/* SPDX-License-Identifier: Apache-2.0 */
/* Validation of whole connector configs, in Kafka Connect's order and words. See connector.h. */
#include "worker/validate.h"

#include <strings.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/convert.h"
#include "worker/secrets.h"
#include "worker/transform.h"

#define CONFIG_VALUE_LIMIT 262144

struct config_value *validate_entry(const struct validation *v, const char *key)
{
    return config_result_add(v->result, key, NULL, kvs_get(v->config, key));
}

static enum err missing_class(const struct kvs *config, struct error *reterr)
{
    struct buf text;
    buf_init(&text);
    buf_add_char(&text, '{');
    for (size_t i = 0; i < config->n_items; i++) {
        const char *value = config->items[i].value ? config->items[i].value : "null";
        buf_printf(&text, "%s%s=%s", i == 0 ? "" : ", ", config->items[i].key,
                   secret_key(config, config->items[i].key) ? SECRET_MASK : value);
    }
    enum err err =
        error_set(reterr, ERR_INVALID, "Connector config %.900s} contains no connector type",
                  buf_text(&text));
    buf_fini(&text);
    return err;
}

static enum err unknown_class(const char *class_name, struct error *reterr)
{
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; connector_plugins()[i]; i++) {
        const struct connector_plugin *plugin = connector_plugins()[i];
        const char *type = connector_type_name(plugin->type);
        buf_printf(&text,
                   "%sPluginDesc{klass=class %s, name='%s', version='%s', encodedVersion=%s, "
                   "type=%s, typeName='%s', location='built in'}",
                   i == 0 ? "" : ", ", plugin->class_names[0], plugin->class_names[0],
                   plugin->version, plugin->version, type, type);
    }
    enum err err = error_set(reterr, ERR_NOT_FOUND,
                             "Failed to find any class that implements Connector and which name "
                             "matches %.300s, available connectors are: %s",
                             class_name, buf_text(&text));
    buf_fini(&text);
    return err;
}

/* Whether an entry took the key in, under its own name or as an alias. */
static bool is_listed(const struct validation *v, const char *key)
{
    const struct config_def *def = config_find(&v->plugin->table, key);
    return config_result_find(v->result, def ? def->name : key) != NULL;
}

/* A null value of a key that nobody defined is an error of its own entry. */
static void check_nulls(const struct validation *v)
{
    for (size_t i = 0; i < v->config->n_items; i++) {
        const struct kv *item = &v->config->items[i];
        if (!item->value && !is_listed(v, item->key)) {
            config_value_error(validate_entry(v, item->key),
                               "Null value can not be supplied as the configuration value.");
        }
    }
}

static void clash(const struct validation *v, const char *one, const char *other)
{
    const char *const keys[] = { one, other };
    for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
        config_value_error(validate_entry(v, keys[i]),
                           "%s and %s mean the same and are set to different values: remove one "
                           "of them",
                           one, other);
    }
}

/* Two names of one key with different values: nobody can tell which one is meant. */
static void check_names(const struct validation *v, const struct config_def *def)
{
    const char *first = kvs_get(v->config, def->name);
    const char *first_key = def->name;
    for (const char *const *alias = def->aliases; alias && *alias; alias++) {
        const char *value = kvs_get(v->config, *alias);
        if (value && first && strcmp(value, first) != 0) {
            clash(v, first_key, *alias);
        }
        if (value && !first) {
            first = value;
            first_key = *alias;
        }
    }
}

static void check_aliases(const struct validation *v)
{
    for (size_t i = 0; i < v->plugin->table.n_rows; i++) {
        check_names(v, &v->plugin->table.rows[i]);
    }
}

/* One value must not fill the config topic's record. */
static void check_lengths(const struct validation *v)
{
    for (size_t i = 0; i < v->config->n_items; i++) {
        const struct kv *item = &v->config->items[i];
        if (item->value && strlen(item->value) > CONFIG_VALUE_LIMIT) {
            config_value_error(validate_entry(v, item->key),
                               "Invalid value for configuration %s: longer than %d bytes",
                               item->key, CONFIG_VALUE_LIMIT);
        }
    }
}

/* Everything but what the framework's rows say. */
static void validate_parts(const struct validation *v)
{
    validate_converters(v);
    validate_transforms(v);
    if (v->plugin->type == CONNECTOR_SOURCE) {
        validate_source_keys(v);
    } else {
        validate_sink_keys(v);
    }
    config_validate(&v->plugin->table, v->config, v->result);
    check_aliases(v);
    check_lengths(v);
    if (v->plugin->validate) {
        v->plugin->validate(v->config, v->result);
    }
    validate_client_overrides(v);
    validate_converter_keys(v);
}

/* Connect lists what nobody defined before all definitions, but for client overrides. */
static bool stands_first(const struct config_value *value)
{
    return !value->def && !strstr(value->name, ".override.");
}

enum err connector_validate(const struct kvs *worker_props, const struct kvs *config,
                            struct config_result *result, struct error *reterr)
{
    const char *given = kvs_get(config, "connector.class");
    if (!given) {
        return missing_class(config, reterr);
    }
    const struct config_table *common = connector_common_table(CONNECTOR_SOURCE);
    CLEANUP(free_charp) char *class_name = config_text(common, config, "connector.class");
    const struct connector_plugin *plugin = connector_find(class_name);
    if (!plugin) {
        return unknown_class(class_name, reterr);
    }
    const struct validation v = { worker_props, config, plugin, result };
    config_validate(connector_common_table(plugin->type), config, result);
    if (validate_connector_version(&v)) {
        validate_parts(&v);
    }
    check_nulls(&v);
    config_result_sort(result, stands_first);
    return ERR_OK;
}
