/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load http: asks an HTTP server the same thing again and again over connections that stay
 * open, one request at a time on each, and measures each answer's time. One thread with epoll, so
 * that it takes as little of the machine as it can from the server that is measured. It reads what
 * it must of HTTP: status, Content-Length, the length of the body.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/load/commands.h"
#include "tests/load/options.h"
#include "tests/load/util.h"

#define MAX_HEAD    16384
#define MAX_EVENTS  256
#define BODY_BLOCK  65536
#define MAX_REQUEST 2048

struct peer {
    int fd;
    uint64_t asked_us;
    char head[MAX_HEAD];
    size_t head_length;
    bool in_body;
    uint64_t body_left;
    int status;
};

struct load {
    struct endpoint endpoint;
    const char *http;
    const char *path;
    uint64_t n_connections;
    uint64_t n_requests;
    uint64_t timeout_s;
    uint64_t expect;
    char request[MAX_REQUEST];
    size_t request_length;
    int epoll_fd;
    struct peer *peers;
    uint32_t *took_us;
    uint64_t n_asked;
    uint64_t n_answered;
    uint64_t n_unexpected; /* answers of another status */
    uint64_t body_bytes;
};

static bool ask(struct load *load, struct peer *peer)
{
    if (load->n_asked == load->n_requests) {
        return true;
    }
    peer->head_length = 0;
    peer->in_body = false;
    peer->asked_us = mono_us();
    load->n_asked++;
    /* Nothing else is under way on this connection, so a request this small goes out whole. */
    ssize_t n = send(peer->fd, load->request, load->request_length, MSG_NOSIGNAL);
    if (n != (ssize_t)load->request_length) {
        complain("send to %s: %s\n", load->http, n < 0 ? strerror(errno) : "only a part went out");
        return false;
    }
    return true;
}

static bool open_peer(struct load *load, struct peer *peer)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)load->endpoint.port),
    };
    if (inet_pton(AF_INET, load->endpoint.host, &address.sin_addr) != 1) {
        complain("--http %s: give an IPv4 address and a port\n", load->http);
        return false;
    }
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) != 0) {
        complain("--http %s: %s\n", load->http, strerror(errno));
        return false;
    }
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = peer };
    return epoll_ctl(load->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) == 0;
}

/* The value of a header within the head, which ends with an empty line; NULL: it has none. */
static const char *header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            return line + 3 + length;
        }
    }
    return NULL;
}

static void answered(struct load *load, struct peer *peer)
{
    load->took_us[load->n_answered++] = (uint32_t)(mono_us() - peer->asked_us);
    load->n_unexpected += peer->status != (int)load->expect;
}

/* Reads status and length once the head is there; what follows it belongs to the body. */
static bool read_head(struct load *load, struct peer *peer)
{
    peer->head[peer->head_length] = '\0';
    char *end = strstr(peer->head, "\r\n\r\n");
    if (!end) {
        if (peer->head_length == MAX_HEAD - 1) {
            complain("an answer's head has more than %d bytes\n", MAX_HEAD);
        }
        return peer->head_length < MAX_HEAD - 1;
    }
    size_t body = peer->head_length - (size_t)(end + 4 - peer->head);
    end[2] = '\0';
    const char *length = header(peer->head, "Content-Length");
    peer->status = peer->head_length > 12 ? (int)strtol(peer->head + 9, NULL, 10) : 0;
    if (strncmp(peer->head, "HTTP/1.1 ", 9) != 0 || (!length && peer->status != 204)) {
        complain("an answer is no HTTP/1.1 with a Content-Length: %.60s\n", peer->head);
        return false;
    }
    uint64_t total = length ? strtoull(length, NULL, 10) : 0;
    if (body > total) {
        complain("an answer is longer than its Content-Length\n");
        return false;
    }
    load->body_bytes += total;
    peer->in_body = true;
    peer->body_left = total - body;
    return true;
}

static bool on_readable(struct load *load, struct peer *peer)
{
    static char block[BODY_BLOCK];
    char *into = peer->in_body ? block : peer->head + peer->head_length;
    size_t room = peer->in_body ? sizeof(block) : MAX_HEAD - 1 - peer->head_length;
    ssize_t n = recv(peer->fd, into, room, 0);
    if (n <= 0) {
        complain("%s ended a connection: %s\n", load->http, n < 0 ? strerror(errno) : "closed");
        return false;
    }
    if (!peer->in_body) {
        peer->head_length += (size_t)n;
        if (!read_head(load, peer)) {
            return false;
        }
    } else if ((uint64_t)n > peer->body_left) {
        complain("an answer is longer than its Content-Length\n");
        return false;
    } else {
        peer->body_left -= (uint64_t)n;
    }
    if (peer->in_body && peer->body_left == 0) {
        answered(load, peer);
        return ask(load, peer);
    }
    return true;
}

