/* SPDX-License-Identifier: Apache-2.0 */
/* Ordered map of strings. See kvs.h. */
#include "worker/base/kvs.h"

#include "worker/base/mem.h"

void kvs_init(struct kvs *kvs)
{
    *kvs = (struct kvs){ .items = NULL };
}

void kvs_fini(struct kvs *kvs)
{
    for (size_t i = 0; i < kvs->n_items; i++) {
        free(kvs->items[i].key);
        secret_free(kvs->items[i].value);
    }
    free(kvs->items);
    kvs_init(kvs);
}

static struct kv *find(const struct kvs *kvs, const char *key)
{
    for (size_t i = 0; i < kvs->n_items; i++) {
        if (strcmp(kvs->items[i].key, key) == 0) {
            return &kvs->items[i];
        }
    }
    return NULL;
}

void kvs_set(struct kvs *kvs, const char *key, const char *value)
{
    char *copy = value ? xstrdup(value) : NULL;
    struct kv *kv = find(kvs, key);
    if (kv) {
        secret_free(kv->value);
        kv->value = copy;
        return;
    }
    if (kvs->n_items == kvs->size) {
        kvs->size = kvs->size ? kvs->size * 2 : 16;
        kvs->items = xrealloc(kvs->items, kvs->size * sizeof(*kvs->items));
    }
    kvs->items[kvs->n_items++] = (struct kv){ xstrdup(key), copy };
}

bool kvs_has(const struct kvs *kvs, const char *key)
{
    return find(kvs, key) != NULL;
}

const char *kvs_get(const struct kvs *kvs, const char *key)
{
    const struct kv *kv = find(kvs, key);
    return kv ? kv->value : NULL;
}

void kvs_remove(struct kvs *kvs, const char *key)
{
    struct kv *kv = find(kvs, key);
    if (!kv) {
        return;
    }
    free(kv->key);
    secret_free(kv->value);
    size_t after = kvs->n_items - (size_t)(kv - kvs->items) - 1;
    memmove(kv, kv + 1, after * sizeof(*kv));
    kvs->n_items--;
}

void kvs_copy(struct kvs *to, const struct kvs *from)
{
    for (size_t i = 0; i < from->n_items; i++) {
        kvs_set(to, from->items[i].key, from->items[i].value);
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool kvs_equal(const struct kvs *a, const struct kvs *b)
{
    if (a->n_items != b->n_items) {
        return false;
    }
    for (size_t i = 0; i < a->n_items; i++) {
        const struct kv *kv = find(b, a->items[i].key);
        if (!kv || !same_text(kv->value, a->items[i].value)) {
            return false;
        }
    }
    return true;
}
