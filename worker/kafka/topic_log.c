/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows compacted topics with a consumer that belongs to no group: every partition is started by
 * hand into one queue. Where the log ends is asked once at open, so that empty partitions need no
 * fetch to be known as read. The store's thread owns everything here. See topic_log.h.
 */
#include "worker/kafka/topic_log.h"

#include <errno.h>

#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/kafka/rdkafka_util.h"

#define MAX_RECORDS_PER_POLL 1000
#define ASK_AGAIN_MS         50

struct log_partition {
    int64_t position;
    int64_t end; /* at open */
    bool caught_up;
};

struct log_topic {
    rd_kafka_topic_t *handle;
    char *name;
    int32_t n_partitions;
    int32_t n_started;
    struct log_partition *partitions;
};

struct topic_log {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct log_topic *topics;
    unsigned n_topics;
    unsigned n_behind; /* partitions that are not caught up */
};

static void on_error(rd_kafka_t *client, int code, const char *reason, void *arg UNUSED)
{
    rdk_report(client, (rd_kafka_resp_err_t)code, reason);
}

/* A long history is read ahead in large parts: librdkafka 2.0 leaves a partition alone for a second
 * each time that its queue is full, which made a start on 10,000 connectors take minutes. In steady
 * state nothing is queued. The wait decides how soon the end is known when
 * a transaction's marker is the last thing in a partition, and how often an idle worker asks. */
static void set_fetch(rd_kafka_conf_t *conf)
{
    rdk_conf_set(conf, "enable.partition.eof", "true");
    rdk_conf_set(conf, "fetch.wait.max.ms", "200");
    rdk_conf_set(conf, "fetch.error.backoff.ms", "200");
    rdk_conf_set(conf, "queued.min.messages", "1000000");
    rdk_conf_set(conf, "queued.max.messages.kbytes", "65536");
    rd_kafka_conf_set_error_cb(conf, on_error);
}

static int remaining_ms(uint64_t deadline_ms)
{
    uint64_t now = clock_mono_ms();
    return now < deadline_ms ? (int)(deadline_ms - now) : 0;
}

static enum err find_partitions(struct topic_log *log, struct log_topic *topic,
                                uint64_t deadline_ms, struct error *reterr)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(log->client, 0, topic->handle, &metadata, remaining_ms(deadline_ms));
    if (code) {
        enum err err = rdk_err(code);
        return error_set(reterr, err_retriable(err) ? ERR_TIMEOUT : err, "topic %s: %s",
                         topic->name, rd_kafka_err2str(code));
    }
    int n_partitions = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                    : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(metadata);
    if (code || n_partitions == 0) {
        enum err err = code ? rdk_err(code) : ERR_NOT_FOUND;
        return error_set(reterr, err, "topic %s: %s", topic->name, rd_kafka_err2str(code));
    }
    topic->n_partitions = n_partitions;
    topic->partitions = xcalloc((size_t)n_partitions, sizeof(*topic->partitions));
    return ERR_OK;
}

static rd_kafka_resp_err_t take_offsets(struct topic_log *log, int64_t which,
                                        const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (unsigned t = 0; t < log->n_topics; t++) {
        for (int32_t p = 0; p < log->topics[t].n_partitions; p++) {
            const rd_kafka_topic_partition_t *found =
                rd_kafka_topic_partition_list_find(rdk_mem(list), log->topics[t].name, p);
            struct log_partition *partition = &log->topics[t].partitions[p];
            code = code ? code : found->err;
            *(which == RD_KAFKA_OFFSET_END ? &partition->end : &partition->position) =
                found->offset;
        }
    }
    return code;
}

static rd_kafka_resp_err_t try_offsets(struct topic_log *log, int64_t which, uint64_t deadline_ms)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(32);
    for (unsigned t = 0; t < log->n_topics; t++) {
        for (int32_t p = 0; p < log->topics[t].n_partitions; p++) {
            rd_kafka_topic_partition_list_add(list, log->topics[t].name, p)->offset = which;
        }
    }
    rd_kafka_resp_err_t code =
        rd_kafka_offsets_for_times(log->client, list, remaining_ms(deadline_ms));
    code = code ? code : take_offsets(log, which, list);
    rd_kafka_topic_partition_list_destroy(list);
    return code;
}

