/* SPDX-License-Identifier: Apache-2.0 */
/* A client that sends what it is told to. See client.h. */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

#define PATIENCE_MS 20000

int client_open(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr = { htonl(INADDR_LOOPBACK) },
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

int client_send(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n < 0) {
            return 0;
        }
        text += n;
        length -= (size_t)n;
    }
    return 1;
}

static void parse(struct reply *reply, struct buf *all)
{
    reply->length = all->length;
    reply->text = buf_take(all);
    reply->code =
        strncmp(reply->text, "HTTP/1.1 ", 9) == 0 ? (int)strtol(reply->text + 9, NULL, 10) : 0;
    char *gap = strstr(reply->text, "\r\n\r\n");
    reply->body = gap ? gap + 4 : NULL;
}

/* False at the end of the stream. */
static bool read_more(int fd, struct buf *all, uint64_t deadline_ms)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    uint64_t now = clock_mono_ms();
    int left = now < deadline_ms ? (int)(deadline_ms - now) : 0;
    if (poll(&poll_fd, 1, left) <= 0) {
        fail_msg("no answer in time; so far: %.200s", buf_text(all));
    }
    ssize_t n = recv(fd, buf_reserve(all, 65536), 65536, 0);
    all->length += n > 0 ? (size_t)n : 0;
    all->data[all->length] = '\0';
    return n > 0;
}

struct reply client_read(int fd)
{
    struct buf all;
    buf_init(&all);
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    while (read_more(fd, &all, deadline)) {
    }
    struct reply reply;
    parse(&reply, &all);
    return reply;
}

static bool has_answers(const struct buf *all, size_t n, size_t body_length)
{
    const char *p = buf_text(all);
    for (size_t i = 0; i < n; i++) {
        p = strstr(p, "HTTP/1.1 ");
        if (!p) {
            return false;
        }
        p++;
    }
    const char *gap = strstr(p, "\r\n\r\n");
    return gap && strlen(gap + 4) >= body_length;
}

struct reply client_read_answers(int fd, size_t n, size_t body_length)
{
    struct buf all;
    buf_init(&all);
    uint64_t deadline = clock_mono_ms() + PATIENCE_MS;
    while (!has_answers(&all, n, body_length) && read_more(fd, &all, deadline)) {
    }
    struct reply reply;
    parse(&reply, &all);
    return reply;
}

struct reply client_talk(int port, const char *text, size_t length)
{
    int fd = client_open(port);
    (void)client_send(fd, text, length);
    struct reply reply = client_read(fd);
    (void)close(fd);
    return reply;
}

struct reply client_request(int port, const char *method, const char *target, const char *body)
{
    struct buf text;
    buf_init(&text);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: test:1\r\nConnection: close\r\n", method, target);
    if (body) {
        buf_printf(&text, "Content-Length: %zu\r\n", strlen(body));
    }
    buf_printf(&text, "\r\n%s", body ? body : "");
    struct reply reply = client_talk(port, buf_text(&text), text.length);
    buf_fini(&text);
    return reply;
}

void reply_fini(struct reply *reply)
{
    free(reply->text);
    reply->text = NULL;
}
