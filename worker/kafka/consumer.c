/* SPDX-License-Identifier: Apache-2.0 */
/* A consumer on two queues that write one eventfd: librdkafka's own for what concerns the group,
 * and one for records, to which every assigned partition's queue is forwarded. See README.md. */
#include <errno.h>
#include <limits.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/base/open_files.h"
#include "worker/kafka/consumer_internal.h"
#include "worker/kafka/join_state.h"
#include "worker/kafka/topic_search.h"

/* Warnings about one topic are written this often at most. */
#define LOG_EVERY_MS 30000
/* librdkafka's lines about positions; as a warning, which is level 4, one that it had to change. */
#define RESET_KIND        "OFFSET"
#define LOG_LEVEL_WARNING 4
/* How long the group misses a member that is silent, unless that is configured. */
#define SESSION_MS 6000LL
/* How often the owner comes by at least: there are questions to ask. */
#define SERVE_EVERY_MS 5000

/* ---- what the group is doing ---- */

/* A commit that is sent behind a JoinGroup is answered when the group has a new generation, and so
 * refused, and librdkafka then counts the whole assignment as lost. */
static void note_join_state(struct kafka_consumer *consumer, const char *line)
{
    bool joins = join_state_joins(line);
    if (atomic_exchange(&consumer->joining, joins) && !joins) {
        uint64_t one = 1;
        (void)!write(consumer->event_fd, &one, sizeof(one));
    }
}

/* A position that is not there any more goes on by auto.offset.reset: librdkafka tells of it in
 * this line only. */
static void note_reset(struct kafka_consumer *consumer, const char *line)
{
    static const uint64_t one = 1;
    atomic_fetch_add(&consumer->n_resets, 1);
    (void)!write(consumer->event_fd, &one, sizeof(one));
    log_warn(NULL, "CONSUMER-RESET", "client=%s detail=\"%s\"", rd_kafka_name(consumer->client),
             line);
}

static void on_log(const rd_kafka_t *client, int level, const char *kind, const char *text)
{
    if (strcmp(kind, JOIN_STATE_KIND) == 0) {
        note_join_state(rd_kafka_opaque(client), text);
    }
    if (level <= LOG_LEVEL_WARNING && strcmp(kind, RESET_KIND) == 0) {
        note_reset(rd_kafka_opaque(client), text);
        return;
    }
    rdk_log(client, level, kind, text);
}

bool kafka_consumer_may_commit(const struct kafka_consumer *consumer)
{
    return !atomic_load(&consumer->joining);
}

/* ---- the partitions ---- */

struct assigned *consumer_find(const struct kafka_consumer *consumer, const char *topic,
                               int32_t number)
{
    for (size_t i = 0; i < consumer->n_assigned; i++) {
        struct assigned *assigned = consumer->assigned[i];
        if (assigned->partition.number == number && strcmp(assigned->partition.topic, topic) == 0) {
            return assigned;
        }
    }
    return NULL;
}

/* Records come in runs of one partition. */
static struct assigned *partition_of(struct kafka_consumer *consumer,
                                     const rd_kafka_message_t *message)
{
    struct assigned *last = consumer->last;
    if (last && last->handle == message->rkt && last->partition.number == message->partition) {
        return last;
    }
    last = consumer_find(consumer, rd_kafka_topic_name(message->rkt), message->partition);
    if (last) {
        last->handle = message->rkt;
    }
    consumer->last = last;
    return last;
}

static void add_partition(struct kafka_consumer *consumer,
                          const rd_kafka_topic_partition_t *element)
{
    struct assigned *assigned = xcalloc(1, sizeof(*assigned));
    assigned->partition.topic = xstrdup(element->topic);
    assigned->partition.number = element->partition;
    assigned->committed = -1;
    consumer->ask_ms = 0;
    consumer->assigned =
        xrealloc(consumer->assigned, (consumer->n_assigned + 1) * sizeof(struct assigned *));
    consumer->assigned[consumer->n_assigned++] = assigned;
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition(consumer->client, element->topic, element->partition);
    if (queue) {
        rd_kafka_queue_forward(queue, consumer->records);
        rd_kafka_queue_destroy(queue);
    }
    consumer->handlers.on_assigned(consumer->handlers.arg, &assigned->partition);
}

