/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters that a session is subscribed to and that are not wanted any more: left over from an
 * earlier life, or taken out of the lists while the connection stands. Some brokers throw away what
 * is queued for a filter at its UNSUBSCRIBE, so it is read out first: until nothing of it has come
 * for a while with the socket empty, or for some seconds where it never stops. Where something new
 * is wanted as well, it is subscribed to between the two, so that nothing is missed and two filters
 * that overlap do not double messages for longer than a round trip. See session_internal.h.
 */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/mqtt/filter_list.h"
#include "worker/mqtt/session_steps.h"

/* How long nothing may have come; how long is waited for that at most. */
#define QUIET_MS     200
#define DRAIN_MAX_MS 5000
/* A release that comes so long after the socket was seen empty follows a stall. */
#define STALLED_MS 100
/* How often the owner is asked again whether it can do without a filter. */
#define ASK_AGAIN_MS 1000
/* Some brokers take no more filters in one packet. */
#define FILTERS_PER_PACKET 8

void surplus_begin(struct mqtt_session *session)
{
    static const struct config_list none = { NULL, 0 };
    const struct config_list *recorded = session->options->recorded;
    const struct config_list *leaving = session->options->leaving;
    filter_list_add_all(&session->unsure, leaving ? leaving : &none);
    config_list_fini(&session->surplus);
    filter_list_minus(recorded ? recorded : &none, &session->wanted, &session->surplus);
    session->surplus_state = session->surplus.n_items > 0 ? SURPLUS_WAITS : SURPLUS_NONE;
    session->unsubscribe_id = 0;
    session->drained = false;
    session->revised = false;
}

/* What was granted, or given up with an answer, is sure again. */
static void tidy_unsure(struct mqtt_session *session)
{
    struct config_list sure = { NULL, 0 };
    filter_list_minus(&session->surplus, &session->unsure, &sure);
    config_list_fini(&session->unsure);
    filter_list_minus(&session->surplus, &sure, &session->unsure);
    config_list_fini(&sure);
}

static void tell_leaving(struct mqtt_session *session)
{
    if (session->unsure.n_items > 0 && session->handlers.on_leaving) {
        session->handlers.on_leaving(session->handlers.arg, &session->unsure);
    }
}

/* Tells the owner all that the session is subscribed to. */
static void report(struct mqtt_session *session)
{
    struct config_list all = { NULL, 0 };
    filter_list_add_all(&all, &session->wanted);
    filter_list_add_all(&all, &session->surplus);
    session->handlers.on_subscribed(session->handlers.arg, &all);
    config_list_fini(&all);
    tidy_unsure(session);
    tell_leaving(session);
}

static void drain(struct mqtt_session *session, uint64_t now_ms)
{
    session->surplus_state = SURPLUS_DRAIN;
    session->drain_matched = false;
    session->dry_ms = now_ms;
    session->looked_ms = now_ms;
    session->quiet_ms = now_ms + QUIET_MS;
    session->give_up_ms = now_ms + DRAIN_MAX_MS;
}

static bool may_leave(const struct mqtt_session *session, const char *filter)
{
    const struct mqtt_handlers *handlers = &session->handlers;
    return !handlers->may_give_up || handlers->may_give_up(handlers->arg, filter);
}

/* Queues the UNSUBSCRIBE of as many as may go at once. */
static void unsubscribe(struct mqtt_session *session, uint64_t now_ms)
{
    config_list_fini(&session->leaving);
    for (size_t i = 0; i < session->surplus.n_items; i++) {
        const char *filter = session->surplus.items[i];
        if (session->leaving.n_items < FILTERS_PER_PACKET && may_leave(session, filter)) {
            filter_list_add(&session->leaving, filter);
        }
    }
    /* An UNSUBSCRIBE is no longer than the SUBSCRIBE of the same filters. */
    size_t fitting = subscribe_fitting(session, &session->leaving, 0);
    while (session->leaving.n_items > fitting && session->leaving.n_items > 1) {
        free(session->leaving.items[--session->leaving.n_items]);
    }
    for (size_t i = 0; i < session->leaving.n_items; i++) {
        log_info(session->options->log, "MQTT-UNSUBSCRIBE", "session=\"%s\" filter=\"%s\"",
                 session->options->client_id, session->leaving.items[i]);
    }
    session->surplus_state = SURPLUS_DRAIN;
    if (session->leaving.n_items == 0) {
        session->looked_ms = now_ms;
        session->quiet_ms = now_ms + ASK_AGAIN_MS;
        session->give_up_ms = session->quiet_ms;
        return;
    }
    session->unsubscribe_id =
        link_unsubscribe(session->link, session->leaving.items, (int)session->leaving.n_items);
    filter_list_add_all(&session->unsure, &session->leaving);
    tell_leaving(session);
    session->surplus_state = SURPLUS_ASKED;
    session->looked_ms = now_ms;
    session->give_up_ms = UINT64_MAX; /* until it is sent */
}

void surplus_granted(struct mqtt_session *session, uint64_t now_ms)
{
    config_list_fini(&session->asked);
    report(session);
    if (session->surplus.n_items == 0) {
        return;
    }
    if (session->drained) {
        unsubscribe(session, now_ms);
    } else {
        drain(session, now_ms);
    }
}

/* Nothing of the surplus is left in the broker's queue, as far as can be told. */
static void drain_over(struct mqtt_session *session, uint64_t now_ms)
{
    session->drained = true;
    if (session->asked.n_items == 0) {
        unsubscribe(session, now_ms);
        return;
    }
    filter_list_add_all(&session->wanted, &session->asked);
    session->surplus_state = SURPLUS_WAITS;
    session->deadline_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    session_set_state(session, SESSION_SUBSCRIBING, "the filters have changed");
    subscribe_queue(session);
}

