/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of an MQTT session share: session.c (life and states) and those of its steps. See
 * session_steps.h. */
#pragma once

#include "worker/mqtt/link.h"
#include "worker/mqtt/redelivery.h"
#include "worker/mqtt/resolve.h"
#include "worker/mqtt/session.h"

/* Between two looks at the keep alive. */
#define SESSION_MISC_MS 1000

/* X(name): the states of a session. */
#define SESSION_STATES(X)                                                                          \
    X(IDLE)        /* no connection; the next attempt may begin at next_ms */                      \
    X(RESOLVING)   /* the host name is being looked up */                                          \
    X(CONNECTING)  /* TCP connects */                                                              \
    X(GREETING)    /* TLS handshake, CONNECT; waits for the CONNACK */                             \
    X(SUBSCRIBING) /* accepted; messages may come */                                               \
    X(READY)       /* all filters are subscribed to */                                             \
    X(CLOSING)     /* DISCONNECT waits for the socket to take what is before it */

enum session_state {
#define X(name) SESSION_##name,
    SESSION_STATES(X)
#undef X
    SESSION_STATE_N
};

/* A SUBSCRIBE that waits for its SUBACK. */
struct subscribe_request {
    int id; /* 0: none */
    size_t first;
    size_t n_filters;
    int n_tries;
};

/* X(name): what becomes of the filters that are subscribed to and not wanted any more. */
#define SURPLUS_STATES(X)                                                                          \
    X(NONE)  /* there are none */                                                                  \
    X(WAITS) /* until the wanted ones are granted */                                               \
    X(DRAIN) /* what the broker has queued for them is to come first */                            \
    X(ASKED) /* UNSUBSCRIBE is on its way */                                                       \
    X(LATER) /* the broker did not answer yet: tried again on the next connection */

enum surplus_state {
#define X(name) SURPLUS_##name,
    SURPLUS_STATES(X)
#undef X
};

struct mqtt_session {
    const struct mqtt_options *options;
    struct mqtt_handlers handlers;
    enum session_state state;
    struct link *link; /* CONNECTING and later */
    struct redelivery *redelivery;

    /* the attempt */
    struct resolve *resolve;
    struct resolve_answer addresses;
    size_t address;       /* index of the one tried */
    size_t uri;           /* index of the one tried */
    size_t known_uri;     /* of the one that answered last; SIZE_MAX: it is in the list no more */
    bool v5;              /* the version tried */
    bool fallback;        /* the next attempt uses 3.1.1 */
    unsigned n_silent;    /* MQTT 5 attempts in a row that ended without a CONNACK */
    unsigned n_failures;  /* in a row */
    unsigned n_takeovers; /* in a row */
    unsigned n_early;     /* connections in a row that the broker closed soon and unsaid */
    uint64_t next_ms;
    uint64_t attempt_ms;  /* end of the attempt */
    uint64_t deadline_ms; /* of its step, of the SUBACKs, of the goodbye */
    struct log_limit down_limit;
    struct log_limit qos2_limit;

    /* the connection */
    bool connack_came;
    bool heard;             /* a message came since the last look */
    uint64_t silent_ms;     /* since when none came, as far as was looked */
    uint64_t nudge_wait_ms; /* until a share group is asked for again */
    bool watching;          /* options->watch is subscribed to on this connection */
    bool expiry_told;       /* that the broker gives less than was asked for */
    struct link_connack connack;
    uint64_t connected_ms;
    uint64_t written_ms;
    uint64_t misc_ms;  /* next keep-alive check */
    bool more;         /* the last read ended for want of room */
    bool handed_out;   /* messages since the last release */
    bool listens;      /* the last poll waited for messages: that none came means something */
    bool left_alone;   /* it did not, although none wait for a release: the owner wants none now */
    uint64_t stall_ms; /* when silence is suspicious; 0: it is not */
    uint64_t stall_wait_ms;
    uint64_t held_ms; /* when the first of the held messages came */
    uint64_t late_ms; /* when copies of what was acknowledged late stop to be expected; 0: none */
    size_t n_resent;  /* copies of held messages, see mqtt_session_take_resent */

    /* subscriptions */
    bool exclusive;     /* the mode that holds on this connection */
    bool no_share;      /* the broker said so in a SUBACK */
    bool share_refused; /* it ended a connection for it */
    bool revised;       /* the lists of the options have changed */
    bool unproven;      /* `wanted` is held by what was recorded: no SUBSCRIBE was sent yet */
    struct config_list wanted;
    struct config_list asked; /* in the SUBSCRIBEs under way, or to be in them after the drain */
    struct config_list surplus;
    struct config_list leaving; /* the part of the surplus that the UNSUBSCRIBE names */
    struct config_list unsure;  /* named in one that was not answered: held by the broker or not */
    enum surplus_state surplus_state;
    int unsubscribe_id;
    bool drained;        /* the surplus goes as soon as `asked` is granted */
    bool drain_matched;  /* a message of the surplus came since the last release */
    uint64_t dry_ms;     /* when the socket was seen empty last */
    uint64_t quiet_ms;   /* drained when nothing of the surplus comes until then */
    uint64_t looked_ms;  /* of the last tick of DRAIN or ASKED */
    uint64_t give_up_ms; /* end of the drain, or of the wait for the UNSUBACK once it was sent */
    struct subscribe_request *requests;
    size_t n_requests;
    size_t n_granted;
    bool subscribe_failed;
    bool subscribe_refused;
    char subscribe_text[256];
};

/* session_set_state is the one place that changes the state. */
void session_set_state(struct mqtt_session *session, enum session_state state, const char *reason);
const char *session_state_name(enum session_state state);
/* session_end ends connection or attempt, schedules the next one and tells the owner; the link is
 * gone afterwards. session_end_lost does it for a link that was lost. */
void session_end(struct mqtt_session *session, enum mqtt_down_reason reason, bool refused,
                 const char *text);
void session_end_lost(struct mqtt_session *session);
/* session_review looks at the outcome of a step on a connection. False: it has ended. */
bool session_review(struct mqtt_session *session, enum link_end link_end);
bool session_is_connected(const struct mqtt_session *session);
/* session_uri returns the broker that is tried; session_broker writes it as text. */
const struct mqtt_uri *session_uri(const struct mqtt_session *session);
void session_broker(const struct mqtt_session *session, char *text, size_t size);
