/* SPDX-License-Identifier: Apache-2.0 */
/* SetSchemaMetadata: another name or version for the schema of the key or value. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

static const struct config_def rows[] = {
    { .name = "schema.name",
      .type = CONFIG_STRING,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "The new name." },
    { .name = "schema.version",
      .type = CONFIG_INT,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "The new version." },
    NULL_DEFAULT_ROW,
};

struct set_schema_metadata {
    char *name; /* NULL: stays */
    bool has_version;
    int32_t version;
    bool plain;
};

static void close_set(void *state)
{
    struct set_schema_metadata *set = state;
    free(set->name);
    free(set);
}

static enum err open_set(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct set_schema_metadata *set = xcalloc(1, sizeof(*set));
    CLEANUP(free_charp) char *version = config_text(&table, config, "schema.version");
    set->name = config_text(&table, config, "schema.name");
    set->has_version = version != NULL;
    set->version = (int32_t)config_int(&table, config, "schema.version");
    set->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    if (!set->name && !set->has_version) {
        close_set(set);
        return error_set(reterr, ERR_INVALID, "Neither schema name nor version configured");
    }
    *ret_state = set;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct set_schema_metadata *set = state;
    if (!target->schema) {
        return target->type == VALUE_NULL
                   ? ERR_OK
                   : error_set(reterr, ERR_INVALID,
                               "Schema required for [updating schema metadata]");
    }
    struct schema *schema = schema_copy(record->arena, target->schema);
    if (set->name) {
        schema->name = set->name;
    }
    if (set->has_version) {
        schema->has_version = true;
        schema->version = set->version;
    }
    if (target->type == VALUE_STRUCT) {
        struct value *fields = NULL;
        struct value value = value_struct(record->arena, schema, &fields);
        for (size_t i = 0; i < schema->n_fields; i++) {
            fields[i] = *value_or_default(target, i, set->plain);
        }
        *target = value;
    }
    target->schema = schema;
    return ERR_OK;
}

const struct transform_kind set_schema_metadata_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_set,
    .close = close_set,
    .apply = apply,
};
