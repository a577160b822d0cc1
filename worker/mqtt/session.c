/* SPDX-License-Identifier: Apache-2.0 */
/* Life and states of an MQTT session. See session.h and README.md. */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/reason.h"
#include "worker/mqtt/session_steps.h"

#define BACKOFF_MIN_MS     50
#define BACKOFF_MAX_MS     30000
#define TAKEOVER_SPREAD_MS 250
/* The longest wait after a takeover; how many in a row mean that the other client is no worker that
 * is giving way; how long a connection must last to end the row. */
#define TAKEOVER_MAX_MS    300000
#define TAKEOVER_LIMIT     7
#define TAKEOVER_STABLE_MS 300000
/* Brokers that send again on the same connection do so after 5 to 30 s. */
#define RESEND_MIN_MS 2000
#define RESEND_MAX_MS 60000
/* Added to the wait when the broker asks for rest. */
#define LATER_MS  5000
#define STABLE_MS 10000 /* a connection that lasted this long ends a row of failures */
/* So many connections in a row that the broker closed unsaid, soon after it had accepted them, look
 * like another client with the same client id: 3.1.1 has no word for a takeover. */
#define EARLY_LIMIT  5
#define GOODBYE_MS   2000
#define STALL_MS     10000
#define STALL_MAX_MS 600000
#define DOWN_LOG_MS  30000
#define PATIENCE_MS  30000 /* when the broker asks for no keep alive */

static const char *const state_names[] = {
#define X(name) #name,
    SESSION_STATES(X)
#undef X
};

const char *session_state_name(enum session_state state)
{
    return state_names[state];
}

/* Rows: from. Every state may end in IDLE. */
static const bool allowed[SESSION_STATE_N][SESSION_STATE_N] = {
    [SESSION_IDLE] = { [SESSION_RESOLVING] = true },
    [SESSION_RESOLVING] = { [SESSION_IDLE] = true, [SESSION_CONNECTING] = true },
    [SESSION_CONNECTING] = { [SESSION_IDLE] = true,
                             [SESSION_CONNECTING] = true,
                             [SESSION_GREETING] = true },
    [SESSION_GREETING] = { [SESSION_IDLE] = true, [SESSION_SUBSCRIBING] = true },
    [SESSION_SUBSCRIBING] = { [SESSION_IDLE] = true,
                              [SESSION_READY] = true,
                              [SESSION_CLOSING] = true },
    [SESSION_READY] = { [SESSION_IDLE] = true,
                        [SESSION_SUBSCRIBING] = true,
                        [SESSION_CLOSING] = true },
    [SESSION_CLOSING] = { [SESSION_IDLE] = true },
};

void session_set_state(struct mqtt_session *session, enum session_state state, const char *reason)
{
    ASSERT(allowed[session->state][state]);
    log_debug(session->options->log, "MQTT-STATE", "session=\"%s\" from=%s to=%s reason=\"%s\"",
              session->options->client_id, state_names[session->state], state_names[state], reason);
    session->state = state;
}

struct mqtt_session *mqtt_session_new(const struct mqtt_options *options,
                                      const struct mqtt_handlers *handlers)
{
    struct mqtt_session *session = xcalloc(1, sizeof(*session));
    session->options = options;
    session->handlers = *handlers;
    session->redelivery = redelivery_new();
    session->stall_wait_ms = STALL_MS;
    return session;
}

void mqtt_session_free(struct mqtt_session *session)
{
    if (!session) {
        return;
    }
    link_close(session->link);
    resolve_drop(session->resolve);
    redelivery_free(session->redelivery);
    free(session->requests);
    config_list_fini(&session->wanted);
    config_list_fini(&session->asked);
    config_list_fini(&session->surplus);
    config_list_fini(&session->leaving);
    config_list_fini(&session->unsure);
    free(session);
}

const struct mqtt_uri *session_uri(const struct mqtt_session *session)
{
    return &session->options->uris->items[session->uri];
}

void session_broker(const struct mqtt_session *session, char *text, size_t size)
{
    mqtt_uri_format(session_uri(session), text, size);
}

bool session_is_connected(const struct mqtt_session *session)
{
    return session->state == SESSION_SUBSCRIBING || session->state == SESSION_READY ||
           session->state == SESSION_CLOSING;
}

/* ---- ends ---- */

