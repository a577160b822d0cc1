/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of Java properties text; what is expected is what java.util.Properties reads. */
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/mem.h"
#include "worker/base/properties.h"

static void assert_bytes(const char *text, size_t length, const char *expected)
{
    struct kvs kvs;
    struct buf seen;
    struct error error = { ERR_OK, "" };
    kvs_init(&kvs);
    buf_init(&seen);
    if (properties_parse(text, length, &kvs, &error) != ERR_OK) {
        fail_msg("%s", error.text);
    }
    for (size_t i = 0; i < kvs.n_items; i++) {
        buf_printf(&seen, "[%s|%s]", kvs.items[i].key, kvs.items[i].value);
    }
    assert_string_equal(buf_text(&seen), expected);
    buf_fini(&seen);
    kvs_fini(&kvs);
}

static void assert_pairs(const char *text, const char *expected)
{
    assert_bytes(text, strlen(text), expected);
}

static void assert_bad(const char *text, size_t length, const char *expected)
{
    struct kvs kvs;
    struct error error = { ERR_OK, "" };
    kvs_init(&kvs);
    assert_int_equal(properties_parse(text, length, &kvs, &error), ERR_INVALID);
    assert_string_equal(error.text, expected);
    kvs_fini(&kvs);
}

static void test_properties_separators_are_equals_colon_or_blanks(void **state UNUSED)
{
    assert_pairs("a=1\nb:2\nc 3\nd\t4\ne\f5\nf = 6 \ng : 7\nh   8", "[a|1][b|2][c|3][d|4][e|5]"
                                                                    "[f|6 ][g|7][h|8]");
    assert_pairs("a==1\nb=:2\nc:=3\nd = = 4", "[a|=1][b|:2][c|=3][d|= 4]");
    assert_pairs("url=http://h:1/p?x=y z", "[url|http://h:1/p?x=y z]");
}

static void test_properties_without_value_or_key_are_empty_texts(void **state UNUSED)
{
    assert_pairs("a\nb=\nc:\n=d\n", "[a|][b|][c|][|d]");
    assert_pairs("", "");
    assert_pairs("\n \t\r\n\f\n", "");
}

static void test_properties_comments_are_whole_lines_only(void **state UNUSED)
{
    assert_pairs("# a=1\n  ! b=2\n\t#c=3\nd=4 # not a comment\ne#=5\n#last", "[d|4 # not a comment]"
                                                                             "[e#|5]");
    assert_pairs("# no continuation \\\na=1", "[a|1]");
}

static void test_properties_lines_end_with_lf_cr_or_both(void **state UNUSED)
{
    assert_pairs("a=1\r\nb=2\rc=3\nd=4", "[a|1][b|2][c|3][d|4]");
    assert_pairs("a=1\r\n\r\nb=2\r\n", "[a|1][b|2]");
    assert_pairs("a=x\\\r\n  y\nb=x\\\r  y\n", "[a|xy][b|xy]");
}

static void test_properties_continuation_joins_lines_and_drops_leading_blanks(void **state UNUSED)
{
    assert_pairs("a=1,\\\n   2,\\\n\t3\nb=4", "[a|1,2,3][b|4]");
    assert_pairs("a=1\\\\\nb=2", "[a|1\\][b|2]");
    assert_pairs("a=1\\\\\\\n2", "[a|1\\2]");
    assert_pairs("a=1\\\n#2\n", "[a|1#2]");
    assert_pairs("a=1\\\n\nb=2", "[a|1][b|2]");
    assert_pairs("ke\\\n  y=v", "[key|v]");
    assert_pairs("a=1\\", "[a|1]");
    assert_pairs("a\\", "[a|]");
    assert_pairs("a=1\\\n", "[a|1]");
}

static void test_properties_escapes_are_decoded_in_key_and_value(void **state UNUSED)
{
    assert_pairs("a=\\t\\n\\r\\f\\\\\\q\\\"", "[a|\t\n\r\f\\q\"]");
    assert_pairs("a\\ b\\=c\\:d=e", "[a b=c:d|e]");
    assert_pairs("\\#a=\\#\\!", "[#a|#!]");
    assert_pairs("a=\\ b", "[a| b]");
    assert_pairs("C:\\\\dir=C:\\\\x", "[C|\\dir=C:\\x]");
    assert_pairs("a=\\\tb", "[a|\tb]");
}

static void test_properties_unicode_escapes_become_utf8(void **state UNUSED)
{
    assert_pairs("\\u0061=\\u00e9\\u20AC\\uD83D\\uDE00\\u007e", "[a|\xC3\xA9\xE2\x82\xAC"
                                                                "\xF0\x9F\x98\x80~]");
    assert_pairs("a=\\\\u00zz", "[a|\\u00zz]");
    assert_pairs("k\xC3\xA9y=\xE2\x82\xAC", "[k\xC3\xA9y|\xE2\x82\xAC]");
}

