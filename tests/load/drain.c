/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load prepare and drain: the MQTT floor. prepare makes persistent sessions so that messages
 * queue up in the broker; drain takes them out with libmosquitto's default loop, which acknowledges
 * at once. Each session of drain has its own thread and client; the counters they share are atomic
 * and the ledger, kept only when a run id is given, is used under its mutex.
 */
#include <errno.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/ledger.h"
#include "tests/load/options.h"
#include "tests/load/plan.h"
#include "tests/load/util.h"

#define KEEPALIVE_S 60
#define LOOP_MS     100

struct drain {
    struct plan plan; /* with a run id: account for its messages; always: how many to take */
    struct ledger *ledger;
    uint64_t odd; /* messages that are not as the run sent them; under the mutex too */
    pthread_mutex_t ledger_mutex;
    struct endpoint endpoint;
    const char *mqtt;
    const char *client_id;
    const char *filter;
    const char *protocol;
    uint64_t sessions;
    uint64_t expiry_s;
    uint64_t receive_maximum;
    uint64_t timeout_s;
    bool end;
    _Atomic uint64_t received;
    _Atomic uint64_t first_us;
    _Atomic uint64_t last_us;
    _Atomic bool failed;
};

struct session {
    struct drain *drain;
    struct mosquitto *mosq;
    pthread_t thread;
    bool done; /* prepare: CONNACK or SUBACK that it waited for is in */
};

static bool is_v5(const struct drain *d)
{
    return strcmp(d->protocol, "5") == 0;
}

static void note_message(struct drain *d, const struct mosquitto_message *msg)
{
    struct message_id id = { 0 };
    enum payload_state state = payload_read(&d->plan, msg->payload, (size_t)msg->payloadlen, &id);
    (void)pthread_mutex_lock(&d->ledger_mutex);
    if (state == PAYLOAD_OK) {
        (void)ledger_note(d->ledger, &id);
    } else {
        d->odd++;
    }
    (void)pthread_mutex_unlock(&d->ledger_mutex);
}

static void on_message(struct mosquitto *mosq, void *userdata, const struct mosquitto_message *msg)
{
    struct session *s = userdata;
    struct drain *d = s->drain;
    (void)mosq;
    if (d->ledger != NULL) {
        note_message(d, msg);
    }
    uint64_t n = atomic_fetch_add_explicit(&d->received, 1, memory_order_relaxed) + 1;
    if (n == 1) {
        atomic_store(&d->first_us, mono_us());
    }
    if (n == d->plan.messages) {
        atomic_store(&d->last_us, mono_us());
    }
}

static void on_subscribe(struct mosquitto *mosq, void *userdata, int mid, int n_codes,
                         const int *codes)
{
    struct session *s = userdata;
    (void)mid;
    if (n_codes < 1 || codes[0] >= 0x80) {
        complain("--filter %s: the broker refuses it (%d)\n", s->drain->filter,
                 n_codes < 1 ? -1 : codes[0]);
        atomic_store(&s->drain->failed, true);
    }
    s->done = true;
    (void)mosquitto_disconnect(mosq);
}

static void on_connect(struct mosquitto *mosq, void *userdata, int rc)
{
    struct session *s = userdata;
    if (rc != 0) {
        complain("--mqtt %s: broker refuses: %d %s\n", s->drain->mqtt, rc,
                 is_v5(s->drain) ? mosquitto_reason_string(rc) : mosquitto_connack_string(rc));
        atomic_store(&s->drain->failed, true);
        return;
    }
    if (s->drain->end) {
        s->done = true;
        (void)mosquitto_disconnect(mosq);
    } else if (s->drain->filter != NULL) {
        (void)mosquitto_subscribe(mosq, NULL, s->drain->filter, 1);
    }
}

static int connect_session(struct session *s)
{
    struct drain *d = s->drain;
    if (!is_v5(d)) {
        return mosquitto_connect(s->mosq, d->endpoint.host, d->endpoint.port, KEEPALIVE_S);
    }
    mosquitto_property *properties = NULL;
    uint32_t expiry = d->end ? 0 : (uint32_t)d->expiry_s;
    int rc = mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, expiry);
    if (rc == MOSQ_ERR_SUCCESS) {
        rc = mosquitto_connect_bind_v5(s->mosq, d->endpoint.host, d->endpoint.port, KEEPALIVE_S,
                                       NULL, properties);
    }
    mosquitto_property_free_all(&properties);
    return rc;
}

