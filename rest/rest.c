/* SPDX-License-Identifier: Apache-2.0 */
/* The REST interface as main sees it: addresses, life, access log. See rest.h. */
#include "rest/rest.h"

#include <unistd.h>

#include "rest/env.h"
#include "rest/http.h"
#include "rest/listener.h"
#include "rest/router.h"
#include "rest/target.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/worker_config.h"

#define MAX_BODY ((size_t)1024 * 1024)
/* Longest wait at the end for answers that are under way. */
#define STOP_MS 5000U

struct rest {
    struct env env;
    struct http_server *server;
    int port;
    char worker_id[300];
};

static bool in_route(const struct route *route, const char *name)
{
    for (size_t i = 0; i < ROUTE_MAX_QUERY && route->query[i].name; i++) {
        if (strcmp(route->query[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Of the query only what the interface knows is logged: the rest may be anything. */
static bool is_known(const char *name)
{
    for (const struct route_table *const *table = routes_all(); *table; table++) {
        for (size_t i = 0; i < (*table)->n_rows; i++) {
            if (in_route(&(*table)->rows[i], name)) {
                return true;
            }
        }
    }
    return strcmp(name, "forward") == 0;
}

static void add_query(struct buf *line, const struct target *target)
{
    char mark = '?';
    for (size_t i = 0; i < target->n_query; i++) {
        if (is_known(target->query[i].name)) {
            buf_printf(line, "%c%s=", mark, target->query[i].name);
            percent_encode(line, target->query[i].value);
            mark = '&';
        }
    }
}

static void add_path(struct buf *line, const char *text)
{
    struct target target;
    if (target_parse(text, &target, NULL) != ERR_OK) {
        buf_add_text(line, "(unreadable)");
        return;
    }
    buf_add_text(line, target.n_segments == 0 ? "/" : "");
    for (size_t i = 0; i < target.n_segments; i++) {
        buf_add_char(line, '/');
        percent_encode(line, target.segments[i]);
    }
    add_query(line, &target);
    target_fini(&target);
}

/* Changes are news; looking is not, and probes and scrapers look all the time. */
static enum log_level access_level(const struct http_request *request)
{
    bool reads = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0 ||
                 strcmp(request->method, "OPTIONS") == 0;
    return reads ? LOG_DEBUG : LOG_INFO;
}

static void log_access(const struct http_request *request, const struct http_response *response,
                       uint64_t took_us)
{
    enum log_level level = access_level(request);
    if (!log_passes(LOGGER_rest_access, level)) {
        return;
    }
    struct buf path;
    struct buf method;
    buf_init(&path);
    buf_init(&method);
    add_path(&path, request->target);
    percent_encode(&method, request->method);
    log_write(level, NULL, "REST-ACCESS",
              "client=%s method=%.20s path=%.300s code=%d bytes=%zu ms=%.1f", request->client,
              buf_text(&method), buf_text(&path), response->code, response->body_length,
              (double)took_us / 1000.0);
    buf_fini(&path);
    buf_fini(&method);
}

static void on_request(void *arg, const struct http_request *request,
                       struct http_response *response)
{
    struct rest *rest = arg;
    uint64_t start_us = clock_mono_us();
    router_serve(&rest->env, request, response);
    uint64_t took_us = clock_mono_us() - start_us;
    metric_add(metrics_worker(), METRIC_REST_REQUESTS, (unsigned)(response->code / 100 - 1), 1);
    metric_observe(metrics_worker(), METRIC_REST_DURATION, (double)took_us / 1e6);
    log_access(request, response, took_us);
}

/* The host that other workers use: as configured, else the listener's, else this machine's name. */
static void advertised_host(const struct kvs *props, const struct listener *listener, char *host,
                            size_t size)
{
    CLEANUP(free_charp) char *given = worker_config_text(props, "rest.advertised.host.name");
    bool all = listener->host[0] == '\0' || strcmp(listener->host, "0.0.0.0") == 0 ||
               strcmp(listener->host, "::") == 0;
    if (given && given[0] != '\0') {
        (void)snprintf(host, size, "%s", given);
    } else if (!all) {
        (void)snprintf(host, size, "%s", listener->host);
    } else if (gethostname(host, size) != 0) {
        (void)snprintf(host, size, "localhost");
    }
    host[size - 1] = '\0';
}

static void set_address(struct rest *rest, const struct listeners *listeners)
{
    const struct listener *listener = &listeners->items[0];
    char host[256];
    advertised_host(&rest->env.props, listener, host, sizeof(host));
    int64_t port = worker_config_int(&rest->env.props, "rest.advertised.port");
    rest->port = port > 0 ? (int)port : listener->port;
    bool ipv6 = strchr(host, ':') && host[0] != '[';
    (void)snprintf(rest->worker_id, sizeof(rest->worker_id), "%s%s%s:%d", ipv6 ? "[" : "", host,
                   ipv6 ? "]" : "", rest->port);
    (void)snprintf(rest->env.url, sizeof(rest->env.url), "http://%s", rest->worker_id);
}

static enum err check_advertised_listener(const struct kvs *props, struct error *reterr)
{
    CLEANUP(free_charp) char *scheme = worker_config_text(props, "rest.advertised.listener");
    if (scheme && scheme[0] != '\0' && strcasecmp(scheme, "http") != 0) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration rest.advertised.listener: must be "
                         "http, the scheme of an entry of listeners",
                         scheme);
    }
    return ERR_OK;
}

static enum err serve(struct rest *rest, struct listeners *listeners, struct error *reterr)
{
    int fds[HTTP_MAX_LISTENERS];
    for (size_t i = 0; i < listeners->n_items; i++) {
        fds[i] = listeners->items[i].fd;
    }
    struct http_options options = {
        .listen_fds = fds,
        .n_listen_fds = listeners->n_items,
        .max_connections = (unsigned)worker_config_int(&rest->env.props, "rest.max.connections"),
        .idle_timeout_ms = (uint64_t)worker_config_int(&rest->env.props, "rest.idle.timeout.ms"),
        .max_body = MAX_BODY,
        .handler = on_request,
        .arg = rest,
    };
    return http_start(&options, &rest->server, reterr);
}

enum err rest_check(const struct kvs *props, struct error *reterr)
{
    CLEANUP(free_charp) char *text = worker_config_text(props, "listeners");
    enum err err = listeners_check(text ? text : "", reterr);
    return err == ERR_OK ? check_advertised_listener(props, reterr) : err;
}

enum err rest_start(const struct kvs *props, struct rest **ret_rest, struct error *reterr)
{
    enum err err = rest_check(props, reterr);
    if (err != ERR_OK) {
        return err;
    }
    CLEANUP(free_charp) char *text = worker_config_text(props, "listeners");
    struct listeners listeners;
    err = listeners_open(text ? text : "", &listeners, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct rest *rest = xcalloc(1, sizeof(*rest));
    env_init(&rest->env, props);
    set_address(rest, &listeners);
    err = serve(rest, &listeners, reterr);
    if (err != ERR_OK) {
        listeners_close(&listeners);
        env_fini(&rest->env);
        free(rest);
        return err;
    }
    log_info(NULL, "REST-LISTENING", "url=%s listeners=\"%s\"", rest->env.url, text);
    *ret_rest = rest;
    return ERR_OK;
}

int rest_port(const struct rest *rest)
{
    return rest->port;
}

const char *rest_url(const struct rest *rest)
{
    return rest->env.url;
}

const char *rest_worker_id(const struct rest *rest)
{
    return rest->worker_id;
}

void rest_set_cluster(struct rest *rest, struct cluster *cluster)
{
    atomic_store(&rest->env.cluster, cluster);
}

void rest_stop(struct rest *rest)
{
    if (!rest) {
        return;
    }
    env_stop(&rest->env);
    http_stop(rest->server, clock_mono_ms() + STOP_MS);
    env_fini(&rest->env);
    free(rest);
}
