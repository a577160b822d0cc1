/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets. See target.h. */
#include "rest/target.h"

#include <ctype.h>
#include <strings.h>

#include "worker/base/mem.h"
#include "worker/base/utf8.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)tolower((unsigned char)c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Characters that may stand in a target as they are (RFC 3986, and those that lenient clients send
 * without harm). */
static bool raw_allowed(char c)
{
    return (unsigned char)c > 0x20 && (unsigned char)c != 0x7F;
}

/* Decodes one character at text; ret_used is the number of bytes that it took. */
static enum err decode_one(const char *text, size_t length, char *ret_char, size_t *ret_used,
                           struct error *reterr)
{
    if (text[0] != '%') {
        if (!raw_allowed(text[0])) {
            return error_set(reterr, ERR_INVALID, "Illegal character 0x%02x in the request URI",
                             (unsigned char)text[0]);
        }
        *ret_char = text[0];
        *ret_used = 1;
        return ERR_OK;
    }
    int high = length >= 3 ? hex_digit(text[1]) : -1;
    int low = length >= 3 ? hex_digit(text[2]) : -1;
    if (high < 0 || low < 0) {
        return error_set(reterr, ERR_INVALID, "Bad percent escape in the request URI");
    }
    *ret_char = (char)(high * 16 + low);
    *ret_used = 3;
    return ERR_OK;
}

static enum err refuse_control(struct error *reterr)
{
    return error_set(reterr, ERR_INVALID, TARGET_CONTROL_TEXT);
}

/* plus_is_space: in a query, not in a path. */
static enum err decode(const char *text, size_t length, bool plus_is_space, char **ret_text,
                       struct error *reterr)
{
    CLEANUP(free_charp) char *out = xmalloc(length + 1);
    size_t n = 0;
    for (size_t i = 0, used = 0; i < length; i += used) {
        enum err err = decode_one(text + i, length - i, &out[n], &used, reterr);
        if (err != ERR_OK) {
            return err;
        }
        if (plus_is_space && text[i] == '+') {
            out[n] = ' ';
        }
        n++;
    }
    out[n] = '\0';
    if (memchr(out, '\0', n)) {
        return refuse_control(reterr);
    }
    if (!utf8_valid(out, n)) {
        return error_set(reterr, ERR_INVALID, "Bad UTF-8 in the request URI");
    }
    *ret_text = TAKE(out);
    return ERR_OK;
}

static enum err add_segment(struct target *target, const char *text, size_t length,
                            struct error *reterr)
{
    const char *cut = memchr(text, ';', length);
    if (cut) {
        length = (size_t)(cut - text);
    }
    if (length == 0) {
        return error_set(reterr, ERR_INVALID, "Empty segment in the path of the request URI");
    }
    if (target->n_segments == TARGET_MAX_SEGMENTS) {
        return error_set(reterr, ERR_NOT_FOUND, "HTTP 404 Not Found");
    }
    char *segment = NULL;
    enum err err = decode(text, length, false, &segment, reterr);
    if (err == ERR_OK) {
        target->segments[target->n_segments++] = segment;
        target->has_control = target->has_control || text_has_control(segment, strlen(segment));
    }
    return err;
}

static enum err parse_path(struct target *target, const char *path, size_t length,
                           struct error *reterr)
{
    const char *end = path + length;
    const char *p = path + 1;
    while (p < end) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        const char *stop = slash ? slash : end;
        enum err err = add_segment(target, p, (size_t)(stop - p), reterr);
        if (err != ERR_OK) {
            return err;
        }
        p = stop + 1;
    }
    return ERR_OK;
}

static enum err add_query(struct target *target, const char *text, size_t length,
                          struct error *reterr)
{
    if (length == 0) {
        return ERR_OK;
    }
    if (target->n_query == TARGET_MAX_QUERY) {
        return error_set(reterr, ERR_INVALID, "More than %d query parameters", TARGET_MAX_QUERY);
    }
    const char *equals = memchr(text, '=', length);
    size_t name_length = equals ? (size_t)(equals - text) : length;
    struct query_pair pair = { NULL, NULL };
    enum err err = decode(text, name_length, true, &pair.name, reterr);
    if (err == ERR_OK) {
        err = equals ? decode(equals + 1, length - name_length - 1, true, &pair.value, reterr)
                     : decode("", 0, true, &pair.value, reterr);
    }
    if (err == ERR_OK && (text_has_control(pair.name, strlen(pair.name)) ||
                          text_has_control(pair.value, strlen(pair.value)))) {
        free(pair.value);
        err = refuse_control(reterr);
    }
    if (err != ERR_OK) {
        free(pair.name);
        return err;
    }
    target->query[target->n_query++] = pair;
    return ERR_OK;
}

static enum err parse_query(struct target *target, const char *query, size_t length,
                            struct error *reterr)
{
    const char *end = query + length;
    const char *p = query;
    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p));
        const char *stop = amp ? amp : end;
        enum err err = add_query(target, p, (size_t)(stop - p), reterr);
        if (err != ERR_OK) {
            return err;
        }
        p = stop + 1;
    }
    return ERR_OK;
}

/* The path of an absolute form, "" if it has none. */
static const char *skip_authority(const char *text)
{
    const char *authority = NULL;
    if (strncasecmp(text, "http://", 7) == 0) {
        authority = text + 7;
    } else if (strncasecmp(text, "https://", 8) == 0) {
        authority = text + 8;
    }
    return authority ? authority + strcspn(authority, "/?#") : text;
}

enum err target_parse(const char *text, struct target *ret_target, struct error *reterr)
{
    struct target target = { .n_segments = 0 };
    const char *path = skip_authority(text);
    if (*path == '\0' && path != text) {
        path = "/";
    }
    if (*path != '/') {
        return error_set(reterr, ERR_INVALID, "The request URI is not an absolute path");
    }
    size_t all = strcspn(path, "#");
    size_t path_length = strcspn(path, "?#");
    enum err err = parse_path(&target, path, path_length, reterr);
    if (err == ERR_OK && path_length < all) {
        err = parse_query(&target, path + path_length + 1, all - path_length - 1, reterr);
    }
    if (err != ERR_OK) {
        target_fini(&target);
        return err;
    }
    *ret_target = target;
    return ERR_OK;
}

void target_fini(struct target *target)
{
    for (size_t i = 0; i < target->n_segments; i++) {
        free(target->segments[i]);
    }
    for (size_t i = 0; i < target->n_query; i++) {
        free(target->query[i].name);
        free(target->query[i].value);
    }
    target->n_segments = 0;
    target->n_query = 0;
}

const char *target_query(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->n_query; i++) {
        if (strcmp(target->query[i].name, name) == 0) {
            return target->query[i].value;
        }
    }
    return NULL;
}

bool target_flag(const struct target *target, const char *name, bool fallback)
{
    const char *value = target_query(target, name);
    return value && value[0] != '\0' ? strcasecmp(value, "true") == 0 : fallback;
}

static void encode_but(struct buf *buf, const char *text, const char *left)
{
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if ((c < 0x80 && isalnum(c)) || strchr(left, c)) {
            buf_add_char(buf, (char)c);
        } else {
            buf_printf(buf, "%%%02X", c);
        }
    }
}

void percent_encode_segment(struct buf *buf, const char *text)
{
    encode_but(buf, text, "-._~!$&'()*+,=:@");
}

void percent_encode(struct buf *buf, const char *text)
{
    encode_but(buf, text, "-._~");
}
