/* SPDX-License-Identifier: Apache-2.0 */
/* Growable byte buffer. See buf.h. */
#include "worker/base/buf.h"

#include <stdarg.h>

#include "worker/base/mem.h"

void buf_init(struct buf *buf)
{
    *buf = (struct buf){ .data = NULL };
}

void buf_fini(struct buf *buf)
{
    free(buf->data);
    buf_init(buf);
}

void buf_wipe(struct buf *buf)
{
    if (buf->data) {
        explicit_bzero(buf->data, buf->size);
    }
    buf_fini(buf);
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

char *buf_reserve(struct buf *buf, size_t more)
{
    ASSERT(more < SIZE_MAX / 4 && buf->length < SIZE_MAX / 4);
    size_t need = buf->length + more + 1;
    if (need > buf->size) {
        size_t size = buf->size ? buf->size : 64;
        while (size < need) {
            size *= 2;
        }
        buf->data = xrealloc(buf->data, size);
        buf->size = size;
    }
    return buf->data + buf->length;
}

void buf_add(struct buf *buf, const void *bytes, size_t length)
{
    char *place = buf_reserve(buf, length);
    if (length > 0) {
        memcpy(place, bytes, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(n >= 0);
    char *place = buf_reserve(buf, (size_t)n);
    (void)vsnprintf(place, (size_t)n + 1, format, again);
    va_end(again);
    buf->length += (size_t)n;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data ? buf->data : xstrdup("");
    buf_init(buf);
    return data;
}
