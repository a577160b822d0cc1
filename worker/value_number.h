/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers out of texts and into other types, as Java does it. Thread: any. */
#pragma once

#include "worker/value.h"

/* java_whole reads what Byte.parseByte to Long.parseLong read: digits with a sign; false when it is
 * none, or outside the type (INT8 to INT64). */
bool java_whole(const char *text, size_t length, enum value_type type, int64_t *ret_number);
/* java_real reads what Double.parseDouble reads, but hexadecimal numbers. */
bool java_real(const char *text, size_t length, double *ret_number);
/* java_narrow puts a number (INT8 to FLOAT64, DECIMAL) into another type of INT8 to FLOAT64 as
 * Number.byteValue() and its kin do: whole numbers keep their low bits, others end at the limits of
 * int and long. */
struct value java_narrow(const struct value *value, enum value_type type);
/* java_is_number tells whether a value is a Number in Java. */
bool java_is_number(const struct value *value);
