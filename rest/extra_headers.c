/* SPDX-License-Identifier: Apache-2.0 */
/* Headers that every answer gets. See extra_headers.h. */
#include "rest/extra_headers.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#include "worker/base/config_def.h"
#include "worker/base/mem.h"

#define KEY           "response.http.headers.config"
#define MAX_OFFSET_MS INT64_C(3650000000000) /* a good hundred years: no date overflows */

static const struct {
    const char *name;
    bool add;
    bool date;
} actions[] = {
    { "set", false, false },
    { "add", true, false },
    { "setDate", false, true },
    { "addDate", true, true },
};

/* Made by the server itself: a second one would break the answer. */
static const char *const reserved[] = { "Content-Length", "Content-Type", "Transfer-Encoding",
                                        "Connection",     "Date",         "WWW-Authenticate" };

static enum err refuse(const char *entry, const char *why, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %.200s for configuration " KEY ": %s; expected entries "
                     "'[action] [header name]:[header value]' with an action of set, add, setDate, "
                     "addDate, separated by commas, in double quotes where a value has commas",
                     entry, why);
}

static bool is_token(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("!#$%&'*+-.^_`|~", *p)) {
            return false;
        }
    }
    return name[0] != '\0';
}

static bool is_printable(const char *value)
{
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            return false;
        }
    }
    return true;
}

static const char *wrong_name(const char *name)
{
    if (!is_token(name)) {
        return "the header name must be a token";
    }
    for (size_t i = 0; i < N_ELEMENTS(reserved); i++) {
        if (strcasecmp(reserved[i], name) == 0) {
            return "this header is made by the server itself";
        }
    }
    return NULL;
}

static char *trimmed(const char *from, size_t length)
{
    while (length > 0 && isspace((unsigned char)*from)) {
        from++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)from[length - 1])) {
        length--;
    }
    return xstrndup(from, length);
}

static enum err parse_value(const char *entry, struct extra_header *header, struct error *reterr)
{
    if (!is_printable(header->value)) {
        return refuse(entry, "control character in the value", reterr);
    }

    if (header->date && (!config_parse_whole(header->value, &header->offset_ms) ||
                         header->offset_ms > MAX_OFFSET_MS || header->offset_ms < -MAX_OFFSET_MS)) {
        return refuse(entry, "the value of a date is a number of milliseconds from now", reterr);
    }
    return ERR_OK;
}

static enum err parse_entry(const char *entry, struct extra_header *header, struct error *reterr)
{
    size_t word = strcspn(entry, " \t");
    const char *colon = strchr(entry, ':');
    if (entry[word] == '\0' || !colon || colon < entry + word) {
        return refuse(entry, "no action, or no header name", reterr);
    }
    size_t action = 0;
    while (action < N_ELEMENTS(actions) && (strlen(actions[action].name) != word ||
                                            strncasecmp(actions[action].name, entry, word) != 0)) {
        action++;
    }
    if (action == N_ELEMENTS(actions)) {
        return refuse(entry, "unknown action", reterr);
    }
    header->add = actions[action].add;
    header->date = actions[action].date;
    header->name = trimmed(entry + word, (size_t)(colon - entry) - word);
    header->value = trimmed(colon + 1, strlen(colon + 1));
    const char *wrong = wrong_name(header->name);
    return wrong ? refuse(entry, wrong, reterr) : parse_value(entry, header, reterr);
}

/* Takes one entry up to an unquoted comma; returns what is behind it, NULL after an open quote. */
static const char *take_entry(const char *p, struct buf *entry)
{
    bool quoted = false;
    for (; *p && (quoted || *p != ','); p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else if (quoted && *p == '\\' && p[1]) {
            buf_add_char(entry, *++p);
        } else {
            buf_add_char(entry, *p);
        }
    }
    return quoted ? NULL : p;
}

static enum err add_entry(const char *text, struct extra_headers *headers, struct error *reterr)
{
    CLEANUP(free_charp) char *entry = trimmed(text, strlen(text));
    if (entry[0] == '\0') {
        return refuse("(empty)", "an empty entry", reterr);
    }
    size_t size = (headers->n_items + 1) * sizeof(*headers->items);
    headers->items = xrealloc(headers->items, size);
    struct extra_header *header = &headers->items[headers->n_items++];
    *header = (struct extra_header){ .add = false };
    return parse_entry(entry, header, reterr);
}

enum err extra_headers_parse(const char *text, struct extra_headers *ret_headers,
                             struct error *reterr)
{
    struct extra_headers headers = { NULL, 0 };
    enum err err = ERR_OK;
    const char *p = text[strspn(text, " \t\r\n")] ? text : NULL;
    while (p && err == ERR_OK) {
        CLEANUP(buf_fini) struct buf entry;
        buf_init(&entry);
        const char *end = take_entry(p, &entry);
        err = end ? add_entry(buf_text(&entry), &headers, reterr)
                  : refuse(p, "a quote is not closed", reterr);
        p = end && *end == ',' ? end + 1 : NULL;
    }
    if (err != ERR_OK) {
        extra_headers_fini(&headers);
        return err;
    }
    *ret_headers = headers;
    return ERR_OK;
}

void extra_headers_fini(struct extra_headers *headers)
{
    for (size_t i = 0; i < headers->n_items; i++) {
        free(headers->items[i].name);
        free(headers->items[i].value);
    }
    free(headers->items);
    *headers = (struct extra_headers){ NULL, 0 };
}

/* RFC 9110 5.6.7. */
static void format_date(int64_t wall_ms, char text[40])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;
    text[0] = '\0';
    if (gmtime_r(&seconds, &parts)) {
        (void)strftime(text, 40, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    }
}

void extra_headers_apply(const struct extra_headers *headers, int64_t now_wall_ms,
                         struct http_response *response)
{
    for (size_t i = 0; i < headers->n_items; i++) {
        const struct extra_header *header = &headers->items[i];
        char date[40];
        if (header->date) {
            format_date(now_wall_ms + header->offset_ms, date);
        }
        const char *value = header->date ? date : header->value;
        if (header->add) {
            http_response_header(response, header->name, value);
        } else {
            http_response_set_header(response, header->name, value);
        }
    }
}
