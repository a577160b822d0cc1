/* SPDX-License-Identifier: Apache-2.0 */
/* Cast: fields, or the whole key or value, as another type. */
#include <ctype.h>
#include <strings.h>

#include "worker/base/base64.h"
#include "worker/base/mem.h"
#include "worker/convert/header_text.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"
#include "worker/value_number.h"

#define PURPOSE    "cast types"
#define MS_PER_DAY INT64_C(86400000)

static const struct {
    const char *name;
    enum schema_type schema;
    enum value_type value;
} types[] = {
    { "int8", SCHEMA_INT8, VALUE_INT8 },          { "int16", SCHEMA_INT16, VALUE_INT16 },
    { "int32", SCHEMA_INT32, VALUE_INT32 },       { "int64", SCHEMA_INT64, VALUE_INT64 },
    { "float32", SCHEMA_FLOAT32, VALUE_FLOAT32 }, { "float64", SCHEMA_FLOAT64, VALUE_FLOAT64 },
    { "boolean", SCHEMA_BOOLEAN, VALUE_BOOLEAN }, { "string", SCHEMA_STRING, VALUE_STRING },
};

/* One cast: the field, NULL for the whole, and the row of types. */
struct cast_item {
    char *field;
    size_t type;
};

struct cast {
    struct cast_item *items;
    size_t n_items;
    bool plain;
};

static char *trimmed(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    return xstrndup(text, length);
}

static enum err find_type(const char *name, size_t *ret_type, struct error *reterr)
{
    static const char *const others[] = { "bytes", "array", "map", "struct" };
    for (size_t i = 0; i < N_ELEMENTS(types); i++) {
        if (strcasecmp(types[i].name, name) == 0) {
            *ret_type = i;
            return ERR_OK;
        }
    }
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        if (strcasecmp(others[i], name) == 0) {
            return error_set(reterr, ERR_INVALID,
                             "Cast transformation does not support casting to %s; supported types "
                             "are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING]",
                             schema_type_text(SCHEMA_BYTES + (enum schema_type)i));
        }
    }
    return error_set(reterr, ERR_INVALID, "Invalid type found in casting spec: %s", name);
}

static enum err read_item(const char *mapping, struct cast_item *ret_item, struct error *reterr)
{
    const char *colon = strchr(mapping, ':');
    if (colon && strchr(colon + 1, ':')) {
        return error_set(reterr, ERR_INVALID, "Invalid rename mapping: %s", mapping);
    }
    const char *type = colon && colon[1] ? colon + 1 : mapping;
    size_t length = colon && !colon[1] ? (size_t)(colon - mapping) : strlen(type);
    CLEANUP(free_charp) char *name = trimmed(type, length);
    enum err err = find_type(name, &ret_item->type, reterr);
    if (err == ERR_OK) {
        ret_item->field = type == mapping ? NULL : trimmed(mapping, (size_t)(colon - mapping));
    }
    return err;
}

static void close_cast(void *state)
{
    struct cast *cast = state;
    for (size_t i = 0; i < cast->n_items; i++) {
        free(cast->items[i].field);
    }
    free(cast->items);
    free(cast);
}

/* Reads a spec; the casts are the caller's to close. */
static enum err read_spec(const char *spec, struct cast **ret_cast, struct error *reterr)
{
    struct config_list list;
    config_list_split(spec, &list);
    struct cast *cast = xcalloc(1, sizeof(*cast));
    cast->items = xcalloc(list.n_items + 1, sizeof(*cast->items));
    enum err err = ERR_OK;
    bool whole = false;
    for (size_t i = 0; i < list.n_items && err == ERR_OK; i++) {
        err = read_item(list.items[i], &cast->items[i], reterr);
        cast->n_items += err == ERR_OK;
        whole = whole || (err == ERR_OK && !cast->items[i].field);
    }
    if (err == ERR_OK && list.n_items == 0) {
        err = error_set(reterr, ERR_INVALID, "Must specify at least one field to cast.");
    }
    if (err == ERR_OK && whole && list.n_items > 1) {
        err = error_set(reterr, ERR_INVALID,
                        "Cast transformations that specify a type to cast the entire value to may "
                        "ony specify a single cast in their spec");
    }
    config_list_fini(&list);
    if (err != ERR_OK) {
        close_cast(cast);
        return err;
    }
    *ret_cast = cast;
    return ERR_OK;
}

