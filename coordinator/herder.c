/* SPDX-License-Identifier: Apache-2.0 */
/* The herder's loop: take ops, tell the core, do what it decides. See herder.h. */
#include "coordinator/herder.h"

#include "coordinator/herder_private.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

/* How long a task's new owner waits for the word of a living old one. */
#define HANDOVER_MS 1000
/* When to give up ending what a deleted connector left: its sessions have expired long before. */
#define RETIRE_TTL_MS ((uint64_t)24 * 3600 * 1000)
/* A killed predecessor leaves the group after the session time-out, and by then a worker that is
 * cut off has given up its slots, and the lead; then the news has to travel. */
#define SESSION_MARGIN_MS 2000

#define STAGE_JOINING "ensuring membership in the cluster"

static void collect_slots(const struct herder *herder, int32_t *slots, size_t *ret_n)
{
    size_t n = 0;
    for (int slot = 0; slot < herder->options.settings->n_slots; slot++) {
        if (herder->claimed[slot]) {
            slots[n++] = slot;
        }
    }
    *ret_n = n;
}

/* Changes the set of claimed slots and tells the core. */
static void change_slots(struct herder *herder, const struct herder_op *op, bool claimed)
{
    int n_slots = herder->options.settings->n_slots;
    for (size_t i = 0; i < op->n_slots; i++) {
        if (op->slots[i] >= 0 && op->slots[i] < n_slots) {
            herder->claimed[op->slots[i]] = claimed;
        }
    }
    int32_t *slots = xcalloc((size_t)n_slots, sizeof(*slots));
    collect_slots(herder, slots, &herder->n_claimed);
    core_set_slots(herder->core, slots, herder->n_claimed);
    core_group_changes(herder->core);
    herder->members_stale = true;
    free(slots);
    if (op->n_slots > 0) {
        metric_add(metrics_worker(), METRIC_REBALANCES, 0, 1);
    }
    metric_set(metrics_worker(), METRIC_CLAIMED_SLOTS, 0, (double)herder->n_claimed);
    view_set_slots(herder->options.view, herder->n_claimed);
}

static void on_gained(struct herder *herder, const struct herder_op *op)
{
    herder->joined = true;
    herder->lost = false;
    change_slots(herder, op, true);
    log_info(NULL, "CLAIMS-GAINED", "slots=%zu claimed=%zu", op->n_slots, herder->n_claimed);
}

/* Takes op over: it is answered when the tasks of its slots have stopped. */
static void on_revoked(struct herder *herder, struct herder_op *op)
{
    change_slots(herder, op, false);
    log_info(NULL, "CLAIMS-REVOKED", "slots=%zu claimed=%zu", op->n_slots, herder->n_claimed);
    herder_op_free(herder->revocation);
    herder->revocation = op;
}

static void on_lost(struct herder *herder, const struct herder_op *op)
{
    herder->lost = true;
    change_slots(herder, op, false);
    log_warn(NULL, "CLAIMS-LOST",
             "slots=%zu claimed=%zu reason=\"no contact with the group "
             "coordinator for session.timeout.ms\"",
             op->n_slots, herder->n_claimed);
}

/* The number that status records carry only has to grow: from the largest that was ever written. */
static void raise_generation(struct herder *herder)
{
    const struct snapshot *snapshot = herder->snapshot;
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *connector = snapshot->connectors[i];
        if (connector->status && connector->status->generation > herder->generation) {
            herder->generation = connector->status->generation;
        }
        for (size_t t = 0; t < connector->n_tasks; t++) {
            const struct status *status = connector->tasks[t].status;
            if (status && status->generation > herder->generation) {
                herder->generation = status->generation;
            }
        }
    }
    /* Other readers of the topic keep it in 32 bits. */
    herder->generation = herder->generation < INT32_MAX ? herder->generation + 1 : INT32_MAX;
    core_set_generation(herder->core, herder->generation);
}

