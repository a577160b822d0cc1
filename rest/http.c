/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server on microhttpd; the only file that knows it. One daemon for each listening socket,
 * one thread for each connection. microhttpd closes connections on which nothing happens; a further
 * thread, the reaper, closes those that take too long over one request, however busily they drip
 * bytes. Answers of microhttpd itself are HTML, so its own limits lie beyond ours. See http.h.
 */
#include "rest/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdarg.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/list.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/thread.h"

#ifdef SLUICE_SANITIZED
#define STACK_SIZE ((size_t)2 * 1024 * 1024)
#else
#define STACK_SIZE ((size_t)256 * 1024)
#endif
/* Memory of a connection: request line and headers must fit. Beyond it microhttpd answers 414 or
 * 431 itself. */
#define CONNECTION_MEMORY ((size_t)128 * 1024)
/* Connections over the limit that are still taken, to be told so. */
#define OVERFLOW_CONNECTIONS 32U
/* A refused body up to this size is read and dropped, so that the client gets to read the answer;
 * a connection that sends more is closed. */
#define MAX_DRAIN ((size_t)16 * 1024 * 1024)

/* A connection, from its start to just before its socket is closed. */
struct connection {
    struct list link; /* in server->reading, while it owes us bytes or takes our answer */
    struct http_server *server;
    int fd;
    uint64_t deadline_ms; /* to have sent a request, or to have taken the answer */
};

/* One request; lives from its first line to its completion. */
struct exchange {
    char *target;
    struct buf body;
    size_t n_received;
    bool begun;  /* the headers were seen */
    bool active; /* counted in server->n_active */
    int refused;
};

struct http_server {
    struct MHD_Daemon *daemons[HTTP_MAX_LISTENERS];
    size_t n_daemons;
    unsigned max_connections;
    uint64_t idle_timeout_ms;
    size_t max_body;
    http_handler_fn *handler;
    void *arg;
    atomic_uint n_connections;
    atomic_bool closing;
    struct lock lock;
    struct cond changed;
    struct list reading; /* connections, earliest deadline first; under lock */
    unsigned n_active;   /* requests between their first byte and their end; under lock */
    bool reaper_stop;    /* under lock */
    struct thread reaper;
};

void http_response_init(struct http_response *response)
{
    *response = (struct http_response){ .code = 500 };
}

void http_response_fini(struct http_response *response)
{
    free(response->body);
    for (size_t i = 0; i < response->n_headers; i++) {
        free(response->headers[i].value);
    }
    http_response_init(response);
}

void http_response_header(struct http_response *response, const char *name, const char *value)
{
    ASSERT(response->n_headers < N_ELEMENTS(response->headers));
    struct http_header *header = &response->headers[response->n_headers++];
    *header = (struct http_header){ name, xstrdup(value) };
    size_t n = 0;
    for (const char *p = value; *p; p++) {
        if ((unsigned char)*p >= 0x20 && *p != 0x7F) {
            header->value[n++] = *p;
        }
    }
    header->value[n] = '\0';
}

/* Deadlines are all equally long, so a connection that gets a new one goes to the end. */
static void watch(struct connection *connection)
{
    struct http_server *server = connection->server;
    lock_take(&server->lock);
    list_remove(&connection->link);
    connection->deadline_ms = clock_mono_ms() + 2 * server->idle_timeout_ms;
    list_push_back(&server->reading, &connection->link);
    cond_broadcast(&server->changed);
    lock_drop(&server->lock);
}

static void unwatch(struct connection *connection)
{
    lock_take(&connection->server->lock);
    list_remove(&connection->link);
    lock_drop(&connection->server->lock);
}

