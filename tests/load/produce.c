/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load produce: the producer floor. Writes a plan straight to Kafka with the settings of the
 * bridge (acks=all, idempotent, linger 5 ms). It can also make every fault that verify must see, on
 * purpose, so that the check is known to be able to fail. Main thread; delivery reports are served
 * by rd_kafka_poll on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/kafka.h"
#include "tests/load/options.h"
#include "tests/load/plan.h"
#include "tests/load/util.h"

#define MAX_FAULTS 32U

struct fault {
    const char *kind;
    size_t kind_len;
    uint64_t at; /* message number of the run */
};

struct produce {
    struct plan plan;
    const char *kafka;
    const char *topic;
    const char *linger;
    const char *faults_text;
    bool bare;
    uint64_t rate; /* messages per second; 0: as fast as it goes */
    struct fault faults[MAX_FAULTS];
    size_t n_faults;
    rd_kafka_t *rk;
    char *payload;
    uint64_t delivered;
    uint64_t failed;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
    struct produce *p = opaque;
    (void)rk;
    /* librdkafka also calls written what failed when the next request succeeds; only a broker's own
     * answer, which has its id, says that a record is there. */
    bool acked = rd_kafka_message_broker_id(msg) >= 0;
    if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR && acked) {
        p->delivered++;
        return;
    }
    if (p->failed++ == 0) {
        complain("%s\n", msg->err ? rd_kafka_err2str(msg->err) : "a record was not acknowledged");
    }
}

static const char fault_kinds[] = "lose duplicate swap corrupt key headers alien";