/* Asks for the first or the last offset of all partitions; the client's isolation level makes the
 * last one the end of what is committed. A broker that has just made the topics may not know yet
 * that it leads them: it is asked again. */
static enum err query_offsets(struct topic_log *log, int64_t which, uint64_t deadline_ms,
                              struct error *reterr)
{
    rd_kafka_resp_err_t code = try_offsets(log, which, deadline_ms);
    while (code && err_retriable(rdk_err(code)) && remaining_ms(deadline_ms) > 0) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(log->queue, ASK_AGAIN_MS);
        if (message) {
            rd_kafka_message_destroy(message);
        }
        code = try_offsets(log, which, deadline_ms);
    }
    if (code) {
        enum err err = rdk_err(code);
        return error_set(reterr, err_retriable(err) ? ERR_TIMEOUT : err,
                         "offsets of the internal topics: %s", rd_kafka_err2str(code));
    }
    return ERR_OK;
}

static void note_caught_up(struct topic_log *log, struct log_partition *partition)
{
    if (!partition->caught_up) {
        partition->caught_up = true;
        log->n_behind--;
    }
}

static enum err start_partition(struct topic_log *log, struct log_topic *topic, int32_t p,
                                struct error *reterr)
{
    struct log_partition *partition = &topic->partitions[p];
    log->n_behind++;
    if (partition->position >= partition->end) {
        note_caught_up(log, partition);
    }
    if (rd_kafka_consume_start_queue(topic->handle, p, partition->position, log->queue) != 0) {
        return error_set(reterr, ERR_INTERNAL, "topic %s: %s", topic->name,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    topic->n_started++;
    return ERR_OK;
}

static enum err start_topic(struct topic_log *log, struct log_topic *topic, struct error *reterr)
{
    enum err err = ERR_OK;
    for (int32_t p = 0; p < topic->n_partitions && err == ERR_OK; p++) {
        err = start_partition(log, topic, p, reterr);
    }
    return err;
}

static enum err start_all(struct topic_log *log, struct error *reterr)
{
    enum err err = ERR_OK;
    for (unsigned t = 0; t < log->n_topics && err == ERR_OK; t++) {
        err = start_topic(log, &log->topics[t], reterr);
    }
    return err;
}

static enum err open_client(struct topic_log *log, const struct kvs *props, struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = rdk_conf_new(props, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    set_fetch(conf);
    err = rdk_client_new(RD_KAFKA_CONSUMER, conf, &log->client, reterr);
    if (err != ERR_OK) {
        return err;
    }
    log->queue = rd_kafka_queue_new(log->client);
    /* Errors come by the same queue, so that one thread serves both. */
    rd_kafka_queue_t *main_queue = rd_kafka_queue_get_main(log->client);
    rd_kafka_queue_forward(main_queue, log->queue);
    rd_kafka_queue_destroy(main_queue);
    return ERR_OK;
}

static enum err open_topics(struct topic_log *log, const char *const *names, uint64_t deadline_ms,
                            struct error *reterr)
{
    for (unsigned t = 0; t < log->n_topics; t++) {
        struct log_topic *topic = &log->topics[t];
        topic->name = xstrdup(names[t]);
        topic->handle = rd_kafka_topic_new(log->client, names[t], NULL);
        if (!topic->handle) {
            return error_set(reterr, ERR_INVALID, "topic %s: %s", names[t],
                             rd_kafka_err2str(rd_kafka_last_error()));
        }
        enum err err = find_partitions(log, topic, deadline_ms, reterr);
        if (err != ERR_OK) {
            return err;
        }
    }
    enum err err = query_offsets(log, RD_KAFKA_OFFSET_BEGINNING, deadline_ms, reterr);
    if (err == ERR_OK) {
        err = query_offsets(log, RD_KAFKA_OFFSET_END, deadline_ms, reterr);
    }
    return err == ERR_OK ? start_all(log, reterr) : err;
}

enum err topic_log_open(const struct kvs *props, const char *const *topics, unsigned n_topics,
                        int timeout_ms, struct topic_log **ret_log, struct error *reterr)
{
    uint64_t deadline_ms = clock_mono_ms() + (uint64_t)timeout_ms;
    struct topic_log *log = xcalloc(1, sizeof(*log));
    log->n_topics = n_topics;
    log->topics = xcalloc(n_topics, sizeof(*log->topics));
    enum err err = open_client(log, props, reterr);
    if (err == ERR_OK) {
        err = open_topics(log, topics, deadline_ms, reterr);
    }
    if (err != ERR_OK) {
        topic_log_close(log);
        return err;
    }
    *ret_log = log;
    return ERR_OK;
}

void topic_log_close(struct topic_log *log)
{
    if (!log) {
        return;
    }
    for (unsigned t = 0; t < log->n_topics; t++) {
        struct log_topic *topic = &log->topics[t];
        for (int32_t p = 0; p < topic->n_started; p++) {
            (void)rd_kafka_consume_stop(topic->handle, p);
        }
        if (topic->handle) {
            rd_kafka_topic_destroy(topic->handle);
        }
        free(topic->partitions);
        free(topic->name);
    }
    if (log->queue) {
        rd_kafka_queue_destroy(log->queue);
    }
    if (log->client) {
        rd_kafka_destroy(log->client);
    }
    free(log->topics);
    free(log);
}

/* Index of the message's topic, n_topics if it is none of ours. */
static unsigned topic_index(const struct topic_log *log, const rd_kafka_message_t *message)
{
    const char *name = message->rkt ? rd_kafka_topic_name(message->rkt) : "";
    unsigned t = 0;
    while (t < log->n_topics && strcmp(log->topics[t].name, name) != 0) {
        t++;
    }
    return t;
}

static void take_record(struct topic_log *log, unsigned t, const rd_kafka_message_t *message,
                        topic_log_fn *on_record, void *arg)
{
    struct log_partition *partition = &log->topics[t].partitions[message->partition];
    struct topic_log_record record = {
        .topic = t,
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, NULL),
        .key = message->key,
        .key_length = message->key_len,
        .value = message->payload,
        .value_length = message->len,
    };
    on_record(arg, &record);
    partition->position = message->offset + 1;
    if (partition->position >= partition->end) {
        note_caught_up(log, partition);
    }
}

static void take_message(struct topic_log *log, const rd_kafka_message_t *message,
                         topic_log_fn *on_record, void *arg)
{
    unsigned t = topic_index(log, message);
    if (t == log->n_topics || message->partition < 0 ||
        message->partition >= log->topics[t].n_partitions) {
        rdk_report(log->client, message->err, rd_kafka_message_errstr(message));
        return;
    }
    if (!message->err) {
        take_record(log, t, message, on_record, arg);
    } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        /* Past the markers of transactions, which are no records. */
        struct log_partition *partition = &log->topics[t].partitions[message->partition];
        partition->position = message->offset;
        note_caught_up(log, partition);
    } else {
        rdk_report(log->client, message->err, rd_kafka_message_errstr(message));
    }
}

void topic_log_poll(struct topic_log *log, int timeout_ms, topic_log_fn *on_record, void *arg)
{
    for (int n = 0; n < MAX_RECORDS_PER_POLL; n++) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(log->queue, n ? 0 : timeout_ms);
        if (!message) {
            return;
        }
        take_message(log, message, on_record, arg);
        rd_kafka_message_destroy(message);
    }
}

void topic_log_wake(struct topic_log *log)
{
    rd_kafka_queue_yield(log->queue);
}

bool topic_log_caught_up(const struct topic_log *log)
{
    return log->n_behind == 0;
}

int64_t topic_log_position(const struct topic_log *log, unsigned topic, int32_t partition)
{
    ASSERT(topic < log->n_topics && partition >= 0 && partition < log->topics[topic].n_partitions);
    return log->topics[topic].partitions[partition].position;
}
