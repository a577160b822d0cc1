/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the acknowledging session against a scripted broker: what leaves, and when. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

static int set_up(void **state)
{
    *state = bench_open();
    return 0;
}

static int tear_down(void **state)
{
    bench_close(*state);
    return 0;
}

static void publish(struct bench *bench, uint16_t id, bool duplicate, const char *text)
{
    broker_publish(&bench->broker, true, id, duplicate, "a", text, strlen(text));
}

static void connected(struct bench *bench)
{
    bench_begin(bench);
    bench_connect(bench, false);
}

static void assert_puback(struct bench *bench, uint16_t id)
{
    assert_int_equal(bench_packet(bench), PACKET_PUBACK);
    assert_int_equal(broker_id(&bench->broker), id);
}

static void test_connect_asks_for_a_session_that_stays(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    const unsigned char *body = bench->broker.body;
    assert_memory_equal(body, "\0\4MQTT\5", 7);
    assert_int_equal(body[7] & 2, 0); /* no clean start */
    assert_int_equal(body[8] << 8 | body[9], 60);
    /* Session Expiry Interval 3600 and Receive Maximum 100 among the properties. */
    assert_non_null(memmem(body + 10, bench->broker.n_body - 10, "\x11\0\0\x0e\x10", 5));
    assert_non_null(memmem(body + 10, bench->broker.n_body - 10, "\x21\0\x64", 3));
}

static void test_pubacks_wait_for_the_release_and_leave_in_order(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 7, false, "x");
    publish(bench, 3, false, "y");
    bench_wait_messages(bench, 2);
    bench_silence(bench);
    assert_int_equal(mqtt_session_held(bench->session), 2);
    assert_int_equal(bench_release(bench), 2);
    assert_puback(bench, 7);
    assert_puback(bench, 3);
    assert_int_equal(mqtt_session_held(bench->session), 0);
}

static void test_reads_without_a_message_release_nothing(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 1, false, "held");
    bench_wait_messages(bench, 1);
    /* A PINGRESP, then the first half of a large PUBLISH. */
    broker_send(&bench->broker, "\xd0\0", 2);
    bench_silence(bench);
    broker_send(&bench->broker, "\x32\x88\x01\0\1a\0\2\0", 9);
    bench_silence(bench);
    char rest[130];
    memset(rest, 'z', sizeof(rest));
    broker_send(&bench->broker, rest, sizeof(rest));
    bench_wait_messages(bench, 2);
    assert_int_equal(bench->messages[1].length, 130);
    bench_silence(bench);
}

static void test_dropping_sends_nothing_that_is_held(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 1, false, "x");
    bench_wait_messages(bench, 1);
    mqtt_session_drop(bench->session, MQTT_DOWN_PARKED, "test");
    assert_int_equal(bench_packet(bench), PACKET_CLOSED);
    assert_int_equal(bench->down_reason, MQTT_DOWN_PARKED);
    assert_true(mqtt_session_idle(bench->session));
}

static void test_freeing_sends_nothing_that_is_held(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 1, false, "x");
    bench_wait_messages(bench, 1);
    mqtt_session_free(TAKE(bench->session));
    assert_int_equal(broker_next(&bench->broker), PACKET_CLOSED);
}

static void test_disconnect_sends_pubacks_then_disconnect(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 5, false, "x");
    bench_wait_messages(bench, 1);
    mqtt_session_disconnect(bench->session, clock_mono_ms());
    assert_puback(bench, 5);
    assert_int_equal(bench_packet(bench), PACKET_DISCONNECT);
    assert_int_equal(bench_packet(bench), PACKET_CLOSED);
    assert_int_equal(bench->down_reason, MQTT_DOWN_ASKED);
}

static void test_without_room_messages_stay_in_the_socket(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    bench->room = 2;
    for (uint16_t id = 1; id <= 5; id++) {
        publish(bench, id, false, "x");
    }
    bench_wait_messages(bench, 2);
    bench_silence(bench);
    assert_int_equal(bench->n_messages, 2);
    assert_true(mqtt_session_more(bench->session));
    bench->room = SIZE_MAX;
    bench_wait_messages(bench, 5);
}

