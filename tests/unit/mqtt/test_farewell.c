/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what a session makes of the broker's DISCONNECT, and of other clients with its id. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/reason.h"

/* A wait, and what it was at most: this clock is late where the machine is busy. */
struct wait {
    uint64_t least_ms;
    uint64_t most_ms;
};

/* Connects, has the broker say goodbye with this code, and returns the wait that follows. */
static struct wait farewell(struct bench *bench, int code)
{
    unsigned n_down = bench->n_down;
    if (!bench->session) {
        bench_begin(bench);
    }
    bench_connect(bench, true);
    bench->may_connect = false;
    uint64_t before_ms = clock_mono_ms();
    broker_disconnect(&bench->broker, code);
    bench_wait_down(bench, n_down + 1);
    uint64_t now_ms = clock_mono_ms();
    uint64_t next_ms = mqtt_session_deadline(bench->session, true);
    bench->may_connect = true;
    return (struct wait){ next_ms > now_ms ? next_ms - now_ms : 0, next_ms - before_ms };
}

static void test_every_code_means_one_thing_and_has_a_text(void **state UNUSED)
{
    unsigned n_special = 0;
    for (int code = 0; code < 256; code++) {
        n_special += mqtt_farewell(code) != MQTT_FAREWELL_RETRY;
        assert_true(mqtt_farewell(code) == MQTT_FAREWELL_RETRY ||
                    strcmp(mqtt_reason_text(code, true), "unknown reason") != 0);
    }
    assert_int_equal(n_special, 21);
    assert_int_equal(mqtt_farewell(0), MQTT_FAREWELL_RETRY);
    assert_int_equal(mqtt_farewell(0x8B), MQTT_FAREWELL_RETRY);
}

static void test_a_broker_that_stops_or_hiccups_is_tried_again_soon(void **state)
{
    static const int codes[] = { 0x80, 0x81, 0x82, 0x83, 0x8B, 0x8D, 0x93 };
    struct bench *bench = *state;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        struct wait wait = farewell(bench, codes[i]);
        assert_int_equal(bench->down_reason, MQTT_DOWN_BROKER);
        assert_false(bench->down_refused);
        assert_true(wait.least_ms < 50ULL * 2 << (i + 1));
        mqtt_session_retry_now(bench->session);
    }
}

static void test_a_broker_that_wants_rest_gets_it(void **state)
{
    static const int codes[] = { 0x89, 0x96, 0x97, 0x98, 0x9F };
    struct bench *bench = *state;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        assert_true(farewell(bench, codes[i]).most_ms >= 5000);
        assert_false(bench->down_refused);
        mqtt_session_retry_now(bench->session);
    }
}

static void test_what_retrying_cannot_mend_is_a_refusal_with_its_text(void **state)
{
    static const int codes[] = { 0x86, 0x87, 0x8A, 0x8F, 0x90, 0x95, 0x9B, 0xA1, 0xA2 };
    struct bench *bench = *state;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        (void)farewell(bench, codes[i]);
        assert_true(bench->down_refused);
        assert_non_null(strstr(bench->down_text, mqtt_reason_text(codes[i], true)));
        mqtt_session_retry_now(bench->session);
    }
}

static void test_another_server_means_the_next_of_the_list(void **state)
{
    struct bench *bench = *state;
    struct fake_broker *second = xcalloc(1, sizeof(*second));
    broker_open(second);
    mqtt_uris_fini(&bench->uris);
    char *uris =
        xasprintf("tcp://127.0.0.1:%d,tcp://127.0.0.1:%d", bench->broker.port, second->port);
    assert_int_equal(mqtt_uris_parse(uris, &bench->uris, NULL), ERR_OK);
    free(uris);
    (void)farewell(bench, 0x9D);
    assert_false(bench->down_refused);
    uint64_t deadline_ms = clock_mono_ms() + 10000;
    while (!broker_accept(second)) {
        bench_turn(bench);
        assert_true(clock_mono_ms() < deadline_ms);
    }
    broker_close(second);
    free(second);
}

static void test_disconnect_for_a_shared_subscription_leads_to_exclusive_filters(void **state)
{
    struct bench *bench = *state;
    assert_int_equal(farewell(bench, 0x9E).least_ms, 0);
    assert_false(bench->down_refused);
    bench_connect(bench, true);
    assert_string_equal(bench->subscribed, "a");
    /* And a second time nothing is left to do without. */
    broker_disconnect(&bench->broker, 0x9E);
    bench_wait_down(bench, 2);
    assert_true(bench->down_refused);
}

static void test_disconnect_for_a_shared_subscription_that_was_asked_for_is_a_refusal(void **state)
{
    struct bench *bench = *state;
    bench->options.mode = MQTT_MODE_SHARED;
    (void)farewell(bench, 0x9E);
    assert_true(bench->down_refused);
}

static void test_maximum_connect_time_of_a_young_connection_is_no_leave_to_storm(void **state)
{
    struct bench *bench = *state;
    for (unsigned i = 0; i < 7; i++) {
        /* Doubles from 50 ms, spread by a quarter either way. */
        assert_true(farewell(bench, 0xA0).most_ms >= (50ULL << i) * 3 / 4);
        assert_false(bench->down_refused);
        mqtt_session_retry_now(bench->session);
    }
}

static void test_client_that_takes_over_again_and_again_is_not_fought_for_ever(void **state)
{
    struct bench *bench = *state;
    bench->options.takeover_wait_ms = 1000;
    for (unsigned i = 0; i < 7; i++) {
        struct wait wait = farewell(bench, 0x8E);
        assert_int_equal(bench->down_reason, MQTT_DOWN_TAKEOVER);
        assert_false(bench->down_refused);
        /* Doubles, and is spread by a quarter of a second. */
        assert_true(wait.most_ms >= 1000ULL << i && wait.least_ms <= (1000ULL << i) + 250);
        mqtt_session_retry_now(bench->session);
    }
    (void)farewell(bench, 0x8E);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "another client keeps taking over"));
    assert_non_null(strstr(bench->down_text, "client id bench"));
    assert_non_null(strstr(bench->down_text, "mqtt.client.id.prefix"));
}

static void test_closes_soon_after_the_connack_hint_at_another_client(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    for (unsigned i = 1; i <= 5; i++) {
        bench_connect(bench, true);
        broker_hang_up(&bench->broker);
        bench_wait_down(bench, i);
        assert_int_equal(strstr(bench->down_text, "client id bench") != NULL, i == 5);
        assert_false(bench->down_refused);
        mqtt_session_retry_now(bench->session);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_means_one_thing_and_has_a_text),
        IN_BENCH(test_a_broker_that_stops_or_hiccups_is_tried_again_soon),
        IN_BENCH(test_a_broker_that_wants_rest_gets_it),
        IN_BENCH(test_what_retrying_cannot_mend_is_a_refusal_with_its_text),
        IN_BENCH(test_another_server_means_the_next_of_the_list),
        IN_BENCH(test_disconnect_for_a_shared_subscription_leads_to_exclusive_filters),
        IN_BENCH(test_disconnect_for_a_shared_subscription_that_was_asked_for_is_a_refusal),
        IN_BENCH(test_maximum_connect_time_of_a_young_connection_is_no_leave_to_storm),
        IN_BENCH(test_client_that_takes_over_again_and_again_is_not_fought_for_ever),
        IN_BENCH(test_closes_soon_after_the_connack_hint_at_another_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
