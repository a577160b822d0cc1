/* SPDX-License-Identifier: Apache-2.0 */
/* Ends an MQTT session for good: a connection with a clean start and no expiry leaves nothing of it
 * at the broker. See session.h. */
#include "worker/base/clock.h"
#include "worker/mqtt/session.h"

struct ending {
    int stop_fd; /* -1: none */
    bool stopped;
    bool connected;
    bool down;
    bool refused;
    char text[256];
};

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
    struct ending *ending = arg;
    ending->connected = true;
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct ending *ending = arg;
    ending->down = true;
    ending->refused = ending->refused || down->refused;
    (void)snprintf(ending->text, sizeof(ending->text), "%s", down->text);
}

static void step(struct mqtt_session *session, struct ending *ending, uint64_t deadline_ms)
{
    struct pollfd fds[] = { { .fd = -1 }, { .fd = ending->stop_fd, .events = POLLIN } };
    mqtt_session_poll(session, true, &fds[0]);
    uint64_t now_ms = clock_mono_ms();
    uint64_t until = mqtt_session_deadline(session, true);
    until = until < deadline_ms ? until : deadline_ms;
    int timeout = until > now_ms ? (int)(until - now_ms) : 0;
    int n = poll(fds, 2, timeout);
    ending->stopped = n > 0 && fds[1].revents != 0;
    mqtt_session_tick(session, clock_mono_ms(), true, n > 0 && fds[0].revents != 0);
}

static void run(struct mqtt_session *session, struct ending *ending, uint64_t deadline_ms)
{
    while (!ending->connected && !ending->refused && !ending->stopped &&
           clock_mono_ms() < deadline_ms) {
        step(session, ending, deadline_ms);
    }
    if (!ending->connected) {
        return;
    }
    ending->down = false;
    mqtt_session_disconnect(session, clock_mono_ms());
    while (!ending->down && !ending->stopped && clock_mono_ms() < deadline_ms) {
        step(session, ending, deadline_ms);
    }
}

enum err mqtt_end_session(const struct mqtt_options *options, int timeout_ms, struct error *reterr)
{
    struct mqtt_options own = *options;
    own.clean = true;
    own.expiry_s = 0;
    own.shared = NULL;
    own.own = NULL;
    own.recorded = NULL;
    struct ending ending = {
        .stop_fd = options->stop_fd ? *options->stop_fd : -1,
        .text = "no connection",
    };
    const struct mqtt_handlers handlers = {
        .arg = &ending,
        .on_message = on_message,
        .has_room = has_room,
        .on_subscribed = on_subscribed,
        .on_connected = on_connected,
        .on_down = on_down,
    };
    struct mqtt_session *session = mqtt_session_new(&own, &handlers);
    run(session, &ending, clock_mono_ms() + (uint64_t)timeout_ms);
    mqtt_session_free(session);
    /* Without a DISCONNECT the session would end, too, since it has no expiry. */
    if (ending.connected) {
        return ERR_OK;
    }
    enum err err = ending.refused ? ERR_UNAUTHORIZED : ERR_UNAVAILABLE;
    return error_set(reterr, err, "MQTT session %s: %s", options->client_id, ending.text);
}
