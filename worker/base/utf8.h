/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about text that comes from outside. Thread: any. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* utf8_valid tells whether length bytes are well-formed UTF-8 (RFC 3629: no overlong forms, no
 * surrogates, at most U+10FFFF). A NUL byte is well-formed. */
bool utf8_valid(const char *text, size_t length);
/* utf8_character returns the length of the well-formed character at text, of which `left` bytes (at
 * least 1) are there; 0 if it is malformed or cut. */
size_t utf8_character(const char *text, size_t left);
/* text_has_control tells whether a byte below 0x20 or 0x7F occurs. */
bool text_has_control(const char *text, size_t length);
