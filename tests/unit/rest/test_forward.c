/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers on one cluster's log, over real sockets: writes to the follower reach the leader.
 *
 * fakes: fake_cluster
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../fakes/fake_cluster.h"
#include "client.h"
#include "plugins.h"
#include "rest/forward.h"
#include "rest/listener.h"
#include "rest/rest.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/http_client.h"

#define CONFIG "{\"connector.class\":\"" TEST_SOURCE "\",\"url\":\"u\"}"

struct worker {
    struct rest *rest;
    struct cluster *cluster;
};

struct pair {
    struct fake_log *log;
    struct worker leader;
    struct worker follower;
};

static void open_worker(struct worker *worker, struct fake_log *log, const char *timeout_ms)
{
    struct kvs props;
    kvs_init(&props);
    kvs_set(&props, "bootstrap.servers", "127.0.0.1:1");
    kvs_set(&props, "group.id", "unit");
    kvs_set(&props, "listeners", "http://127.0.0.1:0");
    kvs_set(&props, "rest.request.timeout.ms", timeout_ms);
    assert_int_equal(rest_start(&props, &worker->rest, NULL), ERR_OK);
    worker->cluster = fake_cluster_new(log, rest_worker_id(worker->rest), rest_url(worker->rest));
    rest_set_cluster(worker->rest, worker->cluster);
    kvs_fini(&props);
}

static void close_worker(struct worker *worker)
{
    rest_stop(worker->rest);
    cluster_free(worker->cluster);
    *worker = (struct worker){ NULL, NULL };
}

static int setup(void **state)
{
    struct pair *pair = xcalloc(1, sizeof(*pair));
    http_client_setup();
    pair->log = fake_log_new();
    open_worker(&pair->leader, pair->log, "20000");
    open_worker(&pair->follower, pair->log, "20000");
    fake_cluster_leader(pair->leader.cluster, NULL, true);
    fake_cluster_leader(pair->follower.cluster, rest_url(pair->leader.rest), false);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    close_worker(&pair->follower);
    close_worker(&pair->leader);
    fake_log_free(pair->log);
    http_client_teardown();
    free(pair);
    return 0;
}

static struct reply ask(const struct worker *worker, const char *method, const char *target,
                        const char *body)
{
    return client_request(rest_port(worker->rest), method, target, body);
}

static void expect(const struct worker *worker, const char *method, const char *target,
                   const char *body, int code)
{
    struct reply reply = ask(worker, method, target, body);
    if (reply.code != code) {
        fail_msg("%s %s: %s", method, target, reply.text);
    }
    reply_fini(&reply);
}

static void test_a_write_to_a_follower_can_be_read_there_at_once(void **state)
{
    struct pair *pair = *state;
    fake_cluster_lag(pair->follower.cluster, true);
    expect(&pair->follower, "PUT", "/connectors/a%20b%2Fc/config", CONFIG, 201);
    expect(&pair->follower, "GET", "/connectors/a%20b%2Fc", NULL, 200);
    expect(&pair->leader, "GET", "/connectors/a%20b%2Fc", NULL, 200);
    expect(&pair->follower, "PATCH", "/connectors/a%20b%2Fc/config", "{\"level\":9}", 200);
    struct reply reply = ask(&pair->follower, "GET", "/connectors/a%20b%2Fc/config", NULL);
    assert_non_null(strstr(reply.body, "\"level\":\"9\""));
    reply_fini(&reply);
    expect(&pair->follower, "DELETE", "/connectors/a%20b%2Fc", NULL, 204);
    expect(&pair->follower, "GET", "/connectors/a%20b%2Fc", NULL, 404);
}

static void test_location_has_the_receiving_workers_base(void **state)
{
    struct pair *pair = *state;
    struct reply reply =
        ask(&pair->follower, "POST", "/connectors", "{\"name\":\" n \",\"config\":" CONFIG "}");
    assert_int_equal(reply.code, 201);
    assert_non_null(strstr(reply.text, "Location: http://test:1/connectors/n\r\n"));
    assert_null(strstr(reply.text, FORWARD_POSITION_HEADER));
    reply_fini(&reply);
}

