/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An MQTT session that acknowledges late: messages are handed out as they arrive, and their PUBACKs
 * stay in the library until mqtt_session_release, which the owner calls only while everything that
 * was handed out is safe. Nothing else here ever writes while messages are held back, because
 * whatever the library writes goes out behind their PUBACKs and takes them along.
 *
 * The owner polls: it asks for descriptor and deadline, calls mqtt_session_tick when either comes
 * up, and mqtt_session_read to take messages. No call blocks. Thread: one, the owner's.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/log.h"
#include "worker/base/trail.h"
#include "worker/mqtt/uri.h"
#include "worker/mqtt/version_memory.h"

struct mqtt_session;

enum mqtt_mode {
    MQTT_MODE_AUTO,
    MQTT_MODE_SHARED,
    MQTT_MODE_EXCLUSIVE
};

struct mqtt_tls {
    const char *ca; /* PEM file; NULL: the system's */
    const char *cert;
    const char *key;
    const char *key_password;
    const char *alpn;
    bool insecure; /* no check of chain and host name */
};

/* How a session behaves; everything is borrowed for the session's life, or until the owner puts
 * something else in its place and says so with mqtt_session_revise. */
struct mqtt_options {
    const char *client_id;
    const struct mqtt_uris *uris;
    const char *username; /* NULL: none */
    const char *password;
    enum mqtt_version version;
    bool clean;        /* the session ends with the connection */
    uint32_t expiry_s; /* MQTT 5 */
    int keepalive_s;
    int connect_timeout_s;
    int receive_maximum;
    size_t max_packet;         /* bytes; larger messages come without their payload; 0: none */
    int qos;                   /* of subscriptions: 0 or 1 */
    uint32_t takeover_wait_ms; /* before a session that was taken over is claimed back */
    const int *stop_fd;        /* mqtt_end_session only: see there; NULL: none */
    struct mqtt_tls tls;
    enum mqtt_mode mode;
    const char *watch; /* a topic of the broker's own, subscribed to at QoS 0; NULL: none */
    const struct config_list *shared;   /* filters in shared mode; NULL: no subscriptions at all */
    const struct config_list *own;      /* filters in exclusive mode */
    const struct config_list *recorded; /* subscribed to in an earlier life, may be NULL */
    const struct config_list *leaving;  /* of these: perhaps given up since; may be NULL */
    const struct log_ctx *log;
};

struct mqtt_message {
    const char *topic;
    const void *payload; /* never NULL */
    size_t length;
    uint16_t id; /* 0 at QoS 0 */
    int qos;
    bool retained;
    bool duplicate;     /* DUP was set */
    uint64_t oversize;  /* bytes of a packet larger than max_packet: no payload; else 0 */
    bool delivered;     /* known to be delivered before: must not be delivered again */
    struct trail trail; /* where it has been; empty if nobody says */
};

/* Why a connection ended; the order is that of the metric's label values. */
enum mqtt_down_reason {
    MQTT_DOWN_BROKER,   /* the broker closed or refused it */
    MQTT_DOWN_NETWORK,  /* could not be made, or broke */
    MQTT_DOWN_TAKEOVER, /* another client came with the same client id */
    MQTT_DOWN_PARKED,   /* the owner dropped it because deliveries take too long */
    MQTT_DOWN_STALL,    /* the broker had stopped sending */
    MQTT_DOWN_DROPPED,  /* the owner dropped it for a failed delivery */
    MQTT_DOWN_ASKED,    /* mqtt_session_disconnect is done */
};

struct mqtt_down {
    enum mqtt_down_reason reason;
    bool connected; /* there was a connection that had been accepted */
    bool refused;   /* retrying cannot mend it */
    int code;       /* of the broker's DISCONNECT; 0: none came */
    const char *broker;
    const char *text;
};

struct mqtt_handlers {
    void *arg;
    /* A message; its PUBACK is held. Must not call back into the session. */
    void (*on_message)(void *arg, const struct mqtt_message *message);
    /* Whether the owner can take another message now. */
    bool (*has_room)(void *arg);
    /* All filters that are wanted were granted, or some that are not wanted were given up:
     * `filters` is all that the session is subscribed to now. */
    void (*on_subscribed)(void *arg, const struct config_list *filters);
    /* `filters` are being given up, or were without an answer: nobody may count on them until the
     * next on_subscribed, which says what is left. NULL: of no interest. */
    void (*on_leaving)(void *arg, const struct config_list *filters);
    /* Whether a filter that is not wanted any more can be given up now; NULL: always. */
    bool (*may_give_up)(void *arg, const char *filter);
    /* Accepted, and nothing subscribed to yet: mqtt_session_drop may be called here. */
    void (*on_connected)(void *arg, bool session_present);
    void (*on_down)(void *arg, const struct mqtt_down *down);
    /* As link_handlers.on_published; NULL for a session that only reads. */
    void (*on_published)(void *arg, int id, int code);
};

