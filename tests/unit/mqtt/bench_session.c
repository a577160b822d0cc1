/* SPDX-License-Identifier: Apache-2.0 */
/* A session on a workbench. See bench_session.h. */
#include "tests/unit/mqtt/bench_session.h"

#include <string.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"

#define PATIENCE_MS 20000

static void on_message(void *arg, const struct mqtt_message *message)
{
    struct bench *bench = arg;
    assert_true(bench->n_messages < BENCH_MESSAGES);
    struct seen_message *seen = &bench->messages[bench->n_messages++];
    (void)snprintf(seen->topic, sizeof(seen->topic), "%s", message->topic);
    seen->length = message->length;
    seen->id = message->id;
    seen->duplicate = message->duplicate;
    seen->delivered = message->delivered;
    bench->room -= bench->room > 0;
}

static bool has_room(void *arg)
{
    const struct bench *bench = arg;
    return bench->room > 0;
}

static void on_subscribed(void *arg, const struct config_list *filters)
{
    struct bench *bench = arg;
    bench->n_subscribed++;
    bench->subscribed[0] = '\0';
    for (size_t i = 0; i < filters->n_items; i++) {
        size_t at = strlen(bench->subscribed);
        (void)snprintf(bench->subscribed + at, sizeof(bench->subscribed) - at, "%s%s",
                       i == 0 ? "" : " ", filters->items[i]);
    }
}

static void on_connected(void *arg, bool session_present)
{
    struct bench *bench = arg;
    bench->n_connected++;
    bench->session_present = session_present;
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct bench *bench = arg;
    bench->n_down++;
    bench->down_reason = down->reason;
    bench->down_refused = down->refused;
    (void)snprintf(bench->down_text, sizeof(bench->down_text), "%s", down->text);
}

int bench_open(void **state)
{
    struct bench *bench = xcalloc(1, sizeof(*bench));
    broker_open(&bench->broker);
    char *uri = xasprintf("tcp://127.0.0.1:%d", bench->broker.port);
    assert_int_equal(mqtt_uris_parse(uri, &bench->uris, NULL), ERR_OK);
    free(uri);
    config_list_split("$share/g/a", &bench->shared);
    config_list_split("a", &bench->own);
    bench->options = (struct mqtt_options){
        .client_id = "bench",
        .uris = &bench->uris,
        .version = MQTT_VERSION_5,
        .expiry_s = 3600,
        .keepalive_s = 60,
        .connect_timeout_s = 5,
        .receive_maximum = 100,
        .qos = 1,
        .takeover_wait_ms = 100,
        .mode = MQTT_MODE_AUTO,
        .shared = &bench->shared,
        .own = &bench->own,
        .recorded = &bench->recorded,
    };
    bench->room = SIZE_MAX;
    bench->may_connect = true;
    *state = bench;
    return 0;
}

static bool may_give_up(void *arg, const char *filter UNUSED)
{
    const struct bench *bench = arg;
    return !bench->keeps;
}

void bench_begin(struct bench *bench)
{
    const struct mqtt_handlers handlers = {
        .arg = bench,
        .on_message = on_message,
        .has_room = has_room,
        .on_subscribed = on_subscribed,
        .may_give_up = may_give_up,
        .on_connected = on_connected,
        .on_down = on_down,
    };
    bench->session = mqtt_session_new(&bench->options, &handlers);
}

int bench_close(void **state)
{
    struct bench *bench = *state;
    mqtt_session_free(bench->session);
    broker_close(&bench->broker);
    mqtt_uris_fini(&bench->uris);
    config_list_fini(&bench->shared);
    config_list_fini(&bench->own);
    config_list_fini(&bench->recorded);
    free(bench);
    return 0;
}

void bench_turn(struct bench *bench)
{
    struct pollfd fd;
    mqtt_session_poll(bench->session, bench->room > 0, &fd);
    int n = poll(&fd, 1, 5);
    uint64_t now_ms = bench->stands_ms ? bench->stands_ms : clock_mono_ms();
    mqtt_session_tick(bench->session, now_ms, bench->may_connect, n > 0);
    if (bench->room > 0) {
        mqtt_session_read(bench->session);
    }
}

enum packet_type bench_packet(struct bench *bench)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    while (clock_mono_ms() < deadline_ms) {
        enum packet_type type = broker_next(&bench->broker);
        if (type != PACKET_NONE) {
            return type;
        }
        bench_turn(bench);
    }
    fail_msg("no packet came");
    return PACKET_NONE;
}

void bench_silence(struct bench *bench)
{
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
        assert_int_equal(broker_next(&bench->broker), PACKET_NONE);
    }
}

void bench_only_pubacks(struct bench *bench)
{
    for (int i = 0; i < 20; i++) {
        bench_turn(bench);
        enum packet_type type = broker_next(&bench->broker);
        assert_true(type == PACKET_NONE || type == PACKET_PUBACK);
    }
}

void bench_accept(struct bench *bench)
{
    uint64_t deadline_ms = clock_mono_ms() + PATIENCE_MS;
    while (!broker_accept(&bench->broker)) {
        bench_turn(bench);
        assert_true(clock_mono_ms() < deadline_ms);
    }
    assert_int_equal(bench_packet(bench), PACKET_CONNECT);
}

size_t bench_release(struct bench *bench)
{
    return mqtt_session_release(bench->session, clock_mono_ms());
}

/* Waits for a condition of the bench. */
#define WAIT_FOR(bench, condition)                                                                 \
    do {                                                                                           \
        uint64_t wait_deadline_ms = clock_mono_ms() + PATIENCE_MS;                                 \
        while (!(condition)) {                                                                     \
            bench_turn(bench);                                                                     \
            assert_true(clock_mono_ms() < wait_deadline_ms);                                       \
        }                                                                                          \
    } while (0)

void bench_connect(struct bench *bench, bool present)
{
    bool v5 = bench->options.version == MQTT_VERSION_5;
    unsigned n_subscribed = bench->n_subscribed;
    bench_accept(bench);
    broker_connack(&bench->broker, v5, present, 0, NULL, 0);
    WAIT_FOR(bench, mqtt_session_wants_release(bench->session));
    (void)bench_release(bench);
    assert_int_equal(bench_packet(bench), PACKET_SUBSCRIBE);
    broker_suback(&bench->broker, v5, broker_id(&bench->broker), 1);
    WAIT_FOR(bench, bench->n_subscribed > n_subscribed);
}

void bench_ready(struct bench *bench)
{
    bench_begin(bench);
    bench_connect(bench, false);
}

void bench_publish(struct bench *bench, uint16_t id, bool duplicate, const char *text)
{
    broker_publish(&bench->broker, true, id, duplicate, "a", text, strlen(text));
}

void bench_wait_messages(struct bench *bench, size_t n)
{
    WAIT_FOR(bench, bench->n_messages >= n);
}

void bench_wait_down(struct bench *bench, unsigned n)
{
    WAIT_FOR(bench, bench->n_down >= n);
}
