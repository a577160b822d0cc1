/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash map from strings to pointers; copies its keys, does not own its values. Thread: the
 * owner's. The hash is seeded per process, so that names from outside cannot be chosen to collide.
 */
#pragma once

#include <stddef.h>

#include "worker/base/macros.h"

struct map_entry {
    char *key; /* NULL: free place */
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t n_entries;
    size_t size; /* 0 or a power of two */
};

/* map_init makes an empty map; map_fini releases it, the values are the caller's. */
void map_init(struct map *map);
void map_fini(struct map *map);
/* map_get returns the value of key, NULL if absent. */
void *map_get(const struct map *map, const char *key);
/* map_set stores value (not NULL) and returns the one that it replaces, NULL if none. */
void *map_set(struct map *map, const char *key, void *value);
/* map_remove takes key out and returns its value, NULL if absent. */
void *map_remove(struct map *map, const char *key);

/* The map must not change during the walk. */
#define MAP_FOREACH(map, entry)                                                                    \
    for (struct map_entry *entry = (map)->entries; entry < (map)->entries + (map)->size; entry++)  \
        if (entry->key)
