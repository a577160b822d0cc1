/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in connector configs. See secrets.h. */
#include "rest/secrets.h"

#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/convert.h"
#include "worker/transform.h"

/* Shorter values would be found everywhere in a text. */
#define MIN_REDACTED 4
/* A config with more secrets than this is no real one; the bound keeps the work linear. */
#define MAX_REDACTED 64

static const char *const words[] = { "password", "passphrase",  "passwd",
                                     "secret",   "token",       "credential",
                                     "jaas",     "private.key", "ssl.keystore.key",
                                     "api.key",  "apikey" };

static bool name_says_secret(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strcasestr(key, words[i])) {
            return true;
        }
    }
    return false;
}

/* The table that defines what stands behind a prefix, e.g. a converter's own keys; ret_key gets the
 * key without the prefix. */
static const struct config_table *sub_table(const struct kvs *config, const char *key,
                                            const char **ret_key)
{
    static const char *const converters[] = { "key.converter", "value.converter",
                                              "header.converter" };
    for (size_t i = 0; i < N_ELEMENTS(converters); i++) {
        size_t length = strlen(converters[i]);
        const char *class_name = kvs_get(config, converters[i]);
        if (class_name && strncmp(key, converters[i], length) == 0 && key[length] == '.') {
            const struct converter_plugin *plugin = converter_find(class_name);
            *ret_key = key + length + 1;
            return plugin ? &plugin->table : NULL;
        }
    }
    if (strncmp(key, "transforms.", 11) != 0) {
        return NULL;
    }
    size_t alias = strcspn(key + 11, ".");
    CLEANUP(free_charp) char *type_key = xasprintf("%.*s.type", (int)(11 + alias), key);
    const char *class_name = kvs_get(config, type_key);
    const struct transform_plugin *plugin = class_name ? transform_find(class_name) : NULL;
    *ret_key = key + 11 + alias + (key[11 + alias] == '.');
    return plugin ? &plugin->kind->table : NULL;
}

static const struct config_def *find_def(const struct kvs *config, const char *key)
{
    const char *class_name = kvs_get(config, "connector.class");
    const struct connector_plugin *plugin = class_name ? connector_find(class_name) : NULL;
    if (!plugin) {
        return NULL;
    }
    const struct config_def *def = config_find(&plugin->table, key);
    if (!def) {
        def = config_find(connector_common_table(plugin->type), key);
    }
    const char *sub_key = key;
    const struct config_table *table = def ? NULL : sub_table(config, key, &sub_key);
    return table ? config_find(table, sub_key) : def;
}

bool secret_key(const struct kvs *config, const char *key)
{
    const struct config_def *def = find_def(config, key);
    return def ? def->type == CONFIG_PASSWORD : name_says_secret(key);
}

/* "${provider:path:key}", the whole value. */
static bool is_placeholder(const char *value)
{
    size_t length = strlen(value);
    return length > 4 && strncmp(value, "${", 2) == 0 && value[length - 1] == '}' &&
           strcspn(value + 2, "{}$") == length - 3 && strchr(value, ':') != NULL;
}

static bool must_hide(const struct kvs *classes, const struct kv *kv)
{
    return kv->value && !is_placeholder(kv->value) && secret_key(classes, kv->key);
}

cJSON *secrets_mask(const struct kvs *config, const struct kvs *classes)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        cJSON *value = kv->value
                           ? cJSON_CreateString(must_hide(classes, kv) ? SECRET_MASK : kv->value)
                           : cJSON_CreateNull();
        (void)cJSON_AddItemToObject(object, kv->key, value);
    }
    return object;
}

const char *secrets_restore(struct kvs *config, const struct kvs *stored)
{
    const char *lost = NULL;
    for (size_t i = 0; i < config->n_items; i++) {
        struct kv *kv = &config->items[i];
        const char *old = stored ? kvs_get(stored, kv->key) : NULL;
        if (!kv->value || strcmp(kv->value, SECRET_MASK) != 0 ||
            !(secret_key(config, kv->key) || (stored && secret_key(stored, kv->key)))) {
            continue;
        }
        if (old) {
            kvs_set(config, kv->key, old);
        } else if (!lost) {
            lost = kv->key;
        }
    }
    return lost;
}

/* Values to look for. */
struct values {
    const char *items[MAX_REDACTED];
    size_t n_items;
};

static void collect(const struct kvs *config, struct values *values)
{
    for (size_t i = 0; i < config->n_items && values->n_items < MAX_REDACTED; i++) {
        const struct kv *kv = &config->items[i];
        if (must_hide(config, kv) && strlen(kv->value) >= MIN_REDACTED) {
            values->items[values->n_items++] = kv->value;
        }
    }
}

/* The length of the longest value that text begins with, 0 if none. */
static size_t secret_at(const char *text, const struct values *values)
{
    size_t longest = 0;
    for (size_t i = 0; i < values->n_items; i++) {
        const char *value = values->items[i];
        if (value[0] == text[0] && strncmp(text, value, strlen(value)) == 0 &&
            strlen(value) > longest) {
            longest = strlen(value);
        }
    }
    return longest;
}

char *secrets_redact(const char *text, const struct kvs *config)
{
    struct values values = { .n_items = 0 };
    collect(config, &values);
    struct buf out;
    buf_init(&out);
    buf_add_text(&out, "");
    for (const char *p = text; *p;) {
        size_t length = secret_at(p, &values);
        if (length > 0) {
            buf_add_text(&out, SECRET_MASK);
            p += length;
        } else {
            buf_add_char(&out, *p++);
        }
    }
    return buf_take(&out);
}
