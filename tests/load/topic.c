/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load topic and watch: create a Kafka topic, and wait until topics hold so many records by
 * asking for their high watermarks, which costs the machine far less than consuming. Main thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/kafka.h"
#include "tests/load/options.h"
#include "tests/load/util.h"

#define ADMIN_TIMEOUT_MS 10000

struct topic_request {
    const char *kafka;
    const char *topic;
    const char *config; /* name=value or NULL */
    uint64_t partitions;
    uint64_t replication;
};

static bool add_config(rd_kafka_NewTopic_t *topic, const char *config)
{
    char name[128];
    const char *equals = config == NULL ? NULL : strchr(config, '=');
    if (config == NULL) {
        return true;
    }
    if (equals == NULL || (size_t)(equals - config) >= sizeof(name)) {
        complain("--config %s: write it as name=value\n", config);
        return false;
    }
    memcpy(name, config, (size_t)(equals - config));
    name[equals - config] = '\0';
    return rd_kafka_NewTopic_set_config(topic, name, equals + 1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Sends the request and waits for its result; an existing topic is good. */
static bool create_and_wait(rd_kafka_t *rk, rd_kafka_NewTopic_t *topic)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    const rd_kafka_CreateTopics_result_t *result =
        event == NULL ? NULL : rd_kafka_event_CreateTopics_result(event);
    const char *text = event == NULL ? "no answer" : rd_kafka_event_error_string(event);
    bool good = false;
    size_t n = 0;
    const rd_kafka_topic_result_t **topics =
        result == NULL ? NULL : rd_kafka_CreateTopics_result_topics(result, &n);
    if (n == 1) {
        rd_kafka_resp_err_t err = rd_kafka_topic_result_error(topics[0]);
        good = err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
        text = rd_kafka_topic_result_error_string(topics[0]);
    }
    if (!good) {
        complain("%s\n", text != NULL ? text : "refused");
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    return good;
}

static bool create_topic(rd_kafka_t *rk, const struct topic_request *request)
{
    char text[256];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        request->topic, (int)request->partitions, (int)request->replication, text, sizeof(text));
    if (topic == NULL) {
        complain("%s: %s\n", request->topic, text);
        return false;
    }
    bool good = add_config(topic, request->config) && create_and_wait(rk, topic);
    rd_kafka_NewTopic_destroy(topic);
    return good;
}

int command_topic(int argc, char **argv)
{
    struct topic_request request = { .partitions = 4, .replication = 1 };
    const struct option_row rows[] = {
        { "--kafka", OPTION_STRING, &request.kafka, 0, 0, true, "Kafka bootstrap, host:port" },
        { "--topic", OPTION_STRING, &request.topic, 0, 0, true, "Kafka topic to create" },
        { "--partitions", OPTION_NUMBER, &request.partitions, 1, 1000, false, "partitions" },
        { "--replication", OPTION_NUMBER, &request.replication, 1, 9, false, "replication factor" },
        { "--config", OPTION_STRING, &request.config, 0, 0, false, "one topic setting name=value" },
    };
    const struct option_table table = {
        "topic",
        "Creates a Kafka topic; one that exists already is left as it is.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    const char *const settings[] = { "bootstrap.servers", request.kafka, "log_level", "2", NULL };
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, NULL, settings, NULL);
    if (rk == NULL) {
        return LOAD_ERROR;
    }
    bool good = create_topic(rk, &request) &&
                kafka_partitions(rk, request.topic, mono_us() + 10000000U) > 0;
    if (good) {
        printf("{\"command\":\"topic\",\"topic\":\"%s\",\"partitions\":%" PRIu64 "}\n",
               request.topic, request.partitions);
    }
    rd_kafka_destroy(rk);
    return good ? LOAD_OK : LOAD_ERROR;
}

struct watch {
    const char *kafka;
    const char *topic;
    uint64_t records;
    uint64_t timeout_s;
    uint64_t every_ms;
    uint64_t held;
    uint64_t grown_us;   /* monotonic: when held last grew */
    uint64_t first_us;   /* wall clock: first record seen; 0 before */
    uint64_t first_held; /* records at that moment */
    uint64_t reached_us;
};

/* Adds up how many records the partitions hold; keeps the old figure when Kafka does not answer. */
static void ask_held(rd_kafka_t *rk, struct watch *w, int n_partitions)
{
    uint64_t held = 0;
    for (int i = 0; i < n_partitions; i++) {
        int64_t low = 0;
        int64_t high = 0;
        if (rd_kafka_query_watermark_offsets(rk, w->topic, i, &low, &high, 2000) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
            return;
        }
        held += (uint64_t)(high - low);
    }
    if (held > w->held) {
        w->grown_us = mono_us();
    }
    w->held = held;
}

static bool watch_topic(rd_kafka_t *rk, struct watch *w)
{
    w->grown_us = mono_us();
    int n_partitions = kafka_partitions(rk, w->topic, w->grown_us + w->timeout_s * 1000000U);
    while (n_partitions > 0) {
        ask_held(rk, w, n_partitions);
        if (w->first_us == 0 && w->held > 0) {
            w->first_us = wall_us();
            w->first_held = w->held;
        }
        if (w->held >= w->records) {
            w->reached_us = wall_us();
            return true;
        }
        if (mono_us() - w->grown_us >= w->timeout_s * 1000000U) {
            return false;
        }
        (void)rd_kafka_poll(rk, (int)w->every_ms);
    }
    return false;
}

int command_watch(int argc, char **argv)
{
    struct watch w = { .records = 1, .timeout_s = 60, .every_ms = 10 };
    const struct option_row rows[] = {
        { "--kafka", OPTION_STRING, &w.kafka, 0, 0, true, "Kafka bootstrap, host:port" },
        { "--topic", OPTION_STRING, &w.topic, 0, 0, true, "Kafka topic to watch" },
        { "--records", OPTION_NUMBER, &w.records, 0, UINT64_MAX, false, "records to wait for" },
        { "--timeout", OPTION_NUMBER, &w.timeout_s, 0, 86400, false,
          "seconds without a new record after which to give up" },
        { "--every-ms", OPTION_NUMBER, &w.every_ms, 1, 10000, false, "how often to ask" },
    };
    const struct option_table table = {
        "watch",
        "Waits until a topic holds that many records; prints the wall clock of that moment.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    const char *const settings[] = { "bootstrap.servers", w.kafka, "log_level", "2", NULL };
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, NULL, settings, NULL);
    if (rk == NULL) {
        return LOAD_ERROR;
    }
    bool good = watch_topic(rk, &w);
    printf("{\"command\":\"watch\",\"topic\":\"%s\",\"reached\":%s,\"records\":%" PRIu64
           ",\"first_us\":%" PRIu64 ",\"first_records\":%" PRIu64 ",\"reached_us\":%" PRIu64 "}\n",
           w.topic, good ? "true" : "false", w.held, w.first_us, w.first_held, w.reached_us);
    rd_kafka_destroy(rk);
    return good ? LOAD_OK : LOAD_MISSING;
}
