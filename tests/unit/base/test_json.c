/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of bounded JSON parsing and of flat string maps. */
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

static enum err parse(const char *text, size_t length, struct error *ret_error)
{
    cJSON *value = NULL;
    *ret_error = (struct error){ ERR_OK, "" };
    enum err err = json_parse(text, length, &value, ret_error);
    assert_int_equal(err == ERR_OK, value != NULL);
    assert_int_equal(err == ERR_OK, ret_error->text[0] == '\0');
    cJSON_Delete(value);
    return err;
}

static void assert_good(const char *text)
{
    struct error error;
    if (parse(text, strlen(text), &error) != ERR_OK) {
        fail_msg("%s: %s", text, error.text);
    }
}

static void assert_bad(const char *text, const char *expected)
{
    struct error error;
    assert_int_equal(parse(text, strlen(text), &error), ERR_INVALID);
    assert_string_equal(error.text, expected);
}

static void test_json_parse_takes_what_rfc_8259_allows(void **state UNUSED)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "0",
        "-0",
        "1",
        "-1.5e+10",
        "1E5",
        "0.5",
        "10",
        "\"\"",
        "null",
        " \t\r\n true \t\r\n ",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
        "\"\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u00e9 \\ud83d\\ude00\"",
        "\"\\\\u0000\"",
        "\"\xC3\xA9\"",
        "[1,2,-3,4.0]",
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        assert_good(texts[i]);
    }
}

static void test_json_parse_names_what_is_wrong_and_where(void **state UNUSED)
{
    assert_bad("", "Unexpected end-of-input at byte 0");
    assert_bad("  ", "Unexpected end-of-input at byte 2");
    assert_bad("{\"a\":", "Unexpected end-of-input at byte 5");
    assert_bad("{\"a\":1", "Unexpected end-of-input at byte 6");
    assert_bad("{} x", "Unexpected character ('x' (code 120)) at byte 3");
    assert_bad("{}{}", "Unexpected character ('{' (code 123)) at byte 2");
    assert_bad("{a:1}", "Unexpected character ('a' (code 97)) at byte 1");
    assert_bad("\xC3\xA9", "Unexpected character ('?' (code 195)) at byte 0");
    assert_bad("{ \"a\":1,\n b:2}", "Unexpected character ('b' (code 98)) at byte 10");
    assert_bad("{'a':1}", "Unexpected character (\x27\x27\x27 (code 39)) at byte 1");
    assert_bad("[1,abc]", "Unexpected character ('a' (code 97)) at byte 3");
    assert_bad("[1,truex]", "Unexpected character ('x' (code 120)) at byte 7");
    assert_bad("[1,]", "Unexpected character (']' (code 93)) at byte 3");
}

static void test_json_parse_refuses_other_dialects(void **state UNUSED)
{
    static const char *const texts[] = {
        "{'a':1}", "{\"a\":1,}", "// c\n{}",  "NaN",         "Infinity", "-Infinity", "True",
        "nul",     "{\"a\"}",    "[1 2]",     "{\"a\":1 1}", "tru",      "}",         "]",
        "[}",      "{]",         "\"\\x41\"", "\"\\",        "\"abc",    "{\"a\" 1}", ",",
    };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        struct error error;
        if (parse(texts[i], strlen(texts[i]), &error) != ERR_INVALID) {
            fail_msg("%s was taken", texts[i]);
        }
    }
}

static void test_json_parse_refuses_numbers_that_are_none(void **state UNUSED)
{
    assert_bad("01", "Illegal number at byte 0");
    assert_bad("{\"a\":-}", "Illegal number at byte 5");
    assert_bad("[1.]", "Illegal number at byte 1");
    assert_bad("[1.e5]", "Illegal number at byte 1");
    assert_bad("[-.5]", "Illegal number at byte 1");
    assert_bad("[1e]", "Illegal number at byte 1");
    assert_bad("[1e+]", "Illegal number at byte 1");
    assert_bad("[1-2]", "Illegal number at byte 1");
    assert_bad("[1.2.3]", "Illegal number at byte 1");
    assert_bad("-01", "Illegal number at byte 0");
}

