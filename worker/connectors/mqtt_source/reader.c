/* SPDX-License-Identifier: Apache-2.0 */
/* The ack gate. See reader.h. */
#include "worker/connectors/mqtt_source/reader.h"

#include "worker/active_topics.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/reader_internal.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"

/* How soon a full producer queue is tried again. */
#define BUSY_MS 20
/* After a refused batch: good messages until windows are large again; grows with each refusal. */
#define CAREFUL_MESSAGES 4000
#define CAREFUL_MAX      1000000

/* ---- the gate ---- */

/* Whether PUBACKs may leave. This is the whole guarantee: nothing but this decides it. */
static bool gate_open(const struct reader *reader)
{
    return window_settled(reader->window) && list_empty(&reader->waiting) && !reader->doubt;
}

/* Without copies only the broker can send a message again. It must, where an error may send it to
 * the dead letter queue, and where nobody sends it again: such windows always have copies. */
static bool always_copies(const struct reader *reader)
{
    const struct mqtt_options *options = &reader->settings->options;
    return reader->settings->errors.tolerate || options->clean || options->qos == 0;
}

/* Empties the window; what follows a refused batch goes in small windows with copies, so that few
 * records have to be sent one by one and only one that is refused alone is judged. */
static void next_window(struct reader *reader, size_t n_good)
{
    if (window_suspects(reader->window) > 0) {
        reader->careful = reader->next_careful;
        reader->next_careful =
            reader->next_careful < CAREFUL_MAX / 2 ? reader->next_careful * 2 : CAREFUL_MAX;
    } else if (reader->careful > 0) {
        reader->careful -= n_good < reader->careful ? n_good : reader->careful;
    }
    window_reset(reader->window);
    window_keep_copies(reader->window, always_copies(reader) || reader->careful > 0);
}

static void count_in(struct reader *reader)
{
    struct metric_scope *metrics = reader->context->metrics;
    size_t n_resent = mqtt_session_take_resent(reader->session);
    if (n_resent > 0) {
        metric_add(metrics, METRIC_RESENT, 0, n_resent);
    }
    if (reader->n_in == 0) {
        return;
    }
    metric_add(metrics, METRIC_RECORDS_IN, 0, reader->n_in);
    metric_add(metrics, METRIC_BYTES_IN, 0, reader->n_in_bytes);
    if (reader->n_duplicate > 0) {
        metric_add(metrics, METRIC_REDELIVERED, 0, reader->n_duplicate);
    }
    if (reader->n_absorbed > 0) {
        metric_add(metrics, METRIC_DEDUPED, 0, reader->n_absorbed);
    }
    reader->n_in = reader->n_in_bytes = reader->n_duplicate = reader->n_absorbed = 0;
}

static void count_out(struct reader *reader)
{
    struct metric_scope *metrics = reader->context->metrics;
    struct window_sum sum;
    window_delivered(reader->window, &sum);
    if (sum.n_records > 0) {
        metric_add(metrics, METRIC_RECORDS_OUT, 0, sum.n_records);
        metric_add(metrics, METRIC_BYTES_OUT, 0, sum.n_bytes);
        active_topics_tell(reader->context->topics);
    }
    if (sum.n_letters > 0) {
        metric_add(metrics, METRIC_DLQ_RECORDS, 0, sum.n_letters);
    }
}

static void release(struct reader *reader)
{
    uint64_t now_us = clock_mono_us();
    size_t n = mqtt_session_release(reader->session, now_us / 1000);
    if (n > 0) {
        metric_add(reader->context->metrics, METRIC_ACKS, 0, n);
        window_observe(reader->window, reader->context->metrics, now_us);
    }
    if (reader->subscribed && mqtt_session_connected(reader->session)) {
        reader_store_filters(reader);
    }
}

/* Every record of the window has its report, and all went well. */
static void finish_window(struct reader *reader)
{
    ASSERT(gate_open(reader));
    count_out(reader);
    if (reader->connection_lost) {
        mqtt_session_settled(reader->session, true);
    } else {
        release(reader);
    }
    next_window(reader, window_messages(reader->window));
    reader->connection_lost = false;
    reader->gate_closed = false;
    reader->parked = false;
}

/* Some were not delivered: the broker is to send the window again. */
static void abandon_window(struct reader *reader)
{
    char text[320];
    (void)snprintf(text, sizeof(text), "records could not be delivered: %.256s",
                   reader->error.text);
    mqtt_session_drop(reader->session, MQTT_DOWN_DROPPED, text);
    if (window_undelivered(reader->window) > 0) {
        return;
    }
    reader_forget_waiting(reader);
    mqtt_session_settled(reader->session, false);
    next_window(reader, 0);
    reader->connection_lost = false;
    if (!reader->producer_lost) {
        reader->doubt = false;
        reader->gate_closed = false;
    }
}

