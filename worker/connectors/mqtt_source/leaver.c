/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a session that is not wanted any more: mqtt.sessions was lowered, or the client id
 * prefix changed. Brokers differ in what becomes of queued messages at an UNSUBSCRIBE, but all keep
 * them, or give them to the rest of the share group, when another member holds the filter. So the
 * session is read until it is quiet, gives up each filter when another session of the connector has
 * it (session's surplus), is read again until it is quiet, once more on a new connection, and only
 * then begins anew with a clean start and no expiry, which leaves nothing of it at the broker.
 * Until the last step a crash at any point begins from the first one. See reader_internal.h.
 */
#include "worker/base/clock.h"
#include "worker/connectors/mqtt_source/reader_internal.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"

/* Nothing more is expected when nothing came for so long. */
#define QUIET_MS 1000
/* How long one that is to be ended anyway may take before its filters are given up on. */
#define FORCE_MS 15000

static const char *const phase_names[] = {
#define X(name) #name,
    LEAVE_PHASES(X)
#undef X
};

void leaver_options(struct reader *reader)
{
    reader->options.shared = NULL;
    reader->options.own = NULL;
    if (reader->phase == LEAVE_END) {
        reader->options.clean = true;
        reader->options.expiry_s = 0;
        reader->options.recorded = NULL;
        reader->options.leaving = NULL;
    }
}

static bool is_over(const struct reader *reader, uint64_t now_ms)
{
    if (!mqtt_session_connected(reader->session) || !reader_quiet(reader)) {
        return false;
    }
    bool forced = reader->settings->retire_anyway && now_ms >= reader->since_ms + FORCE_MS;
    bool holds = reader->phase == LEAVE_DRAIN && reader->recorded.n_items > 0;
    return forced || reader->phase == LEAVE_END || (!holds && now_ms >= reader->last_ms + QUIET_MS);
}

static void begin(struct reader *reader, enum leave_phase phase)
{
    log_debug(reader->context->log, "MQTT-SESSION-PHASE", "session=\"%s\" from=%s to=%s",
              reader->client_id, phase_names[reader->phase], phase_names[phase]);
    reader->phase = phase;
    reader->phase_over = false;
    if (phase == LEAVE_GONE) {
        filters_forget(reader->context->control, reader->client_id);
        metric_add(reader->context->metrics, METRIC_SESSIONS_RETIRED, 0, 1);
        log_info(reader->context->log, "MQTT-SESSION-RETIRED", "session=\"%s\" late_messages=%zu",
                 reader->client_id, reader->n_late);
        return;
    }
    leaver_options(reader);
    mqtt_session_revise(reader->session, true);
}

enum reader_wish leaver_wish(struct reader *reader, enum reader_wish wish, uint64_t now_ms)
{
    if (reader->phase == LEAVE_NOT || wish != READER_RUN) {
        return wish;
    }
    if (reader->phase_over && mqtt_session_idle(reader->session) && reader_quiet(reader)) {
        begin(reader, reader->phase + 1);
    }
    if (reader->phase == LEAVE_GONE) {
        return READER_REST;
    }
    reader->phase_over = reader->phase_over || is_over(reader, now_ms);
    return reader->phase_over ? READER_REST : wish;
}

void leaver_connected(struct reader *reader, bool session_present)
{
    reader->last_ms = clock_mono_ms();
    if (!session_present && (reader->phase == LEAVE_DRAIN || reader->phase == LEAVE_AGAIN)) {
        /* Nothing was there, and what was made now is to go. */
        reader->phase = LEAVE_AGAIN;
        reader->phase_over = true;
    }
}

void leaver_note(struct reader *reader, uint64_t now_ms)
{
    size_t n = window_messages(reader->window);
    if (reader->phase != LEAVE_NOT && n > 0) {
        reader->last_ms = now_ms;
        reader->n_late += n;
    }
}

uint64_t leaver_deadline(const struct reader *reader, uint64_t now_ms)
{
    if (reader->phase == LEAVE_NOT || reader->phase_over ||
        !mqtt_session_connected(reader->session)) {
        return UINT64_MAX;
    }
    uint64_t quiet_ms = reader->last_ms + QUIET_MS;
    uint64_t force_ms = reader->since_ms + FORCE_MS;
    uint64_t until = quiet_ms > now_ms ? quiet_ms : UINT64_MAX;
    bool force = reader->settings->retire_anyway && force_ms > now_ms && force_ms < until;
    return force ? force_ms : until;
}
