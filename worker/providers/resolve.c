/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves a config in three passes: which keys of which places are wanted, one look-up of each
 * place, and the replacing. So a file is read once however many values refer to it, and all of them
 * see the same content.
 */
#include <ctype.h>
#include <strings.h>

#include "worker/base/mem.h"
#include "worker/providers/set.h"

static const char *const structural[] = { "name", "connector.class", "transforms", "predicates",
                                          "topic.creation.groups" };
static const char own_prefix[] = "config.providers";

/* The work on one config. */
struct resolving {
    const struct providers *providers;
    struct lookup *lookups;
    size_t n_lookups;
    size_t n_placeholders;
    size_t total; /* bytes of resolved values */
};

bool providers_takes(const char *key)
{
    for (size_t i = 0; i < N_ELEMENTS(structural); i++) {
        if (strcmp(key, structural[i]) == 0) {
            return false;
        }
    }
    size_t length = strlen(own_prefix);
    return strncmp(key, own_prefix, length) != 0 || (key[length] != '.' && key[length] != '\0');
}

bool placeholder_next(const char *text, struct placeholder *ret_placeholder)
{
    /* Without a colon no placeholder that begins before the brace ends at it. */
    const char *close = text;
    for (const char *start = strstr(text, "${"); start; start = strstr(close + 1, "${")) {
        const char *inner = start + 2;
        close = strchr(inner, '}');
        if (!close) {
            return false;
        }
        const char *colon = memchr(inner, ':', (size_t)(close - inner));
        if (!colon) {
            continue;
        }
        const char *second = memchr(colon + 1, ':', (size_t)(close - colon - 1));
        const char *key = second ? second + 1 : colon + 1;
        *ret_placeholder = (struct placeholder){
            .start = start,
            .end = close + 1,
            .provider = inner,
            .provider_length = (size_t)(colon - inner),
            .path = colon + 1,
            .path_length = second ? (size_t)(second - colon - 1) : 0,
            .key = key,
            .key_length = (size_t)(close - key),
        };
        return true;
    }
    return false;
}

bool providers_refers(const struct providers *providers, const char *value)
{
    struct placeholder found;
    while (value && placeholder_next(value, &found)) {
        if (providers_find(providers, found.provider, found.provider_length)) {
            return true;
        }
        value = found.end;
    }
    return false;
}

void lookup_add_file(struct lookup *lookup, const char *path)
{
    struct config_list *files = &lookup->files;
    files->items = xrealloc(files->items, (files->n_items + 1) * sizeof(*files->items));
    files->items[files->n_items++] = xstrdup(path);
}

static struct lookup *find_lookup(const struct resolving *work, const struct provider *provider,
                                  const struct placeholder *found)
{
    for (size_t i = 0; i < work->n_lookups; i++) {
        struct lookup *lookup = &work->lookups[i];
        if (lookup->provider == provider && strlen(lookup->path) == found->path_length &&
            strncmp(lookup->path, found->path, found->path_length) == 0) {
            return lookup;
        }
    }
    return NULL;
}

static void want_key(struct lookup *lookup, const struct placeholder *found)
{
    struct config_list *keys = &lookup->keys;
    for (size_t i = 0; i < keys->n_items; i++) {
        if (strlen(keys->items[i]) == found->key_length &&
            strncmp(keys->items[i], found->key, found->key_length) == 0) {
            return;
        }
    }
    keys->items = xrealloc(keys->items, (keys->n_items + 1) * sizeof(*keys->items));
    keys->items[keys->n_items++] = xstrndup(found->key, found->key_length);
}

static enum err want(struct resolving *work, const struct placeholder *found,
                     const char *config_key, struct error *reterr)
{
    const struct provider *provider =
        providers_find(work->providers, found->provider, found->provider_length);
    if (!provider) {
        return ERR_OK;
    }
    if (++work->n_placeholders > PROVIDERS_MAX_PLACEHOLDERS) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value for configuration %.300s: a config may have no more than "
                         "%d placeholders of config providers",
                         config_key, PROVIDERS_MAX_PLACEHOLDERS);
    }
    struct lookup *lookup = find_lookup(work, provider, found);
    if (!lookup && work->n_lookups == PROVIDERS_MAX_PLACES) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value for configuration %.300s: the placeholders of a config may "
                         "refer to no more than %d paths",
                         config_key, PROVIDERS_MAX_PLACES);
    }
    if (!lookup) {
        lookup = &work->lookups[work->n_lookups++];
        *lookup = (struct lookup){ .provider = provider,
                                   .path = xstrndup(found->path, found->path_length) };
        kvs_init(&lookup->values);
    }
    want_key(lookup, found);
    return ERR_OK;
}

static enum err collect(struct resolving *work, const struct kv *item, struct error *reterr)
{
    struct placeholder found;
    enum err err = ERR_OK;
    const char *text = item->value && providers_takes(item->key) ? item->value : "";
    while (err == ERR_OK && placeholder_next(text, &found)) {
        err = want(work, &found, item->key, reterr);
        text = found.end;
    }
    return err;
}

/* What everybody may see: it would be found in every text. */
static bool is_plain(const char *value)
{
    static const char *const words[] = { "true", "false", "none", "null", "all" };
    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            return true;
        }
    }
    size_t digits = strspn(value, "0123456789");
    return value[digits] == '\0' && digits <= 5;
}

