/* SPDX-License-Identifier: Apache-2.0 */
/* HoistField: puts the whole key or value into the one field of a new struct or map. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

static const struct config_def rows[] = {
    { .name = "field",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Name of the field that the key or value becomes." },
};

static enum err open_hoist(const struct kvs *config, void **ret_state, struct error *reterr UNUSED)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    *ret_state = config_text(&table, config, "field");
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const char *name = state;
    if (!target->schema) {
        struct value_entry *entries = NULL;
        struct value map = value_map(record->arena, 1, &entries);
        entries[0].key = value_text(name, strlen(name));
        entries[0].value = *target;
        map.as.map.n_entries = 1;
        *target = map;
        return ERR_OK;
    }
    enum err err = value_check(target->schema, target, name, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct schema *schema = schema_struct(record->arena, NULL, 1);
    err = schema_add_field(schema, name, target->schema, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct value *fields = NULL;
    struct value hoisted = value_struct(record->arena, schema, &fields);
    fields[0] = *target;
    *target = hoisted;
    return ERR_OK;
}

const struct transform_kind hoist_field_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_hoist,
    .close = free,
    .apply = apply,
};
