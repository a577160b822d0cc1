/* SPDX-License-Identifier: Apache-2.0 */
/* Values and schemas as the JSON that Connect's JsonConverter writes. Thread: the owner's. */
#pragma once

#include "worker/value.h"

struct json_writer {
    struct buf *out;
    bool decimal_numbers;   /* decimal.format is NUMERIC */
    bool defaults_for_null; /* replace.null.with.default */
};

/* json_write_value appends a value under a schema (may be NULL). ERR_INVALID with Connect's text
 * when it does not fit; what was appended until then is of no meaning. */
enum err json_write_value(struct json_writer *writer, const struct schema *schema,
                          const struct value *value, struct error *reterr) MUST_CHECK;
/* json_write_schema appends a schema, `null` for NULL. field: the name under which it stands in a
 * struct, NULL if it does not. */
enum err json_write_schema(struct json_writer *writer, const struct schema *schema,
                           const char *field, struct error *reterr) MUST_CHECK;
/* json_write_text appends length bytes of UTF-8 as a JSON string. */
void json_write_text(struct buf *out, const char *text, size_t length);
