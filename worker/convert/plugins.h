/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of the converter table, one per file of this folder. */
#pragma once

#include "worker/convert.h"

extern const struct converter_plugin byte_array_converter;
extern const struct converter_plugin string_converter;
extern const struct converter_plugin simple_header_converter;

/* value_add_text appends a plain value (null, boolean, number, string) as Connect writes it:
 * "true", "5", "1.5", the string itself. False for values of other types. Thread: any. */
bool value_add_text(const struct value *value, struct buf *out);
/* value_type_text returns the type's name for error texts. Thread: any. */
const char *value_type_text(enum value_type type);
