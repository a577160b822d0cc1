/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the acknowledging session against a scripted broker: what leaves, and when. */
#include <string.h>

#include "tests/support/unit.h"
#include "tests/unit/mqtt/bench_session.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

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
    bench_ready(bench);
    bench_publish(bench, 7, false, "x");
    bench_publish(bench, 3, false, "y");
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
    bench_ready(bench);
    bench_publish(bench, 1, false, "held");
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
    bench_ready(bench);
    bench_publish(bench, 1, false, "x");
    bench_wait_messages(bench, 1);
    mqtt_session_drop(bench->session, MQTT_DOWN_PARKED, "test");
    assert_int_equal(bench_packet(bench), PACKET_CLOSED);
    assert_int_equal(bench->down_reason, MQTT_DOWN_PARKED);
    assert_true(mqtt_session_idle(bench->session));
}

static void test_freeing_sends_nothing_that_is_held(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    bench_publish(bench, 1, false, "x");
    bench_wait_messages(bench, 1);
    mqtt_session_free(TAKE(bench->session));
    assert_int_equal(broker_next(&bench->broker), PACKET_CLOSED);
}

static void test_disconnect_sends_pubacks_then_disconnect(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    bench_publish(bench, 5, false, "x");
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
    bench_ready(bench);
    bench->room = 2;
    for (uint16_t id = 1; id <= 5; id++) {
        bench_publish(bench, id, false, "x");
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
    bench_ready(bench);
    bench_publish(bench, 1, false, "x");
    bench_publish(bench, 1, true, "x");
    bench_publish(bench, 2, false, "y");
    bench_wait_messages(bench, 2);
    assert_int_equal(bench->messages[1].id, 2);
}

/* Drops the connection with one message held, says that it was delivered, and connects again. */
static void lose_delivered(struct bench *bench, bool present)
{
    bench_ready(bench);
    bench_publish(bench, 9, false, "x");
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
    bench_publish(bench, 9, true, "x");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[1].duplicate);
    assert_true(bench->messages[1].delivered);
    assert_int_equal(bench_release(bench), 1);
    assert_puback(bench, 9);
}

static void test_takeover_makes_what_was_held_unknown(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    bench_publish(bench, 9, false, "ON");
    bench_wait_messages(bench, 1);
    broker_disconnect(&bench->broker, 0x8E);
    bench_wait_down(bench, 1);
    broker_hang_up(&bench->broker);
    mqtt_session_settled(bench->session, true);
    mqtt_session_retry_now(bench->session);
    bench_connect(bench, true);
    /* The other client had acknowledged id 9; this is a new message that it had not. */
    bench_publish(bench, 9, true, "ON");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[1].duplicate);
    assert_false(bench->messages[1].delivered);
}

/* Loses the connection while a message is held that Kafka then gets. */
static void hold_and_lose(struct bench *bench)
{
    bench_ready(bench);
    bench_publish(bench, 9, false, "ON");
    bench_wait_messages(bench, 1);
    broker_hang_up(&bench->broker);
    bench_wait_down(bench, 1);
    mqtt_session_settled(bench->session, true);
    mqtt_session_retry_now(bench->session);
}

static void test_lost_connack_makes_what_was_held_unknown(void **state)
{
    struct bench *bench = *state;
    hold_and_lose(bench);
    /* The broker gives the message to somebody else, and id 9 to one that gets lost as well. */
    bench_accept(bench);
    broker_hang_up(&bench->broker);
    bench_wait_down(bench, 2);
    mqtt_session_settled(bench->session, true);
    mqtt_session_retry_now(bench->session);
    bench_connect(bench, true);
    bench_publish(bench, 9, true, "ON");
    bench_wait_messages(bench, 2);
    assert_false(bench->messages[1].delivered);
}

