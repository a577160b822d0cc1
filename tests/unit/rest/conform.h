/* SPDX-License-Identifier: Apache-2.0 */
/* Holds answers against the OpenAPI document, with a reader of schemas of its own. */
#pragma once

#include <cjson/cJSON.h>

#include "rest/http.h"

/* conform_value says why value does not fit a schema of document, or returns false when it does. */
bool conform_refuses(const cJSON *document, const cJSON *schema, const cJSON *value, char *why,
                     size_t size);
/* conform_answer fails the running test unless the document announces an answer like this one to
 * the request. Targets that no route serves must be answered with an error. */
void conform_answer(const char *method, const char *target, const struct http_response *response);
