/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of when a session subscribes again to what it has: a share group that a broker has stopped
 * to serve, and a broker that takes a repeated SUBSCRIBE amiss. Time is the test's where the
 * session has to wait. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

/* Topic Alias Maximum 65535 and Maximum Packet Size 268435455. */
#define ARTEMIS   "\x22\xff\xff\x27\x0f\xff\xff\xff"
#define N_ARTEMIS 8

static void set_list(struct config_list *list, const char *text)
{
    config_list_fini(list);
    config_list_split(text, list);
}

/* Lets the session look at what is due so many milliseconds from now. */
static void later(struct bench *bench, uint64_t ms)
{
    mqtt_session_tick(bench->session, clock_mono_ms() + ms, true, false);
}

static bool asks(const struct bench *bench)
{
    return mqtt_session_wants_release(bench->session);
}

static void send_message(struct bench *bench, uint16_t id)
{
    size_t n = bench->n_messages;
    broker_publish(&bench->broker, true, id, false, "a", "x", 1);
    bench_wait_messages(bench, n + 1);
}

/* The SUBSCRIBE that the session wants to send. */
static void assert_subscribes(struct bench *bench, const char *filter)
{
    assert_true(asks(bench));
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, filter, strlen(filter)));
}

static void connected(struct bench *bench)
{
    bench_begin(bench);
    bench_connect(bench, false);
    later(bench, 1000);
}

static void test_silent_share_group_is_subscribed_to_again_and_more_and_more_rarely(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    later(bench, 4500);
    assert_false(asks(bench));
    later(bench, 6000);
    assert_subscribes(bench, "$share/g/a");
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 1);
    bench_silence(bench);
    later(bench, 13000);
    assert_false(asks(bench));
    later(bench, 15000);
    assert_subscribes(bench, "$share/g/a");
    /* What the repetition says is of no interest: what stands stays. */
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 0x83);
    bench_silence(bench);
    assert_int_equal(bench->n_down, 0);
    assert_int_equal(bench->n_subscribed, 1);
}

static void test_message_begins_the_wait_anew(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    later(bench, 6000);
    assert_subscribes(bench, "$share/g/a");
    send_message(bench, 1);
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_PUBACK);
    later(bench, 8000);
    later(bench, 11000);
    assert_false(asks(bench));
    later(bench, 13000);
    assert_subscribes(bench, "$share/g/a");
}

static void test_nothing_is_sent_behind_messages_that_are_held(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    send_message(bench, 1);
    later(bench, 2000);
    later(bench, 20000);
    bench_silence(bench);
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_PUBACK);
    later(bench, 40000);
    assert_subscribes(bench, "$share/g/a");
}

static void test_exclusive_filters_are_not_subscribed_to_again(void **state)
{
    struct bench *bench = *state;
    bench->options.mode = MQTT_MODE_EXCLUSIVE;
    connected(bench);
    later(bench, 20000);
    assert_false(asks(bench));
}

static void test_session_of_3_1_1_is_not_subscribed_again(void **state)
{
    struct bench *bench = *state;
    bench->options.version = MQTT_VERSION_311;
    bench->options.mode = MQTT_MODE_SHARED;
    connected(bench);
    later(bench, 20000);
    assert_false(asks(bench));
}

/* Connects to a broker with such a CONNACK, up to the first turn after it. */
static void greet(struct bench *bench, bool present, const char *properties, size_t n)
{
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, present, 0, properties, n);
    while (bench->n_connected == 0) {
        bench_turn(bench);
    }
}

