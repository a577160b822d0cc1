/* SPDX-License-Identifier: Apache-2.0 */
/* Edits of offsets. See offset_body.h. */
#include "rest/offset_body.h"

#include "rest/body.h"
#include "worker/base/json.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"
#include "worker/connector.h"
#include "worker/kafka/producer.h"

#define MAX_TEXT 200

/* ---- shape ---- */

static enum err check_fields(struct call *call, const cJSON *object, const char *known,
                             const char *more)
{
    for (const cJSON *field = object->child; field; field = field->next) {
        if (strcmp(field->string, known) != 0 && (!more || strcmp(field->string, more) != 0)) {
            answer_error(call, 400, "Unrecognized field \"%.200s\" (%s: \"%s\"%s%s%s)",
                         field->string, more ? "2 known properties" : "one known property", known,
                         more ? ", \"" : "", more ? more : "", more ? "\"" : "");
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

/* Connect's words for a value that is no object where one is needed. */
static enum err not_an_object(struct call *call, const cJSON *value, const char *where)
{
    if (cJSON_IsArray(value)) {
        answer_error(call, 400,
                     "Cannot deserialize value of type `java.util.LinkedHashMap` from Array value: "
                     "%s must be a JSON object",
                     where);
    } else {
        answer_error(call, 400,
                     "Cannot construct instance of `java.util.LinkedHashMap` from %s value: %s "
                     "must be a JSON object",
                     body_kind(value), where);
    }
    return ERR_INVALID;
}

static enum err check_entry(struct call *call, const cJSON *entry)
{
    static const char *const parts[] = { "partition", "offset" };
    if (!cJSON_IsObject(entry)) {
        return not_an_object(call, entry, "each entry of 'offsets'");
    }
    if (check_fields(call, entry, parts[0], parts[1]) != ERR_OK) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
        const cJSON *part = cJSON_GetObjectItemCaseSensitive(entry, parts[i]);
        if (part && !cJSON_IsNull(part) && !cJSON_IsObject(part)) {
            return not_an_object(call, part, i == 0 ? "a partition" : "an offset");
        }
    }
    return ERR_OK;
}

enum err offset_body_check(struct call *call)
{
    if (body_object(call) != ERR_OK || check_fields(call, call->json, "offsets", NULL) != ERR_OK) {
        return ERR_INVALID;
    }
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(call->json, "offsets");
    if (offsets && !cJSON_IsArray(offsets) && !cJSON_IsNull(offsets)) {
        answer_error(call, 400,
                     "Cannot deserialize value of type `java.util.ArrayList` from %s value at "
                     "field 'offsets': it must be a list",
                     body_kind(offsets));
        return ERR_INVALID;
    }
    if (cJSON_GetArraySize(offsets) == 0) {
        answer_error(call, 400,
                     "Partitions / offsets need to be provided for an alter offsets request");
        return ERR_INVALID;
    }
    int n = cJSON_GetArraySize(offsets);
    if (n > OFFSET_BODY_MAX) {
        answer_error(call, 400, "'offsets' has %d entries: send at most %d at once", n,
                     OFFSET_BODY_MAX);
        return ERR_INVALID;
    }
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, offsets)
    {
        if (check_entry(call, entry) != ERR_OK) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

/* A part of an entry; NULL when it is missing or null. */
static const cJSON *part_of(const cJSON *entry, const char *name)
{
    const cJSON *part = cJSON_GetObjectItemCaseSensitive(entry, name);
    return cJSON_IsNull(part) ? NULL : part;
}

static cJSON *first_entry(const struct call *call)
{
    return cJSON_GetObjectItemCaseSensitive(call->json, "offsets")->child;
}

/* ---- sources ---- */

static enum err check_primitive(const cJSON *object, struct error *reterr)
{
    for (const cJSON *field = object ? object->child : NULL; field; field = field->next) {
        if (cJSON_IsObject(field) || cJSON_IsArray(field)) {
            return error_set(reterr, ERR_INVALID,
                             "Offsets may only contain primitive types as values, but field %.100s "
                             "contains %s",
                             field->string, body_kind(field));
        }
    }
    return ERR_OK;
}

static enum err check_source(const struct connector_plugin *plugin, const cJSON *partition,
                             const cJSON *offset, struct error *reterr)
{
    if (!partition) {
        return error_set(reterr, ERR_INVALID,
                         "The partition for a source connector offset cannot be null or missing");
    }
    if (plugin && plugin->check_offset) {
        return plugin->check_offset(partition, offset, reterr);
    }
    enum err err = check_primitive(partition, reterr);
    return err ? err : check_primitive(offset, reterr);
}

/* The last entry of each partition, by its canonical text; entries without a partition are not in
 * it. */
static void last_entries(const struct call *call, struct map *ret_entries)
{
    map_init(ret_entries);
    for (cJSON *entry = first_entry(call); entry; entry = entry->next) {
        const cJSON *partition = part_of(entry, "partition");
        CLEANUP(free_charp) char *text = partition ? json_print_exact(partition) : NULL;
        CLEANUP(free_charp) char *canonical = text ? source_partition_canonical(text) : NULL;
        if (canonical) {
            (void)map_set(ret_entries, canonical, entry);
        }
    }
}

enum err offset_body_source(const struct call *call, const struct connector_plugin *plugin,
                            const struct source_offsets *known, struct source_offsets *ret_edits,
                            struct error *reterr)
{
    enum err err = ERR_OK;
    for (const cJSON *entry = first_entry(call); entry && err == ERR_OK; entry = entry->next) {
        err = check_source(plugin, part_of(entry, "partition"), part_of(entry, "offset"), reterr);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct map entries;
    last_entries(call, &entries);
    MAP_FOREACH(&entries, item) {
        const cJSON *offset = part_of(item->value, "offset");
        const struct source_offset *stored = source_offsets_find(known, item->key);
        CLEANUP(free_charp) char *key = source_offset_key(call->name, item->key);
        CLEANUP(free_charp) char *value = offset ? json_print_exact(offset) : NULL;
        source_offsets_edit(ret_edits, stored ? stored->key : key, value);
    }
    map_fini(&entries);
    return ERR_OK;
}

static bool entry_shown(const struct source_offset *stored, const cJSON *wanted)
{
    if (!wanted || !stored) {
        return !wanted && !stored;
    }
    CLEANUP(json_delete) cJSON *value = NULL;
    return json_parse(stored->value, strlen(stored->value), &value, NULL) == ERR_OK &&
           cJSON_Compare(value, wanted, true);
}

bool offset_body_shown(const struct call *call, const struct source_offsets *known)
{
    struct map entries;
    bool shown = true;
    last_entries(call, &entries);
    MAP_FOREACH(&entries, item) {
        shown = shown &&
                entry_shown(source_offsets_find(known, item->key), part_of(item->value, "offset"));
    }
    map_fini(&entries);
    return shown;
}

/* ---- sinks ---- */

/* As Java prints it: texts as they are. Owned. */
static char *text_of(const cJSON *value)
{
    return cJSON_IsString(value) ? xstrdup(value->valuestring) : json_print_exact(value);
}

static enum err sink_partition(const cJSON *object, char **ret_topic, int32_t *ret_partition,
                               struct error *reterr)
{
    if (!object) {
        return error_set(reterr, ERR_INVALID,
                         "The partition for a sink connector offset cannot be null or missing");
    }
    const cJSON *topic = cJSON_GetObjectItemCaseSensitive(object, "kafka_topic");
    const cJSON *partition = cJSON_GetObjectItemCaseSensitive(object, "kafka_partition");
    if (!topic || !partition) {
        return error_set(reterr, ERR_INVALID,
                         "The partition for a sink connector offset must contain the keys "
                         "'kafka_topic' and 'kafka_partition'");
    }
    CLEANUP(free_charp) char *name = text_of(topic);
    if (cJSON_IsNull(topic) || !kafka_topic_legal(name)) {
        return error_set(reterr, ERR_INVALID,
                         "Kafka topic names must be valid strings and may not be null");
    }
    if (cJSON_IsNull(partition)) {
        return error_set(reterr, ERR_INVALID,
                         "Kafka partitions must be valid numbers and may not be null");
    }
    CLEANUP(free_charp) char *text = text_of(partition);
    int64_t number = 0;
    if (!config_parse_whole(text, &number) || number < 0 || number > INT32_MAX) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to parse the following Kafka partition value in the provided "
                         "offsets: '%.*s'. Partition values for sink connectors need to be "
                         "integers.",
                         MAX_TEXT / 4, text);
    }
    *ret_topic = TAKE(name);
    *ret_partition = (int32_t)number;
    return ERR_OK;
}

static enum err sink_offset(const struct call *call, const cJSON *object, int64_t *ret_offset,
                            struct error *reterr)
{
    if (!object) {
        *ret_offset = GROUP_OFFSET_NONE;
        return ERR_OK;
    }
    const cJSON *offset = cJSON_GetObjectItemCaseSensitive(object, "kafka_offset");
    if (!offset) {
        return error_set(reterr, ERR_INVALID,
                         "The offset for a sink connector should either be null or contain the key "
                         "'kafka_offset'");
    }
    CLEANUP(free_charp) char *text = text_of(offset);
    int64_t number = 0;
    if (!config_parse_whole(text, &number)) {
        return error_set(reterr, ERR_INVALID,
                         "Failed to parse the following Kafka offset value in the provided "
                         "offsets: '%.*s'. Offset values for sink connectors need to be integers.",
                         MAX_TEXT / 4, text);
    }
    if (number < 0) {
        return error_set(reterr, ERR_INVALID, "Failed to modify offsets for sink connector %.200s",
                         call->name);
    }
    *ret_offset = number;
    return ERR_OK;
}

enum err offset_body_sink(const struct call *call, struct group_offsets *ret_edits,
                          struct error *reterr)
{
    enum err err = ERR_OK;
    const cJSON *entry = first_entry(call);
    for (; entry && err == ERR_OK; entry = entry->next) {
        CLEANUP(free_charp) char *topic = NULL;
        int32_t partition = 0;
        int64_t offset = 0;
        err = sink_partition(part_of(entry, "partition"), &topic, &partition, reterr);
        err = err ? err : sink_offset(call, part_of(entry, "offset"), &offset, reterr);
        if (err == ERR_OK) {
            group_offsets_set(ret_edits, topic, partition, offset);
        }
    }
    return err;
}
