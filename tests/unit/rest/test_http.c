/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server over real sockets: limits, time-outs, what hostile clients send.
 *
 * fakes: fake_cluster
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "rest/http.h"
#include "rest/listener.h"
#include "tests/support/unit.h"
#include "worker/base/buf.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"

#define MAX_BODY        1000
#define MAX_BODIES      1500
#define MAX_CONNECTIONS 4
#define IDLE_MS         1000
/* More than sockets keep by themselves. */
#define BIG         ((size_t)32 * 1024 * 1024)
#define MAX_ANSWERS (BIG + BIG / 2)

/* A server that answers with what it was asked. */
struct fixture {
    struct http_server *server;
    int port;
    struct lock lock;
    struct cond changed;
    bool hold;       /* under lock: /hold waits until it is false */
    unsigned n_held; /* under lock */
    atomic_uint n_requests;
};

static void wait_while_held(struct fixture *fixture)
{
    lock_take(&fixture->lock);
    fixture->n_held++;
    cond_broadcast(&fixture->changed);
    while (fixture->hold) {
        cond_wait(&fixture->changed, &fixture->lock);
    }
    lock_drop(&fixture->lock);
}

static bool echo(void *arg, const struct http_request *request, struct http_response *response)
{
    struct fixture *fixture = arg;
    bool holds = strcmp(request->target, "/hold") == 0;
    if (holds && !request->may_block && request->refused == 0) {
        return false;
    }
    fixture->n_requests++;
    if (holds) {
        wait_while_held(fixture);
    }
    response->code = request->refused ? request->refused : 200;
    if (strcmp(request->target, "/big") == 0) {
        response->content_type = "text/plain";
        response->body = xcalloc(1, BIG + 1);
        memset(response->body, 'b', BIG);
        response->body_length = BIG;
        if (http_response_charge(response, request->answers)) {
            return true;
        }
        free(TAKE(response->body));
        response->code = 503;
    }
    response->content_type = "text/plain";
    response->body =
        xasprintf("[%s %s %zu %s]", request->method, request->target, request->body_length,
                  request->body_length < 50 ? request->body : "");
    response->body_length = strlen(response->body);
    http_response_header(response, "X-Test", "a\r\nInjected: b");
    return true;
}

static int start_with(void **state, unsigned idle_timeout_ms)
{
    struct fixture *fixture = xcalloc(1, sizeof(*fixture));
    lock_init(&fixture->lock, LOCK_RANK_QUEUE);
    cond_init(&fixture->changed);
    struct listeners listeners;
    if (listeners_open("listeners", "http://127.0.0.1:0", &listeners, NULL) != ERR_OK) {
        return -1;
    }
    struct http_listen listen = { .fd = listeners.items[0].fd };
    struct http_options options = {
        .listens = &listen,
        .n_listens = 1,
        .max_connections = MAX_CONNECTIONS,
        .max_blocking = 4,
        .idle_timeout_ms = idle_timeout_ms,
        .max_body = MAX_BODY,
        .max_bodies = MAX_BODIES,
        .max_answers = MAX_ANSWERS,
        .handler = echo,
        .arg = fixture,
    };
    fixture->port = listeners.items[0].port;
    *state = fixture;
    return http_start(&options, &fixture->server, NULL) == ERR_OK ? 0 : -1;
}

static int start(void **state)
{
    return start_with(state, IDLE_MS);
}

/* For clients that are slow because the machine is. */
static int start_patient(void **state)
{
    return start_with(state, 60 * IDLE_MS);
}

static int stop(void **state)
{
    struct fixture *fixture = *state;
    http_stop(fixture->server, clock_mono_ms() + 5000);
    cond_fini(&fixture->changed);
    lock_fini(&fixture->lock);
    free(fixture);
    return 0;
}

static void expect(struct fixture *fixture, const char *text, int code, const char *body)
{
    struct reply reply = client_talk(fixture->port, text, strlen(text));
    if (reply.code != code || (body && (!reply.body || strcmp(reply.body, body) != 0))) {
        fail_msg("'%.100s' got %.500s", text, reply.text);
    }
    reply_fini(&reply);
}

