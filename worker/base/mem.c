/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that stops the process when memory is out. See mem.h. */
#include "worker/base/mem.h"

#include <stdarg.h>

void *xmalloc(size_t size)
{
    void *p = malloc(size ? size : 1);
    ASSERT(p != NULL);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    ASSERT(p != NULL);
    return p;
}

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);
    ASSERT(p != NULL);
    return p;
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text));
}

char *xstrndup(const char *text, size_t length)
{
    return xmemdup(text, strnlen(text, length));
}

void *xmemdup(const void *bytes, size_t length)
{
    char *copy = xmalloc(length + 1);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    copy[length] = '\0';
    return copy;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = NULL;
    int n = vasprintf(&text, format, args);
    va_end(args);
    ASSERT(n >= 0);
    return text;
}

void free_charp(char **place)
{
    free(*place);
    *place = NULL;
}

void secret_free(char *text)
{
    if (text) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

void secret_freep(char **place)
{
    secret_free(*place);
    *place = NULL;
}
