/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ordered map of strings, as connector configs and property files are: keeps the order of
 * insertion, a key at most once; a value may be NULL (JSON null). Values may be secrets: they are
 * overwritten before they are freed. Thread: the owner's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct kv {
    char *key;
    char *value; /* NULL for null */
};

struct kvs {
    struct kv *items;
    size_t n_items;
    size_t size;
};

/* kvs_init makes an empty map, kvs_fini releases it. */
void kvs_init(struct kvs *kvs);
void kvs_fini(struct kvs *kvs);
/* kvs_set copies key and value (may be NULL) in, replacing an earlier value in its place. */
void kvs_set(struct kvs *kvs, const char *key, const char *value);
/* kvs_has tells whether key is there, also with a null value. */
bool kvs_has(const struct kvs *kvs, const char *key);
/* kvs_get returns the value, NULL when absent or null; borrowed until the next change. */
const char *kvs_get(const struct kvs *kvs, const char *key);
/* kvs_remove drops key if it is there. */
void kvs_remove(struct kvs *kvs, const char *key);
/* kvs_copy adds all of `from` to `to`. */
void kvs_copy(struct kvs *to, const struct kvs *from);
/* kvs_equal compares keys and values, whatever their order. */
bool kvs_equal(const struct kvs *a, const struct kvs *b);
