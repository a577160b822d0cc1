/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers of any length as Java's BigDecimal reads and writes them. See value.h. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "worker/base/mem.h"
#include "worker/value.h"

/* More digits than DECIMAL_MAX_BYTES can hold are never read. */
#define MAX_DIGITS (DECIMAL_MAX_BYTES * 5 / 2)

/* What a text says: its digits without a point, and where the point was. */
struct parts {
    bool negative;
    char digits[MAX_DIGITS];
    size_t n_digits;
    int64_t scale;
};

static bool read_digits(const char **place, const char *end, struct parts *parts, bool fraction)
{
    while (*place < end && isdigit((unsigned char)**place)) {
        if (parts->n_digits == MAX_DIGITS) {
            return false;
        }
        parts->digits[parts->n_digits++] = *(*place)++;
        parts->scale += fraction;
    }
    return true;
}

static bool read_sign(const char **place, const char *end)
{
    bool negative = *place < end && **place == '-';
    if (*place < end && (**place == '-' || **place == '+')) {
        (*place)++;
    }
    return negative;
}

static bool read_exponent(const char **place, const char *end, struct parts *parts)
{
    (*place)++;
    bool negative = read_sign(place, end);
    int64_t exponent = 0;
    const char *start = *place;
    while (*place < end && isdigit((unsigned char)**place) && exponent < INT32_MAX) {
        exponent = exponent * 10 + (*(*place)++ - '0');
    }
    parts->scale += negative ? exponent : -exponent;
    return *place > start;
}

static bool read_parts(const char *text, size_t length, struct parts *parts)
{
    const char *place = text;
    const char *end = text + length;
    *parts = (struct parts){ .negative = read_sign(&place, end) };
    if (!read_digits(&place, end, parts, false)) {
        return false;
    }
    if (place < end && *place == '.') {
        place++;
        if (!read_digits(&place, end, parts, true)) {
            return false;
        }
    }
    if (parts->n_digits == 0) {
        return false;
    }
    if (place < end && (*place == 'e' || *place == 'E') && !read_exponent(&place, end, parts)) {
        return false;
    }
    return place == end && parts->scale >= INT32_MIN && parts->scale <= INT32_MAX;
}

/* Bytes with the lowest first: number = number * factor + more; false when it gets too long. */
static bool multiply(unsigned char *bytes, size_t *length, unsigned factor, unsigned more)
{
    unsigned carry = more;
    for (size_t i = 0; i < *length; i++) {
        unsigned n = bytes[i] * factor + carry;
        bytes[i] = (unsigned char)(n & 255);
        carry = n >> 8;
    }
    if (carry > 0) {
        if (*length == DECIMAL_MAX_BYTES - 1) {
            return false;
        }
        bytes[(*length)++] = (unsigned char)carry;
    }
    return true;
}

static void negate(unsigned char *bytes, size_t length)
{
    unsigned carry = 1;
    for (size_t i = 0; i < length; i++) {
        unsigned n = (unsigned char)~bytes[i] + carry;
        bytes[i] = (unsigned char)(n & 255);
        carry = n >> 8;
    }
}

bool decimal_parse(const char *text, size_t length, struct arena *arena,
                   struct decimal *ret_decimal)
{
    struct parts parts;
    if (!read_parts(text, length, &parts)) {
        return false;
    }
    unsigned char bytes[DECIMAL_MAX_BYTES] = { 0 };
    size_t n = 0;
    for (size_t i = 0; i < parts.n_digits; i++) {
        if (!multiply(bytes, &n, 10, (unsigned)(parts.digits[i] - '0'))) {
            return false;
        }
    }
    /* One byte more than needed holds the sign; those that say nothing go away again. */
    size_t size = n + 1;
    if (parts.negative) {
        negate(bytes, size);
    }
    while (size > 1 && ((bytes[size - 1] == 0 && bytes[size - 2] < 128) ||
                        (bytes[size - 1] == 255 && bytes[size - 2] >= 128))) {
        size--;
    }
    unsigned char *unscaled = arena_alloc(arena, size);
    for (size_t i = 0; i < size; i++) {
        unscaled[i] = bytes[size - 1 - i];
    }
    *ret_decimal = (struct decimal){ unscaled, size, (int32_t)parts.scale };
    return true;
}

/* Divides the bytes, highest first, by ten; returns the rest. */
static unsigned divide(unsigned char *bytes, size_t length)
{
    unsigned rest = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned n = rest << 8 | bytes[i];
        bytes[i] = (unsigned char)(n / 10);
        rest = n % 10;
    }
    return rest;
}

static bool is_zero(const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

/* The digits of the number without its sign, highest first, at the end of text; returns the first.
 */
static char *digits_of(const struct decimal *decimal, char *text, size_t size)
{
    unsigned char bytes[DECIMAL_MAX_BYTES + 1];
    size_t length = decimal->length;
    ASSERT(length <= DECIMAL_MAX_BYTES && length > 0);
    memcpy(bytes, decimal->unscaled, length);
    if (bytes[0] >= 128) {
        for (size_t i = 0; i < length / 2; i++) {
            unsigned char kept = bytes[i];
            bytes[i] = bytes[length - 1 - i];
            bytes[length - 1 - i] = kept;
        }
        negate(bytes, length);
        for (size_t i = 0; i < length / 2; i++) {
            unsigned char kept = bytes[i];
            bytes[i] = bytes[length - 1 - i];
            bytes[length - 1 - i] = kept;
        }
    }
    char *at = text + size - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + divide(bytes, length));
    } while (!is_zero(bytes, length));
    return at;
}

static void add_scientific(const char *digits, int64_t exponent, struct buf *out)
{
    buf_add_char(out, digits[0]);
    if (digits[1]) {
        buf_printf(out, ".%s", digits + 1);
    }
    if (exponent != 0) {
        buf_printf(out, "E%+" PRId64, exponent);
    }
}

void decimal_add_text(const struct decimal *decimal, struct buf *out)
{
    char text[MAX_DIGITS];
    const char *digits = digits_of(decimal, text, sizeof(text));
    int64_t n = (int64_t)strlen(digits);
    int64_t scale = decimal->scale;
    int64_t exponent = n - 1 - scale;
    if (decimal->unscaled[0] >= 128) {
        buf_add_char(out, '-');
    }
    if (scale == 0) {
        buf_add_text(out, digits);
    } else if (scale < 0 || exponent < -6) {
        add_scientific(digits, exponent, out);
    } else if (n > scale) {
        buf_add(out, digits, (size_t)(n - scale));
        buf_printf(out, ".%s", digits + (n - scale));
    } else {
        buf_add_text(out, "0.");
        for (int64_t i = n; i < scale; i++) {
            buf_add_char(out, '0');
        }
        buf_add_text(out, digits);
    }
}
