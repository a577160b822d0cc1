/* SPDX-License-Identifier: Apache-2.0 */
/* Leader routes: here or on another worker. See forward.h. */
#include "rest/forward.h"

#include "rest/router.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/http_client.h"

#define MAX_ANSWER     ((size_t)8 * 1024 * 1024)
#define FIRST_PAUSE_MS 50U
#define MAX_PAUSE_MS   1000U
/* Longest wait for this worker's own view after the leader has answered. */
#define MAX_CATCH_UP_MS 10000U

#define NO_LEADER                                                                                  \
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance "  \
    "was underway."
#define CONFLICTING                                                                                \
    "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"

enum outcome {
    OUTCOME_ANSWERED,
    OUTCOME_AGAIN /* nothing was done */
};

static void answer_change_error(struct call *call, enum err err, const struct error *error)
{
    switch (err) {
    case ERR_EXISTS:
        answer_error(call, 409, "Connector %s already exists", call->name);
        break;
    case ERR_TIMEOUT:
        answer_timeout(call);
        break;
    case ERR_CLOSED:
        answer_error(call, 500, "Worker is shutting down");
        break;
    case ERR_IO:
    case ERR_UNAVAILABLE:
        log_warn(NULL, "REST-CHANGE-FAILED", "error=\"%s\"", error->text);
        answer_error(call, 500,
                     "Failed to write to config topic; this may be due to a transient error and "
                     "the request can be safely retried");
        break;
    default:
        answer_error(call, err_http(err), "%s", error->text[0] ? error->text : err_text(err));
        break;
    }
}

enum err forward_change(struct call *call, const struct cluster_request *request,
                        struct cluster_reply *ret_reply)
{
    struct error error = { ERR_OK, "" };
    struct cluster_reply reply = { .created = false };
    enum err err = cluster_change(call->cluster, request, call->deadline_ms, &reply, &error);
    if (err == ERR_FENCED) {
        err = ERR_NOT_LEADER;
    }
    if (err == ERR_OK) {
        char position[32];
        (void)snprintf(position, sizeof(position), "%lld", (long long)reply.position);
        if (!call->may_forward) {
            http_response_header(call->response, FORWARD_POSITION_HEADER, position);
        }
        *ret_reply = reply;
    } else if (err != ERR_NOT_LEADER && err != ERR_CONFLICT) {
        answer_change_error(call, err, &error);
    }
    return err;
}

/* The same target on the leader, told not to forward again. */
static char *leader_url(const struct call *call, const char *base)
{
    struct buf url;
    buf_init(&url);
    buf_add_text(&url, base);
    for (size_t i = 0; i < call->target.n_segments; i++) {
        buf_add_char(&url, '/');
        percent_encode(&url, call->target.segments[i]);
    }
    buf_add_text(&url, "?forward=false");
    for (size_t i = 0; i < call->target.n_query; i++) {
        const struct query_pair *pair = &call->target.query[i];
        if (strcmp(pair->name, "forward") != 0) {
            buf_add_char(&url, '&');
            percent_encode(&url, pair->name);
            buf_add_char(&url, '=');
            percent_encode(&url, pair->value);
        }
    }
    return buf_take(&url);
}

/* Waits until this worker shows what the leader wrote, so that a client reads its own write. */
static void catch_up(struct call *call, const char *position_text)
{
    char *end = NULL;
    long long position = strtoll(position_text, &end, 10);
    if (position_text[0] == '\0' || *end != '\0') {
        return;
    }
    uint64_t deadline = clock_mono_ms() + MAX_CATCH_UP_MS;
    if (deadline > call->deadline_ms) {
        deadline = call->deadline_ms;
    }
    if (cluster_wait_position(call->cluster, position, deadline) != ERR_OK) {
        log_warn(NULL, "REST-CATCH-UP-SLOW", "position=%lld", position);
    }
}

static void copy_answer(struct call *call, const struct http_client_answer *answer)
{
    if (answer->body.length == 0) {
        answer_empty(call, answer->code);
    } else {
        answer_text(call, answer->code, "application/json",
                    xmemdup(answer->body.data, answer->body.length));
    }
    /* The path's name, or the body's for a create. */
    const char *created = call->body_name ? call->body_name : call->name;
    if (answer->code == 201 && created) {
        answer_location(call, created);
    }
    if (answer->code == 503) {
        http_response_header(call->response, "Retry-After", "1");
    }
}

/* Sends the request, over TLS with this worker's own certificate where the leader's URL says so. */
static enum err exchange(struct call *call, struct http_client_request *request,
                         struct http_client_answer *ret_answer, struct error *reterr)
{
    const struct tls_config *config = &call->env->client_tls;
    struct tls_material material = { NULL, NULL, NULL };
    struct http_client_tls tls = { .verify_host = config->verify_host };
    if (strncmp(request->url, "https:", 6) == 0) {
        enum err err = tls_material_load(config, &material, reterr);
        if (err != ERR_OK) {
            *ret_answer = (struct http_client_answer){ .code = 0 };
            return err;
        }
        tls.authorities = material.trust ? material.trust : material.chain;
        tls.chain = material.chain;
        tls.key = material.key;
        tls.key_password = config->key_password;
        request->tls = &tls;
    }
    enum err err = http_client_send(request, ret_answer, reterr);
    tls_material_fini(&material);
    return err;
}