static void check_window(struct reader *reader)
{
    if (window_undelivered(reader->window) == 0 && !reader->doubt) {
        (void)reader_take_result(reader,
                                 pipeline_review(reader->pipeline, reader->window, &reader->error));
    }
    if (reader->failed) {
        return;
    }
    if (reader->doubt) {
        abandon_window(reader);
        return;
    }
    bool due = window_messages(reader->window) > 0 || reader->connection_lost ||
               reader->subscribed || mqtt_session_wants_release(reader->session);
    if (due && gate_open(reader)) {
        finish_window(reader);
    }
}

/* Kafka does not answer, and the broker will soon miss our packets: leave before it does, keeping
 * the session, and come back when the records are delivered. */
static void check_patience(struct reader *reader, uint64_t now_ms)
{
    uint64_t opened_ms = window_opened_ms(reader->window);
    if (opened_ms == 0 || !mqtt_session_connected(reader->session) || gate_open(reader)) {
        return;
    }
    if (now_ms >= mqtt_session_park_at(reader->session, opened_ms)) {
        mqtt_session_drop(reader->session, MQTT_DOWN_PARKED, "Kafka does not acknowledge");
    }
}

/* ---- steps ---- */

static bool may_connect(const struct reader *reader, enum reader_wish wish)
{
    /* An attempt under way may go on. None begins only to be held back. */
    bool may = wish == READER_RUN || (wish == READER_HOLD && !mqtt_session_idle(reader->session));
    return may && !reader->gate_closed && !reader->doubt;
}

static bool may_read(const struct reader *reader, enum reader_wish wish)
{
    return wish == READER_RUN && !reader->gate_closed && !reader->doubt && !reader->failed &&
           mqtt_session_connected(reader->session);
}

static void read_messages(struct reader *reader, uint64_t now_ms)
{
    mqtt_session_read(reader->session);
#ifdef SLUICE_NAIVE_ACK
    /* What a client without the gate does, to show that the tests would see the loss. */
    (void)mqtt_session_release(reader->session, now_ms);
#endif
    count_in(reader);
    leaver_note(reader, now_ms);
#ifndef SLUICE_NAIVE_ACK
    /* From here on the window waits: what still comes stays in the socket until it is through. */
    reader->gate_closed = window_messages(reader->window) > 0;
#endif
    check_window(reader);
}

static void go_to_rest(struct reader *reader, enum reader_wish wish, uint64_t now_ms)
{
    if (mqtt_session_idle(reader->session)) {
        reader->answered = false;
        return;
    }
    if (!mqtt_session_connected(reader->session) || gate_open(reader)) {
        mqtt_session_disconnect(reader->session, now_ms);
    } else if (wish == READER_CLOSE) {
        mqtt_session_drop(reader->session, MQTT_DOWN_ASKED,
                          "closed before Kafka acknowledged: the broker keeps the messages");
    }
    if (wish == READER_CLOSE) {
        mqtt_session_drop(reader->session, MQTT_DOWN_ASKED, "the broker did not take the goodbye");
    }
}

bool reader_step(struct reader *reader, enum reader_wish wish, bool ready, struct error *reterr)
{
    uint64_t now_ms = clock_mono_ms();
    wish = leaver_wish(reader, wish, ready, now_ms);
    reader_send_waiting(reader);
    check_window(reader);
    check_patience(reader, now_ms);
    mqtt_session_tick(reader->session, now_ms, may_connect(reader, wish), ready);
    if (may_read(reader, wish) && (ready || mqtt_session_more(reader->session))) {
        read_messages(reader, now_ms);
    }
    if ((wish == READER_REST || wish == READER_CLOSE) && !reader->failed) {
        go_to_rest(reader, wish, now_ms);
    }
    /* The SUBSCRIBE of a fresh connection, a PINGREQ: sent behind the PUBACKs, if any. */
    check_window(reader);
    if (!may_connect(reader, wish)) {
        reader->failing_ms = 0; /* nobody tries: no time is lost */
    }
    if (reader->failed) {
        *reterr = reader->error;
        mqtt_session_drop(reader->session, MQTT_DOWN_DROPPED, "the task failed");
        return false;
    }
    return true;
}

uint64_t reader_poll(const struct reader *reader, enum reader_wish wish, struct pollfd *ret_poll)
{
    uint64_t now_ms = clock_mono_ms();
    bool reads = may_read(reader, wish);
    mqtt_session_poll(reader->session, reads, ret_poll);
    if (reads && mqtt_session_more(reader->session)) {
        return now_ms;
    }
    uint64_t until = mqtt_session_deadline(reader->session, may_connect(reader, wish));
    uint64_t opened_ms = window_opened_ms(reader->window);
    if (opened_ms > 0 && mqtt_session_connected(reader->session)) {
        uint64_t park_ms = mqtt_session_park_at(reader->session, opened_ms);
        until = park_ms < until ? park_ms : until;
    }
    uint64_t leave_ms = leaver_deadline(reader, now_ms);
    until = leave_ms < until ? leave_ms : until;
    if (!list_empty(&reader->waiting) && now_ms + BUSY_MS < until) {
        until = now_ms + BUSY_MS;
    }
    return until;
}

bool reader_at_rest(const struct reader *reader)
{
    return mqtt_session_idle(reader->session);
}

