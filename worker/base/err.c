/* SPDX-License-Identifier: Apache-2.0 */
/* Error codes, their table, and errors with a text. See err.h. */
#include "worker/base/err.h"

#include <stdarg.h>

static const struct {
    const char *name;
    const char *text;
    int http;
    bool retriable;
} err_rows[] = {
#define X(name, text, http, retriable) { #name, text, http, retriable },
#include "worker/base/err.def"
#undef X
};

void assert_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "ERROR ASSERT-FAILED condition=\"%s\" at=%s:%d\n", condition, file, line);
    abort();
}

const char *err_name(enum err err)
{
    ASSERT(err < N_ELEMENTS(err_rows));
    return err_rows[err].name;
}

const char *err_text(enum err err)
{
    ASSERT(err < N_ELEMENTS(err_rows));
    return err_rows[err].text;
}

int err_http(enum err err)
{
    ASSERT(err < N_ELEMENTS(err_rows));
    return err_rows[err].http;
}

bool err_retriable(enum err err)
{
    ASSERT(err < N_ELEMENTS(err_rows));
    return err_rows[err].retriable;
}

/* Removes the broken tail of a UTF-8 text that was cut at `length` bytes. */
static void cut_at_character(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) {
        start--;
    }
    if (start > 0 && (unsigned char)text[start - 1] >= 0xC0) {
        text[start - 1] = '\0';
    }
}

enum err error_set(struct error *reterr, enum err code, const char *format, ...)
{
    if (!reterr) {
        return code;
    }
    reterr->code = code;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(reterr->text, sizeof(reterr->text), format, args);
    va_end(args);
    if (n >= (int)sizeof(reterr->text)) {
        cut_at_character(reterr->text, sizeof(reterr->text) - 1);
    }
    return code;
}

enum err error_prefix(struct error *reterr, enum err code, const char *prefix)
{
    if (reterr) {
        struct error inner = *reterr;
        return error_set(reterr, code, "%s: %s", prefix, inner.text);
    }
    return code;
}
