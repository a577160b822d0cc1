/* SPDX-License-Identifier: Apache-2.0 */
/* Java properties text, as worker.properties and secret files are. Pure. Thread: any. */
#pragma once

#include <stddef.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

/* properties_parse adds the pairs of a properties text to kvs; a later key wins. Comments (# or !),
 * `=`, `:` or white space as separators, backslash escapes (\n \t \r \f \uXXXX, line continuation)
 * are as java.util.Properties reads them; the text is UTF-8, a byte order mark in front is skipped.
 * ERR_INVALID names the line of a bad escape, of bytes that are not UTF-8, of a NUL, or of the key
 * that is one more than 4096. kvs then has the pairs of the lines before. */
enum err properties_parse(const char *text, size_t length, struct kvs *kvs,
                          struct error *reterr) MUST_CHECK;