static enum err check_spec(const char *value, struct error *reterr)
{
    struct cast *cast = NULL;
    enum err err = read_spec(value, &cast, reterr);
    if (err == ERR_OK) {
        close_cast(cast);
    }
    return err;
}

static const struct config_def rows[] = {
    { .name = "spec",
      .type = CONFIG_LIST,
      .required = true,
      .check = check_spec,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "Pairs field:type, or one type for the whole key or value: int8, int16, int32, int64, "
             "float32, float64, boolean, string. Bytes can only become a string." },
    NULL_DEFAULT_ROW,
};

static enum err open_cast(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    CLEANUP(free_charp) char *spec = config_text(&table, config, "spec");
    struct cast *cast = NULL;
    enum err err = read_spec(spec, &cast, reterr);
    if (err == ERR_OK) {
        cast->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
        *ret_state = cast;
    }
    return err;
}

/* ---- single values ---- */

static enum err unexpected(const struct value *value, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, "Unexpected type in Cast transformation: class %s",
                     value_class(value));
}

static struct value to_text(const struct value *value, struct arena *arena)
{
    struct buf text;
    buf_init(&text);
    if (value->type == VALUE_BYTES || value->type == VALUE_DATE) {
        header_text_add(value, false, &text);
    } else {
        value_add_text(value, &text);
    }
    struct value result =
        value_text(arena_strndup(arena, buf_text(&text), text.length), text.length);
    buf_fini(&text);
    return result;
}

static enum err to_boolean(const struct value *value, struct value *ret_value, struct error *reterr)
{
    if (java_is_number(value)) {
        struct value number = java_narrow(value, VALUE_INT64);
        *ret_value = value_truth(number.as.number != 0);
        return ERR_OK;
    }
    if (value->type == VALUE_STRING) {
        *ret_value = value_truth(value->as.bytes.length == 4 &&
                                 strncasecmp(value->as.bytes.data, "true", 4) == 0);
        return ERR_OK;
    }
    *ret_value = *value;
    return value->type == VALUE_BOOLEAN ? ERR_OK : unexpected(value, reterr);
}

static enum err text_to_number(const struct value *value, enum value_type type,
                               struct value *ret_value, struct error *reterr)
{
    const char *text = value->as.bytes.data;
    size_t length = value->as.bytes.length;
    *ret_value = (struct value){ .type = type };
    bool good = false;
    if (type == VALUE_FLOAT32 || type == VALUE_FLOAT64) {
        struct value number = { .type = VALUE_FLOAT64 };
        good = java_real(text, length, &number.as.real);
        *ret_value = java_narrow(&number, type);
    } else {
        good = java_whole(text, length, type, &ret_value->as.number);
    }
    return good ? ERR_OK
                : error_set(reterr, ERR_INVALID,
                            "Value (%.*s) was out of range for requested data type",
                            (int)(length < 200 ? length : 200), text);
}

static enum err to_number(const struct value *value, enum value_type type, struct value *ret_value,
                          struct error *reterr)
{
    if (value->type == VALUE_STRING) {
        return text_to_number(value, type, ret_value, reterr);
    }
    struct value number = *value;
    if (value->type == VALUE_BOOLEAN) {
        number = value_whole(VALUE_INT32, value->as.boolean);
    }
    if (!java_is_number(&number)) {
        return unexpected(value, reterr);
    }
    *ret_value = java_narrow(&number, type);
    return ERR_OK;
}

static enum err check_input(const struct schema *schema, const struct value *value,
                            struct error *reterr)
{
    enum schema_type type = SCHEMA_STRUCT;
    if (schema) {
        type = schema->type;
    } else if (!value_schema_type(value, &type)) {
        return error_set(reterr, ERR_INVALID,
                         "Cast transformation was passed a value of type class %s which is not "
                         "supported by Connect's data API",
                         value_class(value));
    }
    if (type <= SCHEMA_BYTES) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Cast transformation does not support casting from %s; supported types are "
                     "[INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]",
                     schema_type_text(type));
}

