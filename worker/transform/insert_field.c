/* SPDX-License-Identifier: Apache-2.0 */
/* InsertField: puts facts of the record, or a fixed text, into fields. */
#include "worker/base/mem.h"
#include "worker/transform/kinds.h"
#include "worker/transform/util.h"

#define PURPOSE "field insertion"

#define FIELD_ROW(key, text)                                                                       \
    {                                                                                              \
        .name = (key), .type = CONFIG_STRING, .importance = CONFIG_MEDIUM, .order = -1,            \
        .doc = (text)                                                                              \
    }

static const struct config_def rows[] = {
    FIELD_ROW("topic.field", "Field for the Kafka topic; ! behind the name makes it a required "
                             "field, ? an optional one, which is the default."),
    FIELD_ROW("partition.field", "Field for the Kafka partition, with ! or ? as above."),
    FIELD_ROW("offset.field", "Field for the Kafka offset, sinks only, with ! or ? as above."),
    FIELD_ROW("timestamp.field", "Field for the record's timestamp, with ! or ? as above."),
    FIELD_ROW("static.field", "Field for a fixed text, with ! or ? as above."),
    FIELD_ROW("static.value", "The fixed text."),
    NULL_DEFAULT_ROW,
};

enum fact {
    FACT_TOPIC,
    FACT_PARTITION,
    FACT_OFFSET,
    FACT_TIMESTAMP,
    FACT_STATIC,
    N_FACTS
};

struct insert_field {
    char *names[N_FACTS]; /* NULL: not inserted */
    bool required[N_FACTS];
    char *text;
    bool plain;
};

static void close_insert(void *state)
{
    struct insert_field *insert = state;
    for (size_t i = 0; i < N_FACTS; i++) {
        free(insert->names[i]);
    }
    free(insert->text);
    free(insert);
}

static enum err check_insert(const struct insert_field *insert, struct error *reterr)
{
    bool any = false;
    for (size_t i = 0; i < N_FACTS; i++) {
        any = any || insert->names[i];
    }
    if (!any) {
        return error_set(reterr, ERR_INVALID, "No field insertion configured");
    }
    if (insert->names[FACT_STATIC] && !insert->text) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value null for configuration static.value: No value specified "
                         "for static field: %s",
                         insert->names[FACT_STATIC]);
    }
    return ERR_OK;
}

static enum err open_insert(const struct kvs *config, void **ret_state, struct error *reterr)
{
    static const struct config_table table = CONFIG_TABLE(rows);
    struct insert_field *insert = xcalloc(1, sizeof(*insert));
    for (size_t i = 0; i < N_FACTS; i++) {
        char *name = config_text(&table, config, rows[i].name);
        size_t length = name ? strlen(name) : 0;
        if (length > 0 && (name[length - 1] == '!' || name[length - 1] == '?')) {
            insert->required[i] = name[length - 1] == '!';
            name[length - 1] = '\0';
        }
        insert->names[i] = name;
    }
    insert->text = config_text(&table, config, "static.value");
    insert->plain = !config_bool(&table, config, NULL_DEFAULT_KEY);
    enum err err = check_insert(insert, reterr);
    if (err != ERR_OK) {
        close_insert(insert);
        return err;
    }
    *ret_state = insert;
    return ERR_OK;
}

static const struct schema *schema_of_fact(const struct insert_field *insert, enum fact fact)
{
    static const enum schema_type types[] = {
        [FACT_TOPIC] = SCHEMA_STRING,
        [FACT_PARTITION] = SCHEMA_INT32,
        [FACT_OFFSET] = SCHEMA_INT64,
        [FACT_STATIC] = SCHEMA_STRING,
    };
    bool optional = !insert->required[fact];
    return fact == FACT_TIMESTAMP ? schema_time(LOGICAL_TIMESTAMP, optional)
                                  : schema_plain(types[fact], optional);
}

/* What a fact is for this record; null if it has none. */
static struct value value_of_fact(const struct insert_field *insert, enum fact fact,
                                  const struct connect_record *record, bool typed)
{
    switch (fact) {
    case FACT_TOPIC:
        return value_text(record->topic, strlen(record->topic));
    case FACT_PARTITION:
        return record->partition < 0 ? null_value() : value_whole(VALUE_INT32, record->partition);
    case FACT_OFFSET:
        return value_whole(VALUE_INT64, record->offset);
    case FACT_TIMESTAMP:
        return value_whole(typed ? VALUE_DATE : VALUE_INT64, record->timestamp_ms);
    case FACT_STATIC:
        return insert->text ? value_text(insert->text, strlen(insert->text)) : null_value();
    case N_FACTS:
        break;
    }
    return null_value();
}

static enum err insert_into_map(const struct insert_field *insert, struct connect_record *record,
                                struct value *target, struct error *reterr)
{
    enum err err = require_map(target, PURPOSE, reterr);
    for (enum fact fact = 0; fact < N_FACTS && err == ERR_OK; fact++) {
        struct value value = value_of_fact(insert, fact, record, false);
        if (insert->names[fact] && value.type != VALUE_NULL) {
            *target = map_with(record->arena, target, insert->names[fact], &value);
        }
    }
    return err;
}

static enum err insert_into_struct(const struct insert_field *insert, struct connect_record *record,
                                   struct value *target, struct error *reterr)
{
    enum err err = require_struct(target, PURPOSE, reterr);
    if (err != ERR_OK) {
        return err;
    }
    size_t n = target->schema->n_fields;
    struct schema *schema = schema_struct(record->arena, target->schema, n + N_FACTS);
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        err = schema_add_field(schema, target->schema->fields[i].name,
                               target->schema->fields[i].schema, reterr);
    }
    for (enum fact fact = 0; fact < N_FACTS && err == ERR_OK; fact++) {
        if (insert->names[fact]) {
            err =
                schema_add_field(schema, insert->names[fact], schema_of_fact(insert, fact), reterr);
        }
    }
    if (err != ERR_OK) {
        return err;
    }
    struct value *fields = NULL;
    struct value value = value_struct(record->arena, schema, &fields);
    for (size_t i = 0; i < n; i++) {
        fields[i] = *value_or_default(target, i, insert->plain);
    }
    for (enum fact fact = 0; fact < N_FACTS; fact++) {
        if (insert->names[fact]) {
            fields[n++] = value_of_fact(insert, fact, record, true);
        }
    }
    *target = value;
    return ERR_OK;
}

static enum err apply(void *state, struct connect_record *record, struct value *target,
                      struct error *reterr)
{
    const struct insert_field *insert = state;
    if (target->type == VALUE_NULL) {
        return ERR_OK;
    }
    if (insert->names[FACT_OFFSET] && !record->from_kafka) {
        return error_set(reterr, ERR_INVALID,
                         "Only SinkRecord supported for [field insertion], found: "
                         "org.apache.kafka.connect.source.SourceRecord");
    }
    return target->schema ? insert_into_struct(insert, record, target, reterr)
                          : insert_into_map(insert, record, target, reterr);
}

const struct transform_kind insert_field_kind = {
    .table = CONFIG_TABLE(rows),
    .open = open_insert,
    .close = close_insert,
    .apply = apply,
};
