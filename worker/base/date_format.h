/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates and times in the patterns of Java's SimpleDateFormat, in UTC and English. The letters are
 * y M d D H h k K m s S a E z Z X and texts in quotes; others are refused. Thread: any; a format
 * never changes.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/base/err.h"

struct date_format;

/* date_format_new compiles a pattern; the result is the caller's. ERR_INVALID names the letter. */
enum err date_format_new(const char *pattern, struct date_format **ret_format,
                         struct error *reterr) MUST_CHECK;
/* date_format_free releases it; NULL is fine. */
void date_format_free(struct date_format *format);
/* date_format_add appends the text of a time in milliseconds since 1970. */
void date_format_add(const struct date_format *format, int64_t time_ms, struct buf *out);
/* date_format_parse reads a time, as leniently as SimpleDateFormat: numbers may be too large for
 * their field, and text may follow. False when it is none. */
bool date_format_parse(const struct date_format *format, const char *text, size_t length,
                       int64_t *ret_time_ms);
/* check_date_format is a row's check; an empty pattern is fine. */
enum err check_date_format(const char *value, struct error *reterr);
