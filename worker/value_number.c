/* SPDX-License-Identifier: Apache-2.0 */
/* Java's ways with numbers. See value_number.h. */
#include "worker/value_number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

#include "worker/base/mem.h"

#define MAX_TEXT 400 /* of a floating point number */

static bool in_range(enum value_type type, int64_t number)
{
    switch (type) {
    case VALUE_INT8:
        return number >= INT8_MIN && number <= INT8_MAX;
    case VALUE_INT16:
        return number >= INT16_MIN && number <= INT16_MAX;
    case VALUE_INT32:
        return number >= INT32_MIN && number <= INT32_MAX;
    case VALUE_NULL:
    case VALUE_BOOLEAN:
    case VALUE_INT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_STRING:
    case VALUE_BYTES:
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_STRUCT:
    case VALUE_DATE:
    case VALUE_DECIMAL:
        break;
    }
    return true;
}

bool java_whole(const char *text, size_t length, enum value_type type, int64_t *ret_number)
{
    char copy[32];
    size_t sign = length > 0 && (text[0] == '-' || text[0] == '+');
    if (length == sign || length >= sizeof(copy)) {
        return false;
    }
    for (size_t i = sign; i < length; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    errno = 0;
    int64_t number = strtoll(copy, NULL, 10);
    if (errno != 0 || !in_range(type, number)) {
        return false;
    }
    *ret_number = number;
    return true;
}

static bool is_word(const char *text, double *ret_number)
{
    bool negative = text[0] == '-';
    text += negative || text[0] == '+';
    if (strcmp(text, "NaN") == 0) {
        *ret_number = (double)NAN;
        return true;
    }
    if (strcmp(text, "Infinity") == 0) {
        *ret_number = negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    return false;
}

bool java_real(const char *text, size_t length, double *ret_number)
{
    char copy[MAX_TEXT];
    while (length > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        length--;
    }
    while (length > 0 && (unsigned char)text[length - 1] <= ' ') {
        length--;
    }
    if (length == 0 || length >= sizeof(copy)) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (is_word(copy, ret_number)) {
        return true;
    }
    if (length > 1 && strchr("fFdD", copy[length - 1])) {
        copy[length - 1] = '\0';
    }
    if (copy[strspn(copy, "0123456789+-.eE")] != '\0') {
        return false;
    }
    char *end = NULL;
    double number = strtod(copy, &end);
    if (*end != '\0' || end == copy) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool java_is_number(const struct value *value)
{
    return (value->type >= VALUE_INT8 && value->type <= VALUE_FLOAT64) ||
           value->type == VALUE_DECIMAL;
}

static double as_double(const struct value *value)
{
    if (value->type == VALUE_FLOAT32 || value->type == VALUE_FLOAT64) {
        return value->as.real;
    }
    if (value->type != VALUE_DECIMAL) {
        return (double)value->as.number;
    }
    struct buf text;
    buf_init(&text);
    decimal_add_text(value->as.decimal, &text);
    double number = strtod(buf_text(&text), NULL);
    buf_fini(&text);
    return number;
}

static int64_t clamp(double number, int64_t min, int64_t max)
{
    if (isnan(number)) {
        return 0;
    }
    if (number <= (double)min) {
        return min;
    }
    return number >= (double)max ? max : (int64_t)number;
}

/* The low 64 bits of a decimal's whole part. */
static int64_t decimal_low_bits(const struct value *value)
{
    struct buf text;
    uint64_t number = 0;
    struct arena arena;
    struct decimal whole;
    buf_init(&text);
    arena_init(&arena);
    decimal_add_text(value->as.decimal, &text);
    size_t length = strcspn(buf_text(&text), ".E");
    bool plain = !strchr(buf_text(&text), 'E');
    if (plain && decimal_parse(buf_text(&text), length, &arena, &whole)) {
        for (size_t i = 0; i < whole.length; i++) {
            number =
                (i == 0 && whole.unscaled[0] >= 128 ? UINT64_MAX : number) << 8 | whole.unscaled[i];
        }
    } else {
        number = (uint64_t)clamp(as_double(value), INT64_MIN, INT64_MAX);
    }
    arena_fini(&arena);
    buf_fini(&text);
    return (int64_t)number;
}

static int64_t as_whole(const struct value *value, enum value_type type)
{
    if (value_is_whole(value)) {
        return value->as.number;
    }
    if (value->type == VALUE_DECIMAL) {
        return decimal_low_bits(value);
    }
    return type == VALUE_INT64 ? clamp(value->as.real, INT64_MIN, INT64_MAX)
                               : clamp(value->as.real, INT32_MIN, INT32_MAX);
}

struct value java_narrow(const struct value *value, enum value_type type)
{
    struct value result = { .type = type };
    if (type == VALUE_FLOAT64) {
        result.as.real = as_double(value);
        return result;
    }
    if (type == VALUE_FLOAT32) {
        result.as.real = value_is_whole(value) ? (double)(float)value->as.number
                                               : (double)(float)as_double(value);
        return result;
    }
    int64_t number = as_whole(value, type);
    result.as.number = type == VALUE_INT8    ? (int8_t)number
                       : type == VALUE_INT16 ? (int16_t)number
                       : type == VALUE_INT32 ? (int32_t)number
                                             : number;
    return result;
}