/* mqtt_session_new makes a session that is not connected. */
struct mqtt_session *mqtt_session_new(const struct mqtt_options *options,
                                      const struct mqtt_handlers *handlers);
/* mqtt_session_free drops the connection without a word and frees. Takes NULL. */
void mqtt_session_free(struct mqtt_session *session);

/* mqtt_session_tick does what is due: connecting (only with may_connect), time-outs, keep alive.
 * ready tells that the descriptor of mqtt_session_poll came up. */
void mqtt_session_tick(struct mqtt_session *session, uint64_t now_ms, bool may_connect, bool ready);
/* mqtt_session_poll fills in descriptor and events, fd -1 if there is nothing to wait for.
 * want_read false: messages are to stay in the socket. */
void mqtt_session_poll(struct mqtt_session *session, bool want_read, struct pollfd *ret_poll);
/* mqtt_session_listens tells whether the last mqtt_session_poll waited for messages. */
bool mqtt_session_listens(const struct mqtt_session *session);
/* mqtt_session_deadline returns when the next tick is due, UINT64_MAX if never. */
uint64_t mqtt_session_deadline(const struct mqtt_session *session, bool may_connect);
/* mqtt_session_more tells whether messages may wait in buffers, where poll cannot see them. */
bool mqtt_session_more(const struct mqtt_session *session);
/* mqtt_session_read hands out messages until there is no room or nothing comes. */
void mqtt_session_read(struct mqtt_session *session);
/* mqtt_session_release sends all acknowledgements that are held, and what waits behind them. Only
 * while everything that was handed out is delivered. Returns the number of acknowledgements. */
size_t mqtt_session_release(struct mqtt_session *session, uint64_t now_ms);
/* mqtt_session_wants_release tells whether there is something to send. */
bool mqtt_session_wants_release(const struct mqtt_session *session);

/* mqtt_session_drop closes the socket without sending anything: the broker keeps the session and
 * all that is unacknowledged. on_down follows at once if it was connected or connecting. */
void mqtt_session_drop(struct mqtt_session *session, enum mqtt_down_reason reason,
                       const char *text);
/* mqtt_session_settled says what became of the messages that were held when the connection ended:
 * all delivered, or in doubt. Until then no new connection may be made. */
void mqtt_session_settled(struct mqtt_session *session, bool delivered);
/* mqtt_session_disconnect sends DISCONNECT, keeping the session; only while nothing is held or
 * everything held is delivered. Drops an attempt to connect. on_down follows. */
void mqtt_session_disconnect(struct mqtt_session *session, uint64_t now_ms);
/* mqtt_session_revise says that the owner has changed the options: the lists of filters, which a
 * connection that stands follows by SUBSCRIBE and UNSUBSCRIBE; and with anew, which needs a session
 * that is idle, any but the client id. */
void mqtt_session_revise(struct mqtt_session *session, bool anew);
/* mqtt_session_retry_now forgets the wait before the next attempt. */
void mqtt_session_retry_now(struct mqtt_session *session);

/* mqtt_session_idle tells whether there is neither a connection nor an attempt at one. */
bool mqtt_session_idle(const struct mqtt_session *session);
/* mqtt_session_connected tells whether the broker has accepted the connection. */
bool mqtt_session_connected(const struct mqtt_session *session);
/* mqtt_session_v5 tells whether the present or last connection speaks MQTT 5. */
bool mqtt_session_v5(const struct mqtt_session *session);
/* mqtt_session_held returns the number of messages whose PUBACK is held. */
size_t mqtt_session_held(const struct mqtt_session *session);
/* mqtt_session_take_resent returns how many copies of messages that are still held the broker has
 * sent since the last call; they were not handed out. */
size_t mqtt_session_take_resent(struct mqtt_session *session);
/* mqtt_session_park_at returns until when messages that are held since held_ms may stay so: then
 * the connection should be dropped, before the broker does it because it hears nothing. */
uint64_t mqtt_session_park_at(const struct mqtt_session *session, uint64_t held_ms);

/* mqtt_end_session connects with a clean start, so that the broker forgets the session, and
 * disconnects. Blocks up to timeout_ms, or until options->stop_fd is readable. Errors:
 * ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_UNAUTHORIZED. */
enum err mqtt_end_session(const struct mqtt_options *options, int timeout_ms,
                          struct error *reterr) MUST_CHECK;