/* Only a worker that came later gives up; and only if the other one stays, because a predecessor
 * that was killed is also seen until its session times out. */
static void note_rivals(struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    bool elder = membership_elder(&herder->membership, settings->worker_id, settings->instance);
    if (!herder->members_known && elder) {
        herder->newcomer = true;
        herder->rival_deadline_ms =
            clock_mono_ms() + (uint64_t)settings->session_timeout_ms + SESSION_MARGIN_MS;
        log_info(NULL, "WORKER-PREDECESSOR",
                 "worker_id=%s reason=\"another instance with this URL is still in the group\"",
                 settings->worker_id);
    } else if (!elder) {
        herder->newcomer = false;
        herder->rival_deadline_ms = UINT64_MAX;
    }
}

static void on_members(struct herder *herder, struct herder_op *op)
{
    membership_keep_verdicts(&herder->membership, &op->membership);
    membership_fini(&herder->membership);
    herder->membership = op->membership;
    membership_init(&op->membership);
    note_rivals(herder);
    herder->members_known = true;
    herder->self.judge_again = true;
    herder->members_stale = false;
    herder_tell_members(herder);
    raise_generation(herder);
    log_info(NULL, "GROUP-MEMBERS", "members=%zu generation=%lld", herder->membership.n_members,
             (long long)herder->generation);
}

static void on_task(struct herder *herder, const struct herder_op *op)
{
    const struct task_event *event = &op->event;
    switch (event->kind) {
    case TASK_EVENT_RUNNING:
        core_on_task(herder->core, event->incarnation, CORE_TASK_RUNNING, NULL);
        break;
    case TASK_EVENT_PAUSED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_PAUSED, NULL);
        break;
    case TASK_EVENT_STOPPED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_STOPPED, NULL);
        break;
    case TASK_EVENT_FAILED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_FAILED, event->trace);
        break;
    case TASK_EVENT_CHANGED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_CHANGED, NULL);
        break;
    case TASK_EVENT_UPDATED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_UPDATED, NULL);
        break;
    case TASK_EVENT_DECLINED:
        core_on_task(herder->core, event->incarnation, CORE_TASK_DECLINED, NULL);
        break;
    case RETIRE_EVENT_DONE:
        core_on_retired(herder->core, event->incarnation, event->err);
        break;
    }
}

void herder_write_plain(struct herder *herder, const struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        struct writer_record record = {
            .topic = herder->options.settings->topics[records->items[i].topic],
            .partition = -1,
            .key = records->items[i].key,
            .value = records->items[i].value,
        };
        kafka_status_writer_put(herder->options.statuses, &record);
    }
}

/* Takes the op over. */
static void handle(struct herder *herder, struct herder_op *op)
{
    switch (op->kind) {
    case HERDER_OP_SNAPSHOT:
        /* The op is part of the herder: from here on it may be queued again. */
        atomic_store(&herder->snapshot_posted, false);
        return;
    case HERDER_OP_PULSE:
        atomic_store(&herder->pulse_ms, 0);
        return;
    case HERDER_OP_GAINED:
        on_gained(herder, op);
        break;
    case HERDER_OP_REVOKED:
        on_revoked(herder, op);
        return;
    case HERDER_OP_LOST:
        on_lost(herder, op);
        break;
    case HERDER_OP_MEMBERS:
        on_members(herder, op);
        break;
    case HERDER_OP_WATCH:
        herder_on_watch(herder, op->text, op->refused);
        break;
    case HERDER_OP_TASK:
        on_task(herder, op);
        break;
    case HERDER_OP_WRITTEN:
        herder_lead_written(herder, &op->result);
        break;
    case HERDER_OP_CHANGE:
        herder_lead_change(herder, op);
        return;
    case HERDER_OP_WRITE:
        herder_write_plain(herder, &op->records);
        break;
    case HERDER_OP_DRAIN:
        herder_on_drain(herder, op->deadline_ms);
        break;
    case HERDER_OP_STOP:
        herder->stopping = true;
        break;
    }
    herder_op_free(op);
}

