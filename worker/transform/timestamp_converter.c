/* SPDX-License-Identifier: Apache-2.0 */
/* TimestampConverter: times as text, numbers, or dates. */
#include "worker/base/date_format.h"
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

#define PURPOSE    "converting timestamp formats"
#define MS_PER_DAY INT64_C(86400000)

enum form {
    FORM_STRING,
    FORM_UNIX,
    FORM_DATE,
    FORM_TIME,
    FORM_TIMESTAMP
};

static const char *const forms[] = { "string", "unix", "Date", "Time", "Timestamp", NULL };
static const char *const precisions[] = { "nanoseconds", "microseconds", "milliseconds", "seconds",
                                          NULL };

static const struct config_def rows[] = {
    { .name = "field",
      .type = CONFIG_STRING,
      .default_value = "",
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "The field with the time; empty: the key or value is one." },
    { .name = "target.type",
      .type = CONFIG_STRING,
      .required = true,
      .values = forms,
      .importance = CONFIG_HIGH,
      .order = -1,
      .doc = "What the time becomes." },
    { .name = "format",
      .type = CONFIG_STRING,
      .default_value = "",
      .check = check_date_format,
      .importance = CONFIG_MEDIUM,
      .order = -1,
      .doc = "Pattern of java.text.SimpleDateFormat for times that are or become texts, in UTC." },
    { .name = "unix.precision",
      .type = CONFIG_STRING,
      .default_value = "milliseconds",
      .values = precisions,
      .importance = CONFIG_LOW,
      .order = -1,
      .doc = "What times that are or become numbers count. Times are kept in milliseconds." },
    NULL_DEFAULT_ROW,
};

struct timestamp_converter {
    char *field;
    char *pattern;
    enum form target;
    struct date_format *format; /* NULL: none */
    int64_t multiply;           /* of milliseconds, to the unit of numbers */
    int64_t divide;
    bool plain;
};

static void close_converter(void *state)
{
    struct timestamp_converter *converter = state;
    free(converter->field);
    free(converter->pattern);
    date_format_free(converter->format);
    free(converter);
}

static size_t index_of(const char *const *list, const char *text)
{
    size_t i = 0;
    while (strcmp(list[i], text) != 0) {
        i++;
    }
    return i;
}

static enum err open_converter(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    static const int64_t factors[][2] = { { 1000000, 1 }, { 1000, 1 }, { 1, 1 }, { 1, 1000 } };
    CLEANUP(free_charp) char *target = config_text(&table, config, "target.type");
    CLEANUP(free_charp) char *precision = config_text(&table, config, "unix.precision");
    struct timestamp_converter *converter = xcalloc(1, sizeof(*converter));
    converter->field = config_text(&table, config, "field");
    converter->pattern = config_text(&table, config, "format");
    converter->target = (enum form)index_of(forms, target);
    converter->multiply = factors[index_of(precisions, precision)][0];
    converter->divide = factors[index_of(precisions, precision)][1];
    converter->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    enum err err = ERR_OK;
    if (converter->pattern[0] != '\0') {
        err = date_format_new(converter->pattern, &converter->format, reterr);
    } else if (converter->target == FORM_STRING) {
        err = error_set(reterr, ERR_INVALID,
                        "TimestampConverter requires format option to be specified when using "
                        "string timestamps");
    }
    if (err != ERR_OK) {
        close_converter(converter);
        return err;
    }
    *ret_state = converter;
    return ERR_OK;
}

/* ---- single times ---- */

static const struct schema *schema_of(enum form form, bool optional)
{
    switch (form) {
    case FORM_STRING:
        return schema_plain(SCHEMA_STRING, optional);
    case FORM_UNIX:
        return schema_plain(SCHEMA_INT64, optional);
    case FORM_DATE:
        return schema_time(LOGICAL_DATE, optional);
    case FORM_TIME:
        return schema_time(LOGICAL_TIME, optional);
    case FORM_TIMESTAMP:
        break;
    }
    return schema_time(LOGICAL_TIMESTAMP, optional);
}

/* The form of what is there: by its schema, else by its type. */
static enum err form_of(const struct schema *schema, const struct value *value, enum form *ret_form,
                        struct error *reterr)
{
    static const enum form by_logical[] = {
        [LOGICAL_DATE] = FORM_DATE,
        [LOGICAL_TIME] = FORM_TIME,
        [LOGICAL_TIMESTAMP] = FORM_TIMESTAMP,
    };
    enum schema_logical logical = schema_logical(schema);
    if (logical >= LOGICAL_DATE) {
        *ret_form = by_logical[logical];
    } else if (schema ? schema->type == SCHEMA_STRING : value->type == VALUE_STRING) {
        *ret_form = FORM_STRING;
    } else if (schema ? schema->type == SCHEMA_INT64 : value->type == VALUE_INT64) {
        *ret_form = FORM_UNIX;
    } else if (!schema && value->type == VALUE_DATE) {
        *ret_form = FORM_TIMESTAMP;
    } else if (schema) {
        return error_set(reterr, ERR_INVALID,
                         "Schema Schema{%s} does not correspond to a known timestamp type format",
                         schema->name ? schema->name : schema_type_text(schema->type));
    } else {
        return error_set(reterr, ERR_INVALID,
                         "TimestampConverter does not support class %s objects as timestamps",
                         value_class(value));
    }
    return ERR_OK;
}