static void use_two_brokers(struct bench *bench)
{
    char *uris =
        xasprintf("tcp://127.0.0.1:%d,tcp://127.0.0.1:%d", bench->broker.port, bench->broker.port);
    mqtt_uris_fini(&bench->uris);
    assert_int_equal(mqtt_uris_parse(uris, &bench->uris, NULL), ERR_OK);
    free(uris);
}

static void test_other_broker_of_the_list_does_not_know_what_was_held(void **state)
{
    struct bench *bench = *state;
    use_two_brokers(bench);
    hold_and_lose(bench);
    bench_connect(bench, true);
    bench_publish(bench, 9, true, "ON");
    bench_wait_messages(bench, 2);
    assert_false(bench->messages[1].delivered);
}

static void test_other_list_of_brokers_makes_what_was_held_unknown(void **state)
{
    struct bench *bench = *state;
    bench_ready(bench);
    bench_publish(bench, 9, false, "ON");
    bench_wait_messages(bench, 1);
    bench->may_connect = false;
    mqtt_session_drop(bench->session, MQTT_DOWN_PARKED, "test");
    mqtt_session_settled(bench->session, true);
    use_two_brokers(bench);
    mqtt_session_revise(bench->session, true);
    broker_hang_up(&bench->broker);
    bench->may_connect = true;
    bench_connect(bench, true);
    bench_publish(bench, 9, true, "ON");
    bench_wait_messages(bench, 2);
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
    bench_ready(bench);
    for (uint16_t i = 1; i <= 20; i++) {
        bench_publish(bench, i, false, "x");
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
    bench_publish(bench, 9, false, "x");
    bench_wait_messages(bench, 2);
    assert_false(bench->messages[1].duplicate);
    assert_false(bench->messages[1].delivered);
}

static void test_dup_flag_is_read_also_behind_an_odd_client_id(void **state)
{
    struct bench *bench = *state;
    bench->options.client_id = "x received PUBLISH (d0, q1";
    bench_ready(bench);
    bench_publish(bench, 1, true, "x");
    bench_publish(bench, 2, false, "(d1, q1");
    bench_wait_messages(bench, 2);
    assert_true(bench->messages[0].duplicate);
    assert_false(bench->messages[1].duplicate);
}

static void test_takeover_is_told_and_waited_out(void **state)
{
    struct bench *bench = *state;
    bench->options.takeover_wait_ms = 60000;
    bench_ready(bench);
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
    for (unsigned n = 1; n <= 6; n++) {
        mqtt_session_retry_now(bench->session);
        uint64_t before_ms = clock_mono_ms();
        bench_wait_down(bench, n);
        uint64_t next_ms = mqtt_session_deadline(bench->session, true);
        /* A quarter either way of what doubles: the shortest is longer than the longest before. */
        uint64_t wait_ms = 50U << (n - 1);
        assert_true(next_ms >= before_ms + wait_ms - wait_ms / 4);
        assert_true(next_ms <= clock_mono_ms() + wait_ms + wait_ms / 4);
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
    bench->stands_ms = start_ms;
    bench_accept(bench); /* and no CONNACK */
    bench->stands_ms = start_ms + 999;
    bench_silence(bench);
    assert_int_equal(bench->n_down, 0);
    bench->stands_ms = start_ms + 1000;
    bench_turn(bench);
    assert_int_equal(bench->n_down, 1);
    assert_non_null(strstr(bench->down_text, "no answer"));
}

static void test_attempt_can_be_given_up_at_once(void **state)
{
    struct bench *bench = *state;
    bench->stands_ms = clock_mono_ms();
    bench_begin(bench);
    bench_accept(bench); /* and no CONNACK */
    bench->may_connect = false;
    bench_turn(bench);
    assert_int_equal(bench->n_down, 1);
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
        IN_BENCH(test_lost_connack_makes_what_was_held_unknown),
        IN_BENCH(test_other_broker_of_the_list_does_not_know_what_was_held),
        IN_BENCH(test_other_list_of_brokers_makes_what_was_held_unknown),
        IN_BENCH(test_one_read_takes_all_messages_also_with_a_very_long_client_id),
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
