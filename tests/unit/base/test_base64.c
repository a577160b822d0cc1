/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of base 64, with the vectors of RFC 4648 section 10. */
#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/base64.h"
#include "worker/base/macros.h"

static void test_vectors_go_both_ways(void **state)
{
    (void)state;
    static const char *const vectors[][2] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xff\xfe\xfb", "//77" },
    };
    for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
        struct buf text;
        unsigned char bytes[16];
        size_t n = 99;
        buf_init(&text);
        base64_add(&text, vectors[i][0], strlen(vectors[i][0]));
        assert_string_equal(buf_text(&text), vectors[i][1]);
        assert_true(base64_size(text.length) <= sizeof(bytes));
        assert_true(base64_decode(vectors[i][1], text.length, bytes, &n));
        assert_int_equal(n, strlen(vectors[i][0]));
        assert_memory_equal(bytes, vectors[i][0], n);
        buf_fini(&text);
    }
}

static void test_other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "Zg", "Zg=", "Zg==Zg==", "=g==", "Z===", "Zm9!", "Zm 9v" };
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        unsigned char bytes[16];
        size_t n = 0;
        assert_false(base64_decode(texts[i], strlen(texts[i]), bytes, &n));
    }
    unsigned char bytes[16];
    size_t n = 0;
    assert_false(base64_decode("Zm9\0", 4, bytes, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors_go_both_ways),
        cmocka_unit_test(test_other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
