/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the ways in which a broker may not speak MQTT 5: each test has a broker of its own. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"

static int set_up(void **state)
{
    (void)bench_open(state);
    struct bench *bench = *state;
    bench->options.version = MQTT_VERSION_AUTO;
    bench->options.connect_timeout_s = 1;
    bench_begin(bench);
    return 0;
}

/* The protocol level of the CONNECT that was read last: 5, or 4 for 3.1.1. */
static int level(const struct bench *bench)
{
    return bench->broker.body[6];
}

/* The next attempt is a 3.1.1 one that keeps its session, and takes filters of its own. */
static void assert_falls_back(struct bench *bench)
{
    bench_accept(bench);
    assert_int_equal(level(bench), 4);
    assert_int_equal(bench->broker.body[7] & 2, 0);
    broker_connack(&bench->broker, false, false, 0, NULL, 0);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    assert_null(memmem(bench->broker.body, bench->broker.n_body, "$share", 6));
}

static void test_connack_1_in_the_old_form(void **state)
{
    struct bench *bench = *state;
    bench_accept(bench);
    assert_int_equal(level(bench), 5);
    broker_connack(&bench->broker, false, false, 1, NULL, 0);
    assert_falls_back(bench);
}

/* Only 3.1.1 can tell what the broker means. */
static void test_any_other_refusal_in_the_old_form(void **state)
{
    struct bench *bench = *state;
    bench_accept(bench);
    assert_int_equal(level(bench), 5);
    broker_connack(&bench->broker, false, false, 5, NULL, 0);
    assert_falls_back(bench);
}

static void test_connack_132(void **state)
{
    struct bench *bench = *state;
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0x84, NULL, 0);
    assert_falls_back(bench);
}

static void test_close_without_connack(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 2; i++) {
        bench_accept(bench);
        assert_int_equal(level(bench), 5);
        broker_hang_up(&bench->broker);
        mqtt_session_retry_now(bench->session);
    }
    assert_falls_back(bench);
}

static void test_no_answer(void **state)
{
    struct bench *bench = *state;
    bench_accept(bench);
    bench_wait_down(bench, 1);
    assert_falls_back(bench);
}

static void test_broker_that_met_5_is_not_given_up_for_a_close(void **state)
{
    struct bench *bench = *state;
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, NULL, 0);
    while (bench->n_connected == 0) {
        bench_turn(bench);
    }
    broker_hang_up(&bench->broker);
    for (int i = 0; i < 4; i++) {
        bench_accept(bench);
        assert_int_equal(level(bench), 5);
        broker_hang_up(&bench->broker);
    }
}

static void test_5_is_tried_again_when_3_1_1_fares_no_better(void **state)
{
    struct bench *bench = *state;
    int levels[4];
    for (int i = 0; i < 4; i++) {
        bench_accept(bench);
        levels[i] = level(bench);
        broker_hang_up(&bench->broker);
        mqtt_session_retry_now(bench->session);
    }
    assert_int_equal(levels[2], 4);
    assert_int_equal(levels[3], 5);
}

#define FALLBACK(test) cmocka_unit_test_setup_teardown(test, set_up, bench_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FALLBACK(test_connack_1_in_the_old_form),
        FALLBACK(test_any_other_refusal_in_the_old_form),
        FALLBACK(test_connack_132),
        FALLBACK(test_close_without_connack),
        FALLBACK(test_no_answer),
        FALLBACK(test_broker_that_met_5_is_not_given_up_for_a_close),
        FALLBACK(test_5_is_tried_again_when_3_1_1_fares_no_better),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
