/* SPDX-License-Identifier: Apache-2.0 */
/* The converters that exist, and instances of them. See worker/convert.h. */
#include <string.h>

#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/class_name.h"
#include "worker/convert.h"
#include "worker/convert/plugins.h"

struct converter {
    const struct converter_plugin *plugin;
    void *state;
};

/* In the order in which Connect lists them: by full name. */
static const struct converter_plugin *const plugins[] = {
    &boolean_converter,
    &byte_array_converter,
    &double_converter,
    &float_converter,
    &integer_converter,
    &long_converter,
    &short_converter,
    &json_converter,
    &simple_header_converter,
    &string_converter,
    NULL,
};

const struct converter_plugin *const *converter_plugins(void)
{
    return plugins;
}

const struct converter_plugin *converter_find(const char *class_name)
{
    for (size_t i = 0; plugins[i]; i++) {
        if (class_name_is(plugins[i]->class_name, class_name, "Converter")) {
            return plugins[i];
        }
    }
    return NULL;
}

static const struct kvs *config_with(const struct kvs *connector, const struct kvs *worker,
                                     const char *key)
{
    if (connector && kvs_get(connector, key)) {
        return connector;
    }
    return worker && kvs_get(worker, key) ? worker : NULL;
}

const char *converter_class(const struct kvs *connector, const struct kvs *worker, const char *key,
                            const char *fallback)
{
    const struct kvs *config = config_with(connector, worker, key);
    return config ? kvs_get(config, key) : fallback;
}

/* Connect gives a converter the keys behind its prefix, from one config only. */
static void sub_keys(const struct kvs *config, const char *key, struct kvs *ret_keys)
{
    size_t length = strlen(key);
    for (size_t i = 0; config && i < config->n_items; i++) {
        const char *name = config->items[i].key;
        if (strncmp(name, key, length) == 0 && name[length] == '.') {
            kvs_set(ret_keys, name + length + 1, config->items[i].value);
        }
    }
}

const char *const converter_types[] = { "key", "value", "header", NULL };

/* Checks the keys against the rows of the class; the text of the first error. */
static enum err check_keys(const struct converter_plugin *plugin, const struct kvs *keys,
                           struct error *reterr)
{
    struct config_result result;
    config_result_init(&result);
    config_validate(&plugin->table, keys, &result);
    enum err err = ERR_OK;
    for (size_t i = 0; i < result.n_values && err == ERR_OK; i++) {
        if (result.values[i].n_errors > 0) {
            err = error_set(reterr, ERR_INVALID, "%s", result.values[i].errors[0]);
        }
    }
    config_result_fini(&result);
    return err;
}

/* Makes the instance of a class; keys are its own. */
static enum err open_plugin(const struct converter_plugin *plugin, const char *key,
                            struct kvs *keys, void **ret_state, struct error *reterr)
{
    CLEANUP(free_charp) char *use = xstrndup(key, strcspn(key, "."));
    kvs_set(keys, "converter.type", use);
    enum err err = check_keys(plugin, keys, reterr);
    if (err == ERR_OK && plugin->open) {
        err = plugin->open(keys, ret_state, reterr);
    }
    return err == ERR_OK ? ERR_OK : error_prefix(reterr, err, key);
}

enum err converter_open(const struct kvs *connector, const struct kvs *worker, const char *key,
                        const char *fallback, struct converter **ret_converter,
                        struct error *reterr)
{
    const char *class_name = converter_class(connector, worker, key, fallback);
    const struct converter_plugin *plugin = converter_find(class_name);
    if (!plugin) {
        return error_set(reterr, ERR_NOT_FOUND,
                         "Invalid value %s for configuration %s: Class %s could not be found.",
                         class_name, key, class_name);
    }
    CLEANUP(kvs_fini) struct kvs keys;
    kvs_init(&keys);
    sub_keys(config_with(connector, worker, key), key, &keys);
    void *state = NULL;
    enum err err = open_plugin(plugin, key, &keys, &state, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct converter *converter = xmalloc(sizeof(*converter));
    *converter = (struct converter){ plugin, state };
    *ret_converter = converter;
    return ERR_OK;
}

void converter_close(struct converter *converter)
{
    if (!converter) {
        return;
    }
    if (converter->plugin->close) {
        converter->plugin->close(converter->state);
    }
    free(converter);
}

enum err converter_to_bytes(struct converter *converter, const struct value *value, struct buf *out,
                            struct record_bytes *ret_bytes, struct error *reterr)
{
    return converter->plugin->to_bytes(converter->state, value, out, ret_bytes, reterr);
}

enum err converter_from_bytes(struct converter *converter, const struct record_bytes *bytes,
                              struct arena *arena, struct value *ret_value, struct error *reterr)
{
    return converter->plugin->from_bytes(converter->state, bytes, arena, ret_value, reterr);
}

const char *converter_name(const struct converter *converter)
{
    return converter->plugin->class_name;
}