void consumer_free_assigned(struct assigned *assigned)
{
    free(rdk_mem(assigned->partition.topic));
    free(assigned);
}

static void drop_partitions(struct kafka_consumer *consumer,
                            const rd_kafka_topic_partition_list_t *list)
{
    consumer->last = NULL;
    for (int i = 0; i < list->cnt; i++) {
        struct assigned *gone =
            consumer_find(consumer, list->elems[i].topic, list->elems[i].partition);
        size_t n_kept = 0;
        for (size_t k = 0; gone && k < consumer->n_assigned; k++) {
            if (consumer->assigned[k] != gone) {
                consumer->assigned[n_kept++] = consumer->assigned[k];
            }
        }
        if (gone) {
            consumer->n_assigned = n_kept;
            consumer_free_assigned(gone);
        }
    }
}

/* ---- rebalances ---- */

void consumer_report(const struct kafka_consumer *consumer, rd_kafka_error_t *error)
{
    if (error) {
        rdk_report(consumer->client, rd_kafka_error_code(error), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

static bool is_cooperative(const struct kafka_consumer *consumer)
{
    const char *protocol = rd_kafka_rebalance_protocol(consumer->client);
    return protocol && strcmp(protocol, "COOPERATIVE") == 0;
}

static void check(const struct kafka_consumer *consumer, rd_kafka_resp_err_t code)
{
    if (code) {
        rdk_report(consumer->client, code, NULL);
    }
}

static void assign(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    for (int i = 0; i < list->cnt; i++) {
        if (!consumer_find(consumer, list->elems[i].topic, list->elems[i].partition)) {
            add_partition(consumer, &list->elems[i]);
        }
    }
    if (is_cooperative(consumer)) {
        consumer_report(consumer, rd_kafka_incremental_assign(consumer->client, list));
    } else {
        check(consumer, rd_kafka_assign(consumer->client, list));
    }
    if (consumer->paused) {
        kafka_consumer_pause(consumer, true);
    }
}

/* librdkafka remembers a pause of a partition that is gone, and keeps to it when it comes back. */
static void forget_pause(const struct kafka_consumer *consumer,
                         const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_topic_partition_list_t *copy = rd_kafka_topic_partition_list_copy(list);
    check(consumer, rd_kafka_resume_partitions(consumer->client, copy));
    rd_kafka_topic_partition_list_destroy(copy);
}

static void unassign(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    if (consumer->paused) {
        forget_pause(consumer, list);
    }
    if (is_cooperative(consumer)) {
        consumer_report(consumer, rd_kafka_incremental_unassign(consumer->client, list));
    } else {
        check(consumer, rd_kafka_assign(consumer->client, NULL));
    }
    drop_partitions(consumer, list);
}

static void tell_revoked(struct kafka_consumer *consumer,
                         const rd_kafka_topic_partition_list_t *list, bool lost)
{
    struct kafka_partition **gone = xcalloc((size_t)list->cnt + 1, sizeof(*gone));
    size_t n_gone = 0;
    for (int i = 0; i < list->cnt; i++) {
        struct assigned *assigned =
            consumer_find(consumer, list->elems[i].topic, list->elems[i].partition);
        if (assigned) {
            assigned->revoked = true;
            gone[n_gone++] = &assigned->partition;
        }
    }
    consumer->handlers.on_revoked(consumer->handlers.arg, gone, n_gone, lost);
    free(gone);
}

static void take_away(struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
    bool lost = rd_kafka_assignment_lost(consumer->client) != 0;
    if (!lost && !consumer->closing) {
        consumer->revoking = rd_kafka_topic_partition_list_copy(list);
    }
    tell_revoked(consumer, list, lost);
    if (lost || consumer->closing) {
        unassign(consumer, list);
    }
}

void kafka_consumer_release(struct kafka_consumer *consumer)
{
    rd_kafka_topic_partition_list_t *list = TAKE(consumer->revoking);
    if (list) {
        unassign(consumer, list);
        rd_kafka_topic_partition_list_destroy(list);
    }
}

static void take_rebalance(struct kafka_consumer *consumer, rd_kafka_event_t *event)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    ASSERT(list); /* each rebalance has one, also an empty one */
    /* librdkafka asks one thing at a time; whatever waited is answered first all the same, and its
     * owner must not hold on to what is freed with the answer. */
    if (consumer->revoking) {
        tell_revoked(consumer, consumer->revoking, true);
    }
    kafka_consumer_release(consumer);
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    log_debug(NULL, "CONSUMER-REBALANCE", "client=%s what=%s partitions=%d",
              rd_kafka_name(consumer->client), rd_kafka_err2name(code), list->cnt);
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        consumer->had_assignment = true;
        assign(consumer, list);
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        take_away(consumer, list);
        break;
    default:
        rdk_report(consumer->client, code, NULL);
        (void)rd_kafka_assign(consumer->client, NULL);
        break;
    }
}

/* ---- errors ---- */

static void take_failure(struct kafka_consumer *consumer, rd_kafka_resp_err_t code,
                         const char *topic, const char *text)
{
    enum err err = rdk_hopeless(code);
    unsigned suppressed = 0;
    if (err != ERR_OK && !consumer->closing) {
        char whole[512];
        (void)snprintf(whole, sizeof(whole), "%s%s%s: %s", rd_kafka_err2name(code),
                       topic ? ", topic " : "", topic ? topic : "",
                       text ? text : rd_kafka_err2str(code));
        consumer->handlers.on_error(consumer->handlers.arg, err, whole);
    } else if (!topic) {
        rdk_report(consumer->client, code, text);
    } else if (log_limit_pass(&consumer->error_limit, LOG_EVERY_MS, &suppressed)) {
        log_warn(NULL, "CONSUMER-TOPIC", "client=%s topic=%s error=\"%s\" suppressed=%u",
                 rd_kafka_name(consumer->client), topic, text ? text : rd_kafka_err2str(code),
                 suppressed);
    }
}

static void take_error(struct kafka_consumer *consumer, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (rd_kafka_event_error_is_fatal(event)) {
        code = RD_KAFKA_RESP_ERR__FATAL;
    }
    take_failure(consumer, code, NULL, rd_kafka_event_error_string(event));
}

void consumer_take_event(struct kafka_consumer *consumer, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        take_rebalance(consumer, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        take_error(consumer, event);
        break;
    case RD_KAFKA_EVENT_OFFSET_COMMIT:
        consumer_take_committed(consumer, event);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static enum err subscribe(const struct kafka_consumer *consumer, const struct config_list *topics,
                          struct error *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)topics->n_items);
    for (size_t i = 0; i < topics->n_items; i++) {
        (void)rd_kafka_topic_partition_list_add(list, topics->items[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t code = list->cnt > 0 ? rd_kafka_subscribe(consumer->client, list)
                                             : rd_kafka_unsubscribe(consumer->client);
    rd_kafka_topic_partition_list_destroy(list);
    return code ? error_set(reterr, ERR_INVALID, "cannot subscribe: %s", rd_kafka_err2str(code))
                : ERR_OK;
}

static void follow_search(struct kafka_consumer *consumer)
{
    struct config_list topics;
    struct error error = { ERR_OK, "" };
    if (!consumer->search || !topic_search_take(consumer->search, &topics)) {
        return;
    }
    log_info(NULL, "CONSUMER-TOPICS", "client=%s topics=%zu", rd_kafka_name(consumer->client),
             topics.n_items);
    if (subscribe(consumer, &topics, &error) != ERR_OK) {
        consumer->handlers.on_error(consumer->handlers.arg, error.code, error.text);
    }
    config_list_fini(&topics);
}

void kafka_consumer_serve(struct kafka_consumer *consumer)
{
    unsigned n_resets = atomic_exchange(&consumer->n_resets, 0);
    while (n_resets-- > 0) {
        consumer->handlers.on_reset(consumer->handlers.arg, NULL);
    }
    follow_search(consumer);
    rd_kafka_event_t *event = rd_kafka_queue_poll(consumer->events, 0);
    while (event) {
        consumer_take_event(consumer, event);
        event = rd_kafka_queue_poll(consumer->events, 0);
    }
    consumer_follow_commits(consumer);
}

/* ---- records ---- */

static bool take_message(struct kafka_consumer *consumer, rd_kafka_message_t *message,
                         struct kafka_fetched *ret_fetched)
{
    if (message->err) {
        take_failure(consumer, message->err, message->rkt ? rd_kafka_topic_name(message->rkt) : "?",
                     rd_kafka_message_errstr(message));
        return false;
    }
    struct assigned *assigned = partition_of(consumer, message);
    if (!assigned || assigned->revoked) {
        return false;
    }
    rd_kafka_timestamp_type_t type;
    *ret_fetched = (struct kafka_fetched){
        .partition = &assigned->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .key = { message->key, message->key_len },
        .value = { message->payload, message->len },
        .handle = message,
    };
    return true;
}

/* One by one: a batch of librdkafka before 2.1 throws away what it has already counted as taken
 * when its partition is paused at that moment, as all that stay are during a rebalance. */
size_t kafka_consumer_take(struct kafka_consumer *consumer, struct kafka_fetched *ret_fetched,
                           size_t max, bool *ret_more)
{
    size_t wanted = max < KAFKA_TAKE_MAX ? max : KAFKA_TAKE_MAX;
    size_t n_taken = 0;
    size_t n_seen = 0;
    for (; n_seen < wanted; n_seen++) {
        rd_kafka_message_t *message = rd_kafka_consume_queue(consumer->records, 0);
        if (!message) {
            break;
        }
        if (take_message(consumer, message, &ret_fetched[n_taken])) {
            n_taken++;
        } else {
            rd_kafka_message_destroy(message);
        }
    }
    *ret_more = n_seen > 0;
    return n_taken;
}

void kafka_consumer_pause(struct kafka_consumer *consumer, bool paused)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    consumer->paused = paused;
    if (rd_kafka_assignment(consumer->client, &list) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    rd_kafka_resp_err_t code = paused ? rd_kafka_pause_partitions(consumer->client, list)
                                      : rd_kafka_resume_partitions(consumer->client, list);
    check(consumer, code);
    rd_kafka_topic_partition_list_destroy(list);
}

int kafka_consumer_fd(const struct kafka_consumer *consumer)
{
    return consumer->event_fd;
}

void kafka_consumer_clear(struct kafka_consumer *consumer)
{
    uint64_t n = 0;
    (void)!read(consumer->event_fd, &n, sizeof(n));
}

uint64_t kafka_consumer_poll_every_ms(const struct kafka_consumer *consumer)
{
    return consumer->poll_every_ms;
}

/* ---- life ---- */

static void set_default(struct kvs *props, const char *key, const char *value)
{
    if (!kvs_get(props, key)) {
        kvs_set(props, key, value);
    }
}

/* As in the workers' own group: the partitions of a task that died wait for the session to end. */
static void set_session(struct kvs *props)
{
    char session[32];
    set_default(props, "heartbeat.interval.ms", "1000");
    long long beat_ms = strtoll(kvs_get(props, "heartbeat.interval.ms"), NULL, 10);
    long long session_ms = beat_ms > SESSION_MS / 3 ? 3 * beat_ms : SESSION_MS;
    (void)snprintf(session, sizeof(session), "%lld", session_ms);
    set_default(props, "session.timeout.ms", session);
}

/* Small queues: what waits here is memory, and Kafka has it safe. */
static enum err make_conf(const struct kafka_consumer_options *options, rd_kafka_conf_t **ret_conf,
                          struct kafka_consumer *consumer, int *ret_interval_ms,
                          struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    kvs_copy(&props, options->props);
    set_default(&props, "group.id", options->group_id);
    const char *client_id = kvs_get(&props, "client.id");
    if (!client_id || strcmp(client_id, "sluice") == 0) {
        kvs_set(&props, "client.id", options->client_id);
    }
    set_default(&props, "partition.assignment.strategy", "cooperative-sticky");
    set_default(&props, "queued.max.messages.kbytes", "4096");
    set_default(&props, "topic.metadata.refresh.interval.ms", "10000");
    set_default(&props, "fetch.error.backoff.ms", "100");
    set_default(&props, "max.poll.interval.ms", "300000");
    set_session(&props);
    set_default(&props, "debug", "cgrp");
    kvs_set(&props, "enable.auto.commit", "false");
    kvs_set(&props, "enable.auto.offset.store", "false");
    *ret_interval_ms = (int)strtol(kvs_get(&props, "topic.metadata.refresh.interval.ms"), NULL, 10);
    if (*ret_interval_ms <= 0) {
        *ret_interval_ms = INT_MAX;
    }
    uint64_t poll_ms = strtoull(kvs_get(&props, "max.poll.interval.ms"), NULL, 10) / 4;
    consumer->poll_every_ms = poll_ms < SERVE_EVERY_MS ? poll_ms : SERVE_EVERY_MS;
    consumer->session_ms = (int)strtol(kvs_get(&props, "session.timeout.ms"), NULL, 10);
    enum err err = rdk_conf_new(&props, ret_conf, reterr);
    if (err == ERR_OK) {
        rd_kafka_conf_set_events(*ret_conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR |
                                                RD_KAFKA_EVENT_OFFSET_COMMIT);
    }
    return err;
}

enum err kafka_consumer_open(const struct kafka_consumer_options *options,
                             const struct kafka_consumer_handlers *handlers,
                             struct kafka_consumer **ret_consumer, struct error *reterr)
{
    static const uint64_t one = 1;
    struct kafka_consumer *consumer = xcalloc(1, sizeof(*consumer));
    consumer->handlers = *handlers;
    consumer->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    rd_kafka_conf_t *conf = NULL;
    int interval_ms = 0;
    enum err err = consumer->event_fd >= 0
                       ? ERR_OK
                       : open_files_error(reterr, "the consumer cannot start", errno);
    err = err ? err : make_conf(options, &conf, consumer, &interval_ms, reterr);
    if (err == ERR_OK) {
        rd_kafka_conf_set_opaque(conf, consumer);
        rd_kafka_conf_set_log_cb(conf, on_log);
        err = rdk_client_new(RD_KAFKA_CONSUMER, conf, &consumer->client, reterr);
    }
    if (err == ERR_OK) {
        (void)rd_kafka_poll_set_consumer(consumer->client);
        consumer->events = rd_kafka_queue_get_consumer(consumer->client);
        consumer->records = rd_kafka_queue_new(consumer->client);
        rd_kafka_queue_io_event_enable(consumer->events, consumer->event_fd, &one, sizeof(one));
        rd_kafka_queue_io_event_enable(consumer->records, consumer->event_fd, &one, sizeof(one));
        consumer->committed = committed_start(consumer->client, consumer->event_fd);
        consumer->anew = consumer_offset_anew(options->props);
        err = options->pattern ? topic_search_start(consumer->client, options->pattern, interval_ms,
                                                    consumer->event_fd, &consumer->search, reterr)
                               : subscribe(consumer, options->topics, reterr);
    }
    if (err != ERR_OK) {
        consumer_free(consumer);
    } else {
        *ret_consumer = consumer;
    }
    return err;
}
