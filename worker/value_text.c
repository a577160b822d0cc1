/* SPDX-License-Identifier: Apache-2.0 */
/* Values as the text that Java makes of them. See value.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "worker/base/mem.h"
#include "worker/value.h"

/* Digits of a floating point number and the power of ten of the first one. */
struct digits {
    char text[24];
    int exponent;
};

static bool reads_back(const char *text, double number, bool is_float)
{
    double back = is_float ? (double)strtof(text, NULL) : strtod(text, NULL);
    return !(back < number) && !(back > number);
}

/* The fewest digits that read back as the same number. */
static struct digits shortest(double number, bool is_float)
{
    char text[40];
    for (int n = 0; n <= 16; n++) {
        (void)snprintf(text, sizeof(text), "%.*e", n, number);
        if (reads_back(text, number, is_float)) {
            break;
        }
    }
    struct digits digits = { .text = "" };
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p != '.' && n < sizeof(digits.text) - 1) {
            digits.text[n++] = *p;
        }
    }
    while (n > 1 && digits.text[n - 1] == '0') {
        n--;
    }
    digits.text[n] = '\0';
    digits.exponent = (int)strtol(p + 1, NULL, 10);
    return digits;
}

static void add_plain(const struct digits *digits, struct buf *out)
{
    int n = (int)strlen(digits->text);
    int before = digits->exponent + 1;
    if (before <= 0) {
        buf_add_text(out, "0.");
        for (int i = before; i < 0; i++) {
            buf_add_char(out, '0');
        }
        buf_add_text(out, digits->text);
        return;
    }
    for (int i = 0; i < before; i++) {
        buf_add_char(out, i < n ? digits->text[i] : '0');
    }
    buf_printf(out, ".%s", before < n ? digits->text + before : "0");
}

static void add_real(double number, bool is_float, struct buf *out)
{
    if (isnan(number)) {
        buf_add_text(out, "NaN");
        return;
    }
    if (signbit(number)) {
        buf_add_char(out, '-');
        number = -number;
    }
    if (isinf(number)) {
        buf_add_text(out, "Infinity");
        return;
    }
    if (!(number > 0)) {
        buf_add_text(out, "0.0");
        return;
    }
    struct digits digits = shortest(number, is_float);
    if (digits.exponent >= -3 && digits.exponent < 7) {
        add_plain(&digits, out);
        return;
    }
    buf_printf(out, "%c.%sE%d", digits.text[0], digits.text[1] ? digits.text + 1 : "0",
               digits.exponent);
}

/* Two of these are written for each MQTT message, so no formatted print. */
static void add_whole(int64_t number, struct buf *out)
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

/* As java.util.Date writes itself in UTC. */
static void add_date(int64_t time_ms, struct buf *out)
{
    time_t seconds = (time_t)(time_ms / 1000 - (time_ms % 1000 < 0));
    struct tm parts;
    char text[64];
    if (gmtime_r(&seconds, &parts) &&
        strftime(text, sizeof(text), "%a %b %d %H:%M:%S UTC %Y", &parts) > 0) {
        buf_add_text(out, text);
    } else {
        add_whole(time_ms, out);
    }
}

static void add_array(const struct value *value, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < value->as.array.n_items; i++) {
        buf_add_text(out, i == 0 ? "" : ", ");
        value_add_text(&value->as.array.items[i], out);
    }
    buf_add_char(out, ']');
}

static void add_map(const struct value *value, struct buf *out)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < value->as.map.n_entries; i++) {
        buf_add_text(out, i == 0 ? "" : ", ");
        value_add_text(&value->as.map.entries[i].key, out);
        buf_add_char(out, '=');
        value_add_text(&value->as.map.entries[i].value, out);
    }
    buf_add_char(out, '}');
}

static void add_struct(const struct value *value, struct buf *out)
{
    bool first = true;
    buf_add_text(out, "Struct{");
    for (size_t i = 0; i < value->schema->n_fields; i++) {
        if (value->as.fields[i].type == VALUE_NULL) {
            continue;
        }
        buf_printf(out, "%s%s=", first ? "" : ",", value->schema->fields[i].name);
        value_add_text(&value->as.fields[i], out);
        first = false;
    }
    buf_add_char(out, '}');
}

void value_add_text(const struct value *value, struct buf *out)
{
    switch (value->type) {
    case VALUE_NULL:
        buf_add_text(out, "null");
        break;
    case VALUE_BOOLEAN:
        buf_add_text(out, value->as.boolean ? "true" : "false");
        break;
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
        add_whole(value->as.number, out);
        break;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        add_real(value->as.real, value->type == VALUE_FLOAT32, out);
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
        buf_add(out, value->as.bytes.data, value->as.bytes.length);
        break;
    case VALUE_ARRAY:
        add_array(value, out);
        break;
    case VALUE_MAP:
        add_map(value, out);
        break;
    case VALUE_STRUCT:
        add_struct(value, out);
        break;
    case VALUE_DATE:
        add_date(value->as.number, out);
        break;
    case VALUE_DECIMAL:
        decimal_add_text(value->as.decimal, out);
        break;
    }
}
