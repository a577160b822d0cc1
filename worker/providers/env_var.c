/* SPDX-License-Identifier: Apache-2.0 */
/* EnvVarConfigProvider: `${env:NAME}`, a variable of the worker's environment. */
#include "worker/base/log.h"
#include "worker/base/utf8.h"
#include "worker/providers/provider.h"

#define LOG_MS 10000

static void warn(const char *name, const char *reason)
{
    static struct log_limit limit;
    unsigned suppressed = 0;
    if (log_limit_pass(&limit, LOG_MS, &suppressed)) {
        log_warn(NULL, "PROVIDER-VARIABLE-REFUSED", "name=\"%s\" reason=\"%s\" suppressed=%u", name,
                 reason, suppressed);
    }
}

static bool is_allowed(const struct regex *pattern, const char *name)
{
    bool matches = true;
    struct error why = { ERR_OK, "" };
    if (pattern && regex_matches(pattern, name, strlen(name), &matches, &why) != ERR_OK) {
        return false;
    }
    return matches;
}

static enum err get(struct lookup *lookup, struct error *reterr)
{
    if (lookup->path[0] != '\0') {
        return error_set(reterr, ERR_IO,
                         "Path is not supported for EnvVarConfigProvider, invalid value '%s'",
                         lookup->path);
    }
    for (size_t i = 0; i < lookup->keys.n_items; i++) {
        const char *name = lookup->keys.items[i];
        if (!is_allowed(lookup->provider->pattern, name)) {
            warn(name, "it does not match allowlist.pattern");
            continue;
        }
        const char *value = getenv(name);
        if (value && !utf8_valid(value, strlen(value))) {
            warn(name, "its value is no UTF-8 text");
        } else if (value) {
            kvs_set(&lookup->values, name, value);
        }
    }
    return ERR_OK;
}

const struct provider_plugin env_var_provider = {
    .class_name = "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    .get = get,
};
