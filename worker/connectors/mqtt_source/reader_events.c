/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader's session has to say: messages, subscriptions, the end of its connection. See
 * reader_internal.h. */
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/reader_internal.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"
#include "worker/mqtt/filter_list.h"
#include "worker/mqtt/reason.h"

/* Payload bytes of one session that may be on their way; beyond, the socket is left alone. */
#define WINDOW_BYTES (16U << 20)
/* The time stamp of arrival is read at the first message of a window, then once for so many. */
#define STAMP_EVERY 16

/* ---- messages in ---- */

static void park_message(struct reader *reader, const struct mqtt_message *message)
{
    size_t topic = strlen(message->topic) + 1;
    struct waiting *waiting = xmalloc(sizeof(*waiting) + topic + message->length + 1);
    list_init(&waiting->link);
    waiting->message = *message;
    char *place = (char *)(waiting + 1);
    memcpy(place, message->topic, topic);
    memcpy(place + topic, message->payload, message->length);
    waiting->message.topic = place;
    waiting->message.payload = place + topic;
    list_push_back(&reader->waiting, &waiting->link);
}

bool reader_take_result(struct reader *reader, enum pipeline_result result)
{
    switch (result) {
    case PIPELINE_SENT:
        return true;
    case PIPELINE_BUSY:
        return false;
    case PIPELINE_NEW_PRODUCER:
        reader->producer_lost = true;
        reader->doubt = true;
        return true;
    case PIPELINE_SUSPECTS:
        reader->doubt = true;
        return true;
    case PIPELINE_FAILED:
        reader->failed = true;
        reader->doubt = true;
        return true;
    }
    return true;
}

static void send_message(struct reader *reader, const struct mqtt_message *message)
{
    bool done = list_empty(&reader->waiting) &&
                reader_take_result(reader, pipeline_send(reader->pipeline, message, reader->window,
                                                         &reader->error));
    if (!done) {
        park_message(reader, message);
    }
}

/* Topics of the broker's own are data only where a filter names them: wildcards leave them out
 * (MQTT 5, 4.7.2). */
static bool is_data(const struct reader *reader, const struct mqtt_message *message)
{
    bool data = message->qos > 0 || strncmp(message->topic, "$SYS/", 5) != 0;
    for (size_t i = 0; i < reader->settings->filters.n_items && !data; i++) {
        data = strncmp(reader->settings->filters.items[i], "$", 1) == 0;
    }
    return data;
}

/* What the broker says about itself; a number that falls begins anew. */
static void note_dropped(struct reader *reader, const struct mqtt_message *message)
{
    const char *topic = reader->settings->dropped_topic;
    char text[24];
    if (!topic || strcmp(message->topic, topic) != 0 || message->length >= sizeof(text)) {
        return;
    }
    memcpy(text, message->payload, message->length);
    text[message->length] = '\0';
    uint64_t n = strtoull(text, NULL, 10);
    if (reader->dropped_known && n > reader->n_dropped) {
        metric_add(reader->context->metrics, METRIC_BROKER_DROPPED, 0, n - reader->n_dropped);
        log_warn(reader->context->log, "MQTT-BROKER-DROPPED",
                 "count=%llu hint=\"the broker dropped messages of its clients; if a session's "
                 "queue was full, raise its limit (mosquitto: max_queued_messages)\"",
                 (unsigned long long)(n - reader->n_dropped));
    }
    reader->dropped_known = true;
    reader->n_dropped = n;
}

static void on_message(void *arg, const struct mqtt_message *message)
{
    struct reader *reader = arg;
    if (!is_data(reader, message)) {
        note_dropped(reader, message);
        return;
    }
    if (window_messages(reader->window) % STAMP_EVERY == 0) {
        reader->stamp_us = clock_mono_us();
    }
    window_note(reader->window, message, reader->stamp_us);
    reader->n_in++;
    reader->n_in_bytes += message->length;
    reader->n_duplicate += message->duplicate;
    if (message->delivered) {
        reader->n_absorbed++;
    } else if (!reader->doubt) {
        send_message(reader, message);
    }
}

static bool has_room(void *arg)
{
    const struct reader *reader = arg;
    size_t most = reader->settings->window;
    if (reader->careful > 0 && most > CAREFUL_WINDOW) {
        most = CAREFUL_WINDOW;
    }
    return !reader->doubt && list_empty(&reader->waiting) &&
           window_messages(reader->window) < most && window_bytes(reader->window) < WINDOW_BYTES;
}

void reader_send_waiting(struct reader *reader)
{
    while (!list_empty(&reader->waiting) && !reader->doubt) {
        struct waiting *waiting = CONTAINER_OF(reader->waiting.next, struct waiting, link);
        enum pipeline_result result =
            pipeline_send(reader->pipeline, &waiting->message, reader->window, &reader->error);
        if (!reader_take_result(reader, result)) {
            return;
        }
        list_remove(&waiting->link);
        free(waiting);
    }
}

