/* SPDX-License-Identifier: Apache-2.0 */
/* MaskField: hides the values of fields behind an empty value of their type, or a fixed one. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"
#include "worker/value_number.h"

#define PURPOSE "mask fields"

static const struct config_def rows[] = {
    FILLED_LIST_ROW("fields", "Fields to hide."),
    { .name = "replacement",
      .type = CONFIG_STRING,
      .non_empty = true,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "What numbers and texts are replaced with; not set: 0 or an empty text." },
    NULL_DEFAULT_ROW,
};

struct mask_field {
    struct config_list fields;
    char *replacement; /* NULL: an empty value */
    bool plain;
};

static void close_mask(void *state)
{
    struct mask_field *mask = state;
    config_list_fini(&mask->fields);
    free(mask->replacement);
    free(mask);
}

static enum err open_mask(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct mask_field *mask = xcalloc(1, sizeof(*mask));
    config_list(&table, config, "fields", &mask->fields);
    mask->replacement = config_text(&table, config, "replacement");
    mask->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    *ret_state = mask;
    return ERR_OK;
}

static enum err empty_value(const struct value *old, struct value *ret_value, struct error *reterr)
{
    static const unsigned char zero = 0;
    static const struct decimal none = { &zero, 1, 0 };
    *ret_value = (struct value){ .type = old->type };
    switch (old->type) {
    case VALUE_DECIMAL:
        ret_value->as.decimal = &none;
        return ERR_OK;
    case VALUE_STRING:
        *ret_value = value_text("", 0);
        return ERR_OK;
    case VALUE_NULL:
    case VALUE_BOOLEAN:
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_DATE:
        return ERR_OK;
    case VALUE_BYTES:
    case VALUE_STRUCT:
        break;
    }
    return error_set(reterr, ERR_INVALID, "Cannot mask value of type: class %s", value_class(old));
}

/* The replacement as a number of the old value's type. */
static enum err replace_number(const struct mask_field *mask, const struct value *old,
                               struct arena *arena, struct value *ret_value, struct error *reterr)
{
    struct decimal *decimal = arena_alloc(arena, sizeof(*decimal));
    if (!decimal_parse(mask->replacement, strlen(mask->replacement), arena, decimal)) {
        return error_set(reterr, ERR_INVALID,
                         "Unable to convert %s (class java.lang.String) to a number",
                         mask->replacement);
    }
    struct value number = { .type = VALUE_DECIMAL, .as.decimal = decimal };
    *ret_value = old->type == VALUE_DECIMAL ? number : java_narrow(&number, old->type);
    return ERR_OK;
}

static enum err masked(const struct mask_field *mask, const struct value *old, struct arena *arena,
                       struct value *ret_value, struct error *reterr)
{
    if (old->type == VALUE_NULL || !mask->replacement) {
        return empty_value(old, ret_value, reterr);
    }
    if (old->type == VALUE_STRING) {
        *ret_value = value_text(mask->replacement, strlen(mask->replacement));
        return ERR_OK;
    }
    if (!java_is_number(old)) {
        return error_set(reterr, ERR_INVALID,
                         "Cannot mask value of type class %s with custom replacement.",
                         value_class(old));
    }
    return replace_number(mask, old, arena, ret_value, reterr);
}

static enum err mask_map(const struct mask_field *mask, struct arena *arena, struct value *target,
                         struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    for (size_t i = 0; i < mask->fields.n_items && err == ERR_OK; i++) {
        const char *name = mask->fields.items[i];
        const struct value *old = value_field(target, name);
        struct value value = null_value();
        err = old ? masked(mask, old, arena, &value, reterr) : ERR_OK;
        *target = map_with(arena, target, name, &value);
    }
    return err;
}

static enum err mask_struct(const struct mask_field *mask, struct arena *arena,
                            struct value *target, struct error *reterr)
{
    enum err err = require_struct(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct schema *schema = target->schema;
    struct value *fields = NULL;
    struct value value = value_struct(arena, schema, &fields);
    for (size_t i = 0; i < schema->n_fields && err == ERR_OK; i++) {
        fields[i] = *value_or_default(target, i, mask->plain);
        if (list_has(&mask->fields, schema->fields[i].name)) {
            struct value old = fields[i];
            err = masked(mask, &old, arena, &fields[i], reterr);
        }
    }
    *target = value;
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    return target->schema ? mask_struct(state, record->arena, target, reterr)
                          : mask_map(state, record->arena, target, reterr);
}

const struct transform_kind mask_field_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_mask,
    .close = close_mask,
    .apply = apply,
};
