/* SPDX-License-Identifier: Apache-2.0 */
/* The ack gate. See reader.h. */
#include "worker/connectors/mqtt_source/reader.h"

#include "worker/active_topics.h"
#include "worker/base/clock.h"
#include "worker/base/list.h"
#include "worker/base/mem.h"
#include "worker/connectors/mqtt_source/record_of_filters.h"
#include "worker/connectors/mqtt_source/window.h"
#include "worker/mqtt/filter_list.h"

/* Payload bytes of one session that may be on their way; beyond, the socket is left alone. */
#define WINDOW_BYTES (16U << 20)
/* How soon a full producer queue is tried again. */
#define BUSY_MS 20
/* The time stamp of arrival is read once for so many messages. */
#define STAMP_EVERY 16
/* After a refused batch: messages of a window, and good messages until windows are large again;
 * the latter grows with each refusal. */
#define CAREFUL_WINDOW   32
#define CAREFUL_MESSAGES 4000
#define CAREFUL_MAX      1000000

/* A message that the producer had no room for. */
struct waiting {
    struct list link;
    struct mqtt_message message;
};

struct reader {
    const struct task_context *context;
    const struct source_settings *settings;
    struct pipeline *pipeline;
    struct mqtt_options options;
    struct config_list own_filters;
    struct config_list recorded; /* what the session is subscribed to */
    struct config_list leaving;  /* the part of it that the broker may have dropped by now */
    char *client_id;
    int k; /* number of the session */
    struct mqtt_session *session;
    struct window *window;
    struct list waiting;
    bool gate_closed;     /* the window waits for its deliveries: nothing is read */
    bool connection_lost; /* the window's messages cannot be acknowledged any more */
    bool doubt;           /* some of them were not delivered: they must come again */
    bool producer_lost;   /* a new producer is needed */
    bool failed;          /* the task has to fail */
    bool subscribed;      /* the filters are to be recorded once they were sent */
    bool parked;
    bool answered;       /* see reader_answered */
    size_t careful;      /* good messages still to come in small windows; 0: windows are large */
    size_t next_careful; /* what the next refusal sets it to */
    struct error error;
    uint64_t offline_ms; /* since when there is no connection; 0: there is one */
    unsigned n_stamp;
    uint64_t stamp_us;
    size_t n_in; /* since the last metrics */
    size_t n_in_bytes;
    size_t n_duplicate;
    size_t n_absorbed;
};

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

/* What the pipeline's answer means. True: the message is taken care of. */
static bool take_result(struct reader *reader, enum pipeline_result result)
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
                take_result(reader, pipeline_send(reader->pipeline, message, reader->window,
                                                  &reader->error));
    if (!done) {
        park_message(reader, message);
    }
}

