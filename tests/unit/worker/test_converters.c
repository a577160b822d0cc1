/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the converters: values to bytes and back. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/convert.h"

static struct value text_value(enum value_type type, const char *text)
{
    struct value value = { .type = type };
    value.as.bytes.data = text;
    value.as.bytes.length = strlen(text);
    return value;
}

static struct converter *open_class(const char *class_name)
{
    struct converter *converter = NULL;
    assert_int_equal(converter_open(NULL, NULL, "value.converter", class_name, &converter, NULL),
                     ERR_OK);
    return converter;
}

static void assert_bytes(const char *class_name, struct value value, const char *expected)
{
    struct converter *converter = open_class(class_name);
    struct buf out;
    buf_init(&out);
    struct record_bytes bytes;
    assert_int_equal(converter_to_bytes(converter, &value, &out, &bytes, NULL), ERR_OK);
    if (expected) {
        assert_int_equal(bytes.length, strlen(expected));
        assert_memory_equal(bytes.data, expected, bytes.length);
    } else {
        assert_null(bytes.data);
    }
    buf_fini(&out);
    converter_close(converter);
}

static void test_headers_are_written_as_connect_writes_them(void **state)
{
    (void)state;
    struct value number = { .type = VALUE_INT32, .as.number = 5 };
    assert_bytes("SimpleHeaderConverter", number, "5");
    number.as.number = INT64_MIN;
    assert_bytes("SimpleHeaderConverter", number, "-9223372036854775808");
    number.as.number = 0;
    assert_bytes("SimpleHeaderConverter", number, "0");
    struct value truth = { .type = VALUE_BOOLEAN, .as.boolean = true };
    assert_bytes("SimpleHeaderConverter", truth, "true");
    truth.as.boolean = false;
    assert_bytes("SimpleHeaderConverter", truth, "false");
    assert_bytes("SimpleHeaderConverter", text_value(VALUE_STRING, "word"), "word");
    assert_bytes("SimpleHeaderConverter", (struct value){ .type = VALUE_NULL }, NULL);
}

static void test_strings_and_numbers_are_text(void **state)
{
    (void)state;
    assert_bytes("StringConverter", text_value(VALUE_STRING, "caf\xc3\xa9"), "caf\xc3\xa9");
    assert_bytes("StringConverter", (struct value){ .type = VALUE_FLOAT64, .as.real = 1.5 }, "1.5");
    assert_bytes("StringConverter", (struct value){ .type = VALUE_FLOAT64, .as.real = 2 }, "2.0");
    assert_bytes("StringConverter", (struct value){ .type = VALUE_FLOAT64, .as.real = 0.1 }, "0.1");
    assert_bytes("StringConverter", (struct value){ .type = VALUE_NULL }, NULL);
}

static void test_byte_arrays_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_bytes("ByteArrayConverter", text_value(VALUE_BYTES, "\x01\xff"), "\x01\xff");
    assert_bytes("ByteArrayConverter", text_value(VALUE_BYTES, ""), "");
    assert_bytes("ByteArrayConverter", (struct value){ .type = VALUE_NULL }, NULL);
}

static void test_byte_array_converter_refuses_numbers_in_connects_words(void **state)
{
    (void)state;
    struct converter *converter = open_class("ByteArrayConverter");
    struct value number = { .type = VALUE_INT32, .as.number = 5 };
    struct buf out;
    buf_init(&out);
    struct record_bytes bytes;
    struct error error = { ERR_OK, "" };
    assert_int_equal(converter_to_bytes(converter, &number, &out, &bytes, &error), ERR_INVALID);
    assert_non_null(strstr(
        error.text,
        "ByteArrayConverter is not compatible with objects of type class java.lang.Integer"));
    buf_fini(&out);
    converter_close(converter);
}

static void test_the_connectors_class_wins_then_the_workers_then_the_fallback(void **state)
{
    (void)state;
    struct kvs connector;
    struct kvs worker;
    kvs_init(&connector);
    kvs_init(&worker);
    assert_string_equal(converter_class(&connector, &worker, "key.converter", "f"), "f");
    kvs_set(&worker, "key.converter", "w");
    assert_string_equal(converter_class(&connector, &worker, "key.converter", "f"), "w");
    kvs_set(&connector, "key.converter", "c");
    assert_string_equal(converter_class(&connector, &worker, "key.converter", "f"), "c");
    kvs_fini(&connector);
    kvs_fini(&worker);
}

static void test_sub_keys_come_from_the_config_that_names_the_class(void **state)
{
    (void)state;
    struct kvs connector;
    struct kvs worker;
    kvs_init(&connector);
    kvs_init(&worker);
    struct converter *converter = NULL;
    struct error error = { ERR_OK, "" };
    kvs_set(&worker, "value.converter", "StringConverter");
    kvs_set(&worker, "value.converter.converter.encoding", "UTF-16");
    assert_int_equal(converter_open(&connector, &worker, "value.converter", "", &converter, &error),
                     ERR_INVALID);
    assert_non_null(strstr(error.text, "UTF-16"));
    kvs_set(&connector, "value.converter", "StringConverter");
    assert_int_equal(converter_open(&connector, &worker, "value.converter", "", &converter, &error),
                     ERR_OK);
    converter_close(converter);
    kvs_fini(&connector);
    kvs_fini(&worker);
}

static void test_unknown_class_is_named(void **state)
{
    (void)state;
    struct converter *converter = NULL;
    struct error error = { ERR_OK, "" };
    assert_int_equal(converter_open(NULL, NULL, "key.converter", "x.Y", &converter, &error),
                     ERR_NOT_FOUND);
    assert_string_equal(error.text, "Invalid value x.Y for configuration key.converter: Class x.Y "
                                    "could not be found.");
}