static enum err parse_text(const struct timestamp_converter *converter, const struct value *value,
                           int64_t *ret_ms, struct error *reterr)
{
    const char *text = value->as.bytes.data;
    size_t length = value->as.bytes.length;
    if (!converter->format) {
        return error_set(reterr, ERR_INVALID,
                         "TimestampConverter requires format option to be specified when using "
                         "string timestamps");
    }
    if (date_format_parse(converter->format, text, length, ret_ms)) {
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID,
                     "Could not parse timestamp: value (%.*s) does not match pattern (%s)",
                     (int)(length < 200 ? length : 200), text, converter->pattern);
}

static enum err to_ms(const struct timestamp_converter *converter, enum form form,
                      const struct value *value, int64_t *ret_ms, struct error *reterr)
{
    if (form == FORM_STRING && value->type == VALUE_STRING) {
        return parse_text(converter, value, ret_ms, reterr);
    }
    if (form == FORM_UNIX && value->type == VALUE_INT64) {
        int64_t ms = value->as.number / converter->multiply;
        if (__builtin_mul_overflow(ms, converter->divide, &ms)) {
            ms = value->as.number < 0 ? INT64_MIN : INT64_MAX;
        }
        *ret_ms = ms;
        return ERR_OK;
    }
    if (form >= FORM_DATE && value->type == VALUE_DATE) {
        *ret_ms = value->as.number;
        return ERR_OK;
    }
    return error_set(reterr, ERR_INVALID, "Expected a %s timestamp, but found class %s",
                     forms[form], value_class(value));
}

static int64_t floor_day(int64_t ms)
{
    return ms - ((ms % MS_PER_DAY) + MS_PER_DAY) % MS_PER_DAY;
}

static struct value from_ms(const struct timestamp_converter *converter, int64_t ms,
                            struct arena *arena)
{
    int64_t number = ms / converter->divide;
    switch (converter->target) {
    case FORM_STRING: {
        struct buf text;
        buf_init(&text);
        date_format_add(converter->format, ms, &text);
        struct value value =
            value_text(arena_strndup(arena, buf_text(&text), text.length), text.length);
        buf_fini(&text);
        return value;
    }
    case FORM_UNIX:
        if (__builtin_mul_overflow(number, converter->multiply, &number)) {
            number = ms < 0 ? INT64_MIN : INT64_MAX;
        }
        return value_whole(VALUE_INT64, number);
    case FORM_DATE:
        return value_whole(VALUE_DATE, floor_day(ms));
    case FORM_TIME:
        return value_whole(VALUE_DATE, ms - floor_day(ms));
    case FORM_TIMESTAMP:
        break;
    }
    return value_whole(VALUE_DATE, ms);
}

static enum err convert(const struct timestamp_converter *converter, const struct schema *schema,
                        struct value *value, struct arena *arena, struct error *reterr)
{
    enum form form = FORM_UNIX;
    int64_t ms = 0;
    if (value->type == VALUE_NULL) {
        return ERR_OK;
    }
    enum err err = form_of(schema, value, &form, reterr);
    err = err ? err : to_ms(converter, form, value, &ms, reterr);
    if (err == ERR_OK) {
        *value = from_ms(converter, ms, arena);
    }
    return err;
}

/* ---- records ---- */

static enum err convert_struct(const struct timestamp_converter *converter, struct arena *arena,
                               const struct schema *old, struct value *target, struct error *reterr)
{
    if (target->type != VALUE_NULL && target->type != VALUE_STRUCT) {
        return require_struct(target, PURPOSE, reterr);
    }
    enum err err = ERR_OK;
    struct schema *schema = schema_struct(arena, old, old->n_fields);
    struct value *fields = arena_array(arena, old->n_fields, sizeof(*fields));
    schema->optional = old->optional;
    for (size_t i = 0; i < old->n_fields && err == ERR_OK; i++) {
        const struct schema_field *field = &old->fields[i];
        bool meant = strcmp(field->name, converter->field) == 0;
        err = schema_add_field(
            schema, field->name,
            meant ? schema_of(converter->target, field->schema->optional) : field->schema, reterr);
        if (target->type == VALUE_STRUCT) {
            fields[i] = *value_or_default(target, i, converter->plain);
        }
        if (err == ERR_OK && meant) {
            err = convert(converter, field->schema, &fields[i], arena, reterr);
        }
    }
    if (target->type == VALUE_STRUCT) {
        *target = (struct value){ .type = VALUE_STRUCT, .as.fields = fields };
    }
    target->schema = schema;
    return err;
}

static enum err convert_map(const struct timestamp_converter *converter, struct arena *arena,
                            struct value *target, struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    const struct value *old = value_field(target, converter->field);
    struct value value = old ? *old : null_value();
    err = convert(converter, NULL, &value, arena, reterr);
    *target = map_with(arena, target, converter->field, &value);
    return err;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct timestamp_converter *converter = state;
    const struct schema *schema = target->schema;
    if (converter->field[0] == '\0') {
        enum err err = convert(converter, schema, target, record->arena, reterr);
        target->schema = schema ? schema_of(converter->target, schema->optional) : NULL;
        return err;
    }
    if (!schema) {
        return target->type == VALUE_NULL ? ERR_OK
                                          : convert_map(converter, record->arena, target, reterr);
    }
    return convert_struct(converter, record->arena, schema, target, reterr);
}

const struct transform_kind timestamp_converter_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_converter,
    .close = close_converter,
    .apply = apply,
};