/* Doubles from BACKOFF_MIN_MS, once for each round through the list of brokers; spread by a quarter
 * either way, so that sessions do not come back in step. It begins short: a broker that restarts
 * may forget shared subscriptions, and throws messages away until a session subscribes again. */
static uint64_t backoff_ms(const struct mqtt_session *session)
{
    size_t rounds = session->n_failures / session->options->uris->n_items;
    uint64_t wait = BACKOFF_MAX_MS;
    if (rounds < 10) {
        wait = (uint64_t)BACKOFF_MIN_MS << rounds;
    }
    return wait - wait / 4 + arc4random_uniform((uint32_t)(wait / 2));
}

static uint64_t takeover_wait_ms(struct mqtt_session *session)
{
    uint64_t wait = session->options->takeover_wait_ms;
    for (unsigned i = 0; i < session->n_takeovers && wait < TAKEOVER_MAX_MS; i++) {
        wait *= 2;
    }
    session->n_takeovers++;
    return wait + arc4random_uniform(TAKEOVER_SPREAD_MS);
}

/* When the broker said that nothing is wrong, or that it has no shared subscriptions, which the
 * next connection does without. */
static bool goes_on_at_once(struct mqtt_session *session, const struct mqtt_down *down,
                            uint64_t lasted_ms)
{
    enum mqtt_farewell farewell = mqtt_farewell(down->code);
    if (farewell == MQTT_FAREWELL_NO_SHARE && !down->refused) {
        session->share_refused = true;
        return true;
    }
    return farewell == MQTT_FAREWELL_AT_ONCE && lasted_ms > STABLE_MS;
}

static void schedule(struct mqtt_session *session, const struct mqtt_down *down, uint64_t lasted_ms,
                     uint64_t now_ms)
{
    session->next_ms = now_ms;
    switch (down->reason) {
    case MQTT_DOWN_TAKEOVER:
        session->next_ms += takeover_wait_ms(session);
        return;
    case MQTT_DOWN_PARKED:
    case MQTT_DOWN_STALL:
    case MQTT_DOWN_ASKED:
        return;
    case MQTT_DOWN_BROKER:
        if (goes_on_at_once(session, down, lasted_ms)) {
            return;
        }
        break;
    case MQTT_DOWN_NETWORK:
    case MQTT_DOWN_DROPPED:
        break;
    }
    session->next_ms += backoff_ms(session);
    session->next_ms += mqtt_farewell(down->code) == MQTT_FAREWELL_LATER ? LATER_MS : 0;
    session->n_failures++;
    session->uri = (session->uri + 1) % session->options->uris->n_items;
}

static void log_down(struct mqtt_session *session, const struct mqtt_down *down, uint64_t now_ms)
{
    unsigned suppressed = 0;
    uint64_t wait_ms = session->next_ms > now_ms ? session->next_ms - now_ms : 0;
    if (down->reason == MQTT_DOWN_TAKEOVER) {
        log_warn(session->options->log, "MQTT-TAKEN-OVER",
                 "session=\"%s\" broker=%s times=%u retry_ms=%llu hint=\"a worker that has been "
                 "given the session, or a foreign client with the same client id\"",
                 session->options->client_id, down->broker, session->n_takeovers,
                 (unsigned long long)wait_ms);
        return;
    }
    if (down->reason == MQTT_DOWN_ASKED ||
        !log_limit_pass(&session->down_limit, DOWN_LOG_MS, &suppressed)) {
        return;
    }
    log_warn(session->options->log, "MQTT-DOWN",
             "session=\"%s\" broker=%s reason=\"%s\" retry_ms=%llu suppressed=%u",
             session->options->client_id, down->broker, down->text, (unsigned long long)wait_ms,
             suppressed);
}

/* Ends the rows of failures that a connection of this age ends, and counts on the others. */
static void note_age(struct mqtt_session *session, const struct mqtt_down *down, uint64_t lasted_ms)
{
    if (lasted_ms > STABLE_MS) {
        session->n_failures = 0;
    }
    if (lasted_ms > TAKEOVER_STABLE_MS) {
        session->n_takeovers = 0;
    }
    bool unsaid = down->reason == MQTT_DOWN_BROKER && down->code == 0;
    session->n_early = unsaid && lasted_ms <= STABLE_MS ? session->n_early + 1 : 0;
}

