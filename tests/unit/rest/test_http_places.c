/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who takes all places of the REST listeners takes none of the probes', and the other way round;
 * and who is still answered when the server stops.
 *
 * fakes: fake_cluster
 */
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "rest/http.h"
#include "rest/listener.h"
#include "rest/newcomers.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

#define MAX_CONNECTIONS 4
#define ASK             "GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
/* More than any side has places. */
#define N_IDLE 64

struct fixture {
    struct http_server *server;
    int port;
    int probe_port;
    int idle[N_IDLE];
};

/* As the routes of probes do: answers however many connections there are. */
static bool answer(void *arg UNUSED, const struct http_request *request UNUSED,
                   struct http_response *response)
{
    response->code = 200;
    return true;
}

static int start(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    struct listeners rest;
    struct listeners probes;
    if (listeners_open("listeners", "http://127.0.0.1:0", &rest, NULL) != ERR_OK ||
        listeners_open("probe.listeners", "http://127.0.0.1:0", &probes, NULL) != ERR_OK) {
        return -1;
    }
    struct http_listen listens[] = {
        { .fd = rest.items[0].fd, .side = HTTP_REST },
        { .fd = probes.items[0].fd, .side = HTTP_PROBES },
    };
    struct http_options options = {
        .listens = listens,
        .n_listens = N_ELEMENTS(listens),
        .max_connections = MAX_CONNECTIONS,
        .max_blocking = 4,
        .idle_timeout_ms = 60000,
        .max_body = 1000,
        .max_bodies = 1000,
        .max_answers = 1000,
        .handler = answer,
    };
    fixture->port = rest.items[0].port;
    fixture->probe_port = probes.items[0].port;
    (void)alarm(120);
    *state = fixture;
    return http_start(&options, &fixture->server, NULL) == ERR_OK ? 0 : -1;
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    http_stop(fixture->server, clock_mono_ms() + 5000);
    free(fixture);
    return 0;
}

static int ask(int port)
{
    struct reply reply = client_talk(port, ASK, strlen(ASK));
    int code = reply.code;
    reply_fini(&reply);
    return code;
}

/* Idle connections until a further one is closed without an answer. */
static void take_all(struct fixture *fixture, int port)
{
    for (size_t i = 0; i < N_IDLE; i++) {
        fixture->idle[i] = client_open(port);
    }
    while (ask(port) != 0) {
    }
}

static void give_back(struct fixture *fixture, int port)
{
    for (size_t i = 0; i < N_IDLE; i++) {
        (void)close(fixture->idle[i]);
    }
    while (ask(port) != 200) {
    }
}

static void *stop_main(void *arg)
{
    struct fixture *fixture = arg;
    http_stop(TAKE(fixture->server), clock_mono_ms() + 15000);
    return NULL;
}

static bool refuses(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool refused = connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0;
    (void)close(fd);
    return refused;
}

static void test_who_has_just_connected_is_answered_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    int fresh = client_open(fixture->port);
    /* Connections are accepted in their order. */
    assert_int_equal(ask(fixture->port), 200);
    struct thread stopper = { .running = false };
    thread_start(&stopper, "stopper", stop_main, fixture);
    while (!refuses(fixture->port)) {
        (void)sched_yield();
    }
    struct pollfd closed = { .fd = fresh, .events = POLLIN };
    assert_int_equal(poll(&closed, 1, NEWCOMER_MS / 10), 0);
    assert_true(client_send(fresh, ASK, strlen(ASK)));
    struct reply reply = client_read(fresh);
    thread_join(&stopper);
    assert_int_equal(reply.code, 200);
    reply_fini(&reply);
    (void)close(fresh);
}

static void test_only_connections_made_just_now_are_waited_for(void **state UNUSED)
{
    struct newcomers newcomers;
    newcomers_init(&newcomers);
    struct newcomer old = { .since_ms = 0 };
    struct newcomer fresh = { .since_ms = 0 };
    newcomers_add(&newcomers, &old);
    newcomers_wait(&newcomers, clock_mono_ms() + 60000);
    uint64_t start = clock_mono_ms();
    assert_true(start - old.since_ms >= NEWCOMER_MS);
    newcomers_wait(&newcomers, start + 60000);
    newcomers_add(&newcomers, &fresh);
    newcomers_remove(&newcomers, &fresh);
    newcomers_remove(&newcomers, &fresh);
    newcomers_wait(&newcomers, start + 60000);
    assert_true(clock_mono_ms() - start < 30000);
    newcomers_remove(&newcomers, &old);
    newcomers_fini(&newcomers);
}

static void test_idle_connections_of_the_rest_port_keep_no_probe_out(void **state)
{
    struct fixture *fixture = *state;
    take_all(fixture, fixture->port);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ask(fixture->probe_port), 200);
    }
    assert_int_equal(ask(fixture->port), 0);
    give_back(fixture, fixture->port);
}

static void test_idle_connections_of_the_probe_port_keep_no_request_out(void **state)
{
    struct fixture *fixture = *state;
    take_all(fixture, fixture->probe_port);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(ask(fixture->port), 200);
    }
    give_back(fixture, fixture->probe_port);
}

/* Nobody can keep the places of the probes for longer than it takes to see that. */
static void test_idle_connections_of_the_probe_port_are_closed_soon(void **state)
{
    struct fixture *fixture = *state;
    uint64_t start_ms = clock_mono_ms();
    int fd = client_open(fixture->probe_port);
    struct reply reply = client_read(fd);
    assert_int_equal(reply.length, 0);
    assert_in_range(clock_mono_ms() - start_ms, 1000, 19000);
    reply_fini(&reply);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_has_just_connected_is_answered_at_the_end, start,
                                        stop),
        cmocka_unit_test(test_only_connections_made_just_now_are_waited_for),
        cmocka_unit_test_setup_teardown(test_idle_connections_of_the_rest_port_keep_no_probe_out,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_idle_connections_of_the_probe_port_keep_no_request_out,
                                        start, stop),
        cmocka_unit_test_setup_teardown(test_idle_connections_of_the_probe_port_are_closed_soon,
                                        start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