static void test_copy_on_the_same_connection_is_not_handed_out_again(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 1, false, "x");
    publish(bench, 1, true, "x");
    publish(bench, 2, false, "y");
    bench_wait_messages(bench, 2);
    assert_int_equal(bench->messages[1].id, 2);
}

/* Drops the connection with one message held, says that it was delivered, and connects again. */
static void lose_delivered(struct bench *bench, bool present)
{
    connected(bench);
    publish(bench, 9, false, "x");
    bench_wait_messages(bench, 1);
    bench->may_connect = false;
    broker_hang_up(&bench->broker);
    bench_wait_down(bench, 1);
    mqtt_session_settled(bench->session, true);
    bench->may_connect = true;
    mqtt_session_retry_now(bench->session);
    bench_connect(bench, present);
}

static void test_redelivery_of_a_delivered_message_is_marked_as_such(void **state)
{
    struct bench *bench = *state;
    lose_delivered(bench, true);
    assert_true(bench->session_present);
    publish(bench, 9, true, "x");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[1].duplicate);
    assert_true(bench->messages[1].delivered);
    assert_int_equal(bench_release(bench), 1);
    assert_puback(bench, 9);
}

static void test_takeover_makes_what_was_held_unknown(void **state)
{
    struct bench *bench = *state;
    connected(bench);
    publish(bench, 9, false, "ON");
    bench_wait_messages(bench, 1);
    broker_disconnect(&bench->broker, 0x8E);
    bench_wait_down(bench, 1);
    broker_hang_up(&bench->broker);
    mqtt_session_settled(bench->session, true);
    mqtt_session_retry_now(bench->session);
    bench_connect(bench, true);
    /* The other client had acknowledged id 9; this is a new message that it had not. */
    publish(bench, 9, true, "ON");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[1].duplicate);
    assert_false(bench->messages[1].delivered);
}

static void test_one_read_takes_all_messages_also_with_a_very_long_client_id(void **state)
{
    struct bench *bench = *state;
#ifdef SLUICE_SANITIZED
    skip(); /* nothing is read ahead there, so poll tells of every message */
#endif
    char id[700];
    memset(id, 'a', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    bench->options.client_id = id;
    connected(bench);
    for (uint16_t i = 1; i <= 20; i++) {
        publish(bench, i, false, "x");
    }
    struct pollfd fd;
    mqtt_session_poll(bench->session, true, &fd);
    assert_int_equal(poll(&fd, 1, 20000), 1);
    mqtt_session_read(bench->session);
    assert_int_equal(bench->n_messages, 20);
    mqtt_session_free(TAKE(bench->session));
}

static void test_same_id_without_dup_is_a_new_message(void **state)
{
    struct bench *bench = *state;
    lose_delivered(bench, true);
    publish(bench, 9, false, "x");
    bench_wait_messages(bench, 2);
    assert_false(bench->messages[1].duplicate);
    assert_false(bench->messages[1].delivered);
}

static void test_dup_flag_is_read_also_behind_an_odd_client_id(void **state)
{
    struct bench *bench = *state;
    bench->options.client_id = "x received PUBLISH (d0, q1";
    connected(bench);
    publish(bench, 1, true, "x");
    publish(bench, 2, false, "(d1, q1");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[0].duplicate);
    assert_false(bench->messages[1].duplicate);
}

static void test_takeover_is_told_and_waited_out(void **state)
{
    struct bench *bench = *state;
    bench->options.takeover_wait_ms = 60000;
    connected(bench);
    broker_disconnect(&bench->broker, 0x8E);
    bench_wait_down(bench, 1);
    assert_int_equal(bench->down_reason, MQTT_DOWN_TAKEOVER);
    assert_false(bench->down_refused);
    assert_true(mqtt_session_deadline(bench->session, true) >= clock_mono_ms() + 50000);
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
        assert_false(broker_accept(&bench->broker));
    }
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

