/* SPDX-License-Identifier: Apache-2.0 */
/* Masks in answers and requests. See secrets.h. */
#include "rest/secrets.h"

#include "worker/base/mem.h"

/* What an answer shows of a value (not NULL). Owned. */
static char *shown(const struct kvs *classes, const struct kv *kv)
{
    if (secret_placeholder(kv->value)) {
        return xstrdup(kv->value);
    }
    return secret_key(classes, kv->key) ? xstrdup(SECRET_MASK) : secrets_mask_uris(kv->value);
}

cJSON *secrets_mask(const struct kvs *config, const struct kvs *classes)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        CLEANUP(free_charp) char *text = kv->value ? shown(classes, kv) : NULL;
        cJSON *value = text ? cJSON_CreateString(text) : cJSON_CreateNull();
        (void)cJSON_AddItemToObject(object, kv->key, value);
    }
    return object;
}

cJSON *secrets_plain(const struct kvs *config)
{
    cJSON *object = cJSON_CreateObject();
    for (size_t i = 0; i < config->n_items; i++) {
        const char *text = config->items[i].value;
        (void)cJSON_AddItemToObject(object, config->items[i].key,
                                    text ? cJSON_CreateString(text) : cJSON_CreateNull());
    }
    return object;
}

/* Whether a value stands for one that is hidden: the mask, or a URI with the mask as password. */
static bool is_masked(const struct kvs *config, const struct kvs *stored, const struct kv *kv)
{
    if (!kv->value || !strstr(kv->value, SECRET_MASK)) {
        return false;
    }
    if (strcmp(kv->value, SECRET_MASK) == 0) {
        return secret_key(config, kv->key) || (stored && secret_key(stored, kv->key));
    }
    return strstr(kv->value, ":" SECRET_MASK "@") != NULL;
}

/* What the mask at kv stands for, NULL if nothing. */
static const char *stored_value(const struct kvs *stored, const struct kv *kv)
{
    const char *old = stored ? kvs_get(stored, kv->key) : NULL;
    if (!old || strcmp(kv->value, SECRET_MASK) == 0) {
        return old;
    }
    CLEANUP(free_charp) char *masked = secrets_mask_uris(old);
    return strcmp(masked, kv->value) == 0 ? old : NULL;
}

const char *secrets_restore(struct kvs *config, const struct kvs *stored)
{
    const char *lost = NULL;
    for (size_t i = 0; i < config->n_items; i++) {
        struct kv *kv = &config->items[i];
        if (!is_masked(config, stored, kv)) {
            continue;
        }
        const char *old = stored_value(stored, kv);
        if (old && strcmp(old, SECRET_MASK) != 0) {
            kvs_set(config, kv->key, old);
        } else if (!lost) {
            lost = kv->key;
        }
    }
    return lost;
}

static bool has_value(const struct kvs *config, const struct kv *kv)
{
    const char *value = kvs_get(config, kv->key);
    return value && strcmp(value, kv->value) == 0;
}

const char *secrets_uncovered(const struct kvs *config, const struct kvs *stored,
                              const struct kvs *given)
{
    for (size_t i = 0; stored && i < config->n_items; i++) {
        const struct kv *kv = &config->items[i];
        bool taken_over = kv->value && kv->value[0] && !secret_placeholder(kv->value) &&
                          has_value(stored, kv) && !has_value(given, kv);
        if (taken_over && secret_key(stored, kv->key) && !secret_key(config, kv->key)) {
            return kv->key;
        }
    }
    return NULL;
}

char *secrets_redact(const char *text, const struct kvs *config)
{
    struct redactions set;
    redactions_init(&set);
    secrets_collect(config, config, &set);
    char *redacted = redactions_apply_cut(&set, text);
    redactions_fini(&set);
    char *result = secrets_mask_uris(redacted);
    free(redacted);
    return result;
}
