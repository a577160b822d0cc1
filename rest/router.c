/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch of requests by the tables of routes. See router.h. */
#include "rest/router.h"

#include <limits.h>
#include <strings.h>

#include "rest/forward.h"
#include "rest/media.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

static bool parse_task(const char *text, int *ret_task)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    char *end = NULL;
    long number = strtol(text, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || number > INT_MAX ||
        number < INT_MIN) {
        return false;
    }
    *ret_task = (int)number;
    return true;
}

/* Matches one segment of a pattern and keeps the variables. */
static bool match_segment(const char *pattern, size_t length, const char *segment,
                          struct call *call)
{
    if (pattern[0] != '{') {
        return strlen(segment) == length && strncmp(pattern, segment, length) == 0;
    }
    if (strncmp(pattern, "{task}", length) == 0) {
        return parse_task(segment, &call->task);
    }
    call->name = segment;
    return true;
}

static bool match_pattern(const char *pattern, struct call *call)
{
    const char *p = pattern + 1;
    size_t i = 0;
    while (*p) {
        size_t length = strcspn(p, "/");
        if (i == call->target.n_segments ||
            !match_segment(p, length, call->target.segments[i++], call)) {
            return false;
        }
        p += length + (p[length] == '/');
    }
    return i == call->target.n_segments;
}

/* What was found for a path. */
struct matches {
    const struct route *route; /* of path and method */
    struct buf allow;          /* methods of the path, empty: no such path */
    bool get;
};

/* An admin listener serves admin routes and nothing else, one for probes not even these. What is
 * open is served everywhere. */
static bool served_here(const struct call *call, const struct route *route)
{
    bool admin = (route->flags & ROUTE_ADMIN) != 0;
    if (route->flags & ROUTE_OPEN) {
        return true;
    }
    if (call->http->side == HTTP_PROBES) {
        return false;
    }
    switch (call->env->admin) {
    case ADMIN_EVERYWHERE:
        return true;
    case ADMIN_NOWHERE:
        return !admin;
    case ADMIN_SEPARATE:
        return admin == (call->http->side == HTTP_ADMIN);
    }
    return true;
}

static void try_route(struct call *call, const struct route *route, const char *method,
                      struct matches *matches)
{
    if (!served_here(call, route) || !match_pattern(route->pattern, call)) {
        return;
    }
    if (strcmp(route->method, "GET") == 0) {
        matches->get = true;
    } else {
        buf_printf(&matches->allow, "%s,", route->method);
    }
    if (strcmp(route->method, method) == 0) {
        matches->route = route;
    }
}

static void find_route(struct call *call, const char *method, struct matches *matches)
{
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            try_route(call, &(*table)->rows[i], method, matches);
        }
    }
    if (matches->get || matches->allow.length > 0) {
        buf_printf(&matches->allow, "%sOPTIONS", matches->get ? "GET,HEAD," : "");
    }
}

static void answer_options(struct call *call, const char *allow)
{
    http_response_header(call->response, "Allow", allow);
    answer_text(call, 200, "text/plain", xstrdup(allow));
}

static bool changes(const char *method)
{
    return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 &&
           strcmp(method, "OPTIONS") != 0;
}

static void answer_denied(struct call *call)
{
    http_response_header(call->response, "WWW-Authenticate",
                         "Basic realm=\"sluice\", charset=\"UTF-8\"");
    answer_error(call, 401, "User cannot access the resource.");
}

/* Whether whoever asks may do so; what is there and what is not is for users only. A browser sends
 * no credentials with a preflight. */
static bool admitted(struct call *call, bool preflight)
{
    struct auth *auth = call->env->auth;
    const struct route *route = call->route;
    if (!auth || preflight || (route && (route->flags & ROUTE_OPEN)) ||
        (route && auth_is_open(auth, route->pattern))) {
        return true;
    }
    struct auth_user user;
    switch (auth_check(auth, call->http->authorization, call->http->client, call->http->may_block,
                       &user)) {
    case AUTH_GRANTED:
        break;
    case AUTH_UNKNOWN:
        call->postponed = true;
        return false;
    case AUTH_DENIED:
        answer_denied(call);
        return false;
    case AUTH_BUSY:
        http_response_header(call->response, "Retry-After", "2");
        answer_error(call, 503, "Too many logins at once: try again in a few seconds");
        return false;
    }
    (void)snprintf(call->response->user, sizeof(call->response->user), "%s", user.name);
    if (user.role == AUTH_READ_ONLY && changes(call->http->method)) {
        answer_error(call, 403, "User %s may read only: %s needs the role admin", user.name,
                     call->http->method);
        return false;
    }
    return true;
}

/* What the protocol layer refused. */
static void answer_refused(struct call *call)
{
    call->response->close = true;
    switch (call->http->refused) {
    case 413:
        answer_error(call, 413, "HTTP 413 Request Entity Too Large");
        break;
    case 414:
        answer_error(call, 414, "HTTP 414 URI Too Long: at most %d bytes", HTTP_MAX_TARGET);
        break;
    case 431:
        answer_error(call, 431, "HTTP 431 Request Header Fields Too Large: at most %d bytes",
                     HTTP_MAX_HEADERS);
        break;
    case 503:
        http_response_header(call->response, "Retry-After", "1");
        answer_error(call, 503, "HTTP 503 Service Unavailable: too many connections or requests");
        break;
    default:
        answer_error(call, call->http->refused, "HTTP %d Bad Request", call->http->refused);
        break;
    }
}

