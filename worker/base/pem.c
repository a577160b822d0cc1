/* SPDX-License-Identifier: Apache-2.0 */
/* PEM text in lines. See pem.h. */
#include "worker/base/pem.h"

#include <ctype.h>
#include <string.h>

#include "worker/base/buf.h"
#include "worker/base/mem.h"

#define PEM_LINE 64

/* Adds the base64 text between begin and end in lines, as OpenSSL wants it; in a properties file
 * the blocks often stand in one line with spaces. */
static void add_body(struct buf *out, const char *begin, const char *end)
{
    size_t column = 0;
    for (const char *p = begin; p < end; p++) {
        if (isspace((unsigned char)*p)) {
            continue;
        }
        buf_add_char(out, *p);
        if (++column % PEM_LINE == 0) {
            buf_add_char(out, '\n');
        }
    }
    if (column % PEM_LINE != 0) {
        buf_add_char(out, '\n');
    }
}

char *pem_tidy(const char *text)
{
    CLEANUP(buf_fini) struct buf out;
    buf_init(&out);
    for (const char *begin = strstr(text, "-----BEGIN "); begin;) {
        const char *body = strstr(begin + 11, "-----");
        const char *end = body ? strstr(body + 5, "-----END ") : NULL;
        const char *after = end ? strstr(end + 9, "-----") : NULL;
        if (!after) {
            return NULL;
        }
        buf_add(&out, begin, (size_t)(body + 5 - begin));
        buf_add_char(&out, '\n');
        if (memchr(body + 5, ':', (size_t)(end - body - 5))) {
            /* Headers such as Proc-Type end at line feeds, which must stay. */
            buf_add(&out, body + 6, (size_t)(end - body - 6));
        } else {
            add_body(&out, body + 5, end);
        }
        buf_add(&out, end, (size_t)(after + 5 - end));
        buf_add_char(&out, '\n');
        begin = strstr(after + 5, "-----BEGIN ");
    }
    return out.length > 0 ? buf_take(&out) : NULL;
}
