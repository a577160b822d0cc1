/* SPDX-License-Identifier: Apache-2.0 */
/* Java properties text: logical lines first, then key and value with their escapes. */
#include "worker/base/properties.h"

#include <ctype.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define MAX_PAIRS 4096

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

/* Skips blanks and line ends, counting the lines. */
static const char *skip_blank_lines(const char *p, const char *end, unsigned *number)
{
    while (p < end && (is_blank(*p) || is_line_end(*p))) {
        bool first_of_two = *p == '\r' && p + 1 < end && p[1] == '\n';
        *number += is_line_end(*p) && !first_of_two;
        p++;
    }
    return p;
}

static const char *skip_line(const char *p, const char *end)
{
    while (p < end && !is_line_end(*p)) {
        p++;
    }
    return p;
}

/* Skips the line end behind a backslash and the blanks that the next line starts with. */
static const char *skip_continuation(const char *p, const char *end)
{
    p += p[0] == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
    while (p < end && is_blank(*p)) {
        p++;
    }
    return p;
}

/* Reads one logical line into `line` (escapes still in it, a comment as nothing): natural lines
 * that end with an odd number of backslashes are joined. Returns where the next one starts. */
static const char *logical_line(const char *p, const char *end, struct buf *line, unsigned *number)
{
    buf_clear(line);
    p = skip_blank_lines(p, end, number);
    if (p < end && (*p == '#' || *p == '!')) {
        return skip_line(p, end);
    }
    while (p < end && !is_line_end(*p)) {
        bool pair = *p == '\\' && p + 1 < end;
        if (pair && is_line_end(p[1])) {
            p = skip_continuation(p + 1, end);
            *number += 1;
            continue;
        }
        buf_add(line, p, pair ? 2 : 1);
        p += pair ? 2 : 1;
    }
    return p;
}

static void add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
    } else if (c < 0x800) {
        buf_add_char(out, (char)(0xC0 | (c >> 6)));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_add_char(out, (char)(0xE0 | (c >> 12)));
        buf_add_char(out, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_add_char(out, (char)(0xF0 | (c >> 18)));
        buf_add_char(out, (char)(0x80 | ((c >> 12) & 0x3F)));
        buf_add_char(out, (char)(0x80 | ((c >> 6) & 0x3F)));
        buf_add_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

/* Reads the four digits of \uXXXX at p. */
static bool four_digits(const char *p, uint32_t *ret_unit)
{
    char digits[5] = "";
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)p[i])) {
            return false;
        }
        digits[i] = p[i];
    }
    *ret_unit = (uint32_t)strtoul(digits, NULL, 16);
    return true;
}

/* Decodes \uXXXX (p behind the u), joining a surrogate pair; NULL if malformed. */
static const char *add_unicode(struct buf *out, const char *p)
{
    uint32_t unit = 0;
    if (!four_digits(p, &unit) || unit == 0) {
        return NULL;
    }
    p += 4;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        uint32_t low = 0;
        if (p[0] != '\\' || p[1] != 'u' || !four_digits(p + 2, &low) || low < 0xDC00 ||
            low > 0xDFFF) {
            return NULL;
        }
        unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        p += 6;
    } else if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return NULL;
    }
    add_utf8(out, unit);
    return p;
}

/* Decodes the escape at p, behind its backslash; at the end of the text it stands for nothing. NULL
 * if it is malformed. */
static const char *decode_escape(const char *p, struct buf *out)
{
    switch (*p) {
    case '\0':
        return p;
    case 'u':
        return add_unicode(out, p + 1);
    case 'n':
        buf_add_char(out, '\n');
        return p + 1;
    case 't':
        buf_add_char(out, '\t');
        return p + 1;
    case 'r':
        buf_add_char(out, '\r');
        return p + 1;
    case 'f':
        buf_add_char(out, '\f');
        return p + 1;
    default:
        buf_add_char(out, *p);
        return p + 1;
    }
}

/* Decodes from p to the end of the text, or to a separator when key is true. NULL: bad escape. */
static const char *decode(const char *p, bool key, struct buf *out)
{
    while (p && *p && !(key && (*p == '=' || *p == ':' || is_blank(*p)))) {
        if (*p == '\\') {
            p = decode_escape(p + 1, out);
        } else {
            buf_add_char(out, *p++);
        }
    }
    return p;
}

static bool add_pair(const char *line, struct kvs *kvs)
{
    struct buf key;
    struct buf value;
    buf_init(&key);
    buf_init(&value);
    const char *p = decode(line, true, &key);
    if (p) {
        while (is_blank(*p)) {
            p++;
        }
        if (*p == '=' || *p == ':') {
            p++;
        }
        while (is_blank(*p)) {
            p++;
        }
        p = decode(p, false, &value);
    }
    if (p) {
        kvs_set(kvs, buf_text(&key), buf_text(&value));
    }
    buf_fini(&key);
    buf_fini(&value);
    return p != NULL;
}

/* Where the first byte is that is no text, NULL if there is none. */
static const char *first_bad(const char *p, const char *end)
{
    while (p < end) {
        size_t n = *p ? utf8_character(p, (size_t)(end - p)) : 0;
        if (n == 0) {
            return p;
        }
        p += n;
    }
    return NULL;
}

static unsigned line_of(const char *text, const char *at)
{
    unsigned line = 1;
    for (const char *p = text; p < at; p++) {
        line += *p == '\n' || (*p == '\r' && p[1] != '\n');
    }
    return line;
}

enum err properties_parse(const char *text, size_t length, struct kvs *kvs, struct error *reterr)
{
    const char *p = text;
    const char *end = text + length;
    const char *bad = first_bad(p, end);
    if (bad) {
        return error_set(reterr, ERR_INVALID, "line %u: not UTF-8 text; save the file as UTF-8",
                         line_of(text, bad));
    }
    if (length >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) {
        p += 3;
    }
    unsigned number = 1;
    struct buf line;
    buf_init(&line);
    enum err err = ERR_OK;
    while (p < end && err == ERR_OK) {
        p = logical_line(p, end, &line, &number);
        if (line.length == 0) {
            continue;
        }
        if (!add_pair(buf_text(&line), kvs)) {
            err = error_set(reterr, ERR_INVALID, "line %u: malformed \\uXXXX escape", number);
        } else if (kvs->n_items > MAX_PAIRS) {
            err = error_set(reterr, ERR_INVALID, "line %u: more than %d keys", number, MAX_PAIRS);
        }
    }
    buf_fini(&line);
    return err;
}
