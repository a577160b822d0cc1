/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server on microhttpd; the only file that knows it. One daemon for each listening socket,
 * whose few threads serve all its connections: with one thread for each, 64 busy connections wait
 * for each other's turns on the CPU. A request that may block suspends its connection and runs in
 * the pool. microhttpd closes connections on which nothing happens; the reaper closes those that
 * take too long over one request. Answers of microhttpd itself are HTML, so its own limits lie
 * beyond ours. See http.h.
 */
#include "rest/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rest/job_pool.h"
#include "rest/newcomers.h"
#include "rest/reaper.h"
#include "rest/tls.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

#ifdef SLUICE_SANITIZED
#define STACK_SIZE ((size_t)2 * 1024 * 1024)
#else
#define STACK_SIZE ((size_t)256 * 1024)
#endif
/* Of each daemon. */
#define N_THREADS 2U
/* Memory of a connection: request line and headers must fit. Beyond it microhttpd answers 414 or
 * 431 itself. */
#define CONNECTION_MEMORY ((size_t)64 * 1024)
/* Connections over the limit that are still taken, to be told so. */
#define OVERFLOW_CONNECTIONS 32U
/* Those on listeners for probes, and for how long nothing may happen on one: whoever watches the
 * process asks every few seconds, one question to a connection. */
#define PROBE_CONNECTIONS 16U
#define PROBE_IDLE_MS     5000U
/* A refused body up to this size is read and dropped, so that the client reads the answer. */
#define MAX_DRAIN ((size_t)16 * 1024 * 1024)

/* How many connections there may be. Listeners for probes have theirs apart, so that nobody who
 * takes all of the others has the process killed. */
struct places {
    atomic_uint n_taken;
    unsigned max;
};

/* A listening socket and what serves it. */
struct port {
    struct http_server *server;
    struct places *places;
    struct MHD_Daemon *daemon;
    struct tls *tls; /* NULL: plain */
    enum http_side side;
};

/* A connection, from its start to just before its socket is closed. */
struct connection {
    struct reaped socket; /* watched while it owes us bytes or takes our answer */
    struct newcomer newcomer;
    const struct port *port;
    struct tls_identity *identity; /* NULL: plain */
};

/* One request; lives from its first line to its completion. The daemon's thread's, but between
 * suspending and resuming the connection, when it is the pool's. */
struct exchange {
    struct job job;
    struct MHD_Connection *mhd;
    const struct port *port;
    struct http_request request; /* set when it is whole; borrows from mhd and the exchange */
    struct http_response response;
    bool waits;    /* for the pool: see answer */
    bool answered; /* by the pool: response is to be sent */
    char *target;
    struct buf body;
    size_t n_received;
    bool begun;  /* the headers were seen */
    bool active; /* counted in server->n_active */
    int refused;
};

struct http_server {
    struct port ports[HTTP_MAX_LISTENERS];
    size_t n_ports;
    struct places places; /* of all listeners but those for probes */
    struct places probe_places;
    uint64_t idle_timeout_ms;
    size_t max_body;
    size_t max_bodies;
    atomic_size_t n_bodies; /* bytes of bodies that are kept */
    struct http_budget answers;
    http_handler_fn *handler;
    void *arg;
    atomic_bool closing;
    struct lock lock;
    struct cond ended; /* n_active has become 0 */
    unsigned n_active; /* requests between their first byte and their end; under lock */
    struct newcomers newcomers;
    struct reaper *reaper;
    struct job_pool *pool;
};

static void watch(struct connection *connection)
{
    reaper_watch(connection->port->server->reaper, &connection->socket);
}

static void unwatch(struct connection *connection)
{
    reaper_unwatch(connection->port->server->reaper, &connection->socket);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    const struct port *port = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct connection *connection = xcalloc(1, sizeof(*connection));
        connection->port = port;
        reaper_begin(&connection->socket, info->connect_fd);
        if (port->tls) {
            info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
            connection->identity = tls_begin(port->tls, info->tls_session);
        }
        *context = connection;
        newcomers_add(&port->server->newcomers, &connection->newcomer);
        atomic_fetch_add(&port->places->n_taken, 1);
        watch(connection);
    } else if (*context) {
        struct connection *connection = *context;
        unwatch(connection);
        newcomers_remove(&port->server->newcomers, &connection->newcomer);
        tls_end(connection->identity);
        free(connection);
        *context = NULL;
        atomic_fetch_sub(&port->places->n_taken, 1);
    }
}