static void test_recorded_filters_that_are_not_wanted_are_given_up(void **state)
{
    struct bench *bench = *state;
    config_list_split("$share/g/a,old/#", &bench->recorded);
    connected(bench);
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
    connected(bench);
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
    connected(bench);
    set_list(&bench->shared, "$share/g/b");
    mqtt_session_revise(bench->session, false);
    uint64_t begin_ms = clock_mono_ms();
    enum packet_type type = PACKET_NONE;
    uint16_t id = 1;
    /* They never stop: after five seconds the filter goes all the same, the new one first. */
    while (type != PACKET_SUBSCRIBE && clock_mono_ms() < begin_ms + 20000) {
        publish(bench, id++, false, "x");
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

/* Sends messages until a packet of this type comes. */
static void busy_until(struct bench *bench, enum packet_type wanted)
{
    uint64_t deadline_ms = clock_mono_ms() + 20000;
    enum packet_type type = PACKET_NONE;
    for (uint16_t id = 1; type != wanted && clock_mono_ms() < deadline_ms; id++) {
        publish(bench, id, false, "x");
        type = next_packet(bench);
    }
    assert_int_equal(type, wanted);
}

static void
test_filter_that_comes_back_after_an_unanswered_unsubscribe_is_asked_for_again(void **state)
{
    struct bench *bench = *state;
    bench->options.connect_timeout_s = 1;
    connected(bench);
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
    connected(bench);
    set_list(&bench->shared, "$share/g/b");
    mqtt_session_revise(bench->session, false);
    assert_int_equal(next_packet(bench), PACKET_SUBSCRIBE);
    broker_suback(&bench->broker, true, broker_id(&bench->broker), 0x87);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_int_equal(bench->n_subscribed, 1); /* what is recorded stays */
}

static void test_server_keep_alive_counts(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0, "\x13\0\x0a", 3);
    while (bench->n_connected == 0) {
        bench_turn(bench);
    }
    uint64_t now_ms = clock_mono_ms();
    assert_int_equal(mqtt_session_park_at(bench->session, now_ms) - now_ms, 5000);
}

static void test_bad_credentials_are_a_refusal(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0x86, NULL, 0);
    bench_wait_down(bench, 1);
    assert_true(bench->down_refused);
    assert_non_null(strstr(bench->down_text, "bad user name or password"));
}

static void test_busy_broker_is_no_refusal(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench);
    broker_connack(&bench->broker, true, false, 0x89, NULL, 0);
    bench_wait_down(bench, 1);
    assert_false(bench->down_refused);
}

static void test_broker_that_is_away_is_tried_again_later_and_later(void **state)
{
    struct bench *bench = *state;
    broker_close(&bench->broker);
    bench_begin(bench);
    uint64_t last = 0;
    for (unsigned n = 1; n <= 6; n++) {
        mqtt_session_retry_now(bench->session);
        bench_wait_down(bench, n);
        uint64_t wait_ms = mqtt_session_deadline(bench->session, true) - clock_mono_ms();
        assert_true(n == 1 || wait_ms > last);
        /* A third more, for the spread of a quarter either way. */
        last = wait_ms + wait_ms / 5;
    }
    assert_false(bench->down_refused);
    broker_open(&bench->broker);
}

static void test_next_broker_of_the_list_is_tried(void **state)
{
    struct bench *bench = *state;
    struct fake_broker *gone = xcalloc(1, sizeof(*gone));
    broker_open(gone);
    char *list = xasprintf("tcp://127.0.0.1:%d,tcp://127.0.0.1:%d", gone->port, bench->broker.port);
    broker_close(gone);
    mqtt_uris_fini(&bench->uris);
    assert_int_equal(mqtt_uris_parse(list, &bench->uris, NULL), ERR_OK);
    bench_begin(bench);
    bench_connect(bench, false);
    assert_int_equal(bench->n_down, 1);
    free(list);
    free(gone);
}

