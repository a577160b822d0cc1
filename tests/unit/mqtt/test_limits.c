/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a session makes of the limits in a CONNACK. */
#include <string.h>

#include "tests/support/capture.h"
#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

/* Connects to a broker whose CONNACK has these properties. */
static void greet(struct bench *bench, const void *properties, size_t n)
{
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, properties, n);
}

/* Takes the next SUBSCRIBE and grants its filters; returns how many it had. */
static unsigned grant(struct bench *bench, size_t *ret_size)
{
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    enum packet_type type = PACKET_NONE;
    while (type == PACKET_NONE && clock_mono_ms() < deadline_ms) {
        bench_turn(bench);
        if (mqtt_session_wants_release(bench->session)) {
            (void)bench_release(bench);
        }
        type = broker_next(&bench->broker);
    }
    assert_int_equal(type, PACKET_SUBSCRIBE);
    const unsigned char *body = bench->broker.body;
    size_t n_body = bench->broker.n_body;
    unsigned n = 0;
    for (size_t at = 3; at + 2 < n_body; n++) {
        at += 2 + (size_t)(body[at] << 8 | body[at + 1]) + 1;
    }
    unsigned char suback[16] = { 0x90, (unsigned char)(3 + n), body[0], body[1], 0 };
    memset(suback + 5, 1, n);
    broker_send(&bench->broker, suback, 5 + n);
    *ret_size = n_body + 2;
    return n;
}

static void test_broker_without_qos_1_is_refused_with_the_mend(void **state)
{
    struct bench *bench = *state;
    greet(bench, "\x24\0", 2);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "mqtt.qos=0"));
}

static void test_broker_without_qos_1_is_fine_for_qos_0(void **state)
{
    struct bench *bench = *state;
    bench->options.qos = 0;
    greet(bench, "\x24\0", 2);
    size_t size = 0;
    assert_int_equal(grant(bench, &size), 1);
}

static void test_filter_that_is_granted_at_qos_0_is_refused(void **state)
{
    struct bench *bench = *state;
    greet(bench, NULL, 0);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 0);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "$share/g/a"));
    assert_non_null(strstr(bench->down_text, "mqtt.qos=0"));
}

static void test_broker_without_wildcards_is_refused_only_where_they_are_needed(void **state)
{
    struct bench *bench = *state;
    config_list_fini(&bench->shared);
    config_list_split("$share/g/a/#", &bench->shared);
    greet(bench, "\x28\0", 2);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "$share/g/a/#"));
    config_list_fini(&bench->shared);
    config_list_split("$share/g/a", &bench->shared);
    mqtt_session_retry_now(bench->session);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, "\x28\0", 2);
    size_t size = 0;
    assert_int_equal(grant(bench, &size), 1);
}

static void test_subscriptions_keep_to_the_maximum_packet_size(void **state)
{
    struct bench *bench = *state;
    config_list_fini(&bench->shared);
    config_list_split("$share/g/aaaaaaaaaa,$share/g/bbbbbbbbbb,$share/g/cccccccccc",
                      &bench->shared);
    greet(bench, "\x27\0\0\0\x3c", 5);
    unsigned n = 0;
    for (int i = 0; i < 2; i++) {
        size_t size = 0;
        n += grant(bench, &size);
        assert_true(size <= 60);
    }
    assert_int_equal(n, 3);
    while (bench->n_subscribed == 0) {
        bench_turn(bench);
    }
}

static void test_filter_too_long_for_any_packet_is_refused(void **state)
{
    struct bench *bench = *state;
    greet(bench, "\x27\0\0\0\x10", 5);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "Maximum Packet Size of 16"));
}

static void test_shorter_life_of_the_session_is_told_once(void **state)
{
    struct bench *bench = *state;
    struct capture capture;
    capture_start(&capture);
    greet(bench, "\x11\0\0\0\x05", 5);
    size_t size = 0;
    (void)grant(bench, &size);
    broker_hang_up(&bench->broker);
    bench_wait_down(bench, 1);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, "\x11\0\0\0\x05", 5);
    (void)grant(bench, &size);
    char *text = capture_stop(&capture);
    const char *first = strstr(text, "MQTT-EXPIRY-LOWERED");
    assert_non_null(first);
    assert_non_null(strstr(first, "asked_s=3600 granted_s=5"));
    assert_null(strstr(first + 1, "MQTT-EXPIRY-LOWERED"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_broker_without_qos_1_is_refused_with_the_mend),
        IN_BENCH(test_broker_without_qos_1_is_fine_for_qos_0),
        IN_BENCH(test_filter_that_is_granted_at_qos_0_is_refused),
        IN_BENCH(test_broker_without_wildcards_is_refused_only_where_they_are_needed),
        IN_BENCH(test_subscriptions_keep_to_the_maximum_packet_size),
        IN_BENCH(test_filter_too_long_for_any_packet_is_refused),
        IN_BENCH(test_shorter_life_of_the_session_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
