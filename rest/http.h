/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server under the REST interface: connections, limits and time-outs; what a request asks
 * for is the handler's business. Behind it microhttpd runs one thread for each connection, so a
 * handler may block. What the protocol layer has to refuse is handed to the handler with `refused`
 * set, so that every answer has the same form.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"

#define HTTP_MAX_LISTENERS 8
/* Longest request target that is served; longer ones are refused with 414. */
#define HTTP_MAX_TARGET 8192
/* Most bytes of header names and values together; more is refused with 431. */
#define HTTP_MAX_HEADERS 32768

/* One request; everything is borrowed for the call of the handler. */
struct http_request {
    const char *method;       /* as sent */
    const char *target;       /* as sent, nothing decoded */
    const char *content_type; /* NULL when the header is absent; likewise below */
    const char *accept;
    const char *authorization;
    const char *host;
    const char *body; /* terminated by a NUL that is not counted */
    size_t body_length;
    bool admin;      /* came in by a listener that is for admin routes only */
    int refused;     /* status that the protocol layer decided on; 0: none */
    char client[64]; /* address of the peer */
};

struct http_header {
    const char *name; /* a constant */
    char *value;      /* owned */
};

/* The answer; http_response_fini releases it. */
struct http_response {
    int code;
    char *body; /* owned; NULL: none */
    size_t body_length;
    const char *content_type; /* a constant; NULL: no body */
    struct http_header headers[4];
    size_t n_headers;
    bool close; /* end the connection after this answer */
};

void http_response_init(struct http_response *response);
void http_response_fini(struct http_response *response);
/* http_response_header adds a header; name must be a constant, value is copied; control characters
 * in value are dropped. */
void http_response_header(struct http_response *response, const char *name, const char *value);

/* Answers one request; called on the connection's thread, may block. */
typedef void http_handler_fn(void *arg, const struct http_request *request,
                             struct http_response *response);

struct http_options {
    const int *listen_fds; /* listening sockets, taken over on success */
    size_t n_listen_fds;
    unsigned max_connections; /* further ones are answered with 503, or refused */
    uint64_t idle_timeout_ms; /* without a byte; twice that for sending one whole request */
    size_t max_body;          /* longer bodies are refused with 413 */
    http_handler_fn *handler;
    void *arg;
};

struct http_server;

/* http_start begins to serve; ret_server is owned. Errors: ERR_IO. Thread: main. */
enum err http_start(const struct http_options *options, struct http_server **ret_server,
                    struct error *reterr) MUST_CHECK;
/* http_stop accepts no more, waits until running requests are answered or deadline_ms (monotonic)
 * passed, then closes all connections, joins the threads and frees the server; NULL is fine. */
void http_stop(struct http_server *server, uint64_t deadline_ms);
