/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits of a consumer. When a topic is deleted, Kafka forgets what was committed for it. One that
 * is made again under its name looks the same to this version of the protocol, and the old position
 * would pass over its first records. So the group is asked before each commit, and now and then
 * when there is none: where it has forgotten what it knew, the partition begins anew.
 */
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/kafka/consumer_internal.h"

/* How often the group is asked without a commit. */
#define ASK_EVERY_MS 5000

/* ---- partitions that are new ---- */

/* The first record is looked for where it must be, as librdkafka remembers where the old topic
 * began. */
int64_t consumer_offset_anew(const struct kvs *props)
{
    static const struct {
        const char *value;
        int64_t offset;
    } rows[] = {
        { "smallest", 0 },
        { "earliest", 0 },
        { "beginning", 0 },
        { "error", RD_KAFKA_OFFSET_INVALID },
    };
    const char *value = kvs_get(props, "auto.offset.reset");
    for (size_t i = 0; value && i < N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].value, value) == 0) {
            return rows[i].offset;
        }
    }
    return RD_KAFKA_OFFSET_END;
}

static void seek(struct kafka_consumer *consumer, const struct assigned *assigned)
{
    const struct kafka_partition *partition = &assigned->partition;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->number)->offset =
        consumer->anew;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->client, list, 0);
    if (error) {
        rdk_report(consumer->client, rd_kafka_error_code(error), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void begin_anew(struct kafka_consumer *consumer, struct assigned *assigned)
{
    struct kafka_partition *partition = &assigned->partition;
    log_warn(NULL, "CONSUMER-TOPIC-NEW",
             "client=%s topic=%s partition=%d offset=%lld reason=\"the group has forgotten its "
             "offset: the topic was deleted, the partition begins anew\"",
             rd_kafka_name(consumer->client), partition->topic, (int)partition->number,
             (long long)assigned->committed);
    assigned->committed = -1;
    if (consumer->wanted) {
        (void)rd_kafka_topic_partition_list_del(consumer->wanted, partition->topic,
                                                partition->number);
    }
    consumer->handlers.on_reset(consumer->handlers.arg, partition);
    if (consumer->anew == RD_KAFKA_OFFSET_INVALID) {
        consumer->handlers.on_error(consumer->handlers.arg, ERR_NOT_FOUND,
                                    "a topic was deleted, and auto.offset.reset says that this is "
                                    "an error");
    } else if (!assigned->revoked) {
        seek(consumer, assigned);
    }
}

static void compare(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *answer)
{
    for (int i = 0; i < answer->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &answer->elems[i];
        struct assigned *assigned = consumer_find(consumer, item->topic, item->partition);
        if (!assigned || item->err) {
            continue;
        }
        if (item->offset < 0 && assigned->committed >= 0) {
            begin_anew(consumer, assigned);
        } else if (item->offset >= 0) {
            assigned->committed = item->offset;
        }
    }
}

/* ---- question and answer ---- */

static void ask(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)consumer->n_assigned);
    for (size_t i = 0; i < consumer->n_assigned; i++) {
        const struct kafka_partition *partition = &consumer->assigned[i]->partition;
        (void)rd_kafka_topic_partition_list_add(list, partition->topic, partition->number);
    }
    consumer->asking = true;
    consumer->ask_again = false;
    consumer->ask_ms = clock_mono_ms() + ASK_EVERY_MS;
    committed_ask(consumer->committed, list);
}

/* Commits what waited for the answer. While Kafka does not give one the commit is tried all the
 * same: not to commit would cost more. */
static void send_wanted(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = TAKE(consumer->wanted);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__STATE;
    if (kafka_consumer_may_commit(consumer)) {
        code = list->cnt > 0
                   ? rd_kafka_commit_queue(consumer->client, list, consumer->events, NULL, NULL)
                   : RD_KAFKA_RESP_ERR_NO_ERROR;
    }
    consumer->committing = !code && list->cnt > 0;
    if (!consumer->committing) {
        consumer->handlers.on_committed(consumer->handlers.arg, code ? ERR_UNAVAILABLE : ERR_OK,
                                        code ? rd_kafka_err2str(code) : "");
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void consumer_follow_commits(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *answer = NULL;
    if (consumer->asking && committed_take(consumer->committed, &answer)) {
        consumer->asking = false;
        if (answer) {
            compare(consumer, answer);
            rd_kafka_topic_partition_list_destroy(answer);
        }
        if (consumer->wanted && !consumer->ask_again) {
            send_wanted(consumer);
        }
    }
    bool due = consumer->n_assigned > 0 && !consumer->committing &&
               clock_mono_ms() >= consumer->ask_ms && kafka_consumer_may_commit(consumer);
    if (!consumer->asking && (consumer->wanted || due)) {
        ask(consumer);
    }
}

enum err kafka_consumer_commit(struct kafka_consumer *consumer,
                               const struct kafka_position *positions, size_t n_positions,
                               struct error *reterr)
{
    if (consumer->wanted) {
        return error_set(reterr, ERR_UNAVAILABLE, "a commit is under way");
    }
    consumer->wanted = rd_kafka_topic_partition_list_new((int)n_positions);
    for (size_t i = 0; i < n_positions; i++) {
        const struct kafka_partition *partition = positions[i].partition;
        rd_kafka_topic_partition_list_add(consumer->wanted, partition->topic, partition->number)
            ->offset = positions[i].offset;
    }
    consumer->ask_again = consumer->asking;
    if (!consumer->asking) {
        ask(consumer);
    }
    return ERR_OK;
}

void consumer_take_committed(struct kafka_consumer *consumer, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    /* What is gone needs no position; the next question tells. */
    code = code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? RD_KAFKA_RESP_ERR_NO_ERROR : code;
    consumer->committing = false;
    for (int i = 0; !code && list && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        struct assigned *assigned = consumer_find(consumer, item->topic, item->partition);
        if (!item->err && assigned) {
            assigned->committed = item->offset;
        }
        if (item->err && item->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            code = item->err;
        }
    }
    if (!consumer->closing) {
        consumer->handlers.on_committed(consumer->handlers.arg, code ? rdk_err(code) : ERR_OK,
                                        code ? rd_kafka_err2str(code) : "");
    }
}

int64_t kafka_consumer_lag(const struct kafka_consumer *consumer,
                           const struct kafka_partition *partition, int64_t offset)
{
    int64_t low = 0;
    int64_t high = 0;
    if (rd_kafka_get_watermark_offsets(consumer->client, partition->topic, partition->number, &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    int64_t from = offset > low ? offset : low;
    return high > from ? high - from : 0;
}
