/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling and writing. See date_format.h. */
#include "worker/base/date_format.h"

#include <ctype.h>
#include <time.h>

#include "worker/base/date_parts.h"
#include "worker/base/mem.h"

#define MAX_PARTS  64
#define MAX_LETTER 18

const char *const date_months[] = { "January",   "February", "March",    "April",
                                    "May",       "June",     "July",     "August",
                                    "September", "October",  "November", "December" };
const char *const date_days[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                  "Thursday", "Friday", "Saturday" };

static enum err add_part(struct date_format *format, char letter, const char *text, size_t length,
                         struct error *reterr)
{
    if (format->n_parts == MAX_PARTS) {
        return error_set(reterr, ERR_INVALID, "the pattern has more than %d parts", MAX_PARTS);
    }
    struct date_part *part = &format->parts[format->n_parts++];
    *part = (struct date_part){ .letter = letter, .width = length };
    if (!letter) {
        part->text = xstrndup(text, length);
    }
    return ERR_OK;
}

/* A text in quotes, in which two quotes stand for one; at is behind the first. */
static enum err add_quoted(struct date_format *format, const char **at, struct error *reterr)
{
    struct buf text;
    buf_init(&text);
    const char *p = *at;
    while (*p && (p[0] != '\'' || p[1] == '\'')) {
        p += p[0] == '\'';
        buf_add_char(&text, *p++);
    }
    enum err err = *p ? add_part(format, 0, buf_text(&text), text.length, reterr)
                      : error_set(reterr, ERR_INVALID, "Unterminated quote");
    buf_fini(&text);
    *at = *p ? p + 1 : p;
    return err;
}

static enum err add_letters(struct date_format *format, const char **at, struct error *reterr)
{
    static const char known[] = "yMdDHhkKmsSaEzZX";
    char letter = **at;
    size_t n = 0;
    while (**at == letter) {
        (*at)++;
        n++;
    }
    if (!strchr(known, letter)) {
        return error_set(reterr, ERR_INVALID,
                         "the pattern letter %c is not supported: use %s, and other texts in "
                         "quotes",
                         letter, letter == 'Y' ? "y for the year" : "letters of yMdDHhkKmsSaEzZX");
    }
    if (n > MAX_LETTER || (letter == 'X' && n > 3)) {
        return error_set(reterr, ERR_INVALID, "too many letters %c in the pattern", letter);
    }
    return add_part(format, letter, NULL, n, reterr);
}

static enum err compile(struct date_format *format, const char *pattern, struct error *reterr)
{
    const char *at = pattern;
    enum err err = ERR_OK;
    while (*at && err == ERR_OK) {
        size_t n = 0;
        if (isalpha((unsigned char)*at)) {
            err = add_letters(format, &at, reterr);
        } else if (at[0] == '\'' && at[1] == '\'') {
            err = add_part(format, 0, "'", 1, reterr);
            at += 2;
        } else if (*at == '\'') {
            at++;
            err = add_quoted(format, &at, reterr);
        } else {
            while (at[n] && at[n] != '\'' && !isalpha((unsigned char)at[n])) {
                n++;
            }
            err = add_part(format, 0, at, n, reterr);
            at += n;
        }
    }
    return err;
}

enum err date_format_new(const char *pattern, struct date_format **ret_format, struct error *reterr)
{
    struct date_format *format = xcalloc(1, sizeof(*format));
    format->parts = xcalloc(MAX_PARTS, sizeof(*format->parts));
    enum err err = compile(format, pattern, reterr);
    if (err != ERR_OK) {
        date_format_free(format);
        return err;
    }
    *ret_format = format;
    return ERR_OK;
}

void date_format_free(struct date_format *format)
{
    if (!format) {
        return;
    }
    for (size_t i = 0; i < format->n_parts; i++) {
        free(format->parts[i].text);
    }
    free(format->parts);
    free(format);
}

enum err check_date_format(const char *value, struct error *reterr)
{
    struct date_format *format = NULL;
    enum err err = date_format_new(value, &format, reterr);
    if (err == ERR_OK) {
        date_format_free(format);
    }
    return err;
}

/* ---- writing ---- */

static void add_number(int number, size_t width, struct buf *out)
{
    buf_printf(out, "%0*d", (int)width, number);
}

static void add_name(const char *name, bool whole, struct buf *out)
{
    buf_add(out, name, whole ? strlen(name) : 3);
}

static void add_zone(const struct date_part *part, struct buf *out)
{
    if (part->letter == 'X') {
        buf_add_char(out, 'Z');
    } else if (part->letter == 'Z') {
        buf_add_text(out, "+0000");
    } else {
        buf_add_text(out, part->width >= 4 ? "Coordinated Universal Time" : "UTC");
    }
}

static int number_of(char letter, const struct tm *tm, int ms)
{
    int hour12 = tm->tm_hour % 12;
    switch (letter) {
    case 'M':
        return tm->tm_mon + 1;
    case 'd':
        return tm->tm_mday;
    case 'D':
        return tm->tm_yday + 1;
    case 'H':
        return tm->tm_hour;
    case 'h':
        return hour12 == 0 ? 12 : hour12;
    case 'k':
        return tm->tm_hour == 0 ? 24 : tm->tm_hour;
    case 'K':
        return hour12;
    case 'm':
        return tm->tm_min;
    case 's':
        return tm->tm_sec;
    default:
        return ms;
    }
}

static void add_field(const struct date_part *part, const struct tm *tm, int ms, struct buf *out)
{
    int year = tm->tm_year + 1900;
    if (part->letter == 'y' && part->width == 2) {
        add_number(year % 100, 2, out);
    } else if (part->letter == 'y') {
        add_number(year, part->width, out);
    } else if (part->letter == 'M' && part->width >= 3) {
        add_name(date_months[tm->tm_mon], part->width >= 4, out);
    } else if (part->letter == 'E') {
        add_name(date_days[tm->tm_wday], part->width >= 4, out);
    } else if (part->letter == 'a') {
        buf_add_text(out, tm->tm_hour < 12 ? "AM" : "PM");
    } else if (strchr("zZX", part->letter)) {
        add_zone(part, out);
    } else {
        add_number(number_of(part->letter, tm, ms), part->width, out);
    }
}

void date_format_add(const struct date_format *format, int64_t time_ms, struct buf *out)
{
    int ms = (int)(((time_ms % 1000) + 1000) % 1000);
    time_t seconds = (time_t)((time_ms - ms) / 1000);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm)) {
        return;
    }
    for (size_t i = 0; i < format->n_parts; i++) {
        const struct date_part *part = &format->parts[i];
        if (part->letter) {
            add_field(part, &tm, ms, out);
        } else {
            buf_add_text(out, part->text);
        }
    }
}