static enum MHD_Result on_accept(void *arg, const struct sockaddr *address UNUSED,
                                 socklen_t length UNUSED)
{
    const struct port *port = arg;
    struct places *places = port->places;
    static struct log_limit limit;
    if (atomic_load(&places->n_taken) < places->max + OVERFLOW_CONNECTIONS) {
        return MHD_YES;
    }
    metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
    unsigned suppressed = 0;
    if (log_limit_pass(&limit, 10000, &suppressed)) {
        log_warn(NULL, "REST-TOO-MANY-CONNECTIONS", "max=%u suppressed=%u", places->max,
                 suppressed);
    }
    return MHD_NO;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

/* A client that sends a request and the end of its side at once makes one event of both; microhttpd
 * reads the request and hears of the end no more (seen with 0.9.75 and edge-triggered epoll).
 * Closing our side for reading tells it again. */
static void notice_end(struct MHD_Connection *mhd)
{
    const struct connection *connection = connection_of(mhd);
    char byte;
    if (connection && recv(connection->socket.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
        (void)shutdown(connection->socket.fd, SHUT_RD);
    }
}

static void *on_request_line(void *arg, const char *target, struct MHD_Connection *mhd)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));
    exchange->port = arg;
    exchange->mhd = mhd;
    http_response_init(&exchange->response);
    notice_end(mhd);
    exchange->target = xstrdup(target);
    buf_init(&exchange->body);
    return exchange;
}

static void set_active(struct http_server *server, struct exchange *exchange, bool active)
{
    lock_take(&server->lock);
    if (exchange->active != active) {
        exchange->active = active;
        server->n_active += active ? 1U : -1U;
        if (server->n_active == 0) {
            cond_broadcast(&server->ended);
        }
    }
    lock_drop(&server->lock);
}

static void drop_body(struct http_server *server, struct exchange *exchange)
{
    atomic_fetch_sub(&server->n_bodies, exchange->body.length);
    buf_fini(&exchange->body);
    buf_init(&exchange->body);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *context;
    if (!exchange) {
        return;
    }
    const struct port *port = arg;
    set_active(port->server, exchange, false);
    struct connection *connection = connection_of(mhd);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && connection) {
        notice_end(mhd);
        watch(connection);
    }
    (void)atomic_fetch_sub(&port->server->answers.used, exchange->response.charged);
    http_response_fini(&exchange->response);
    drop_body(port->server, exchange);
    free(exchange->target);
    free(exchange);
    *context = NULL;
}

/* What the headers of a request add up to. */
struct headers {
    size_t size; /* names and values */
    unsigned n_lengths;
    unsigned n_codings;
    unsigned n_hosts;
    bool bad_name;
};

static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                  const char *value)
{
    struct headers *headers = arg;
    headers->size += strlen(name) + (value ? strlen(value) : 0);
    headers->n_lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    headers->n_codings += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    headers->n_hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    headers->bad_name |= name[0] == '\0' || name[strcspn(name, " \t")] != '\0';
    return MHD_YES;
}

