/* SPDX-License-Identifier: Apache-2.0 */
/* Subscriptions of a session: after every CONNECT, also when the session was present, since some
 * brokers say so and have lost them. See session_internal.h. */
#include "worker/base/mem.h"
#include "worker/mqtt/filter_list.h"
#include "worker/mqtt/reason.h"
#include "worker/mqtt/session_steps.h"

/* Some brokers take no more filters in one packet. */
#define FILTERS_PER_PACKET 8
/* Silence after which a share group is asked for again; doubles up to the latter. */
#define NUDGE_MS     4000
#define NUDGE_MAX_MS 600000
/* How often a packet id that the broker holds for in use is replaced by another one. */
#define ID_TRIES 8

static bool use_exclusive(const struct mqtt_session *session)
{
    switch (session->options->mode) {
    case MQTT_MODE_SHARED:
        return false;
    case MQTT_MODE_EXCLUSIVE:
        return true;
    case MQTT_MODE_AUTO:
        break;
    }
    /* A 3.1.1 broker may grant a shared subscription and never deliver to it. */
    return !session->v5 || !session->connack.shared_available || session->no_share ||
           session->share_refused;
}

static void fail(struct mqtt_session *session, bool refused, const char *text)
{
    session->subscribe_failed = true;
    session->subscribe_refused = refused;
    (void)snprintf(session->subscribe_text, sizeof(session->subscribe_text), "%s", text);
}

/* MQTT 5, 3.8: fixed header, packet id and no properties; then each filter with length and options.
 * What the broker's Maximum Packet Size does not allow the library refuses to send. */
size_t subscribe_fitting(const struct mqtt_session *session, const struct config_list *filters,
                         size_t first)
{
    size_t most = session->connack.limits.max_packet;
    size_t n_bytes = 5 + 2 + 1;
    size_t n = 0;
    while (first + n < filters->n_items && n < FILTERS_PER_PACKET) {
        n_bytes += 2 + strlen(filters->items[first + n]) + 1;
        if (most > 0 && n_bytes > most) {
            break;
        }
        n++;
    }
    return n;
}

static void fail_too_large(struct mqtt_session *session, const char *filter)
{
    char text[224];
    (void)snprintf(text, sizeof(text),
                   "the subscription to %.100s does not fit the broker's Maximum Packet Size of %u "
                   "bytes",
                   filter, (unsigned)session->connack.limits.max_packet);
    fail(session, true, text);
}

static void request(struct mqtt_session *session, struct subscribe_request *request)
{
    request->n_tries++;
    request->id = link_subscribe(session->link, session->asked.items + request->first,
                                 (int)request->n_filters);
    if (request->id == 0) {
        fail(session, false, "the SUBSCRIBE could not be queued");
    }
}

const struct config_list *subscribe_mode_list(struct mqtt_session *session)
{
    session->exclusive = use_exclusive(session);
    return session->exclusive ? session->options->own : session->options->shared;
}

void subscribe_queue(struct mqtt_session *session)
{
    session->subscribe_failed = false;
    session->n_granted = 0;
    free(TAKE(session->requests));
    size_t n = session->asked.n_items;
    session->n_requests = 0;
    session->requests = xcalloc(n + 1, sizeof(*session->requests));
    for (size_t first = 0; first < n && !session->subscribe_failed;) {
        size_t fitting = subscribe_fitting(session, &session->asked, first);
        if (fitting == 0) {
            fail_too_large(session, session->asked.items[first]);
            return;
        }
        struct subscribe_request *next = &session->requests[session->n_requests++];
        next->first = first;
        next->n_filters = fitting;
        request(session, next);
        first += fitting;
    }
}

/* Whether a SUBSCRIBE now would only make the broker send again what it has just begun to send:
 * Artemis takes it for a new member of the share group, and gives what the session has not
 * acknowledged yet to whoever is there, unmarked and with other packet ids. It keeps subscriptions
 * as long as the session, so the repetition can wait until nothing is under way. */
static bool stands_already(const struct mqtt_session *session)
{
    const struct config_list *recorded = session->options->recorded;
    bool stands = session->connack.session_present && session->connack.subscribe_gives_back &&
                  !session->exclusive && recorded;
    for (size_t i = 0; stands && i < session->wanted.n_items; i++) {
        const char *filter = session->wanted.items[i];
        stands = filter_list_has(recorded, filter) && !filter_list_has(&session->unsure, filter);
    }
    return stands;
}

void subscribe_begin(struct mqtt_session *session)
{
    const struct config_list *list = subscribe_mode_list(session);
    (void)filter_list_set(&session->wanted, list);
    surplus_begin(session);
    session->unproven = stands_already(session);
    (void)filter_list_set(&session->asked, session->unproven ? NULL : list);
    subscribe_queue(session);
}

