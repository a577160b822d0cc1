/* SPDX-License-Identifier: Apache-2.0 */
/* Media types. See media.h. */
#include "rest/media.h"

#include <stddef.h>
#include <strings.h>

/* Length of text without the blanks at its end. */
static size_t trimmed_length(const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    return length;
}

static bool is_range(const char *text, size_t length, const char *range)
{
    return strlen(range) == length && strncasecmp(text, range, length) == 0;
}

bool media_is_json(const char *content_type)
{
    if (!content_type) {
        return true;
    }
    const char *type = content_type + strspn(content_type, " \t");
    size_t length = trimmed_length(type, strcspn(type, ";"));
    return is_range(type, length, "application/json") || is_range(type, length, "*/*") ||
           is_range(type, length, "application/*");
}

/* "q=0", "q=0.0" and the like rule a range out. */
static bool has_zero_quality(const char *parameters, size_t length)
{
    const char *p = parameters;
    const char *end = parameters + length;
    while (p < end && *p == ';') {
        p++;
        p += strspn(p, " \t");
        if (strncasecmp(p, "q=", 2) == 0) {
            return strtod(p + 2, NULL) == 0.0;
        }
        p += strcspn(p, ";,");
    }
    return false;
}

bool media_accepts_json(const char *accept)
{
    if (!accept || accept[strspn(accept, " \t")] == '\0') {
        return true;
    }
    const char *p = accept;
    while (*p) {
        p += strspn(p, " \t,");
        size_t item = strcspn(p, ",");
        size_t length = strcspn(p, ";,");
        size_t type = trimmed_length(p, length);
        bool matches = is_range(p, type, "application/json") || is_range(p, type, "*/*") ||
                       is_range(p, type, "application/*") || is_range(p, type, "*");
        if (matches && !has_zero_quality(p + length, item - length)) {
            return true;
        }
        p += item;
    }
    return false;
}
