/* SPDX-License-Identifier: Apache-2.0 */
/* ExtractField: one field takes the place of the whole key or value. */
#include <strings.h>

#include "worker/base/mem.h"
#include "worker/transform/field_path.h"
#include "worker/transform/kinds.h"

#define PURPOSE "field extraction"

static const struct config_def rows[] = {
    { .name = "field",
      .type = CONFIG_STRING,
      .required = true,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Name of the field." },
    NULL_DEFAULT_ROW,
    { .name = FIELD_SYNTAX_KEY,
      .type = CONFIG_STRING,
      .default_value = "V1",
      .values = field_path_versions,
      .compare = CONFIG_ANY_CASE,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "V1: the name is that of a field of the key or value itself. V2: names with dots "
             "between them lead to fields inside fields; a name with dots stands in backticks." },
};

struct extract_field {
    char *text;
    struct field_path path;
    bool plain;
};

static void close_extract(void *state)
{
    struct extract_field *extract = state;
    field_path_fini(&extract->path);
    free(extract->text);
    free(extract);
}

static enum err open_extract(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    CLEANUP(free_charp) char *version = config_text(&table, config, FIELD_SYNTAX_KEY);
    struct extract_field *extract = xcalloc(1, sizeof(*extract));
    extract->text = config_text(&table, config, "field");
    extract->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    enum err err =
        field_path_init(&extract->path, extract->text, strcasecmp(version, "V2") == 0, reterr);
    if (err != ERR_OK) {
        close_extract(extract);
        return err;
    }
    *ret_state = extract;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record UNUSED, struct value *target,
                      struct error *reterr)
{
    const struct extract_field *extract = state;
    const struct schema *schema = target->schema;
    const struct schema *field = NULL;
    bool is_null = target->type == VALUE_NULL;
    enum err err = ERR_OK;
    if (schema) {
        err = is_null ? ERR_OK : require_struct(target, PURPOSE, reterr);
        field = field_path_schema(&extract->path, schema);
    } else {
        err = is_null ? ERR_OK : require_map(target, PURPOSE, reterr);
    }
    if (err == ERR_OK && schema && !field) {
        err = error_set(reterr, ERR_INVALID, "Unknown field: %s", extract->text);
    }
    struct value value = null_value();
    if (err == ERR_OK && !is_null) {
        err = field_path_value(&extract->path, target, extract->plain, &value, reterr);
    }
    if (err == ERR_OK) {
        *target = value;
        target->schema = field;
    }
    return err;
}

const struct transform_kind extract_field_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_extract,
    .close = close_extract,
    .apply = apply,
};
