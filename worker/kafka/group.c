/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership in the worker group. One thread polls one queue for everything: assignments,
 * revocations, errors and the answers to "who is in the group". Every rebalance reaches every
 * member, also those whose slots stay the same (with an empty assignment), so that is when the
 * membership is asked for; it is told to the owner when the group is stable.
 *
 * For a static member that comes back before its session has timed out, Kafka keeps the client id
 * of its earlier life, and that is what others know a member and its life by. So whoever finds its
 * own group.instance.id in the group takes that place, leaves in its name, and joins as a new
 * member. See group.h.
 */
#include "worker/kafka/group.h"

#include <stdatomic.h>

#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/kafka/group_members.h"
#include "worker/kafka/rdkafka_util.h"

/* When the group was not stable, or did not answer, it is asked again after so long. */
#define ASK_AGAIN_MS  100
#define ASK_FAILED_MS 1000
/* That a member has left no event tells. */
#define LEFT_POLL_MS 100
/* on_revoked may use its whole bound; only beyond it counts the member as dead. */
#define POLL_SLACK_MS 1000

/* How far a member has come. Until it is IN its owner is told of no slots. */
enum entry {
    ENTRY_ASKING,  /* is an earlier life of this static member still in the group? */
    ENTRY_TAKING,  /* it is: its place is asked for */
    ENTRY_LEAVING, /* has it, and gives it up */
    ENTRY_IN       /* joins in its own name, or has joined */
};

struct group {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct group_callbacks callbacks;
    char *group_id;
    char *topic;
    char *instance_id; /* NULL: not a static member */
    struct thread thread;
    atomic_bool stopping;
    int leave_timeout_ms; /* set before stopping */
    /* the thread's: */
    enum entry entry;
    bool asking;        /* an answer is on its way */
    bool ask_again;     /* something changed while one was */
    uint64_t ask_at_ms; /* UINT64_MAX: membership is known */
    bool had_assignment;
    bool half_in; /* when it left: a member without an assignment */
};

int32_t *group_slots(const rd_kafka_topic_partition_list_t *list, const char *topic,
                     size_t *ret_n_slots)
{
    size_t n_slots = 0;
    size_t n = list ? (size_t)list->cnt : 0;
    int32_t *slots = xcalloc(n + 1, sizeof(*slots));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list->elems[i].topic, topic) == 0) {
            slots[n_slots++] = list->elems[i].partition;
        }
    }
    *ret_n_slots = n_slots;
    return slots;
}

