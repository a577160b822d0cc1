/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load publish: plays a plan against an MQTT broker. One thread serves all connections with
 * poll(). A message counts as sent when its PUBACK is in. After a lost connection libmosquitto
 * sends what is unacknowledged again, byte for byte, so a repeated message carries the same
 * sequence: the broker may then hold it twice, and "republished" says how many such repeats there
 * were.
 */
#include <errno.h>
#include <inttypes.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/load/commands.h"
#include "tests/load/options.h"
#include "tests/load/plan.h"
#include "tests/load/util.h"

#define KEEPALIVE_S      30
#define BACKOFF_FIRST_US 100000U
#define BACKOFF_LAST_US  1000000U
#define MISC_EVERY_US    UINT64_C(1000000)
#define AGAIN_AFTER_US   UINT64_C(100000)
#define MIDS             65536U
#define BURST            64U /* messages of one publisher before the next one has its turn */

struct publisher {
    struct run *run;
    struct mosquitto *mosq;
    uint64_t index;
    uint64_t share;     /* messages to send */
    uint64_t next;      /* first message of the plan that was not published yet */
    uint64_t published; /* handed to the library, repeats of our own included */
    uint64_t acked;
    uint64_t window; /* of this connection: the smaller of ours and the broker's */
    uint64_t backoff_us;
    uint64_t retry_at_us;
    uint64_t *of_mid; /* --again: message of each packet id, MIDS entries */
    uint64_t *again;  /* --again: messages nobody had subscribed to, a ring of MIDS entries */
    uint64_t again_head;
    uint64_t again_tail;
    uint64_t again_at_us; /* not before */
    bool connected;       /* CONNACK is in */
    bool ever_connected;
};

struct run {
    struct plan plan;
    struct endpoint endpoint;
    const char *mqtt;
    const char *protocol;
    const char *username;
    const char *password;
    uint64_t qos;
    uint64_t rate;
    uint64_t window;
    uint64_t timeout_s;
    bool again;
    struct publisher *publishers;
    struct pollfd *fds;
    char *payload;
    uint64_t started_us;
    uint64_t finished_us;
    uint64_t progress_us; /* last time something was acknowledged or connected */
    uint64_t published;
    uint64_t acked;
    uint64_t republished;
    uint64_t reconnects;
    uint64_t no_subscribers;
    uint64_t refused;
    int last_refusal;
    bool turned_away; /* the broker refused a first connection: trying again cannot help */
};

static void on_connect(struct mosquitto *mosq, void *userdata, int rc, int flags,
                       const mosquitto_property *properties)
{
    struct publisher *pub = userdata;
    struct run *run = pub->run;
    (void)mosq;
    (void)flags;
    if (rc != 0) {
        complain("publisher %" PRIu64 ": broker refuses: %d %s\n", pub->index, rc,
                 mosquitto_reason_string(rc));
        run->turned_away = run->turned_away || !pub->ever_connected;
        return;
    }
    uint16_t receive_maximum = 0;
    pub->window = run->window;
    if (mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum,
                                      false) != NULL &&
        receive_maximum < pub->window) {
        pub->window = receive_maximum;
    }
    if (pub->ever_connected) {
        run->reconnects++;
        run->republished += pub->published - pub->acked;
    }
    pub->ever_connected = true;
    pub->connected = true;
    pub->backoff_us = BACKOFF_FIRST_US;
    run->progress_us = mono_us();
}

static void on_disconnect(struct mosquitto *mosq, void *userdata, int rc,
                          const mosquitto_property *properties)
{
    struct publisher *pub = userdata;
    (void)mosq;
    (void)rc;
    (void)properties;
    pub->connected = false;
}

/* Nobody had subscribed: the broker has thrown the message away, so it is published again. */
static void keep_for_again(struct publisher *pub, int mid)
{
    pub->again[pub->again_tail++ % MIDS] = pub->of_mid[(unsigned)mid % MIDS];
    pub->again_at_us = mono_us() + AGAIN_AFTER_US;
}

