/* SPDX-License-Identifier: Apache-2.0 */
/* ValueToKey: a new key out of fields of the value. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

#define PURPOSE "copying fields from value to key"

static const struct config_def rows[] = {
    FILLED_LIST_ROW("fields", "Fields of the value that make the key."),
    NULL_DEFAULT_ROW,
};

struct value_to_key {
    struct config_list fields;
    bool plain;
};

static void close_value_to_key(void *state)
{
    struct value_to_key *to_key = state;
    config_list_fini(&to_key->fields);
    free(to_key);
}

static enum err open_value_to_key(const struct kvs *config, void **ret_state,
                                  struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct value_to_key *to_key = xcalloc(1, sizeof(*to_key));
    config_list(&table, config, "fields", &to_key->fields);
    to_key->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    *ret_state = to_key;
    return ERR_OK;
}

static enum err key_from_map(const struct value_to_key *to_key, struct connect_record *record,
                             struct error *reterr)
{
    enum err err = require_map(&record->value, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct value_entry *none = NULL;
    struct value key = value_map(record->arena, 0, &none);
    for (size_t i = 0; i < to_key->fields.n_items; i++) {
        const struct value *field = value_field(&record->value, to_key->fields.items[i]);
        struct value value = field ? *field : null_value();
        key = map_with(record->arena, &key, to_key->fields.items[i], &value);
    }
    record->key = key;
    return ERR_OK;
}

static enum err key_from_struct(const struct value_to_key *to_key, struct connect_record *record,
                                struct error *reterr)
{
    const struct value *value = &record->value;
    enum err err = require_struct(value, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    size_t n = to_key->fields.n_items;
    struct schema *schema = schema_struct(record->arena, NULL, n);
    struct value *fields = arena_array(record->arena, n, sizeof(*fields));
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        int at = schema_find(value->schema, to_key->fields.items[i]);
        if (at < 0) {
            return error_set(reterr, ERR_INVALID, "Field does not exist: %s",
                             to_key->fields.items[i]);
        }
        const struct schema_field *field = &value->schema->fields[at];
        fields[i] = *value_or_default(value, (size_t)at, to_key->plain);
        err = schema_add_field(schema, field->name, field->schema, reterr);
    }
    if (err == ERR_OK) {
        record->key = (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = fields };
    }
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target UNUSED,
                      struct error *reterr)
{
    return record->value.schema ? key_from_struct(state, record, reterr)
                                : key_from_map(state, record, reterr);
}

const struct transform_kind value_to_key_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_value_to_key,
    .close = close_value_to_key,
    .apply = apply,
};