static void report_error(const struct group *group, rd_kafka_error_t *error)
{
    if (error) {
        rdk_report(group->client, rd_kafka_error_code(error), rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

static void ask_members_soon(struct group *group, uint64_t delay_ms)
{
    group->ask_again = group->asking;
    group->ask_at_ms = clock_mono_ms() + delay_ms;
}

static void on_assign(struct group *group, rd_kafka_topic_partition_list_t *list)
{
    group->had_assignment = true;
    /* A position spares the questions for committed offsets; nothing is ever read. */
    for (int i = 0; i < list->cnt; i++) {
        list->elems[i].offset = 0;
    }
    report_error(group, rd_kafka_incremental_assign(group->client, list));
    (void)rd_kafka_pause_partitions(group->client, list);
    if (group->entry != ENTRY_IN) {
        group->entry = ENTRY_LEAVING;
        (void)rd_kafka_unsubscribe(group->client);
        return;
    }
    size_t n_slots = 0;
    int32_t *slots = group_slots(list, group->topic, &n_slots);
    group->callbacks.on_assigned(group->callbacks.arg, slots, n_slots);
    free(slots);
}

static void on_revoke(struct group *group, const rd_kafka_topic_partition_list_t *list)
{
    if (group->entry != ENTRY_IN) {
        report_error(group, rd_kafka_incremental_unassign(group->client, list));
        return;
    }
    size_t n_slots = 0;
    int32_t *slots = group_slots(list, group->topic, &n_slots);
    bool lost = rd_kafka_assignment_lost(group->client) != 0;
    if (lost) {
        log_warn(NULL, "GROUP-LOST", "slots=%zu", n_slots);
        group->callbacks.on_lost(group->callbacks.arg, slots, n_slots);
    } else {
        group->callbacks.on_revoked(group->callbacks.arg, slots, n_slots);
    }
    free(slots);
    report_error(group, rd_kafka_incremental_unassign(group->client, list));
}

static void take_rebalance(struct group *group, rd_kafka_event_t *event)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    ASSERT(list); /* each rebalance has one, also an empty one */
    switch ((int)rd_kafka_event_error(event)) {
    case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
        log_debug(NULL, "GROUP-ASSIGN", "slots=%d", list->cnt);
        on_assign(group, list);
        if (group->entry == ENTRY_IN) {
            ask_members_soon(group, 0);
        }
        break;
    case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
        log_debug(NULL, "GROUP-REVOKE", "slots=%d", list->cnt);
        on_revoke(group, list);
        break;
    default:
        rdk_report(group->client, rd_kafka_event_error(event), NULL);
        (void)rd_kafka_assign(group->client, NULL);
        break;
    }
}

static void take_error(struct group *group, rd_kafka_event_t *event)
{
    const char *text = rd_kafka_event_error_string(event);
    rdk_report(group->client, rd_kafka_event_error(event), text);
    enum err err = rd_kafka_event_error_is_fatal(event) ? ERR_FENCED
                                                        : rdk_hopeless(rd_kafka_event_error(event));
    /* A right that a member has lost may come back: the client goes on asking, and says so each
     * time. Who was never let in is told at once. */
    bool may_come_back = err == ERR_UNAUTHORIZED && group->had_assignment;
    if (err != ERR_OK && !may_come_back && !group->stopping) {
        group->callbacks.on_error(group->callbacks.arg, err, text);
    }
}

static void ask_members(struct group *group)
{
    group->asking = true;
    group->ask_again = false;
    group->ask_at_ms = UINT64_MAX;
    group_members_ask(group->client, group->group_id, group->queue);
}

static enum err subscribe(const struct group *group, struct error *reterr)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(list, group->topic, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(group->client, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code) {
        return error_set(reterr, ERR_INVALID, "topic %s: %s", group->topic, rd_kafka_err2str(code));
    }
    return ERR_OK;
}

static void enter(struct group *group, enum entry entry)
{
    struct error error = { ERR_OK, "" };
    group->entry = entry;
    if (subscribe(group, &error) != ERR_OK && !group->stopping) {
        group->callbacks.on_error(group->callbacks.arg, error.code, error.text);
    }
}

/* The answer to what a static member asks before it joins. */
static void take_earlier_life(struct group *group, rd_kafka_event_t *event)
{
    bool found = false;
    if (group_members_find(event, group->instance_id, &found) == GROUP_NO_ANSWER) {
        ask_members_soon(group, ASK_FAILED_MS);
        return;
    }
    if (found) {
        log_info(NULL, "GROUP-EARLIER-LIFE", "group.instance.id=%s", group->instance_id);
    }
    enter(group, found ? ENTRY_TAKING : ENTRY_IN);
}

static void take_members(struct group *group, rd_kafka_event_t *event)
{
    group->asking = false;
    if (group->entry == ENTRY_ASKING) {
        take_earlier_life(group, event);
        return;
    }
    if (group->ask_again) {
        ask_members_soon(group, 0);
        return;
    }
    switch (group_members_take(event, group->topic, &group->callbacks)) {
    case GROUP_STABLE:
        break;
    case GROUP_CHANGING:
        ask_members_soon(group, ASK_AGAIN_MS);
        break;
    case GROUP_NO_ANSWER:
        ask_members_soon(group, ASK_FAILED_MS);
        break;
    }
}

static void take_event(struct group *group, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        take_rebalance(group, event);
        break;
    case RD_KAFKA_EVENT_ERROR:
        take_error(group, event);
        break;
    case RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT:
        take_members(group, event);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

/* Asks to leave before the close, where a close alone would leave a member in the group until its
 * session times out: one without slots, and a static one. */
static bool leave_first(const struct group *group)
{
    if (group->instance_id) {
        return rdk_is_member(group->client) && !rd_kafka_unsubscribe(group->client);
    }
    return rdk_leave_empty(group->client);
}

/* Leaves the group; the revocation comes by the queue as ever. */
static void leave(struct group *group)
{
    uint64_t deadline_ms = clock_mono_ms() + (uint64_t)group->leave_timeout_ms;
    bool was_member = rdk_is_member(group->client);
    bool leaves = leave_first(group);
    while (leaves && rdk_is_member(group->client) && clock_mono_ms() < deadline_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(group->queue, 100);
        if (event) {
            take_event(group, event);
        }
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(group->client);
    report_error(group, rd_kafka_consumer_close_queue(group->client, queue));
    while (!rd_kafka_consumer_closed(group->client) && clock_mono_ms() < deadline_ms) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 100);
        if (event) {
            take_event(group, event);
        }
    }
    rd_kafka_queue_destroy(queue);
    group->half_in = !group->had_assignment && (was_member || rdk_is_member(group->client));
}

static int wait_ms(const struct group *group)
{
    uint64_t now = clock_mono_ms();
    if (group->entry == ENTRY_LEAVING) {
        return LEFT_POLL_MS;
    }
    if (group->asking || group->ask_at_ms == UINT64_MAX) {
        return -1;
    }
    return group->ask_at_ms > now ? (int)(group->ask_at_ms - now) : 0;
}

static void *group_main(void *arg)
{
    struct group *group = arg;
    while (!group->stopping) {
        rd_kafka_event_t *event = rd_kafka_queue_poll(group->queue, wait_ms(group));
        if (event) {
            take_event(group, event);
        }
        if (!group->asking && clock_mono_ms() >= group->ask_at_ms) {
            ask_members(group);
        }
        if (group->entry == ENTRY_LEAVING && !rdk_is_member(group->client)) {
            enter(group, ENTRY_IN);
        }
    }
    leave(group);
    return NULL;
}

static void set_int(struct kvs *props, const char *key, long long value)
{
    CLEANUP(free_charp) char *text = xasprintf("%lld", value);
    kvs_set(props, key, text);
}

static enum err make_conf(const struct group_options *options, rd_kafka_conf_t **ret_conf,
                          struct error *reterr)
{
    CLEANUP(kvs_fini) struct kvs props;
    kvs_init(&props);
    kvs_copy(&props, options->props);
    int poll_ms = options->rebalance_timeout_ms > options->session_timeout_ms
                      ? options->rebalance_timeout_ms
                      : options->session_timeout_ms;
    kvs_set(&props, "group.id", options->group_id);
    kvs_set(&props, "client.id", options->client_id);
    kvs_set(&props, "group.instance.id", options->instance_id);
    kvs_set(&props, "partition.assignment.strategy", "cooperative-sticky");
    set_int(&props, "session.timeout.ms", options->session_timeout_ms);
    set_int(&props, "heartbeat.interval.ms", options->heartbeat_interval_ms);
    set_int(&props, "max.poll.interval.ms", (long long)poll_ms + POLL_SLACK_MS);
    kvs_set(&props, "enable.auto.commit", "false");
    kvs_set(&props, "enable.auto.offset.store", "false");
    kvs_set(&props, "queued.min.messages", "1");
    kvs_set(&props, "queued.max.messages.kbytes", "64");
    kvs_set(&props, "max.partition.fetch.bytes", "1024");
    enum err err = rdk_conf_new(&props, ret_conf, reterr);
    if (err == ERR_OK) {
        rd_kafka_conf_set_events(*ret_conf, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
    }
    return err;
}

static void group_free(struct group *group)
{
    if (group->queue) {
        rd_kafka_queue_destroy(group->queue);
    }
    if (group->client) {
        /* Left already; what could not be closed in time is not waited for again. */
        rd_kafka_destroy_flags(group->client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    free(group->group_id);
    free(group->topic);
    free(group->instance_id);
    free(group);
}

enum err group_start(const struct group_options *options, const struct group_callbacks *callbacks,
                     struct group **ret_group, struct error *reterr)
{
    rd_kafka_conf_t *conf = NULL;
    enum err err = make_conf(options, &conf, reterr);
    if (err != ERR_OK) {
        return err;
    }
    struct group *group = xcalloc(1, sizeof(*group));
    group->callbacks = *callbacks;
    group->group_id = xstrdup(options->group_id);
    group->topic = xstrdup(options->topic);
    group->instance_id = options->instance_id ? xstrdup(options->instance_id) : NULL;
    group->entry = options->instance_id ? ENTRY_ASKING : ENTRY_IN;
    group->ask_at_ms = options->instance_id ? 0 : UINT64_MAX;
    err = rdk_client_new(RD_KAFKA_CONSUMER, conf, &group->client, reterr);
    if (err == ERR_OK) {
        (void)rd_kafka_poll_set_consumer(group->client);
        group->queue = rd_kafka_queue_get_consumer(group->client);
        err = options->instance_id ? ERR_OK : subscribe(group, reterr);
    }
    if (err != ERR_OK) {
        group_free(group);
        return err;
    }
    thread_start(&group->thread, "kafka-group", group_main, group);
    *ret_group = group;
    return ERR_OK;
}

void group_stop(struct group *group, int timeout_ms)
{
    if (!group) {
        return;
    }
    group->leave_timeout_ms = timeout_ms;
    group->stopping = true;
    rd_kafka_queue_yield(group->queue);
    thread_join(&group->thread);
    if (group->half_in) {
        rdk_give_up(group->client);
        return;
    }
    group_free(group);
}
