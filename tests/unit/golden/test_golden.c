/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converters and transforms against what Kafka's own make of the same cases: tests/golden/. A case
 * with "words" is refused by both: "more", when the text here goes on after Kafka's, "own", when it
 * is another. One with "differs" is a difference on purpose, and says what the outcome is here.
 */
#include "tests/support/unit.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/convert.h"
#include "worker/transform.h"

struct golden {
    cJSON *cases;
    cJSON *results;
    struct arena arena;
    struct buf out;
    struct converter *json;  /* with schemas */
    struct converter *plain; /* without */
};

static cJSON *read_json(const char *path)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    struct buf text;
    buf_init(&text);
    size_t n = 0;
    do {
        n = fread(buf_reserve(&text, 65536), 1, 65536, file);
        text.length += n;
    } while (n > 0);
    (void)fclose(file);
    cJSON *json = cJSON_ParseWithLength(text.data, text.length);
    assert_non_null(json);
    buf_fini(&text);
    return json;
}

static struct converter *open_json(const char *schemas)
{
    struct converter *converter = NULL;
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "value.converter", "JsonConverter");
    kvs_set(&config, "value.converter.schemas.enable", schemas);
    assert_int_equal(converter_open(&config, NULL, "value.converter", "", &converter, NULL),
                     ERR_OK);
    kvs_fini(&config);
    return converter;
}

static int set_up(void **state)
{
    struct golden *golden = test_calloc(1, sizeof(*golden));
    golden->cases = read_json("tests/golden/cases.json");
    golden->results = read_json("tests/golden/golden.json");
    arena_init(&golden->arena);
    buf_init(&golden->out);
    golden->json = open_json("true");
    golden->plain = open_json("false");
    *state = golden;
    return 0;
}

static int tear_down(void **state)
{
    struct golden *golden = *state;
    cJSON_Delete(golden->cases);
    cJSON_Delete(golden->results);
    arena_fini(&golden->arena);
    buf_fini(&golden->out);
    converter_close(golden->json);
    converter_close(golden->plain);
    test_free(golden);
    return 0;
}

static const cJSON *member(const cJSON *test, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(test, name);
    return cJSON_IsNull(item) ? NULL : item;
}

static void read_strings(const cJSON *object, const char *prefix, struct kvs *config)
{
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, object)
    {
        CLEANUP(free_charp) char *key = xasprintf("%s%s", prefix, item->string);
        kvs_set(config, key, item->valuestring);
    }
}

/* The value of a case: JSON with its schema, or plain JSON. */
static enum err read_value(struct golden *golden, const cJSON *text, const cJSON *plain,
                           struct value *ret_value, struct error *reterr)
{
    const cJSON *given = plain ? plain : text;
    struct record_bytes bytes = { NULL, 0 };
    if (given) {
        bytes = (struct record_bytes){ given->valuestring, strlen(given->valuestring) };
    }
    return converter_from_bytes(plain ? golden->plain : golden->json, &bytes, &golden->arena,
                                ret_value, reterr);
}

/* Adds a value as JSON with its schema to the result. */
static enum err show_value(struct golden *golden, const struct value *value, cJSON *result,
                           const char *name, struct error *reterr)
{
    struct record_bytes bytes;
    buf_clear(&golden->out);
    enum err err = converter_to_bytes(golden->json, value, &golden->out, &bytes, reterr);
    if (err == ERR_OK) {
        CLEANUP(free_charp) char *text = bytes.data ? xstrndup(bytes.data, bytes.length) : NULL;
        cJSON *shown = text ? cJSON_CreateString(text) : cJSON_CreateNull();
        (void)(name ? cJSON_AddItemToObject(result, name, shown)
                    : cJSON_AddItemToArray(result, shown));
    }
    return err;
}

/* ---- keys ---- */

static const struct config_table *table_of(const char *class_name)
{
    const struct converter_plugin *converter = converter_find(class_name);
    const struct transform_plugin *transform = transform_find(class_name);
    const struct predicate_plugin *predicate = predicate_find(class_name);
    assert_true(converter || transform || predicate);
    return converter ? &converter->table : transform ? &transform->kind->table : &predicate->table;
}

