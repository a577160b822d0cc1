/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the publisher against a scripted broker: what is sent when, and what becomes of it. */
#include <string.h>

#include "tests/support/fake_broker.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/publisher.h"

#define N_PUBLICATIONS 16
#define PACKET_PUBLISH 3
#define TURNS          4000

struct fixture {
    struct fake_broker broker;
    struct mqtt_uris uris;
    struct mqtt_options options;
    struct mqtt_publisher_options publishing;
    struct mqtt_publisher *publisher;
    struct mqtt_publication publications[N_PUBLICATIONS];
    char topics[N_PUBLICATIONS][8];
    struct {
        char topic[8];
        enum mqtt_publish_result result;
        enum err code;
    } done[64];
    size_t n_done;
    size_t n_again;
    unsigned n_connected;
    unsigned n_down;
    bool down_refused;
    struct mqtt_limits limits;
};

static void on_done(void *arg, struct mqtt_publication *publication,
                    enum mqtt_publish_result result, const struct error *why)
{
    struct fixture *fixture = arg;
    (void)snprintf(fixture->done[fixture->n_done].topic, 8, "%s", publication->topic);
    fixture->done[fixture->n_done].result = result;
    fixture->done[fixture->n_done++].code = why ? why->code : ERR_OK;
}

static void on_again(void *arg, size_t n)
{
    struct fixture *fixture = arg;
    fixture->n_again += n;
}

static void on_connected(void *arg, const struct mqtt_limits *limits)
{
    struct fixture *fixture = arg;
    fixture->n_connected++;
    fixture->limits = *limits;
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct fixture *fixture = arg;
    fixture->n_down++;
    fixture->down_refused = down->refused;
}

static void begin(struct fixture *fixture)
{
    const struct mqtt_publisher_handlers handlers = { fixture, on_done, on_again, on_connected,
                                                      on_down };
    fixture->publisher = mqtt_publisher_new(&fixture->options, &fixture->publishing, &handlers);
}

static int set_up(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    broker_open(&fixture->broker);
    CLEANUP(free_charp) char *uri = xasprintf("127.0.0.1:%d", fixture->broker.port);
    struct error error;
    assert_int_equal(mqtt_uris_parse(uri, &fixture->uris, &error), ERR_OK);
    fixture->options = (struct mqtt_options){
        .client_id = "pub",
        .uris = &fixture->uris,
        .version = MQTT_VERSION_5,
        .clean = true,
        .keepalive_s = 60,
        .connect_timeout_s = 10,
        .receive_maximum = 1,
    };
    fixture->publishing = (struct mqtt_publisher_options){ .window = 4 };
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    mqtt_publisher_free(fixture->publisher);
    mqtt_uris_fini(&fixture->uris);
    broker_close(&fixture->broker);
    test_free(fixture);
    return 0;
}

static void turn(struct fixture *fixture)
{
    struct pollfd poll_fd;
    mqtt_publisher_poll(fixture->publisher, &poll_fd);
    bool ready = poll(&poll_fd, 1, 2) > 0;
    mqtt_publisher_tick(fixture->publisher, clock_mono_ms(), true, ready);
}

/* The next packet of the client; PACKET_NONE if none comes in some turns. */
static int packet(struct fixture *fixture, int turns)
{
    for (int i = 0; i < turns; i++) {
        turn(fixture);
        int type = (int)broker_next(&fixture->broker);
        if (type != PACKET_NONE) {
            return type;
        }
    }
    return PACKET_NONE;
}

static void connect_with(struct fixture *fixture, const void *properties, size_t n)
{
    for (int i = 0; i < TURNS && !broker_accept(&fixture->broker); i++) {
        turn(fixture);
    }
    assert_int_equal(packet(fixture, TURNS), PACKET_CONNECT);
    broker_connack(&fixture->broker, true, false, 0, properties, n);
    unsigned before = fixture->n_connected;
    for (int i = 0; i < TURNS && fixture->n_connected == before; i++) {
        turn(fixture);
    }
    assert_int_equal(fixture->n_connected, before + 1);
}

