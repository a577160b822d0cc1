/* SPDX-License-Identifier: Apache-2.0 */
/* Offsets of consumer groups by the admin protocol. See group_offsets.h. */
#include "worker/kafka/group_offsets.h"

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/kafka/rdkafka_util.h"

/*
 * The longest that librdkafka takes; the deadline is kept here. A question to a coordinator whose
 * time ran out inside of librdkafka (2.0.2 and later) aborts the process when the coordinator comes
 * back before the client is gone; a client that is destroyed with its question open does not.
 */
#define ASK_TIMEOUT_MS 3600000
#define POLL_MS        1000
/* Each question has a client with threads of its own: so many at once, the others wait. */
#define MAX_QUERIES 4
/* Who waits holds a thread of its caller's: further questions are refused. */
#define MAX_WAITING 16

static pthread_once_t gate_once = PTHREAD_ONCE_INIT;
static struct lock gate_lock;
static struct cond gate_freed;
static int n_queries; /* under gate_lock, as the next */
static int n_waiting;

static void gate_setup(void)
{
    lock_init(&gate_lock, LOCK_RANK_KAFKA);
    cond_init(&gate_freed);
}

static bool has_patience(const struct group_patience *patience, uint64_t now_ms)
{
    return now_ms < patience->deadline_ms &&
           !(patience->cancelled && atomic_load(patience->cancelled));
}

/* Under gate_lock, until the deadline or, as nobody tells of it, a while after the caller gives up.
 */
static void gate_wait(const struct group_patience *patience)
{
    uint64_t deadline_ms = patience->deadline_ms;
    n_waiting++;
    uint64_t now_ms = clock_mono_ms();
    while (n_queries >= MAX_QUERIES && has_patience(patience, now_ms)) {
        uint64_t next_ms = now_ms + POLL_MS;
        (void)cond_wait_until(&gate_freed, &gate_lock,
                              next_ms < deadline_ms ? next_ms : deadline_ms);
        now_ms = clock_mono_ms();
    }
    n_waiting--;
}

/* ERR_OK, ERR_UNAVAILABLE where too many wait already, or ERR_TIMEOUT. */
static enum err gate_enter(const struct group_patience *patience)
{
    (void)pthread_once(&gate_once, gate_setup);
    lock_take(&gate_lock);
    bool crowded = n_queries >= MAX_QUERIES && n_waiting >= MAX_WAITING;
    if (!crowded) {
        gate_wait(patience);
    }
    bool entered = n_queries < MAX_QUERIES;
    n_queries += entered;
    lock_drop(&gate_lock);
    if (entered) {
        return ERR_OK;
    }
    return crowded ? ERR_UNAVAILABLE : ERR_TIMEOUT;
}

static void gate_leave(void)
{
    lock_take(&gate_lock);
    n_queries--;
    cond_signal(&gate_freed);
    lock_drop(&gate_lock);
}

/* One question to Kafka and its answer. */
struct query {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    rd_kafka_event_t *event;
    const struct group_patience *patience;
    const char *group;
};

void group_offsets_set(struct group_offsets *offsets, const char *topic, int32_t partition,
                       int64_t offset)
{
    for (size_t i = 0; i < offsets->n_items; i++) {
        struct group_offset *item = &offsets->items[i];
        if (item->partition == partition && strcmp(item->topic, topic) == 0) {
            item->offset = offset;
            return;
        }
    }
    offsets->items = xrealloc(offsets->items, (offsets->n_items + 1) * sizeof(*offsets->items));
    offsets->items[offsets->n_items++] = (struct group_offset){ xstrdup(topic), partition, offset };
}

void group_offsets_fini(struct group_offsets *offsets)
{
    for (size_t i = 0; i < offsets->n_items; i++) {
        free(offsets->items[i].topic);
    }
    free(offsets->items);
    *offsets = (struct group_offsets){ NULL, 0 };
}

static enum err no_answer(const struct query *query, struct error *reterr)
{
    return error_set(reterr, ERR_TIMEOUT, "consumer group %s: Kafka does not answer in time",
                     query->group);
}

