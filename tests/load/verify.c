/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load verify: reads a Kafka topic from its beginning and accounts for every message of a
 * plan. One thread; librdkafka's own threads only fetch. Promises: exit code 0 only when nothing of
 * the plan is missing and everything that was asked to be checked holds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/kafka.h"
#include "tests/load/ledger.h"
#include "tests/load/options.h"
#include "tests/load/util.h"

#define N_HEADERS 4
#define POLL_MS   200

static const char *const header_names[N_HEADERS] = { "mqtt.message.id", "mqtt.qos", "mqtt.retained",
                                                     "mqtt.duplicate" };

struct verify {
    struct plan plan;
    const char *kafka;
    const char *topic;
    const char *order;   /* report, sessions, strict */
    const char *headers; /* require, ignore */
    uint64_t sessions;
    uint64_t timeout_s;
    uint64_t settle_ms;
    uint64_t max_duplicates;
    bool expect_loss;
    rd_kafka_t *rk;
    struct ledger *ledger;
    bool *at_end; /* by partition */
    uint64_t n_partitions;
    uint64_t records;
    uint64_t alien;
    uint64_t foreign;
    uint64_t corrupt;
    uint64_t bad_keys;
    uint64_t no_header[N_HEADERS];
    uint64_t flagged_duplicates;
    uint32_t *record_us; /* send to record timestamp, by order of arrival */
    uint32_t *consume_us;
    size_t n_latencies;
    int64_t first_ts_ms;
    int64_t last_ts_ms;
    const char *timestamp_type;
    uint64_t last_news_us; /* monotonic: last distinct message */
    uint64_t last_record_us;
    uint64_t first_record_us;
};

static bool check_key(const struct verify *v, const rd_kafka_message_t *msg,
                      const struct message_id *id)
{
    char want[PLAN_KEY_MAX];
    plan_topic(&v->plan, id, want);
    return msg->key != NULL && msg->key_len == strlen(want) &&
           memcmp(msg->key, want, msg->key_len) == 0;
}

static void check_headers(struct verify *v, const rd_kafka_message_t *msg)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(msg, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers = NULL;
    }
    for (size_t i = 0; i < N_HEADERS; i++) {
        const void *value = NULL;
        size_t len = 0;
        bool there =
            headers != NULL && rd_kafka_header_get_last(headers, header_names[i], &value, &len) ==
                                   RD_KAFKA_RESP_ERR_NO_ERROR;
        v->no_header[i] += there && value != NULL ? 0 : 1;
        if (there && value != NULL && i == N_HEADERS - 1 && len == 4 &&
            memcmp(value, "true", 4) == 0) {
            v->flagged_duplicates++;
        }
    }
}

static uint32_t span_us(uint64_t from, uint64_t to)
{
    uint64_t span = to > from ? to - from : 0;
    return span > UINT32_MAX ? UINT32_MAX : (uint32_t)span;
}

static void note_times(struct verify *v, const rd_kafka_message_t *msg, const struct message_id *id)
{
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    int64_t ts_ms = rd_kafka_message_timestamp(msg, &type);
    v->timestamp_type = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? "append" : "create";
    if (v->n_latencies == 0 || ts_ms < v->first_ts_ms) {
        v->first_ts_ms = ts_ms;
    }
    if (v->n_latencies == 0 || ts_ms > v->last_ts_ms) {
        v->last_ts_ms = ts_ms;
    }
    v->record_us[v->n_latencies] = span_us(id->sent_us, (uint64_t)(ts_ms > 0 ? ts_ms : 0) * 1000U);
    v->consume_us[v->n_latencies] = span_us(id->sent_us, wall_us());
    v->n_latencies++;
}

static void take_record(struct verify *v, const rd_kafka_message_t *msg)
{
    struct message_id id = { 0 };
    v->records++;
    v->last_record_us = mono_us();
    if (v->records == 1) {
        v->first_record_us = v->last_record_us;
    }
    v->at_end[msg->partition] = false;
    switch (payload_read(&v->plan, msg->payload, msg->len, &id)) {
    case PAYLOAD_ALIEN:
        v->alien++;
        return;
    case PAYLOAD_FOREIGN:
        v->foreign++;
        return;
    case PAYLOAD_CORRUPT:
        v->corrupt++;
        break;
    case PAYLOAD_OK:
        break;
    }
    v->bad_keys += check_key(v, msg, &id) ? 0 : 1;
    check_headers(v, msg);
    if (ledger_note(v->ledger, &id)) {
        v->last_news_us = v->last_record_us;
        note_times(v, msg, &id);
    }
}

static bool all_at_end(const struct verify *v)
{
    for (uint64_t i = 0; i < v->n_partitions; i++) {
        if (!v->at_end[i]) {
            return false;
        }
    }
    return true;
}

/* Everything is there, all partitions are read to the end and no record came for the settle time.
 */