static void *reaper_main(void *arg)
{
    struct http_server *server = arg;
    lock_take(&server->lock);
    while (!server->reaper_stop) {
        if (list_empty(&server->reading)) {
            cond_wait(&server->changed, &server->lock);
            continue;
        }
        struct connection *first = CONTAINER_OF(server->reading.next, struct connection, link);
        if (clock_mono_ms() < first->deadline_ms) {
            (void)cond_wait_until(&server->changed, &server->lock, first->deadline_ms);
            continue;
        }
        /* Under the lock the socket cannot be closed and its number given to another; the call does
         * not block. The connection's thread sees the end and cleans up. */
        list_remove(&first->link);
        (void)shutdown(first->fd, SHUT_RDWR);
    }
    lock_drop(&server->lock);
    return NULL;
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct connection *connection = xcalloc(1, sizeof(*connection));
        connection->server = server;
        connection->fd = info->connect_fd;
        list_init(&connection->link);
        *context = connection;
        atomic_fetch_add(&server->n_connections, 1);
        watch(connection);
    } else if (*context) {
        unwatch(*context);
        free(*context);
        *context = NULL;
        atomic_fetch_sub(&server->n_connections, 1);
    }
}

static enum MHD_Result on_accept(void *arg, const struct sockaddr *address UNUSED,
                                 socklen_t length UNUSED)
{
    struct http_server *server = arg;
    static struct log_limit limit;
    if (atomic_load(&server->n_connections) < server->max_connections + OVERFLOW_CONNECTIONS) {
        return MHD_YES;
    }
    metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
    unsigned suppressed = 0;
    if (log_limit_pass(&limit, 10000, &suppressed)) {
        log_warn(NULL, "REST-TOO-MANY-CONNECTIONS", "max=%u suppressed=%u", server->max_connections,
                 suppressed);
    }
    return MHD_NO;
}

static void *on_request_line(void *arg UNUSED, const char *target,
                             struct MHD_Connection *mhd UNUSED)
{
    struct exchange *exchange = xcalloc(1, sizeof(*exchange));
    exchange->target = xstrdup(target);
    buf_init(&exchange->body);
    return exchange;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info->socket_context;
}

static void set_active(struct http_server *server, struct exchange *exchange, bool active)
{
    lock_take(&server->lock);
    if (exchange->active != active) {
        exchange->active = active;
        server->n_active += active ? 1U : -1U;
        cond_broadcast(&server->changed);
    }
    lock_drop(&server->lock);
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct exchange *exchange = *context;
    if (!exchange) {
        return;
    }
    set_active(arg, exchange, false);
    struct connection *connection = connection_of(mhd);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK && connection) {
        watch(connection);
    }
    buf_fini(&exchange->body);
    free(exchange->target);
    free(exchange);
    *context = NULL;
}

static enum MHD_Result add_header_size(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                       const char *value)
{
    size_t *total = arg;
    *total += strlen(name) + (value ? strlen(value) : 0);
    return MHD_YES;
}

static const char *header(struct MHD_Connection *mhd, const char *name)
{
    return MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, name);
}

/* What can be refused once the headers are there. */
static int early_refusal(struct http_server *server, struct MHD_Connection *mhd,
                         const struct exchange *exchange)
{
    size_t headers = 0;
    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, add_header_size, &headers);
    const char *length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = header(mhd, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    /* RFC 9112 6.1: nobody can tell where such a body ends, or two readers see two ends. */
    if (coding && (length || strcasecmp(coding, "chunked") != 0)) {
        return 400;
    }
    if (atomic_load(&server->n_connections) > server->max_connections) {
        metric_add(metrics_worker(), METRIC_REST_REJECTED, 0, 1);
        return 503;
    }
    if (strlen(exchange->target) > HTTP_MAX_TARGET) {
        return 414;
    }
    if (headers > HTTP_MAX_HEADERS) {
        return 431;
    }
    return length && strtoull(length, NULL, 10) > server->max_body ? 413 : 0;
}

