/* SPDX-License-Identifier: Apache-2.0 */
/* Validation on behalf of requests. See validation.h. */
#include "rest/validation.h"

#include "rest/hide.h"
#include "rest/secrets.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

enum err validation_name(struct call *call)
{
    const char *given = kvs_get(&call->config, "name");
    if (!given) {
        kvs_set(&call->config, "name", call->name);
        return ERR_OK;
    }
    if (strcmp(given, call->name) != 0) {
        answer_error(call, 400,
                     "Connector name configuration (%s) doesn't match connector name in the URL "
                     "(%s)",
                     given, call->name);
        return ERR_INVALID;
    }
    return ERR_OK;
}

/* Connect prints the config here as Java prints a map, secrets included; the mask is ours. */
static void answer_no_class(struct call *call, const struct kvs *config)
{
    struct buf map;
    buf_init(&map);
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        bool secret = kv->value && secret_key(config, kv->key);
        CLEANUP(free_charp) char *value = secrets_mask_uris(kv->value ? kv->value : "null");
        buf_printf(&map, "%s%s=%s", i == 0 ? "" : ", ", kv->key, secret ? SECRET_MASK : value);
    }
    answer_error(call, 400, "Connector config {%s} contains no connector type", buf_text(&map));
    buf_fini(&map);
}

/* Where a value names other things it is not looked up: said here, because it would fail later. */
static void refuse_placeholders(const struct providers *providers, const struct kvs *config,
                                struct config_result *result)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *item = &config->items[i];
        if (strcmp(item->key, "name") != 0 && !providers_takes(item->key) &&
            providers_refers(providers, item->value)) {
            config_value_error(config_result_add(result, item->key, NULL, item->value),
                               "Invalid value %s for configuration %s: placeholders of config "
                               "providers are not resolved here, write the value itself",
                               item->value, item->key);
        }
    }
}

/* Validates a config that has a class. */
static enum err validate(const struct env *env, const struct kvs *config,
                         struct config_result *result, struct error *reterr)
{
    struct resolution resolution;
    enum err err = providers_resolve(env->providers, config, &resolution, reterr);
    if (err != ERR_OK) {
        return err;
    }
    err = connector_validate(&env->props, &resolution.config, result, reterr);
    if (err == ERR_OK) {
        refuse_placeholders(env->providers, config, result);
        hide_result(config, &resolution, result);
    }
    resolution_fini(&resolution);
    return err;
}

enum err validation_run(struct call *call, const struct kvs *config, struct config_result *result)
{
    if (!kvs_get(config, "connector.class")) {
        answer_no_class(call, config);
        return ERR_INVALID;
    }
    struct error error = { ERR_OK, "" };
    enum err err = validate(call->env, config, result, &error);
    if (err != ERR_OK) {
        bool input = err == ERR_NOT_FOUND || err == ERR_INVALID;
        answer_error(call, input ? 400 : err_http(err), "%s", error.text);
    }
    return err;
}

/* All errors of a result in one text, without the config's secrets. */
static enum err gather(const struct kvs *config, const struct config_result *result,
                       struct error *reterr)
{
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < result->n_values; i++) {
        for (size_t j = 0; j < result->values[i].n_errors; j++) {
            buf_printf(&text, "%s%s", text.length > 0 ? "; " : "", result->values[i].errors[j]);
        }
    }
    CLEANUP(free_charp) char *shown = secrets_redact(buf_text(&text), config);
    buf_fini(&text);
    return shown[0] ? error_set(reterr, ERR_INVALID, "%s", shown) : ERR_OK;
}

enum err validation_check(const struct env *env, const struct kvs *config, struct error *reterr)
{
    if (!kvs_get(config, "connector.class")) {
        return error_set(reterr, ERR_INVALID, "connector.class is missing");
    }
    struct config_result result;
    config_result_init(&result);
    enum err err = validate(env, config, &result, reterr);
    /* What cannot be looked up now may be there later. */
    err = err == ERR_NOT_FOUND ? ERR_INVALID : err;
    err = err == ERR_OK ? gather(config, &result, reterr) : err;
    config_result_fini(&result);
    return err;
}

static void answer_errors(struct call *call, const struct kvs *config,
                          const struct config_result *result)
{
    struct buf text;
    buf_init(&text);
    buf_printf(&text,
               "Connector configuration is invalid and contains the following %zu error(s):\n",
               config_result_errors(result));
    for (size_t i = 0; i < result->n_values; i++) {
        for (size_t j = 0; j < result->values[i].n_errors; j++) {
            buf_printf(&text, "%s\n", result->values[i].errors[j]);
        }
    }
    buf_add_text(&text, "You can also find the above list of errors at the endpoint "
                        "`/connector-plugins/{connectorType}/config/validate`");
    CLEANUP(free_charp) char *shown = secrets_redact(buf_text(&text), config);
    answer_error(call, 400, "%s", shown);
    buf_fini(&text);
}

enum err validation_pass(struct call *call, const struct kvs *config, const char *lost_mask)
{
    struct config_result result;
    config_result_init(&result);
    enum err err = validation_run(call, config, &result);
    if (err == ERR_OK && lost_mask) {
        struct config_value *entry =
            config_result_add(&result, lost_mask, NULL, kvs_get(config, lost_mask));
        config_value_error(entry,
                           "Invalid value %s for configuration %s: the mask of a hidden value "
                           "stands for the stored one, and nothing is stored: give the value",
                           SECRET_MASK, lost_mask);
    }
    if (err == ERR_OK && config_result_errors(&result) > 0) {
        answer_errors(call, config, &result);
        err = ERR_INVALID;
    }
    config_result_fini(&result);
    return err;
}
