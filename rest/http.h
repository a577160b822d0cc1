/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server under the REST interface: connections, limits and time-outs; what a request asks
 * for is the handler's business. A few threads serve all connections; a handler that may block says
 * so and is called again on a thread where it may. What the protocol layer has to refuse is handed
 * to the handler with `refused` set, so that every answer has the same form.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"

/* Of all sides together. */
#define HTTP_MAX_LISTENERS 24
/* Longest request target that is served; longer ones are refused with 414. */
#define HTTP_MAX_TARGET 8192
/* Most bytes of header names and values together; more is refused with 431. */
#define HTTP_MAX_HEADERS 32768

/* Bytes of answers that are not wholly sent yet, of all connections together. */
struct http_budget {
    atomic_size_t used;
    size_t max;
};
/* Answers up to this size are always sent: connections bound them. */
#define HTTP_SMALL_ANSWER ((size_t)16 * 1024)

/* What a listening socket is for. */
enum http_side {
    HTTP_REST,  /* the REST interface */
    HTTP_ADMIN, /* admin routes only */
    HTTP_PROBES /* routes of who watches the process only */
};

/* One request; everything is borrowed for the call of the handler. */
struct http_request {
    const char *method;       /* as sent */
    const char *target;       /* as sent, nothing decoded */
    const char *content_type; /* NULL when the header is absent; likewise below */
    const char *accept;
    const char *authorization;
    const char *host;
    const char *origin;
    const char *wanted_method; /* Access-Control-Request-Method: a preflight asks with it */
    const char *body;          /* terminated by a NUL that is not counted */
    size_t body_length;
    enum http_side side;         /* of the listener that it came in by */
    bool tls;                    /* came in by https */
    int refused;                 /* status that the protocol layer decided on; 0: none */
    bool may_block;              /* this call of the handler may take its time */
    struct http_budget *answers; /* for http_response_charge */
    uint64_t start_us;           /* monotonic: when the request was there */
    char client[64];             /* address of the peer */
};

struct http_header {
    const char *name; /* borrowed */
    char *value;      /* owned */
};

/* The answer; http_response_fini releases it. */
struct http_response {
    int code;
    char *body; /* owned; NULL: none */
    size_t body_length;
    const char *content_type;    /* a constant; NULL: no body */
    struct http_header *headers; /* n_headers, owned */
    size_t n_headers;
    size_t charged; /* bytes of the budget that the server gives back when the answer is sent */
    bool close;     /* end the connection after this answer */
    char user[64];  /* who asked, for the access log; "": nobody said */
};

void http_response_init(struct http_response *response);
void http_response_fini(struct http_response *response);
/* http_response_header adds a header; name must outlive the response, value is copied; control
 * characters in value are dropped. http_response_set_header does so in place of headers of that
 * name. */
void http_response_header(struct http_response *response, const char *name, const char *value);
void http_response_set_header(struct http_response *response, const char *name, const char *value);

/* http_response_charge takes the body out of the budget until it is sent; false when there is no
 * room for it beside others that clients are slow to take. One answer, however large, always has.
 */
bool http_response_charge(struct http_response *response, struct http_budget *budget);

/* Answers one request and returns true. Where request->may_block is false it may return false
 * instead, unless `refused` is set: then nothing was done, and it is called again with may_block on
 * another thread. */
typedef bool http_handler_fn(void *arg, const struct http_request *request,
                             struct http_response *response);

/* A listening socket. */
struct http_listen {
    int fd;          /* taken over on success */
    struct tls *tls; /* NULL: plain http; borrowed until http_stop */
    enum http_side side;
};

struct http_options {
    const struct http_listen *listens;
    size_t n_listens;         /* at most HTTP_MAX_LISTENERS */
    unsigned max_connections; /* further ones are answered with 503, or refused; listeners for
                                 probes have a few of their own */
    unsigned max_blocking;    /* handlers that may block at once; further requests wait */
    uint64_t idle_timeout_ms; /* without a byte; twice that for sending one whole request */
    size_t max_body;          /* longer bodies are refused with 413 */
    size_t max_bodies;  /* bytes of all bodies together; what goes beyond is refused with 503 */
    size_t max_answers; /* see struct http_budget */
    http_handler_fn *handler;
    void *arg;
};

struct http_server;

/* http_start begins to serve; ret_server is owned. Errors: ERR_IO. Thread: main. */
enum err http_start(const struct http_options *options, struct http_server **ret_server,
                    struct error *reterr) MUST_CHECK;
/* http_stop accepts no more, waits until running requests, and the first ones of connections made
 * just now (newcomers.h), are answered or deadline_ms (monotonic) passed, then closes all
 * connections, joins the threads and frees the server; NULL is fine. */
void http_stop(struct http_server *server, uint64_t deadline_ms);
