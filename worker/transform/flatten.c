/* SPDX-License-Identifier: Apache-2.0 */
/* Flatten: fields inside fields become fields of the key or value itself, with joined names. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

#define PURPOSE "flattening"
static const struct config_def rows[] = {
    { .name = "delimiter",
      .type = CONFIG_STRING,
      .default_value = ".",
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Text between the parts of a joined name." },
};

/* What is being made. */
struct flat {
    const char *delimiter;
    struct arena *arena;
    struct schema_field *fields; /* of a struct */
    struct value_entry *entries; /* of a map */
    struct value *values;        /* of a struct */
    size_t n;
};

static enum err open_flatten(const struct kvs *config, void **ret_state,
                             struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    *ret_state = config_text(&table, config, "delimiter");
    return ERR_OK;
}

static const char *joined(const struct flat *flat, const char *prefix, const char *name)
{
    if (prefix[0] == '\0') {
        return name;
    }
    CLEANUP(free_charp) char *text = xasprintf("%s%s%s", prefix, flat->delimiter, name);
    return arena_strndup(flat->arena, text, strlen(text));
}

static enum err check_room(const struct flat *flat, struct error *reterr)
{
    return flat->n < SCHEMA_MAX_FIELDS
               ? ERR_OK
               : error_set(reterr, ERR_TOO_LARGE, "more than %d fields to flatten",
                           SCHEMA_MAX_FIELDS);
}

/* ---- maps ---- */

static enum err flatten_map(struct flat *flat, const char *prefix, const struct value *map,
                            struct error *reterr)
{
    for (size_t i = 0; i < map->as.map.n_entries; i++) {
        const struct value_entry *entry = &map->as.map.entries[i];
        const char *own = entry_name(flat->arena, entry);
        const char *name = joined(flat, prefix, own ? own : "");
        enum err err = check_room(flat, reterr);
        if (err == ERR_OK && entry->value.type == VALUE_MAP) {
            err = flatten_map(flat, name, &entry->value, reterr);
        } else if (err == ERR_OK && entry->value.type == VALUE_STRUCT) {
            err = error_set(reterr, ERR_INVALID,
                            "Flatten transformation does not support class %s for record without "
                            "schemas (for field %s).",
                            value_class(&entry->value), name);
        } else if (err == ERR_OK) {
            flat->entries[flat->n++] =
                (struct value_entry){ value_text(name, strlen(name)), entry->value };
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static size_t count_map(const struct value *map)
{
    size_t n = 0;
    for (size_t i = 0; i < map->as.map.n_entries; i++) {
        const struct value *value = &map->as.map.entries[i].value;
        n += value->type == VALUE_MAP ? count_map(value) : 1;
    }
    return n;
}

static enum err apply_map(struct flat *flat, struct value *target, struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct value map = value_map(flat->arena, count_map(target), &flat->entries);
    err = flatten_map(flat, "", target, reterr);
    map.as.map.n_entries = flat->n;
    *target = map;
    return err;
}

/* ---- structs ---- */

static size_t count_struct(const struct schema *schema)
{
    size_t n = 0;
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct schema *part = schema->fields[i].schema;
        n += part->type == SCHEMA_STRUCT ? count_struct(part) : 1;
    }
    return n;
}

/* The field's schema with what the structs around it add: optional, and a default. */
static const struct schema *flat_schema(const struct flat *flat, const struct schema *schema,
                                        bool optional, const struct value *fallback)
{
    struct schema *copy = schema_copy(flat->arena, schema);
    copy->optional = optional;
    copy->default_value = fallback;
    return copy;
}

/* Where in the tree of structs the work is. */
struct place {
    const char *prefix;
    bool optional;
    const struct value *fallback; /* default of the struct, NULL: none */
    const struct value *value;    /* NULL: the struct is null */
};

static const struct value *fallback_of(const struct place *place, const struct schema *schema,
                                       size_t i)
{
    if (schema->default_value) {
        return schema->default_value;
    }
    if (!place->fallback || place->fallback->type != VALUE_STRUCT) {
        return NULL;
    }
    const struct value *fallback = &place->fallback->as.fields[i];
    return fallback->type == VALUE_NULL ? NULL : fallback;
}

static enum err flatten_struct(struct flat *flat, const struct schema *schema,
                               const struct place *place, struct error *reterr)
{
    static const struct value none = { .type = VALUE_NULL };
    for (size_t i = 0; i < schema->n_fields; i++) {
        const struct schema *part = schema->fields[i].schema;
        const char *name = joined(flat, place->prefix, schema->fields[i].name);
        bool optional = place->optional || part->optional;
        const struct value *fallback = fallback_of(place, part, i);
        const struct value *value = place->value ? value_or_default(place->value, i, false) : &none;
        enum err err = check_room(flat, reterr);
        if (err == ERR_OK && part->type == SCHEMA_STRUCT) {
            struct place inner = { name, optional, fallback,
                                   value->type == VALUE_STRUCT ? value : NULL };
            err = flatten_struct(flat, part, &inner, reterr);
        } else if (err == ERR_OK && part->type == SCHEMA_MAP) {
            err = error_set(reterr, ERR_INVALID,
                            "Flatten transformation does not support %s for record with schemas "
                            "(for field %s).",
                            schema_type_text(part->type), name);
        } else if (err == ERR_OK) {
            flat->fields[flat->n].name = name;
            flat->fields[flat->n].schema = flat_schema(flat, part, optional, fallback);
            flat->values[flat->n++] = *value;
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err apply_struct(struct flat *flat, struct value *target, struct error *reterr)
{
    enum err err = require_struct(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct schema *old = target->schema;
    size_t n = count_struct(old);
    flat->fields = arena_array(flat->arena, n, sizeof(*flat->fields));
    flat->values = arena_array(flat->arena, n, sizeof(*flat->values));
    struct place place = { "", old->optional, old->default_value, target };
    err = flatten_struct(flat, old, &place, reterr);
    struct schema *schema = schema_struct(flat->arena, old, n);
    for (size_t i = 0; i < flat->n && err == ERR_OK; i++) {
        err = schema_add_field(schema, flat->fields[i].name, flat->fields[i].schema, reterr);
    }
    *target = (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = flat->values };
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    struct flat flat = { .delimiter = state, .arena = record->arena };
    if (target->type == VALUE_NULL) {
        return ERR_OK;
    }
    return target->schema ? apply_struct(&flat, target, reterr) : apply_map(&flat, target, reterr);
}

const struct transform_kind flatten_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_flatten,
    .close = free,
    .apply = apply,
};