static struct mqtt_publication *send_one(struct fixture *fixture, size_t i, int qos)
{
    struct mqtt_publication *publication = &fixture->publications[i];
    (void)snprintf(fixture->topics[i], 8, "t%zu", i);
    *publication = (struct mqtt_publication){
        .topic = fixture->topics[i], .payload = "payload", .length = 7, .qos = qos
    };
    list_init(&publication->link);
    mqtt_publisher_send(fixture->publisher, publication);
    return publication;
}

/* Takes a PUBLISH and tells its topic's number; its packet id goes to ret_id. */
static int take(struct fixture *fixture, uint16_t *ret_id)
{
    assert_int_equal(packet(fixture, TURNS), PACKET_PUBLISH);
    const unsigned char *body = fixture->broker.body;
    size_t length = (size_t)(body[0] << 8 | body[1]);
    assert_int_equal(body[2], 't');
    char number[8] = "";
    memcpy(number, body + 3, length - 1);
    *ret_id = (uint16_t)(body[2 + length] << 8 | body[3 + length]);
    return (int)strtol(number, NULL, 10);
}

static void puback(struct fixture *fixture, uint16_t id, int code)
{
    const unsigned char bytes[] = {
        0x40, 4, (unsigned char)(id >> 8), (unsigned char)(id & 255), (unsigned char)code, 0
    };
    broker_send(&fixture->broker, bytes, sizeof(bytes));
}

static void wait_done(struct fixture *fixture, size_t n)
{
    for (int i = 0; i < TURNS && fixture->n_done < n; i++) {
        turn(fixture);
    }
    assert_int_equal(fixture->n_done, n);
}

static void assert_silent(struct fixture *fixture)
{
    assert_int_equal(packet(fixture, 20), PACKET_NONE);
}

static void test_a_publication_is_done_with_its_puback(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    send_one(fixture, 1, 1);
    connect_with(fixture, NULL, 0);
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 1);
    assert_int_equal(fixture->n_done, 0);
    puback(fixture, id, 0);
    wait_done(fixture, 1);
    assert_int_equal(fixture->done[0].result, MQTT_PUBLISHED);
}

static void test_no_more_are_on_their_way_than_the_window(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < 6; i++) {
        send_one(fixture, i, 1);
    }
    uint16_t ids[6];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take(fixture, &ids[i]), i);
    }
    assert_silent(fixture);
    puback(fixture, ids[0], 0);
    assert_int_equal(take(fixture, &ids[4]), 4);
    assert_silent(fixture);
}

static void test_receive_maximum_of_the_broker_holds(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, "\x21\0\1", 3);
    send_one(fixture, 0, 1);
    send_one(fixture, 1, 1);
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 0);
    assert_silent(fixture);
    puback(fixture, id, 0);
    assert_int_equal(take(fixture, &id), 1);
}

static void test_after_a_lost_connection_the_same_come_again_first_and_in_order(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < 6; i++) {
        send_one(fixture, i, 1);
    }
    uint16_t ids[6];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take(fixture, &ids[i]), i);
    }
    puback(fixture, ids[0], 0);
    wait_done(fixture, 1);
    assert_int_equal(take(fixture, &ids[4]), 4);
    broker_hang_up(&fixture->broker);
    connect_with(fixture, NULL, 0);
    assert_int_equal(fixture->n_again, 4);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(take(fixture, &ids[i]), i);
        puback(fixture, ids[i], 0);
    }
    assert_int_equal(take(fixture, &ids[5]), 5);
    puback(fixture, ids[5], 0);
    wait_done(fixture, 6);
}

static void test_codes_of_a_puback(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        int code;
        enum mqtt_publish_result result;
        enum err err;
    } rows[] = {
        { 0x10, MQTT_PUBLISH_UNMATCHED, ERR_OK },     { 0x87, MQTT_PUBLISH_REFUSED, ERR_REJECTED },
        { 0x90, MQTT_PUBLISH_REFUSED, ERR_REJECTED }, { 0x95, MQTT_PUBLISH_REFUSED, ERR_TOO_LARGE },
        { 0x80, MQTT_PUBLISH_REFUSED, ERR_REJECTED },
    };
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
        uint16_t id = 0;
        send_one(fixture, i, 1);
        assert_int_equal(take(fixture, &id), (int)i);
        puback(fixture, id, rows[i].code);
        wait_done(fixture, i + 1);
        assert_int_equal(fixture->done[i].result, rows[i].result);
        assert_int_equal(fixture->done[i].code, rows[i].err);
    }
}

