/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP client for requests from worker to worker. Each request has a connection of its own, so
 * that a failure tells for sure whether the request can have reached the other side; redirects are
 * not followed and the answer is bounded. Thread: any.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/buf.h"
#include "worker/base/err.h"

/* http_client_setup prepares the library, once, before other threads run; http_client_teardown
 * releases it after they ended. Thread: main. */
void http_client_setup(void);
void http_client_teardown(void);

/* What a request to an https URL brings along; PEM texts, borrowed, NULL: none. */
struct http_client_tls {
    const char
        *authorities;  /* who may have issued the other side's certificate; NULL: the system's */
    const char *chain; /* own certificate, shown when the other side asks */
    const char *key;
    const char *key_password;
    bool verify_host; /* the certificate must name the URL's host */
};

struct http_client_request {
    const char *method;
    const char *url;
    const char *body; /* NULL: none */
    size_t body_length;
    const char *content_type;          /* NULL: none */
    const char *authorization;         /* NULL: none */
    const char *result_header;         /* name of an answer's header that is wanted; NULL: none */
    uint64_t deadline_ms;              /* monotonic; for the whole exchange */
    const atomic_bool *cancelled;      /* NULL, or a flag that ends the exchange within a second */
    size_t max_answer;                 /* a longer answer's body is an error */
    const struct http_client_tls *tls; /* NULL for http URLs */
};

struct http_client_answer {
    int code;
    struct buf body;
    char header[128]; /* value of result_header, "" if it did not come */
};

/* http_client_send sends a request and waits for the answer. ret_answer (its body initialised by
 * this function, released by the caller with buf_fini; set in every case) is filled on ERR_OK,
 * whatever its code. ERR_UNAVAILABLE: no connection was made, so the other side has seen nothing.
 * ERR_UNAUTHORIZED: neither has it, as the two do not trust each other's certificates.
 * ERR_IO, ERR_TIMEOUT, ERR_TOO_LARGE: the request may have been carried out. ERR_CLOSED: cancelled,
 * same doubt. reterr gets the reason. Blocks. Thread: any. */
enum err http_client_send(const struct http_client_request *request,
                          struct http_client_answer *ret_answer, struct error *reterr) MUST_CHECK;