static void test_json_parse_bounds_the_length_of_numbers(void **state UNUSED)
{
    char text[2000];
    memset(text, '7', sizeof(text));
    text[63] = '\0';
    assert_good(text);
    text[63] = '7';
    text[64] = '\0';
    assert_bad(text, "Number of more than 63 characters at byte 0");
    text[64] = '7';
    text[sizeof(text) - 1] = '\0';
    assert_bad(text, "Number of more than 63 characters at byte 0");
}

static void test_json_parse_refuses_nul_in_every_shape(void **state UNUSED)
{
    struct error error;
    assert_int_equal(parse("{\"a\":\"b\0c\"}", 11, &error), ERR_INVALID);
    assert_string_equal(error.text, "Illegal NUL byte at byte 7");
    assert_int_equal(parse("{}\0", 3, &error), ERR_INVALID);
    assert_string_equal(error.text, "Illegal NUL byte at byte 2");
    assert_bad("{\"a\":\"b\\u0000c\"}", "Illegal escape \\u0000 at byte 7");
    assert_bad("{\"\\u0000\":1}", "Illegal escape \\u0000 at byte 2");
    assert_int_equal(parse("\"\\\0\"", 4, &error), ERR_INVALID);
}

static void test_json_parse_wants_four_digits_in_an_escape(void **state UNUSED)
{
    assert_bad("\"\\uZZZZ\"", "Illegal \\u escape at byte 1");
    assert_bad("\"a\\u12\"", "Illegal \\u escape at byte 2");
    assert_bad("\"\\u", "Illegal \\u escape at byte 1");
    assert_bad("\"\\u00 0\"", "Illegal \\u escape at byte 1");
}

static void test_json_parse_refuses_lone_surrogates_and_bad_utf8(void **state UNUSED)
{
    struct error error;
    assert_int_equal(parse("\"\\ud83d\"", 8, &error), ERR_INVALID);
    assert_int_equal(parse("\"\\ude00\"", 8, &error), ERR_INVALID);
    assert_int_equal(parse("\"\\ud83d\\u0041\"", 14, &error), ERR_INVALID);
    assert_bad("\"\xFF\"", "JSON is not well-formed UTF-8");
    assert_bad("\"\xED\xA0\x80\"", "JSON is not well-formed UTF-8");
}

static void test_json_parse_refuses_control_characters(void **state UNUSED)
{
    assert_bad("\"a\nb\"", "Illegal unescaped control character 0x0a at byte 2");
    assert_bad("{}\x01", "Illegal unescaped control character 0x01 at byte 2");
    assert_bad("[1,\x0B 2]", "Illegal unescaped control character 0x0b at byte 3");
}

static void test_json_parse_refuses_a_key_that_occurs_twice(void **state UNUSED)
{
    assert_bad("{\"a\":1,\"b\":2,\"a\":3}", "Duplicate field 'a'");
    assert_bad("[{\"x\":{\"b\":1,\"b\":1}}]", "Duplicate field 'b'");
    assert_bad("{\"a\":1,\"\\u0061\":2}", "Duplicate field 'a'");
    assert_good("{\"a\":1,\"A\":2}");
}