#define END "Host: h\r\nConnection: close\r\n\r\n"

static void test_targets_come_as_they_were_sent(void **state)
{
    expect(*state, "GET /a%2Fb%00?x=%41+b HTTP/1.1\r\n" END, 200, "[GET /a%2Fb%00?x=%41+b 0 ]");
    expect(*state, "BREW /pot HTTP/1.1\r\n" END, 200, "[BREW /pot 0 ]");
}

static void test_bodies_come_whole_however_they_are_sent(void **state)
{
    expect(*state, "POST /a HTTP/1.1\r\nContent-Length: 5\r\n" END "hello", 200,
           "[POST /a 5 hello]");
    expect(*state,
           "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END
           "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
           200, "[POST /a 5 hello]");
    expect(*state, "GET /a HTTP/1.0\r\n\r\n", 200, "[GET /a 0 ]");
}

/* The body is sent after the answer to the head: a server may leave that answer out when it has the
 * body already. */
static void test_expect_100_is_answered(void **state)
{
    struct fixture *fixture = *state;
    static const char head[] =
        "POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" END;
    int fd = client_open(fixture->port);
    assert_true(client_send(fd, head, strlen(head)));
    struct reply reply = client_read_answers(fd, 1, 0);
    assert_string_equal(reply.text, "HTTP/1.1 100 Continue\r\n\r\n");
    reply_fini(&reply);
    assert_true(client_send(fd, "{}", 2));
    reply = client_read(fd);
    assert_int_equal(reply.code, 200);
    assert_string_equal(reply.body, "[POST /a 2 {}]");
    reply_fini(&reply);
    (void)close(fd);
}

static void test_a_body_over_the_limit_is_413_and_the_client_reads_it(void **state)
{
    struct fixture *fixture = *state;
    static const size_t sizes[] = { MAX_BODY, MAX_BODY + 1, 8 * 1024 * 1024 };
    for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
        struct buf text;
        buf_init(&text);
        buf_printf(&text, "POST /a HTTP/1.1\r\nContent-Length: %zu\r\n" END, sizes[i]);
        char *place = buf_reserve(&text, sizes[i]);
        memset(place, ' ', sizes[i]);
        struct reply reply = client_talk(fixture->port, text.data, text.length + sizes[i]);
        assert_int_equal(reply.code, i == 0 ? 200 : 413);
        reply_fini(&reply);
        buf_fini(&text);
    }
}

static void test_a_chunked_body_over_the_limit_is_413(void **state)
{
    struct fixture *fixture = *state;
    struct buf text;
    buf_init(&text);
    buf_add_text(&text, "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END);
    for (int i = 0; i < 20; i++) {
        buf_printf(&text, "64\r\n%100s\r\n", "");
    }
    buf_add_text(&text, "0\r\n\r\n");
    struct reply reply = client_talk(fixture->port, text.data, text.length);
    assert_int_equal(reply.code, 413);
    reply_fini(&reply);
    buf_fini(&text);
}

static void test_a_client_that_asks_first_need_not_send_what_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    expect(fixture, "POST /a HTTP/1.1\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n" END, 413,
           NULL);
    expect(fixture, "POST /a HTTP/1.1\r\nContent-Length: 99999999999\r\n" END, 413, NULL);
}

static void test_two_ways_to_end_a_body_are_refused(void **state)
{
    expect(*state,
           "POST /a HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n" END
           "0\r\n\r\n",
           400, NULL);
    expect(*state, "POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" END "x", 400, NULL);
    expect(*state, "POST /a HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 1\r\n" END "hello",
           400, NULL);
    expect(*state,
           "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n" END
           "0\r\n\r\n",
           400, NULL);
    expect(*state, "POST /a HTTP/1.1\r\nContent-Length : 5\r\n" END "hello", 400, NULL);
}

