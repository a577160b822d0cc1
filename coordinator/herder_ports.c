/* SPDX-License-Identifier: Apache-2.0 */
/* What the core and the runner need of the outside, and the way of ops into the herder's queue. */
#include "coordinator/changes.h"
#include "coordinator/expand.h"
#include "coordinator/herder_private.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

/* A loop that takes longer for one round hangs: it never waits for Kafka or MQTT. */
#define PULSE_MS 10000U

struct herder_op *herder_op_new(enum herder_op_kind kind)
{
    struct herder_op *op = xcalloc(1, sizeof(*op));
    op->kind = kind;
    list_init(&op->node);
    membership_init(&op->membership);
    return op;
}

static void change_unref(struct change *change)
{
    if (change && ref_drop(&change->ref)) {
        cluster_request_free(change->request);
        free(change);
    }
}

void herder_op_free(struct herder_op *op)
{
    if (!op) {
        return;
    }
    free(op->slots);
    membership_fini(&op->membership);
    free(op->text);
    change_unref(op->change);
    out_records_fini(&op->records);
    free(op);
}

void herder_post(struct herder *herder, struct herder_op *op)
{
    if (!queue_push(&herder->ops, &op->node)) {
        herder_op_free(op);
    }
}

void herder_on_snapshot(struct herder *herder)
{
    if (!atomic_exchange(&herder->snapshot_posted, true)) {
        (void)!queue_push(&herder->ops, &herder->snapshot_op.node);
    }
}

bool herder_turns(struct herder *herder, uint64_t now_ms)
{
    uint64_t asked_ms = 0;
    if (!atomic_compare_exchange_strong(&herder->pulse_ms, &asked_ms, now_ms)) {
        return now_ms < asked_ms + PULSE_MS;
    }
    if (!queue_push(&herder->ops, &herder->pulse_op.node)) {
        atomic_store(&herder->pulse_ms, 0); /* the loop has ended, as it should */
    }
    return true;
}

void herder_on_task_event(void *arg, const struct task_event *event)
{
    struct herder_op *op = herder_op_new(HERDER_OP_TASK);
    op->text = event->trace ? xstrdup(event->trace) : NULL;
    op->event = *event;
    op->event.trace = op->text;
    herder_post(arg, op);
}

void herder_on_written(void *arg, const struct leader_result *result)
{
    struct herder_op *op = herder_op_new(HERDER_OP_WRITTEN);
    op->text = xstrdup(result->text);
    op->result = *result;
    op->result.text = op->text;
    herder_post(arg, op);
}

/* ---- the group's thread ---- */

static struct herder_op *slots_op(enum herder_op_kind kind, const int32_t *slots, size_t n_slots)
{
    struct herder_op *op = herder_op_new(kind);
    op->n_slots = n_slots;
    op->slots = xcalloc(n_slots + 1, sizeof(*op->slots));
    if (n_slots > 0) {
        memcpy(op->slots, slots, n_slots * sizeof(*slots));
    }
    return op;
}

static void on_assigned(void *arg, const int32_t *slots, size_t n_slots)
{
    herder_post(arg, slots_op(HERDER_OP_GAINED, slots, n_slots));
}

/* The group goes on only when the tasks of these slots have stopped here: that is what keeps a
 * task from running twice while everybody is alive. Not longer than the group waits for a member:
 * this one would lose all its slots, and not only the tasks that are slow to stop. */
static void on_revoked(void *arg, const int32_t *slots, size_t n_slots)
{
    struct herder *herder = arg;
    const struct settings *settings = herder->options.settings;
    uint64_t group_ms = (uint64_t)settings->rebalance_timeout_ms;
    bool group_first = group_ms < settings->graceful_ms;
    struct herder_op *op = slots_op(HERDER_OP_REVOKED, slots, n_slots);
    uint64_t ticket = ++herder->next_ticket;
    op->ticket = ticket;
    herder_post(herder, op);
    uint64_t deadline = clock_mono_ms() + (group_first ? group_ms : settings->graceful_ms);
    lock_take(&herder->lock);
    while (herder->revokes_done < ticket && !herder->abandoned) {
        if (!cond_wait_until(&herder->changed, &herder->lock, deadline)) {
            break;
        }
    }
    bool done = herder->revokes_done >= ticket;
    lock_drop(&herder->lock);
    if (!done) {
        log_warn(NULL, "CLAIMS-REVOKE-LATE", "slots=%zu reason=\"tasks did not stop within %s\"",
                 n_slots,
                 group_first ? "rebalance.timeout.ms" : "task.shutdown.graceful.timeout.ms");
    }
}

static void on_lost(void *arg, const int32_t *slots, size_t n_slots)
{
    herder_post(arg, slots_op(HERDER_OP_LOST, slots, n_slots));
}

static void on_members(void *arg, const struct group_member *members, size_t n_members)
{
    struct herder_op *op = herder_op_new(HERDER_OP_MEMBERS);
    membership_set(&op->membership, members, n_members);
    herder_post(arg, op);
}

