/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation that cannot fail for small, bounded sizes: the process stops instead, which removes
 * branches that nobody can test. Sizes from outside are bounded by the caller first.
 */
#pragma once

#include <stddef.h>

#include "worker/base/macros.h"

/* xmalloc, xcalloc, xrealloc, xstrdup, xstrndup, xmemdup behave like their namesakes and abort when
 * memory is out. xmemdup adds a NUL behind the copy. The caller owns the result. Thread: any. */
void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
void *xmemdup(const void *bytes, size_t length);
/* xasprintf returns an owned formatted string. Thread: any. */
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2);

/* secret_free overwrites a text before it frees it; NULL is fine. */
void secret_free(char *text);
/* free_charp is for CLEANUP(free_charp) char *x. */
void free_charp(char **place);
/* secret_freep is the same for texts that are to be overwritten first. */
void secret_freep(char **place);
