/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever bytes come: the checker agrees with a decoder that is written another way. */
#include "tests/support/fuzz.h"
#include "tests/support/unit.h"
#include "worker/base/macros.h"
#include "worker/base/utf8.h"

/* Decodes by counting the leading ones, then judges the number; slow and plain. */
static bool decodes(const char *bytes, size_t length)
{
    size_t i = 0;
    while (i < length) {
        unsigned char head = (unsigned char)bytes[i++];
        unsigned ones = 0;
        while (ones < 8 && (head & (0x80U >> ones))) {
            ones++;
        }
        if (ones == 0) {
            continue;
        }
        if (ones == 1 || ones > 4) {
            return false;
        }
        uint32_t c = head & (0x7FU >> ones);
        for (unsigned k = 1; k < ones; k++) {
            if (i == length || ((unsigned char)bytes[i] >> 6) != 2) {
                return false;
            }
            c = c * 64 + ((unsigned char)bytes[i++] & 63U);
        }
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        if (c < least[ones] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
            return false;
        }
    }
    return true;
}

static void one(const char *bytes, size_t length)
{
    assert_int_equal(utf8_valid(bytes, length), decodes(bytes, length));
}

static void test_utf8_of_any_bytes_is_judged_as_by_a_decoder(void **state UNUSED)
{
    fuzz_run("utf8", one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_of_any_bytes_is_judged_as_by_a_decoder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