static enum err cast_value(const struct schema *schema, const struct value *value,
                           enum value_type type, struct arena *arena, struct value *ret_value,
                           struct error *reterr)
{
    if (value->type == VALUE_NULL) {
        *ret_value = null_value();
        return ERR_OK;
    }
    enum err err = check_input(schema, value, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (type == VALUE_STRING) {
        *ret_value = to_text(value, arena);
        return ERR_OK;
    }
    struct value inner = *value;
    if (schema_logical(schema) != LOGICAL_NONE && value->type == VALUE_DATE) {
        bool date = schema_logical(schema) == LOGICAL_DATE;
        inner = value_whole(VALUE_INT64, date ? value->as.number / MS_PER_DAY : value->as.number);
    }
    return type == VALUE_BOOLEAN ? to_boolean(&inner, ret_value, reterr)
                                 : to_number(&inner, type, ret_value, reterr);
}

/* ---- records ---- */

static const struct cast_item *find_item(const struct cast *cast, const char *field)
{
    for (size_t i = cast->n_items; i > 0; i--) {
        if (strcmp(cast->items[i - 1].field, field) == 0) {
            return &cast->items[i - 1];
        }
    }
    return NULL;
}

/* The schema of a cast value: the type alone, with the old one's optionality and default. */
static enum err cast_schema(const struct schema *old, const struct cast_item *item,
                            struct arena *arena, const struct schema **ret_schema,
                            struct error *reterr)
{
    struct schema *schema = arena_alloc(arena, sizeof(*schema));
    schema->type = types[item->type].schema;
    schema->optional = old->optional;
    if (old->default_value) {
        struct value *value = arena_alloc(arena, sizeof(*value));
        enum err err =
            cast_value(old, old->default_value, types[item->type].value, arena, value, reterr);
        if (err != ERR_OK) {
            return err;
        }
        schema->default_value = value;
    }
    *ret_schema = schema;
    return ERR_OK;
}

static enum err cast_whole(const struct cast *cast, struct arena *arena, struct value *target,
                           struct error *reterr)
{
    const struct schema *old = target->schema;
    struct value value;
    enum err err = cast_value(old, target, types[cast->items[0].type].value, arena, &value, reterr);
    if (err != ERR_OK) {
        return err;
    }
    value.schema = NULL;
    if (old) {
        const struct schema *made = NULL;
        err = cast_schema(old, &cast->items[0], arena, &made, reterr);
        if (err != ERR_OK) {
            return err;
        }
        struct schema *schema = schema_copy(arena, made);
        schema->name = old->name;
        schema->has_version = old->has_version;
        schema->version = old->version;
        schema->doc = old->doc;
        schema->parameters = old->parameters;
        schema->n_parameters = old->n_parameters;
        value.schema = schema;
    }
    *target = value;
    return ERR_OK;
}

static enum err cast_map(const struct cast *cast, struct arena *arena, struct value *target,
                         struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    for (size_t i = 0; i < cast->n_items && err == ERR_OK; i++) {
        const struct value *old = value_field(target, cast->items[i].field);
        struct value value = null_value();
        err = old ? cast_value(NULL, old, types[cast->items[i].type].value, arena, &value, reterr)
                  : ERR_OK;
        *target = map_with(arena, target, cast->items[i].field, &value);
    }
    return err;
}

static enum err cast_field(const struct cast *cast, const struct schema_field *field,
                           struct schema *schema, struct arena *arena, struct value *value,
                           struct error *reterr)
{
    const struct cast_item *item = find_item(cast, field->name);
    const struct schema *part = field->schema;
    enum err err = ERR_OK;
    if (item) {
        struct value old = *value;
        err = cast_schema(field->schema, item, arena, &part, reterr);
        err = err ? err
                  : cast_value(field->schema, &old, types[item->type].value, arena, value, reterr);
    }
    return err ? err : schema_add_field(schema, field->name, part, reterr);
}

static enum err cast_struct(const struct cast *cast, struct arena *arena, struct value *target,
                            struct error *reterr)
{
    enum err err = require_struct(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct schema *old = target->schema;
    struct schema *schema = schema_struct(arena, old, old->n_fields);
    schema->optional = old->optional;
    struct value *fields = arena_array(arena, old->n_fields, sizeof(*fields));
    for (size_t i = 0; i < old->n_fields && err == ERR_OK; i++) {
        fields[i] = *value_or_default(target, i, cast->plain);
        err = cast_field(cast, &old->fields[i], schema, arena, &fields[i], reterr);
    }
    *target = (struct value){ .type = VALUE_STRUCT, .schema = schema, .as.fields = fields };
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct cast *cast = state;
    if (target->type == VALUE_NULL) {
        return ERR_OK;
    }
    if (!cast->items[0].field) {
        return cast_whole(cast, record->arena, target, reterr);
    }
    return target->schema ? cast_struct(cast, record->arena, target, reterr)
                          : cast_map(cast, record->arena, target, reterr);
}

const struct transform_kind cast_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_cast,
    .close = close_cast,
    .apply = apply,
};