static bool run(struct load *load)
{
    struct epoll_event events[MAX_EVENTS];
    for (uint64_t i = 0; i < load->n_connections; i++) {
        if (!ask(load, &load->peers[i])) {
            return false;
        }
    }
    while (load->n_answered < load->n_requests) {
        int n = epoll_wait(load->epoll_fd, events, MAX_EVENTS, (int)load->timeout_s * 1000);
        if (n == 0) {
            complain("no answer within %" PRIu64 " s\n", load->timeout_s);
        }
        if (n <= 0) {
            return false;
        }
        for (int i = 0; i < n; i++) {
            if (!on_readable(load, events[i].data.ptr)) {
                return false;
            }
        }
    }
    return true;
}

static void report(struct load *load, uint64_t span_us)
{
    uint32_t *took = load->took_us;
    size_t n = (size_t)load->n_answered;
    double p50 = percentile_ms(took, n, 50);
    double p99 = percentile_ms(took, n, 99);
    double p999 = percentile_ms(took, n, 99.9);
    printf("{\"command\":\"http\",\"path\":\"%s\",\"connections\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"unexpected\":%" PRIu64 ",\"per_second\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
           "\"p999_ms\":%.3f,\"max_ms\":%.3f,\"body_bytes\":%" PRIu64 ",\"cpu_us\":%" PRIu64 "}\n",
           load->path, load->n_connections, load->n_answered, load->n_unexpected,
           per_second(load->n_answered, span_us), p50, p99, p999, percentile_ms(took, n, 100),
           load->body_bytes, cpu_us());
}

static bool prepare(struct load *load)
{
    load->request_length = (size_t)snprintf(load->request, sizeof(load->request),
                                            "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: "
                                            "application/json\r\n\r\n",
                                            load->path, load->http);
    if (load->request_length >= sizeof(load->request)) {
        complain("--path is longer than %d bytes\n", MAX_REQUEST);
        return false;
    }
    load->took_us = xcalloc((size_t)load->n_requests, sizeof(*load->took_us));
    load->peers = xcalloc((size_t)load->n_connections, sizeof(*load->peers));
    load->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (uint64_t i = 0; i < load->n_connections; i++) {
        load->peers[i].fd = -1;
    }
    for (uint64_t i = 0; i < load->n_connections; i++) {
        if (!open_peer(load, &load->peers[i])) {
            return false;
        }
    }
    return true;
}

static void release(struct load *load)
{
    for (uint64_t i = 0; load->peers && i < load->n_connections; i++) {
        if (load->peers[i].fd >= 0) {
            (void)close(load->peers[i].fd);
        }
    }
    (void)close(load->epoll_fd);
    free(load->peers);
    free(load->took_us);
}

int command_http(int argc, char **argv)
{
    struct load load = {
        .path = "/connectors",
        .n_connections = 64,
        .n_requests = 10000,
        .timeout_s = 30,
        .expect = 200,
        .epoll_fd = -1,
    };
    const struct option_row rows[] = {
        { "--http", OPTION_STRING, &load.http, 0, 0, true, "server, IPv4 address and port" },
        { "--path", OPTION_STRING, &load.path, 0, 0, false, "what to GET" },
        { "--connections", OPTION_NUMBER, &load.n_connections, 1, 10000, false, "kept open" },
        { "--requests", OPTION_NUMBER, &load.n_requests, 1, 50000000, false, "in all" },
        { "--expect", OPTION_NUMBER, &load.expect, 100, 599, false, "status of a good answer" },
        { "--timeout", OPTION_NUMBER, &load.timeout_s, 1, 3600, false,
          "seconds without an answer after which to give up" },
    };
    const struct option_table table = {
        "http",
        "Asks an HTTP server over many connections, one request at a time on each.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code) ||
        !endpoint_parse("--http", load.http, &load.endpoint)) {
        return code;
    }
    bool good = prepare(&load);
    uint64_t started_us = mono_us();
    good = good && run(&load);
    if (good) {
        report(&load, mono_us() - started_us);
    }
    release(&load);
    return !good ? LOAD_ERROR : load.n_unexpected > 0 ? LOAD_CONTENT : LOAD_OK;
}