static bool session_open(struct drain *d, uint64_t index, struct session *s)
{
    char id[160];
    if (d->sessions > 1) {
        (void)snprintf(id, sizeof(id), "%s-%" PRIu64, d->client_id, index);
    } else {
        (void)snprintf(id, sizeof(id), "%s", d->client_id);
    }
    s->drain = d;
    s->mosq = mosquitto_new(id, d->end, s);
    if (s->mosq == NULL) {
        complain("no MQTT client: %s\n", strerror(errno));
        return false;
    }
    int version = is_v5(d) ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    (void)mosquitto_int_option(s->mosq, MOSQ_OPT_PROTOCOL_VERSION, version);
    (void)mosquitto_int_option(s->mosq, MOSQ_OPT_RECEIVE_MAXIMUM, (int)d->receive_maximum);
    (void)mosquitto_int_option(s->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(s->mosq, on_connect);
    mosquitto_subscribe_callback_set(s->mosq, on_subscribe);
    mosquitto_message_callback_set(s->mosq, on_message);
    int rc = connect_session(s);
    if (rc != MOSQ_ERR_SUCCESS) {
        const char *text = rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
        complain("--mqtt %s: %s: is the broker running there?\n", d->mqtt, text);
    }
    return rc == MOSQ_ERR_SUCCESS;
}

static bool prepare_one(struct drain *d, uint64_t index)
{
    struct session s = { 0 };
    bool good = session_open(d, index, &s);
    uint64_t deadline = mono_us() + d->timeout_s * 1000000U;
    /* The loop ends with the connection, which on_subscribe or on_connect closes. */
    while (good && mosquitto_loop(s.mosq, LOOP_MS, 1) == MOSQ_ERR_SUCCESS) {
        good = mono_us() < deadline && !atomic_load(&d->failed);
    }
    mosquitto_destroy(s.mosq);
    return good && s.done && !atomic_load(&d->failed);
}

int command_prepare(int argc, char **argv)
{
    struct drain d = { .client_id = "load-drain",
                       .protocol = "5",
                       .sessions = 1,
                       .expiry_s = 3600,
                       .receive_maximum = 1000,
                       .timeout_s = 10 };
    const struct option_row rows[] = {
        { "--mqtt", OPTION_STRING, &d.mqtt, 0, 0, true, "MQTT broker, host:port" },
        { "--client-id", OPTION_STRING, &d.client_id, 0, 0, false,
          "client id; with several sessions -0, -1 ... is added" },
        { "--filter", OPTION_STRING, &d.filter, 0, 0, false, "topic filter to subscribe at QoS 1" },
        { "--sessions", OPTION_NUMBER, &d.sessions, 1, 1000, false, "how many sessions" },
        { "--expiry", OPTION_NUMBER, &d.expiry_s, 1, 4294967295U, false, "session expiry, s" },
        { "--protocol", OPTION_STRING, &d.protocol, 0, 0, false, "MQTT version: 5 or 3.1.1" },
        { "--end", OPTION_FLAG, &d.end, 0, 0, false, "end the sessions instead of making them" },
        { "--timeout", OPTION_NUMBER, &d.timeout_s, 1, 3600, false, "seconds per session" },
    };
    const struct option_table table = {
        "prepare",
        "Makes persistent sessions with a subscription and leaves, so that messages queue up.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    if (!endpoint_parse("--mqtt", d.mqtt, &d.endpoint) ||
        !option_one_of("--protocol", d.protocol, "5 3.1.1")) {
        return LOAD_ERROR;
    }
    if (d.filter == NULL && !d.end) {
        complain("--filter is missing: give a topic filter, or --end\n");
        return LOAD_ERROR;
    }
    bool good = true;
    for (uint64_t i = 0; good && i < d.sessions; i++) {
        good = prepare_one(&d, i);
    }
    if (good) {
        printf("{\"command\":\"prepare\",\"sessions\":%" PRIu64 ",\"ended\":%s}\n", d.sessions,
               d.end ? "true" : "false");
    }
    return good ? LOAD_OK : LOAD_ERROR;
}

/* With a ledger every message of the run must have come, otherwise any messages count. */
static bool drained(struct drain *d)
{
    if (d->ledger == NULL) {
        return atomic_load_explicit(&d->received, memory_order_relaxed) >= d->plan.messages;
    }
    (void)pthread_mutex_lock(&d->ledger_mutex);
    bool all = ledger_received(d->ledger) == d->plan.messages;
    (void)pthread_mutex_unlock(&d->ledger_mutex);
    return all;
}

static void *session_main(void *arg)
{
    struct session *s = arg;
    struct drain *d = s->drain;
    uint64_t deadline = mono_us() + d->timeout_s * 1000000U;
    while (!drained(d) && !atomic_load(&d->failed) && mono_us() < deadline) {
        if (mosquitto_loop(s->mosq, LOOP_MS, 1) != MOSQ_ERR_SUCCESS) {
            complain("connection lost\n");
            atomic_store(&d->failed, true);
        }
    }
    (void)mosquitto_disconnect(s->mosq);
    return NULL;
}

static bool drain_all(struct drain *d, struct session *sessions)
{
    for (uint64_t i = 0; i < d->sessions; i++) {
        if (!session_open(d, i, &sessions[i])) {
            atomic_store(&d->failed, true);
            return false;
        }
    }
    for (uint64_t i = 0; i < d->sessions; i++) {
        if (pthread_create(&sessions[i].thread, NULL, session_main, &sessions[i]) != 0) {
            abort();
        }
    }
    for (uint64_t i = 0; i < d->sessions; i++) {
        (void)pthread_join(sessions[i].thread, NULL);
    }
    return drained(d);
}

static void report_ledger(const struct drain *d)
{
    if (d->ledger != NULL) {
        struct ledger_totals totals = ledger_totals(d->ledger, d->sessions);
        printf(",\"distinct\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"duplicates\":%" PRIu64
               ",\"violations\":%" PRIu64 ",\"odd\":%" PRIu64 ",",
               totals.received, totals.missing, totals.duplicates, totals.violations, d->odd);
        ledger_print_missing(d->ledger);
    }
    printf("}\n");
}

static int run_drain(struct drain *d)
{
    struct session *sessions = xcalloc(d->sessions, sizeof(*sessions));
    if (d->plan.run_id != NULL) {
        d->ledger = ledger_new(&d->plan);
    }
    uint64_t start = mono_us();
    uint64_t start_cpu = cpu_us();
    bool good = drain_all(d, sessions);
    uint64_t received = atomic_load(&d->received);
    uint64_t last = good ? atomic_load(&d->last_us) : mono_us();
    uint64_t first = atomic_load(&d->first_us);
    double cpu = received == 0 ? 0 : (double)(cpu_us() - start_cpu) / (double)received;
    printf("{\"command\":\"drain\",\"messages\":%" PRIu64 ",\"received\":%" PRIu64
           ",\"sessions\":%" PRIu64 ",\"seconds\":%.3f,\"seconds_from_first\":%.3f,\"rate\":%.0f,"
           "\"cpu_us_per_message\":%.2f",
           d->plan.messages, received, d->sessions, (double)(last - start) / 1e6,
           first == 0 ? 0.0 : (double)(last - first) / 1e6, per_second(received, last - start),
           cpu);
    report_ledger(d);
    for (uint64_t i = 0; i < d->sessions; i++) {
        mosquitto_destroy(sessions[i].mosq);
    }
    free(sessions);
    ledger_free(d->ledger);
    if (good) {
        return LOAD_OK;
    }
    return atomic_load(&d->failed) ? LOAD_ERROR : LOAD_MISSING;
}

int command_drain(int argc, char **argv)
{
    struct drain d = { .plan = plan_defaults(),
                       .ledger_mutex = PTHREAD_MUTEX_INITIALIZER,
                       .client_id = "load-drain",
                       .protocol = "5",
                       .sessions = 1,
                       .expiry_s = 3600,
                       .receive_maximum = 1000,
                       .timeout_s = 120 };
    const struct option_row rows[] = {
        { "--mqtt", OPTION_STRING, &d.mqtt, 0, 0, true, "MQTT broker, host:port" },
        { "--client-id", OPTION_STRING, &d.client_id, 0, 0, false, "client id given to prepare" },
        { "--sessions", OPTION_NUMBER, &d.sessions, 1, 64, false, "sessions given to prepare" },
        PLAN_ROWS(d.plan),
        { "--receive-maximum", OPTION_NUMBER, &d.receive_maximum, 1, 65535, false, "window" },
        { "--expiry", OPTION_NUMBER, &d.expiry_s, 1, 4294967295U, false, "session expiry, s" },
        { "--protocol", OPTION_STRING, &d.protocol, 0, 0, false, "MQTT version: 5 or 3.1.1" },
        { "--timeout", OPTION_NUMBER, &d.timeout_s, 1, 3600, false, "seconds for all of it" },
    };
    const struct option_table table = {
        "drain",
        "Takes queued messages out of prepared sessions, acknowledging at once, and times it. "
        "With\n"
        "--run-id it takes until the whole run is there and counts what is missing or double.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    if (!endpoint_parse("--mqtt", d.mqtt, &d.endpoint) ||
        !option_one_of("--protocol", d.protocol, "5 3.1.1")) {
        return LOAD_ERROR;
    }
    if (d.plan.run_id != NULL && !plan_check(&d.plan)) {
        return LOAD_ERROR;
    }
    return run_drain(&d);
}
