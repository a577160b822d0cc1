/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer. See call.h. */
#include "rest/call.h"

#include <stdarg.h>

#include "worker/base/clock.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/base/utf8.h"

void call_init(struct call *call, struct env *env, const struct http_request *http,
               struct http_response *response)
{
    *call = (struct call){
        .env = env,
        .http = http,
        .response = response,
        .deadline_ms = http->start_us / 1000 + env->request_timeout_ms,
        .cluster = atomic_load(&env->cluster),
        .may_forward = true,
        .task = -1,
    };
    kvs_init(&call->config);
}

void call_fini(struct call *call)
{
    if (call->snapshot) {
        snapshot_unref(call->snapshot);
    }
    target_fini(&call->target);
    cJSON_Delete(call->json);
    kvs_fini(&call->config);
    free(call->body_name);
}

void call_look(struct call *call)
{
    if (call->snapshot) {
        snapshot_unref(call->snapshot);
    }
    call->snapshot = cluster_snapshot(call->cluster);
}

const struct connector_state *call_connector(const struct call *call)
{
    return snapshot_find(call->snapshot, call->name);
}

void answer_text(struct call *call, int code, const char *content_type, char *owned_text)
{
    struct http_response *response = call->response;
    free(response->body);
    response->code = code;
    response->body = owned_text;
    response->body_length = owned_text ? strlen(owned_text) : 0;
    response->content_type = content_type;
}

void answer_json(struct call *call, int code, cJSON *value)
{
    char *text = json_print(value);
    cJSON_Delete(value);
    answer_text(call, code, "application/json", text);
}

void answer_empty(struct call *call, int code)
{
    answer_text(call, code, NULL, NULL);
}

void answer_error(struct call *call, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    CLEANUP(free_charp) char *message = NULL;
    int n = vasprintf(&message, format, args);
    va_end(args);
    ASSERT(n >= 0);
    cJSON *body = cJSON_CreateObject();
    (void)cJSON_AddNumberToObject(body, "error_code", code);
    (void)cJSON_AddStringToObject(body, "message", message);
    answer_json(call, code, body);
}

void answer_not_found(struct call *call)
{
    answer_error(call, 404, "Connector %s not found", call->name);
}

void call_stage(const struct call *call, struct buf *text)
{
    char stage[256] = "";
    char since[40];
    int64_t since_ms = 0;
    if (call->cluster) {
        (void)cluster_health(call->cluster, stage, sizeof(stage), &since_ms);
    }
    if (stage[0] != '\0') {
        clock_format_iso(since_ms, since, sizeof(since));
        buf_printf(text, " The worker is currently %s, which began at %s.", stage, since);
    }
}

void answer_timeout(struct call *call)
{
    struct buf stage;
    buf_init(&stage);
    call_stage(call, &stage);
    answer_error(call, 500, "Request timed out%s%s", stage.length > 0 ? "." : "", buf_text(&stage));
    buf_fini(&stage);
}

void answer_direct_error(struct call *call, enum err err)
{
    if (err == ERR_TIMEOUT) {
        answer_timeout(call);
    } else if (err == ERR_CLOSED) {
        answer_error(call, 500, "Worker is shutting down");
    } else {
        http_response_header(call->response, "Retry-After", "1");
        answer_error(call, err_http(err), "Worker is still starting up");
    }
}

/* A Host header goes back to the client in Location: only what an authority may consist of. */
static bool host_usable(const char *host)
{
    return host && host[0] != '\0' && strlen(host) < 300 &&
           strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") ==
               strlen(host);
}

void answer_location(struct call *call, const char *name)
{
    struct buf url;
    buf_init(&url);
    if (host_usable(call->http->host)) {
        buf_printf(&url, "%s://%s", call->http->tls ? "https" : "http", call->http->host);
    } else {
        buf_add_text(&url, call->env->url);
    }
    buf_add_text(&url, "/connectors/");
    percent_encode_segment(&url, name);
    http_response_header(call->response, "Location", buf_text(&url));
    buf_fini(&url);
}