static void show_keys(const char *class_name, cJSON *result)
{
    const struct config_table *table = table_of(class_name);
    cJSON *keys = cJSON_AddArrayToObject(result, "keys");
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct config_def *def = &table->rows[i];
        const char *fallback = def->default_value ? def->default_value : "null";
        CLEANUP(free_charp)
        char *text = xasprintf(
            "%s %s %s %s %s %d %s %s", def->name, config_type_name(def->type),
            def->required ? "(required)" : fallback, config_importance_name(def->importance),
            def->group ? def->group : "null", def->order, config_width_name(def->width),
            def->display_name ? def->display_name : def->name);
        (void)cJSON_AddItemToArray(keys, cJSON_CreateString(text));
    }
}

/* ---- converters ---- */

static size_t from_hex(const char *hex, char *bytes)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };
        bytes[i] = (char)strtol(digits, NULL, 16);
    }
    return n;
}

static enum err run_reading(struct golden *golden, const cJSON *test, struct converter *converter,
                            cJSON *result, struct error *reterr)
{
    char room[64] = "";
    const cJSON *hex = member(test, "hex");
    const cJSON *text = member(test, "text");
    struct record_bytes bytes = { room, 0 };
    if (hex) {
        bytes.length = from_hex(hex->valuestring, room);
    } else {
        bytes = (struct record_bytes){ text->valuestring, strlen(text->valuestring) };
    }
    struct value value;
    enum err err = converter_from_bytes(converter, &bytes, &golden->arena, &value, reterr);
    return err ? err : show_value(golden, &value, result, "value", reterr);
}

static void show_bytes(const cJSON *test, const struct record_bytes *bytes, cJSON *result)
{
    if (!bytes->data) {
        (void)cJSON_AddNullToObject(result, "bytes");
        return;
    }
    struct buf text;
    buf_init(&text);
    for (size_t i = 0; i < bytes->length; i++) {
        if (member(test, "binary")) {
            buf_printf(&text, "%02x", ((const unsigned char *)bytes->data)[i]);
        } else {
            buf_add_char(&text, ((const char *)bytes->data)[i]);
        }
    }
    (void)cJSON_AddStringToObject(result, "bytes", buf_text(&text));
    buf_fini(&text);
}

static enum err run_writing(struct golden *golden, const cJSON *test, struct converter *converter,
                            cJSON *result, struct error *reterr)
{
    struct value value;
    struct record_bytes bytes;
    enum err err = read_value(golden, member(test, "value"), member(test, "plain"), &value, reterr);
    buf_clear(&golden->out);
    err = err ? err : converter_to_bytes(converter, &value, &golden->out, &bytes, reterr);
    if (err == ERR_OK) {
        show_bytes(test, &bytes, result);
    }
    return err;
}

static enum err run_converter(struct golden *golden, const cJSON *test, cJSON *result,
                              struct error *reterr)
{
    struct converter *converter = NULL;
    struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "value.converter", member(test, "converter")->valuestring);
    read_strings(member(test, "config"), "value.converter.", &config);
    enum err err = converter_open(&config, NULL, "value.converter", "", &converter, reterr);
    if (err == ERR_OK && (member(test, "hex") || member(test, "text"))) {
        err = run_reading(golden, test, converter, result, reterr);
    } else if (err == ERR_OK) {
        err = run_writing(golden, test, converter, result, reterr);
    }
    converter_close(converter);
    kvs_fini(&config);
    return err;
}

/* ---- transforms ---- */

static double number(const cJSON *test, const char *name, double fallback)
{
    const cJSON *item = member(test, name);
    return item ? item->valuedouble : fallback;
}

static enum err read_record(struct golden *golden, const cJSON *test, struct connect_record *record,
                            struct error *reterr)
{
    const cJSON *topic = member(test, "topic");
    record->arena = &golden->arena;
    record->topic = topic ? topic->valuestring : "t";
    record->timestamp_ms = (int64_t)number(test, "timestamp", 1577836800123.0);
    record->from_kafka = member(test, "offset") != NULL;
    record->offset = (int64_t)number(test, "offset", 0);
    record->partition = (int32_t)number(test, "partition", record->from_kafka ? 0 : -1);
    enum err err =
        read_value(golden, member(test, "key"), member(test, "plain_key"), &record->key, reterr);
    err = err ? err
              : read_value(golden, member(test, "value"), member(test, "plain"), &record->value,
                           reterr);
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, member(test, "headers"))
    {
        struct connect_header *header = &record->headers[record->n_headers++];
        header->name = item->child->valuestring;
        err = err ? err : read_value(golden, item->child->next, NULL, &header->value, reterr);
    }
    return err;
}

