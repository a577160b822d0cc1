/* SPDX-License-Identifier: Apache-2.0 */
/* Values as header texts. See header_text.h. */
#include "worker/convert/header_text.h"

#include <time.h>

#include "worker/base/base64.h"
#include "worker/base/mem.h"

#define MS_PER_DAY INT64_C(86400000)

static void add_quoted(const char *text, size_t length, struct buf *out)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            buf_add_char(out, '\\');
        }
        buf_add_char(out, text[i]);
    }
    buf_add_char(out, '"');
}

/* Times of the first day have no date, and midnights no time. */
static void add_date(int64_t ms, struct buf *out)
{
    int64_t rest = ((ms % 1000) + 1000) % 1000;
    time_t seconds = (time_t)((ms - rest) / 1000);
    struct tm tm;
    char text[40] = "";
    if (!gmtime_r(&seconds, &tm)) {
        return;
    }
    if (ms < MS_PER_DAY) {
        (void)strftime(text, sizeof(text), "%H:%M:%S", &tm);
    } else {
        (void)strftime(text, sizeof(text), ms % MS_PER_DAY == 0 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S",
                       &tm);
    }
    buf_add_text(out, text);
    if (ms < MS_PER_DAY || ms % MS_PER_DAY != 0) {
        buf_printf(out, ".%03dZ", (int)rest);
    }
}

static void add_parts(const struct value *value, struct buf *out)
{
    bool list = value->type == VALUE_ARRAY;
    size_t n = list                       ? value->as.array.n_items
               : value->type == VALUE_MAP ? value->as.map.n_entries
                                          : value->schema->n_fields;
    buf_add_char(out, list ? '[' : '{');
    for (size_t i = 0; i < n; i++) {
        buf_add_text(out, i == 0 ? "" : ",");
        if (list) {
            header_text_add(&value->as.array.items[i], true, out);
        } else if (value->type == VALUE_MAP) {
            header_text_add(&value->as.map.entries[i].key, true, out);
            buf_add_char(out, ':');
            header_text_add(&value->as.map.entries[i].value, true, out);
        } else {
            const char *name = value->schema->fields[i].name;
            add_quoted(name, strlen(name), out);
            buf_add_char(out, ':');
            header_text_add(value_or_default(value, i, false), true, out);
        }
    }
    buf_add_char(out, list ? ']' : '}');
}

void header_text_add(const struct value *value, bool embedded, struct buf *out)
{
    switch (value->type) {
    case VALUE_STRING:
        if (embedded) {
            add_quoted(value->as.bytes.data, value->as.bytes.length, out);
        } else {
            value_add_text(value, out);
        }
        break;
    case VALUE_BYTES:
        buf_add_text(out, embedded ? "\"" : "");
        base64_add(out, value->as.bytes.data, value->as.bytes.length);
        buf_add_text(out, embedded ? "\"" : "");
        break;
    case VALUE_ARRAY:
    case VALUE_MAP:
    case VALUE_STRUCT:
        add_parts(value, out);
        break;
    case VALUE_DATE:
        add_date(value->as.number, out);
        break;
    case VALUE_NULL:
    case VALUE_BOOLEAN:
    case VALUE_INT8:
    case VALUE_INT16:
    case VALUE_INT32:
    case VALUE_INT64:
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
    case VALUE_DECIMAL:
        value_add_text(value, out);
        break;
    }
}
