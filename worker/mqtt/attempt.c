/* SPDX-License-Identifier: Apache-2.0 */
/* One attempt of a session to get a connection: from the name lookup to the CONNACK, and which MQTT
 * version to try. See session_internal.h. */
#include <errno.h>
#include <sys/socket.h>

#include "worker/base/clock.h"
#include "worker/base/macros.h"
#include "worker/mqtt/reason.h"
#include "worker/mqtt/session_steps.h"

/* Closes without CONNACK in a row that make MQTT 5 look unsupported. */
#define SILENT_TRIES 2
#define QOS2_LOG_MS  60000

static bool choose_v5(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->options->version != MQTT_VERSION_AUTO) {
        return session->options->version == MQTT_VERSION_5;
    }
    char broker[300];
    session_broker(session, broker, sizeof(broker));
    switch (version_memory_get(broker, now_ms)) {
    case MQTT_VERSION_5:
        return true;
    case MQTT_VERSION_311:
        return false;
    case MQTT_VERSION_AUTO:
        break;
    }
    return !session->fallback;
}

/* An attempt ended without a CONNACK. A broker that does not know MQTT 5 may close, say nothing at
 * all, or answer with a CONNACK of 3.1.1, which the library cannot read; one that is restarting
 * closes too. So 3.1.1 is tried in between, at once unless it was just a close, and only where no
 * session of this process has met MQTT 5. */
static void note_silence(struct mqtt_session *session, bool just_closed)
{
    if (session->options->version != MQTT_VERSION_AUTO) {
        return;
    }
    if (!session->v5) {
        session->fallback = false;
        session->n_silent = 0;
        return;
    }
    session->n_silent++;
    session->fallback = !just_closed || session->n_silent >= SILENT_TRIES;
}

void attempt_begin(struct mqtt_session *session, uint64_t now_ms)
{
    session->v5 = choose_v5(session, now_ms);
    session->connack_came = false;
    session->attempt_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    session->deadline_ms = session->attempt_ms;
    session->address = 0;
    session->resolve = resolve_start(session_uri(session)->host);
    session_set_state(session, SESSION_RESOLVING, "attempt");
}

static void on_connack(void *arg, const struct link_connack *connack)
{
    struct mqtt_session *session = arg;
    session->connack_came = true;
    session->connack = *connack;
    if (connack->code == 0) {
        /* What was delivered from one broker says nothing about the packet ids of another. */
        bool same = session->uri == session->known_uri;
        redelivery_connected(session->redelivery, same && connack->session_present);
        session->known_uri = session->uri;
    }
}

/* Only a subscription of somebody else with the same client id brings these. The library hands them
 * out when the broker has already been told that they arrived, so they cannot be kept safe. */
static void warn_qos2(struct mqtt_session *session)
{
    unsigned suppressed = 0;
    if (log_limit_pass(&session->qos2_limit, QOS2_LOG_MS, &suppressed)) {
        log_warn(session->options->log, "MQTT-QOS2",
                 "session=\"%s\" hint=\"the session holds QoS 2 messages of another subscription; "
                 "a crash may lose them\" suppressed=%u",
                 session->options->client_id, suppressed);
    }
}

static void on_message(void *arg, const struct mqtt_message *message)
{
    struct mqtt_session *session = arg;
    struct mqtt_message own = *message;
    session->stall_ms = 0;
    session->heard = true;
    session->handed_out = true;
    if (message->qos == 2) {
        warn_qos2(session);
    }
    if (message->qos > 0) {
        uint64_t hash =
            message->oversize > 0
                ? redelivery_hash(message->topic, &message->oversize, sizeof(message->oversize))
                : redelivery_hash(message->topic, message->payload, message->length);
        if (redelivery_held(session->redelivery) == 0) {
            session->held_ms = clock_mono_ms();
        }
        enum redelivery_kind kind =
            redelivery_receive(session->redelivery, message->id, message->duplicate, hash);
        if (kind == REDELIVERY_HELD) {
            session->n_resent++;
            return;
        }
        own.delivered = kind == REDELIVERY_DELIVERED;
    }
    surplus_message(session, message->topic);
    session->handlers.on_message(session->handlers.arg, &own);
}

static void on_unsuback(void *arg, int id)
{
    surplus_unsuback(arg, id);
}

static void on_suback(void *arg, int id, const int *codes, int n_codes)
{
    subscribe_handle(arg, id, codes, n_codes);
}

static void on_published(void *arg, int id, int code)
{
    struct mqtt_session *session = arg;
    session->handlers.on_published(session->handlers.arg, id, code);
}

/* Each address that is left gets as much of the time that is left as any other. */
static uint64_t address_deadline(const struct mqtt_session *session, uint64_t now_ms)
{
    uint64_t left_ms = session->attempt_ms > now_ms ? session->attempt_ms - now_ms : 0;
    return now_ms + left_ms / (session->addresses.n_addresses - session->address);
}

/* Tries the current address; the others of the same host follow without a wait. */
static void connect_address(struct mqtt_session *session, uint64_t now_ms)
{
    const struct mqtt_uri *uri = session_uri(session);
    const struct link_handlers handlers = {
        session,   on_connack,  on_message,
        on_suback, on_unsuback, session->handlers.on_published ? on_published : NULL
    };
    struct error error = { ERR_OK, "" };
    while (session->address < session->addresses.n_addresses) {
        struct link_target target = {
            .host = uri->host,
            .address = session->addresses.address[session->address],
            .port = uri->port,
            .tls = uri->tls,
            .v5 = session->v5,
        };
        enum err err = link_open(session->options, &target, &handlers, &session->link, &error);
        if (err == ERR_OK) {
            session->deadline_ms = address_deadline(session, now_ms);
            session_set_state(session, SESSION_CONNECTING, target.address);
            return;
        }
        if (err == ERR_INVALID) {
            session_end(session, MQTT_DOWN_NETWORK, true, error.text);
            return;
        }
        session->address++;
    }
    session_end(session, MQTT_DOWN_NETWORK, false,
                error.text[0] ? error.text : "cannot be reached");
}