static bool complete(const struct verify *v, uint64_t now)
{
    return ledger_received(v->ledger) == v->plan.messages && all_at_end(v) &&
           now - v->last_record_us >= v->settle_ms * 1000U;
}

static bool consume(struct verify *v)
{
    uint64_t next_line_us = mono_us() + 5000000U;
    v->last_news_us = mono_us();
    while (!complete(v, mono_us())) {
        rd_kafka_message_t *msg = rd_kafka_consumer_poll(v->rk, POLL_MS);
        if (msg != NULL && msg->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            take_record(v, msg);
        } else if (msg != NULL && msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            v->at_end[msg->partition] = true;
        }
        if (msg != NULL) {
            rd_kafka_message_destroy(msg);
        }
        uint64_t now = mono_us();
        /* Duplicates alone are no progress, but while they come the end is not reached either. */
        bool stuck = now - v->last_news_us > v->timeout_s * 1000000U;
        if (stuck && ledger_received(v->ledger) < v->plan.messages) {
            return false;
        }
        if (now >= next_line_us) {
            next_line_us = now + 5000000U;
            complain("verify: %" PRIu64 " of %" PRIu64 " messages, %" PRIu64 " records\n",
                     ledger_received(v->ledger), v->plan.messages, v->records);
        }
    }
    return true;
}