static enum err query_open(struct query *query, const struct kvs *props, rd_kafka_admin_op_t op,
                           struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = gate_enter(query->patience);
    if (err == ERR_UNAVAILABLE) {
        return error_set(reterr, err, "consumer group %s: %d questions wait for Kafka already",
                         query->group, MAX_WAITING);
    }
    if (err != ERR_OK) {
        return no_answer(query, reterr);
    }
    err = rdk_conf_new(props, &conf, reterr);
    err = err ? err : rdk_client_new(RD_KAFKA_CONSUMER, conf, &query->client, reterr);
    if (err != ERR_OK) {
        gate_leave();
        return err;
    }
    char text[256];
    query->queue = rd_kafka_queue_new(query->client);
    query->options = rd_kafka_AdminOptions_new(query->client, op);
    (void)rd_kafka_AdminOptions_set_request_timeout(query->options, ASK_TIMEOUT_MS, text,
                                                    sizeof(text));
    return ERR_OK;
}

static void query_close(struct query *query)
{
    if (query->event) {
        rd_kafka_event_destroy(query->event);
    }
    rd_kafka_AdminOptions_destroy(query->options);
    rd_kafka_queue_destroy(query->queue);
    rd_kafka_destroy(query->client);
    gate_leave();
}

static enum err refused(const struct query *query, rd_kafka_resp_err_t code, const char *text,
                        struct error *reterr)
{
    enum err err = rdk_err(code);
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
        err = ERR_CONFLICT;
        break;
    default:
        break;
    }
    return error_set(reterr, err, "consumer group %s: %s", query->group,
                     text ? text : rd_kafka_err2str(code));
}

static enum err query_await(struct query *query, struct error *reterr)
{
    uint64_t now_ms = clock_mono_ms();
    while (!query->event && has_patience(query->patience, now_ms)) {
        uint64_t left_ms = query->patience->deadline_ms - now_ms;
        query->event =
            rd_kafka_queue_poll(query->queue, left_ms < POLL_MS ? (int)left_ms : POLL_MS);
        now_ms = clock_mono_ms();
    }
    if (!query->event) {
        return no_answer(query, reterr);
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(query->event);
    return code ? refused(query, code, rd_kafka_event_error_string(query->event), reterr) : ERR_OK;
}

/* The error of the only group that was asked about, or of its first partition that has one. */
static enum err check_group(const struct query *query, const rd_kafka_group_result_t **groups,
                            size_t n_groups, struct error *reterr)
{
    if (n_groups != 1) {
        return error_set(reterr, ERR_UNAVAILABLE, "consumer group %s: no answer", query->group);
    }
    const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
    rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
        return ERR_OK; /* there is nothing to forget */
    }
    if (code) {
        return refused(query, code, rd_kafka_error_string(error), reterr);
    }
    const rd_kafka_topic_partition_list_t *partitions = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; partitions && i < partitions->cnt; i++) {
        if (partitions->elems[i].err) {
            return refused(query, partitions->elems[i].err, NULL, reterr);
        }
    }
    return ERR_OK;
}

/* ---- look ---- */

static int compare(const void *a, const void *b)
{
    const struct group_offset *one = a;
    const struct group_offset *other = b;
    int order = strcmp(one->topic, other->topic);
    return order ? order
                 : (one->partition > other->partition) - (one->partition < other->partition);
}

static void copy_offsets(const rd_kafka_group_result_t *group, struct group_offsets *offsets)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(group);
    size_t n = list ? (size_t)list->cnt : 0;
    *offsets = (struct group_offsets){ xcalloc(n + 1, sizeof(*offsets->items)), 0 };
    for (size_t i = 0; i < n; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        if (item->offset >= 0) {
            offsets->items[offsets->n_items++] =
                (struct group_offset){ xstrdup(item->topic), item->partition, item->offset };
        }
    }
    qsort(offsets->items, offsets->n_items, sizeof(*offsets->items), compare);
}

enum err kafka_group_offsets_get(const struct kvs *props, const char *group,
                                 const struct group_patience *patience,
                                 struct group_offsets *ret_offsets, struct error *reterr)
{
    struct query query = { .patience = patience, .group = group };
    enum err err = query_open(&query, props, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_ListConsumerGroupOffsets_t *list = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_ListConsumerGroupOffsets(query.client, &list, 1, query.options, query.queue);
    rd_kafka_ListConsumerGroupOffsets_destroy(list);
    err = query_await(&query, reterr);
    if (err == ERR_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(query.event), &n);
        err = check_group(&query, groups, n, reterr);
        if (err == ERR_OK) {
            copy_offsets(groups[0], ret_offsets);
        }
    }
    query_close(&query);
    return err;
}

