/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the UTF-8 checks, the exhaustive one against an encoder. */
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/utf8.h"

static size_t encode(uint32_t c, unsigned char *out)
{
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char heads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (unsigned char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (unsigned char)(heads[n] | c);
    return n;
}

static void test_utf8_valid_takes_every_character_and_no_surrogate(void **state UNUSED)
{
    for (uint32_t c = 0; c <= 0x110100; c++) {
        unsigned char text[4];
        size_t n = encode(c, text);
        bool expected = c <= 0x10FFFF && !(c >= 0xD800 && c <= 0xDFFF);
        if (utf8_valid((const char *)text, n) != expected ||
            utf8_character((const char *)text, n) != (expected ? n : 0)) {
            fail_msg("U+%04X", c);
        }
        if (n > 1 && utf8_valid((const char *)text, n - 1)) {
            fail_msg("U+%04X cut", c);
        }
    }
}

/* Each two-byte sequence is valid exactly if an encoder makes it. */
static void test_utf8_valid_refuses_every_other_pair(void **state UNUSED)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            char text[2] = { (char)a, (char)b };
            bool two_ascii = a < 0x80 && b < 0x80;
            bool character = a >= 0xC2 && a <= 0xDF && b >= 0x80 && b <= 0xBF;
            if (utf8_valid(text, 2) != (two_ascii || character)) {
                fail_msg("%02x %02x", a, b);
            }
        }
    }
}

static void test_utf8_valid_refuses_overlong_forms(void **state UNUSED)
{
    assert_false(utf8_valid("\xC0\x80", 2));
    assert_false(utf8_valid("\xC1\xBF", 2));
    assert_false(utf8_valid("\xE0\x80\x80", 3));
    assert_false(utf8_valid("\xE0\x9F\xBF", 3));
    assert_false(utf8_valid("\xF0\x80\x80\x80", 4));
    assert_false(utf8_valid("\xF0\x8F\xBF\xBF", 4));
    assert_false(utf8_valid("\xF5\x80\x80\x80", 4));
    assert_false(utf8_valid("\xFF", 1));
}

static void test_utf8_valid_reads_no_byte_beyond_the_length(void **state UNUSED)
{
    assert_true(utf8_valid("ab\xFF", 2));
    assert_true(utf8_valid("", 0));
    assert_true(utf8_valid("a\0b", 3));
    assert_false(utf8_valid("a\xE2\x82\xAC", 3));
    assert_true(utf8_valid("a\xE2\x82\xAC", 4));
}

static void test_text_has_control_finds_c0_and_delete(void **state UNUSED)
{
    for (int c = 0; c < 256; c++) {
        char text[3] = { 'a', (char)c, 'b' };
        assert_int_equal(text_has_control(text, 3), c < 0x20 || c == 0x7F);
    }
    assert_false(text_has_control("a\n", 1));
    assert_false(text_has_control("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_valid_takes_every_character_and_no_surrogate),
        cmocka_unit_test(test_utf8_valid_refuses_every_other_pair),
        cmocka_unit_test(test_utf8_valid_refuses_overlong_forms),
        cmocka_unit_test(test_utf8_valid_reads_no_byte_beyond_the_length),
        cmocka_unit_test(test_text_has_control_finds_c0_and_delete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