static bool start_consumer(struct verify *v)
{
    const char *const settings[] = { "bootstrap.servers",
                                     v->kafka,
                                     "group.id",
                                     "sluice-load-verify",
                                     "enable.auto.commit",
                                     "false",
                                     "enable.partition.eof",
                                     "true",
                                     "auto.offset.reset",
                                     "earliest",
                                     "fetch.wait.max.ms",
                                     "50",
                                     "fetch.error.backoff.ms",
                                     "50",
                                     "reconnect.backoff.max.ms",
                                     "1000",
                                     "log_level",
                                     "2",
                                     NULL };
    v->rk = kafka_client(RD_KAFKA_CONSUMER, NULL, settings, NULL);
    if (v->rk == NULL) {
        return false;
    }
    int n = kafka_partitions(v->rk, v->topic, mono_us() + v->timeout_s * 1000000U);
    if (n == 0) {
        return false;
    }
    v->n_partitions = (uint64_t)n;
    v->at_end = xcalloc(v->n_partitions, sizeof(*v->at_end));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, v->topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_resp_err_t err = rd_kafka_assign(v->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_poll_set_consumer(v->rk);
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        complain("assign: %s\n", rd_kafka_err2str(err));
    }
    return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool order_broken(const struct verify *v, const struct ledger_totals *totals)
{
    if (strcmp(v->order, "strict") == 0) {
        return totals->violations > 0;
    }
    return strcmp(v->order, "sessions") == 0 && totals->streams_over_sessions > 0;
}

static bool content_bad(const struct verify *v, const struct ledger_totals *totals)
{
    uint64_t bad = v->alien + v->corrupt + v->bad_keys + totals->out_of_plan;
    for (size_t i = 0; strcmp(v->headers, "require") == 0 && i < N_HEADERS; i++) {
        bad += v->no_header[i];
    }
    return bad > 0;
}

static enum load_exit judge(const struct verify *v, const struct ledger_totals *totals)
{
    if (v->expect_loss) {
        return totals->missing > 0 ? LOAD_OK : LOAD_NOTHING_LOST;
    }
    if (totals->missing > 0) {
        return LOAD_MISSING;
    }
    if (order_broken(v, totals)) {
        return LOAD_DISORDER;
    }
    if (content_bad(v, totals)) {
        return LOAD_CONTENT;
    }
    return totals->duplicates > v->max_duplicates ? LOAD_DUPLICATES : LOAD_OK;
}

static void report_content(const struct verify *v)
{
    printf("\"records\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"alien\":%" PRIu64
           ",\"corrupt\":%" PRIu64 ",\"bad_keys\":%" PRIu64 ",\"flagged_duplicates\":%" PRIu64
           ",\"headers_missing\":{",
           v->records, v->foreign, v->alien, v->corrupt, v->bad_keys, v->flagged_duplicates);
    for (size_t i = 0; i < N_HEADERS; i++) {
        printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", header_names[i], v->no_header[i]);
    }
    printf("},");
}

static void report_order(const struct verify *v, const struct ledger_totals *totals)
{
    printf("\"order\":{\"check\":\"%s\",\"violations\":%" PRIu64 ",\"streams\":%" PRIu64
           ",\"disordered_streams\":%" PRIu64 ",\"publisher_violations\":%" PRIu64
           ",\"sessions\":%" PRIu64 ",\"max_chains\":%" PRIu64 ",\"streams_over_sessions\":%" PRIu64
           "},",
           v->order, totals->violations, totals->streams, totals->disordered_streams,
           totals->publisher_violations, v->sessions, totals->max_chains,
           totals->streams_over_sessions);
}

static void report_times(const struct verify *v)
{
    size_t n = v->n_latencies;
    printf("\"latency_ms\":{\"timestamp_type\":\"%s\",\"record_p50\":%.1f,\"record_p99\":%.1f,"
           "\"consume_p50\":%.1f,\"consume_p99\":%.1f,\"consume_max\":%.1f},",
           v->timestamp_type, percentile_ms(v->record_us, n, 50),
           percentile_ms(v->record_us, n, 99), percentile_ms(v->consume_us, n, 50),
           percentile_ms(v->consume_us, n, 99), percentile_ms(v->consume_us, n, 100));
    printf("\"first_ts_ms\":%" PRId64 ",\"last_ts_ms\":%" PRId64 ",\"read_seconds\":%.3f,",
           v->first_ts_ms, v->last_ts_ms, (double)(v->last_record_us - v->first_record_us) / 1e6);
}

static enum load_exit report(const struct verify *v)
{
    static const char *const verdicts[] = { "ok",      "error",      "missing",     "disorder",
                                            "content", "duplicates", "nothing lost" };
    struct ledger_totals totals = ledger_totals(v->ledger, v->sessions);
    enum load_exit code = judge(v, &totals);
    printf("{\"command\":\"verify\",\"run_id\":\"%s\",\"topic\":\"%s\",\"verdict\":\"%s\","
           "\"expected\":%" PRIu64 ",\"received\":%" PRIu64 ",\"missing\":%" PRIu64 ",",
           v->plan.run_id, v->topic, verdicts[code], v->plan.messages, totals.received,
           totals.missing);
    ledger_print_missing(v->ledger);
    printf(",");
    report_content(v);
    report_order(v, &totals);
    report_times(v);
    printf("\"out_of_plan\":%" PRIu64 ",\"duplicates\":%" PRIu64 ",\"max_copies\":%" PRIu64 "}\n",
           totals.out_of_plan, totals.duplicates, totals.max_copies);
    return code;
}

static int run_verify(struct verify *v)
{
    v->ledger = ledger_new(&v->plan);
    v->record_us = xcalloc(v->plan.messages, sizeof(*v->record_us));
    v->consume_us = xcalloc(v->plan.messages, sizeof(*v->consume_us));
    v->timestamp_type = "none";
    int code = LOAD_ERROR;
    if (start_consumer(v)) {
        if (!consume(v)) {
            complain("no new message for %" PRIu64 " s\n", v->timeout_s);
        }
        code = (int)report(v);
    }
    if (v->rk != NULL) {
        (void)rd_kafka_consumer_close(v->rk);
        rd_kafka_destroy(v->rk);
    }
    free(v->at_end);
    free(v->consume_us);
    free(v->record_us);
    ledger_free(v->ledger);
    return code;
}

static bool check_choices(const struct verify *v)
{
    return plan_check(&v->plan) && option_one_of("--order", v->order, "report sessions strict") &&
           option_one_of("--headers", v->headers, "require ignore");
}

int command_verify(int argc, char **argv)
{
    struct verify v = { .plan = plan_defaults(),
                        .order = "report",
                        .headers = "require",
                        .sessions = 1,
                        .timeout_s = 30,
                        .settle_ms = 1000,
                        .max_duplicates = UINT64_MAX };
    const struct option_row rows[] = {
        { "--kafka", OPTION_STRING, &v.kafka, 0, 0, true, "Kafka bootstrap, host:port" },
        { "--topic", OPTION_STRING, &v.topic, 0, 0, true, "Kafka topic to read" },
        PLAN_ROWS(v.plan),
        { "--timeout", OPTION_NUMBER, &v.timeout_s, 1, 86400, false,
          "seconds without a new message after which the rest counts as missing" },
        { "--settle-ms", OPTION_NUMBER, &v.settle_ms, 0, 600000, false,
          "quiet time at the end of the topic before the verdict" },
        { "--order", OPTION_STRING, &v.order, 0, 0, false,
          "report: count only; sessions: at most --sessions ascending chains per stream; "
          "strict: ascending" },
        { "--sessions", OPTION_NUMBER, &v.sessions, 1, LEDGER_CHAINS_MAX - 1, false,
          "MQTT sessions that share each stream, for --order sessions" },
        { "--headers", OPTION_STRING, &v.headers, 0, 0, false, "require or ignore the headers" },
        { "--max-duplicates", OPTION_NUMBER, &v.max_duplicates, 0, UINT64_MAX, false,
          "how many duplicates are still good" },
        { "--expect-loss", OPTION_FLAG, &v.expect_loss, 0, 0, false,
          "turn the verdict round: good only if something is missing" },
    };
    const struct option_table table = {
        "verify",
        "Reads the topic from its beginning until every message of the run is there.\n"
        "Exit: 0 good, 1 error, 2 missing, 3 order, 4 payload, key or headers, 5 duplicates,\n"
        "6 nothing missing although --expect-loss.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    return check_choices(&v) ? run_verify(&v) : LOAD_ERROR;
}