/* ---- what the core decides ---- */

static void start_task(struct herder *herder, const struct action *action)
{
    const struct connector_state *connector = snapshot_find(herder->snapshot, action->connector);
    if (!connector || action->task < 0 || (size_t)action->task >= connector->n_tasks) {
        core_on_task(herder->core, action->incarnation, CORE_TASK_STOPPED, NULL);
        return;
    }
    struct task_spec spec = {
        .connector = action->connector,
        .task = action->task,
        .incarnation = action->incarnation,
        .paused = action->paused,
        .connector_config = &connector->config,
        .task_config = &connector->tasks[action->task].config,
    };
    runner_start(herder->runner, &spec);
}

static void update_task(struct herder *herder, const struct action *action, uint64_t now_ms)
{
    const struct connector_state *connector = snapshot_find(herder->snapshot, action->connector);
    if (!connector || action->task < 0 || (size_t)action->task >= connector->n_tasks) {
        core_on_task(herder->core, action->incarnation, CORE_TASK_DECLINED, NULL);
        return;
    }
    const struct runner_update update = {
        .connector_config = &connector->config,
        .task_config = &connector->tasks[action->task].config,
        .may_take = action->may_take,
        .deadline_ms = now_ms + herder->options.settings->graceful_ms,
    };
    runner_update(herder->runner, action->incarnation, &update);
}

static void retire(struct herder *herder, const struct action *action)
{
    for (size_t i = 0; i < herder->snapshot->n_retirements; i++) {
        const struct retirement *retirement = &herder->snapshot->retirements[i];
        if (strcmp(retirement->name, action->connector) == 0 &&
            strcmp(retirement->id, action->retire_id) == 0) {
            runner_retire(herder->runner, action->incarnation, action->connector,
                          &retirement->config, retirement->task_configs,
                          retirement->n_task_configs);
            return;
        }
    }
    core_on_retired(herder->core, action->incarnation, ERR_OK);
}

static void act(struct herder *herder, const struct action *action, uint64_t now_ms)
{
    switch (action->kind) {
    case ACTION_START_TASK:
        start_task(herder, action);
        break;
    case ACTION_STOP_TASK:
        runner_stop(herder->runner, action->incarnation,
                    herder->draining ? herder->drain_deadline_ms
                                     : now_ms + herder->options.settings->graceful_ms);
        break;
    case ACTION_PAUSE_TASK:
        runner_pause(herder->runner, action->incarnation);
        break;
    case ACTION_RESUME_TASK:
        runner_resume(herder->runner, action->incarnation);
        break;
    case ACTION_UPDATE_TASK:
        update_task(herder, action, now_ms);
        break;
    case ACTION_RETIRE:
        retire(herder, action);
        break;
    }
}

static bool is_known(void *arg, const char *connector, int task)
{
    return core_knows_task(arg, connector, task);
}

static void reconcile(struct herder *herder, uint64_t now_ms)
{
    herder->wake_ms = UINT64_MAX;
    if (!herder->snapshot->caught_up) {
        return;
    }
    struct decisions decisions;
    decisions_init(&decisions);
    core_reconcile(herder->core, now_ms, &decisions);
    for (size_t i = 0; i < decisions.n_actions; i++) {
        act(herder, &decisions.actions[i], now_ms);
    }
    herder_write_plain(herder, &decisions.statuses);
    herder->wake_ms = decisions.wake_ms;
    decisions_fini(&decisions);
    runner_sweep(herder->runner, is_known, herder->core);
}

/* ---- each round ---- */