static void test_resumed_session_of_artemis_takes_its_messages_before_it_subscribes(void **state)
{
    struct bench *bench = *state;
    set_list(&bench->recorded, "$share/g/a");
    greet(bench, true, ARTEMIS, N_ARTEMIS);
    assert_false(asks(bench));
    assert_int_equal(bench->n_subscribed, 1);
    assert_string_equal(bench->subscribed, "$share/g/a");
    send_message(bench, 1);
    later(bench, 1000);
    later(bench, 20000);
    assert_int_equal(bench_release(bench), 1);
    assert_int_equal(bench_packet(bench), PACKET_PUBACK);
    /* Nothing is under way now: the broker shows that it has the subscription. */
    later(bench, 30000);
    assert_subscribes(bench, "$share/g/a");
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 1);
    while (bench->n_subscribed < 2) {
        bench_turn(bench);
    }
    assert_string_equal(bench->subscribed, "$share/g/a");
    /* Once is enough there. */
    later(bench, 60000);
    later(bench, 120000);
    assert_false(asks(bench));
}

static void test_refusal_of_a_late_subscription_is_told(void **state)
{
    struct bench *bench = *state;
    set_list(&bench->recorded, "$share/g/a");
    greet(bench, true, ARTEMIS, N_ARTEMIS);
    later(bench, 1000);
    later(bench, 6000);
    assert_subscribes(bench, "$share/g/a");
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 0x87);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
}

static void test_session_that_is_new_to_artemis_subscribes_at_once(void **state)
{
    struct bench *bench = *state;
    set_list(&bench->recorded, "$share/g/a");
    greet(bench, false, ARTEMIS, N_ARTEMIS);
    assert_subscribes(bench, "$share/g/a");
}

static void test_filter_that_artemis_may_not_have_is_subscribed_to_at_once(void **state)
{
    struct bench *bench = *state;
    set_list(&bench->shared, "$share/g/a,$share/g/b");
    set_list(&bench->recorded, "$share/g/a");
    greet(bench, true, ARTEMIS, N_ARTEMIS);
    assert_subscribes(bench, "$share/g/b");
}

static void test_filter_that_was_perhaps_given_up_is_subscribed_to_at_once(void **state)
{
    struct bench *bench = *state;
    struct config_list leaving;
    config_list_split("$share/g/a", &leaving);
    set_list(&bench->recorded, "$share/g/a");
    bench->options.leaving = &leaving;
    greet(bench, true, ARTEMIS, N_ARTEMIS);
    assert_subscribes(bench, "$share/g/a");
    config_list_fini(&leaving);
}

static void test_other_brokers_are_subscribed_to_after_every_connect(void **state)
{
    static const struct {
        const char *properties;
        size_t n;
    } others[] = {
        { NULL, 0 },
        { "\x22\xff\xff\x27\x00\x10\x00\x00", 8 },
        { "\x22\x00\x0a\x27\x0f\xff\xff\xff", 8 },
        { ARTEMIS "\x2a\x01", N_ARTEMIS + 2 },
    };
    for (size_t i = 0; i < N_ELEMENTS(others); i++) {
        void *opened = NULL;
        (void)bench_open(&opened);
        struct bench *bench = opened;
        set_list(&bench->recorded, "$share/g/a");
        greet(bench, true, others[i].properties, others[i].n);
        assert_subscribes(bench, "$share/g/a");
        (void)bench_close(&opened);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_silent_share_group_is_subscribed_to_again_and_more_and_more_rarely),
        IN_BENCH(test_message_begins_the_wait_anew),
        IN_BENCH(test_nothing_is_sent_behind_messages_that_are_held),
        IN_BENCH(test_exclusive_filters_are_not_subscribed_to_again),
        IN_BENCH(test_session_of_3_1_1_is_not_subscribed_again),
        IN_BENCH(test_resumed_session_of_artemis_takes_its_messages_before_it_subscribes),
        IN_BENCH(test_refusal_of_a_late_subscription_is_told),
        IN_BENCH(test_session_that_is_new_to_artemis_subscribes_at_once),
        IN_BENCH(test_filter_that_artemis_may_not_have_is_subscribed_to_at_once),
        IN_BENCH(test_filter_that_was_perhaps_given_up_is_subscribed_to_at_once),
        cmocka_unit_test(test_other_brokers_are_subscribed_to_after_every_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
