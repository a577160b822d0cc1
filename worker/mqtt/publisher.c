/* SPDX-License-Identifier: Apache-2.0 */
/* A pipelined publisher. See publisher.h. */
#include "worker/mqtt/publisher.h"

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/reason.h"
#include "worker/mqtt/session_internal.h"

/* Packet ids are given out in turn, without a look at those in use: the oldest message on its way
 * must not be met again. */
#define ID_SPAN 65000U
/* Wait after the broker had no room for a message; doubles up to the second. */
#define AGAIN_MIN_MS 100
#define AGAIN_MAX_MS 30000

struct mqtt_publisher {
    struct mqtt_session *session;
    const struct mqtt_options *options;
    struct mqtt_publisher_options publishing;
    struct mqtt_publisher_handlers handlers;
    struct list waiting; /* to be sent, in order */
    struct list sent;    /* on their way on this connection, in order */
    struct list again;   /* the broker had no room for them, in order */
    size_t n_sent;
    size_t window;        /* that holds on this connection */
    size_t narrow;        /* window after a refusal, until it has grown again; 0: it has */
    size_t n_suspects;    /* messages that go one by one, as one of them ended a connection */
    unsigned n_again;     /* refusals in a row */
    uint64_t again_ms;    /* nothing is sent before */
    uint64_t progress_ms; /* when something was acknowledged last, or the first was sent */
    uint16_t last_id;
    struct mqtt_limits limits;
    struct log_limit again_limit;
};

static struct mqtt_publication *of_link(struct list *link)
{
    return CONTAINER_OF(link, struct mqtt_publication, link);
}

static void done(struct mqtt_publisher *publisher, struct mqtt_publication *publication,
                 enum mqtt_publish_result result, const struct error *why)
{
    list_remove(&publication->link);
    publication->id = 0;
    publisher->handlers.on_done(publisher->handlers.arg, publication,
                                publication->forgotten ? MQTT_PUBLISH_FORGOTTEN : result, why);
}

/* ---- the session's news ---- */

static void on_message(void *arg, const struct mqtt_message *message)
{
    (void)arg;
    (void)message;
}

static bool has_room(void *arg)
{
    (void)arg;
    return true;
}

static void on_subscribed(void *arg, const struct config_list *filters)
{
    (void)arg;
    (void)filters;
}

static void on_connected(void *arg, bool session_present)
{
    (void)session_present;
    struct mqtt_publisher *publisher = arg;
    publisher->limits = publisher->session->connack.limits;
    publisher->window = publisher->publishing.window;
    if (publisher->limits.receive_maximum < publisher->window) {
        publisher->window = publisher->limits.receive_maximum;
    }
    publisher->last_id = 0;
    publisher->handlers.on_connected(publisher->handlers.arg, &publisher->limits);
}

/* Puts `list` in front of what waits. */
static void put_in_front(struct mqtt_publisher *publisher, struct list *list)
{
    while (!list_empty(list)) {
        struct list *last = list->prev;
        list_remove(last);
        of_link(last)->id = 0;
        list_push_back(publisher->waiting.next, last);
    }
}

static void drop_forgotten(struct mqtt_publisher *publisher)
{
    LIST_FOREACH(&publisher->waiting, item) {
        if (of_link(item)->forgotten) {
            done(publisher, of_link(item), MQTT_PUBLISH_FORGOTTEN, NULL);
        }
    }
}

/* A broker may end the connection for a single message instead of refusing it. Which one it was
 * shows when they are sent one by one. True: the message is found, or will be. */
static bool find_culprit(struct mqtt_publisher *publisher, const struct mqtt_down *down)
{
    static const int codes[] = { 0x82, 0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B };
    bool suspicious = false;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        suspicious = suspicious || codes[i] == down->code;
    }
    if (!suspicious || !down->connected || publisher->n_sent == 0) {
        return false;
    }
    if (publisher->n_sent > 1) {
        publisher->n_suspects = publisher->n_sent;
        return true;
    }
    struct error why = { ERR_OK, "" };
    (void)error_set(&why, down->code == MQTT_REASON_TOO_LARGE ? ERR_TOO_LARGE : ERR_REJECTED,
                    "the broker ended the connection for this message: %s (MQTT 5 reason %d)",
                    mqtt_reason_text(down->code, true), down->code);
    publisher->n_suspects -= publisher->n_suspects > 0;
    done(publisher, of_link(publisher->sent.next), MQTT_PUBLISH_REFUSED, &why);
    return true;
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct mqtt_publisher *publisher = arg;
    struct mqtt_down own = *down;
    if (find_culprit(publisher, down)) {
        own.refused = false;
        mqtt_session_retry_now(publisher->session);
    }
    size_t n_again = 0;
    LIST_FOREACH(&publisher->sent, item) {
        n_again += !of_link(item)->forgotten;
    }
    publisher->n_sent = 0;
    put_in_front(publisher, &publisher->sent);
    put_in_front(publisher, &publisher->again);
    drop_forgotten(publisher);
    if (n_again > 0) {
        publisher->handlers.on_again(publisher->handlers.arg, n_again);
    }
    publisher->handlers.on_down(publisher->handlers.arg, &own);
}

