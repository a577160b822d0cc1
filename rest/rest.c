/* SPDX-License-Identifier: Apache-2.0 */
/* The REST interface as main sees it: addresses and life. See rest.h. */
#include "rest/rest.h"

#include <strings.h>
#include <unistd.h>

#include "rest/access_log.h"
#include "rest/env.h"
#include "rest/http.h"
#include "rest/listener.h"
#include "rest/router.h"
#include "rest/tls.h"
#include "rest/validation.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/worker_config.h"

#define MAX_BODY   ((size_t)1024 * 1024)
#define MAX_BODIES ((size_t)64 * 1024 * 1024)
/* Answers that clients have not taken yet. */
#define MAX_ANSWERS ((size_t)64 * 1024 * 1024)
/* Longest wait at the end for answers that are under way. */
#define STOP_MS 5000U
/* See enum http_side. */
#define N_SIDES 3

struct rest {
    struct env env;
    struct listeners listeners[N_SIDES];
    struct tls *tls[N_SIDES]; /* NULL: no entry of that side is https */
    struct http_server *server;
    int port;
    char worker_id[300];
};

_Static_assert(N_SIDES *LISTENERS_MAX <= HTTP_MAX_LISTENERS, "http serves all listeners");

/* Place of 1xx to 5xx among the metric's values; what is none of them is an error. */
static unsigned code_class(int code)
{
    return code >= 100 && code <= 599 ? (unsigned)(code / 100 - 1) : 4U;
}

static bool on_request(void *arg, const struct http_request *request,
                       struct http_response *response)
{
    struct rest *rest = arg;
    if (!router_serve(&rest->env, request, response)) {
        return false;
    }
    if (!http_response_charge(response, request->answers)) {
        metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
        router_refuse(&rest->env, request, response);
    }
    uint64_t took_us = clock_mono_us() - request->start_us;
    metric_add(metrics_worker(), METRIC_REST_REQUESTS, code_class(response->code), 1);
    metric_observe(metrics_worker(), METRIC_REST_DURATION, (double)took_us / 1e6);
    access_log_write(request, response, took_us);
    return true;
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

/* The listener that other workers use: the first of rest.advertised.listener's scheme; without
 * that property the first http one, as in Connect, else the first. */
static enum err advertised_listener(const struct kvs *props, const struct listeners *listeners,
                                    const struct listener **ret_listener, struct error *reterr)
{
    CLEANUP(free_charp) char *scheme = worker_config_text(props, "rest.advertised.listener");
    bool given = scheme && scheme[0] != '\0';
    bool tls = given && strcasecmp(scheme, "https") == 0;
    const struct listener *found = NULL;
    if (!given || tls || strcasecmp(scheme, "http") == 0) {
        for (size_t i = 0; i < listeners->n_items && !found; i++) {
            found = listeners->items[i].tls == tls ? &listeners->items[i] : NULL;
        }
    }
    if (!found && given) {
        return error_set(reterr, ERR_INVALID,
                         "Invalid value %s for configuration rest.advertised.listener: must be "
                         "http or https, the scheme of an entry of listeners",
                         scheme);
    }
    *ret_listener = found ? found : &listeners->items[0];
    return ERR_OK;
}

static void set_address(struct rest *rest, const struct listener *listener)
{
    char host[256];
    advertised_host(&rest->env.props, listener, host, sizeof(host));
    int64_t port = worker_config_int(&rest->env.props, "rest.advertised.port");
    rest->port = port > 0 ? (int)port : listener->port;
    bool ipv6 = strchr(host, ':') && host[0] != '[';
    (void)snprintf(rest->worker_id, sizeof(rest->worker_id), "%s%s%s:%d", ipv6 ? "[" : "", host,
                   ipv6 ? "]" : "", rest->port);
    (void)snprintf(rest->env.url, sizeof(rest->env.url), "%s://%s",
                   listener->tls ? "https" : "http", rest->worker_id);
}

/* One of the properties that name listeners. */
static const struct side {
    const char *key;
    const char *tls_prefix; /* NULL: plain http only */
} sides[N_SIDES] = {
    [HTTP_REST] = { "listeners", TLS_LISTENERS },
    [HTTP_ADMIN] = { "admin.listeners", TLS_ADMIN },
    [HTTP_PROBES] = { "probe.listeners", NULL },
};

static enum http_side side_of(const struct side *side)
{
    return (enum http_side)(side - sides);
}

/* The value of a side's property; NULL: it has no listeners. Owned. */
static char *side_text(const struct side *side, const struct kvs *props)
{
    char *text = worker_config_text(props, side->key);
    bool optional = side_of(side) != HTTP_REST;
    if (optional && text && text[strspn(text, " ,")] == '\0') {
        free(text);
        return NULL;
    }
    return text || optional ? text : xstrdup("");
}

static enum err only_plain(const struct side *side, const char *text, struct error *reterr)
{
    return error_set(reterr, ERR_INVALID,
                     "Invalid value %s for configuration %s: who probes has no certificate, and "
                     "is told yes or no: give http://host:port",
                     text, side->key);
}

static enum err check_side(const struct side *side, const struct kvs *props, struct error *reterr)
{
    CLEANUP(free_charp) char *text = side_text(side, props);
    struct listeners parsed;
    if (!text) {
        return ERR_OK;
    }
    enum err err = listeners_parse(side->key, text, &parsed, reterr);
    if (err == ERR_OK && listeners_have_tls(&parsed)) {
        err = side->tls_prefix ? tls_check(props, side->tls_prefix, reterr)
                               : only_plain(side, text, reterr);
    }
    const struct listener *ignored = NULL;
    if (err == ERR_OK && side_of(side) == HTTP_REST) {
        err = advertised_listener(props, &parsed, &ignored, reterr);
    }
    return err;
}

enum err rest_check(const struct kvs *props, struct error *reterr)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < N_SIDES && err == ERR_OK; i++) {
        err = check_side(&sides[i], props, reterr);
    }
    struct env env;
    err = err == ERR_OK ? env_init(&env, props, reterr) : err;
    if (err == ERR_OK) {
        env_fini(&env);
    }
    return err;
}