/* The text of an end, with what a row of such ends means. */
static void explain(struct mqtt_session *session, const struct mqtt_down *ended, char *text,
                    size_t size)
{
    static const char mend[] = "give one of them another name or mqtt.client.id.prefix";
    if (ended->reason == MQTT_DOWN_TAKEOVER && session->n_takeovers >= TAKEOVER_LIMIT) {
        (void)snprintf(text, size,
                       "another client keeps taking over the session with client id %.100s (%u "
                       "times in a row): %s",
                       session->options->client_id, session->n_takeovers + 1, mend);
    } else if (session->n_early >= EARLY_LIMIT) {
        (void)snprintf(text, size,
                       "%.150s, %u times in a row soon after it was accepted; if another client "
                       "uses the client id %.100s, %s",
                       ended->text, session->n_early, session->options->client_id, mend);
    } else {
        (void)snprintf(text, size, "%s", ended->text);
    }
}

static void end(struct mqtt_session *session, const struct mqtt_down *ended)
{
    struct mqtt_down down = *ended;
    uint64_t now_ms = clock_mono_ms();
    uint64_t lasted_ms = 0;
    down.connected = session_is_connected(session);
    if (down.connected) {
        lasted_ms = now_ms - session->connected_ms;
        note_age(session, &down, lasted_ms);
    }
    char text[400];
    explain(session, ended, text, sizeof(text));
    down.text = text;
    down.refused = ended->refused ||
                   (down.reason == MQTT_DOWN_TAKEOVER && session->n_takeovers >= TAKEOVER_LIMIT);
    link_close(TAKE(session->link));
    resolve_drop(TAKE(session->resolve));
    /* A broker that has accepted may have sent, even if its CONNACK was not seen. */
    if (down.connected || session->state == SESSION_GREETING) {
        redelivery_lost(session->redelivery);
        if (down.reason == MQTT_DOWN_TAKEOVER) {
            /* The other client may have acknowledged them, and their ids may mean others now. */
            redelivery_settled(session->redelivery, false);
        }
    }
    session->more = false;
    session->handed_out = false;
    session->stall_ms = 0;
    session_set_state(session, SESSION_IDLE, text);
    char broker[300];
    session_broker(session, broker, sizeof(broker));
    down.broker = broker;
    schedule(session, &down, lasted_ms, now_ms);
    log_down(session, &down, now_ms);
    session->handlers.on_down(session->handlers.arg, &down);
}

void session_end(struct mqtt_session *session, enum mqtt_down_reason reason, bool refused,
                 const char *text)
{
    struct mqtt_down down = { .reason = reason, .refused = refused, .text = text };
    end(session, &down);
}

/* What a lost link means. */
void session_end_lost(struct mqtt_session *session)
{
    int code = link_reason(session->link);
    enum mqtt_farewell farewell = mqtt_farewell(code);
    bool may_do_without = session->options->mode == MQTT_MODE_AUTO && !session->share_refused;
    struct mqtt_down down = {
        .reason = farewell == MQTT_FAREWELL_TAKEN_OVER ? MQTT_DOWN_TAKEOVER : MQTT_DOWN_BROKER,
        .refused = farewell == MQTT_FAREWELL_REFUSED ||
                   (farewell == MQTT_FAREWELL_NO_SHARE && !may_do_without),
        .code = code,
        .text = link_text(session->link),
    };
    end(session, &down);
}

/* ---- the connection ---- */

/* After any step on a connection: what the callbacks noted. False: it has ended. */
static bool review(struct mqtt_session *session, enum link_end link_end)
{
    if (link_end != LINK_OPEN) {
        session_end_lost(session);
        return false;
    }
    if (session->subscribe_failed) {
        session_end(session, MQTT_DOWN_BROKER, session->subscribe_refused, session->subscribe_text);
        return false;
    }
    if (session->state == SESSION_SUBSCRIBING && subscribe_complete(session)) {
        session_set_state(session, SESSION_READY, "subscribed");
        if (session->options->watch && !session->watching) {
            session->watching = true;
            link_watch(session->link, session->options->watch);
        }
        surplus_granted(session, clock_mono_ms());
    }
    return true;
}

bool session_review(struct mqtt_session *session, enum link_end link_end)
{
    return review(session, link_end);
}

