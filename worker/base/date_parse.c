/* SPDX-License-Identifier: Apache-2.0 */
/* Reading. See date_format.h. */
#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "worker/base/date_parts.h"
#include "worker/base/mem.h"

/* Where the reading is, and what was read. Fields count as in a calendar that starts at
 * 1970-01-01T00:00. */
struct reading {
    const char *at;
    const char *end;
    struct tm tm;
    int64_t ms;
    int64_t offset_s; /* east of UTC */
    int64_t day_of_year;
    bool afternoon;
    bool hour12;
};

static void skip_space(struct reading *reading)
{
    while (reading->at < reading->end && (*reading->at == ' ' || *reading->at == '\t')) {
        reading->at++;
    }
}

/* A whole number of at most width characters (0: any). */
static bool read_number(struct reading *reading, size_t width, int64_t *ret_number)
{
    const char *start = reading->at;
    const char *end = reading->end;
    if (width > 0 && (size_t)(end - start) > width) {
        end = start + width;
    } else if (width > (size_t)(end - start)) {
        return false;
    }
    bool negative = start < end && *start == '-';
    const char *p = start + negative;
    int64_t number = 0;
    while (p < end && isdigit((unsigned char)*p) && number < INT64_C(100000000000)) {
        number = number * 10 + (*p++ - '0');
    }
    if (p == start + negative) {
        return false;
    }
    reading->at = p;
    *ret_number = negative ? -number : number;
    return true;
}

/* The longest of the names, whole or their first three letters, in any case. */
static bool read_name(struct reading *reading, const char *const *names, int n, int *ret_index)
{
    size_t left = (size_t)(reading->end - reading->at);
    size_t best = 0;
    for (int i = 0; i < n; i++) {
        size_t lengths[] = { strlen(names[i]), 3 };
        for (size_t j = 0; j < N_ELEMENTS(lengths); j++) {
            if (lengths[j] > best && lengths[j] <= left &&
                strncasecmp(reading->at, names[i], lengths[j]) == 0) {
                best = lengths[j];
                *ret_index = i;
            }
        }
    }
    reading->at += best;
    return best > 0;
}

static bool read_text(struct reading *reading, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(reading->end - reading->at) < length || memcmp(reading->at, text, length) != 0) {
        return false;
    }
    reading->at += length;
    return true;
}

/* +hhmm, +hh:mm, Z, UTC or GMT. */
static bool read_zone(struct reading *reading)
{
    if (read_text(reading, "Z")) {
        return true;
    }
    bool named = read_text(reading, "UTC") || read_text(reading, "GMT");
    if (reading->at == reading->end || (*reading->at != '+' && *reading->at != '-')) {
        return named;
    }
    bool negative = *reading->at++ == '-';
    int64_t hours = 0;
    int64_t minutes = 0;
    if (!read_number(reading, 2, &hours) || hours < 0 || hours > 23) {
        return false;
    }
    bool colon = read_text(reading, ":");
    if (!read_number(reading, 2, &minutes)) {
        minutes = 0;
        if (colon) {
            return false;
        }
    }
    reading->offset_s = (hours * 3600 + minutes * 60) * (negative ? -1 : 1);
    return minutes >= 0 && minutes < 60;
}

/* Years of two digits lie from 80 years ago to 20 years ahead. */
static int64_t full_year(int64_t year)
{
    time_t now = time(NULL);
    struct tm tm;
    if (!gmtime_r(&now, &tm)) {
        return year;
    }
    int64_t start = tm.tm_year + 1900 - 80;
    int64_t full = start / 100 * 100 + year;
    return full < start ? full + 100 : full;
}

static bool set_number(struct reading *reading, char letter, int64_t number)
{
    if (number > 100000000 || number < -100000000) {
        return letter == 'S' ? (reading->ms = number, true) : false;
    }
    int value = (int)number;
    switch (letter) {
    case 'y':
        reading->tm.tm_year = value - 1900;
        break;
    case 'M':
        reading->tm.tm_mon = value - 1;
        break;
    case 'd':
        reading->tm.tm_mday = value;
        break;
    case 'D':
        reading->day_of_year = value;
        break;
    case 'H':
        reading->tm.tm_hour = value;
        break;
    case 'k':
        reading->tm.tm_hour = value == 24 ? 0 : value;
        break;
    case 'h':
    case 'K':
        reading->tm.tm_hour = value == 12 && letter == 'h' ? 0 : value;
        reading->hour12 = true;
        break;
    case 'm':
        reading->tm.tm_min = value;
        break;
    case 's':
        reading->tm.tm_sec = value;
        break;
    default:
        reading->ms = value;
        break;
    }
    return true;
}

static bool read_numeric(struct reading *reading, const struct date_part *part, bool adjacent)
{
    const char *start = reading->at;
    int64_t number = 0;
    if (!read_number(reading, adjacent ? part->width : 0, &number)) {
        return false;
    }
    bool short_year = part->letter == 'y' && part->width <= 2 && reading->at - start == 2 &&
                      isdigit((unsigned char)*start);
    return set_number(reading, part->letter, short_year ? full_year(number) : number);
}

static bool read_part(struct reading *reading, const struct date_part *part, bool adjacent)
{
    static const char *const halves[] = { "AM", "PM" };
    if (!part->letter) {
        return read_text(reading, part->text);
    }
    skip_space(reading);
    int index = 0;
    switch (part->letter) {
    case 'E':
        return read_name(reading, date_days, N_ELEMENTS(date_days), &index);
    case 'z':
    case 'Z':
    case 'X':
        return read_zone(reading);
    case 'a':
        if (reading->end - reading->at < 2) {
            return false;
        }
        reading->afternoon = strncasecmp(reading->at, halves[1], 2) == 0;
        reading->at += 2;
        return reading->afternoon || strncasecmp(reading->at - 2, halves[0], 2) == 0;
    case 'M':
        if (part->width < 3) {
            break;
        }
        if (!read_name(reading, date_months, N_ELEMENTS(date_months), &index)) {
            return false;
        }
        reading->tm.tm_mon = index;
        return true;
    default:
        break;
    }
    return read_numeric(reading, part, adjacent);
}

bool date_format_parse(const struct date_format *format, const char *text, size_t length,
                       int64_t *ret_time_ms)
{
    struct reading reading = { .at = text, .end = text + length };
    reading.tm.tm_year = 70;
    reading.tm.tm_mday = 1;
    for (size_t i = 0; i < format->n_parts; i++) {
        bool adjacent = i + 1 < format->n_parts && format->parts[i + 1].letter;
        if (!read_part(&reading, &format->parts[i], adjacent)) {
            return false;
        }
    }
    if (reading.hour12 && reading.afternoon) {
        reading.tm.tm_hour += 12;
    }
    if (reading.day_of_year != 0) {
        reading.tm.tm_mon = 0;
        reading.tm.tm_mday = (int)reading.day_of_year;
    }
    *ret_time_ms = ((int64_t)timegm(&reading.tm) - reading.offset_s) * 1000 + reading.ms;
    return true;
}
