/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of a session's subscriptions against a scripted broker: granted, refused, changed. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"

/* Releases whatever there is to send until the next packet comes. */
static enum packet_type next_packet(struct bench *bench)
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
    return type;
}

static void set_list(struct config_list *list, const char *text)
{
    config_list_fini(list);
    config_list_split(text, list);
}

static void test_packet_id_in_use_is_replaced_by_another(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, true, 0, NULL, 0);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    uint16_t first = broker_id(&bench->broker);
    broker_suback(&bench->broker, true, first, 0x91);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    assert_int_not_equal(broker_id(&bench->broker), first);
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 1);
    while (bench->n_subscribed == 0) {
        bench_turn(bench);
    }
}

/* Answers the first CONNECT and SUBSCRIBE with this code. */
static void answer_subscribe(struct bench *bench, int code)
{
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, NULL, 0);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    broker_suback(&bench->broker, true, broker_id(&bench->broker), code);
}

static void test_refused_subscription_ends_the_connection_and_names_the_filter(void **state)
{
    struct bench *bench = *state;
    answer_subscribe(bench, 0x87);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "$share/g/a"));
    assert_non_null(strstr(bench->down_text, "not authorised"));
}

static void test_broker_without_shared_subscriptions_gets_exclusive_filters(void **state)
{
    struct bench *bench = *state;
    answer_subscribe(bench, 0x9E);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "\0\1a", 3));
}

static void test_connack_without_shared_subscriptions_means_exclusive(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, "\x2a\0", 2);
    while (!mqtt_session_wants_release(bench->session)) {
        bench_turn(bench);
    }
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    assert_null(memmem(bench->broker.body, bench->broker.n_body, "$share", 6));
}

static void test_every_filter_may_be_answered_with_no_shared_subscriptions(void **state)
{
    struct bench *bench = *state;
    set_list(&bench->shared, "$share/g/a,$share/g/b");
    set_list(&bench->own, "a,b");
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, NULL, 0);
    assert_int_equal(next_packet(bench), PACKET_SUBSCRIBE);
    uint16_t id = broker_id(&bench->broker);
    unsigned char suback[] = {
        0x90, 5, (unsigned char)(id >> 8), (unsigned char)id, 0, 0x9E, 0x9E
    };
    broker_send(&bench->broker, suback, sizeof(suback));
    assert_int_equal(next_packet(bench), PACKET_SUBSCRIBE);
    assert_int_equal(bench->n_down, 0);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "\0\1a", 3));
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "\0\1b", 3));
    assert_null(memmem(bench->broker.body, bench->broker.n_body, "$share", 6));
}

static void test_recorded_filters_that_are_not_wanted_are_given_up(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old/#", &bench->recorded);
    bench_ready(bench);
    assert_string_equal(bench->subscribed, "$share/g/a old/#");
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "old/#", 5));
    assert_null(memmem(bench->broker.body, bench->broker.n_body, "$share", 6));
    assert_string_equal(bench->subscribed, "$share/g/a old/#");
    broker_unsuback(&bench->broker, broker_id(&bench->broker));
    while (bench->n_subscribed < 2) {
        bench_turn(bench);
    }
    assert_string_equal(bench->subscribed, "$share/g/a");
}

static void test_filter_that_the_owner_still_needs_is_kept_until_it_does_not(void **state)
{
    struct bench *bench = *state;
    bench->keeps = true;
    config_list_split("old/#", &bench->recorded);
    bench_ready(bench);
    uint64_t until_ms = clock_mono_ms() + 500;
    while (clock_mono_ms() < until_ms) {
        bench_turn(bench);
        assert_false(mqtt_session_wants_release(bench->session));
    }
    bench->keeps = false;
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
}

static void test_removed_filter_waits_for_its_messages_but_not_for_ever(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    set_list(&bench->shared, "$share/g/b");
    mqtt_session_revise(bench->session, false);
    uint64_t begin_ms = clock_mono_ms();
    enum packet_type type = PACKET_NONE;
    uint16_t id = 1;
    /* They never stop: after five seconds the filter goes all the same, the new one first. */
    while (type != PACKET_SUBSCRIBE && clock_mono_ms() < begin_ms + 20000) {
        bench_publish(bench, id++, false, "x");
        type = next_packet(bench);
    }
    assert_int_equal(type, PACKET_SUBSCRIBE);
    assert_in_range(clock_mono_ms() - begin_ms, 4500, 8000);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "$share/g/b", 10));
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 1);
    do {
        type = next_packet(bench);
    } while (type == PACKET_PUBACK);
    assert_int_equal(type, PACKET_UNSUBSCRIBE);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "$share/g/a", 10));
}

static void test_time_for_which_messages_are_held_does_not_count_for_a_removed_filter(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old", &bench->recorded);
    bench_begin(bench);
    bench_connect(bench, true);
    broker_publish(&bench->broker, true, 1, false, "old", "queued", 6);
    bench_wait_messages(bench, 1);
    bench->room = 0;
    bench_turn(bench);
    mqtt_session_tick(bench->session, clock_mono_ms() + 20000, true, false);
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_PUBACK);
    bench_silence(bench);
}

static void test_removed_filter_stays_while_its_messages_are_not_read(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old", &bench->recorded);
    bench_begin(bench);
    bench_connect(bench, true);
    bench->room = 0;
    broker_publish(&bench->broker, true, 1, false, "old", "queued", 6);
    uint64_t until_ms = clock_mono_ms() + 500;
    while (clock_mono_ms() < until_ms) {
        bench_turn(bench);
        assert_false(mqtt_session_wants_release(bench->session));
    }
    /* Nor does it go when that takes longer than messages are waited for. */
    mqtt_session_tick(bench->session, clock_mono_ms() + 20000, true, false);
    assert_false(mqtt_session_wants_release(bench->session));
    bench->room = SIZE_MAX;
    assert_int_equal(next_packet(bench), PACKET_PUBACK);
    assert_int_equal(bench->n_messages, 1);
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
}