static bool types_acceptable(struct call *call)
{
    if (call->route->flags & (ROUTE_ANY_TYPE | ROUTE_OPEN)) {
        return true;
    }
    if (!media_is_json(call->http->content_type)) {
        answer_error(call, 415, "HTTP 415 Unsupported Media Type");
        return false;
    }
    if (!media_accepts_json(call->http->accept)) {
        answer_error(call, 406, "HTTP 406 Not Acceptable");
        return false;
    }
    return true;
}

/* Whether the cluster's state is there that the route needs. */
static bool state_ready(struct call *call)
{
    if (call->cluster) {
        call_look(call);
    }
    if ((call->route->flags & ROUTE_EARLY) || (call->snapshot && call->snapshot->caught_up)) {
        return true;
    }
    http_response_header(call->response, "Retry-After", "1");
    answer_error(call, 404, "Worker is still starting up and has not read its topics yet");
    return false;
}

/* Records of others may have brought connectors that no client can create: they must be readable
 * and deletable, too. Comes after the state is there; without a cluster there are none. */
static bool controls_known(struct call *call)
{
    if (!call->target.has_control || (call->snapshot && call->name && call_connector(call))) {
        return true;
    }
    answer_error(call, 400, TARGET_CONTROL_TEXT);
    return false;
}

static void run_route(struct call *call)
{
    if (call->http->refused != 0) {
        call->response->close = true;
        if (!(call->route->flags & ROUTE_PROBE)) {
            answer_refused(call);
            return;
        }
    }
    if (!types_acceptable(call) || (!call->cluster && !controls_known(call)) ||
        !state_ready(call) || !controls_known(call)) {
        return;
    }
    bool quick = (call->route->flags & ROUTE_QUICK) != 0 && call->target.n_query == 0;
    if (!quick && !call->http->may_block && call->http->refused == 0) {
        call->postponed = true;
        return;
    }
    call->may_forward = target_flag(&call->target, "forward", true);
    if (call->route->check && call->route->check(call) != ERR_OK) {
        return;
    }
    if (call->route->flags & ROUTE_LEADER) {
        forward_or_lead(call);
    } else {
        (void)call->route->handler(call);
    }
}

/* A request that has waited for a thread for as long as it may take: whoever sent it has given up,
 * and those behind it are still waited for. */
static bool waited_too_long(struct call *call)
{
    if (!call->http->may_block || call->http->refused != 0 || clock_mono_ms() < call->deadline_ms) {
        return false;
    }
    metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
    http_response_header(call->response, "Retry-After", "1");
    answer_error(call, 503,
                 "HTTP 503 Service Unavailable: all threads were busy for "
                 "rest.request.timeout.ms");
    return true;
}

static void dispatch(struct call *call, bool preflight)
{
    if (waited_too_long(call)) {
        return;
    }
    struct error error = { ERR_OK, "" };
    enum err err = target_parse(call->http->target, &call->target, &error);
    if (err != ERR_OK) {
        answer_error(call, err_http(err), "%s", error.text);
        return;
    }
    const char *method = call->http->method;
    struct matches matches = { .route = NULL };
    buf_init(&matches.allow);
    find_route(call, strcmp(method, "HEAD") == 0 ? "GET" : method, &matches);
    call->route = matches.route;
    if (!admitted(call, preflight)) {
        /* The answer is set. */
    } else if (call->target.has_control && !call->route) {
        answer_error(call, 400, TARGET_CONTROL_TEXT);
    } else if (matches.allow.length == 0) {
        answer_error(call, 404, "HTTP 404 Not Found");
    } else if (strcmp(method, "OPTIONS") == 0) {
        answer_options(call, buf_text(&matches.allow));
    } else if (!call->route) {
        http_response_header(call->response, "Allow", buf_text(&matches.allow));
        answer_error(call, 405, "HTTP 405 Method Not Allowed");
    } else {
        /* The walk left the variables of the last row that matched in part. */
        call->name = NULL;
        (void)match_pattern(call->route->pattern, call);
        run_route(call);
    }
    buf_fini(&matches.allow);
}

bool router_serve(struct env *env, const struct http_request *http, struct http_response *response)
{
    struct call call;
    call_init(&call, env, http, response);
    extra_headers_apply(&env->extra_headers, clock_wall_ms(), response);
    bool preflight = cors_apply(&env->cors, http, response);
    /* Overload is the one refusal that depends on what is asked for. */
    if (http->refused != 0 && http->refused != 503) {
        answer_refused(&call);
    } else {
        dispatch(&call, preflight);
    }
    if (call.postponed && http->refused != 0) {
        call.postponed = false;
        answer_refused(&call);
    }
    bool answered = !call.postponed;
    call_fini(&call);
    return answered;
}

void router_refuse(struct env *env, const struct http_request *http, struct http_response *response)
{
    char user[sizeof(response->user)];
    (void)snprintf(user, sizeof(user), "%s", response->user);
    http_response_fini(response);
    (void)snprintf(response->user, sizeof(response->user), "%s", user);
    struct call call;
    call_init(&call, env, http, response);
    extra_headers_apply(&env->extra_headers, clock_wall_ms(), response);
    (void)cors_apply(&env->cors, http, response);
    http_response_header(response, "Retry-After", "1");
    answer_error(&call, 503,
                 "HTTP 503 Service Unavailable: too many large answers wait for clients to take "
                 "them");
    call_fini(&call);
}