/* The lists of the options have changed on a connection that stands. */
static void revise(struct mqtt_session *session, uint64_t now_ms)
{
    session->revised = false;
    struct config_list list = { NULL, 0 };
    (void)filter_list_set(&list, subscribe_mode_list(session));
    struct config_list all = { NULL, 0 };
    filter_list_add_all(&all, &session->wanted);
    filter_list_add_all(&all, &session->surplus);
    struct config_list sure;
    filter_list_minus(&all, &session->unsure, &sure);
    config_list_fini(&session->surplus);
    config_list_fini(&session->asked);
    filter_list_minus(&all, &list, &session->surplus);
    filter_list_minus(&list, &sure, &session->asked);
    config_list_fini(&session->wanted);
    filter_list_minus(&list, &session->asked, &session->wanted);
    config_list_fini(&all);
    config_list_fini(&sure);
    config_list_fini(&list);
    session->surplus_state = SURPLUS_NONE;
    session->unsubscribe_id = 0;
    session->drained = false;
    if (session->surplus.n_items > 0) {
        drain(session, now_ms);
    } else if (session->asked.n_items > 0) {
        drain_over(session, now_ms);
    } else {
        report(session);
    }
}

static void tick_drain(struct mqtt_session *session, uint64_t now_ms, bool ready)
{
    /* While nothing is read the queue waits as well as the session: the time does not count. */
    if (session->left_alone) {
        session->quiet_ms = now_ms + QUIET_MS;
        session->give_up_ms = now_ms + DRAIN_MAX_MS;
    } else if (!session->listens) {
        session->give_up_ms += now_ms - session->looked_ms;
    }
    session->looked_ms = now_ms;
    bool nothing_held = redelivery_held(session->redelivery) == 0;
    bool dry = session->listens && !ready && !session->more && nothing_held;
    if (dry) {
        session->dry_ms = now_ms;
    }
    if ((dry && now_ms >= session->quiet_ms) || now_ms >= session->give_up_ms) {
        drain_over(session, now_ms);
    }
}

/* The answer cannot come while nothing is read: that time does not count either. */
static void tick_asked(struct mqtt_session *session, uint64_t now_ms)
{
    if (!session->listens && session->give_up_ms != UINT64_MAX) {
        session->give_up_ms += now_ms - session->looked_ms;
    }
    session->looked_ms = now_ms;
    if (now_ms < session->give_up_ms) {
        return;
    }
    log_warn(session->options->log, "MQTT-NO-UNSUBACK",
             "session=\"%s\" reason=\"the broker did not answer the UNSUBSCRIBE; it is sent again "
             "on the next connection\"",
             session->options->client_id);
    session->surplus_state = SURPLUS_LATER;
}

void surplus_tick(struct mqtt_session *session, uint64_t now_ms, bool ready)
{
    if (session->state != SESSION_READY) {
        return;
    }
    if (session->revised && session->surplus_state != SURPLUS_ASKED) {
        revise(session, now_ms);
    } else if (session->surplus_state == SURPLUS_DRAIN) {
        tick_drain(session, now_ms, ready);
    } else if (session->surplus_state == SURPLUS_ASKED) {
        tick_asked(session, now_ms);
    }
}

uint64_t surplus_deadline(const struct mqtt_session *session)
{
    if (session->state != SESSION_READY) {
        return UINT64_MAX;
    }
    if (session->revised && session->surplus_state != SURPLUS_ASKED) {
        return 0;
    }
    if (session->surplus_state == SURPLUS_ASKED) {
        return session->give_up_ms;
    }
    if (session->surplus_state != SURPLUS_DRAIN) {
        return UINT64_MAX;
    }
    /* Silence ends the drain only where it would be heard: a time that passes otherwise ends
     * nothing, and whoever waits until then never sleeps. */
    bool may_be_dry = session->listens && redelivery_held(session->redelivery) == 0;
    return may_be_dry && session->quiet_ms < session->give_up_ms ? session->quiet_ms
                                                                 : session->give_up_ms;
}

void surplus_message(struct mqtt_session *session, const char *topic)
{
    if (session->surplus_state != SURPLUS_DRAIN) {
        return;
    }
    for (size_t i = 0; i < session->surplus.n_items; i++) {
        if (link_filter_matches(session->surplus.items[i], topic)) {
            session->drain_matched = true;
            session->quiet_ms = clock_mono_ms() + QUIET_MS;
            return;
        }
    }
}

void surplus_release(struct mqtt_session *session, uint64_t now_ms)
{
    if (session->surplus_state == SURPLUS_ASKED && session->give_up_ms != UINT64_MAX) {
        return; /* it was sent earlier: other messages do not prolong the wait */
    }
    if (session->surplus_state == SURPLUS_ASKED) {
        session->looked_ms = now_ms;
        session->give_up_ms = now_ms + (uint64_t)session->options->connect_timeout_s * 1000;
    } else if (session->drain_matched || now_ms - session->dry_ms > STALLED_MS) {
        /* The broker has room again, and may have waited for it. */
        session->quiet_ms = now_ms + QUIET_MS;
    }
    session->drain_matched = false;
}

void surplus_unsuback(struct mqtt_session *session, int id)
{
    if (id == 0 || id != session->unsubscribe_id) {
        return;
    }
    session->unsubscribe_id = 0;
    struct config_list rest;
    filter_list_minus(&session->surplus, &session->leaving, &rest);
    config_list_fini(&session->surplus);
    session->surplus = rest;
    session->surplus_state = SURPLUS_NONE;
    report(session);
    if (rest.n_items > 0) {
        unsubscribe(session, clock_mono_ms());
    }
}
