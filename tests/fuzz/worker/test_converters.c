/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever bytes come: each converter refuses them with a text, or reads a value that it writes and
 * reads again as the same bytes. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"
#include "worker/convert.h"

static struct converter *open_class(const char *class_name, const char *schemas)
{
    struct converter *converter = NULL;
    CLEANUP(kvs_fini) struct kvs config;
    kvs_init(&config);
    kvs_set(&config, "header.converter", class_name);
    kvs_set(&config, "header.converter.schemas.enable", schemas);
    assert_int_equal(converter_open(&config, NULL, "header.converter", "", &converter, NULL),
                     ERR_OK);
    return converter;
}

/* Writes a value; NULL if that is refused, which it may be where JSON allows what Connect does not
 * (a decimal of another scale). */
static char *written(struct converter *converter, const struct value *value, size_t *ret_length)
{
    struct buf out;
    struct record_bytes bytes = { NULL, 0 };
    struct error error = { ERR_OK, "" };
    buf_init(&out);
    char *copy = NULL;
    if (converter_to_bytes(converter, value, &out, &bytes, &error) != ERR_OK) {
        assert_true(error.text[0] != '\0');
    } else if (bytes.data) {
        copy = xmemdup(bytes.data, bytes.length);
    }
    *ret_length = bytes.length;
    buf_fini(&out);
    return copy;
}

static void check_round(struct converter *converter, const struct value *value)
{
    struct arena arena;
    struct value again;
    size_t length = 0;
    size_t second_length = 0;
    arena_init(&arena);
    CLEANUP(free_charp) char *first = written(converter, value, &length);
    struct record_bytes bytes = { first, length };
    struct error error = { ERR_OK, "" };
    if (first && converter_from_bytes(converter, &bytes, &arena, &again, &error) == ERR_OK) {
        CLEANUP(free_charp) char *second = written(converter, &again, &second_length);
        assert_non_null(second);
        assert_int_equal(length, second_length);
        assert_memory_equal(first, second, length);
    } else if (first) {
        fail_msg("%.*s: %s", (int)length, first, error.text);
    }
    arena_fini(&arena);
}

static void try_converter(struct converter *converter, const char *bytes, size_t length, bool round)
{
    struct arena arena;
    struct value value = { .type = VALUE_NULL };
    struct error error = { ERR_OK, "" };
    struct record_bytes input = { bytes, length };
    arena_init(&arena);
    enum err err = converter_from_bytes(converter, &input, &arena, &value, &error);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_INVALID);
        assert_true(error.text[0] != '\0');
        assert_true(utf8_valid(error.text, strlen(error.text)));
    } else if (round) {
        check_round(converter, &value);
    }
    arena_fini(&arena);
}

static void one(const char *bytes, size_t length)
{
    static const char *const classes[] = { "StringConverter",  "ByteArrayConverter",
                                           "BooleanConverter", "ShortConverter",
                                           "IntegerConverter", "LongConverter",
                                           "FloatConverter",   "DoubleConverter" };
    static const char *const schemas[] = { "true", "false" };
    for (size_t i = 0; i < N_ELEMENTS(schemas); i++) {
        struct converter *json = open_class("JsonConverter", schemas[i]);
        try_converter(json, bytes, length, true);
        converter_close(json);
    }
    size_t i = length % N_ELEMENTS(classes);
    struct converter *converter = open_class(classes[i], "true");
    try_converter(converter, bytes, length, true);
    converter_close(converter);
}

static void test_any_bytes_are_refused_or_come_back(void **state UNUSED)
{
    fuzz_run("converters", one);
}

/* Whatever was guessed can be written, by this converter and as JSON. */
static void one_text(const char *bytes, size_t length)
{
    struct converter *header = open_class("SimpleHeaderConverter", "true");
    try_converter(header, bytes, length, false);
    struct arena arena;
    struct value value;
    size_t n = 0;
    arena_init(&arena);
    struct record_bytes input = { bytes, length };
    assert_int_equal(converter_from_bytes(header, &input, &arena, &value, NULL), ERR_OK);
    struct converter *json = open_class("JsonConverter", "true");
    CLEANUP(free_charp) char *text = written(json, &value, &n);
    if (text) {
        CLEANUP(json_delete) cJSON *tree = NULL;
        struct error error = { ERR_OK, "" };
        enum err err = json_parse(text, n, &tree, &error);
        /* A header may hold what is refused when it is read again: a key twice, a NUL. */
        if (err != ERR_OK && !strstr(error.text, "Duplicate field") &&
            !strstr(error.text, "\\u0000")) {
            fail_msg("%s: %s", text, error.text);
        }
    }
    free(written(header, &value, &n));
    converter_close(json);
    converter_close(header);
    arena_fini(&arena);
}

static void test_any_header_text_gives_a_value_that_can_be_written(void **state UNUSED)
{
    fuzz_run("header_text", one_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_bytes_are_refused_or_come_back),
        cmocka_unit_test(test_any_header_text_gives_a_value_that_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