static void check_stall(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->stall_ms == 0 || now_ms < session->stall_ms ||
        redelivery_held(session->redelivery) > 0) {
        return;
    }
    /* A suspicion that proves wrong costs a reconnect; it comes more and more rarely. */
    session->stall_wait_ms *= 4;
    if (session->stall_wait_ms > STALL_MAX_MS) {
        session->stall_wait_ms = STALL_MAX_MS;
    }
    session_end(session, MQTT_DOWN_STALL, false,
                "nothing came after a full window: the broker may have miscounted it");
}

static void goodbye(struct mqtt_session *session, uint64_t now_ms)
{
    enum link_end link_end = link_blocked(session->link) ? link_write(session->link) : LINK_OPEN;
    if (link_end == LINK_OPEN && link_blocked(session->link) && now_ms < session->deadline_ms) {
        return;
    }
    if (link_end == LINK_OPEN && !link_blocked(session->link)) {
        (void)link_goodbye(session->link);
    }
    session_end(session, MQTT_DOWN_ASKED, false, "disconnected");
}

static void tick_connected(struct mqtt_session *session, uint64_t now_ms, bool ready)
{
    if (session->state == SESSION_CLOSING) {
        goodbye(session, now_ms);
        return;
    }
    if (ready && link_blocked(session->link) && !review(session, link_write(session->link))) {
        return;
    }
    surplus_tick(session, now_ms, ready);
    if (now_ms < session->misc_ms) {
        return;
    }
    session->misc_ms = now_ms + SESSION_MISC_MS;
    if (!review(session, link_misc(session->link))) {
        return;
    }
    if (session->state == SESSION_SUBSCRIBING && now_ms >= session->deadline_ms) {
        session_end(session, MQTT_DOWN_BROKER, false, "no SUBACK came");
        return;
    }
    check_stall(session, now_ms);
    if (session_is_connected(session)) {
        subscribe_nudge(session, now_ms);
    }
}

void mqtt_session_tick(struct mqtt_session *session, uint64_t now_ms, bool may_connect, bool ready)
{
    if (session->state == SESSION_IDLE && may_connect && now_ms >= session->next_ms) {
        attempt_begin(session, now_ms);
    }
    if (session_is_connected(session)) {
        tick_connected(session, now_ms, ready);
    } else if (session->state != SESSION_IDLE) {
        attempt_tick(session, now_ms, may_connect, ready);
    }
}

void mqtt_session_poll(struct mqtt_session *session, bool want_read, struct pollfd *ret_poll)
{
    *ret_poll = (struct pollfd){ .fd = -1 };
    session->listens = false;
    session->left_alone = !want_read && !session->handed_out;
    switch (session->state) {
    case SESSION_IDLE:
        return;
    case SESSION_RESOLVING:
        ret_poll->fd = resolve_fd(session->resolve);
        ret_poll->events = POLLIN;
        return;
    case SESSION_CONNECTING:
        ret_poll->events = POLLOUT;
        break;
    case SESSION_GREETING:
        ret_poll->events = POLLIN;
        break;
    case SESSION_SUBSCRIBING:
    case SESSION_READY:
    case SESSION_CLOSING:
    case SESSION_STATE_N:
        ret_poll->events = want_read ? POLLIN : 0;
        break;
    }
    /* What follows blocked output must not be read: its PUBACKs would leave with the rest. */
    if (link_blocked(session->link) && session_is_connected(session)) {
        ret_poll->events = POLLOUT;
    }
    session->listens = session_is_connected(session) && (ret_poll->events & POLLIN);
    if (ret_poll->events) {
        ret_poll->fd = link_fd(session->link);
    }
}

bool mqtt_session_listens(const struct mqtt_session *session)
{
    return session->listens;
}

uint64_t mqtt_session_deadline(const struct mqtt_session *session, bool may_connect)
{
    if (session->state == SESSION_IDLE) {
        return may_connect ? session->next_ms : UINT64_MAX;
    }
    if (session->state == SESSION_READY || session->state == SESSION_SUBSCRIBING) {
        uint64_t surplus_ms = surplus_deadline(session);
        return surplus_ms < session->misc_ms ? surplus_ms : session->misc_ms;
    }
    return session->deadline_ms;
}

bool mqtt_session_more(const struct mqtt_session *session)
{
    return session_is_connected(session) && session->more && !link_blocked(session->link);
}

void mqtt_session_read(struct mqtt_session *session)
{
    if (!session_is_connected(session) || link_blocked(session->link)) {
        return;
    }
    session->more = false;
    bool progress = true;
    while (progress && session->state != SESSION_CLOSING) {
        if (!session->handlers.has_room(session->handlers.arg)) {
            session->more = true;
            return;
        }
        if (!review(session, link_read(session->link, &progress))) {
            return;
        }
    }
}