static void test_a_request_has_one_host(void **state)
{
    expect(*state, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", 400, NULL);
    expect(*state, "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\nConnection: close\r\n\r\n", 400, NULL);
    expect(*state, "GET /a HTTP/1.0\r\n\r\n", 200, NULL);
    expect(*state, "GET /a HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400, NULL);
}

static void test_long_targets_and_headers_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *format;
        int length;
        int code;
    } cases[] = {
        { "GET /%0*d HTTP/1.1\r\n" END, HTTP_MAX_TARGET - 1, 200 },
        { "GET /%0*d HTTP/1.1\r\n" END, HTTP_MAX_TARGET, 414 },
        { "GET / HTTP/1.1\r\nX: %0*d\r\n" END, HTTP_MAX_HEADERS - 100, 200 },
        { "GET / HTTP/1.1\r\nX: %0*d\r\n" END, HTTP_MAX_HEADERS, 431 },
    };
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        struct buf text;
        buf_init(&text);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buf_printf(&text, cases[i].format, cases[i].length, 0);
#pragma GCC diagnostic pop
        struct reply reply = client_talk(fixture->port, text.data, text.length);
        assert_int_equal(reply.code, cases[i].code);
        reply_fini(&reply);
        buf_fini(&text);
    }
}

static void test_headers_cannot_be_injected(void **state)
{
    struct fixture *fixture = *state;
    struct reply reply = client_request(fixture->port, "GET", "/a", NULL);
    assert_non_null(strstr(reply.text, "X-Test: aInjected: b\r\n"));
    reply_fini(&reply);
}

static void test_connections_are_kept_and_pipelines_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_open(fixture->port);
    static const char two[] = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"
                              "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n";
    for (int i = 0; i < 3; i++) {
        assert_true(client_send(fd, two, strlen(two)));
        struct reply reply = client_read_answers(fd, 2, strlen("[GET /2 0 ]"));
        const char *first = strstr(reply.text, "[POST /1 2 ab]");
        assert_non_null(first);
        assert_non_null(strstr(first, "[GET /2 0 ]"));
        reply_fini(&reply);
    }
    (void)close(fd);
    assert_int_equal(fixture->n_requests, 6);
}

