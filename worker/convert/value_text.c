/* SPDX-License-Identifier: Apache-2.0 */
/* Plain values as text. See plugins.h. */
#include <math.h>
#include <stdio.h>

#include "worker/convert/plugins.h"

/* The shortest decimal text that reads back as the same number. */
static void add_double(double number, struct buf *out)
{
    if (isnan(number)) {
        buf_add_text(out, "NaN");
        return;
    }
    if (isinf(number)) {
        buf_add_text(out, number > 0 ? "Infinity" : "-Infinity");
        return;
    }
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        double back = strtod(text, NULL);
        if (!(back < number) && !(back > number)) {
            break;
        }
    }
    buf_add_text(out, text);
    if (!strpbrk(text, ".e")) {
        buf_add_text(out, ".0");
    }
}

/* Two of these are written for each MQTT message, so no formatted print. */
static void add_int(int64_t number, struct buf *out)
{
    char text[24];
    size_t at = sizeof(text);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do {
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0) {
        text[--at] = '-';
    }
    buf_add(out, text + at, sizeof(text) - at);
}

bool value_add_text(const struct value *value, struct buf *out)
{
    switch (value->type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOLEAN:
        buf_add_text(out, value->as.boolean ? "true" : "false");
        return true;
    case VALUE_INT:
        add_int(value->as.number, out);
        return true;
    case VALUE_DOUBLE:
        add_double(value->as.real, out);
        return true;
    case VALUE_STRING:
        buf_add(out, value->as.bytes.data, value->as.bytes.length);
        return true;
    case VALUE_BYTES:
    case VALUE_JSON:
        return false;
    }
    return false;
}

const char *value_type_text(enum value_type type)
{
    static const char *const names[] = { "NULL",   "BOOLEAN", "INT64", "FLOAT64",
                                         "STRING", "BYTES",   "MAP" };
    return names[type];
}
