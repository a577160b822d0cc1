/* SPDX-License-Identifier: Apache-2.0 */
/* ReplaceField: leaves fields out and renames them. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

#define PURPOSE "field replacement"

/* The two sides of "old:new", cut in place; false if it is not that. */
static bool cut_pair(char *mapping, char **ret_new)
{
    char *colon = strchr(mapping, ':');
    if (!colon || colon == mapping || colon[1] == '\0' || strchr(colon + 1, ':')) {
        return false;
    }
    *colon = '\0';
    *ret_new = colon + 1;
    return true;
}

static enum err check_renames(const char *value, struct error *reterr)
{
    struct config_list list;
    config_list_split(value, &list);
    enum err err = ERR_OK;
    for (size_t i = 0; i < list.n_items && err == ERR_OK; i++) {
        CLEANUP(free_charp) char *mapping = xstrdup(list.items[i]);
        char *renamed = NULL;
        if (!cut_pair(mapping, &renamed)) {
            err = error_set(reterr, ERR_INVALID, "Invalid rename mapping: %s", list.items[i]);
        }
    }
    config_list_fini(&list);
    return err;
}

static const struct config_def rows[] = {
    { .name = "exclude",
      .type = CONFIG_LIST,
      .default_value = "",
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Fields to leave out; counts before include." },
    { .name = "include",
      .type = CONFIG_LIST,
      .default_value = "",
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Fields to keep; empty: all." },
    { .name = "renames",
      .type = CONFIG_LIST,
      .default_value = "",
      .check = check_renames,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Pairs old:new of names." },
    NULL_DEFAULT_ROW,
};

struct replace_field {
    struct config_list exclude;
    struct config_list include;
    struct config_list old_names;
    char **new_names; /* in old_names' texts */
    bool plain;
};

static void close_replace(void *state)
{
    struct replace_field *replace = state;
    config_list_fini(&replace->exclude);
    config_list_fini(&replace->include);
    config_list_fini(&replace->old_names);
    free(replace->new_names);
    free(replace);
}

static enum err open_replace(const struct kvs *config, void **ret_state,
                             struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct replace_field *replace = xcalloc(1, sizeof(*replace));
    config_list(&table, config, "exclude", &replace->exclude);
    config_list(&table, config, "include", &replace->include);
    config_list(&table, config, "renames", &replace->old_names);
    replace->new_names = xcalloc(replace->old_names.n_items + 1, sizeof(*replace->new_names));
    for (size_t i = 0; i < replace->old_names.n_items; i++) {
        bool good = cut_pair(replace->old_names.items[i], &replace->new_names[i]);
        ASSERT(good);
    }
    replace->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    *ret_state = replace;
    return ERR_OK;
}

static bool keeps(const struct replace_field *replace, const char *name)
{
    return !list_has(&replace->exclude, name) &&
           (replace->include.n_items == 0 || list_has(&replace->include, name));
}

/* The new name, or the name itself. */
static const char *renamed(const struct replace_field *replace, const char *name)
{
    for (size_t i = replace->old_names.n_items; i > 0; i--) {
        if (strcmp(replace->old_names.items[i - 1], name) == 0) {
            return replace->new_names[i - 1];
        }
    }
    return name;
}

static bool is_new_name(const struct replace_field *replace, const char *name)
{
    for (size_t i = 0; i < replace->old_names.n_items; i++) {
        if (strcmp(replace->new_names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The place for a name: that of an entry of the same name, which only a new name can meet. */
static size_t place_for(const struct replace_field *replace, const struct value *map,
                        const char *name)
{
    for (size_t i = 0; is_new_name(replace, name) && i < map->as.map.n_entries; i++) {
        if (value_equals_text(&map->as.map.entries[i].key, name)) {
            return i;
        }
    }
    return map->as.map.n_entries;
}

static enum err replace_in_map(const struct replace_field *replace, struct arena *arena,
                               struct value *target, struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct value_entry *entries = NULL;
    struct value map = value_map(arena, target->as.map.n_entries, &entries);
    for (size_t i = 0; i < target->as.map.n_entries; i++) {
        const struct value_entry *entry = &target->as.map.entries[i];
        const char *name = entry_name(arena, entry);
        if (!name || !keeps(replace, name)) {
            continue;
        }
        name = renamed(replace, name);
        size_t at = place_for(replace, &map, name);
        entries[at] = (struct value_entry){ value_text(name, strlen(name)), entry->value };
        map.as.map.n_entries += at == map.as.map.n_entries;
    }
    *target = map;
    return ERR_OK;
}

static enum err replace_in_struct(const struct replace_field *replace, struct arena *arena,
                                  struct value *target, struct error *reterr)
{
    enum err err = require_struct(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct schema *old = target->schema;
    struct schema *schema = schema_struct(arena, old, old->n_fields);
    struct value *fields = arena_array(arena, old->n_fields, sizeof(*fields));
    for (size_t i = 0; i < old->n_fields; i++) {
        if (!keeps(replace, old->fields[i].name)) {
            continue;
        }
        fields[schema->n_fields] = *value_or_default(target, i, replace->plain);
        err = schema_add_field(schema, renamed(replace, old->fields[i].name), old->fields[i].schema,
                               reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    *target = (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = fields };
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct replace_field *replace = state;
    if (target->type == VALUE_NULL) {
        return ERR_OK;
    }
    return target->schema ? replace_in_struct(replace, record->arena, target, reterr)
                          : replace_in_map(replace, record->arena, target, reterr);
}

const struct transform_kind replace_field_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_replace,
    .close = close_replace,
    .apply = apply,
};