/* The value that stands in the place of a placeholder; NULL: the placeholder stays. */
static const char *value_of(const struct resolving *work, const struct placeholder *found,
                            bool *ret_known)
{
    const struct provider *provider =
        providers_find(work->providers, found->provider, found->provider_length);
    *ret_known = provider != NULL;
    const struct lookup *lookup = provider ? find_lookup(work, provider, found) : NULL;
    CLEANUP(free_charp) char *key = xstrndup(found->key, found->key_length);
    return lookup ? kvs_get(&lookup->values, key) : NULL;
}

static void note_secret(struct resolution *resolution, const struct placeholder *found,
                        const char *value)
{
    if (!is_plain(value)) {
        CLEANUP(free_charp)
        char *shown = xstrndup(found->start, (size_t)(found->end - found->start));
        redactions_add(&resolution->secrets, value, shown);
    }
}

static enum err replace(struct resolving *work, const struct kv *item, struct resolution *result,
                        struct error *reterr)
{
    struct buf out;
    buf_init(&out);
    (void)buf_reserve(&out, strlen(item->value) + PROVIDERS_MAX_VALUE);
    const char *text = item->value;
    struct placeholder found;
    size_t looked_up = 0;
    while (placeholder_next(text, &found)) {
        bool known = false;
        const char *value = value_of(work, &found, &known);
        buf_add(&out, text, (size_t)((value ? found.start : found.end) - text));
        text = found.end;
        result->n_missing += known && !value;
        looked_up += value ? strlen(value) : 0;
        if (looked_up > PROVIDERS_MAX_VALUE) {
            break;
        }
        if (value) {
            buf_add_text(&out, value);
            note_secret(result, &found, value);
        }
    }
    buf_add_text(&out, text);
    work->total += looked_up;
    bool fits = looked_up <= PROVIDERS_MAX_VALUE && work->total <= PROVIDERS_MAX_TOTAL;
    if (fits) {
        kvs_set(&result->config, item->key, buf_text(&out));
    }
    buf_wipe(&out);
    return fits ? ERR_OK
                : error_set(reterr, ERR_INVALID,
                            "Invalid value for configuration %.300s: what its placeholders stand "
                            "for is longer than %zu bytes, or all of the config longer than %zu",
                            item->key, PROVIDERS_MAX_VALUE, PROVIDERS_MAX_TOTAL);
}

static void resolving_fini(struct resolving *work)
{
    for (size_t i = 0; i < work->n_lookups; i++) {
        struct lookup *lookup = &work->lookups[i];
        free(lookup->path);
        config_list_fini(&lookup->keys);
        config_list_fini(&lookup->files);
        kvs_fini(&lookup->values);
    }
    free(work->lookups);
}

static void keep_files(const struct resolving *work, struct config_list *files)
{
    for (size_t i = 0; i < work->n_lookups; i++) {
        const struct config_list *read = &work->lookups[i].files;
        for (size_t f = 0; f < read->n_items; f++) {
            files->items = xrealloc(files->items, (files->n_items + 1) * sizeof(*files->items));
            files->items[files->n_items++] = xstrdup(read->items[f]);
        }
    }
}

static enum err resolve(struct resolving *work, const struct kvs *config, struct resolution *result,
                        struct error *reterr)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < config->n_items; i++) {
        err = collect(work, &config->items[i], reterr);
    }
    for (size_t i = 0; err == ERR_OK && i < work->n_lookups; i++) {
        err = work->lookups[i].provider->plugin->get(&work->lookups[i], reterr);
    }
    for (size_t i = 0; err == ERR_OK && i < config->n_items; i++) {
        const struct kv *item = &config->items[i];
        bool whole = !item->value || !providers_takes(item->key) || !strstr(item->value, "${");
        if (whole) {
            kvs_set(&result->config, item->key, item->value);
        } else {
            err = replace(work, item, result, reterr);
        }
    }
    keep_files(work, &result->files);
    return err;
}

enum err providers_try(const struct providers *providers, const struct kvs *config,
                       struct resolution *ret_resolution, struct error *reterr)
{
    struct resolution result;
    resolution_init(&result);
    if (!providers || providers->n_items == 0) {
        kvs_copy(&result.config, config);
        *ret_resolution = result;
        return ERR_OK;
    }
    struct resolving work = {
        .providers = providers,
        .lookups = xcalloc(PROVIDERS_MAX_PLACES, sizeof(struct lookup)),
    };
    enum err err = resolve(&work, config, &result, reterr);
    resolving_fini(&work);
    if (err != ERR_OK) {
        struct config_list files = result.files;
        result.files = (struct config_list){ .n_items = 0 };
        resolution_fini(&result);
        result.files = files;
        result.n_missing = SIZE_MAX;
    }
    *ret_resolution = result;
    return err;
}

enum err providers_resolve(const struct providers *providers, const struct kvs *config,
                           struct resolution *ret_resolution, struct error *reterr)
{
    struct resolution result;
    enum err err = providers_try(providers, config, &result, reterr);
    if (err != ERR_OK) {
        resolution_fini(&result);
        return err;
    }
    *ret_resolution = result;
    return ERR_OK;
}

void resolution_init(struct resolution *resolution)
{
    *resolution = (struct resolution){ .n_missing = 0 };
    kvs_init(&resolution->config);
    redactions_init(&resolution->secrets);
}

void resolution_fini(struct resolution *resolution)
{
    kvs_fini(&resolution->config);
    redactions_fini(&resolution->secrets);
    config_list_fini(&resolution->files);
    resolution_init(resolution);
}