static void take_snapshot(struct herder *herder)
{
    struct snapshot *snapshot = store_snapshot(herder->options.store);
    if (snapshot == herder->snapshot) {
        snapshot_unref(snapshot);
        return;
    }
    bool first = snapshot->caught_up && !herder->snapshot->caught_up;
    snapshot_unref(herder->snapshot);
    herder->snapshot = snapshot;
    herder->lead.batch_ms = 0;
    core_set_snapshot(herder->core, snapshot);
    if (first) {
        raise_generation(herder);
    }
    size_t n_connectors = 0;
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        n_connectors += snapshot->connectors[i]->has_config ? 1 : 0;
    }
    metric_set(metrics_worker(), METRIC_CONNECTORS, 0, (double)n_connectors);
}

static void tell_phase(struct herder *herder)
{
    struct view *view = herder->options.view;
    if (herder->draining) {
        view_set_phase(view, CLUSTER_DRAINING, "");
    } else if (!herder->snapshot->caught_up) {
        return; /* what bootstrap said stays true */
    } else if (!herder->joined) {
        view_set_phase(view, CLUSTER_STARTING, STAGE_JOINING);
    } else if (herder->lost) {
        char stage[128];
        (void)snprintf(stage, sizeof(stage),
                       "polling the group coordinator for up to %dms or until interrupted",
                       herder->options.settings->session_timeout_ms);
        view_set_phase(view, CLUSTER_UNHEALTHY, stage);
    } else {
        view_set_phase(view, CLUSTER_READY, "");
    }
}

/* The leader is who wrote the last leader record, as long as it is in the group. */
void herder_tell_leader(struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    const struct leader_record *record = &herder->snapshot->leader;
    struct view_leader leader;
    memset(&leader, 0, sizeof(leader)); /* padding too: it is compared as a whole */
    if (herder->lead.state == LEAD_ACTIVE) {
        (void)snprintf(leader.url, sizeof(leader.url), "%s", settings->url);
        leader.self = true;
        leader.confirmed = true;
    } else if (record->url && record->instance &&
               strcmp(record->instance, settings->instance) != 0) {
        const struct membership *members = &herder->membership;
        const struct member *writer = membership_find(members, record->instance);
        if ((writer && !writer->dead) || !herder->members_known) {
            (void)snprintf(leader.url, sizeof(leader.url), "%s", record->url);
            leader.confirmed =
                writer && writer == membership_holder(members, herder_lead_slot(herder));
        }
    }
    if (memcmp(&leader, &herder->told, sizeof(leader)) != 0) {
        herder->told = leader;
        herder->roster_stale = true;
        view_set_leader(herder->options.view, &leader);
    }
}