/* The broker had no room: everything on its way is waited for, then what it refused goes first,
 * alone, later. */
static void put_again(struct mqtt_publisher *publisher, struct mqtt_publication *publication,
                      const char *text)
{
    uint64_t max_ms = publisher->publishing.retry_max_ms;
    max_ms = max_ms > 0 && max_ms < AGAIN_MAX_MS ? max_ms : AGAIN_MAX_MS;
    uint64_t wait_ms = max_ms;
    if (publisher->n_again < 8 && (uint64_t)AGAIN_MIN_MS << publisher->n_again < max_ms) {
        wait_ms = (uint64_t)AGAIN_MIN_MS << publisher->n_again;
    }
    if (publisher->narrow != 1) {
        publisher->n_again++;
    }
    list_remove(&publication->link);
    publication->id = 0;
    list_push_back(&publisher->again, &publication->link);
    publisher->handlers.on_again(publisher->handlers.arg, 1);
    publisher->narrow = 1;
    publisher->again_ms = clock_mono_ms() + wait_ms;
    unsigned suppressed = 0;
    if (log_limit_pass(&publisher->again_limit, 10000, &suppressed)) {
        log_warn(publisher->options->log, "MQTT-QUOTA",
                 "session=\"%s\" reason=\"%s\" retry_ms=%llu suppressed=%u",
                 publisher->options->client_id, text, (unsigned long long)wait_ms, suppressed);
    }
}

/* A window that was narrowed by a refusal doubles with each message that is taken. */
static void widen(struct mqtt_publisher *publisher)
{
    publisher->n_again = 0;
    publisher->narrow *= 2;
    if (publisher->narrow >= publisher->window) {
        publisher->narrow = 0;
    }
}

/* Whether a message that was not taken is to be sent again. */
static bool is_for_later(const struct mqtt_publisher *publisher,
                         const struct mqtt_publication *publication, int code)
{
    int64_t retry_ms = publisher->publishing.retry_ms;
    switch (mqtt_puback_verdict(code)) {
    case MQTT_VERDICT_AGAIN:
        return true;
    case MQTT_VERDICT_RETRY:
        return retry_ms < 0 || clock_mono_ms() < publication->since_ms + (uint64_t)retry_ms;
    case MQTT_VERDICT_OK:
    case MQTT_VERDICT_REFUSED:
    case MQTT_VERDICT_VERSION:
    case MQTT_VERDICT_NO_SHARE:
        break;
    }
    return false;
}

static void acknowledge(struct mqtt_publisher *publisher, struct mqtt_publication *publication,
                        int code)
{
    struct error why = { ERR_OK, "" };
    publisher->n_sent--;
    publisher->n_suspects -= publisher->n_suspects > 0;
    if (mqtt_puback_verdict(code) == MQTT_VERDICT_OK) {
        /* What was on its way before the refusal says nothing about room. */
        if (publisher->narrow > 0 && list_empty(&publisher->again)) {
            widen(publisher);
        }
        done(publisher, publication,
             code == MQTT_REASON_UNMATCHED ? MQTT_PUBLISH_UNMATCHED : MQTT_PUBLISHED, NULL);
    } else if (!publication->forgotten && is_for_later(publisher, publication, code)) {
        put_again(publisher, publication, mqtt_reason_text(code, true));
    } else {
        (void)error_set(&why, code == MQTT_REASON_TOO_LARGE ? ERR_TOO_LARGE : ERR_REJECTED,
                        "the broker refused the message: %s (MQTT 5 reason %d)",
                        mqtt_reason_text(code, true), code);
        done(publisher, publication, MQTT_PUBLISH_REFUSED, &why);
    }
}

/* Acknowledgements come in the order of the messages, as a rule. */
static void on_published(void *arg, int id, int code)
{
    struct mqtt_publisher *publisher = arg;
    LIST_FOREACH(&publisher->sent, item) {
        if (of_link(item)->id == id) {
            acknowledge(publisher, of_link(item), code);
            return;
        }
    }
}