static enum outcome forward_once(struct call *call, const char *base)
{
    CLEANUP(free_charp) char *url = leader_url(call, base);
    bool has_body = call->http->body_length > 0 || strcmp(call->http->method, "DELETE") != 0;
    struct http_client_request request = {
        .method = call->http->method,
        .url = url,
        .body = has_body ? call->http->body : NULL,
        .body_length = call->http->body_length,
        .content_type = call->http->body_length > 0 ? "application/json" : NULL,
        .authorization = call->http->authorization,
        .result_header = FORWARD_POSITION_HEADER,
        .deadline_ms = call->deadline_ms,
        .cancelled = &call->env->stopping,
        .max_answer = MAX_ANSWER,
    };
    struct http_client_answer answer;
    struct error error = { ERR_OK, "" };
    enum err err = exchange(call, &request, &answer, &error);
    enum outcome outcome = OUTCOME_ANSWERED;
    if (err == ERR_UNAVAILABLE || (err == ERR_OK && strcmp(answer.header, FORWARD_REFUSED) == 0)) {
        log_debug(NULL, "REST-FORWARD-AGAIN", "leader=%s reason=\"%s\"", base, error.text);
        outcome = OUTCOME_AGAIN;
    } else if (err != ERR_OK) {
        log_warn(NULL, "REST-FORWARD-FAILED", "leader=%s error=\"%s\"", base, error.text);
        answer_error(call, 500, "IO Error trying to forward REST request: %s", error.text);
    } else if (answer.code < 200 || answer.code > 599) {
        log_warn(NULL, "REST-FORWARD-FAILED", "leader=%s code=%d", base, answer.code);
        answer_error(call, 500, "Unexpected status code when handling forwarded request: %d",
                     answer.code);
    } else {
        catch_up(call, answer.header);
        if (call->route->settle && answer.code < 300) {
            (void)call->route->settle(call);
        }
        copy_answer(call, &answer);
    }
    buf_fini(&answer.body);
    return outcome;
}

static enum outcome lead(struct call *call)
{
    call_look(call);
    return call->route->handler(call) == ERR_NOT_LEADER ? OUTCOME_AGAIN : OUTCOME_ANSWERED;
}

/* A request that came from another worker is carried out here or not at all. */
static void serve_forwarded(struct call *call)
{
    char url[512];
    bool self = false;
    enum err err = cluster_wait_leader(call->cluster, 0, url, sizeof(url), &self);
    if (err != ERR_OK || !self || lead(call) == OUTCOME_AGAIN) {
        http_response_header(call->response, FORWARD_POSITION_HEADER, FORWARD_REFUSED);
        answer_error(call, 409, CONFLICTING);
    }
}

static enum outcome try_once(struct call *call)
{
    char url[512];
    bool self = false;
    enum err err = cluster_wait_leader(call->cluster, call->deadline_ms, url, sizeof(url), &self);
    if (err == ERR_CLOSED) {
        answer_error(call, 500, "Worker is shutting down");
        return OUTCOME_ANSWERED;
    }
    if (err != ERR_OK) {
        answer_error(call, 409, NO_LEADER);
        return OUTCOME_ANSWERED;
    }
    return self ? lead(call) : forward_once(call, url);
}

static void answer_given_up(struct call *call)
{
    if (atomic_load(&call->env->stopping)) {
        answer_error(call, 500, "Worker is shutting down");
    } else {
        answer_error(call, 409, NO_LEADER);
    }
}

static void find_leader(struct call *call)
{
    uint64_t pause_ms = FIRST_PAUSE_MS;
    while (try_once(call) == OUTCOME_AGAIN) {
        if (!env_pause(call->env, pause_ms, call->deadline_ms)) {
            answer_given_up(call);
            return;
        }
        pause_ms = pause_ms * 2 > MAX_PAUSE_MS ? MAX_PAUSE_MS : pause_ms * 2;
    }
}

bool forward_take_place(struct call *call)
{
    struct env *env = call->env;
    /* Each holds a thread; those that only read need some too. */
    if (atomic_fetch_add(&env->n_leader_calls, 1) < env->max_leader_calls) {
        return true;
    }
    forward_give_place(call);
    metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
    http_response_header(call->response, "Retry-After", "1");
    answer_error(call, 503,
                 "HTTP 503 Service Unavailable: %u requests wait for the leader or for Kafka "
                 "already",
                 env->max_leader_calls);
    return false;
}

void forward_give_place(struct call *call)
{
    atomic_fetch_sub(&call->env->n_leader_calls, 1);
}

void forward_or_lead(struct call *call)
{
    if (!forward_take_place(call)) {
        return;
    }
    if (call->may_forward) {
        find_leader(call);
    } else {
        serve_forwarded(call);
    }
    forward_give_place(call);
}