static void test_json_parse_bounds_nesting(void **state UNUSED)
{
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    assert_good(text);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    assert_bad(text, "More than 64 levels of nesting at byte 64");
    assert_good("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"");
}

static void test_json_parse_of_a_megabyte_of_brackets_fails_at_once(void **state UNUSED)
{
    size_t length = 1024U * 1024U;
    char *text = xmalloc(length);
    for (int shape = 0; shape < 2; shape++) {
        for (size_t i = 0; i < length; i++) {
            text[i] = shape == 0 ? '[' : "{\"a\":"[i % 5];
        }
        struct error error;
        assert_int_equal(parse(text, length, &error), ERR_INVALID);
        assert_non_null(strstr(error.text, "More than 64 levels"));
    }
    free(text);
}

static void test_json_parse_of_a_megabyte_of_values_is_quick(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    buf_add_char(&text, '[');
    while (text.length < 1024U * 1024U) {
        buf_add_text(&text, "[],{},1,");
    }
    buf_add_text(&text, "0]");
    struct timespec before;
    struct timespec after;
    struct error error;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    assert_int_equal(parse(text.data, text.length, &error), ERR_OK);
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_true(after.tv_sec - before.tv_sec <= 10);
    buf_fini(&text);
}

static void test_json_parse_bounds_the_length(void **state UNUSED)
{
    size_t length = (size_t)8 * 1024 * 1024 + 1;
    char *text = xmalloc(length);
    memset(text, ' ', length);
    text[0] = '1';
    struct error error;
    assert_int_equal(parse(text, length, &error), ERR_TOO_LARGE);
    assert_string_equal(error.text, "JSON of 8388609 bytes, at most 8388608");
    assert_int_equal(parse(text, length - 1, &error), ERR_OK);
    free(text);
}

static enum err to_kvs(const char *text, struct kvs *kvs, struct error *ret_error)
{
    CLEANUP(json_delete) cJSON *value = NULL;
    kvs_init(kvs);
    assert_int_equal(json_parse(text, strlen(text), &value, ret_error), ERR_OK);
    return json_to_kvs(value, kvs, ret_error);
}

static void assert_value(const struct kvs *kvs, const char *key, const char *expected)
{
    assert_non_null(kvs_get(kvs, key));
    assert_string_equal(kvs_get(kvs, key), expected);
}

static void test_json_to_kvs_takes_numbers_and_booleans_as_written(void **state UNUSED)
{
    struct kvs kvs;
    struct error error;
    assert_int_equal(to_kvs("{\"text\":\"a -1 \\\" 2\",\"int\":1,\"neg\":-7,\"yes\":true,\"no\":"
                            "false,\"frac\":1.5,\"point\":1.0,\"exp\":1E3,\"big\":"
                            "12345678901234567890123,\"huge\":1e999,\"nine\":9007199254740993,"
                            "\"null\":null,\"tail\":\"\\\\\",\"after\":42}",
                            &kvs, &error),
                     ERR_OK);
    assert_value(&kvs, "text", "a -1 \" 2");
    assert_value(&kvs, "int", "1");
    assert_value(&kvs, "neg", "-7");
    assert_value(&kvs, "yes", "true");
    assert_value(&kvs, "no", "false");
    assert_value(&kvs, "frac", "1.5");
    assert_value(&kvs, "point", "1.0");
    assert_value(&kvs, "exp", "1E3");
    assert_value(&kvs, "big", "12345678901234567890123");
    assert_value(&kvs, "huge", "1e999");
    assert_value(&kvs, "nine", "9007199254740993");
    assert_value(&kvs, "after", "42");
    assert_true(kvs_has(&kvs, "null"));
    assert_null(kvs_get(&kvs, "null"));
    assert_string_equal(kvs.items[0].key, "text");
    kvs_fini(&kvs);
}

static void test_json_to_kvs_of_a_built_object_prints_its_numbers(void **state UNUSED)
{
    CLEANUP(json_delete) cJSON *object = cJSON_CreateObject();
    (void)cJSON_AddNumberToObject(object, "n", 7);
    struct kvs kvs;
    kvs_init(&kvs);
    assert_int_equal(json_to_kvs(object, &kvs, NULL), ERR_OK);
    assert_value(&kvs, "n", "7");
    kvs_fini(&kvs);
}

static void test_json_to_kvs_refuses_structures_and_names_the_field(void **state UNUSED)
{
    struct kvs kvs;
    struct error error;
    assert_int_equal(to_kvs("{\"a\":\"1\",\"deep\":{\"b\":1}}", &kvs, &error), ERR_INVALID);
    assert_string_equal(error.text, "Cannot deserialize value of type `java.lang.String` from "
                                    "Object value at field 'deep'");
    kvs_fini(&kvs);
    assert_int_equal(to_kvs("{\"l\":[1]}", &kvs, &error), ERR_INVALID);
    assert_non_null(strstr(error.text, "from Array value at field 'l'"));
    kvs_fini(&kvs);
    assert_int_equal(to_kvs("[1]", &kvs, &error), ERR_INVALID);
    assert_string_equal(error.text, "Expected a JSON object of strings");
    kvs_fini(&kvs);
}

static void test_json_to_kvs_takes_4096_members_and_no_more(void **state UNUSED)
{
    for (int n = 4096; n <= 4097; n++) {
        struct buf text;
        buf_init(&text);
        for (int i = 0; i < n; i++) {
            buf_printf(&text, "%c\"key.%d\":\"%d\"", i == 0 ? '{' : ',', i, i);
        }
        buf_add_char(&text, '}');
        struct kvs kvs;
        struct error error;
        assert_int_equal(to_kvs(buf_text(&text), &kvs, &error), n == 4096 ? ERR_OK : ERR_INVALID);
        assert_int_equal(kvs.n_items, n == 4096 ? 4096 : 0);
        kvs_fini(&kvs);
        buf_fini(&text);
    }
}

static void test_json_from_kvs_and_back_is_the_same(void **state UNUSED)
{
    struct kvs kvs;
    struct kvs back;
    kvs_init(&kvs);
    kvs_init(&back);
    kvs_set(&kvs, "quote\"", "line\nfeed \\ \x7F \xC3\xA9");
    kvs_set(&kvs, "empty", "");
    kvs_set(&kvs, "null", NULL);
    CLEANUP(json_delete) cJSON *object = json_from_kvs(&kvs);
    CLEANUP(free_charp) char *text = json_print(object);
    CLEANUP(json_delete) cJSON *again = NULL;
    assert_int_equal(json_parse(text, strlen(text), &again, NULL), ERR_OK);
    assert_int_equal(json_to_kvs(again, &back, NULL), ERR_OK);
    assert_true(kvs_equal(&kvs, &back));
    kvs_fini(&kvs);
    kvs_fini(&back);
}

static void test_json_members_of_wrong_types_give_the_fallback(void **state UNUSED)
{
    static const char text[] = "{\"s\":\"x\",\"t\":true,\"f\":false,\"i\":-12,\"h\":1.5,"
                               "\"b\":1e300,\"m\":9007199254740992,\"z\":null}";
    CLEANUP(json_delete) cJSON *object = NULL;
    assert_int_equal(json_parse(text, strlen(text), &object, NULL), ERR_OK);
    assert_string_equal(json_string(object, "s"), "x");
    assert_null(json_string(object, "i"));
    assert_null(json_string(object, "S"));
    assert_null(json_string(NULL, "s"));
    assert_true(json_bool(object, "t", false));
    assert_false(json_bool(object, "f", true));
    assert_true(json_bool(object, "s", true));
    assert_true(json_bool(object, "absent", true));
    assert_int_equal(json_int(object, "i", 3), -12);
    assert_int_equal(json_int(object, "h", 3), 3);
    assert_int_equal(json_int(object, "b", 3), 3);
    assert_int_equal(json_int(object, "m", 3), 9007199254740992);
    assert_int_equal(json_int(object, "z", 3), 3);
    assert_int_equal(json_int(object, "absent", 3), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_parse_takes_what_rfc_8259_allows),
        cmocka_unit_test(test_json_parse_names_what_is_wrong_and_where),
        cmocka_unit_test(test_json_parse_refuses_other_dialects),
        cmocka_unit_test(test_json_parse_refuses_numbers_that_are_none),
        cmocka_unit_test(test_json_parse_bounds_the_length_of_numbers),
        cmocka_unit_test(test_json_parse_refuses_nul_in_every_shape),
        cmocka_unit_test(test_json_parse_wants_four_digits_in_an_escape),
        cmocka_unit_test(test_json_parse_refuses_lone_surrogates_and_bad_utf8),
        cmocka_unit_test(test_json_parse_refuses_control_characters),
        cmocka_unit_test(test_json_parse_refuses_a_key_that_occurs_twice),
        cmocka_unit_test(test_json_parse_bounds_nesting),
        cmocka_unit_test(test_json_parse_of_a_megabyte_of_brackets_fails_at_once),
        cmocka_unit_test(test_json_parse_of_a_megabyte_of_values_is_quick),
        cmocka_unit_test(test_json_parse_bounds_the_length),
        cmocka_unit_test(test_json_to_kvs_takes_numbers_and_booleans_as_written),
        cmocka_unit_test(test_json_to_kvs_of_a_built_object_prints_its_numbers),
        cmocka_unit_test(test_json_to_kvs_refuses_structures_and_names_the_field),
        cmocka_unit_test(test_json_to_kvs_takes_4096_members_and_no_more),
        cmocka_unit_test(test_json_from_kvs_and_back_is_the_same),
        cmocka_unit_test(test_json_members_of_wrong_types_give_the_fallback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
