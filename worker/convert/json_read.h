/* SPDX-License-Identifier: Apache-2.0 */
/* Values and schemas out of the JSON that Connect's JsonConverter reads. Thread: the owner's. */
#pragma once

#include "worker/base/json.h"
#include "worker/value.h"

struct json_reader {
    struct arena *arena; /* what is read lives there, not in the JSON tree */
    bool defaults_for_null;
};

/* json_read_value reads a tree (NULL: a member that is not there) under a schema (may be NULL).
 * ERR_INVALID with Connect's text when it does not fit. */
enum err json_read_value(struct json_reader *reader, const struct schema *schema, const cJSON *json,
                         struct value *ret_value, struct error *reterr) MUST_CHECK;
/* json_read_schema reads a schema; JSON null gives NULL. */
enum err json_read_schema(struct json_reader *reader, const cJSON *json,
                          const struct schema **ret_schema, struct error *reterr) MUST_CHECK;