static void check_rival(struct herder *herder, uint64_t now_ms)
{
    if (!herder->newcomer || now_ms < herder->rival_deadline_ms) {
        return;
    }
    const struct settings *settings = herder->options.settings;
    CLEANUP(free_charp)
    char *text = xasprintf(
        "rest.advertised.host.name and rest.advertised.port give %s, but another running worker "
        "of group.id=%s has this address already; give each worker an address of its own",
        settings->worker_id, settings->group_id);
    herder->newcomer = false;
    herder->rival_deadline_ms = UINT64_MAX;
    herder->options.on_fatal(herder->options.arg, text);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void work(struct herder *herder)
{
    uint64_t now = clock_mono_ms();
    take_snapshot(herder);
    herder_judge(herder);
    reconcile(herder, now);
    herder_drain_step(herder, now);
    herder_files_step(herder, now);
    herder_lead_step(herder, now);
    herder_tell_leader(herder);
    herder_note_step(herder, now);
    herder_roster_step(herder);
    check_rival(herder, now);
    tell_phase(herder);
    herder_release_waiters(herder);
}

static void *herder_main(void *arg)
{
    struct herder *herder = arg;
    while (!herder->stopping) {
        uint64_t wake = least(least(herder->wake_ms, herder->lead.wake_ms),
                              least(herder->rival_deadline_ms, herder->self.wake_ms));
        wake = least(wake, herder->files.wake_ms);
        wake = herder->handing_over ? least(wake, herder->hand_over_ms) : wake;
        struct list *node = queue_pop(&herder->ops, wake);
        while (node) {
            handle(herder, CONTAINER_OF(node, struct herder_op, node));
            node = queue_pop(&herder->ops, 0);
        }
        work(herder);
    }
    return NULL;
}

/* ---- life ---- */

static void make_core(struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    struct core_options options = {
        .worker_id = settings->worker_id,
        .url = settings->url,
        .instance = settings->instance,
        .n_slots = settings->n_slots,
        .settle_ms = settings->settle_ms,
        .handover_ms = HANDOVER_MS,
        .retire_ttl_ms = RETIRE_TTL_MS,
        .retire_hold_ms = (uint64_t)settings->session_timeout_ms + SESSION_MARGIN_MS,
    };
    struct core_port port;
    herder_core_port(herder, &port);
    herder->core = core_new(&options, &port);
    herder->snapshot = store_snapshot(herder->options.store);
    core_set_snapshot(herder->core, herder->snapshot);
}

struct herder *herder_start(const struct herder_options *options)
{
    struct herder *herder = xcalloc(1, sizeof(*herder));
    herder->options = *options;
    queue_init(&herder->ops, 0, false);
    lock_init(&herder->lock, LOCK_RANK_HERDER);
    cond_init(&herder->changed);
    herder->snapshot_op.kind = HERDER_OP_SNAPSHOT;
    list_init(&herder->snapshot_op.node);
    herder->pulse_op.kind = HERDER_OP_PULSE;
    list_init(&herder->pulse_op.node);
    membership_init(&herder->membership);
    herder->claimed = xcalloc((size_t)options->settings->n_slots, sizeof(*herder->claimed));
    herder->rival_deadline_ms = UINT64_MAX;
    herder->wake_ms = UINT64_MAX;
    struct error error;
    ASSERT(providers_new(&options->settings->props, &herder->providers, &error) == ERR_OK);
    make_core(herder);
    herder->moves = moves_new(options->settings->n_slots);
    struct offset_port offsets;
    herder_offset_port(herder, &offsets);
    herder->runner = runner_new(&options->settings->props, &offsets, herder_on_task_event, herder);
    herder_lead_init(herder);
    herder_files_init(herder);
    herder_note_init(herder);
    thread_start(&herder->thread, "herder", herder_main, herder);
    return herder;
}

static void discard_ops(struct herder *herder)
{
    struct list *node;
    while ((node = queue_pop(&herder->ops, 0)) != NULL) {
        struct herder_op *op = CONTAINER_OF(node, struct herder_op, node);
        if (op->kind == HERDER_OP_CHANGE) {
            herder_lead_change(herder, op);
        } else if (op == &herder->pulse_op) {
            atomic_store(&herder->pulse_ms, 0);
        } else if (op != &herder->snapshot_op) {
            herder_op_free(op);
        }
    }
}

void herder_stop(struct herder *herder)
{
    if (!herder || !herder->thread.running) {
        return;
    }
    /* A write that is under way still gets its answer. */
    leader_writer_stop(herder->writer);
    herder_files_stop(herder);
    herder_post(herder, herder_op_new(HERDER_OP_STOP));
    thread_join(&herder->thread);
    /* The thread tells the watch whom to look at, so the watch ends after it. */
    herder_note_stop(herder);
    queue_close(&herder->ops);
    leader_writer_free(TAKE(herder->writer));
    runner_free(TAKE(herder->runner));
    discard_ops(herder);
    herder_lead_fini(herder);
}

void herder_free(struct herder *herder)
{
    if (!herder) {
        return;
    }
    herder_stop(herder);
    herder_files_fini(herder);
    core_free(herder->core);
    providers_free(herder->providers);
    snapshot_unref(herder->snapshot);
    membership_fini(&herder->membership);
    moves_free(herder->moves);
    herder_note_fini(herder);
    herder_op_free(herder->revocation);
    free(herder->claimed);
    queue_fini(&herder->ops);
    cond_fini(&herder->changed);
    lock_fini(&herder->lock);
    free(herder);
}