static void test_a_message_without_room_goes_again_alone_and_first(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < 6; i++) {
        send_one(fixture, i, 1);
    }
    uint16_t ids[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take(fixture, &ids[i]), i);
    }
    puback(fixture, ids[0], 0x97);
    puback(fixture, ids[1], 0x97);
    puback(fixture, ids[2], 0);
    wait_done(fixture, 1);
    assert_silent(fixture); /* the last one on its way is waited for */
    puback(fixture, ids[3], 0);
    wait_done(fixture, 2);
    assert_int_equal(take(fixture, &ids[0]), 0);
    assert_silent(fixture);
    puback(fixture, ids[0], 0);
    assert_int_equal(take(fixture, &ids[1]), 1);
    assert_int_equal(fixture->n_again, 2);
}

static void test_an_unclear_refusal_is_tried_again_while_that_is_wanted(void **state)
{
    struct fixture *fixture = *state;
    fixture->publishing.retry_ms = -1;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    send_one(fixture, 0, 1);
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 0);
    puback(fixture, id, 0x80);
    assert_int_equal(take(fixture, &id), 0);
    puback(fixture, id, 0);
    wait_done(fixture, 1);
    assert_int_equal(fixture->done[0].result, MQTT_PUBLISHED);
}

static void test_a_packet_larger_than_the_broker_takes_is_not_sent(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, "\x27\0\0\0\x10", 5); /* Maximum Packet Size 16 */
    send_one(fixture, 0, 1);
    send_one(fixture, 1, 1)->length = 3;
    uint16_t id = 0;
    /* 2 + 2 + 2 + 2 + 1 + 7 = 16 bytes fit: fixed header, topic, id, properties, payload. */
    assert_int_equal(take(fixture, &id), 0);
    puback(fixture, id, 0);
    assert_int_equal(take(fixture, &id), 1);
    puback(fixture, id, 0);
    wait_done(fixture, 2);
    static char large[8] = "8 bytes";
    struct mqtt_publication *publication = send_one(fixture, 2, 1);
    publication->payload = large;
    publication->length = 8;
    wait_done(fixture, 3);
    assert_int_equal(fixture->done[2].result, MQTT_PUBLISH_REFUSED);
    assert_int_equal(fixture->done[2].code, ERR_TOO_LARGE);
    assert_silent(fixture);
}

static void test_maximum_qos_of_the_broker_lowers_the_messages(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, "\x24\0", 2);
    assert_int_equal(fixture->limits.max_qos, 0);
    send_one(fixture, 0, 1);
    wait_done(fixture, 1);
    assert_int_equal(packet(fixture, TURNS), PACKET_PUBLISH);
    assert_int_equal(fixture->broker.flags & 6, 0);
}

static void test_a_message_that_ends_connections_is_found(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < 3; i++) {
        send_one(fixture, i, 1);
    }
    uint16_t id = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(fixture, &id), i);
    }
    /* The second is too large for the broker, which says so by ending the connection. */
    broker_disconnect(&fixture->broker, 0x95);
    broker_hang_up(&fixture->broker);
    connect_with(fixture, NULL, 0);
    assert_int_equal(take(fixture, &id), 0);
    assert_silent(fixture);
    puback(fixture, id, 0);
    assert_int_equal(take(fixture, &id), 1);
    broker_disconnect(&fixture->broker, 0x95);
    broker_hang_up(&fixture->broker);
    connect_with(fixture, NULL, 0);
    assert_int_equal(take(fixture, &id), 2);
    puback(fixture, id, 0);
    wait_done(fixture, 3);
    assert_int_equal(fixture->done[1].result, MQTT_PUBLISH_REFUSED);
    assert_string_equal(fixture->done[1].topic, "t1");
    assert_int_equal(fixture->done[1].code, ERR_TOO_LARGE);
    assert_false(fixture->down_refused);
}

