/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64 with the standard alphabet (RFC 4648 section 4). Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/buf.h"

/* base64_add appends the padded text of length bytes. */
void base64_add(struct buf *buf, const void *bytes, size_t length);
/* base64_size returns how many bytes base64_decode may write for a text of that length. */
size_t base64_size(size_t length);
/* base64_decode reads a padded text into ret_bytes, which has room for base64_size(length); false
 * (what was written is of no meaning) when it is none. */
bool base64_decode(const char *text, size_t length, unsigned char *ret_bytes, size_t *ret_length);
