/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routing by tables: each resource's file exports a table of rows, routes.c lists the tables. From
 * the rows come dispatch, OPTIONS, HEAD, 404, 405, 406 and 415. Thread: the request's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rest/call.h"
#include "worker/base/err.h"

/* A step of a route. ERR_OK: the answer is set (handler), or may go on (check). ERR_NOT_LEADER
 * (handlers of leader routes only): nothing was done, another worker has to do it. Any other code:
 * the answer is set and says why. */
typedef enum err route_fn(struct call *call);

enum route_flag {
    /* Served from the first moment; others are 404 until the worker has read its topics. */
    ROUTE_EARLY = 1,
    /* Carried out by the leader; other workers forward. */
    ROUTE_LEADER = 2,
    /* Not JSON: neither Accept nor Content-Type is looked at. */
    ROUTE_ANY_TYPE = 4,
    /* Answered even when too many connections are open: whoever watches the worker must not take
     * it for dead. */
    ROUTE_PROBE = 8,
    /* For whoever runs the worker: served where admin.listeners says, see enum admin_mode. */
    ROUTE_ADMIN = 16,
    /* Without parameters in the query it is answered in microseconds, from memory: no thread is
     * taken for it. */
    ROUTE_QUICK = 32,
    /* For who watches the process, as Kubernetes does: served on every listener and to anyone,
     * whatever rest.auth.open.paths or Accept say, so it must tell nothing that somebody could
     * use. */
    ROUTE_OPEN = 64,
};

/* One parameter of the query string. */
struct route_query {
    const char *name;
    const char *type; /* in the notation of schema.h */
    const char *doc;  /* one line */
};

/* One answer that is no error of the common form. Several rows of one code are alternatives. */
struct route_reply {
    int code;
    const char *body; /* in the notation of schema.h; NULL: none */
};

#define ROUTE_MAX_QUERY   3
#define ROUTE_MAX_REPLIES 4

/* Everything that the OpenAPI document says of a route stands in its row; a test refuses rows that
 * leave something out. */
struct route {
    const char *method;
    const char *pattern; /* segments {connector}, {plugin} take any text, {task} a number */
    route_fn *check;     /* NULL, or run first on the worker that was asked, see struct call */
    route_fn *handler;
    /* NULL, or run on the worker that was asked after another one has carried the request out:
     * waits until this one shows it, where the position in the config topic does not tell. */
    route_fn *settle;
    unsigned flags;
    const char *doc;                               /* one line */
    struct route_query query[ROUTE_MAX_QUERY];     /* ended by a NULL name unless full */
    const char *request;                           /* type of the body, NULL: none is read */
    struct route_reply replies[ROUTE_MAX_REPLIES]; /* ended by code 0 unless full; at least one */
};

struct route_table {
    const struct route *rows;
    size_t n_rows;
};

#define ROUTE_TABLE(array)                                                                         \
    {                                                                                              \
        (array), sizeof(array) / sizeof((array)[0])                                                \
    }

/* routes_all returns all tables, ended by one without rows. */
const struct route_table *const *routes_all(void);

/* router_serve is the http_handler_fn of the routes: false when the request may block and must not.
 * env must outlive the call. */
bool router_serve(struct env *env, const struct http_request *http, struct http_response *response);
/* router_refuse replaces an answer that there is no room for by 503. */
void router_refuse(struct env *env, const struct http_request *http,
                   struct http_response *response);
