/* SPDX-License-Identifier: Apache-2.0 */
/* DirectoryConfigProvider: `${dir:/run/secrets:password}`, the whole content of a file. */
#include "worker/base/buf.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
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

/* A file of the folder itself, no path. */
static bool is_name(const char *key)
{
    return key[0] != '\0' && !strchr(key, '/') && strcmp(key, ".") != 0 && strcmp(key, "..") != 0;
}

static enum err get_key(struct lookup *lookup, const char *key, struct error *reterr)
{
    if (!is_name(key)) {
        return ERR_OK;
    }
    CLEANUP(free_charp) char *path = xasprintf("%s/%s", lookup->path, key);
    struct buf content;
    buf_init(&content);
    struct error why = { ERR_OK, "" };
    enum err err = safe_file_read(&lookup->provider->allowed, path, &content, &why);
    if (err != ERR_UNAUTHORIZED) {
        lookup_add_file(lookup, path);
    }
    if (err == ERR_OK) {
        kvs_set(&lookup->values, key, buf_text(&content));
    } else if (err == ERR_IO) {
        warn("PROVIDER-READ-FAILED", path, why.text);
        (void)error_set(reterr, ERR_IO, "Could not read file %s for property %s", path, key);
    } else {
        warn("PROVIDER-PATH-REFUSED", path, why.text);
    }
    buf_wipe(&content);
    return err == ERR_IO ? ERR_IO : ERR_OK;
}

static enum err get(struct lookup *lookup, struct error *reterr)
{
    if (lookup->path[0] == '\0') {
        return ERR_OK;
    }
    bool folder = false;
    struct error why = { ERR_OK, "" };
    enum err err = safe_file_allowed(&lookup->provider->allowed, lookup->path, &folder, &why);
    if (err != ERR_OK || !folder) {
        warn("PROVIDER-PATH-REFUSED", lookup->path, err ? why.text : "it is no folder");
        return ERR_OK;
    }
    for (size_t i = 0; err == ERR_OK && i < lookup->keys.n_items; i++) {
        err = get_key(lookup, lookup->keys.items[i], reterr);
    }
    return err;
}

const struct provider_plugin directory_provider = {
    .class_name = "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    .reads_files = true,
    .get = get,
};
