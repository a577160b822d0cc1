/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a session that is not wanted any more: mqtt.sessions was lowered, or the client id
 * prefix changed. Brokers differ in what becomes of queued messages at an UNSUBSCRIBE, but all keep
 * them, or give them to the rest of the share group, when another member holds the filter. So the
 * session is read until it is quiet, gives up each filter when another session of the connector has
 * it (session's surplus), is read again until it is quiet, once more on a new connection, and only
 * then begins anew with a clean start and no expiry, which leaves nothing of it at the broker.
 * Until the last step a crash at any point begins from the first one.
 *
 * And the move of a session whose broker has another address now, which may be the same broker or
 * not. Nobody can tell by the address, so the session is read out at the old one first, without
 * changing anything there (unless it was connected there until now), and then begun at the new one:
 * if that has it already, it is the same broker and all is done. Otherwise it subscribes there,
 * goes back for what has come to the old one since, and ends there. Where the new broker came so
 * late that the session may have expired meanwhile, at the same broker, nothing is known: what was
 * made there is ended, as it would pass for the old session the next time, and all begins anew. An
 * old broker that cannot be reached is left alone, and the log says so. See reader_internal.h.
 */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/reader_internal.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"

/* Nothing more is expected when nothing came for so long. With 3.1.1 some brokers send what was
 * unacknowledged on an earlier connection by a timer of theirs, up to 30 s. */
#define QUIET_MS     1000
#define QUIET_311_MS 35000
/* How long one that is to be ended anyway may take before its filters are given up on. */
#define FORCE_MS 15000
/* How long an old broker is tried; how long it is read before the new one is subscribed to, and
 * after that, while messages wait at the new one. */
#define REACH_MS 5000
/* How long a session that was there is surely there still, and what an expiry must be for that. */
#define FRESH_MS     10000
#define MIN_EXPIRY_S 60
#define FETCH_MS     30000
#define AGAIN_MS     60000

static const char *const phase_names[] = {
#define X(name) #name,
    LEAVE_PHASES(X)
#undef X
};

/* Whether this phase is about another broker than that of the settings. */
static bool at_old(const struct reader *reader)
{
    return reader->old_uris.n_items > 0 && reader->phase != LEAVE_NOT &&
           reader->phase != LEAVE_MEET && reader->phase != LEAVE_UNDO;
}

/* Whether the phase's connection leaves nothing of the session behind. */
static bool ends_session(const struct reader *reader)
{
    return reader->phase == LEAVE_UNDO || reader->phase == LEAVE_END;
}

void leaver_options(struct reader *reader)
{
    if (reader->phase == LEAVE_NOT || reader->phase == LEAVE_MEET) {
        return;
    }
    reader->options.shared = NULL;
    reader->options.own = NULL;
    if (at_old(reader)) {
        reader->options.uris = &reader->old_uris;
        reader->options.watch = NULL;
    }
    if (reader->k >= 0 || ends_session(reader)) {
        reader->options.recorded = NULL;
        reader->options.leaving = NULL;
    }
    if (ends_session(reader)) {
        reader->options.watch = NULL;
        reader->options.clean = true;
        reader->options.expiry_s = 0;
    }
}

static void warn_left(const struct reader *reader, const char *reason)
{
    log_warn(
        reader->context->log, "MQTT-SESSION-LEFT",
        "session=\"%s\" broker=\"%s\" reason=\"%s\" risk=\"what is queued for it there is lost "
        "when it expires\" hint=\"set mqtt.server.uri back for a while to fetch it\"",
        reader->client_id, reader->broker, reason);
}

/* ---- phases ---- */

static void set_phase(struct reader *reader, enum leave_phase phase)
{
    log_debug(reader->context->log, "MQTT-SESSION-PHASE", "session=\"%s\" from=%s to=%s",
              reader->client_id, phase_names[reader->phase], phase_names[phase]);
    reader->phase = phase;
    reader->phase_over = false;
    reader->began_ms = reader->tried_ms = clock_mono_ms();
    reader_set_options(reader);
}

/* Whether these addresses have one in common with those of the settings. */
static bool meets_settings(const struct reader *reader, const char *addresses)
{
    struct mqtt_uris uris = { NULL, 0 };
    bool known = addresses && mqtt_uris_parse(addresses, &uris, NULL) == ERR_OK;
    bool meets = known && mqtt_uris_meet(&uris, reader->settings->options.uris);
    mqtt_uris_fini(&uris);
    return meets;
}

/* The session is at the broker of the settings from now on, and recorded so. */
static void arrive(struct reader *reader)
{
    mqtt_uris_fini(&reader->old_uris);
    free(reader->broker);
    reader->broker = mqtt_uris_text(reader->settings->options.uris);
    if (meets_settings(reader, reader->begun)) {
        free(TAKE(reader->begun));
    }
    reader->left_behind = reader->met = reader->other = reader->stale = false;
    reader->subscribed = true;
    reader->failing_ms = 0;
    set_phase(reader, LEAVE_NOT);
}

static void gone(struct reader *reader)
{
    set_phase(reader, LEAVE_GONE);
    filters_forget(reader->context->control, reader->client_id);
    if (!reader->left_behind) {
        metric_add(reader->context->metrics, METRIC_SESSIONS_RETIRED, 0, 1);
        log_info(reader->context->log, "MQTT-SESSION-RETIRED", "session=\"%s\" late_messages=%zu",
                 reader->client_id, reader->n_late);
    }
}

static void moved(struct reader *reader)
{
    if (!reader->left_behind) {
        metric_add(reader->context->metrics, METRIC_SESSIONS_RETIRED, 0, 1);
        log_info(reader->context->log, "MQTT-SESSION-MOVED",
                 "session=\"%s\" from=\"%s\" late_messages=%zu", reader->client_id, reader->broker,
                 reader->n_late);
    }
    reader->elsewhere = !reader->met;
    arrive(reader);
    mqtt_session_revise(reader->session, true);
}

/* The connection of the phase is closed. */
static void next_phase(struct reader *reader)
{
    static const enum leave_phase next[] = {
        [LEAVE_FETCH] = LEAVE_MEET,  [LEAVE_MEET] = LEAVE_AGAIN, [LEAVE_UNDO] = LEAVE_FETCH,
        [LEAVE_DRAIN] = LEAVE_AGAIN, [LEAVE_AGAIN] = LEAVE_END,
    };
    bool last = reader->phase == LEAVE_END || reader->left_behind;
    if (last && reader->k < 0) {
        gone(reader);
    } else if (last) {
        moved(reader);
    } else {
        set_phase(reader, reader->stale ? LEAVE_UNDO : next[reader->phase]);
        reader->met = reader->met && !reader->stale;
        reader->stale = false;
        mqtt_session_revise(reader->session, true);
    }
}

static uint64_t quiet_ms(const struct reader *reader)
{
    bool slow = reader->phase == LEAVE_AGAIN && reader->k < 0 && !mqtt_session_v5(reader->session);
    return reader->last_ms + (slow ? QUIET_311_MS : QUIET_MS);
}

static bool retire_anyway(const struct reader *reader)
{
    return reader->k < 0 && reader->settings->retire_anyway;
}

/* On a connection, with nothing unfinished. heard: something has come and is not read yet. */
static bool is_over(struct reader *reader, bool heard, uint64_t now_ms)
{
    bool quiet = !heard && now_ms >= quiet_ms(reader);
    switch (reader->phase) {
    case LEAVE_FETCH:
        return quiet || now_ms >= reader->began_ms + FETCH_MS;
    case LEAVE_MEET:
        return reader->met;
    case LEAVE_DRAIN:
        quiet = quiet && reader->recorded.n_items == 0;
        break;
    case LEAVE_AGAIN:
        if (reader->k >= 0 && !quiet && now_ms >= reader->began_ms + AGAIN_MS) {
            reader->left_behind = true;
            warn_left(reader, "messages have not ceased to come");
            return true;
        }
        break;
    case LEAVE_UNDO:
    case LEAVE_END:
        return true;
    case LEAVE_NOT:
    case LEAVE_GONE:
        return false;
    }
    return quiet || (retire_anyway(reader) && now_ms >= reader->since_ms + FORCE_MS);
}

static void look(struct reader *reader, bool heard, uint64_t now_ms)
{
    bool connected = mqtt_session_connected(reader->session);
    if (connected || !reader_quiet(reader)) {
        reader->tried_ms = now_ms;
    }
    if (connected && reader_quiet(reader)) {
        reader->phase_over = is_over(reader, heard, now_ms);
    } else if (at_old(reader) && now_ms >= reader->tried_ms + REACH_MS) {
        reader->phase_over = reader->left_behind = true;
        warn_left(reader, "it could not be reached");
    }
}

enum reader_wish leaver_wish(struct reader *reader, enum reader_wish wish, bool ready,
                             uint64_t now_ms)
{
    /* Silence tells something only where messages were waited for. */
    if (!mqtt_session_listens(reader->session)) {
        reader->last_ms = now_ms;
    }
    if (reader->phase == LEAVE_NOT || wish != READER_RUN) {
        reader->tried_ms = now_ms;
        return wish;
    }
    if (reader->phase_over && mqtt_session_idle(reader->session) && reader_quiet(reader)) {
        next_phase(reader);
    }
    if (reader->phase == LEAVE_NOT) {
        return wish;
    }
    if (reader->phase == LEAVE_GONE) {
        return READER_REST;
    }
    if (!reader->phase_over) {
        look(reader, ready || mqtt_session_more(reader->session), now_ms);
    }
    return reader->phase_over ? READER_REST : wish;
}

/* ---- what happens to it ---- */

/* Whether the session was there a moment ago. */
static bool is_fresh(const struct reader *reader)
{
    return reader->parted_ms > 0 && clock_mono_ms() <= reader->parted_ms + FRESH_MS;
}

/* The new broker is another one. That is recorded before anything is subscribed to there: after a
 * crash the session that is made now would pass for the old one. */
static void note_other(struct reader *reader)
{
    reader->other = true;
    free(reader->begun);
    reader->begun = mqtt_uris_text(reader->settings->options.uris);
    reader_store_filters(reader);
}

void leaver_look(struct reader *reader)
{
    if (reader->k < 0 && reader->phase == LEAVE_GONE) {
        return;
    }
    struct mqtt_uris old = { NULL, 0 };
    bool known = reader->broker && mqtt_uris_parse(reader->broker, &old, NULL) == ERR_OK;
    bool moves = known && reader->recorded.n_items > 0 && !reader->settings->options.clean &&
                 !mqtt_uris_meet(&old, reader->settings->options.uris);
    mqtt_uris_fini(&reader->old_uris);
    bool keeps = reader->settings->retire_never;
    bool short_lived = reader->settings->options.expiry_s < MIN_EXPIRY_S;
    if (moves && !keeps && !short_lived) {
        reader->old_uris = old;
        reader->left_behind = reader->met = reader->stale = false;
        reader->other = reader->k >= 0 && meets_settings(reader, reader->begun);
        /* A session that was connected a moment ago is there, and what is queued can wait. */
        bool there = is_fresh(reader) && reader->phase == LEAVE_NOT;
        set_phase(reader, reader->k < 0 ? reader->phase : there ? LEAVE_MEET : LEAVE_FETCH);
        return;
    }
    mqtt_uris_fini(&old);
    if (reader->k < 0) {
        /* Its options still name the old broker; whether that was reached means nothing now. */
        reader->left_behind = false;
        set_phase(reader, reader->phase);
        return;
    }
    if (moves) {
        reader->elsewhere = true;
        warn_left(reader, keeps ? "mqtt.sessions.retire is never" : "it expires soon");
    }
    CLEANUP(free_charp) char *now = mqtt_uris_text(reader->settings->options.uris);
    bool same = reader->broker && strcmp(reader->broker, now) == 0;
    bool tell = reader->subscribed || (!same && reader->recorded.n_items > 0);
    arrive(reader);
    reader->subscribed = tell;
}

void leaver_connected(struct reader *reader, bool session_present)
{
    reader->last_ms = clock_mono_ms();
    if (reader->phase == LEAVE_MEET && session_present && !reader->other) {
        /* It is the same broker, and the session goes on. */
        arrive(reader);
        return;
    }
    if (reader->phase == LEAVE_MEET && !reader->other) {
        /* Else it may have expired meanwhile, at the same broker. */
        reader->stale = reader->phase_over = !is_fresh(reader);
        if (!reader->stale) {
            note_other(reader);
        } else {
            /* Before it subscribes: nothing may be queued in a session that is ended again. */
            mqtt_session_drop(reader->session, MQTT_DOWN_ASKED, "the new broker came too late");
        }
    }
    bool nothing = !session_present && reader->phase != LEAVE_NOT && reader->phase != LEAVE_MEET &&
                   !ends_session(reader);
    if (nothing) {
        /* Nothing was there, and what was made now is to go. */
        reader->phase = reader->phase == LEAVE_DRAIN ? LEAVE_AGAIN : reader->phase;
        reader->phase_over = true;
    }
}

bool leaver_subscribed(struct reader *reader)
{
    reader->met = reader->met || reader->phase == LEAVE_MEET;
    return reader->k < 0 || reader->phase == LEAVE_NOT || reader->phase == LEAVE_MEET;
}

bool leaver_refused(struct reader *reader, const struct mqtt_down *down)
{
    if (!at_old(reader)) {
        return false;
    }
    if (down->refused && !reader->phase_over) {
        reader->phase_over = reader->left_behind = true;
        warn_left(reader, down->text);
    }
    return true;
}

void leaver_note(struct reader *reader, uint64_t now_ms)
{
    size_t n = window_messages(reader->window);
    if (reader->phase != LEAVE_NOT && n > 0) {
        reader->last_ms = now_ms;
        reader->n_late += reader->phase == LEAVE_MEET ? 0 : n;
    }
}

/* `at` if it is still to come and before `until`. */
static uint64_t sooner(uint64_t at, uint64_t now_ms, uint64_t until)
{
    return at > now_ms && at < until ? at : until;
}

uint64_t leaver_deadline(const struct reader *reader, uint64_t now_ms)
{
    if (reader->phase == LEAVE_NOT || reader->phase_over) {
        return UINT64_MAX;
    }
    uint64_t until = UINT64_MAX;
    if (!mqtt_session_connected(reader->session)) {
        return at_old(reader) ? sooner(reader->tried_ms + REACH_MS, now_ms, until) : until;
    }
    until = sooner(quiet_ms(reader), now_ms, until);
    if (reader->k >= 0) {
        until = sooner(reader->began_ms + FETCH_MS, now_ms, until);
        until = sooner(reader->began_ms + AGAIN_MS, now_ms, until);
    }
    return retire_anyway(reader) ? sooner(reader->since_ms + FORCE_MS, now_ms, until) : until;
}
