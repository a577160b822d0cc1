/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of an attempt to connect to a host with two addresses, of which the first one drops what is
 * sent to it. The name lookup is the test's. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/resolve.h"

#define N_FILLERS 4

struct resolve {
    int event_fd;
};

struct resolve *resolve_start(const char *host UNUSED)
{
    struct resolve *resolve = xcalloc(1, sizeof(*resolve));
    resolve->event_fd = eventfd(1, EFD_CLOEXEC);
    assert_true(resolve->event_fd >= 0);
    return resolve;
}

int resolve_fd(const struct resolve *resolve)
{
    return resolve->event_fd;
}

bool resolve_done(const struct resolve *resolve UNUSED)
{
    return true;
}

enum err resolve_answer(struct resolve *resolve UNUSED, struct resolve_answer *ret_answer,
                        struct error *reterr UNUSED)
{
    *ret_answer = (struct resolve_answer){ .address = { "127.0.0.2", "127.0.0.1" } };
    ret_answer->n_addresses = 2;
    return ERR_OK;
}

void resolve_drop(struct resolve *resolve)
{
    if (resolve) {
        close(resolve->event_fd);
        free(resolve);
    }
}

/* A port whose queue of connections is full: the system drops what asks for another one. */
struct hole {
    int listen_fd;
    int fillers[N_FILLERS];
};

static void hole_open(struct hole *hole, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &address.sin_addr), 1);
    const struct sockaddr *name = (const struct sockaddr *)&address;
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    hole->listen_fd = socket(AF_INET, type, 0);
    assert_int_equal(bind(hole->listen_fd, name, sizeof(address)), 0);
    assert_int_equal(listen(hole->listen_fd, 0), 0);
    for (size_t i = 0; i < N_FILLERS; i++) {
        hole->fillers[i] = socket(AF_INET, type, 0);
        (void)connect(hole->fillers[i], name, sizeof(address));
    }
}

static void hole_close(struct hole *hole)
{
    for (size_t i = 0; i < N_FILLERS; i++) {
        close(hole->fillers[i]);
    }
    close(hole->listen_fd);
}

static void use_host(struct bench *bench)
{
    char *uri = xasprintf("tcp://broker.invalid:%d", bench->broker.port);
    mqtt_uris_fini(&bench->uris);
    assert_int_equal(mqtt_uris_parse(uri, &bench->uris, NULL), ERR_OK);
    free(uri);
}

static void test_address_that_answers_nothing_leaves_time_for_the_next(void **state)
{
    struct bench *bench = *state;
    struct hole hole;
    hole_open(&hole, bench->broker.port);
    use_host(bench);
    bench->options.connect_timeout_s = 60;
    bench_begin(bench);
    uint64_t begin_ms = clock_mono_ms();
    bench->stands_ms = begin_ms;
    bench_turn(bench);
    bench->stands_ms = begin_ms + 29999;
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
        assert_false(broker_accept(&bench->broker));
    }
    assert_int_equal(mqtt_session_deadline(bench->session, true) - begin_ms, 30000);
    bench->stands_ms = begin_ms + 30000;
    bench_accept(bench);
    assert_int_equal(mqtt_session_deadline(bench->session, true) - begin_ms, 60000);
    broker_connack(&bench->broker, true, false, 0, NULL, 0);
    while (bench->n_connected == 0) {
        bench_turn(bench);
    }
    assert_int_equal(bench->n_down, 0);
    hole_close(&hole);
}

static void test_address_that_refuses_is_followed_by_the_next_at_once(void **state)
{
    struct bench *bench = *state;
    use_host(bench);
    bench->stands_ms = clock_mono_ms();
    bench_begin(bench);
    bench_accept(bench);
    assert_int_equal(bench->n_down, 0);
}

static void test_host_without_an_answer_is_given_up_after_the_time_of_one_attempt(void **state)
{
    struct bench *bench = *state;
    struct hole hole;
    hole_open(&hole, bench->broker.port);
    use_host(bench);
    bench->options.connect_timeout_s = 1;
    /* The second address takes the connection and says nothing. */
    bench_begin(bench);
    uint64_t begin_ms = clock_mono_ms();
    bench->stands_ms = begin_ms;
    bench_turn(bench);
    bench->stands_ms = begin_ms + 500;
    bench_accept(bench);
    bench->stands_ms = begin_ms + 999;
    bench_silence(bench);
    assert_int_equal(bench->n_down, 0);
    bench->stands_ms = begin_ms + 1000;
    bench_turn(bench);
    assert_int_equal(bench->n_down, 1);
    assert_non_null(strstr(bench->down_text, "no answer within 1 s"));
    hole_close(&hole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_address_that_answers_nothing_leaves_time_for_the_next),
        IN_BENCH(test_address_that_refuses_is_followed_by_the_next_at_once),
        IN_BENCH(test_host_without_an_answer_is_given_up_after_the_time_of_one_attempt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
