/* SPDX-License-Identifier: Apache-2.0 */
/* Source offsets. See config_offsets.h. */
#include "coordinator/config_offsets.h"

#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

static void source_offset_fini(struct source_offset *offset)
{
    free(offset->key);
    free(offset->partition);
    free(offset->canonical);
    free(offset->value);
}

static void source_offset_free(struct source_offset *offset)
{
    if (offset) {
        source_offset_fini(offset);
        free(offset);
    }
}

char *source_partition_canonical(const char *partition)
{
    CLEANUP(json_delete) cJSON *object = NULL;
    if (json_parse(partition, strlen(partition), &object, NULL) != ERR_OK ||
        !cJSON_IsObject(object)) {
        return NULL;
    }
    json_sort(object);
    return json_print_exact(object);
}

char *source_offset_key(const char *connector, const char *canonical)
{
    CLEANUP(json_delete) cJSON *array = cJSON_CreateArray();
    (void)cJSON_AddItemToArray(array, cJSON_CreateString(connector));
    cJSON *item = cJSON_CreateRaw(canonical);
    ASSERT(item != NULL);
    (void)cJSON_AddItemToArray(array, item);
    return json_print(array);
}

void offsets_free(struct map *connectors)
{
    MAP_FOREACH(connectors, item) {
        struct map *partitions = item->value;
        MAP_FOREACH(partitions, inner) {
            source_offset_free(inner->value);
        }
        map_fini(partitions);
        free(partitions);
    }
    map_fini(connectors);
}

static struct map *partitions_of(struct config_state *state, const char *connector)
{
    struct map *partitions = map_get(&state->offsets, connector);
    if (!partitions) {
        partitions = xmalloc(sizeof(*partitions));
        map_init(partitions);
        (void)map_set(&state->offsets, connector, partitions);
    }
    return partitions;
}

static void remove_offset(struct config_state *state, const char *connector, const char *partition)
{
    struct map *partitions = map_get(&state->offsets, connector);
    if (!partitions) {
        return;
    }
    source_offset_free(map_remove(partitions, partition));
    if (partitions->n_entries == 0) {
        (void)map_remove(&state->offsets, connector);
        map_fini(partitions);
        free(partitions);
    }
}

/* Members of a key ["<connector>",{..}]; false if it is none. */
static bool read_key(const cJSON *array, const char **ret_connector, cJSON **ret_partition)
{
    const cJSON *name = cJSON_GetArrayItem(array, 0);
    cJSON *partition = cJSON_GetArrayItem(array, 1);
    if (!cJSON_IsArray(array) || cJSON_GetArraySize(array) != 2 || !cJSON_IsString(name) ||
        !cJSON_IsObject(partition)) {
        return false;
    }
    *ret_connector = name->valuestring;
    *ret_partition = partition;
    return true;
}

bool fold_offset(struct config_state *state, const char *key, const struct log_record *record)
{
    CLEANUP(json_delete) cJSON *array = NULL;
    CLEANUP(json_delete) cJSON *value = NULL;
    const char *connector = NULL;
    cJSON *partition = NULL;
    if (json_parse(key, strlen(key), &array, NULL) != ERR_OK ||
        !read_key(array, &connector, &partition) ||
        (record->value &&
         (json_parse(record->value, record->value_length, &value, NULL) != ERR_OK ||
          (!cJSON_IsObject(value) && !cJSON_IsNull(value))))) {
        return false;
    }
    state->n_offset_changes++;
    state->changed = true;
    CLEANUP(free_charp) char *text = json_print_exact(partition);
    json_sort(partition);
    CLEANUP(free_charp) char *sorted = json_print_exact(partition);
    if (!cJSON_IsObject(value)) {
        remove_offset(state, connector, sorted);
        return true;
    }
    struct source_offset *offset = xmalloc(sizeof(*offset));
    *offset = (struct source_offset){
        .key = xstrdup(key),
        .partition = TAKE(text),
        .canonical = xstrdup(sorted),
        .value = xstrndup(record->value, record->value_length),
    };
    source_offset_free(map_set(partitions_of(state, connector), sorted, offset));
    return true;
}

const char *config_state_offset(const struct config_state *state, const char *connector,
                                const char *partition)
{
    CLEANUP(free_charp) char *sorted = source_partition_canonical(partition);
    const struct map *partitions = map_get(&state->offsets, connector);
    const struct source_offset *offset = partitions && sorted ? map_get(partitions, sorted) : NULL;
    return offset ? offset->value : NULL;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct source_offset *)a)->canonical,
                  ((const struct source_offset *)b)->canonical);
}

static char *copy_text(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static void add(struct source_offsets *offsets, const struct source_offset *offset)
{
    if (offsets->n_items == offsets->size) {
        offsets->size = offsets->size ? offsets->size * 2 : 16;
        offsets->items = xrealloc(offsets->items, offsets->size * sizeof(*offsets->items));
    }
    offsets->items[offsets->n_items++] = (struct source_offset){
        .key = copy_text(offset->key),
        .partition = copy_text(offset->partition),
        .canonical = copy_text(offset->canonical),
        .value = copy_text(offset->value),
    };
}

void config_state_offsets(const struct config_state *state, const char *connector,
                          struct source_offsets *ret_offsets)
{
    const struct map *partitions = map_get(&state->offsets, connector);
    *ret_offsets = (struct source_offsets){ .items = NULL };
    if (!partitions) {
        return;
    }
    MAP_FOREACH(partitions, item) {
        add(ret_offsets, item->value);
    }
    qsort(ret_offsets->items, ret_offsets->n_items, sizeof(*ret_offsets->items), compare);
}

void source_offsets_edit(struct source_offsets *edits, const char *key, const char *value)
{
    const struct source_offset edit = {
        .key = (char *)(uintptr_t)key,
        .value = (char *)(uintptr_t)value,
    };
    add(edits, &edit);
}

void source_offsets_copy(struct source_offsets *to, const struct source_offsets *from)
{
    for (size_t i = 0; i < from->n_items; i++) {
        add(to, &from->items[i]);
    }
}

void source_offsets_fini(struct source_offsets *offsets)
{
    for (size_t i = 0; i < offsets->n_items; i++) {
        source_offset_fini(&offsets->items[i]);
    }
    free(offsets->items);
    *offsets = (struct source_offsets){ .items = NULL };
}

const struct source_offset *source_offsets_find(const struct source_offsets *offsets,
                                                const char *canonical)
{
    const struct source_offset wanted = { .canonical = (char *)(uintptr_t)canonical };
    return offsets->n_items > 0 ? bsearch(&wanted, offsets->items, offsets->n_items,
                                          sizeof(*offsets->items), compare)
                                : NULL;
}