static const char *header(struct MHD_Connection *mhd, const char *name)
{
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

/* What can be refused once the headers are there. */
static int early_refusal(const struct exchange *exchange, const char *version)
{
    const struct http_server *server = exchange->port->server;
    struct places *places = exchange->port->places;
    struct MHD_Connection *mhd = exchange->mhd;
    struct headers headers = { .size = 0 };
    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, add_header, &headers);
    const char *length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = header(mhd, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    /* RFC 9112 5.1 and 6.1: nobody can tell where such a body ends, or two readers see two ends. */
    bool two_ends = headers.n_lengths + headers.n_codings > 1 || headers.bad_name;
    /* RFC 9112 3.2. */
    bool no_host = headers.n_hosts != 1 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
    if (two_ends || no_host || headers.n_hosts > 1 ||
        (coding && strcasecmp(coding, "chunked") != 0)) {
        return 400;
    }
    if (atomic_load(&places->n_taken) > places->max) {
        metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
        return 503;
    }
    if (strlen(exchange->target) > HTTP_MAX_TARGET) {
        return 414;
    }
    if (headers.size > HTTP_MAX_HEADERS) {
        return 431;
    }
    return length && strtoull(length, NULL, 10) > server->max_body ? 413 : 0;
}

static enum MHD_Result take_body(struct http_server *server, struct exchange *exchange,
                                 const char *bytes, size_t *length)
{
    exchange->n_received += *length;
    bool too_long = exchange->n_received > server->max_body;
    if (!exchange->refused && !too_long) {
        buf_add(&exchange->body, bytes, *length);
        too_long = atomic_fetch_add(&server->n_bodies, *length) + *length > server->max_bodies;
        exchange->refused = too_long ? 503 : 0;
    }
    if (too_long) {
        exchange->refused = exchange->refused ? exchange->refused : 413;
        drop_body(server, exchange);
    }
    *length = 0;
    return exchange->n_received > MAX_DRAIN ? MHD_NO : MHD_YES;
}

static void set_client(struct MHD_Connection *mhd, struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    socklen_t length = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
    if (!address || getnameinfo(address, length, request->client, sizeof(request->client), NULL, 0,
                                NI_NUMERICHOST) != 0) {
        (void)snprintf(request->client, sizeof(request->client), "unknown");
    }
}

static struct MHD_Response *make_response(struct http_response *response)
{
    static char empty[1] = "";
    char *body = TAKE(response->body);
    struct MHD_Response *mhd =
        MHD_create_response_from_buffer(body ? response->body_length : 0, body ? body : empty,
                                        body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!mhd) {
        free(body);
        return NULL;
    }
    if (body && response->content_type) {
        (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    }
    for (size_t i = 0; i < response->n_headers; i++) {
        (void)MHD_add_response_header(mhd, response->headers[i].name, response->headers[i].value);
    }
    if (response->close) {
        (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return mhd;
}

static void make_request(struct exchange *exchange, const char *method)
{
    struct MHD_Connection *mhd = exchange->mhd;
    exchange->request = (struct http_request){
        .method = method,
        .target = exchange->target,
        .content_type = header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE),
        .accept = header(mhd, MHD_HTTP_HEADER_ACCEPT),
        .authorization = header(mhd, MHD_HTTP_HEADER_AUTHORIZATION),
        .host = header(mhd, MHD_HTTP_HEADER_HOST),
        .origin = header(mhd, MHD_HTTP_HEADER_ORIGIN),
        .wanted_method = header(mhd, MHD_HTTP_HEADER_ACCESS_CONTROL_REQUEST_METHOD),
        .side = exchange->port->side,
        .tls = exchange->port->tls != NULL,
        .body = buf_text(&exchange->body),
        .body_length = exchange->body.length,
        .refused = exchange->refused,
        .answers = &exchange->port->server->answers,
        .start_us = clock_mono_us(),
    };
    set_client(mhd, &exchange->request);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
    struct http_response *response = &exchange->response;
    response->close = response->close || atomic_load(&exchange->port->server->closing);
    struct MHD_Response *made = make_response(response);
    enum MHD_Result result = MHD_NO;
    if (made) {
        result = MHD_queue_response(exchange->mhd, (unsigned)response->code, made);
        MHD_destroy_response(made);
    }
    return result;
}

/* On a thread of the pool. The exchange is not touched after the connection is resumed. */
static void run_blocking(struct job *job)
{
    struct exchange *exchange = CONTAINER_OF(job, struct exchange, job);
    const struct http_server *server = exchange->port->server;
    exchange->request.may_block = true;
    ASSERT(server->handler(server->arg, &exchange->request, &exchange->response));
    exchange->answered = true;
    MHD_resume_connection(exchange->mhd);
}

/* Suspends the connection and leaves the request to the pool. */
static enum MHD_Result hand_over(struct exchange *exchange)
{
    exchange->job.run = run_blocking;
    MHD_suspend_connection(exchange->mhd);
    if (!job_pool_add(exchange->port->server->pool, &exchange->job)) {
        exchange->request.refused = 503;
        run_blocking(&exchange->job);
    }
    return MHD_YES;
}

/* Answers at once, or says that the request waits for the pool. Then microhttpd has to leave the
 * state in which it reads before the connection is suspended, so it is suspended in the next call,
 * which comes at once: in that state it begins with reading when it goes on, finds the end that a
 * client has half closed with, and drops the answer (0.9.75). */
static enum MHD_Result answer(struct exchange *exchange, const char *method)
{
    struct http_server *server = exchange->port->server;
    make_request(exchange, method);
    if (server->handler(server->arg, &exchange->request, &exchange->response)) {
        return send_answer(exchange);
    }
    http_response_fini(&exchange->response);
    exchange->waits = true;
    return MHD_YES;
}

/* Most refusals wait for the body, as a client that is still sending may not listen. */
static bool must_answer_early(struct MHD_Connection *mhd, const struct exchange *exchange)
{
    const char *length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool endless = length && strtoull(length, NULL, 10) > MAX_DRAIN;
    /* A client that asks before it sends is answered before it has sent. */
    return exchange->refused == 400 || endless || header(mhd, MHD_HTTP_HEADER_EXPECT);
}

/* NOLINTNEXTLINE(readability-function-size): the signature is microhttpd's. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url UNUSED,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *length, void **context)
{
    const struct port *port = arg;
    struct http_server *server = port->server;
    struct exchange *exchange = *context;
    if (!exchange->begun) {
        exchange->begun = true;
        set_active(server, exchange, true);
        /* In this order: http_stop waits for the one, then for the other. */
        newcomers_remove(&server->newcomers, &connection_of(mhd)->newcomer);
        notice_end(mhd);
        exchange->refused = early_refusal(exchange, version);
        return exchange->refused && must_answer_early(mhd, exchange) ? answer(exchange, method)
                                                                     : MHD_YES;
    }
    if (*length > 0) {
        notice_end(mhd);
        return take_body(server, exchange, bytes, length);
    }
    if (exchange->waits && !exchange->answered) {
        unwatch(connection_of(mhd));
        return hand_over(exchange);
    }
    watch(connection_of(mhd));
    return exchange->answered ? send_answer(exchange) : answer(exchange, method);
}

/* Targets are decoded by us, segment by segment. */
static size_t keep_escapes(void *arg UNUSED, struct MHD_Connection *mhd UNUSED, char *text)
{
    return strlen(text);
}

PRINTF_LIKE(2, 0) static void on_log(void *arg UNUSED, const char *format, va_list args)
{
    static struct log_limit limit;
    char text[512];
    unsigned suppressed = 0;
    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    if (log_passes(LOGGER_libmicrohttpd, LOG_DEBUG) && log_limit_pass(&limit, 1000, &suppressed)) {
        log_write(LOG_DEBUG, NULL, "REST-HTTP", "text=\"%s\" suppressed=%u", text, suppressed);
    }
}

static struct MHD_Daemon *start_daemon(struct port *port, int fd)
{
    uint64_t idle_ms = port->server->idle_timeout_ms;
    if (port->side == HTTP_PROBES && idle_ms > PROBE_IDLE_MS) {
        idle_ms = PROBE_IDLE_MS;
    }
    /* on_accept counts; microhttpd would stop accepting without a word. */
    unsigned limit = (port->places->max + OVERFLOW_CONNECTIONS + 8) * N_THREADS;
    /* A daemon with TLS wants to know where certificates come from; tls_begin has said it to each
     * session before it asks. */
    struct MHD_OptionItem tls[] = {
        { port->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0,
          port->tls ? (void *)(uintptr_t)tls_no_certificate() : NULL },
        { MHD_OPTION_END, 0, NULL },
    };
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
            (port->tls ? MHD_USE_TLS : 0U),
        0, on_accept, port, on_request, port, MHD_OPTION_EXTERNAL_LOGGER, on_log, port,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(idle_ms / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        STACK_SIZE, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, port,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, port, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, port, MHD_OPTION_NOTIFY_COMPLETED, on_completed, port,
        MHD_OPTION_THREAD_POOL_SIZE, N_THREADS, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static void server_free(struct http_server *server)
{
    /* First the handlers: a suspended connection cannot be closed. */
    job_pool_stop(server->pool);
    for (size_t i = 0; i < server->n_ports; i++) {
        MHD_stop_daemon(server->ports[i].daemon);
    }
    job_pool_free(server->pool);
    reaper_stop(server->reaper);
    newcomers_fini(&server->newcomers);
    cond_fini(&server->ended);
    lock_fini(&server->lock);
    free(server);
}

enum err http_start(const struct http_options *options, struct http_server **ret_server,
                    struct error *reterr)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->places.max = options->max_connections;
    server->probe_places.max = PROBE_CONNECTIONS;
    server->idle_timeout_ms = options->idle_timeout_ms;
    server->max_body = options->max_body;
    server->max_bodies = options->max_bodies;
    server->answers.max = options->max_answers;
    server->handler = options->handler;
    server->arg = options->arg;
    lock_init(&server->lock, LOCK_RANK_REST);
    cond_init(&server->ended);
    newcomers_init(&server->newcomers);
    server->pool = job_pool_start(options->max_blocking);
    server->reaper = reaper_start(2 * options->idle_timeout_ms);
    ASSERT(options->n_listens <= HTTP_MAX_LISTENERS);
    for (size_t i = 0; i < options->n_listens; i++) {
        const struct http_listen *listen = &options->listens[i];
        struct port *port = &server->ports[i];
        bool probes = listen->side == HTTP_PROBES;
        *port = (struct port){ .server = server, .tls = listen->tls, .side = listen->side };
        port->places = probes ? &server->probe_places : &server->places;
        /* The daemon closes its socket at the end, also when another one does not start. */
        port->daemon = start_daemon(port, listen->fd);
        if (!port->daemon) {
            server_free(server);
            return error_set(reterr, ERR_IO, "listeners: the HTTP server does not start");
        }
        server->n_ports++;
    }
    *ret_server = server;
    return ERR_OK;
}

void http_stop(struct http_server *server, uint64_t deadline_ms)
{
    if (!server) {
        return;
    }
    atomic_store(&server->closing, true);
    for (size_t i = 0; i < server->n_ports; i++) {
        int fd = MHD_quiesce_daemon(server->ports[i].daemon);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    newcomers_wait(&server->newcomers, deadline_ms);
    lock_take(&server->lock);
    while (server->n_active > 0 && cond_wait_until(&server->ended, &server->lock, deadline_ms)) {
    }
    lock_drop(&server->lock);
    server_free(server);
}