/* Reads "kind:number,kind:number". */
static bool parse_faults(struct produce *p)
{
    for (const char *at = p->faults_text; at != NULL && *at != '\0';) {
        struct fault *fault = &p->faults[p->n_faults];
        fault->kind = at;
        fault->kind_len = strcspn(at, ":,");
        char word[16] = "";
        if (fault->kind_len < sizeof(word)) {
            memcpy(word, at, fault->kind_len);
        }
        if (!option_one_of("--fault", word, fault_kinds)) {
            return false;
        }
        at += fault->kind_len;
        char *end = NULL;
        fault->at = *at == ':' ? strtoull(at + 1, &end, 10) : 0;
        if (end == NULL || (*end != ',' && *end != '\0') || ++p->n_faults == MAX_FAULTS) {
            complain("--fault %s: write kind:number,kind:number\n", p->faults_text);
            return false;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return true;
}

static bool has_fault(const struct produce *p, const char *kind, uint64_t number)
{
    for (size_t i = 0; i < p->n_faults; i++) {
        const struct fault *fault = &p->faults[i];
        if (fault->at == number && strlen(kind) == fault->kind_len &&
            strncmp(kind, fault->kind, fault->kind_len) == 0) {
            return true;
        }
    }
    return false;
}

static void add_header(rd_kafka_headers_t *headers, const char *name, const char *value)
{
    (void)rd_kafka_header_add(headers, name, -1, value, -1);
}

static rd_kafka_headers_t *make_headers(uint64_t number)
{
    char text[24];
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    (void)snprintf(text, sizeof(text), "%" PRIu64, number % 65535U + 1);
    add_header(headers, "mqtt.message.id", text);
    add_header(headers, "mqtt.qos", "1");
    add_header(headers, "mqtt.retained", "false");
    add_header(headers, "mqtt.duplicate", "false");
    return headers;
}

/* Produces what payload holds under the key; waits for room in the queue when it is full. */
static void put(struct produce *p, const char *key, rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t vus[5] = {
        { .vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = p->topic },
        { .vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = { p->payload, p->plan.size } },
        { .vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY },
    };
    size_t n = 3;
    if (key != NULL) {
        char *bytes = strdup(key);
        vus[n].vtype = RD_KAFKA_VTYPE_KEY;
        vus[n].u.mem.ptr = bytes;
        vus[n++].u.mem.size = strlen(key);
    }
    if (headers != NULL) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = headers;
    }
    for (;;) {
        rd_kafka_error_t *error = rd_kafka_produceva(p->rk, vus, n);
        if (error == NULL) {
            break;
        }
        bool full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        if (!full) {
            complain("%s\n", rd_kafka_error_string(error));
            exit(LOAD_ERROR);
        }
        rd_kafka_error_destroy(error);
        (void)rd_kafka_poll(p->rk, 100);
    }
    if (key != NULL) {
        free(vus[3].u.mem.ptr);
    }
}

static void put_message(struct produce *p, uint64_t publisher, uint64_t n)
{
    char key[PLAN_KEY_MAX];
    struct message_id id = plan_message(&p->plan, publisher, n);
    uint64_t number = plan_base(&p->plan, publisher) + n;
    id.sent_us = wall_us();
    plan_topic(&p->plan, &id, key);
    payload_write(&p->plan, &id, p->payload);
    if (p->n_faults > 0 && has_fault(p, "corrupt", number)) {
        p->payload[p->plan.size - 1] ^= 1;
    }
    if (p->n_faults > 0 && has_fault(p, "alien", number)) {
        p->payload[0] = '?';
    }
    if (p->n_faults > 0 && has_fault(p, "key", number)) {
        key[0] ^= 1;
    }
    bool headers = !p->bare && (p->n_faults == 0 || !has_fault(p, "headers", number));
    put(p, p->bare ? NULL : key, headers ? make_headers(number) : NULL);
}

/* One message of the plan with the faults that change which messages are sent. */
static void send_message(struct produce *p, uint64_t publisher, uint64_t n)
{
    uint64_t number = plan_base(&p->plan, publisher) + n;
    uint64_t next = n + p->plan.topics; /* of the same stream */
    if (p->n_faults == 0) {
        put_message(p, publisher, n);
        return;
    }
    if (has_fault(p, "lose", number)) {
        return;
    }
    if (has_fault(p, "swap", number)) {
        put_message(p, publisher, next);
        put_message(p, publisher, n);
        return;
    }
    if (n >= p->plan.topics && has_fault(p, "swap", number - p->plan.topics)) {
        return;
    }
    put_message(p, publisher, n);
    if (has_fault(p, "duplicate", number)) {
        put_message(p, publisher, n);
    }
}

/* Serves reports until the next message is due. */
static void keep_rate(struct produce *p, uint64_t start_us, uint64_t n_sent)
{
    uint64_t due_us = start_us + n_sent * 1000000U / p->rate;
    for (uint64_t now = mono_us(); now < due_us; now = mono_us()) {
        (void)rd_kafka_poll(p->rk, (int)((due_us - now) / 1000U) + 1);
    }
}

/* The publishers take turns, one message each. */
static void send_all(struct produce *p)
{
    uint64_t start_us = mono_us();
    uint64_t longest = plan_share(&p->plan, 0);
    for (uint64_t at = 0; at < longest * p->plan.publishers; at++) {
        uint64_t publisher = at % p->plan.publishers;
        uint64_t n = at / p->plan.publishers;
        if (n < plan_share(&p->plan, publisher)) {
            send_message(p, publisher, n);
        }
        if (publisher == 0) {
            (void)rd_kafka_poll(p->rk, 0);
        }
        if (p->rate > 0) {
            keep_rate(p, start_us, at);
        }
    }
}

static int run_produce(struct produce *p)
{
    const char *const settings[] = { "bootstrap.servers",
                                     p->kafka,
                                     "acks",
                                     "all",
                                     "enable.idempotence",
                                     "true",
                                     "linger.ms",
                                     p->linger,
                                     "message.timeout.ms",
                                     "60000",
                                     "log_level",
                                     "2",
                                     NULL };
    p->rk = kafka_client(RD_KAFKA_PRODUCER, p, settings, on_delivery);
    if (p->rk == NULL) {
        return LOAD_ERROR;
    }
    p->payload = xcalloc(1, p->plan.size);
    int code = LOAD_ERROR;
    uint64_t deadline_us = mono_us() + 30000000U;
    int n_partitions = kafka_partitions(p->rk, p->topic, deadline_us);
    if (n_partitions > 0 && kafka_await_logs(p->rk, p->topic, n_partitions, deadline_us)) {
        uint64_t start = mono_us();
        uint64_t start_cpu = cpu_us();
        send_all(p);
        while (rd_kafka_outq_len(p->rk) > 0) {
            (void)rd_kafka_flush(p->rk, 1000);
        }
        uint64_t span = mono_us() - start;
        double cpu = p->delivered == 0 ? 0 : (double)(cpu_us() - start_cpu) / (double)p->delivered;
        printf("{\"command\":\"produce\",\"run_id\":\"%s\",\"delivered\":%" PRIu64
               ",\"failed\":%" PRIu64
               ",\"seconds\":%.3f,\"rate\":%.0f,\"cpu_us_per_message\":%.2f}\n",
               p->plan.run_id, p->delivered, p->failed, (double)span / 1e6,
               per_second(p->delivered, span), cpu);
        code = p->failed == 0 ? LOAD_OK : LOAD_ERROR;
    }
    rd_kafka_destroy(p->rk);
    free(p->payload);
    return code;
}

int command_produce(int argc, char **argv)
{
    struct produce p = { .plan = plan_defaults(), .linger = "5" };
    const struct option_row rows[] = {
        { "--kafka", OPTION_STRING, &p.kafka, 0, 0, true, "Kafka bootstrap, host:port" },
        { "--topic", OPTION_STRING, &p.topic, 0, 0, true, "Kafka topic to write" },
        PLAN_ROWS(p.plan),
        { "--linger-ms", OPTION_STRING, &p.linger, 0, 0, false, "linger.ms of the producer" },
        { "--rate", OPTION_NUMBER, &p.rate, 0, 10000000, false,
          "messages per second, 0: as fast as it goes" },
        { "--bare", OPTION_FLAG, &p.bare, 0, 0, false, "no keys and headers, only values" },
        { "--fault", OPTION_STRING, &p.faults_text, 0, 0, false,
          "kind:number,...: lose, duplicate, swap (with the next of its stream), corrupt, key, "
          "headers, alien at that message of the run" },
    };
    const struct option_table table = {
        "produce",
        "Produces a run straight to Kafka and waits for every acknowledgement.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    return plan_check(&p.plan) && parse_faults(&p) ? run_produce(&p) : LOAD_ERROR;
}