static void test_answers_of_the_leader_are_handed_on_as_they_are(void **state)
{
    struct pair *pair = *state;
    expect(&pair->leader, "PUT", "/connectors/a/config", CONFIG, 201);
    struct reply reply =
        ask(&pair->follower, "POST", "/connectors", "{\"name\":\"a\",\"config\":" CONFIG "}");
    assert_int_equal(reply.code, 409);
    assert_string_equal(reply.body,
                        "{\"error_code\":409,\"message\":\"Connector a already exists\"}");
    reply_fini(&reply);
    expect(&pair->follower, "PUT", "/connectors/x/pause", NULL, 404);
    expect(&pair->follower, "PUT", "/connectors/a/pause", NULL, 202);
    expect(&pair->follower, "POST", "/connectors/a/restart?includeTasks=true&onlyFailed=false",
           NULL, 404);
    expect(&pair->follower, "PUT", "/connectors/a/stop", NULL, 204);
}

static void test_an_invalid_config_is_refused_without_asking_the_leader(void **state)
{
    struct pair *pair = *state;
    fake_cluster_leader(pair->follower.cluster, NULL, false);
    expect(&pair->follower, "PUT", "/connectors/a/config", "{}", 400);
    assert_int_equal(fake_cluster_changes(pair->leader.cluster), 0);
}

/* What a thread does to the cluster while a request waits. */
struct later {
    struct thread thread;
    struct pair *pair;
    const char *path;
    int code;
};

static void *put_main(void *arg)
{
    struct later *later = arg;
    struct reply reply = ask(&later->pair->follower, "PUT", later->path, CONFIG);
    later->code = reply.code;
    reply_fini(&reply);
    return NULL;
}

static void begin(struct later *later, struct pair *pair)
{
    *later = (struct later){ .pair = pair, .path = "/connectors/held/config" };
    thread_start(&later->thread, "client", put_main, later);
}

static void test_a_request_waits_for_a_leader(void **state)
{
    struct pair *pair = *state;
    fake_cluster_leader(pair->follower.cluster, NULL, false);
    struct later later;
    begin(&later, pair);
    fake_cluster_leader(pair->follower.cluster, rest_url(pair->leader.rest), false);
    thread_join(&later.thread);
    assert_int_equal(later.code, 201);
}

static void test_a_leader_that_cannot_be_reached_is_replaced(void **state)
{
    struct pair *pair = *state;
    struct listeners gone;
    assert_int_equal(listeners_open("listeners", "http://127.0.0.1:0", &gone, NULL), ERR_OK);
    CLEANUP(free_charp) char *url = xasprintf("http://127.0.0.1:%d", gone.items[0].port);
    listeners_close(&gone);
    fake_cluster_leader(pair->follower.cluster, url, false);
    struct later later;
    begin(&later, pair);
    fake_cluster_leader(pair->follower.cluster, rest_url(pair->leader.rest), false);
    thread_join(&later.thread);
    assert_int_equal(later.code, 201);
}

static void test_a_leader_that_does_not_lead_is_asked_again(void **state)
{
    struct pair *pair = *state;
    fake_cluster_fail(pair->leader.cluster, ERR_NOT_LEADER, 3);
    expect(&pair->follower, "PUT", "/connectors/a/config", CONFIG, 201);
    assert_int_equal(fake_cluster_changes(pair->leader.cluster), 4);
}

/* A leader that takes a request and dies. */
static void *break_main(void *arg)
{
    const int *listener = arg;
    int fd = accept(*listener, NULL, NULL);
    char byte = 0;
    (void)!recv(fd, &byte, 1, 0);
    (void)close(fd);
    return NULL;
}

