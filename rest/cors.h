/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-origin requests of browsers: access.control.allow.origin and access.control.allow.methods,
 * as the filter in Kafka Connect answers them: headers only when an origin is configured, a
 * preflight goes on to the routes as any OPTIONS does, a request of another origin is answered
 * without the headers. Credentials that a browser keeps are never allowed; an Authorization header
 * that a page sets itself is. Immutable once read; thread: any.
 */
#pragma once

#include <stdbool.h>

#include "rest/http.h"
#include "worker/base/config_def.h"

struct cors {
    struct config_list origins; /* texts, '*' in them stands for anything; none: CORS is off */
    char *methods;              /* as Access-Control-Allow-Methods names them */
};

/* cors_init reads the texts of the two properties (NULL: not given). */
void cors_init(struct cors *cors, const char *origins, const char *methods);
void cors_fini(struct cors *cors);
/* cors_apply adds the headers for a request. True: it is a preflight of an allowed origin, which a
 * browser sends without credentials. */
bool cors_apply(const struct cors *cors, const struct http_request *request,
                struct http_response *response);
