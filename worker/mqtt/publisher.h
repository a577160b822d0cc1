/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipelined publisher on top of a session without subscriptions: many messages on their way at a
 * time, never more than the broker's Receive Maximum. What is unacknowledged when a connection
 * ends is published again on the next one, in the same order and before anything newer; so a
 * message may arrive twice, and the first arrivals keep their order. The session at the broker
 * always begins clean: a packet id that the broker remembers from an earlier connection would make
 * it drop a new QoS 2 message for a repeated one.
 *
 * The owner polls as with a session. No call blocks. Thread: one, the owner's.
 */
#pragma once

#include "worker/mqtt/publication.h"
#include "worker/mqtt/session.h"

struct mqtt_publisher;

enum mqtt_publish_result {
    MQTT_PUBLISHED,         /* acknowledged, or at QoS 0 written */
    MQTT_PUBLISH_UNMATCHED, /* acknowledged, and nobody has subscribed (0x10) */
    MQTT_PUBLISH_REFUSED,   /* the broker, or a limit of its CONNACK, refused this message */
    MQTT_PUBLISH_FORGOTTEN, /* mqtt_publisher_forget */
};

/* Called within mqtt_publisher_tick and mqtt_publisher_flush only. */
struct mqtt_publisher_handlers {
    void *arg;
    /* The publication is the owner's again. why: a text if it was refused, with the code. */
    void (*on_done)(void *arg, struct mqtt_publication *publication,
                    enum mqtt_publish_result result, const struct error *why);
    /* So many messages will be sent again. */
    void (*on_again)(void *arg, size_t n_messages);
    void (*on_connected)(void *arg, const struct mqtt_limits *limits);
    void (*on_down)(void *arg, const struct mqtt_down *down);
};

struct mqtt_publisher_options {
    size_t window; /* most messages on their way; the broker's limit holds as well */
    /* A connection that acknowledges nothing for so long is given up; 0: never. */
    uint64_t timeout_ms;
    /* A message that is refused for no fault of its own, as with code 0x80, is sent again for so
     * long; -1: for ever. */
    int64_t retry_ms;
    uint64_t retry_max_ms; /* longest wait between two tries; 0: the built-in one */
};

/* mqtt_publisher_new makes a publisher that is not connected. options is borrowed for its life; its
 * session must be clean and without filters. */
struct mqtt_publisher *mqtt_publisher_new(const struct mqtt_options *options,
                                          const struct mqtt_publisher_options *publishing,
                                          const struct mqtt_publisher_handlers *handlers);
/* mqtt_publisher_free drops the connection and frees; publications are the owner's again without a
 * word. Takes NULL. */
void mqtt_publisher_free(struct mqtt_publisher *publisher);

/* mqtt_publisher_send takes a publication; on_done follows, sooner or later. */
void mqtt_publisher_send(struct mqtt_publisher *publisher, struct mqtt_publication *publication);
/* mqtt_publisher_forget makes sure that a publication is not sent any more: on_done comes at once
 * if it is not on its way, else with its acknowledgement or the end of the connection. */
void mqtt_publisher_forget(struct mqtt_publisher *publisher, struct mqtt_publication *publication);

/* mqtt_publisher_tick does what is due: connecting (only with may_connect), reading
 * acknowledgements, time-outs. ready tells that the descriptor of mqtt_publisher_poll came up. */
void mqtt_publisher_tick(struct mqtt_publisher *publisher, uint64_t now_ms, bool may_connect,
                         bool ready);
/* mqtt_publisher_flush sends what waits, as far as window and socket take it. */
void mqtt_publisher_flush(struct mqtt_publisher *publisher, uint64_t now_ms);
/* mqtt_publisher_poll and mqtt_publisher_deadline are as those of a session. */
void mqtt_publisher_poll(const struct mqtt_publisher *publisher, struct pollfd *ret_poll);
uint64_t mqtt_publisher_deadline(const struct mqtt_publisher *publisher, bool may_connect);

/* mqtt_publisher_disconnect sends DISCONNECT; on_down follows. What is unacknowledged waits for the
 * next connection. */
void mqtt_publisher_disconnect(struct mqtt_publisher *publisher, uint64_t now_ms);
/* mqtt_publisher_idle tells whether there is neither a connection nor an attempt at one;
 * mqtt_publisher_connected whether the broker has accepted one. */
bool mqtt_publisher_idle(const struct mqtt_publisher *publisher);
bool mqtt_publisher_connected(const struct mqtt_publisher *publisher);
/* mqtt_publisher_sent returns the number of messages on their way. */
size_t mqtt_publisher_sent(const struct mqtt_publisher *publisher);
/* mqtt_publisher_window returns how many may be, at least 1: as configured, or less where the
 * broker says so. */
size_t mqtt_publisher_window(const struct mqtt_publisher *publisher);