/* The acknowledgements of all that is held are about to leave. */
static void note_acked(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->late_ms > 0 && now_ms >= session->late_ms) {
        session->late_ms = 0;
        redelivery_forget_late(session->redelivery);
    }
    bool settled = !session->connack.session_present ||
                   session->held_ms >= session->connected_ms + RESEND_MAX_MS;
    bool held = redelivery_held(session->redelivery) > 0;
    if (held && settled && now_ms >= session->held_ms + RESEND_MIN_MS) {
        session->late_ms = now_ms + RESEND_MAX_MS;
        redelivery_acked_late(session->redelivery);
    } else {
        redelivery_acked(session->redelivery);
    }
}

size_t mqtt_session_release(struct mqtt_session *session, uint64_t now_ms)
{
    if (!session_is_connected(session)) {
        return 0;
    }
    size_t n = redelivery_held(session->redelivery);
    /* From here on the broker may have seen them. */
    note_acked(session, now_ms);
    session->handed_out = false;
    if (link_wants_write(session->link)) {
        session->written_ms = now_ms;
    }
    if (session->state == SESSION_SUBSCRIBING) {
        session->deadline_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    }
    surplus_release(session, now_ms);
    if (n >= (size_t)session->options->receive_maximum) {
        session->stall_ms = now_ms + session->stall_wait_ms;
    }
    (void)review(session, link_write(session->link));
    return n;
}

bool mqtt_session_wants_release(const struct mqtt_session *session)
{
    return session_is_connected(session) && session->state != SESSION_CLOSING &&
           !link_blocked(session->link) && link_wants_write(session->link);
}

void mqtt_session_drop(struct mqtt_session *session, enum mqtt_down_reason reason, const char *text)
{
    if (session->state != SESSION_IDLE) {
        session_end(session, reason, false, text);
    }
}

void mqtt_session_settled(struct mqtt_session *session, bool delivered)
{
    redelivery_settled(session->redelivery, delivered);
}

void mqtt_session_disconnect(struct mqtt_session *session, uint64_t now_ms)
{
    if (!session_is_connected(session)) {
        mqtt_session_drop(session, MQTT_DOWN_ASKED, "the attempt was given up");
        return;
    }
    if (session->state == SESSION_CLOSING) {
        return;
    }
    (void)mqtt_session_release(session, now_ms);
    if (session_is_connected(session)) {
        session->deadline_ms = now_ms + GOODBYE_MS;
        session_set_state(session, SESSION_CLOSING, "asked to disconnect");
        goodbye(session, now_ms);
    }
}

void mqtt_session_revise(struct mqtt_session *session, bool anew)
{
    session->revised = true;
    if (anew) {
        ASSERT(session->state == SESSION_IDLE);
        session->uri = 0;
        session->known_uri = SIZE_MAX;
        session->n_failures = 0;
        session->n_silent = 0;
        session->fallback = false;
        session->next_ms = 0;
    }
}

void mqtt_session_retry_now(struct mqtt_session *session)
{
    session->next_ms = 0;
}

bool mqtt_session_idle(const struct mqtt_session *session)
{
    return session->state == SESSION_IDLE;
}

bool mqtt_session_connected(const struct mqtt_session *session)
{
    return session_is_connected(session);
}

bool mqtt_session_v5(const struct mqtt_session *session)
{
    return session->v5;
}

size_t mqtt_session_held(const struct mqtt_session *session)
{
    return redelivery_held(session->redelivery);
}

size_t mqtt_session_take_resent(struct mqtt_session *session)
{
    size_t n = session->n_resent;
    session->n_resent = 0;
    return n;
}

uint64_t mqtt_session_park_at(const struct mqtt_session *session, uint64_t held_ms)
{
    uint64_t keepalive_ms = (uint64_t)session->connack.keepalive_s * 1000;
    if (keepalive_ms == 0) {
        return held_ms + PATIENCE_MS;
    }
    /* The broker waits one and a half keep alives for the next packet (MQTT 5, 3.1.2.10). */
    uint64_t by_age = held_ms + keepalive_ms / 2;
    uint64_t by_silence = session->written_ms + keepalive_ms + keepalive_ms / 4;
    return by_age < by_silence ? by_age : by_silence;
}
