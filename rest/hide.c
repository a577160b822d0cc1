/* SPDX-License-Identifier: Apache-2.0 */
/* Taking secrets out of a validation's result. See hide.h. */
#include "rest/hide.h"

#include "rest/secrets.h"
#include "worker/base/config_result.h"
#include "worker/base/mem.h"

/* One entry's origin. */
struct origin {
    const char *raw;      /* as the config has it, NULL: not given */
    const char *resolved; /* NULL unless it has placeholders that were resolved */
    bool secret;          /* its key is */
};

/* The key of the entry that the config has: the name, or an alias; NULL if none. */
static const char *given_key(const struct kvs *config, const struct config_value *entry)
{
    if (kvs_has(config, entry->name)) {
        return entry->name;
    }
    const char *const *alias = entry->def ? entry->def->aliases : NULL;
    for (; alias && *alias; alias++) {
        if (kvs_has(config, *alias)) {
            return *alias;
        }
    }
    return NULL;
}

static struct origin origin_of(const struct kvs *config, const struct resolution *resolution,
                               const struct config_value *entry)
{
    const char *key = given_key(config, entry);
    struct origin origin = { .raw = key ? kvs_get(config, key) : NULL };
    const char *resolved = key ? kvs_get(&resolution->config, key) : NULL;
    if (origin.raw && resolved && strcmp(origin.raw, resolved) != 0) {
        origin.resolved = resolved;
    }
    origin.secret = secret_key(config, entry->name) || (key && secret_key(config, key));
    return origin;
}

/* Pieces of a value that a reason quotes, as one item of a list. */
static char *without_pieces(char *text, const char *value)
{
    if (!value || strlen(value) < REDACT_MIN) {
        return text;
    }
    char *result = redact_parts(text, value);
    free(text);
    return result;
}

/* An error at the class of a plug-in may be about any key of that plug-in: whether key is one, or
 * the entry's own. */
static bool concerns(const char *entry, const char *key)
{
    size_t length = strlen(entry);
    static const char type[] = ".type";
    size_t end = strlen(type);
    if (length > end && strcmp(entry + length - end, type) == 0) {
        length -= end;
    }
    return strcmp(entry, key) == 0 || (strncmp(entry, key, length) == 0 && key[length] == '.');
}

/* Takes pieces of all values out of a reason that it may quote. */
static char *without_values(char *reason, const char *entry, const struct kvs *config,
                            const struct resolution *resolution)
{
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *item = &config->items[i];
        const char *resolved = kvs_get(&resolution->config, item->key);
        if (!item->value || !resolved || !concerns(entry, item->key)) {
            continue;
        }
        if (strcmp(item->value, resolved) != 0 || secret_key(config, item->key)) {
            reason = without_pieces(reason, resolved);
        }
    }
    return reason;
}

/* One entry and what it is compared with. */
struct hiding {
    const struct kvs *config;
    const struct resolution *resolution;
    const struct config_value *entry;
    struct origin origin;
    struct redactions secrets;
};

/* An error has the whole value in front of the key, and says behind it what is wrong. */
static char *hidden_error(const struct hiding *hiding, const char *error)
{
    const char *name = hiding->entry->name;
    CLEANUP(free_charp) char *middle = xasprintf(" for configuration %s: ", name);
    const char *split = strstr(error, middle);
    CLEANUP(free_charp) char *front = xstrndup(error, split ? (size_t)(split - error) : 0);
    char *reason = redactions_apply(&hiding->secrets, split ? split + strlen(middle) : error);
    reason = without_pieces(reason, hiding->origin.resolved);
    reason = without_pieces(reason, hiding->origin.secret ? hiding->origin.raw : NULL);
    reason = without_values(reason, name, hiding->config, hiding->resolution);
    CLEANUP(free_charp) char *head = redactions_apply(&hiding->secrets, front);
    char *text = split ? xasprintf("%s%s%s", head, middle, reason) : xstrdup(reason);
    free(reason);
    return text;
}

static void hide_entry(const struct kvs *config, const struct resolution *resolution,
                       struct config_value *entry)
{
    struct hiding hiding = {
        .config = config,
        .resolution = resolution,
        .entry = entry,
        .origin = origin_of(config, resolution, entry),
    };
    const struct origin *origin = &hiding.origin;
    redactions_init(&hiding.secrets);
    if (origin->resolved) {
        redactions_add(&hiding.secrets, origin->resolved, origin->raw);
    }
    redactions_copy(&hiding.secrets, &resolution->secrets);
    /* A placeholder is shown also where its value does not parse, which shows as null. */
    if (origin->resolved || (entry->value && !origin->raw)) {
        char *shown = origin->resolved ? xstrdup(origin->raw)
                                       : redactions_apply(&resolution->secrets, entry->value);
        secret_free(entry->value);
        entry->value = shown;
    }
    for (size_t i = 0; i < entry->n_errors; i++) {
        char *text = hidden_error(&hiding, entry->errors[i]);
        secret_free(entry->errors[i]);
        entry->errors[i] = text;
    }
    redactions_fini(&hiding.secrets);
}

void hide_result(const struct kvs *config, const struct resolution *resolution,
                 struct config_result *result)
{
    for (size_t i = 0; i < result->n_values; i++) {
        hide_entry(config, resolution, &result->values[i]);
    }
}