/* Another address follows one that cannot be reached. False: there is none. */
static bool connect_next(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->address + 1 >= session->addresses.n_addresses) {
        return false;
    }
    link_close(TAKE(session->link));
    session->address++;
    connect_address(session, now_ms);
    return true;
}

static void tick_resolving(struct mqtt_session *session, uint64_t now_ms)
{
    if (!resolve_done(session->resolve)) {
        return;
    }
    struct error error = { ERR_OK, "" };
    enum err err = resolve_answer(session->resolve, &session->addresses, &error);
    resolve_drop(TAKE(session->resolve));
    if (err != ERR_OK) {
        session_end(session, MQTT_DOWN_NETWORK, false, error.text);
        return;
    }
    connect_address(session, now_ms);
}

static void greet(struct mqtt_session *session, enum link_end link_end);

static void tick_connecting(struct mqtt_session *session, uint64_t now_ms)
{
    int code = 0;
    socklen_t size = sizeof(code);
    if (getsockopt(link_fd(session->link), SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    if (code == 0) {
        session->deadline_ms = session->attempt_ms;
        session_set_state(session, SESSION_GREETING, "TCP connected");
        greet(session, link_established(session->link));
        return;
    }
    if (!connect_next(session, now_ms)) {
        session_end(session, MQTT_DOWN_NETWORK, false, strerror(code));
    }
}

static void refuse(struct mqtt_session *session)
{
    int code = session->connack.code;
    char text[200];
    (void)snprintf(text, sizeof(text), "the broker refused the connection: %s (%s%d)",
                   mqtt_reason_text(code, session->v5), session->v5 ? "MQTT 5 reason " : "code ",
                   code);
    enum mqtt_verdict verdict = mqtt_connack_verdict(code, session->v5);
    if (verdict == MQTT_VERDICT_VERSION && session->v5 &&
        session->options->version == MQTT_VERSION_AUTO) {
        session->fallback = true;
        session_end(session, MQTT_DOWN_BROKER, false, text);
        session->next_ms = clock_mono_ms();
        return;
    }
    bool refused = verdict == MQTT_VERDICT_REFUSED || verdict == MQTT_VERDICT_VERSION;
    session_end(session, MQTT_DOWN_BROKER, refused, text);
}

static void accepted(struct mqtt_session *session)
{
    uint64_t now_ms = clock_mono_ms();
    char broker[300];
    session_broker(session, broker, sizeof(broker));
    /* 3.1.1 that was asked for says nothing about what the broker can do. */
    if (session->v5 || session->options->version == MQTT_VERSION_AUTO) {
        version_memory_set(broker, session->v5 ? MQTT_VERSION_5 : MQTT_VERSION_311, now_ms);
    }
    session->n_silent = 0;
    session->fallback = false;
    session->connected_ms = now_ms;
    session->written_ms = now_ms;
    session->misc_ms = now_ms + SESSION_MISC_MS;
    session->deadline_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    session_set_state(session, SESSION_SUBSCRIBING, "accepted");
    session->no_share = false;
    session->watching = false;
    session->heard = true;
    char text[200];
    if (!limits_check(session, text, sizeof(text))) {
        session_end(session, MQTT_DOWN_BROKER, true, text);
        return;
    }
    subscribe_begin(session);
    log_info(session->options->log, "MQTT-CONNECTED",
             "session=\"%s\" broker=%s version=%s session_present=%d keepalive_s=%d mode=%s",
             session->options->client_id, broker, session->v5 ? "5" : "3.1.1",
             session->connack.session_present, session->connack.keepalive_s,
             session->exclusive ? "exclusive" : "shared");
    session->handlers.on_connected(session->handlers.arg, session->connack.session_present);
    /* Where nothing has to be subscribed to, it is ready now. */
    (void)session_review(session, LINK_OPEN);
}

/* Looks at the outcome of a step of the greeting. */
static void greet(struct mqtt_session *session, enum link_end link_end)
{
    if (session->connack_came && session->connack.code != 0) {
        refuse(session);
    } else if (link_end != LINK_OPEN) {
        if (!session->connack_came) {
            note_silence(session, !link_garbled(session->link));
        }
        session_end_lost(session);
    } else if (session->connack_came) {
        accepted(session);
    }
}

static void attempt_timed_out(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->state == SESSION_CONNECTING && connect_next(session, now_ms)) {
        return;
    }
    char text[128];
    (void)snprintf(text, sizeof(text), "no answer within %d s (%s)",
                   session->options->connect_timeout_s, session_state_name(session->state));
    if (session->state == SESSION_GREETING) {
        note_silence(session, false);
    }
    session_end(session, MQTT_DOWN_NETWORK, false, text);
}

void attempt_tick(struct mqtt_session *session, uint64_t now_ms, bool may_connect, bool ready)
{
    if (!may_connect) {
        session_end(session, MQTT_DOWN_ASKED, false, "the attempt was given up");
        return;
    }
    if (session->state == SESSION_RESOLVING) {
        tick_resolving(session, now_ms);
    } else if (ready && session->state == SESSION_CONNECTING) {
        tick_connecting(session, now_ms);
    } else if (ready && session->state == SESSION_GREETING) {
        greet(session, link_greet(session->link));
    }
    bool attempting = session->state != SESSION_IDLE && !session_is_connected(session);
    if (attempting && now_ms >= session->deadline_ms) {
        attempt_timed_out(session, now_ms);
    }
}