static void on_publish(struct mosquitto *mosq, void *userdata, int mid, int reason,
                       const mosquitto_property *properties)
{
    struct publisher *pub = userdata;
    struct run *run = pub->run;
    (void)mosq;
    (void)properties;
    pub->acked++;
    if (reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS && run->again) {
        run->no_subscribers++;
        keep_for_again(pub, mid);
    } else if (reason >= 0x80) {
        run->refused++;
        run->last_refusal = reason;
    } else {
        run->acked++;
        run->no_subscribers += reason == MQTT_RC_NO_MATCHING_SUBSCRIBERS ? 1 : 0;
    }
    run->finished_us = mono_us();
    run->progress_us = run->finished_us;
}

static bool publisher_init(struct run *run, uint64_t index)
{
    struct publisher *pub = &run->publishers[index];
    pub->run = run;
    pub->index = index;
    pub->share = plan_share(&run->plan, index);
    pub->backoff_us = BACKOFF_FIRST_US;
    if (run->again) {
        pub->of_mid = xcalloc(MIDS, sizeof(*pub->of_mid));
        pub->again = xcalloc(MIDS, sizeof(*pub->again));
    }
    char client_id[96];
    (void)snprintf(client_id, sizeof(client_id), "load-%s-%" PRIu64, run->plan.run_id, index);
    pub->mosq = mosquitto_new(client_id, true, pub);
    if (pub->mosq == NULL) {
        complain("no MQTT client: %s\n", strerror(errno));
        return false;
    }
    int version = strcmp(run->protocol, "5") == 0 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311;
    (void)mosquitto_int_option(pub->mosq, MOSQ_OPT_PROTOCOL_VERSION, version);
    (void)mosquitto_int_option(pub->mosq, MOSQ_OPT_SEND_MAXIMUM, (int)run->window);
    (void)mosquitto_int_option(pub->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    if (run->username != NULL) {
        (void)mosquitto_username_pw_set(pub->mosq, run->username, run->password);
    }
    mosquitto_connect_v5_callback_set(pub->mosq, on_connect);
    mosquitto_disconnect_v5_callback_set(pub->mosq, on_disconnect);
    mosquitto_publish_v5_callback_set(pub->mosq, on_publish);
    int rc = mosquitto_connect(pub->mosq, run->endpoint.host, run->endpoint.port, KEEPALIVE_S);
    if (rc != MOSQ_ERR_SUCCESS) {
        const char *text = rc == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(rc);
        complain("--mqtt %s: %s: is the broker running there?\n", run->mqtt, text);
        return false;
    }
    return true;
}

/* The connection is gone: plan the next attempt, slower each time. */
static void publisher_lost(struct publisher *pub, uint64_t now)
{
    pub->connected = false;
    pub->retry_at_us = now + pub->backoff_us;
    pub->backoff_us = pub->backoff_us * 2 < BACKOFF_LAST_US ? pub->backoff_us * 2 : BACKOFF_LAST_US;
}

static void publisher_reconnect(struct publisher *pub, uint64_t now)
{
    if (now >= pub->retry_at_us && mosquitto_reconnect(pub->mosq) != MOSQ_ERR_SUCCESS) {
        publisher_lost(pub, now);
    }
}

static void publisher_serve(struct publisher *pub, short revents, uint64_t now)
{
    int rc = MOSQ_ERR_SUCCESS;
    if (mosquitto_socket(pub->mosq) < 0) {
        publisher_reconnect(pub, now);
        return;
    }
    if ((revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
        rc = mosquitto_loop_read(pub->mosq, 1);
    }
    if (rc == MOSQ_ERR_SUCCESS && mosquitto_want_write(pub->mosq)) {
        rc = mosquitto_loop_write(pub->mosq, 1);
    }
    if (rc != MOSQ_ERR_SUCCESS || mosquitto_socket(pub->mosq) < 0) {
        publisher_lost(pub, now);
    }
}

static bool has_again(const struct publisher *pub)
{
    return pub->again_head != pub->again_tail && mono_us() >= pub->again_at_us;
}

static bool publish_one(struct publisher *pub)
{
    struct run *run = pub->run;
    char topic[PLAN_KEY_MAX];
    bool again = has_again(pub);
    uint64_t message = again ? pub->again[pub->again_head % MIDS] : pub->next;
    struct message_id id = plan_message(&run->plan, pub->index, message);
    id.sent_us = wall_us();
    plan_topic(&run->plan, &id, topic);
    payload_write(&run->plan, &id, run->payload);
    int mid = 0;
    int rc = mosquitto_publish(pub->mosq, &mid, topic, (int)run->plan.size, run->payload,
                               (int)run->qos, false);
    if (rc == MOSQ_ERR_SUCCESS || rc == MOSQ_ERR_NO_CONN || rc == MOSQ_ERR_CONN_LOST ||
        rc == MOSQ_ERR_ERRNO) {
        /* Also without a connection the library has taken it: it goes out after the reconnect. */
        pub->published++;
        pub->again_head += again ? 1 : 0;
        pub->next += again ? 0 : 1;
        run->published += again ? 0 : 1;
        if (run->again) {
            pub->of_mid[(unsigned)mid % MIDS] = message;
        }
        return rc == MOSQ_ERR_SUCCESS;
    }
    complain("%s: %s\n", topic, mosquitto_strerror(rc));
    exit(LOAD_ERROR);
}

static void publisher_fill(struct publisher *pub, uint64_t allowed)
{
    for (unsigned i = 0; i < BURST && pub->connected; i++) {
        bool done = pub->next == pub->share || pub->run->published >= allowed;
        if ((done && !has_again(pub)) || pub->published - pub->acked >= pub->window ||
            !publish_one(pub)) {
            return;
        }
    }
}

/* How many messages the rate allows by now. */
static uint64_t rate_allows(const struct run *run, uint64_t now)
{
    if (run->rate == 0) {
        return UINT64_MAX;
    }
    return (uint64_t)((double)(now - run->started_us) * (double)run->rate / 1e6) + 1;
}

/* Fills the poll set; returns how long to wait in ms. */
static int prepare_poll(struct run *run, uint64_t now, uint64_t allowed)
{
    int timeout = 100;
    if (run->rate > 0 && run->published < run->plan.messages && run->published >= allowed) {
        timeout = run->rate >= 1000 ? 1 : (int)(1000 / run->rate);
        timeout = timeout > 100 ? 100 : timeout;
    }
    for (uint64_t i = 0; i < run->plan.publishers; i++) {
        struct publisher *pub = &run->publishers[i];
        struct pollfd *fd = &run->fds[i];
        fd->fd = mosquitto_socket(pub->mosq);
        fd->events = POLLIN;
        if (mosquitto_want_write(pub->mosq)) {
            fd->events = POLLIN | POLLOUT;
        }
        bool room =
            pub->connected && pub->next < pub->share && pub->published - pub->acked < pub->window;
        if (room && run->published < allowed) {
            timeout = 0;
        }
        if (fd->fd < 0 && pub->retry_at_us <= now) {
            timeout = 0;
        }
    }
    return timeout;
}

static void progress_line(const struct run *run, uint64_t now)
{
    complain("publish: %" PRIu64 " of %" PRIu64 " acknowledged, %.0f/s, %" PRIu64 " reconnects\n",
             run->acked, run->plan.messages, per_second(run->acked, now - run->started_us),
             run->reconnects);
}

/* Once a second: keep alives; every five seconds: the progress line. */
static void housekeeping(struct run *run, uint64_t now)
{
    static uint64_t next_misc_us;
    static uint64_t next_line_us;
    if (now >= next_misc_us) {
        next_misc_us = now + MISC_EVERY_US;
        for (uint64_t i = 0; i < run->plan.publishers; i++) {
            (void)mosquitto_loop_misc(run->publishers[i].mosq);
        }
    }
    if (now >= next_line_us) {
        if (next_line_us != 0) {
            progress_line(run, now);
        }
        next_line_us = now + 5 * MISC_EVERY_US;
    }
}

static bool play(struct run *run)
{
    run->started_us = mono_us();
    run->progress_us = run->started_us;
    while (run->acked + run->refused < run->plan.messages) {
        uint64_t now = mono_us();
        if (now - run->progress_us > run->timeout_s * 1000000U) {
            complain("no PUBACK for %" PRIu64 " s: giving up\n", run->timeout_s);
            return false;
        }
        if (run->turned_away) {
            return false;
        }
        housekeeping(run, now);
        uint64_t allowed = rate_allows(run, now);
        int timeout = prepare_poll(run, now, allowed);
        if (poll(run->fds, (nfds_t)run->plan.publishers, timeout) < 0 && errno != EINTR) {
            return false;
        }
        for (uint64_t i = 0; i < run->plan.publishers; i++) {
            publisher_serve(&run->publishers[i], run->fds[i].revents, now);
            publisher_fill(&run->publishers[i], allowed);
        }
    }
    return true;
}

static void report(const struct run *run)
{
    uint64_t span = run->finished_us > run->started_us ? run->finished_us - run->started_us : 0;
    double cpu = run->acked == 0 ? 0 : (double)cpu_us() / (double)run->acked;
    printf("{\"command\":\"publish\",\"run_id\":\"%s\",\"messages\":%" PRIu64 ",\"acked\":%" PRIu64
           ",\"seconds\":%.3f,\"rate\":%.0f,\"republished\":%" PRIu64 ",\"reconnects\":%" PRIu64
           ",\"no_subscribers\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"cpu_us_per_message\":%.2f}\n",
           run->plan.run_id, run->plan.messages, run->acked, (double)span / 1e6,
           per_second(run->acked, span), run->republished, run->reconnects, run->no_subscribers,
           run->refused, cpu);
    if (run->refused > 0) {
        complain("the broker refused %" PRIu64 " messages, last: %s\n", run->refused,
                 mosquitto_reason_string(run->last_refusal));
    }
}

static int run_publish(struct run *run)
{
    uint64_t n = run->plan.publishers;
    run->publishers = xcalloc(n, sizeof(*run->publishers));
    run->fds = xcalloc(n, sizeof(*run->fds));
    run->payload = xcalloc(1, run->plan.size);
    bool good = true;
    for (uint64_t i = 0; good && i < n; i++) {
        good = publisher_init(run, i);
    }
    if (good) {
        good = play(run);
        report(run);
    }
    for (uint64_t i = 0; i < n; i++) {
        if (run->publishers[i].mosq != NULL) {
            (void)mosquitto_disconnect(run->publishers[i].mosq);
            mosquitto_destroy(run->publishers[i].mosq);
        }
        free(run->publishers[i].of_mid);
        free(run->publishers[i].again);
    }
    free(run->payload);
    free(run->fds);
    free(run->publishers);
    return good && run->refused == 0 ? LOAD_OK : LOAD_ERROR;
}

int command_publish(int argc, char **argv)
{
    struct run run = { .plan = plan_defaults(),
                       .mqtt = NULL,
                       .protocol = "5",
                       .qos = 1,
                       .rate = 0,
                       .window = 100,
                       .timeout_s = 60 };
    const struct option_row rows[] = {
        { "--mqtt", OPTION_STRING, &run.mqtt, 0, 0, true, "MQTT broker, host:port" },
        PLAN_ROWS(run.plan),
        { "--qos", OPTION_NUMBER, &run.qos, 1, 2, false, "quality of service" },
        { "--rate", OPTION_NUMBER, &run.rate, 0, 10000000, false,
          "messages per second of all publishers; 0: as fast as acknowledged" },
        { "--window", OPTION_NUMBER, &run.window, 1, 65535, false,
          "unacknowledged messages per publisher" },
        { "--protocol", OPTION_STRING, &run.protocol, 0, 0, false, "MQTT version: 5 or 3.1.1" },
        { "--username", OPTION_STRING, &run.username, 0, 0, false, "user name" },
        { "--password", OPTION_STRING, &run.password, 0, 0, false, "password" },
        { "--timeout", OPTION_NUMBER, &run.timeout_s, 1, 86400, false,
          "seconds without any PUBACK after which to give up" },
        { "--again", OPTION_FLAG, &run.again, 0, 0, false,
          "publish again what the broker acknowledged with: no matching subscribers (MQTT 5)" },
    };
    const struct option_table table = {
        "publish",
        "Publishes a run and waits for every PUBACK; reconnects and repeats what is not "
        "acknowledged.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    if (!plan_check(&run.plan) || !endpoint_parse("--mqtt", run.mqtt, &run.endpoint) ||
        !option_one_of("--protocol", run.protocol, "5 3.1.1")) {
        return LOAD_ERROR;
    }
    return run_publish(&run);
}