static enum err show_record(struct golden *golden, const struct connect_record *record,
                            cJSON *result, struct error *reterr)
{
    (void)cJSON_AddStringToObject(result, "topic", record->topic);
    (void)cJSON_AddNumberToObject(result, "timestamp", (double)record->timestamp_ms);
    enum err err = show_value(golden, &record->key, result, "key", reterr);
    err = err ? err : show_value(golden, &record->value, result, "value", reterr);
    cJSON *headers = cJSON_AddArrayToObject(result, "headers");
    for (size_t i = 0; i < record->n_headers && err == ERR_OK; i++) {
        cJSON *pair = cJSON_CreateArray();
        (void)cJSON_AddItemToArray(pair, cJSON_CreateString(record->headers[i].name));
        err = show_value(golden, &record->headers[i].value, pair, NULL, reterr);
        (void)cJSON_AddItemToArray(headers, pair);
    }
    return err;
}

static enum err run_chain(struct golden *golden, const cJSON *test, cJSON *result,
                          struct error *reterr)
{
    struct transform_chain *chain = NULL;
    struct connect_record record = { .topic = "t" };
    bool keep = true;
    struct kvs config;
    kvs_init(&config);
    read_strings(member(test, "chain"), "", &config);
    enum err err = transform_chain_open(&config, &chain, reterr);
    err = err ? err : read_record(golden, test, &record, reterr);
    err = err ? err : transform_chain_apply(chain, &record, &keep, reterr);
    if (err == ERR_OK && !keep) {
        (void)cJSON_AddTrueToObject(result, "dropped");
    } else if (err == ERR_OK) {
        err = show_record(golden, &record, result, reterr);
    }
    transform_chain_close(chain);
    kvs_fini(&config);
    return err;
}

/* ---- all cases ---- */

static cJSON *run_case(struct golden *golden, const cJSON *test)
{
    cJSON *result = cJSON_CreateObject();
    (void)cJSON_AddStringToObject(result, "name", member(test, "name")->valuestring);
    struct error error = { ERR_OK, "" };
    if (member(test, "keys")) {
        show_keys(member(test, "keys")->valuestring, result);
        return result;
    }
    enum err err = member(test, "converter") ? run_converter(golden, test, result, &error)
                                             : run_chain(golden, test, result, &error);
    if (err != ERR_OK) {
        while (cJSON_GetArraySize(result) > 1) {
            cJSON_DeleteItemFromArray(result, 1);
        }
        /* Here an error of a config says where it is. */
        static const char place[] = "transforms.a: ";
        bool placed = strncmp(error.text, place, strlen(place)) == 0;
        (void)cJSON_AddStringToObject(result, "error", error.text + (placed ? strlen(place) : 0));
    }
    arena_reset(&golden->arena);
    return result;
}

static bool case_holds(const cJSON *test, const cJSON *expected, const cJSON *result)
{
    if (member(test, "words")) {
        const cJSON *kafkas = member(expected, "error");
        const cJSON *ours = member(result, "error");
        bool more = strcmp(member(test, "words")->valuestring, "more") == 0;
        return kafkas && ours && strcmp(kafkas->valuestring, ours->valuestring) != 0 &&
               (!more ||
                strncmp(kafkas->valuestring, ours->valuestring, strlen(kafkas->valuestring)) == 0);
    }
    return cJSON_Compare(member(test, "differs") ? member(test, "differs") : expected, result,
                         true);
}

static void test_every_case_comes_out_as_kafka_makes_it(void **state)
{
    struct golden *golden = *state;
    const cJSON *test = NULL;
    const cJSON *expected = golden->results->child;
    size_t n_bad = 0;
    assert_int_equal(cJSON_GetArraySize(golden->cases), cJSON_GetArraySize(golden->results));
    assert_true(cJSON_GetArraySize(golden->cases) > 80);
    cJSON_ArrayForEach(test, golden->cases)
    {
        assert_string_equal(member(test, "name")->valuestring,
                            member(expected, "name")->valuestring);
        cJSON *result = run_case(golden, test);
        if (!case_holds(test, expected, result)) {
            CLEANUP(free_charp) char *wanted = json_print(expected);
            CLEANUP(free_charp) char *found = json_print(result);
            print_error("Kafka %s\nhere  %s\n", wanted, found);
            n_bad++;
        }
        cJSON_Delete(result);
        expected = expected->next;
    }
    assert_int_equal(n_bad, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_case_comes_out_as_kafka_makes_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
