/* SPDX-License-Identifier: Apache-2.0 */
/* Open-addressing hash map with linear probing. See map.h. */
#include "worker/base/map.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/random.h>

#include "worker/base/mem.h"

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void make_seed(void)
{
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        seed = (uintptr_t)&seed;
    }
}

static size_t hash(const char *key)
{
    (void)pthread_once(&seed_once, make_seed);
    uint64_t h = seed;
    for (const unsigned char *p = (const unsigned char *)key; *p; p++) {
        h = (h ^ *p) * 0x100000001b3U;
        h ^= h >> 29;
    }
    return (size_t)(h ^ (h >> 32));
}

void map_init(struct map *map)
{
    *map = (struct map){ .entries = NULL };
}

void map_fini(struct map *map)
{
    for (size_t i = 0; i < map->size; i++) {
        free(map->entries[i].key);
    }
    free(map->entries);
    map_init(map);
}

/* The entry of key, or the free place where it would go. */
static struct map_entry *probe(const struct map *map, const char *key)
{
    size_t i = hash(key) & (map->size - 1);
    while (map->entries[i].key && strcmp(map->entries[i].key, key) != 0) {
        i = (i + 1) & (map->size - 1);
    }
    return &map->entries[i];
}

static void grow(struct map *map)
{
    struct map old = *map;
    map->size = old.size ? old.size * 2 : 16;
    map->entries = xcalloc(map->size, sizeof(*map->entries));
    for (size_t i = 0; i < old.size; i++) {
        if (old.entries[i].key) {
            *probe(map, old.entries[i].key) = old.entries[i];
        }
    }
    free(old.entries);
}

void *map_get(const struct map *map, const char *key)
{
    return map->size ? probe(map, key)->value : NULL;
}

void *map_set(struct map *map, const char *key, void *value)
{
    ASSERT(value != NULL);
    if (map->n_entries * 2 >= map->size) {
        grow(map);
    }
    struct map_entry *entry = probe(map, key);
    void *old = entry->value;
    if (!entry->key) {
        entry->key = xstrdup(key);
        map->n_entries++;
    }
    entry->value = value;
    return old;
}

void *map_remove(struct map *map, const char *key)
{
    struct map_entry *entry = map->size ? probe(map, key) : NULL;
    if (!entry || !entry->key) {
        return NULL;
    }
    void *value = entry->value;
    free(entry->key);
    *entry = (struct map_entry){ NULL, NULL };
    map->n_entries--;
    /* Entries behind the hole may have probed past it: put each in its place again. */
    size_t i = (size_t)(entry - map->entries);
    for (i = (i + 1) & (map->size - 1); map->entries[i].key; i = (i + 1) & (map->size - 1)) {
        struct map_entry moved = map->entries[i];
        map->entries[i] = (struct map_entry){ NULL, NULL };
        *probe(map, moved.key) = moved;
    }
    return value;
}