static void test_attempt_ends_in_time_when_nobody_answers(void **state)
{
    struct bench *bench = *state;
    bench->options.connect_timeout_s = 1;
    bench_begin(bench);
    uint64_t start_ms = clock_mono_ms();
    bench_wait_down(bench, 1);
    uint64_t took_ms = clock_mono_ms() - start_ms;
    assert_true(took_ms >= 900 && took_ms < 3000);
    assert_non_null(strstr(bench->down_text, "no answer"));
}

static void test_attempt_can_be_given_up_at_once(void **state)
{
    struct bench *bench = *state;
    bench_begin(bench);
    bench_accept(bench); /* and no CONNACK */
    bench->may_connect = false;
    uint64_t start_ms = clock_mono_ms();
    bench_wait_down(bench, 1);
    assert_true(clock_mono_ms() - start_ms < 100);
    assert_int_equal(bench->down_reason, MQTT_DOWN_ASKED);
}

static void test_no_connection_without_leave(void **state)
{
    struct bench *bench = *state;
    bench->may_connect = false;
    bench_begin(bench);
    for (int i = 0; i < 10; i++) {
        bench_turn(bench);
        assert_false(broker_accept(&bench->broker));
    }
    assert_true(mqtt_session_deadline(bench->session, false) == UINT64_MAX);
}

#define IN_BENCH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_BENCH(test_connect_asks_for_a_session_that_stays),
        IN_BENCH(test_pubacks_wait_for_the_release_and_leave_in_order),
        IN_BENCH(test_reads_without_a_message_release_nothing),
        IN_BENCH(test_dropping_sends_nothing_that_is_held),
        IN_BENCH(test_freeing_sends_nothing_that_is_held),
        IN_BENCH(test_disconnect_sends_pubacks_then_disconnect),
        IN_BENCH(test_without_room_messages_stay_in_the_socket),
        IN_BENCH(test_copy_on_the_same_connection_is_not_handed_out_again),
        IN_BENCH(test_redelivery_of_a_delivered_message_is_marked_as_such),
        IN_BENCH(test_same_id_without_dup_is_a_new_message),
        IN_BENCH(test_dup_flag_is_read_also_behind_an_odd_client_id),
        IN_BENCH(test_takeover_is_told_and_waited_out),
        IN_BENCH(test_takeover_makes_what_was_held_unknown),
        IN_BENCH(test_one_read_takes_all_messages_also_with_a_very_long_client_id),
        IN_BENCH(test_packet_id_in_use_is_replaced_by_another),
        IN_BENCH(test_refused_subscription_ends_the_connection_and_names_the_filter),
        IN_BENCH(test_broker_without_shared_subscriptions_gets_exclusive_filters),
        IN_BENCH(test_connack_without_shared_subscriptions_means_exclusive),
        IN_BENCH(test_recorded_filters_that_are_not_wanted_are_given_up),
        IN_BENCH(test_filter_that_the_owner_still_needs_is_kept_until_it_does_not),
        IN_BENCH(test_removed_filter_waits_for_its_messages_but_not_for_ever),
        IN_BENCH(test_refused_new_filter_keeps_the_old_one),
        IN_BENCH(test_filter_that_comes_back_after_an_unanswered_unsubscribe_is_asked_for_again),
        IN_BENCH(test_server_keep_alive_counts),
        IN_BENCH(test_bad_credentials_are_a_refusal),
        IN_BENCH(test_busy_broker_is_no_refusal),
        IN_BENCH(test_broker_that_is_away_is_tried_again_later_and_later),
        IN_BENCH(test_next_broker_of_the_list_is_tried),
        IN_BENCH(test_attempt_ends_in_time_when_nobody_answers),
        IN_BENCH(test_attempt_can_be_given_up_at_once),
        IN_BENCH(test_no_connection_without_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
