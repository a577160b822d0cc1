/* SPDX-License-Identifier: Apache-2.0 */
/* JAAS login lines. See jaas.h. */
#include "worker/kafka/jaas.h"

#include <ctype.h>
#include <stdbool.h>
#include <strings.h>

#include "worker/base/buf.h"
#include "worker/base/mem.h"

static const char *skip_space(const char *p)
{
    while (isspace((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* Reads a word, or a text in double quotes with backslash escapes; NULL when quotes stay open. */
static const char *read_token(const char *p, struct buf *token)
{
    buf_clear(token);
    if (*p != '"') {
        size_t length = strcspn(p, " \t\r\n=;\"");
        buf_add(token, p, length);
        return p + length;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        }
        buf_add_char(token, *p);
    }
    return *p == '"' ? p + 1 : NULL;
}

static enum err read_options(const char *p, struct kvs *options, struct error *reterr)
{
    CLEANUP(buf_fini) struct buf name;
    CLEANUP(buf_fini) struct buf value;
    buf_init(&name);
    buf_init(&value);
    for (p = skip_space(p); *p && *p != ';'; p = skip_space(p)) {
        p = read_token(p, &name);
        p = p ? skip_space(p) : "";
        if (*p != '=' || name.length == 0) {
            return error_set(reterr, ERR_INVALID, "expected option=\"value\" behind the module");
        }
        p = read_token(skip_space(p + 1), &value);
        if (!p) {
            return error_set(reterr, ERR_INVALID, "the quotes of option %s are not closed",
                             buf_text(&name));
        }
        kvs_set(options, buf_text(&name), buf_text(&value));
    }
    if (*p != ';') {
        return error_set(reterr, ERR_INVALID, "it must end with a semicolon");
    }
    if (*skip_space(p + 1)) {
        return error_set(reterr, ERR_INVALID, "it must hold one login module only");
    }
    return ERR_OK;
}

static bool is_flag(const char *word)
{
    static const char *const flags[] = { "required", "requisite", "sufficient", "optional" };
    for (size_t i = 0; i < N_ELEMENTS(flags); i++) {
        if (strcasecmp(flags[i], word) == 0) {
            return true;
        }
    }
    return false;
}

enum err jaas_parse(const char *text, char **ret_module, struct kvs *options, struct error *reterr)
{
    CLEANUP(buf_fini) struct buf word;
    buf_init(&word);
    const char *p = read_token(skip_space(text), &word);
    const char *class_name = buf_text(&word);
    const char *dot = strrchr(class_name, '.');
    CLEANUP(free_charp) char *module = xstrdup(dot ? dot + 1 : class_name);
    if (!p || !module[0]) {
        return error_set(reterr, ERR_INVALID, "it must start with the class of a login module");
    }
    p = read_token(skip_space(p), &word);
    if (!p || !is_flag(buf_text(&word))) {
        return error_set(reterr, ERR_INVALID, "the login module must be followed by \"required\"");
    }
    enum err err = read_options(p, options, reterr);
    if (err == ERR_OK) {
        *ret_module = TAKE(module);
    }
    return err;
}
