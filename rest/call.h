/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on its way through router and handlers: what was asked, what was read from the body,
 * the cluster's state as seen at its start, and the answer. Lives on the connection's thread.
 */
#pragma once

#include <cjson/cJSON.h>

#include "coordinator/cluster.h"
#include "rest/env.h"
#include "rest/http.h"
#include "rest/target.h"
#include "worker/base/config_def.h"
#include "worker/base/kvs.h"

struct route;

struct call {
    struct env *env;
    const struct http_request *http;
    struct http_response *response;
    struct target target;
    const struct route *route; /* NULL until one matched */
    uint64_t deadline_ms;      /* monotonic: by then the request must be answered */
    struct cluster *cluster;   /* NULL while the worker starts */
    struct snapshot *snapshot; /* owned reference; NULL while there is no cluster */
    bool postponed;            /* not answered: it may block, and must not in this call */
    bool may_forward;          /* false: this is the one hop that is allowed */

    const char *name; /* {connector} or {plugin} of the path, or the name in the body of a create */
    int task;         /* {task} of the path */

    /* From the body; see body.h. */
    cJSON *json;
    struct kvs config;
    char *body_name;
    enum target_state target_state;
    bool has_target_state;
};

void call_init(struct call *call, struct env *env, const struct http_request *http,
               struct http_response *response);
void call_fini(struct call *call);
/* call_look takes the newest snapshot in place of the one that the call has. */
void call_look(struct call *call);
/* call_connector returns the named connector, NULL if it has no config; borrowed until call_look.
 */
const struct connector_state *call_connector(const struct call *call);

/* The answers. answer_json takes value. answer_error writes Connect's error body. */
void answer_json(struct call *call, int code, cJSON *value);
void answer_empty(struct call *call, int code);
void answer_text(struct call *call, int code, const char *content_type, char *owned_text);
void answer_error(struct call *call, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* answer_not_found is 404 "Connector <name> not found". */
void answer_not_found(struct call *call);
/* answer_timeout is 500 "Request timed out" with what the worker is doing. */
void answer_timeout(struct call *call);
/* answer_direct_error answers an error of coordinator/direct.h. */
void answer_direct_error(struct call *call, enum err err);
/* answer_location adds the Location of a connector, with the base that the client used. */
void answer_location(struct call *call, const char *name);
/* call_stage appends " The worker is currently <stage>, which began at <instant>.", or nothing. */
void call_stage(const struct call *call, struct buf *text);