void reader_forget_waiting(struct reader *reader)
{
    while (!list_empty(&reader->waiting)) {
        free(CONTAINER_OF(list_pop_front(&reader->waiting), struct waiting, link));
    }
}

/* ---- the session's news ---- */

static void on_subscribed(void *arg, const struct config_list *filters)
{
    struct reader *reader = arg;
    reader->answered = true;
    if (!leaver_subscribed(reader)) {
        return;
    }
    if (filter_list_set(&reader->recorded, filters) || reader->leaving.n_items > 0) {
        reader->subscribed = true;
    }
    config_list_fini(&reader->leaving);
}

void reader_store_filters(struct reader *reader)
{
    reader->subscribed = false;
    filters_store(reader->context->control, reader->client_id, &reader->recorded, &reader->leaving,
                  reader->broker, reader->begun);
}

/* Stored before the UNSUBSCRIBE is sent: another session that gives up such a filter must not take
 * this one for its keeper. */
static void on_leaving(void *arg, const struct config_list *filters)
{
    struct reader *reader = arg;
    if (filter_list_set(&reader->leaving, filters)) {
        reader_store_filters(reader);
    }
}

static bool may_give_up(void *arg, const char *filter)
{
    const struct reader *reader = arg;
    if (reader->k < 0) {
        return reader->settings->retire_anyway ||
               filters_may_retire(reader->context->control, reader->settings, filter);
    }
    return filters_may_go(reader->context->control, reader->settings, reader->k, &reader->recorded,
                          filter);
}

/* The broker has no session that was there before: whatever was queued in it is gone. */
static void note_lost_session(struct reader *reader)
{
    metric_add(reader->context->metrics, METRIC_SESSIONS_LOST, 0, 1);
    log_warn(
        reader->context->log, "MQTT-SESSION-LOST",
        "session=\"%s\" action=\"subscribed again\" risk=\"what was queued in it is lost\" "
        "cause=\"the session expired (mqtt.session.expiry.seconds), was deleted, or the broker "
        "restarted without persistence\"",
        reader->client_id);
}

static void on_connected(void *arg, bool session_present)
{
    struct reader *reader = arg;
    bool known = !reader->elsewhere && (reader->k < 0 || reader->phase == LEAVE_NOT);
    if (known && !session_present && reader->recorded.n_items > 0 && !reader->options.clean) {
        note_lost_session(reader);
    }
    reader->elsewhere = false;
    leaver_connected(reader, session_present);
    reader->parted_ms = 0;
    reader->failing_ms = 0;
    reader->parked = false;
    metric_add(reader->context->metrics, METRIC_MQTT_CONNECTS, 0, 1);
}

static void fail(struct reader *reader, enum err err, const struct mqtt_down *down,
                 const char *more)
{
    reader->failed = true;
    (void)error_set(&reader->error, err, "MQTT broker %s: %s%s", down->broker, down->text, more);
}

static void on_down(void *arg, const struct mqtt_down *down)
{
    struct reader *reader = arg;
    uint64_t now_ms = clock_mono_ms();
    reader->parked = down->reason == MQTT_DOWN_PARKED;
    if (down->connected) {
        reader->parted_ms = down->reason == MQTT_DOWN_ASKED ? now_ms : 0;
    }
    reader->answered = true;
    reader->gate_closed = true;
    reader->connection_lost = true;
    if (down->connected && down->reason != MQTT_DOWN_ASKED) {
        metric_add(reader->context->metrics, METRIC_MQTT_RECONNECTS, (unsigned)down->reason, 1);
    }
    if (leaver_refused(reader, down)) {
        return;
    }
    if (!mqtt_down_is_failure(down->reason)) {
        reader->failing_ms = 0;
        return;
    }
    reader->failing_ms = reader->failing_ms ? reader->failing_ms : now_ms;
    int64_t retry_ms = reader->settings->errors.retry_timeout_ms;
    bool patient = retry_ms < 0 || now_ms - reader->failing_ms < (uint64_t)retry_ms;
    if (down->refused && !patient) {
        fail(reader, ERR_UNAUTHORIZED, down, "");
        return;
    }
    uint64_t max_ms = (uint64_t)reader->settings->connection.max_retry_ms;
    if (max_ms > 0 && now_ms - reader->failing_ms > max_ms) {
        fail(reader, ERR_UNAVAILABLE, down, ", given up after max.retry.time.ms");
    }
}

void reader_handlers(struct reader *reader, struct mqtt_handlers *ret_handlers)
{
    *ret_handlers = (struct mqtt_handlers){
        .arg = reader,
        .on_message = on_message,
        .has_room = has_room,
        .on_subscribed = on_subscribed,
        .on_leaving = on_leaving,
        .may_give_up = may_give_up,
        .on_connected = on_connected,
        .on_down = on_down,
    };
}
