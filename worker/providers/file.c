/* SPDX-License-Identifier: Apache-2.0 */
/* FileConfigProvider: `${file:/run/secrets/a.properties:key}`, a Java properties file. */
#include "worker/base/buf.h"
#include "worker/base/log.h"
#include "worker/base/properties.h"
#include "worker/providers/provider.h"
#include "worker/providers/safe_file.h"

#define LOG_MS 10000

static void warn(const char *event, const char *path, const char *reason)
{
    static struct log_limit limit;
    unsigned suppressed = 0;
    if (log_limit_pass(&limit, LOG_MS, &suppressed)) {
        log_warn(NULL, event, "path=\"%s\" reason=\"%s\" suppressed=%u", path, reason, suppressed);
    }
}

static void take_keys(struct lookup *lookup, const struct kvs *properties)
{
    for (size_t i = 0; i < lookup->keys.n_items; i++) {
        const char *value = kvs_get(properties, lookup->keys.items[i]);
        if (value) {
            kvs_set(&lookup->values, lookup->keys.items[i], value);
        }
    }
}

static enum err read_properties(struct lookup *lookup, struct error *reterr)
{
    struct buf content;
    struct kvs properties;
    buf_init(&content);
    kvs_init(&properties);
    enum err err = safe_file_read(&lookup->provider->allowed, lookup->path, &content, reterr);
    if (err == ERR_OK) {
        err = properties_parse(buf_text(&content), content.length, &properties, reterr);
    }
    if (err == ERR_OK) {
        take_keys(lookup, &properties);
    }
    kvs_fini(&properties);
    buf_wipe(&content);
    return err;
}

static enum err get(struct lookup *lookup, struct error *reterr)
{
    if (lookup->path[0] == '\0') {
        return ERR_OK;
    }
    struct error why = { ERR_OK, "" };
    enum err err = read_properties(lookup, &why);
    if (err == ERR_UNAUTHORIZED) {
        warn("PROVIDER-PATH-REFUSED", lookup->path, why.text);
        return ERR_OK;
    }
    lookup_add_file(lookup, lookup->path);
    if (err != ERR_OK) {
        warn("PROVIDER-READ-FAILED", lookup->path, why.text);
        return error_set(reterr, ERR_IO, "Could not read properties from file %s", lookup->path);
    }
    return ERR_OK;
}

const struct provider_plugin file_provider = {
    .class_name = "org.apache.kafka.common.config.provider.FileConfigProvider",
    .reads_files = true,
    .get = get,
};
