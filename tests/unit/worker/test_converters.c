/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the converters: values to bytes and back. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/macros.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers_are_written_as_connect_writes_them),
        cmocka_unit_test(test_strings_and_numbers_are_text),
        cmocka_unit_test(test_byte_arrays_are_taken_as_they_are),
        cmocka_unit_test(test_byte_array_converter_refuses_numbers_in_connects_words),
        cmocka_unit_test(test_the_connectors_class_wins_then_the_workers_then_the_fallback),
        cmocka_unit_test(test_sub_keys_come_from_the_config_that_names_the_class),
        cmocka_unit_test(test_unknown_class_is_named),
        cmocka_unit_test(test_bytes_come_back_as_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