static void on_message(void *arg, const struct mqtt_message *message)
{
    struct reader *reader = arg;
    if (reader->n_stamp++ % STAMP_EVERY == 0) {
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

static void send_waiting(struct reader *reader)
{
    while (!list_empty(&reader->waiting) && !reader->doubt) {
        struct waiting *waiting = CONTAINER_OF(reader->waiting.next, struct waiting, link);
        enum pipeline_result result =
            pipeline_send(reader->pipeline, &waiting->message, reader->window, &reader->error);
        if (!take_result(reader, result)) {
            return;
        }
        list_remove(&waiting->link);
        free(waiting);
    }
}

static void forget_waiting(struct reader *reader)
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
    if (filter_list_set(&reader->recorded, filters) || reader->leaving.n_items > 0) {
        reader->subscribed = true;
    }
    config_list_fini(&reader->leaving);
}

static void store_filters(struct reader *reader)
{
    reader->subscribed = false;
    filters_store(reader->context->control, reader->client_id, &reader->recorded, &reader->leaving);
}

/* Stored before the UNSUBSCRIBE is sent: another session that gives up such a filter must not take
 * this one for its keeper. */
static void on_leaving(void *arg, const struct config_list *filters)
{
    struct reader *reader = arg;
    if (filter_list_set(&reader->leaving, filters)) {
        store_filters(reader);
    }
}

static bool may_give_up(void *arg, const char *filter)
{
    const struct reader *reader = arg;
    return filters_may_go(reader->context->control, reader->settings, reader->k, &reader->recorded,
                          filter);
}

static void on_connected(void *arg, bool session_present)
{
    (void)session_present;
    struct reader *reader = arg;
    reader->offline_ms = 0;
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
    reader->offline_ms = reader->offline_ms ? reader->offline_ms : now_ms;
    reader->parked = down->reason == MQTT_DOWN_PARKED;
    reader->answered = true;
    reader->gate_closed = true;
    reader->connection_lost = true;
    if (down->connected && down->reason != MQTT_DOWN_ASKED) {
        metric_add(reader->context->metrics, METRIC_MQTT_RECONNECTS, (unsigned)down->reason, 1);
    }
    int64_t retry_ms = reader->settings->errors.retry_timeout_ms;
    bool patient = retry_ms < 0 || now_ms - reader->offline_ms < (uint64_t)retry_ms;
    if (down->refused && !patient) {
        fail(reader, ERR_UNAUTHORIZED, down, "");
        return;
    }
    uint64_t max_ms = (uint64_t)reader->settings->max_retry_ms;
    if (max_ms > 0 && now_ms - reader->offline_ms > max_ms && down->reason != MQTT_DOWN_ASKED) {
        fail(reader, ERR_UNAVAILABLE, down, ", given up after max.retry.time.ms");
    }
}

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
    size_t n = 0;
    size_t n_bytes = 0;
    window_delivered(reader->window, &n, &n_bytes);
    if (n > 0) {
        metric_add(reader->context->metrics, METRIC_RECORDS_OUT, 0, n);
        metric_add(reader->context->metrics, METRIC_BYTES_OUT, 0, n_bytes);
        active_topics_tell(reader->context->topics);
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
        store_filters(reader);
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
    forget_waiting(reader);
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
        (void)take_result(reader,
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
    return (wish == READER_RUN || wish == READER_HOLD) && !reader->gate_closed && !reader->doubt;
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
#else
    (void)now_ms;
#endif
    count_in(reader);
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
    send_waiting(reader);
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

static void take_parts(struct reader *reader, const struct reader_parts *parts)
{
    reader->context = parts->context;
    reader->settings = parts->settings;
    reader->pipeline = parts->pipeline;
    config_list_fini(&reader->own_filters);
    source_settings_own_filters(reader->settings, reader->k, &reader->own_filters);
    reader->options = reader->settings->options;
    reader->options.client_id = reader->client_id;
    reader->options.own = &reader->own_filters;
    reader->options.recorded = &reader->recorded;
    reader->options.leaving = &reader->leaving;
    reader->options.takeover_wait_ms = takeover_wait_ms(reader->context);
    reader->options.log = reader->context->log;
}

struct reader *reader_new(const struct reader_parts *parts, int k, int event_fd)
{
    struct reader *reader = xcalloc(1, sizeof(*reader));
    const struct task_context *context = parts->context;
    list_init(&reader->waiting);
    reader->k = k;
    reader->client_id = source_settings_client_id(parts->settings, k);
    take_parts(reader, parts);
    filters_load(context->control, reader->client_id, &reader->recorded, &reader->leaving);
    reader->window = window_new(event_fd, metrics_task(context->connector, context->task),
                                always_copies(reader));
    reader->next_careful = CAREFUL_MESSAGES;
    reader->offline_ms = clock_mono_ms();
    const struct mqtt_handlers handlers = {
        .arg = reader,
        .on_message = on_message,
        .has_room = has_room,
        .on_subscribed = on_subscribed,
        .on_leaving = on_leaving,
        .may_give_up = may_give_up,
        .on_connected = on_connected,
        .on_down = on_down,
    };
    reader->session = mqtt_session_new(&reader->options, &handlers);
    return reader;
}

void reader_adopt(struct reader *reader, const struct reader_parts *parts, bool anew)
{
    bool quiet = reader_quiet(reader);
    ASSERT(quiet || (parts->pipeline == reader->pipeline && !anew));
    take_parts(reader, parts);
    if (quiet) {
        window_keep_copies(reader->window, always_copies(reader) || reader->careful > 0);
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
    return reader->answered;
}

void reader_free(struct reader *reader)
{
    if (!reader) {
        return;
    }
    mqtt_session_free(reader->session);
    forget_waiting(reader);
    window_free(reader->window);
    config_list_fini(&reader->own_filters);
    config_list_fini(&reader->recorded);
    config_list_fini(&reader->leaving);
    free(reader->client_id);
    free(reader);
}
