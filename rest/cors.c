/* SPDX-License-Identifier: Apache-2.0 */
/* Cross-origin requests. See cors.h. */
#include "rest/cors.h"

#include <fnmatch.h>

#include "worker/base/mem.h"

/* What Connect allows when access.control.allow.methods says nothing. */
#define DEFAULT_METHODS "GET,POST,HEAD"
#define ALLOWED_HEADERS "Content-Type,Authorization,Accept,Origin,X-Requested-With"
#define MAX_AGE_SECONDS "60"

void cors_init(struct cors *cors, const char *origins, const char *methods)
{
    struct config_list list;
    struct buf text;
    config_list_split(origins ? origins : "", &cors->origins);
    config_list_split(methods ? methods : "", &list);
    buf_init(&text);
    for (size_t i = 0; i < list.n_items; i++) {
        buf_printf(&text, "%s%s", i > 0 ? "," : "", list.items[i]);
    }
    cors->methods = text.length > 0 ? buf_take(&text) : xstrdup(DEFAULT_METHODS);
    buf_fini(&text);
    config_list_fini(&list);
}

void cors_fini(struct cors *cors)
{
    config_list_fini(&cors->origins);
    free(cors->methods);
    *cors = (struct cors){ .methods = NULL };
}

static bool any_origin(const struct cors *cors)
{
    for (size_t i = 0; i < cors->origins.n_items; i++) {
        if (strcmp(cors->origins.items[i], "*") == 0) {
            return true;
        }
    }
    return false;
}

/* Only '*' is special: brackets and question marks of a pattern are taken as they are. */
static bool matches(const char *pattern, const char *origin)
{
    struct buf quoted;
    buf_init(&quoted);
    for (const char *p = pattern; *p; p++) {
        if (strchr("[]?\\", *p)) {
            buf_add_char(&quoted, '\\');
        }
        buf_add_char(&quoted, *p);
    }
    bool same = fnmatch(buf_text(&quoted), origin, 0) == 0;
    buf_fini(&quoted);
    return same;
}

static bool origin_allowed(const struct cors *cors, const char *origin)
{
    for (size_t i = 0; i < cors->origins.n_items; i++) {
        if (matches(cors->origins.items[i], origin)) {
            return true;
        }
    }
    return false;
}

bool cors_apply(const struct cors *cors, const struct http_request *request,
                struct http_response *response)
{
    if (cors->origins.n_items == 0) {
        return false;
    }
    /* Also without an Origin: a cache must not give this answer to a page that sends one. */
    http_response_header(response, "Vary", "Origin");
    if (!request->origin || !origin_allowed(cors, request->origin)) {
        return false;
    }
    http_response_header(response, "Access-Control-Allow-Origin",
                         any_origin(cors) ? "*" : request->origin);
    if (strcmp(request->method, "OPTIONS") != 0 || !request->wanted_method) {
        return false;
    }
    http_response_header(response, "Access-Control-Max-Age", MAX_AGE_SECONDS);
    http_response_header(response, "Access-Control-Allow-Methods", cors->methods);
    http_response_header(response, "Access-Control-Allow-Headers", ALLOWED_HEADERS);
    return true;
}