static enum MHD_Result take_body(const struct http_server *server, struct exchange *exchange,
                                 const char *bytes, size_t *length)
{
    exchange->n_received += *length;
    if (exchange->n_received > server->max_body) {
        exchange->refused = exchange->refused ? exchange->refused : 413;
        buf_fini(&exchange->body);
        buf_init(&exchange->body);
    } else if (!exchange->refused) {
        buf_add(&exchange->body, bytes, *length);
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

static enum MHD_Result answer(struct http_server *server, struct MHD_Connection *mhd,
                              const char *method, const struct exchange *exchange)
{
    struct http_request request = {
        .method = method,
        .target = exchange->target,
        .content_type = header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE),
        .accept = header(mhd, MHD_HTTP_HEADER_ACCEPT),
        .authorization = header(mhd, MHD_HTTP_HEADER_AUTHORIZATION),
        .host = header(mhd, MHD_HTTP_HEADER_HOST),
        .body = buf_text(&exchange->body),
        .body_length = exchange->body.length,
        .refused = exchange->refused,
    };
    set_client(mhd, &request);
    /* The idle time-out is off while the handler works: microhttpd would count that as idle. */
    (void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
    struct http_response response;
    http_response_init(&response);
    server->handler(server->arg, &request, &response);
    response.close = response.close || atomic_load(&server->closing);
    (void)MHD_set_connection_option(mhd, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)(server->idle_timeout_ms / 1000));
    struct MHD_Response *made = make_response(&response);
    enum MHD_Result result = made ? MHD_queue_response(mhd, (unsigned)response.code, made) : MHD_NO;
    if (made) {
        MHD_destroy_response(made);
    }
    http_response_fini(&response);
    return result;
}

/* Most refusals wait for the body, as a client that is still sending may not listen. */
static bool must_answer_early(struct MHD_Connection *mhd, const struct exchange *exchange)
{
    const char *length = header(mhd, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool endless = length && strtoull(length, NULL, 10) > MAX_DRAIN;
    /* A client that asks before it sends is answered before it has sent. */
    bool asks = header(mhd, MHD_HTTP_HEADER_EXPECT) != NULL;
    return exchange->refused == 400 || endless || asks;
}

/* NOLINTNEXTLINE(readability-function-size): the signature is microhttpd's. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url UNUSED,
                                  const char *method, const char *version UNUSED, const char *bytes,
                                  size_t *length, void **context)
{
    struct http_server *server = arg;
    struct exchange *exchange = *context;
    if (!exchange->begun) {
        exchange->begun = true;
        set_active(server, exchange, true);
        exchange->refused = early_refusal(server, mhd, exchange);
        return exchange->refused && must_answer_early(mhd, exchange)
                   ? answer(server, mhd, method, exchange)
                   : MHD_YES;
    }
    if (*length > 0) {
        return take_body(server, exchange, bytes, length);
    }
    struct connection *connection = connection_of(mhd);
    unwatch(connection);
    enum MHD_Result result = answer(server, mhd, method, exchange);
    watch(connection);
    return result;
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

static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    /* Counted by on_accept; microhttpd's own limit would make it stop accepting without a word. */
    unsigned limit = server->max_connections + OVERFLOW_CONNECTIONS + 8;
    return MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
            MHD_USE_ERROR_LOG,
        0, on_accept, server, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, limit,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(server->idle_timeout_ms / 1000),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
        STACK_SIZE, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
}

static void server_free(struct http_server *server)
{
    lock_take(&server->lock);
    server->reaper_stop = true;
    cond_broadcast(&server->changed);
    lock_drop(&server->lock);
    thread_join(&server->reaper);
    for (size_t i = 0; i < server->n_daemons; i++) {
        MHD_stop_daemon(server->daemons[i]);
    }
    cond_fini(&server->changed);
    lock_fini(&server->lock);
    free(server);
}

enum err http_start(const struct http_options *options, struct http_server **ret_server,
                    struct error *reterr)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->max_connections = options->max_connections;
    server->idle_timeout_ms = options->idle_timeout_ms;
    server->max_body = options->max_body;
    server->handler = options->handler;
    server->arg = options->arg;
    lock_init(&server->lock, LOCK_RANK_REST);
    cond_init(&server->changed);
    list_init(&server->reading);
    thread_start(&server->reaper, "rest-reaper", reaper_main, server);
    for (size_t i = 0; i < options->n_listen_fds; i++) {
        /* The daemon closes its socket at the end, also when another one does not start. */
        server->daemons[i] = start_daemon(server, options->listen_fds[i]);
        if (!server->daemons[i]) {
            server_free(server);
            return error_set(reterr, ERR_IO, "listeners: the HTTP server does not start");
        }
        server->n_daemons++;
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
    for (size_t i = 0; i < server->n_daemons; i++) {
        int fd = MHD_quiesce_daemon(server->daemons[i]);
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    lock_take(&server->lock);
    while (server->n_active > 0 && cond_wait_until(&server->changed, &server->lock, deadline_ms)) {
    }
    lock_drop(&server->lock);
    server_free(server);
}
