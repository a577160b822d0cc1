/* SPDX-License-Identifier: Apache-2.0 */
/* What the HTTP client sends, read by a server that answers one request. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/http_client.h"

struct server {
    int fd;
    int port;
    char request[4096];
    struct thread thread;
};

static void *server_main(void *arg)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    struct server *server = arg;
    int fd = accept(server->fd, NULL, NULL);
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < sizeof(server->request) - 1 && !strstr(server->request, "\r\n\r\n")) {
        got = recv(fd, server->request + n, sizeof(server->request) - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        server->request[n] = '\0';
    }
    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    (void)close(fd);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *server = (struct server){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(server->fd, 1), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &length), 0);
    server->port = ntohs(address.sin_port);
    thread_start(&server->thread, "server", server_main, server);
}

/* Asks for a path and returns the first line that the server read, owned. */
static char *line_for(const char *path)
{
    struct server server;
    server_start(&server);
    CLEANUP(free_charp) char *url = xasprintf("http://127.0.0.1:%d%s", server.port, path);
    struct http_client_request request = {
        .method = "DELETE",
        .url = url,
        .deadline_ms = clock_mono_ms() + 10000,
        .max_answer = 1000,
    };
    struct http_client_answer answer;
    struct error error = { ERR_OK, "" };
    assert_int_equal(http_client_send(&request, &answer, &error), ERR_OK);
    assert_int_equal(answer.code, 204);
    thread_join(&server.thread);
    (void)close(server.fd);
    buf_fini(&answer.body);
    server.request[strcspn(server.request, "\r\n")] = '\0';
    return xstrdup(server.request);
}

/* A connector may be called "..", and without it the path is another resource's. */
static void test_a_path_is_sent_as_it_is_dots_and_all(void **state UNUSED)
{
    static const char *const paths[] = {
        "/connectors/..?forward=false", "/connectors/./config",  "/connectors/../status",
        "/connectors/%2E%2E/offsets",   "/connectors/a%20b%2Fc",
    };
    for (size_t i = 0; i < N_ELEMENTS(paths); i++) {
        CLEANUP(free_charp) char *line = line_for(paths[i]);
        CLEANUP(free_charp) char *wanted = xasprintf("DELETE %s HTTP/1.1", paths[i]);
        assert_string_equal(line, wanted);
    }
}

static int setup(void **state UNUSED)
{
    http_client_setup();
    return 0;
}

static int teardown(void **state UNUSED)
{
    http_client_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_path_is_sent_as_it_is_dots_and_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
