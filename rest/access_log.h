/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: a line for each request, REST-ACCESS, with client, user, method, path, code,
 * bytes of the body and milliseconds. Of the query only parameters that a route knows are written.
 */
#pragma once

#include <stdint.h>

#include "rest/http.h"

/* access_log_write writes the line of an answered request: changes at INFO, the rest, and what was
 * turned away, at DEBUG. Thread: any. */
void access_log_write(const struct http_request *request, const struct http_response *response,
                      uint64_t took_us);