static void test_a_forgotten_message_is_not_sent_again(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    for (size_t i = 0; i < 5; i++) {
        send_one(fixture, i, 1);
    }
    uint16_t id = 0;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(take(fixture, &id), i);
    }
    mqtt_publisher_forget(fixture->publisher, &fixture->publications[4]);
    assert_int_equal(fixture->n_done, 1); /* it was not on its way */
    mqtt_publisher_forget(fixture->publisher, &fixture->publications[0]);
    assert_int_equal(fixture->n_done, 1);
    broker_hang_up(&fixture->broker);
    connect_with(fixture, NULL, 0);
    assert_int_equal(take(fixture, &id), 1);
    assert_int_equal(fixture->n_done, 2);
    assert_int_equal(fixture->done[1].result, MQTT_PUBLISH_FORGOTTEN);
}

static void test_a_connection_that_acknowledges_nothing_is_made_anew(void **state)
{
    struct fixture *fixture = *state;
    fixture->publishing.timeout_ms = 50;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    send_one(fixture, 0, 1);
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 0);
    for (int i = 0; i < TURNS && fixture->n_down == 0; i++) {
        turn(fixture);
    }
    assert_int_equal(fixture->n_down, 1);
    broker_hang_up(&fixture->broker);
    connect_with(fixture, NULL, 0);
    assert_int_equal(take(fixture, &id), 0);
}

static void test_qos_2_is_done_with_the_last_packet(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture);
    connect_with(fixture, NULL, 0);
    send_one(fixture, 0, 2);
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 0);
    const unsigned char pubrec[] = { 0x50, 2, (unsigned char)(id >> 8), (unsigned char)(id & 255) };
    broker_send(&fixture->broker, pubrec, sizeof(pubrec));
    assert_int_equal(packet(fixture, TURNS), 6); /* PUBREL */
    assert_int_equal(fixture->n_done, 0);
    const unsigned char pubcomp[] = { 0x70, 2, (unsigned char)(id >> 8),
                                      (unsigned char)(id & 255) };
    broker_send(&fixture->broker, pubcomp, sizeof(pubcomp));
    wait_done(fixture, 1);
}

static void test_properties_go_with_the_message(void **state)
{
    struct fixture *fixture = *state;
    static const struct mqtt_user_property user[] = { { "k", "v" } };
    begin(fixture);
    connect_with(fixture, NULL, 0);
    struct mqtt_publication *publication = send_one(fixture, 0, 1);
    publication->expiry_s = 7;
    publication->content_type = "c";
    publication->response_topic = "r";
    publication->correlation = "\1";
    publication->correlation_length = 1;
    publication->user = user;
    publication->n_user = 1;
    publication->retained = true;
    uint16_t id = 0;
    assert_int_equal(take(fixture, &id), 0);
    const unsigned char *body = fixture->broker.body;
    size_t n = fixture->broker.n_body;
    assert_non_null(memmem(body, n, "\x02\0\0\0\7", 5));
    assert_non_null(memmem(body, n, "\x03\0\1c", 4));
    assert_non_null(memmem(body, n, "\x08\0\1r", 4));
    assert_non_null(memmem(body, n, "\x09\0\1\1", 4));
    assert_non_null(memmem(body, n, "\x26\0\1k\0\1v", 7));
    assert_int_equal(fixture->broker.flags & 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_publication_is_done_with_its_puback, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_are_on_their_way_than_the_window, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_receive_maximum_of_the_broker_holds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_after_a_lost_connection_the_same_come_again_first_and_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes_of_a_puback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_message_without_room_goes_again_alone_and_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_unclear_refusal_is_tried_again_while_that_is_wanted,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_packet_larger_than_the_broker_takes_is_not_sent,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_maximum_qos_of_the_broker_lowers_the_messages, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_message_that_ends_connections_is_found, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_forgotten_message_is_not_sent_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_connection_that_acknowledges_nothing_is_made_anew,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_qos_2_is_done_with_the_last_packet, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_properties_go_with_the_message, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