static void test_removed_filter_wakes_nobody_while_nothing_is_read(void **state)
{
    static const unsigned char publish[] = { 0x30, 5, 0, 1, 'a', 0, 'x' };
    struct bench *bench = *state;
    config_list_split("$share/g/a,old", &bench->recorded);
    bench_begin(bench);
    bench_connect(bench, true);
    /* At QoS 0 nothing is held, and yet the owner waits for it to be delivered. */
    broker_send(&bench->broker, publish, sizeof(publish));
    bench_wait_messages(bench, 1);
    bench->room = 0;
    bench_turn(bench);
    uint64_t later_ms = clock_mono_ms() + 1000;
    mqtt_session_tick(bench->session, later_ms, true, false);
    struct pollfd fd;
    mqtt_session_poll(bench->session, false, &fd);
    assert_true(mqtt_session_deadline(bench->session, true) > later_ms);
    /* When it reads again, silence does. */
    mqtt_session_poll(bench->session, true, &fd);
    assert_true(mqtt_session_deadline(bench->session, true) <= later_ms);
}

/* An answer may lie unread in the socket for as long as messages are held. */
static void test_time_in_which_nothing_is_read_does_not_count_for_the_unsuback(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old", &bench->recorded);
    bench_begin(bench);
    bench_connect(bench, true);
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
    uint16_t id = broker_id(&bench->broker);
    bench_publish(bench, 1, false, "held");
    bench_wait_messages(bench, 1);
    bench->room = 0;
    bench_turn(bench);
    mqtt_session_tick(bench->session, clock_mono_ms() + 20000, true, false);
    broker_unsuback(&bench->broker, id);
    bench->room = SIZE_MAX;
    (void)bench_release(bench);
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    while (strcmp(bench->subscribed, "$share/g/a") != 0) {
        assert_true(clock_mono_ms() < deadline_ms);
        bench_turn(bench);
    }
}

static void test_late_answer_to_an_unsubscribe_counts(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old", &bench->recorded);
    bench_begin(bench);
    bench_connect(bench, true);
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
    uint16_t id = broker_id(&bench->broker);
    bench_turn(bench);
    mqtt_session_tick(bench->session, clock_mono_ms() + 20000, true, false);
    broker_unsuback(&bench->broker, id);
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    while (strcmp(bench->subscribed, "$share/g/a") != 0) {
        assert_true(clock_mono_ms() < deadline_ms);
        bench_turn(bench);
    }
}

/* Sends messages until a packet of this type comes. */
static void busy_until(struct bench *bench, enum packet_type wanted)
{
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    enum packet_type type = PACKET_NONE;
    for (uint16_t id = 1; type != wanted && clock_mono_ms() < deadline_ms; id++) {
        bench_publish(bench, id, false, "x");
        type = next_packet(bench);
    }
    assert_int_equal(type, wanted);
}

static void
test_filter_that_comes_back_after_an_unanswered_unsubscribe_is_asked_for_again(void **state)
{
    struct bench *bench = *state;
    bench->options.connect_timeout_s = 1;
    bench_ready(bench);
    set_list(&bench->shared, "");
    mqtt_session_revise(bench->session, false);
    assert_int_equal(next_packet(bench), PACKET_UNSUBSCRIBE);
    set_list(&bench->shared, "$share/g/a");
    mqtt_session_revise(bench->session, false);
    /* Messages that go through meanwhile do not make the wait for the answer endless. */
    busy_until(bench, PACKET_SUBSCRIBE);
    assert_non_null(memmem(bench->broker.body, bench->broker.n_body, "$share/g/a", 10));
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 1);
    while (bench->n_subscribed < 2) {
        bench_turn(bench);
    }
    assert_string_equal(bench->subscribed, "$share/g/a");
    /* Granted, it is as sure as any other. */
    mqtt_session_revise(bench->session, false);
    bench_only_pubacks(bench);
}

static void test_refused_new_filter_keeps_the_old_one(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    set_list(&bench->shared, "$share/g/b");
    mqtt_session_revise(bench->session, false);
    assert_int_equal(next_packet(bench), PACKET_SUBSCRIBE);
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 0x87);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_int_equal(bench->n_subscribed, 1); /* what is recorded stays */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_packet_id_in_use_is_replaced_by_another),
        IN_BENCH(test_refused_subscription_ends_the_connection_and_names_the_filter),
        IN_BENCH(test_broker_without_shared_subscriptions_gets_exclusive_filters),
        IN_BENCH(test_every_filter_may_be_answered_with_no_shared_subscriptions),
        IN_BENCH(test_connack_without_shared_subscriptions_means_exclusive),
        IN_BENCH(test_recorded_filters_that_are_not_wanted_are_given_up),
        IN_BENCH(test_filter_that_the_owner_still_needs_is_kept_until_it_does_not),
        IN_BENCH(test_removed_filter_waits_for_its_messages_but_not_for_ever),
        IN_BENCH(test_time_for_which_messages_are_held_does_not_count_for_a_removed_filter),
        IN_BENCH(test_removed_filter_stays_while_its_messages_are_not_read),
        IN_BENCH(test_removed_filter_wakes_nobody_while_nothing_is_read),
        IN_BENCH(test_time_in_which_nothing_is_read_does_not_count_for_the_unsuback),
        IN_BENCH(test_late_answer_to_an_unsubscribe_counts),
        IN_BENCH(test_filter_that_comes_back_after_an_unanswered_unsubscribe_is_asked_for_again),
        IN_BENCH(test_refused_new_filter_keeps_the_old_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