static void test_properties_bad_escapes_name_their_line(void **state UNUSED)
{
    static const char *const values[] = {
        "\\u12",          "\\u00zz",    "\\u",           "\\u0000", "\\uD83D", "\\uDE00",
        "\\uD83D\\u0041", "\\uD83D\\n", "\\u00\x10\x11", "\\u 123", "\\u+123", "\\u0x12",
    };
    for (size_t i = 0; i < N_ELEMENTS(values); i++) {
        char text[80];
        (void)snprintf(text, sizeof(text), "a=1\n# b\n\nc=%s\nd=4", values[i]);
        assert_bad(text, strlen(text), "line 4: malformed \\uXXXX escape");
        (void)snprintf(text, sizeof(text), "a=1\r\r\n%s=c", values[i]);
        assert_bad(text, strlen(text), "line 3: malformed \\uXXXX escape");
    }
}

static void test_properties_bytes_that_are_no_text_name_their_line(void **state UNUSED)
{
    assert_bad("a=1\nb=\xE9\n", 8, "line 2: not UTF-8 text; save the file as UTF-8");
    assert_bad("a=1\r\nb=2\rc\0=3", 13, "line 3: not UTF-8 text; save the file as UTF-8");
    assert_bad("\xFF\xFE", 2, "line 1: not UTF-8 text; save the file as UTF-8");
}

static void test_properties_a_byte_order_mark_is_skipped(void **state UNUSED)
{
    assert_pairs("\xEF\xBB\xBFgroup.id=g", "[group.id|g]");
    assert_pairs("\xEF\xBB\xBF", "");
}

static void test_properties_a_later_key_wins(void **state UNUSED)
{
    assert_pairs("a=1\nb=2\na=3", "[a|3][b|2]");
}

static void test_properties_reads_no_byte_beyond_the_length(void **state UNUSED)
{
    static const char text[] = { 'a', '=', '\\', 'u', '0', '0', '4', '1' };
    for (size_t n = 1; n <= sizeof(text); n++) {
        char *exact = xmemdup(text, n);
        char *copy = malloc(n);
        assert_non_null(copy);
        memcpy(copy, exact, n);
        struct kvs kvs;
        kvs_init(&kvs);
        enum err err = properties_parse(copy, n, &kvs, NULL);
        assert_int_equal(err, n >= 4 && n < 8 ? ERR_INVALID : ERR_OK);
        kvs_fini(&kvs);
        free(copy);
        free(exact);
    }
}

static void test_properties_takes_4096_keys_and_no_more(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    for (int i = 0; i < 4096; i++) {
        buf_printf(&text, "key.%d=%d\n", i, i);
    }
    struct kvs kvs;
    kvs_init(&kvs);
    assert_int_equal(properties_parse(text.data, text.length, &kvs, NULL), ERR_OK);
    assert_int_equal(kvs.n_items, 4096);
    kvs_fini(&kvs);
    buf_add_text(&text, "key.0=again\n\nkey.4096=x");
    assert_bad(text.data, text.length, "line 4099: more than 4096 keys");
    buf_fini(&text);
}

static void test_properties_takes_a_value_of_a_megabyte(void **state UNUSED)
{
    struct buf text;
    buf_init(&text);
    buf_add_text(&text, "a=");
    for (int i = 0; i < 1024; i++) {
        buf_printf(&text, "%01022d\\\n", 0);
    }
    struct kvs kvs;
    kvs_init(&kvs);
    assert_int_equal(properties_parse(text.data, text.length, &kvs, NULL), ERR_OK);
    assert_int_equal(strlen(kvs_get(&kvs, "a")), 1024 * 1022);
    kvs_fini(&kvs);
    buf_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_properties_separators_are_equals_colon_or_blanks),
        cmocka_unit_test(test_properties_without_value_or_key_are_empty_texts),
        cmocka_unit_test(test_properties_comments_are_whole_lines_only),
        cmocka_unit_test(test_properties_lines_end_with_lf_cr_or_both),
        cmocka_unit_test(test_properties_continuation_joins_lines_and_drops_leading_blanks),
        cmocka_unit_test(test_properties_escapes_are_decoded_in_key_and_value),
        cmocka_unit_test(test_properties_unicode_escapes_become_utf8),
        cmocka_unit_test(test_properties_bad_escapes_name_their_line),
        cmocka_unit_test(test_properties_bytes_that_are_no_text_name_their_line),
        cmocka_unit_test(test_properties_a_byte_order_mark_is_skipped),
        cmocka_unit_test(test_properties_a_later_key_wins),
        cmocka_unit_test(test_properties_reads_no_byte_beyond_the_length),
        cmocka_unit_test(test_properties_takes_4096_keys_and_no_more),
        cmocka_unit_test(test_properties_takes_a_value_of_a_megabyte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