/* One code that is no grant. Returns true when the request is to be sent again. */
static bool handle_code(struct mqtt_session *session, const struct subscribe_request *request,
                        const char *filter, int code)
{
    char text[224];
    switch (mqtt_suback_verdict(code, session->v5)) {
    case MQTT_VERDICT_OK:
        if (code < session->options->qos) {
            (void)snprintf(text, sizeof(text),
                           "the broker grants QoS %d only for %.100s, where messages are lost at a "
                           "crash; set mqtt.qos=0 if that is wanted",
                           code, filter);
            fail(session, true, text);
        }
        return false;
    case MQTT_VERDICT_AGAIN:
        if (request->n_tries < ID_TRIES) {
            return true;
        }
        break;
    case MQTT_VERDICT_NO_SHARE:
        if (session->options->mode == MQTT_MODE_AUTO && !session->exclusive) {
            session->no_share = true;
            return false;
        }
        (void)snprintf(text, sizeof(text),
                       "the broker has no shared subscriptions (0x9E); set "
                       "mqtt.subscription.mode=exclusive");
        fail(session, true, text);
        return false;
    case MQTT_VERDICT_REFUSED:
    case MQTT_VERDICT_RETRY:
    case MQTT_VERDICT_VERSION:
        break;
    }
    (void)snprintf(text, sizeof(text), "the broker refused to subscribe to %.100s: %s (0x%02X)",
                   filter, mqtt_reason_text(code, session->v5), (unsigned)code);
    fail(session, mqtt_suback_verdict(code, session->v5) == MQTT_VERDICT_REFUSED, text);
    return false;
}

static void handle_codes(struct mqtt_session *session, struct subscribe_request *pending,
                         const int *codes, int n_codes)
{
    bool again = false;
    bool had_share = !session->no_share;
    for (int i = 0; i < n_codes && (size_t)i < pending->n_filters; i++) {
        const char *filter = session->asked.items[pending->first + (size_t)i];
        again = handle_code(session, pending, filter, codes[i]) || again;
    }
    pending->id = 0;
    if (session->subscribe_failed) {
        return;
    }
    if (had_share && session->no_share) {
        subscribe_begin(session);
    } else if (again) {
        request(session, pending);
    } else {
        session->n_granted++;
    }
}

void subscribe_handle(struct mqtt_session *session, int id, const int *codes, int n_codes)
{
    for (size_t i = 0; i < session->n_requests; i++) {
        if (session->requests[i].id == id) {
            handle_codes(session, &session->requests[i], codes, n_codes);
            return;
        }
    }
}

bool subscribe_complete(const struct mqtt_session *session)
{
    return session->n_granted == session->n_requests;
}

/* Asks for all that is wanted once more, and waits for the answer. */
static void prove(struct mqtt_session *session, uint64_t now_ms)
{
    session->unproven = false;
    (void)filter_list_set(&session->asked, &session->wanted);
    session->deadline_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    session_set_state(session, SESSION_SUBSCRIBING, "nothing is under way");
    subscribe_queue(session);
}

/* HiveMQ CE (2025.5) may stop to serve a share group right after its first message, with nothing
 * unacknowledged and the rest in its queue, until a member subscribes or connects anew. A repeated
 * SUBSCRIBE changes nothing elsewhere (MQTT 5, 3.8.4): nothing is in flight then that could come
 * twice, and shared subscriptions bring no retained messages. Artemis gets one only where none was
 * sent on this connection. */
void subscribe_nudge(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->heard) {
        session->heard = false;
        session->silent_ms = now_ms;
        session->nudge_wait_ms = NUDGE_MS;
    }
    bool member = session->state == SESSION_READY && session->v5 && !session->exclusive &&
                  session->surplus_state == SURPLUS_NONE && session->wanted.n_items > 0;
    if (!member || redelivery_held(session->redelivery) > 0 ||
        now_ms < session->silent_ms + session->nudge_wait_ms) {
        return;
    }
    if (session->unproven) {
        prove(session, now_ms);
        return;
    }
    session->silent_ms = now_ms;
    session->nudge_wait_ms *= session->nudge_wait_ms < NUDGE_MAX_MS ? 2 : 1;
    if (session->connack.subscribe_gives_back) {
        return;
    }
    for (size_t first = 0, n = 1; first < session->wanted.n_items && n > 0; first += n) {
        n = subscribe_fitting(session, &session->wanted, first);
        (void)link_subscribe(session->link, session->wanted.items + first, (int)n);
    }
}
