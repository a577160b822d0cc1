/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of one connection against a scripted broker: what a read says of itself. */
#include <poll.h>
#include <string.h>

#include "tests/support/fake_broker.h"
#include "tests/support/unit.h"
#include "worker/base/mem.h"
#include "worker/mqtt/link.h"

#define PATIENCE_MS 20000

struct fixture {
    struct fake_broker broker;
    struct mqtt_options options;
    char client_id[700];
    struct link *link;
    unsigned n_calls; /* of handlers */
};

static void on_connack(void *arg, const struct link_connack *connack UNUSED)
{
    struct fixture *f = arg;
    f->n_calls++;
}

static void on_message(void *arg, const struct mqtt_message *message UNUSED)
{
    struct fixture *f = arg;
    f->n_calls++;
}

static void on_suback(void *arg, int id UNUSED, const int *codes UNUSED, int n_codes UNUSED)
{
    struct fixture *f = arg;
    f->n_calls++;
}

static void on_unsuback(void *arg, int id UNUSED)
{
    struct fixture *f = arg;
    f->n_calls++;
}

static void wait_for(int fd, short events)
{
    assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = events }, 1, PATIENCE_MS), 1);
}

static void expect_packet(struct fixture *f, enum packet_type type)
{
    enum packet_type seen = PACKET_NONE;
    while (seen == PACKET_NONE) {
        wait_for(f->broker.fd, POLLIN);
        seen = broker_next(&f->broker);
    }
    assert_int_equal(seen, type);
}

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    /* So long that the library cuts its debug lines within it. */
    memset(f->client_id, 'a', sizeof(f->client_id) - 1);
    f->options = (struct mqtt_options){
        .client_id = f->client_id, .keepalive_s = 60, .receive_maximum = 10, .qos = 1
    };
    broker_open(&f->broker);
    const struct link_target target = { "localhost", "127.0.0.1", f->broker.port, false, true };
    const struct link_handlers handlers = {
        f, on_connack, on_message, on_suback, on_unsuback, NULL
    };
    struct error error;
    assert_int_equal(link_open(&f->options, &target, &handlers, &f->link, &error), ERR_OK);
    wait_for(link_fd(f->link), POLLOUT);
    assert_int_equal(link_established(f->link), LINK_OPEN);
    wait_for(f->broker.listen_fd, POLLIN);
    assert_true(broker_accept(&f->broker));
    expect_packet(f, PACKET_CONNECT);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    link_close(f->link);
    broker_close(&f->broker);
    free(f);
    return 0;
}

/* The next packet comes alone, and the read that takes it says that something came. */
static void expect_progress(struct fixture *f)
{
    bool progress = false;
    unsigned n_calls = f->n_calls;
    wait_for(link_fd(f->link), POLLIN);
    assert_int_equal(link_read(f->link, &progress), LINK_OPEN);
    assert_int_equal(f->n_calls, n_calls + 1);
    assert_true(progress);
}

/* Else what comes with a CONNACK in one piece, as in TLS, is taken for silence, and the next write
 * acknowledges it. */
static void test_read_tells_of_each_packet_also_with_a_very_long_client_id(void **state)
{
    struct fixture *f = *state;
    char filter[] = "a";
    char *filters[] = { filter };
    broker_connack(&f->broker, true, false, 0, NULL, 0);
    expect_progress(f);
    broker_publish(&f->broker, true, 1, false, "a", "x", 1);
    expect_progress(f);
    int id = link_subscribe(f->link, filters, 1);
    broker_suback(&f->broker, true, (uint16_t)id, 1);
    expect_progress(f);
    id = link_unsubscribe(f->link, filters, 1);
    broker_unsuback(&f->broker, (uint16_t)id);
    expect_progress(f);
    bool progress = true;
    assert_int_equal(link_read(f->link, &progress), LINK_OPEN);
    assert_false(progress);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_read_tells_of_each_packet_also_with_a_very_long_client_id, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
