/* SPDX-License-Identifier: Apache-2.0 */
/* Topic filters and share names. See filter.h. */
#include "worker/mqtt/filter.h"

#include "worker/base/buf.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

#define TEXT_LIMIT 65535
static const char share_prefix[] = "$share/";

enum err mqtt_text_check(const char *text, struct error *reterr)
{
    size_t length = strlen(text);
    if (length > TEXT_LIMIT) {
        return error_set(reterr, ERR_INVALID, "longer than the %d bytes that MQTT allows",
                         TEXT_LIMIT);
    }
    if (!utf8_valid(text, length)) {
        return error_set(reterr, ERR_INVALID, "not valid UTF-8");
    }
    if (text_has_control(text, length)) {
        return error_set(reterr, ERR_INVALID, "must not contain control characters");
    }
    return ERR_OK;
}

/* Wildcards stand for whole levels; # only for the last one (4.7.1). */
static enum err check_wildcards(const char *filter, struct error *reterr)
{
    for (const char *p = filter; *p; p++) {
        if (*p != '+' && *p != '#') {
            continue;
        }
        bool starts = p == filter || p[-1] == '/';
        if (*p == '+' && (!starts || (p[1] != '\0' && p[1] != '/'))) {
            return error_set(reterr, ERR_INVALID, "%.200s: + must stand alone between two slashes",
                             filter);
        }
        if (*p == '#' && (!starts || p[1] != '\0')) {
            return error_set(reterr, ERR_INVALID,
                             "%.200s: # must be the last level and stand alone", filter);
        }
    }
    return ERR_OK;
}

enum err mqtt_share_group_check(const char *text, struct error *reterr)
{
    if (text[0] == '\0') {
        return error_set(reterr, ERR_INVALID, "a share group must not be empty");
    }
    if (strpbrk(text, "/+#")) {
        return error_set(reterr, ERR_INVALID, "%.200s: a share group must not contain /, + or #",
                         text);
    }
    return mqtt_text_check(text, reterr);
}

bool mqtt_filter_is_shared(const char *text)
{
    return strncmp(text, share_prefix, strlen(share_prefix)) == 0;
}

static enum err check_shared(const char *text, struct error *reterr)
{
    const char *group = text + strlen(share_prefix);
    const char *slash = strchr(group, '/');
    if (!slash || slash[1] == '\0') {
        return error_set(reterr, ERR_INVALID,
                         "%.200s: write $share/<group>/<filter>, the filter is missing", text);
    }
    CLEANUP(free_charp) char *name = xstrndup(group, (size_t)(slash - group));
    enum err err = mqtt_share_group_check(name, reterr);
    return err == ERR_OK ? check_wildcards(slash + 1, reterr) : err;
}

enum err mqtt_filter_check(const char *text, struct error *reterr)
{
    if (text[0] == '\0') {
        return error_set(reterr, ERR_INVALID, "a topic filter must not be empty");
    }
    enum err err = mqtt_text_check(text, reterr);
    if (err != ERR_OK) {
        return err;
    }
    if (strcmp(text, "$share") == 0 || mqtt_filter_is_shared(text)) {
        return text[6] == '/'
                   ? check_shared(text, reterr)
                   : error_set(reterr, ERR_INVALID, "$share: write $share/<group>/<filter>");
    }
    return check_wildcards(text, reterr);
}

char *mqtt_share_group_from(const char *text)
{
    struct buf name;
    buf_init(&name);
    for (const char *p = text; *p; p++) {
        if (strchr("/+#%", *p)) {
            buf_printf(&name, "%%%02X", (unsigned)*p);
        } else {
            buf_add_char(&name, *p);
        }
    }
    return buf_take(&name);
}

char *mqtt_filter_shared(const char *group, const char *filter)
{
    return mqtt_filter_is_shared(filter) ? xstrdup(filter)
                                         : xasprintf("%s%s/%s", share_prefix, group, filter);
}