static void test_a_client_that_ends_its_side_gets_its_answers_and_the_end(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        { "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 200 },
        { "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200 },
        { "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 200 },
        { "POST /hold HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200 },
        { "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\ncut", 0 },
        { "GET /a HTTP/1.1\r\nHost: cu", 0 },
    };
    uint64_t start = clock_mono_ms();
    for (size_t i = 0; i < 10 * N_ELEMENTS(cases); i++) {
        const char *text = cases[i % N_ELEMENTS(cases)].text;
        int fd = client_open(fixture->port);
        assert_true(client_send(fd, text, strlen(text)));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        struct reply reply = client_read(fd);
        assert_int_equal(reply.code, cases[i % N_ELEMENTS(cases)].code);
        reply_fini(&reply);
        (void)close(fd);
    }
    /* Each would take as long as the idle time-out if the end were not noticed. */
    assert_true(clock_mono_ms() - start < (uint64_t)10 * IDLE_MS);
}

static void test_idle_connections_are_closed(void **state)
{
    struct fixture *fixture = *state;
    static const char *const beginnings[] = { "", "GET /a HT", "GET /a HTTP/1.1\r\nHost: h\r\n" };
    uint64_t start_ms = clock_mono_ms();
    for (size_t i = 0; i < N_ELEMENTS(beginnings); i++) {
        expect(fixture, beginnings[i], 0, NULL);
    }
    assert_in_range(clock_mono_ms() - start_ms, 2 * IDLE_MS, 15000);
    assert_int_equal(fixture->n_requests, 0);
}

/* Bytes keep coming, so the connection is never idle. */
static void test_a_request_that_drips_in_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    int fd = client_open(fixture->port);
    uint64_t start_ms = clock_mono_ms();
    assert_true(client_send(fd, "GET /a HTTP/1.1\r\n", 17));
    struct lock lock;
    struct cond never;
    lock_init(&lock, LOCK_RANK_QUEUE);
    cond_init(&never);
    lock_take(&lock);
    while (client_send(fd, "X: y\r\n", 6)) {
        assert_in_range(clock_mono_ms() - start_ms, 0, 15000);
        (void)cond_wait_until(&never, &lock, clock_mono_ms() + 100);
    }
    lock_drop(&lock);
    cond_fini(&never);
    lock_fini(&lock);
    (void)close(fd);
    assert_int_equal(fixture->n_requests, 0);
}

static void wait_held(struct fixture *fixture, unsigned n)
{
    lock_take(&fixture->lock);
    while (fixture->n_held < n) {
        assert_true(cond_wait_until(&fixture->changed, &fixture->lock, clock_mono_ms() + 15000));
    }
    lock_drop(&fixture->lock);
}

static void let_go(struct fixture *fixture)
{
    lock_take(&fixture->lock);
    fixture->hold = false;
    cond_broadcast(&fixture->changed);
    lock_drop(&fixture->lock);
}

static void test_a_handler_may_take_longer_than_the_idle_timeout(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    int slow = client_open(fixture->port);
    assert_true(
        client_send(slow, "GET /hold HTTP/1.1\r\n" END, strlen("GET /hold HTTP/1.1\r\n" END)));
    wait_held(fixture, 1);
    /* Twice the time-out passes while others are served. */
    expect(fixture, "", 0, NULL);
    expect(fixture, "", 0, NULL);
    expect(fixture, "", 0, NULL);
    let_go(fixture);
    struct reply reply = client_read(slow);
    assert_int_equal(reply.code, 200);
    reply_fini(&reply);
    (void)close(slow);
}

/* Beside others that say nothing: microhttpd looks first at the connection that was silent for the
 * longest time, and drops what it would not drop there. */
static void test_a_client_that_ends_its_side_while_a_handler_blocks_gets_its_answer(void **state)
{
    struct fixture *fixture = *state;
    int others[] = { client_open(fixture->port), client_open(fixture->port) };
    for (unsigned i = 1; i <= 20; i++) {
        fixture->hold = true;
        int fd = client_open(fixture->port);
        assert_true(client_send(fd, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 31));
        if (i % 2 == 0) {
            wait_held(fixture, i);
        }
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        wait_held(fixture, i);
        let_go(fixture);
        struct reply reply = client_read(fd);
        assert_int_equal(reply.code, 200);
        reply_fini(&reply);
        (void)close(fd);
    }
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        (void)close(others[i]);
    }
}

static char *post(const char *target, size_t length)
{
    return xasprintf("POST %s HTTP/1.1\r\nContent-Length: %zu\r\n" END "%0*d", target, length,
                     (int)length, 0);
}

static void test_bodies_have_a_limit_all_together(void **state)
{
    struct fixture *fixture = *state;
    CLEANUP(free_charp) char *first = post("/hold", MAX_BODY);
    CLEANUP(free_charp) char *second = post("/a", MAX_BODIES - MAX_BODY + 1);
    fixture->hold = true;
    int fd = client_open(fixture->port);
    assert_true(client_send(fd, first, strlen(first)));
    wait_held(fixture, 1);
    expect(fixture, second, 503, NULL);
    /* What was refused is not counted any more. */
    CLEANUP(free_charp) char *third = post("/a", MAX_BODIES - MAX_BODY);
    expect(fixture, third, 200, NULL);
    let_go(fixture);
    struct reply reply = client_read(fd);
    assert_int_equal(reply.code, 200);
    reply_fini(&reply);
    (void)close(fd);
    expect(fixture, second, 200, NULL);
}

static void test_too_many_connections_are_told_so(void **state)
{
    struct fixture *fixture = *state;
    int fds[MAX_CONNECTIONS];
    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        fds[i] = client_open(fixture->port);
    }
    /* The limit is on those that the server has taken: each proves it by an answer. */
    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        assert_true(client_send(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", 28));
        struct reply reply = client_read_answers(fds[i], 1, strlen("[GET /a 0 ]"));
        assert_int_equal(reply.code, 200);
        reply_fini(&reply);
    }
    expect(fixture, "GET /a HTTP/1.1\r\n" END, 503, NULL);
    for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
        (void)close(fds[i]);
    }
}

static void *stop_main(void *arg)
{
    struct fixture *fixture = arg;
    http_stop(fixture->server, clock_mono_ms() + 15000);
    fixture->server = NULL;
    return NULL;
}