/* ---- sending ---- */

static size_t varint_bytes(size_t n)
{
    if (n < 128) {
        return 1;
    }
    if (n < 16384) {
        return 2;
    }
    return n < 2097152 ? 3 : 4;
}

/* MQTT 5, 2.2.2 and 3.3. */
static size_t properties_bytes(const struct mqtt_publication *publication)
{
    size_t n = publication->expiry_s > 0 ? 5 : 0;
    n += publication->content_type ? 3 + strlen(publication->content_type) : 0;
    n += publication->response_topic ? 3 + strlen(publication->response_topic) : 0;
    n += publication->correlation ? 3U + publication->correlation_length : 0;
    for (size_t i = 0; i < publication->n_user; i++) {
        n += 5 + strlen(publication->user[i].name) + strlen(publication->user[i].value);
    }
    return n + varint_bytes(n);
}

static size_t packet_bytes(const struct mqtt_publisher *publisher,
                           const struct mqtt_publication *publication)
{
    size_t n =
        2 + strlen(publication->topic) + publication->length + (publication->qos > 0 ? 2 : 0);
    n += publisher->session->v5 ? properties_bytes(publication) : 0;
    return 1 + varint_bytes(n) + n;
}

/* What the library would refuse, or take and never send. */
static bool fits(const struct mqtt_publisher *publisher, const struct mqtt_publication *publication,
                 struct error *why)
{
    size_t most = publisher->limits.max_packet;
    size_t n = packet_bytes(publisher, publication);
    if (most > 0 && n > most) {
        (void)error_set(why, ERR_TOO_LARGE,
                        "a packet of %zu bytes is larger than the broker's Maximum Packet Size of "
                        "%zu",
                        n, most);
        return false;
    }
    if (n > 268435455) {
        (void)error_set(why, ERR_TOO_LARGE, "a packet of %zu bytes is larger than MQTT allows", n);
        return false;
    }
    return true;
}

static void publish(struct mqtt_publisher *publisher, struct mqtt_publication *publication,
                    uint64_t now_ms)
{
    struct error why = { ERR_OK, "" };
    int id = 0;
    if (publication->qos > publisher->limits.max_qos) {
        publication->qos = publisher->limits.max_qos;
    }
    if (!fits(publisher, publication, &why) ||
        link_publish(publisher->session->link, publication, &id, &why) != ERR_OK) {
        done(publisher, publication, MQTT_PUBLISH_REFUSED, &why);
        return;
    }
    list_remove(&publication->link);
    publication->id = (uint16_t)id;
    publication->since_ms = publication->since_ms ? publication->since_ms : now_ms;
    publisher->last_id = (uint16_t)id;
    list_push_back(&publisher->sent, &publication->link);
    if (publisher->n_sent++ == 0) {
        publisher->progress_ms = now_ms;
    }
}

static bool may_send(const struct mqtt_publisher *publisher)
{
    size_t window = publisher->narrow > 0 ? publisher->narrow : publisher->window;
    window = publisher->n_suspects > 0 ? 1 : window;
    if (list_empty(&publisher->waiting) || publisher->n_sent >= window ||
        !list_empty(&publisher->again)) {
        return false;
    }
    if (list_empty(&publisher->sent)) {
        return true;
    }
    uint16_t oldest = of_link(publisher->sent.next)->id;
    return (uint16_t)(publisher->last_id - oldest) < ID_SPAN;
}

static void resume_again(struct mqtt_publisher *publisher, uint64_t now_ms)
{
    if (!list_empty(&publisher->again) && publisher->n_sent == 0 && now_ms >= publisher->again_ms) {
        put_in_front(publisher, &publisher->again);
        drop_forgotten(publisher);
    }
}

void mqtt_publisher_flush(struct mqtt_publisher *publisher, uint64_t now_ms)
{
    if (!mqtt_publisher_connected(publisher) || publisher->session->state == SESSION_CLOSING) {
        return;
    }
    resume_again(publisher, now_ms);
    while (may_send(publisher)) {
        publish(publisher, of_link(publisher->waiting.next), now_ms);
    }
    if (mqtt_session_wants_release(publisher->session)) {
        (void)mqtt_session_release(publisher->session, now_ms);
    }
}

/* Unlike a session that reads, this one takes what comes while its own output is blocked: the
 * broker may wait for just that. */