/* ---- change ---- */

/* The partitions that are to be forgotten, or those that are to be committed; NULL: none. */
static rd_kafka_topic_partition_list_t *choose(const struct group_offsets *offsets, bool forget)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    for (size_t i = 0; i < offsets->n_items; i++) {
        const struct group_offset *item = &offsets->items[i];
        if ((item->offset == GROUP_OFFSET_NONE) != forget) {
            continue;
        }
        list = list ? list : rd_kafka_topic_partition_list_new((int)offsets->n_items);
        rd_kafka_topic_partition_t *added =
            rd_kafka_topic_partition_list_add(list, item->topic, item->partition);
        added->offset = forget ? RD_KAFKA_OFFSET_INVALID : item->offset;
    }
    return list;
}

static enum err commit(const struct kvs *props, struct query *query,
                       const rd_kafka_topic_partition_list_t *list, struct error *reterr)
{
    enum err err = query_open(query, props, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_AlterConsumerGroupOffsets_t *alter =
        rd_kafka_AlterConsumerGroupOffsets_new(query->group, list);
    rd_kafka_AlterConsumerGroupOffsets(query->client, &alter, 1, query->options, query->queue);
    rd_kafka_AlterConsumerGroupOffsets_destroy(alter);
    err = query_await(query, reterr);
    if (err == ERR_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
            rd_kafka_event_AlterConsumerGroupOffsets_result(query->event), &n);
        err = check_group(query, groups, n, reterr);
    }
    query_close(query);
    return err;
}

static enum err forget(const struct kvs *props, struct query *query,
                       const rd_kafka_topic_partition_list_t *list, struct error *reterr)
{
    enum err err = query_open(query, props, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_DeleteConsumerGroupOffsets_t *gone =
        rd_kafka_DeleteConsumerGroupOffsets_new(query->group, list);
    rd_kafka_DeleteConsumerGroupOffsets(query->client, &gone, 1, query->options, query->queue);
    rd_kafka_DeleteConsumerGroupOffsets_destroy(gone);
    err = query_await(query, reterr);
    if (err == ERR_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(
            rd_kafka_event_DeleteConsumerGroupOffsets_result(query->event), &n);
        err = check_group(query, groups, n, reterr);
    }
    query_close(query);
    return err;
}

typedef enum err change_fn(const struct kvs *props, struct query *query,
                           const rd_kafka_topic_partition_list_t *list, struct error *reterr);

static enum err change(change_fn *fn, const struct kvs *props, const char *group,
                       rd_kafka_topic_partition_list_t *list, const struct group_patience *patience,
                       struct error *reterr)
{
    if (!list) {
        return ERR_OK;
    }
    struct query query = { .patience = patience, .group = group };
    enum err err = fn(props, &query, list, reterr);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

enum err kafka_group_offsets_change(const struct kvs *props, const char *group,
                                    const struct group_offsets *offsets,
                                    const struct group_patience *patience, struct error *reterr)
{
    enum err err = change(commit, props, group, choose(offsets, false), patience, reterr);
    return err ? err : change(forget, props, group, choose(offsets, true), patience, reterr);
}

enum err kafka_group_delete(const struct kvs *props, const char *group,
                            const struct group_patience *patience, struct error *reterr)
{
    struct query query = { .patience = patience, .group = group };
    enum err err = query_open(&query, props, RD_KAFKA_ADMIN_OP_DELETEGROUPS, reterr);
    if (err != ERR_OK) {
        return err;
    }
    rd_kafka_DeleteGroup_t *gone = rd_kafka_DeleteGroup_new(group);
    rd_kafka_DeleteGroups(query.client, &gone, 1, query.options, query.queue);
    rd_kafka_DeleteGroup_destroy(gone);
    err = query_await(&query, reterr);
    if (err == ERR_OK) {
        size_t n = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_DeleteGroups_result_groups(
            rd_kafka_event_DeleteGroups_result(query.event), &n);
        err = check_group(&query, groups, n, reterr);
    }
    query_close(&query);
    return err;
}