static void on_error(void *arg, enum err err, const char *text)
{
    struct herder *herder = arg;
    CLEANUP(free_charp)
    char *line =
        xasprintf("group.id=%s claims.storage.topic=%s: %s (%s); mend: check the broker's ACLs for "
                  "this group and topic, and that group.instance.id is unique",
                  herder->options.settings->group_id, herder->options.settings->claims_topic, text,
                  err_text(err));
    herder->options.on_fatal(herder->options.arg, line);
}

void herder_group_callbacks(struct herder *herder, struct group_callbacks *ret_callbacks)
{
    *ret_callbacks = (struct group_callbacks){
        .arg = herder,
        .on_assigned = on_assigned,
        .on_revoked = on_revoked,
        .on_lost = on_lost,
        .on_members = on_members,
        .on_error = on_error,
    };
}

/* ---- any thread: changes ---- */

static enum err wait_for_answer(struct herder *herder, struct change *change, uint64_t deadline_ms,
                                struct cluster_reply *ret_reply, struct error *reterr)
{
    enum err err = ERR_TIMEOUT;
    lock_take(&herder->lock);
    while (!change->done && cond_wait_until(&herder->changed, &herder->lock, deadline_ms)) {
    }
    if (change->done) {
        err = change->err;
        *ret_reply = change->reply;
        if (reterr && err != ERR_OK) {
            *reterr = change->error;
        }
    }
    change->abandoned = !change->done;
    lock_drop(&herder->lock);
    return err == ERR_TIMEOUT ? error_set(reterr, err, "Request timed out") : err;
}

enum err herder_change(struct herder *herder, const struct cluster_request *request,
                       uint64_t deadline_ms, struct cluster_reply *ret_reply, struct error *reterr)
{
    if (!view_leads(herder->options.view)) {
        return error_set(reterr, ERR_NOT_LEADER, NOT_LEADER_TEXT);
    }
    struct change *change = xcalloc(1, sizeof(*change));
    ref_init(&change->ref);
    change->request = cluster_request_copy(request);
    struct herder_op *op = herder_op_new(HERDER_OP_CHANGE);
    ref_take(&change->ref);
    op->change = change;
    enum err err;
    if (queue_push(&herder->ops, &op->node)) {
        err = wait_for_answer(herder, change, deadline_ms, ret_reply, reterr);
    } else {
        herder_op_free(op); /* it stops; nothing was done, another worker can do it */
        err = error_set(reterr, ERR_NOT_LEADER, NOT_LEADER_TEXT);
    }
    change_unref(change);
    return err;
}

enum err herder_write(struct herder *herder, struct out_records *records)
{
    struct herder_op *op = herder_op_new(HERDER_OP_WRITE);
    op->records = *records;
    out_records_init(records);
    if (!queue_push(&herder->ops, &op->node)) {
        herder_op_free(op);
        return ERR_CLOSED;
    }
    return ERR_OK;
}

/* ---- the core's port; herder's thread ---- */

static enum err port_task_configs(void *arg, const struct connector_state *connector, size_t n_auto,
                                  struct kvs **ret_configs, size_t *ret_n, struct error *reterr)
{
    const struct herder *herder = arg;
    const struct expand_facts facts = { herder->options.settings->group_id, n_auto };
    return expand_task_configs(herder->providers, &facts, connector, ret_configs, ret_n, reterr);
}

static const char *port_version(void *arg UNUSED, const char *class_name)
{
    const struct connector_plugin *plugin = connector_find(class_name);
    return plugin ? plugin->version : NULL;
}

void herder_core_port(struct herder *herder, struct core_port *ret_port)
{
    *ret_port = (struct core_port){
        .arg = herder,
        .task_configs = port_task_configs,
        .version = port_version,
    };
}

/* ---- the runner's port; task threads ---- */

static char *port_offset_get(void *arg, const char *connector, const char *partition)
{
    struct herder *herder = arg;
    return store_offset(herder->options.store, connector, partition);
}

/* Takes records; what they say is known here at once. */
static void put_foreseen(struct herder *herder, struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        const struct out_record *item = &records->items[i];
        struct writer_record record = {
            .topic = herder->options.settings->topics[item->topic],
            .partition = -1,
            .key = item->key,
            .value = item->value,
        };
        kafka_status_writer_put(herder->options.statuses, &record);
        store_foresee(herder->options.store, item->topic, item->key, item->value);
    }
    out_records_fini(records);
}

static void port_offset_put(void *arg, const char *connector, const char *partition,
                            const char *offset)
{
    struct out_records records;
    out_records_init(&records);
    record_offset(&records, connector, partition, offset);
    put_foreseen(arg, &records);
}

static void port_topic_used(void *arg, const char *connector, int task, const char *topic)
{
    struct herder *herder = arg;
    if (store_uses(herder->options.store, connector, topic)) {
        return;
    }
    struct out_records records;
    out_records_init(&records);
    record_topic_use(&records, connector, task, topic, clock_wall_ms());
    put_foreseen(herder, &records);
}

void herder_offset_port(struct herder *herder, struct offset_port *ret_port)
{
    *ret_port = (struct offset_port){
        .arg = herder,
        .get = port_offset_get,
        .put = port_offset_put,
    };
    if (herder->options.settings->track_topics) {
        ret_port->topic_used = port_topic_used;
        ret_port->topic_removals = store_topic_removals(herder->options.store);
    }
}
