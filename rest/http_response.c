/* SPDX-License-Identifier: Apache-2.0 */
/* Answers and their headers. See http.h. */
#include <strings.h>

#include "rest/http.h"
#include "worker/base/mem.h"

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){ .code = 500 };
}

void http_response_fini(struct http_response *response)
{
    free(response->body);
    for (size_t i = 0; i < response->n_headers; i++) {
        free(response->headers[i].value);
    }
    free(response->headers);
    http_response_init(response);
}

void http_response_header(struct http_response *response, const char *name, const char *value)
{
    size_t size = (response->n_headers + 1) * sizeof(*response->headers);
    response->headers = xrealloc(response->headers, size);
    struct http_header *header = &response->headers[response->n_headers++];
    *header = (struct http_header){ name, xstrdup(value) };
    size_t n = 0;
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p >= 0x20 && *p != 0x7F) {
            header->value[n++] = *p;
        }
    }
    header->value[n] = '\0';
}

void http_response_set_header(struct http_response *response, const char *name, const char *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < response->n_headers; i++) {
        if (strcasecmp(response->headers[i].name, name) == 0) {
            free(response->headers[i].value);
        } else {
            response->headers[kept++] = response->headers[i];
        }
    }
    response->n_headers = kept;
    http_response_header(response, name, value);
}

bool http_response_charge(struct http_response *response, struct http_budget *budget)
{
    size_t length = response->body ? response->body_length : 0;
    if (length <= HTTP_SMALL_ANSWER) {
        return true;
    }
    size_t before = atomic_fetch_add(&budget->used, length);
    if (before > 0 && before + length > budget->max) {
        (void)atomic_fetch_sub(&budget->used, length);
        return false;
    }
    response->charged = length;
    return true;
}
