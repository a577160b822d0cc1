/* SPDX-License-Identifier: Apache-2.0 */
/* What transforms share. See util.h. */
#include "worker/transform/util.h"

#include "worker/base/mem.h"

enum err check_filled(const char *value, struct error *reterr)
{
    struct config_list list;
    config_list_split(value, &list);
    size_t n = list.n_items;
    config_list_fini(&list);
    return n > 0 ? ERR_OK : error_set(reterr, ERR_INVALID, "Empty list");
}

enum err require_struct(const struct value *value, const char *purpose, struct error *reterr)
{
    if (value->type == VALUE_STRUCT) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID, "Only Struct objects supported for [%s], found: %s",
                     purpose, value_class(value));
}

enum err require_map(const struct value *value, const char *purpose, struct error *reterr)
{
    if (value->type == VALUE_MAP) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Only Map objects supported in absence of schema for [%s], found: %s", purpose,
                     value_class(value));
}

bool list_has(const struct config_list *list, const char *text)
{
    for (size_t i = 0; i < list->n_items; i++) {
        if (strcmp(list->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

struct value map_with(struct arena *arena, const struct value *map, const char *name,
                      const struct value *value)
{
    size_t n = map->as.map.n_entries;
    struct value_entry *entries = NULL;
    struct value copy = value_map(arena, n + 1, &entries);
    size_t at = n;
    for (size_t i = 0; i < n; i++) {
        entries[i] = map->as.map.entries[i];
        if (value_equals_text(&entries[i].key, name)) {
            at = i;
        }
    }
    entries[at].key = value_text(name, strlen(name));
    entries[at].value = *value;
    copy.as.map.n_entries = at == n ? n + 1 : n;
    return copy;
}

const char *entry_name(struct arena *arena, const struct value_entry *entry)
{
    if (entry->key.type != VALUE_STRING) {
        return NULL;
    }
    return arena_strndup(arena, entry->key.as.bytes.data, entry->key.as.bytes.length);
}

struct value map_without(struct arena *arena, const struct value *map,
                         const struct config_list *names)
{
    struct value_entry *entries = NULL;
    struct value copy = value_map(arena, map->as.map.n_entries, &entries);
    for (size_t i = 0; i < map->as.map.n_entries; i++) {
        const char *name = entry_name(arena, &map->as.map.entries[i]);
        if (!name || !list_has(names, name)) {
            entries[copy.as.map.n_entries++] = map->as.map.entries[i];
        }
    }
    return copy;
}

struct value null_value(void)
{
    return (struct value){ .type = VALUE_NULL };
}

enum err add_header(struct connect_record *record, const char *name, const struct value *value,
                    struct error *reterr)
{
    if (record->n_headers == RECORD_MAX_HEADERS) {
        return error_set(reterr, ERR_TOO_LARGE,
                         "a record has at most %d headers: there is no room "
                         "for %s",
                         RECORD_MAX_HEADERS, name);
    }
    record->headers[record->n_headers++] = (struct connect_header){ name, *value };
    return ERR_OK;
}
