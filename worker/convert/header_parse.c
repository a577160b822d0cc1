/* SPDX-License-Identifier: Apache-2.0 */
/* Types guessed from header texts. See header_text.h. */
#include "worker/base/mem.h"
#include "worker/base/utf8.h"
#include "worker/convert/header_text.h"

void header_text_parse(const char *text, size_t length, struct arena *arena UNUSED,
                       struct value *ret_value)
{
    bool good = utf8_valid(text, length);
    *ret_value = good ? value_text(text, length) : value_bytes(text, length);
    ret_value->schema = schema_plain(good ? SCHEMA_STRING : SCHEMA_BYTES, false);
}
