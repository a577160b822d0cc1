/* SPDX-License-Identifier: Apache-2.0 */
/* A session on a workbench: options, handlers that record, a scripted broker, and turns of both. */
#pragma once

#include "tests/support/fake_broker.h"
#include "worker/mqtt/session.h"

#define BENCH_MESSAGES 256

struct seen_message {
    char topic[64];
    size_t length;
    uint16_t id;
    bool duplicate;
    bool delivered;
};

struct bench {
    struct fake_broker broker;
    struct mqtt_uris uris;
    struct config_list shared;
    struct config_list own;
    struct config_list recorded;
    struct mqtt_options options;
    struct mqtt_session *session;
    bool may_connect;
    uint64_t stands_ms; /* the session is told this time, however late it is; 0: the clock's */
    size_t room;        /* messages that may still be handed out */
    struct seen_message messages[BENCH_MESSAGES];
    size_t n_messages;
    unsigned n_connected;
    unsigned n_subscribed;
    bool keeps;           /* what may_give_up answers no for */
    char subscribed[256]; /* filters of the last on_subscribed, joined by " " */
    bool session_present;
    unsigned n_down;
    enum mqtt_down_reason down_reason;
    bool down_refused;
    char down_text[256];
};

/* bench_open and bench_close are a test's setup and teardown: options for a session that nobody has
 * begun; bench_begin makes the session. */
int bench_open(void **state);
int bench_close(void **state);
#define IN_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_open, bench_close)
void bench_begin(struct bench *bench);

/* bench_turn lets the session do what is due, waiting up to 5 ms for something to happen. */
void bench_turn(struct bench *bench);
/* bench_packet waits for the next packet of the client; fails the test if none comes in time. */
enum packet_type bench_packet(struct bench *bench);
/* bench_silence takes some turns in which the client must not send anything. */
void bench_silence(struct bench *bench);
/* bench_only_pubacks takes some turns in which it may acknowledge what it has, and nothing else. */
void bench_only_pubacks(struct bench *bench);
/* bench_accept waits for a connection and its CONNECT. */
void bench_accept(struct bench *bench);
/* bench_connect does that and accepts it and its subscription, up to READY. */
void bench_connect(struct bench *bench, bool present);
/* bench_ready begins, and does that with a new session. */
void bench_ready(struct bench *bench);
/* bench_publish sends the client a message for topic "a" at QoS 1. */
void bench_publish(struct bench *bench, uint16_t id, bool duplicate, const char *text);
/* bench_wait_messages waits until n messages were handed out in all; bench_wait_down for n ends. */
void bench_wait_messages(struct bench *bench, size_t n);
void bench_wait_down(struct bench *bench, unsigned n);
/* bench_release releases, as an owner does whose deliveries are all in. */
size_t bench_release(struct bench *bench);