static void test_stop_lets_running_requests_end(void **state)
{
    struct fixture *fixture = *state;
    fixture->hold = true;
    int slow = client_open(fixture->port);
    assert_true(client_send(slow, "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n", 31));
    wait_held(fixture, 1);
    struct thread stopper = { .running = false };
    thread_start(&stopper, "stopper", stop_main, fixture);
    let_go(fixture);
    struct reply reply = client_read(slow);
    thread_join(&stopper);
    assert_int_equal(reply.code, 200);
    reply_fini(&reply);
    (void)close(slow);
}

#define http_test(name) cmocka_unit_test_setup_teardown(name, start, stop)

/* The code of GET /big, whose body is read. */
static int big(const struct fixture *fixture)
{
    struct reply reply = client_request(fixture->port, "GET", "/big", NULL);
    int code = reply.code;
    assert_true(code != 200 || strlen(reply.body) == BIG);
    reply_fini(&reply);
    return code;
}

static void test_answers_that_nobody_takes_are_bounded_together(void **state)
{
    struct fixture *fixture = *state;
    static const char ask[] = "GET /big HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = client_open(fixture->port);
    assert_true(client_send(fd, ask, strlen(ask)));
    char byte;
    assert_int_equal(recv(fd, &byte, 1, MSG_PEEK), 1); /* it is on its way */
    assert_int_equal(big(fixture), 503);
    struct reply small = client_request(fixture->port, "GET", "/small", NULL);
    assert_int_equal(small.code, 200);
    reply_fini(&small);
    (void)close(fd);
    /* What the client that has gone did not take is free again. */
    uint64_t deadline = clock_mono_ms() + 30000;
    int code = 503;
    while (code == 503 && clock_mono_ms() < deadline) {
        code = big(fixture);
    }
    assert_int_equal(code, 200);
}

static void test_one_answer_always_has_room(void **state UNUSED)
{
    struct http_budget budget = { .max = 100 };
    struct http_response first, second, small;
    http_response_init(&first);
    http_response_init(&second);
    http_response_init(&small);
    first.body = xcalloc(1, 1);
    first.body_length = HTTP_SMALL_ANSWER + 1;
    second.body = xcalloc(1, 1);
    second.body_length = HTTP_SMALL_ANSWER + 1;
    small.body = xcalloc(1, 1);
    small.body_length = HTTP_SMALL_ANSWER;
    assert_true(http_response_charge(&first, &budget));
    assert_int_equal(first.charged, HTTP_SMALL_ANSWER + 1);
    assert_false(http_response_charge(&second, &budget));
    assert_int_equal(second.charged, 0);
    assert_true(http_response_charge(&small, &budget));
    assert_int_equal(budget.used, HTTP_SMALL_ANSWER + 1);
    http_response_fini(&first);
    http_response_fini(&second);
    http_response_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        http_test(test_targets_come_as_they_were_sent),
        http_test(test_bodies_come_whole_however_they_are_sent),
        http_test(test_expect_100_is_answered),
        http_test(test_a_body_over_the_limit_is_413_and_the_client_reads_it),
        http_test(test_a_chunked_body_over_the_limit_is_413),
        http_test(test_a_client_that_asks_first_need_not_send_what_is_too_large),
        http_test(test_two_ways_to_end_a_body_are_refused),
        http_test(test_a_request_has_one_host),
        http_test(test_bodies_have_a_limit_all_together),
        http_test(test_long_targets_and_headers_are_refused),
        http_test(test_headers_cannot_be_injected),
        http_test(test_connections_are_kept_and_pipelines_answered_in_order),
        http_test(test_a_client_that_ends_its_side_gets_its_answers_and_the_end),
        http_test(test_a_client_that_ends_its_side_while_a_handler_blocks_gets_its_answer),
        http_test(test_idle_connections_are_closed),
        http_test(test_a_request_that_drips_in_is_cut_off),
        http_test(test_a_handler_may_take_longer_than_the_idle_timeout),
        http_test(test_too_many_connections_are_told_so),
        http_test(test_stop_lets_running_requests_end),
        cmocka_unit_test_setup_teardown(test_answers_that_nobody_takes_are_bounded_together,
                                        start_patient, stop),
        cmocka_unit_test(test_one_answer_always_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
