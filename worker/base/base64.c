/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64. See base64.h. */
#include "worker/base/base64.h"

#include <stdint.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_add(struct buf *buf, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    char *to = buf_reserve(buf, (length + 2) / 3 * 4);
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)from[i] << 16;
        group |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        group |= left > 2 ? from[i + 2] : 0;
        to[0] = alphabet[group >> 18];
        to[1] = alphabet[group >> 12 & 63];
        to[2] = left > 1 ? alphabet[group >> 6 & 63] : '=';
        to[3] = left > 2 ? alphabet[group & 63] : '=';
        to += 4;
        buf->length += 4;
    }
    *to = '\0';
}

size_t base64_size(size_t length)
{
    return length / 4 * 3 + 3;
}

/* A digit's value, -1 if it is none. */
static int digit(char c)
{
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

static bool decode_group(const char *text, size_t n_digits, unsigned char *to)
{
    uint32_t group = 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i < n_digits ? digit(text[i]) : 0;
        if (value < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
    }
    to[0] = (unsigned char)(group >> 16);
    if (n_digits > 2) {
        to[1] = (unsigned char)(group >> 8);
    }
    if (n_digits > 3) {
        to[2] = (unsigned char)group;
    }
    return true;
}

bool base64_decode(const char *text, size_t length, unsigned char *ret_bytes, size_t *ret_length)
{
    if (length % 4 != 0) {
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < length; i += 4) {
        size_t n_digits = 4;
        while (i + 4 == length && n_digits > 2 && text[i + n_digits - 1] == '=') {
            n_digits--;
        }
        if (!decode_group(text + i, n_digits, ret_bytes + n)) {
            return false;
        }
        n += n_digits - 1;
    }
    *ret_length = n;
    return true;
}