static void read_acks(struct mqtt_publisher *publisher, uint64_t now_ms)
{
    struct mqtt_session *session = publisher->session;
    bool progress = true;
    size_t n_before = publisher->n_sent;
    while (progress && session_is_connected(session) && session->state != SESSION_CLOSING) {
        if (!session_review(session, link_read(session->link, &progress))) {
            return;
        }
    }
    if (publisher->n_sent != n_before) {
        publisher->progress_ms = now_ms;
    }
}

static void check_progress(struct mqtt_publisher *publisher, uint64_t now_ms)
{
    uint64_t timeout_ms = publisher->publishing.timeout_ms;
    if (timeout_ms > 0 && publisher->n_sent > 0 && now_ms > publisher->progress_ms + timeout_ms) {
        mqtt_session_drop(publisher->session, MQTT_DOWN_STALL,
                          "nothing was acknowledged within mqtt.publish.timeout.ms");
    }
}

void mqtt_publisher_tick(struct mqtt_publisher *publisher, uint64_t now_ms, bool may_connect,
                         bool ready)
{
    mqtt_session_tick(publisher->session, now_ms, may_connect, ready);
    if (ready && mqtt_publisher_connected(publisher)) {
        read_acks(publisher, now_ms);
    }
    check_progress(publisher, now_ms);
    mqtt_publisher_flush(publisher, now_ms);
}

void mqtt_publisher_poll(const struct mqtt_publisher *publisher, struct pollfd *ret_poll)
{
    mqtt_session_poll(publisher->session, true, ret_poll);
    if (session_is_connected(publisher->session)) {
        ret_poll->fd = link_fd(publisher->session->link);
        ret_poll->events |= POLLIN;
    }
}

uint64_t mqtt_publisher_deadline(const struct mqtt_publisher *publisher, bool may_connect)
{
    uint64_t due = mqtt_session_deadline(publisher->session, may_connect);
    if (mqtt_publisher_connected(publisher) && !list_empty(&publisher->again) &&
        publisher->again_ms < due) {
        due = publisher->n_sent == 0 ? publisher->again_ms : due;
    }
    return due;
}

/* ---- life ---- */

struct mqtt_publisher *mqtt_publisher_new(const struct mqtt_options *options,
                                          const struct mqtt_publisher_options *publishing,
                                          const struct mqtt_publisher_handlers *handlers)
{
    ASSERT(options->clean && !options->shared && !options->own);
    struct mqtt_publisher *publisher = xcalloc(1, sizeof(*publisher));
    const struct mqtt_handlers own = {
        .arg = publisher,
        .on_message = on_message,
        .has_room = has_room,
        .on_subscribed = on_subscribed,
        .on_connected = on_connected,
        .on_down = on_down,
        .on_published = on_published,
    };
    publisher->options = options;
    publisher->publishing = *publishing;
    publisher->handlers = *handlers;
    list_init(&publisher->waiting);
    list_init(&publisher->sent);
    list_init(&publisher->again);
    publisher->session = mqtt_session_new(options, &own);
    return publisher;
}

void mqtt_publisher_free(struct mqtt_publisher *publisher)
{
    if (publisher) {
        mqtt_session_free(publisher->session);
        free(publisher);
    }
}

void mqtt_publisher_send(struct mqtt_publisher *publisher, struct mqtt_publication *publication)
{
    publication->id = 0;
    publication->forgotten = false;
    publication->since_ms = 0;
    list_push_back(&publisher->waiting, &publication->link);
}

void mqtt_publisher_forget(struct mqtt_publisher *publisher, struct mqtt_publication *publication)
{
    publication->forgotten = true;
    if (publication->id == 0) {
        done(publisher, publication, MQTT_PUBLISH_FORGOTTEN, NULL);
    }
}

void mqtt_publisher_disconnect(struct mqtt_publisher *publisher, uint64_t now_ms)
{
    mqtt_session_disconnect(publisher->session, now_ms);
}

bool mqtt_publisher_idle(const struct mqtt_publisher *publisher)
{
    return mqtt_session_idle(publisher->session);
}

bool mqtt_publisher_connected(const struct mqtt_publisher *publisher)
{
    return mqtt_session_connected(publisher->session);
}

size_t mqtt_publisher_window(const struct mqtt_publisher *publisher)
{
    size_t window = publisher->window > 0 ? publisher->window : publisher->publishing.window;
    return window > 0 ? window : 1;
}

size_t mqtt_publisher_sent(const struct mqtt_publisher *publisher)
{
    return publisher->n_sent;
}