static void test_a_request_that_may_have_arrived_is_500_and_not_sent_again(void **state)
{
    struct pair *pair = *state;
    struct listeners broken;
    assert_int_equal(listeners_open("listeners", "http://127.0.0.1:0", &broken, NULL), ERR_OK);
    (void)fcntl(broken.items[0].fd, F_SETFL, 0);
    CLEANUP(free_charp) char *url = xasprintf("http://127.0.0.1:%d", broken.items[0].port);
    fake_cluster_leader(pair->follower.cluster, url, false);
    struct thread thread = { .running = false };
    thread_start(&thread, "breaker", break_main, &broken.items[0].fd);
    struct reply reply = ask(&pair->follower, "PUT", "/connectors/a/config", CONFIG);
    thread_join(&thread);
    assert_int_equal(reply.code, 500);
    assert_non_null(strstr(reply.body, "IO Error trying to forward REST request: "));
    reply_fini(&reply);
    listeners_close(&broken);
}

static void test_two_workers_that_take_each_other_for_the_leader_do_not_loop(void **state)
{
    struct pair *pair = *state;
    struct worker hasty;
    open_worker(&hasty, pair->log, "1000");
    fake_cluster_leader(hasty.cluster, rest_url(pair->follower.rest), false);
    fake_cluster_leader(pair->follower.cluster, rest_url(hasty.rest), false);
    expect(&hasty, "PUT", "/connectors/a/config", CONFIG, 409);
    close_worker(&hasty);
}

static void test_stop_ends_requests_that_wait(void **state)
{
    struct pair *pair = *state;
    fake_cluster_leader(pair->follower.cluster, "http://127.0.0.1:1", false);
    struct later later;
    begin(&later, pair);
    while (fake_cluster_asked(pair->follower.cluster) == 0) {
        expect(&pair->follower, "GET", "/health", NULL, 200);
    }
    cluster_drain(pair->follower.cluster);
    uint64_t start_ms = clock_mono_ms();
    rest_stop(pair->follower.rest);
    pair->follower.rest = NULL;
    assert_in_range(clock_mono_ms() - start_ms, 0, 5000);
    thread_join(&later.thread);
    assert_int_equal(later.code, 500);
}

static void *answer_700_main(void *arg)
{
    static const char answer[] = "HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\n{}";
    const int *listener = arg;
    int fd = accept(*listener, NULL, NULL);
    char bytes[4096];
    (void)!recv(fd, bytes, sizeof(bytes), 0);
    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
    }
    (void)close(fd);
    return NULL;
}

static void test_a_status_that_is_none_is_an_error_of_the_leader(void **state)
{
    struct pair *pair = *state;
    struct listeners odd;
    assert_int_equal(listeners_open("listeners", "http://127.0.0.1:0", &odd, NULL), ERR_OK);
    (void)fcntl(odd.items[0].fd, F_SETFL, 0);
    CLEANUP(free_charp) char *url = xasprintf("http://127.0.0.1:%d", odd.items[0].port);
    fake_cluster_leader(pair->follower.cluster, url, false);
    struct thread thread = { .running = false };
    thread_start(&thread, "odd", answer_700_main, &odd.items[0].fd);
    struct reply reply = ask(&pair->follower, "PUT", "/connectors/a/config", CONFIG);
    assert_int_equal(reply.code, 500);
    assert_non_null(
        strstr(reply.body, "Unexpected status code when handling forwarded request: 700"));
    reply_fini(&reply);
    thread_join(&thread);
    listeners_close(&odd);
}

#define pair_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        pair_test(test_a_write_to_a_follower_can_be_read_there_at_once),
        pair_test(test_location_has_the_receiving_workers_base),
        pair_test(test_answers_of_the_leader_are_handed_on_as_they_are),
        pair_test(test_an_invalid_config_is_refused_without_asking_the_leader),
        pair_test(test_a_request_waits_for_a_leader),
        pair_test(test_a_leader_that_cannot_be_reached_is_replaced),
        pair_test(test_a_leader_that_does_not_lead_is_asked_again),
        pair_test(test_a_request_that_may_have_arrived_is_500_and_not_sent_again),
        pair_test(test_a_status_that_is_none_is_an_error_of_the_leader),
        pair_test(test_two_workers_that_take_each_other_for_the_leader_do_not_loop),
        pair_test(test_stop_ends_requests_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