static void test_bytes_come_back_as_values(void **state)
{
    (void)state;
    struct converter *converter = open_class("StringConverter");
    struct record_bytes bytes = { "abc", 3 };
    struct value value;
    assert_int_equal(converter_from_bytes(converter, &bytes, NULL, &value, NULL), ERR_OK);
    assert_int_equal(value.type, VALUE_STRING);
    bytes = (struct record_bytes){ "\xff", 1 };
    assert_int_equal(converter_from_bytes(converter, &bytes, NULL, &value, NULL), ERR_INVALID);
    bytes = (struct record_bytes){ NULL, 0 };
    assert_int_equal(converter_from_bytes(converter, &bytes, NULL, &value, NULL), ERR_OK);
    assert_int_equal(value.type, VALUE_NULL);
    converter_close(converter);
}

/* Reads text as JSON without schemas, or with; the error's text. */
static enum err read_json(const char *text, size_t length, bool schemas, struct error *error)
{
    struct kvs config;
    struct arena arena;
    struct value value;
    struct converter *converter = NULL;
    kvs_init(&config);
    arena_init(&arena);
    kvs_set(&config, "value.converter", "JsonConverter");
    kvs_set(&config, "value.converter.schemas.enable", schemas ? "true" : "false");
    assert_int_equal(converter_open(&config, NULL, "value.converter", "", &converter, NULL),
                     ERR_OK);
    struct record_bytes bytes = { text, length };
    enum err err = converter_from_bytes(converter, &bytes, &arena, &value, error);
    converter_close(converter);
    arena_fini(&arena);
    kvs_fini(&config);
    return err;
}

static void test_json_that_would_cost_too_much_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\"\xff\"", "\"\\ud800\"", "\"a\\u0000b\"", "1 2", "{\"a\":1,\"a\":2}", "01", "", "nul",
    };
    struct error error = { ERR_OK, "" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        error.text[0] = '\0';
        assert_int_equal(read_json(texts[i], strlen(texts[i]), false, &error), ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
    struct buf deep;
    buf_init(&deep);
    for (int i = 0; i < 100000; i++) {
        buf_add_char(&deep, '[');
    }
    assert_int_equal(read_json(deep.data, deep.length, false, &error), ERR_INVALID);
    buf_clear(&deep);
    while (deep.length <= 8U * 1024 * 1024) {
        buf_add_text(&deep, "                                                                ");
    }
    assert_int_equal(read_json(deep.data, deep.length, false, &error), ERR_INVALID);
    buf_fini(&deep);
}

static void test_json_schema_with_too_many_fields_is_refused(void **state)
{
    (void)state;
    struct buf text;
    struct error error = { ERR_OK, "" };
    buf_init(&text);
    buf_add_text(&text, "{\"schema\":{\"type\":\"struct\",\"fields\":[");
    for (int i = 0; i <= SCHEMA_MAX_FIELDS; i++) {
        buf_printf(&text, "%s{\"field\":\"f%d\",\"type\":\"int8\",\"optional\":true}",
                   i == 0 ? "" : ",", i);
    }
    buf_add_text(&text, "]},\"payload\":{}}");
    assert_int_equal(read_json(text.data, text.length, true, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "more than 2000 fields"));
    buf_fini(&text);
}

static void test_numbers_that_do_not_fit_their_type_are_refused(void **state)
{
    (void)state;
    static const char *const payloads[] = { "300", "-129", "1.5", "\"1\"", "1e400", "true" };
    for (size_t i = 0; i < N_ELEMENTS(payloads); i++) {
        CLEANUP(free_charp)
        char *text = xasprintf("{\"schema\":{\"type\":\"int8\"},\"payload\":%s}", payloads[i]);
        struct error error = { ERR_OK, "" };
        assert_int_equal(read_json(text, strlen(text), true, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "INT8"));
    }
}

static void test_bytes_and_text_pass_through_without_a_copy(void **state)
{
    (void)state;
    static const char *const classes[] = { "ByteArrayConverter", "StringConverter" };
    for (size_t i = 0; i < N_ELEMENTS(classes); i++) {
        struct converter *converter = open_class(classes[i]);
        const char *text = "payload";
        struct value value = value_bytes(text, 7);
        struct record_bytes bytes;
        struct buf out;
        buf_init(&out);
        assert_int_equal(converter_to_bytes(converter, &value, &out, &bytes, NULL), ERR_OK);
        assert_ptr_equal(bytes.data, text);
        assert_null(out.data);
        converter_close(converter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_written_as_connect_writes_them),
        cmocka_unit_test(test_strings_and_numbers_are_text),
        cmocka_unit_test(test_json_that_would_cost_too_much_is_refused),
        cmocka_unit_test(test_json_schema_with_too_many_fields_is_refused),
        cmocka_unit_test(test_numbers_that_do_not_fit_their_type_are_refused),
        cmocka_unit_test(test_bytes_and_text_pass_through_without_a_copy),
        cmocka_unit_test(test_byte_arrays_are_taken_as_they_are),
        cmocka_unit_test(test_byte_array_converter_refuses_numbers_in_connects_words),
        cmocka_unit_test(test_the_connectors_class_wins_then_the_workers_then_the_fallback),
        cmocka_unit_test(test_sub_keys_come_from_the_config_that_names_the_class),
        cmocka_unit_test(test_unknown_class_is_named),
        cmocka_unit_test(test_bytes_come_back_as_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
