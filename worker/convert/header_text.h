/* SPDX-License-Identifier: Apache-2.0 */
/* The text form in which Connect's SimpleHeaderConverter keeps values. Thread: the owner's. */
#pragma once

#include "worker/value.h"

/* header_text_add appends a value; texts inside lists and maps (embedded) stand in quotes. Bytes
 * are base 64. */
void header_text_add(const struct value *value, bool embedded, struct buf *out);
/* header_text_parse guesses a value and its schema from length bytes of text: null, true, numbers
 * of the smallest type that holds them, dates and times in ISO 8601, [..] and {..}; everything else
 * is a string, or bytes if it is no UTF-8. The value lives in the arena and in text. */
void header_text_parse(const char *text, size_t length, struct arena *arena,
                       struct value *ret_value);
