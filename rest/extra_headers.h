/* SPDX-License-Identifier: Apache-2.0 */
/*
 * response.http.headers.config: headers that every answer gets. Kafka Connect's form: entries
 * "[action] [name]:[value]" separated by commas, in double quotes where a value has commas; actions
 * set, add, setDate, addDate, the last two with milliseconds from now. Immutable once read; thread:
 * any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rest/http.h"
#include "worker/base/err.h"

struct extra_header {
    bool add;  /* beside headers of the same name, not in their place */
    bool date; /* the value is a time */
    char *name;
    char *value;
    int64_t offset_ms; /* of a time, from now */
};

struct extra_headers {
    struct extra_header *items;
    size_t n_items;
};

/* extra_headers_parse reads the property's text; ret_headers is released with extra_headers_fini.
 * ERR_INVALID with a line that names key, entry and mend. */
enum err extra_headers_parse(const char *text, struct extra_headers *ret_headers,
                             struct error *reterr) MUST_CHECK;
void extra_headers_fini(struct extra_headers *headers);
/* extra_headers_apply adds the headers to an answer that has none yet; headers must outlive it. */
void extra_headers_apply(const struct extra_headers *headers, int64_t now_wall_ms,
                         struct http_response *response);
