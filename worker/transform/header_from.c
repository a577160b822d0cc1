/* SPDX-License-Identifier: Apache-2.0 */
/* HeaderFrom: fields become headers, and stay or go. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

static const char *const operations[] = { "move", "copy", NULL };

static const struct config_def rows[] = {
    FILLED_LIST_ROW("fields", "Fields whose values become headers."),
    FILLED_LIST_ROW("headers", "Names of the headers, in the order of the fields."),
    { .name = "operation",
      .type = CONFIG_STRING,
      .required = true,
      .values = operations,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "move takes the fields out of the key or value, copy leaves them there." },
    NULL_DEFAULT_ROW,
};

struct header_from {
    struct config_list fields;
    struct config_list headers;
    bool move;
    bool plain;
};

static void close_header_from(void *state)
{
    struct header_from *from = state;
    config_list_fini(&from->fields);
    config_list_fini(&from->headers);
    free(from);
}

static enum err open_header_from(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    CLEANUP(free_charp) char *operation = config_text(&table, config, "operation");
    struct header_from *from = xcalloc(1, sizeof(*from));
    config_list(&table, config, "fields", &from->fields);
    config_list(&table, config, "headers", &from->headers);
    from->move = strcmp(operation, "move") == 0;
    from->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    if (from->fields.n_items != from->headers.n_items) {
        close_header_from(from);
        return error_set(reterr, ERR_INVALID,
                         "'fields' config must have the same number of elements as 'headers' "
                         "config.");
    }
    *ret_state = from;
    return ERR_OK;
}

static enum err take_field(const struct header_from *from, struct connect_record *record,
                           const struct value *source, size_t i, struct error *reterr)
{
    const char *name = from->fields.items[i];
    const struct value *field = value_field(source, name);
    struct value value = field ? *field : null_value();
    value.schema = NULL;
    if (source->type == VALUE_STRUCT) {
        int at = schema_find(source->schema, name);
        if (at < 0) {
            return error_set(reterr, ERR_INVALID, "Field does not exist: %s", name);
        }
        value = *value_or_default(source, (size_t)at, from->plain);
        value.schema = source->schema->fields[at].schema;
    }
    return add_header(record, from->headers.items[i], &value, reterr);
}

static enum err struct_without(const struct header_from *from, struct arena *arena,
                               struct value *target, struct error *reterr)
{
    const struct schema *old = target->schema;
    struct schema *schema = schema_struct(arena, old, old->n_fields);
    struct value *fields = arena_array(arena, old->n_fields, sizeof(*fields));
    enum err err = ERR_OK;
    for (size_t i = 0; i < old->n_fields && err == ERR_OK; i++) {
        if (!list_has(&from->fields, old->fields[i].name)) {
            fields[schema->n_fields] = *value_or_default(target, i, from->plain);
            err = schema_add_field(schema, old->fields[i].name, old->fields[i].schema, reterr);
        }
    }
    *target = (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = fields };
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct header_from *from = state;
    const char *purpose = from->move ? "header move" : "header copy";
    enum err err = target->schema ? require_struct(target, purpose, reterr)
                                  : require_map(target, purpose, reterr);
    for (size_t i = 0; i < from->fields.n_items && err == ERR_OK; i++) {
        err = take_field(from, record, target, i, reterr);
    }
    if (err != ERR_OK || !from->move) {
        return err;
    }
    if (target->schema) {
        return struct_without(from, record->arena, target, reterr);
    }
    *target = map_without(record->arena, target, &from->fields);
    return ERR_OK;
}

const struct transform_kind header_from_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_header_from,
    .close = close_header_from,
    .apply = apply,
};
