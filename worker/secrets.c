/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in configs. See secrets.h. */
#include "worker/secrets.h"

#include <ctype.h>

#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/convert.h"
#include "worker/transform.h"

/* Looked for in names without their separators, so that api.key, api_key and apiKey are one. */
static const char *const words[] = {
    "password",  "passphrase",    "passwd",   "passcode",   "secret",    "token",
    "jaas",      "credential",    "keypem",   "privatekey", "apikey",    "keystorekey",
    "accesskey", "authorization", "userinfo", "bearer",     "cookie",    "connectionstring",
    "sharedkey", "accountkey",    "license",  "storefile",  "cipherkey", "oauthbearerconfig",
};

/* These count only as the last word of a name. */
static const char *const endings[] = { "pass", "pwd", "psk", "pin", "sas" };

#define SEPARATORS "._- "
#define MAX_NAME   512
/* Of one value: no real one has so many or so long ones, and the rests of a long value that is full
 * of equals signs would add up to its square. */
#define MAX_OPTIONS      64
#define MAX_OPTION_BYTES ((size_t)64 * 1024)

static bool is_ending(const char *key)
{
    const char *last = key;
    for (const char *p = key; *p; p++) {
        last = strchr(SEPARATORS, *p) ? p + 1 : last;
    }
    for (size_t i = 0; i < N_ELEMENTS(endings); i++) {
        if (strcasecmp(last, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool secret_name(const char *key)
{
    char name[MAX_NAME];
    size_t n = 0;
    for (const char *p = key; *p && n < sizeof(name) - 1; p++) {
        if (!strchr(SEPARATORS, *p)) {
            name[n++] = (char)tolower((unsigned char)*p);
        }
    }
    name[n] = '\0';
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strstr(name, words[i])) {
            return true;
        }
    }
    return is_ending(key);
}

/* Behind `<family>.<alias>.`: the alias is the user's, its words say nothing. NULL: no such key. */
static const char *behind_alias(const char *key)
{
    static const char *const families[] = { "transforms.", "predicates.", "topic.creation." };
    for (size_t i = 0; i < N_ELEMENTS(families); i++) {
        size_t length = strlen(families[i]);
        const char *dot = strncmp(key, families[i], length) == 0 ? strchr(key + length, '.') : NULL;
        if (dot) {
            return dot + 1;
        }
    }
    return NULL;
}

/* A literal next to the name of the header or field that it is for. */
static bool is_named_literal(const struct kvs *config, const char *key)
{
    static const char *const pairs[][2] = { { ".value.literal", ".header" },
                                            { ".static.value", ".static.field" } };
    size_t length = strlen(key);
    for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
        size_t end = strlen(pairs[i][0]);
        if (length <= end || strcmp(key + length - end, pairs[i][0]) != 0) {
            continue;
        }
        CLEANUP(free_charp)
        char *other = xasprintf("%.*s%s", (int)(length - end), key, pairs[i][1]);
        const char *name = kvs_get(config, other);
        if (name && secret_name(name)) {
            return true;
        }
    }
    return false;
}

static const struct config_table *plugin_table(const char *key, const char *class_name)
{
    if (strncmp(key, "transforms.", strlen("transforms.")) == 0) {
        const struct transform_plugin *plugin = transform_find(class_name);
        return plugin ? &plugin->kind->table : NULL;
    }
    const struct predicate_plugin *plugin = predicate_find(class_name);
    return plugin ? &plugin->table : NULL;
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
    const char *own = behind_alias(key);
    if (!own) {
        return NULL;
    }
    CLEANUP(free_charp) char *type_key = xasprintf("%.*stype", (int)(own - key), key);
    const char *class_name = kvs_get(config, type_key);
    *ret_key = own;
    return class_name ? plugin_table(key, class_name) : NULL;
}

static const struct config_def *find_def(const struct kvs *config, const char *key)
{
    const char *class_name = kvs_get(config, "connector.class");
    const struct connector_plugin *plugin = class_name ? connector_find(class_name) : NULL;
    const struct config_def *def = plugin ? config_find(&plugin->table, key) : NULL;
    if (!def && plugin) {
        def = config_find(connector_common_table(plugin->type), key);
    }
    const char *sub_key = key;
    const struct config_table *table = def ? NULL : sub_table(config, key, &sub_key);
    return table ? config_find(table, sub_key) : def;
}

/* Whatever class the config names now: a value that was hidden under one class must not show under
 * another. */
static bool any_kind_hides(const char *key)
{
    for (size_t i = 0; connector_plugins()[i]; i++) {
        const struct config_def *def = config_find(&connector_plugins()[i]->table, key);
        if (def && def->type == CONFIG_PASSWORD) {
            return true;
        }
    }
    return false;
}

bool secret_key(const struct kvs *config, const char *key)
{
    const struct config_def *def = find_def(config, key);
    if ((def && def->type == CONFIG_PASSWORD) || any_kind_hides(key) ||
        is_named_literal(config, key)) {
        return true;
    }
    const char *own = behind_alias(key);
    return !def && secret_name(own ? own : key);
}

bool secret_placeholder(const char *value)
{
    size_t length = strlen(value);
    return length > 4 && strncmp(value, "${", 2) == 0 && value[length - 1] == '}' &&
           strcspn(value + 2, "{}$") == length - 3 && strchr(value, ':') != NULL;
}

/* The password of a URI whose authority begins at text; NULL if it has none. ret_end gets where the
 * text that belongs together ends: no further password is in it. */
static const char *uri_password(const char *text, size_t *ret_length, const char **ret_end)
{
    size_t length = strcspn(text, " \t\r\n,\"'<>");
    *ret_end = text + length;
    const char *at = memrchr(text, '@', length);
    const char *colon = at ? memchr(text, ':', (size_t)(at - text)) : NULL;
    if (!colon || colon + 1 == at) {
        return NULL;
    }
    *ret_length = (size_t)(at - colon - 1);
    return colon + 1;
}

static bool is_placeholder(const char *text, size_t length)
{
    CLEANUP(free_charp) char *value = xstrndup(text, length);
    return secret_placeholder(value);
}

/* The next password of a URI in text that is no placeholder, NULL if there is none. */
static const char *next_uri_password(const char *text, size_t *ret_length)
{
    const char *end = text;
    for (const char *p = strstr(text, "://"); p; p = strstr(end, "://")) {
        const char *password = uri_password(p + 3, ret_length, &end);
        if (password && !is_placeholder(password, *ret_length)) {
            return password;
        }
    }
    return NULL;
}

char *secrets_mask_uris(const char *text)
{
    struct buf out;
    buf_init(&out);
    buf_add_text(&out, "");
    size_t length = 0;
    for (const char *at = next_uri_password(text, &length); at;
         at = next_uri_password(text, &length)) {
        buf_add(&out, text, (size_t)(at - text));
        buf_add_text(&out, SECRET_MASK);
        text = at + length;
    }
    buf_add_text(&out, text);
    return buf_take(&out);
}

static void add_bytes(struct redactions *set, const char *text, size_t length)
{
    char *secret = xstrndup(text, length);
    redactions_add(set, secret, SECRET_MASK);
    secret_free(secret);
}

/* `name="secret"` and `name=secret` inside of a value, as in JAAS. The value is secret as a whole
 * besides, so what lies beyond the limits is not lost. */
static void collect_options(const char *value, struct redactions *set)
{
    size_t n_options = 0;
    size_t n_bytes = 0;
    for (const char *equals = strchr(value, '='); equals; equals = strchr(equals + 1, '=')) {
        const char *start = equals;
        while (start > value && (isalnum((unsigned char)start[-1]) || strchr("._-", start[-1]))) {
            start--;
        }
        CLEANUP(free_charp) char *name = xstrndup(start, (size_t)(equals - start));
        if (!secret_name(name)) {
            continue;
        }
        const char *text = equals + 1;
        bool quoted = *text == '"' || *text == '\'';
        char quote[2] = { *text, '\0' };
        text += quoted;
        size_t length = strcspn(text, quoted ? quote : " \t;,");
        n_bytes += length;
        if (++n_options > MAX_OPTIONS || n_bytes > MAX_OPTION_BYTES) {
            return;
        }
        add_bytes(set, text, length);
    }
}

static void collect_uris(const char *value, struct redactions *set)
{
    size_t length = 0;
    for (const char *at = next_uri_password(value, &length); at;
         at = next_uri_password(at + length, &length)) {
        if (length != strlen(SECRET_MASK) || strncmp(at, SECRET_MASK, length) != 0) {
            add_bytes(set, at, length);
        }
    }
}

void secrets_collect(const struct kvs *config, const struct kvs *classes, struct redactions *set)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        if (!kv->value || secret_placeholder(kv->value)) {
            continue;
        }
        collect_uris(kv->value, set);
        if (secret_key(classes, kv->key) && strcmp(kv->value, SECRET_MASK) != 0) {
            redactions_add(set, kv->value, SECRET_MASK);
            collect_options(kv->value, set);
        }
    }
}
