/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a reader share: reader.c (the gate) and reader_events.c (what the session has
 * to say). Thread: the task's. */
#pragma once

#include "worker/base/list.h"
#include "worker/connectors/mqtt_source/reader.h"
#include "worker/connectors/mqtt_source/window.h"

/* Messages of a window after a refused batch. */
#define CAREFUL_WINDOW 32

/* A message that the producer had no room for. */
struct waiting {
    struct list link;
    struct mqtt_message message;
};

/* X(name): how far a session that is given up for good has come; or one of the connector's whose
 * broker has another address now: FETCH, MEET, and unless it is the same broker AGAIN and END at
 * the old one; a MEET that tells nothing is followed by UNDO and FETCH. */
#define LEAVE_PHASES(X)                                                                            \
    X(NOT)   /* it is one of the connector's, at its broker */                                     \
    X(FETCH) /* at the old broker: what is queued there is read */                                 \
    X(MEET) /* at the new one: a session that is there already shows that it is the same broker */ \
    X(UNDO) /* at the new one: ends the session that a MEET has made there too late */             \
    X(DRAIN) /* read, and its filters given up */                                                  \
    X(AGAIN) /* connected anew: some brokers hand out the rest only then */                        \
    X(END)   /* connected with a clean start, so that the broker forgets it */                     \
    X(GONE)  /* done */

enum leave_phase {
#define X(name) LEAVE_##name,
    LEAVE_PHASES(X)
#undef X
};

struct reader {
    const struct task_context *context;
    const struct source_settings *settings;
    struct pipeline *pipeline;
    struct mqtt_options options;
    struct config_list own_filters;
    struct config_list recorded; /* what the session is subscribed to */
    struct config_list leaving;  /* the part of it that the broker may have dropped by now */
    char *client_id;
    int k; /* number of the session; -1: it is given up for good */
    enum leave_phase phase;
    bool phase_over;           /* the connection closes, then the next phase begins */
    uint64_t since_ms;         /* when the first phase began */
    uint64_t began_ms;         /* when this phase began */
    uint64_t tried_ms;         /* since when it finds no broker */
    char *broker;              /* that the session is recorded to be at; NULL: unknown */
    char *begun;               /* another that did not know it, where it is now as well; or NULL */
    struct mqtt_uris old_uris; /* the same, while it moves from there */
    uint64_t parted_ms;        /* when the last connection was ended here; 0: it was not */
    bool stale;                /* that is too long ago to tell a broker by its session */
    bool other;                /* the new broker did not know the session: see begun */
    bool met;                  /* the new broker has granted the subscriptions */
    bool left_behind;          /* the old broker keeps the session: what is next is NOT */
    bool elsewhere;            /* the session at the new broker is not the one that is recorded */
    uint64_t last_ms;          /* when a message came last, or could not be seen to come */
    size_t n_late;             /* messages that the session still brought */
    struct mqtt_session *session;
    struct window *window;
    struct list waiting;
    bool gate_closed;     /* the window waits for its deliveries: nothing is read */
    bool connection_lost; /* the window's messages cannot be acknowledged any more */
    bool doubt;           /* some of them were not delivered: they must come again */
    bool producer_lost;   /* a new producer is needed */
    bool failed;          /* the task has to fail */
    bool subscribed;      /* the filters are to be recorded once they were sent */
    bool parked;
    bool answered;       /* see reader_answered */
    size_t careful;      /* good messages still to come in small windows; 0: windows are large */
    size_t next_careful; /* what the next refusal sets it to */
    struct error error;
    uint64_t failing_ms; /* since when there ought to be a connection and is none; 0: all is well */
    uint64_t stamp_us;   /* when messages came, read now and then */
    bool dropped_known;
    uint64_t n_dropped; /* by the broker, as it said last */
    size_t n_in;        /* since the last metrics */
    size_t n_in_bytes;
    size_t n_duplicate;
    size_t n_absorbed;
};

/* reader_handlers fills in what the session calls. */
void reader_handlers(struct reader *reader, struct mqtt_handlers *ret_handlers);
/* reader_take_result does what the pipeline's answer means. True: the message is taken care of. */
bool reader_take_result(struct reader *reader, enum pipeline_result result);
/* reader_send_waiting tries again what the producer had no room for; reader_forget_waiting leaves
 * it to the broker. */
void reader_send_waiting(struct reader *reader);
void reader_forget_waiting(struct reader *reader);
/* reader_set_options makes the session's options from the settings and the phase. */
void reader_set_options(struct reader *reader);
/* The end of a session for good, and its move to another broker (leaver.c). leaver_look begins the
 * latter if the record tells of another broker. leaver_options leaves out all subscriptions and, at
 * the end, keeps nothing at the broker. leaver_wish returns what to do in place of `wish`,
 * ready as in reader_step; leaver_connected, leaver_subscribed, leaver_refused and leaver_note hear
 * of connections, subscriptions (false: they are not the reader's to record), refusals (false: the
 * reader's business) and messages; leaver_deadline returns when to look again, UINT64_MAX if on
 * events only.
 */
void leaver_look(struct reader *reader);
void leaver_options(struct reader *reader);
enum reader_wish leaver_wish(struct reader *reader, enum reader_wish wish, bool ready,
                             uint64_t now_ms);
void leaver_connected(struct reader *reader, bool session_present);
bool leaver_subscribed(struct reader *reader);
bool leaver_refused(struct reader *reader, const struct mqtt_down *down);
void leaver_note(struct reader *reader, uint64_t now_ms);
uint64_t leaver_deadline(const struct reader *reader, uint64_t now_ms);
/* reader_store_filters records what the session is subscribed to. */
void reader_store_filters(struct reader *reader);
