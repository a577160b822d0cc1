/* SPDX-License-Identifier: Apache-2.0 */
/* Growable byte buffer, always followed by a NUL that is not counted. Thread: the owner's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/macros.h"

struct buf {
    char *data; /* NULL until something was added */
    size_t length;
    size_t size;
};

/* buf_init makes an empty buffer; buf_fini releases it. */
void buf_init(struct buf *buf);
void buf_fini(struct buf *buf);
/* buf_wipe is buf_fini for secrets: the content is overwritten first. It cannot reach what an
 * earlier growth left behind, so reserve the size before adding. */
void buf_wipe(struct buf *buf);
/* buf_clear empties it and keeps the memory. */
void buf_clear(struct buf *buf);
/* buf_reserve makes room for `more` bytes behind the content and returns the place. */
char *buf_reserve(struct buf *buf, size_t more);
/* buf_add, buf_add_text, buf_add_char, buf_printf append. */
void buf_add(struct buf *buf, const void *bytes, size_t length);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* buf_text returns the content as a string, "" when empty; borrowed until the next change. */
const char *buf_text(const struct buf *buf);
/* buf_take hands the content over as an owned string and leaves an empty buffer. */
char *buf_take(struct buf *buf);