bool reader_wants_producer(const struct reader *reader)
{
    return reader->producer_lost;
}

bool reader_undelivered(const struct reader *reader)
{
    return window_undelivered(reader->window) > 0;
}

void reader_producer_renewed(struct reader *reader)
{
    if (reader->producer_lost) {
        reader->producer_lost = false;
        abandon_window(reader);
    }
}

void reader_gauges(const struct reader *reader, struct reader_gauges *ret_gauges)
{
    *ret_gauges = (struct reader_gauges){
        .connected = mqtt_session_connected(reader->session),
        .parked = reader->parked,
        .n_held = mqtt_session_held(reader->session),
        .held_since_ms = window_opened_ms(reader->window),
    };
}

/* ---- life ---- */

static uint32_t takeover_wait_ms(const struct task_context *context)
{
    const char *text = kvs_get(context->worker_props, "heartbeat.interval.ms");
    long ms = text ? strtol(text, NULL, 10) : 0;
    return ms > 0 && ms < 60000 ? (uint32_t)ms + 500 : 1500;
}

void reader_set_options(struct reader *reader)
{
    reader->options = reader->settings->options;
    reader->options.client_id = reader->client_id;
    reader->options.watch = reader->k == 0 ? reader->settings->dropped_topic : NULL;
    reader->options.own = &reader->own_filters;
    reader->options.recorded = &reader->recorded;
    reader->options.leaving = &reader->leaving;
    reader->options.takeover_wait_ms = takeover_wait_ms(reader->context);
    reader->options.log = reader->context->log;
    leaver_options(reader);
}

static void take_parts(struct reader *reader, const struct reader_parts *parts)
{
    reader->context = parts->context;
    reader->settings = parts->settings;
    reader->pipeline = parts->pipeline;
    config_list_fini(&reader->own_filters);
    if (reader->k >= 0) {
        source_settings_own_filters(reader->settings, reader->k, &reader->own_filters);
    }
    reader_set_options(reader);
}

/* Takes client_id. */
static struct reader *make(const struct reader_parts *parts, int k, char *client_id, int event_fd)
{
    struct reader *reader = xcalloc(1, sizeof(*reader));
    const struct task_context *context = parts->context;
    list_init(&reader->waiting);
    reader->k = k;
    reader->phase = k < 0 ? LEAVE_DRAIN : LEAVE_NOT;
    reader->client_id = client_id;
    reader->since_ms = clock_mono_ms();
    filters_load(context->control, reader->client_id, &reader->recorded, &reader->leaving,
                 &reader->broker, &reader->begun);
    take_parts(reader, parts);
    leaver_look(reader);
    reader->window = window_new(event_fd, metrics_task(context->connector, context->task),
                                always_copies(reader));
    reader->next_careful = CAREFUL_MESSAGES;
    struct mqtt_handlers handlers;
    reader_handlers(reader, &handlers);
    reader->session = mqtt_session_new(&reader->options, &handlers);
    return reader;
}

struct reader *reader_new(const struct reader_parts *parts, int k, int event_fd)
{
    return make(parts, k, source_settings_client_id(parts->settings, k), event_fd);
}

struct reader *reader_new_leaving(const struct reader_parts *parts, const char *client_id,
                                  int event_fd)
{
    log_info(parts->context->log, "MQTT-SESSION-RETIRING", "session=\"%s\"", client_id);
    return make(parts, -1, xstrdup(client_id), event_fd);
}

const char *reader_leaving(const struct reader *reader)
{
    return reader->k >= 0 ? NULL : reader->client_id;
}

bool reader_gone(const struct reader *reader)
{
    return reader->phase == LEAVE_GONE;
}

void reader_adopt(struct reader *reader, const struct reader_parts *parts, bool anew)
{
    bool quiet = reader_quiet(reader);
    ASSERT(quiet || (parts->pipeline == reader->pipeline && !anew));
    take_parts(reader, parts);
    if (quiet) {
        window_keep_copies(reader->window, always_copies(reader) || reader->careful > 0);
    }
    if (anew) {
        leaver_look(reader);
    }
    mqtt_session_revise(reader->session, anew);
}

int reader_session(const struct reader *reader)
{
    return reader->k;
}

bool reader_quiet(const struct reader *reader)
{
    return window_messages(reader->window) == 0 && window_settled(reader->window) &&
           list_empty(&reader->waiting) && !reader->doubt && !reader->producer_lost &&
           !reader->connection_lost && !reader->gate_closed;
}

bool reader_answered(const struct reader *reader)
{
    return reader->answered || reader->k < 0;
}

void reader_free(struct reader *reader)
{
    if (!reader) {
        return;
    }
    mqtt_session_free(reader->session);
    reader_forget_waiting(reader);
    window_free(reader->window);
    config_list_fini(&reader->own_filters);
    config_list_fini(&reader->recorded);
    config_list_fini(&reader->leaving);
    mqtt_uris_fini(&reader->old_uris);
    free(reader->broker);
    free(reader->begun);
    free(reader->client_id);
    free(reader);
}