static enum err open_side(struct rest *rest, const struct side *side, struct error *reterr)
{
    CLEANUP(free_charp) char *text = side_text(side, &rest->env.props);
    enum http_side i = side_of(side);
    if (!text) {
        return ERR_OK;
    }
    enum err err = listeners_open(side->key, text, &rest->listeners[i], reterr);
    if (err == ERR_OK && listeners_have_tls(&rest->listeners[i])) {
        tls_config_warn(&rest->env.props, side->tls_prefix);
        err = tls_new(&rest->env.props, side->tls_prefix, &rest->tls[i], reterr);
    }
    if (err == ERR_OK && rest->tls[i]) {
        tls_log(rest->tls[i]);
    }
    return err;
}

static enum err serve(struct rest *rest, struct error *reterr)
{
    struct http_listen listens[HTTP_MAX_LISTENERS];
    size_t n = 0;
    for (size_t side = 0; side < N_SIDES; side++) {
        const struct listeners *listeners = &rest->listeners[side];
        for (size_t i = 0; i < listeners->n_items; i++) {
            const struct listener *listener = &listeners->items[i];
            listens[n++] = (struct http_listen){
                .fd = listener->fd,
                .tls = listener->tls ? rest->tls[side] : NULL,
                .side = (enum http_side)side,
            };
        }
    }
    struct http_options options = {
        .listens = listens,
        .n_listens = n,
        .max_connections = (unsigned)worker_config_int(&rest->env.props, "rest.max.connections"),
        .max_blocking = rest->env.max_blocking,
        .idle_timeout_ms = (uint64_t)worker_config_int(&rest->env.props, "rest.idle.timeout.ms"),
        .max_body = MAX_BODY,
        .max_bodies = MAX_BODIES,
        .max_answers = MAX_ANSWERS,
        .handler = on_request,
        .arg = rest,
    };
    return http_start(&options, &rest->server, reterr);
}

static void rest_free(struct rest *rest)
{
    for (size_t i = 0; i < N_SIDES; i++) {
        tls_free(rest->tls[i]);
    }
    env_fini(&rest->env);
    free(rest);
}

static enum err open_all(struct rest *rest, struct error *reterr)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < N_SIDES && err == ERR_OK; i++) {
        err = open_side(rest, &sides[i], reterr);
    }
    const struct listener *listener = NULL;
    if (err == ERR_OK) {
        err = advertised_listener(&rest->env.props, &rest->listeners[HTTP_REST], &listener, reterr);
    }
    if (err == ERR_OK) {
        set_address(rest, listener);
        err = serve(rest, reterr);
    }
    return err;
}

static void log_listening(const struct rest *rest)
{
    CLEANUP(free_charp) char *text = worker_config_text(&rest->env.props, "listeners");
    CLEANUP(free_charp) char *admin = worker_config_text(&rest->env.props, "admin.listeners");
    CLEANUP(free_charp) char *probes = worker_config_text(&rest->env.props, "probe.listeners");
    log_info(NULL, "REST-LISTENING", "url=%s listeners=\"%s\" admin=\"%s\" probes=\"%s\" auth=%s",
             rest->env.url, text, admin ? admin : "(listeners)", probes ? probes : "(listeners)",
             rest->env.auth ? "basic" : "none");
}

enum err rest_start(const struct kvs *props, struct rest **ret_rest, struct error *reterr)
{
    enum err err = rest_check(props, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct rest *rest = xcalloc(1, sizeof(*rest));
    err = env_init(&rest->env, props, reterr);
    if (err != ERR_OK) {
        free(rest);
        return err;
    }
    err = open_all(rest, reterr);
    if (err != ERR_OK) {
        for (size_t i = 0; i < N_SIDES; i++) {
            listeners_close(&rest->listeners[i]);
        }
        rest_free(rest);
        return err;
    }
    log_listening(rest);
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

enum err rest_check_connector(void *arg, const struct kvs *config, struct error *reterr)
{
    const struct rest *rest = arg;
    return validation_check(&rest->env, config, reterr);
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
    rest_free(rest);
}
