/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides about the tasks of this worker: which to start, stop, pause, resume, restart. A task is
 * wanted here when its slot is claimed here, its set is committed, its connector has a config and
 * is not STOPPED. A start waits for the old owner to say that it has stopped, if that one lives.
 */
#include "coordinator/config_claims.h"
#include "coordinator/core_private.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"

static const struct {
    const char *name;
    bool has_thread;
} own_states[] = {
#define X(name, thread) [OWN_##name] = { #name, thread },
    OWN_STATES(X)
#undef X
};

/* Which states may follow, as bits. */
#define BIT(name) (1U << OWN_##name)
static const unsigned own_next[] = {
    [OWN_IDLE] = BIT(STARTING) | BIT(FAILED) | BIT(GONE),
    [OWN_STARTING] = BIT(RUNNING) | BIT(PAUSED) | BIT(FAILED) | BIT(STOPPING),
    [OWN_RUNNING] = BIT(PAUSED) | BIT(FAILED) | BIT(STOPPING),
    [OWN_PAUSED] = BIT(RUNNING) | BIT(FAILED) | BIT(STOPPING),
    [OWN_STOPPING] = BIT(GONE),
    [OWN_FAILED] = BIT(IDLE),
    [OWN_GONE] = BIT(IDLE),
};
#undef BIT

_Static_assert(N_ELEMENTS(own_states) == N_ELEMENTS(own_next), "a row for each state");

void own_set_state(struct own_task *own, enum own_state state)
{
    if (own->state == state) {
        return;
    }
    ASSERT(own_next[own->state] & (1U << state));
    log_debug(NULL, "TASK-STATE", "connector=\"%s\" task=%d incarnation=%llu from=%s to=%s",
              own->connector, own->task, (unsigned long long)own->incarnation,
              own_states[own->state].name, own_states[state].name);
    own->state = state;
}

bool own_has_thread(const struct own_task *own)
{
    return own_states[own->state].has_thread;
}

struct own_task *core_own(struct core *core, const char *connector, int task, bool make)
{
    char *key = xasprintf("%d/%s", task, connector);
    struct own_task *own = map_get(&core->own_index, key);
    if (own || !make) {
        free(key);
        return own;
    }
    own = xcalloc(1, sizeof(*own));
    *own = (struct own_task){
        .key = key,
        .connector = xstrdup(connector),
        .task = task,
        .state = OWN_GONE,
        .slot = -1,
        .restart_seen = -1,
        .restart_failed_seen = -1,
    };
    if (core->n_own == core->own_size) {
        core->own_size = core->own_size ? core->own_size * 2 : 16;
        core->own = xrealloc(core->own, core->own_size * sizeof(struct own_task *));
    }
    core->own[core->n_own++] = own;
    (void)map_set(&core->own_index, key, own);
    return own;
}

void core_own_free(struct core *core, size_t index)
{
    struct own_task *own = core->own[index];
    (void)map_remove(&core->own_index, own->key);
    core->own[index] = core->own[--core->n_own];
    connector_state_unref(own->from);
    connector_state_unref(own->offered);
    free(own->trace);
    free(own->claim);
    free(own->connector);
    free(own->key);
    free(own);
}

static struct own_task *find_incarnation(const struct core *core, uint64_t incarnation)
{
    for (size_t i = 0; i < core->n_own; i++) {
        if (core->own[i]->incarnation == incarnation) {
            return core->own[i];
        }
    }
    return NULL;
}

/* No answer to an update is to be waited for any more. */
static void forget_offer(struct own_task *own)
{
    connector_state_unref(TAKE(own->offered));
    own->declined = false;
    own->partial = false;
}

static void task_failed(struct own_task *own, const char *trace)
{
    own_set_state(own, OWN_FAILED);
    forget_offer(own);
    own->restarting = false;
    own->release = true;
    own->too_many = false;
    free(own->trace);
    own->trace = xstrdup(trace ? trace : "");
}

/* It works with what it was offered. */
static void task_updated(struct own_task *own)
{
    connector_state_unref(own->from);
    own->from = TAKE(own->offered);
    own->partial = !own->offered_take;
    own->division = own->from->division;
}

void core_on_task(struct core *core, uint64_t incarnation, enum core_task_event event,
                  const char *trace)
{
    struct own_task *own = incarnation ? find_incarnation(core, incarnation) : NULL;
    if (own && event == CORE_TASK_CHANGED) {
        own->stale = true;
    }
    if (!own || !own_has_thread(own)) {
        return;
    }
    bool stopping = own->state == OWN_STOPPING;
    switch (event) {
    case CORE_TASK_RUNNING:
    case CORE_TASK_PAUSED:
        if (!stopping) {
            own_set_state(own, event == CORE_TASK_RUNNING ? OWN_RUNNING : OWN_PAUSED);
            own->restarting = false;
        }
        break;
    case CORE_TASK_CHANGED:
        break;
    case CORE_TASK_UPDATED:
        if (own->offered) {
            task_updated(own);
        }
        break;
    case CORE_TASK_DECLINED:
        if (own->offered) {
            forget_offer(own);
            own->declined = true;
        }
        break;
    case CORE_TASK_FAILED:
    case CORE_TASK_STOPPED:
        if (stopping) {
            own_set_state(own, OWN_GONE);
        } else {
            task_failed(own, event == CORE_TASK_FAILED ? trace : "The task ended by itself");
        }
        break;
    }
}

/* Marks the tasks of one connector that are to run here. */
static void mark_connector(struct core *core, const struct connector_state *connector)
{
    if (!connector->has_config || !connector->committed || connector->inconsistent ||
        connector->target == TARGET_STOPPED) {
        return;
    }
    for (size_t n = 0; n < connector->n_tasks; n++) {
        int slot = connector->tasks[n].slot;
        if (slot >= 0 && slot < core->options.n_slots && core->claimed[slot]) {
            struct own_task *own = core_own(core, connector->name, (int)n, true);
            own->now = connector;
            own->slot = slot;
        }
    }
}

static void mark_wanted(struct core *core)
{
    for (size_t i = 0; i < core->n_own; i++) {
        core->own[i]->now = NULL;
    }
    for (size_t i = 0; i < core->snapshot->n_connectors && !core->draining; i++) {
        mark_connector(core, core->snapshot->connectors[i]);
    }
}

static void note_stale(struct core *core, const char *connector, int task,
                       const struct status *status, const struct claims *claims)
{
    bool claimed = claims_find(claims, core->options.worker_id) < claims_count(claims);
    if (claimed || (core_active(status) && core_is_me(core, status->worker_id))) {
        (void)core_own(core, connector, task, true);
    }
}

/* A status that names this worker for a task that it does not have is a leftover of its earlier
 * life or of a lost record: the entry, in state GONE, sets it right. */
static void find_stale(struct core *core)
{
    for (size_t i = 0; i < core->snapshot->n_connectors; i++) {
        const struct connector_state *connector = core->snapshot->connectors[i];
        for (size_t n = 0; n < connector->n_tasks; n++) {
            note_stale(core, connector->name, (int)n, connector->tasks[n].status,
                       connector->tasks[n].claims);
        }
        for (size_t n = 0; n < connector->n_extra_statuses; n++) {
            const struct extra_status *extra = &connector->extra_statuses[n];
            note_stale(core, connector->name, extra->task, extra->status, extra->claims);
        }
    }
}

static bool same_task_config(const struct own_task *own)
{
    size_t n = (size_t)own->task;
    const struct connector_state *now = own->now;
    const struct connector_state *from = own->from;
    return now == from || now->tasks[n].shared == from->tasks[n].shared ||
           kvs_equal(&now->tasks[n].config, &from->tasks[n].config);
}

/* True when the task runs, or failed, with configs that hold no more. Waits until the leader has
 * made the task set of the newest config, so that one change reaches a task once. */
static bool config_changed(const struct own_task *own)
{
    const struct connector_state *now = own->now;
    const struct connector_state *from = own->from;
    if (now == from || !from || now->tasks_config_offset != now->config_offset) {
        return false;
    }
    if (now->shared != from->shared && !kvs_equal(&now->config, &from->config)) {
        return true;
    }
    return !same_task_config(own);
}

/* True when a request that was not acted on yet asks for a restart; notes it. */
static bool restart_asked(struct own_task *own)
{
    int64_t offset = own->now->tasks[own->task].restart_offset;
    bool asked = offset > own->restart_seen;
    if (own->now->restart_failed_offset > own->restart_failed_seen && own->state == OWN_FAILED) {
        asked = true;
    }
    own->restart_seen = offset;
    own->restart_failed_seen = own->now->restart_failed_offset;
    return asked;
}

static void work_from(struct own_task *own)
{
    connector_state_unref(own->from);
    own->from = connector_state_ref(own->now);
    own->division = own->now->division;
    own->stale = false;
    /* A start from scratch does what every earlier request asked for. */
    own->restart_seen = own->now->tasks[own->task].restart_offset;
    own->restart_failed_seen = own->now->restart_failed_offset;
}

/* A set that is larger than it may be is in the topic: none of its tasks is started. */
static char *too_many(const struct connector_state *connector)
{
    bool its_own = connector->tasks_config_offset == connector->config_offset ||
                   connector->tasks_config_offset < 0;
    return its_own ? core_too_many(connector, connector->n_tasks) : NULL;
}

static void refuse(struct own_task *own, char *trace)
{
    own_set_state(own, OWN_FAILED);
    own->too_many = true;
    own->restarting = false;
    free(own->trace);
    own->trace = trace;
    work_from(own);
}

static void start(struct core *core, struct own_task *own, uint64_t now_ms, struct decisions *out)
{
    if (core_claim_blocks(core, own, now_ms)) {
        core_wake(&out->wake_ms, own->wait_until_ms);
        return;
    }
    char *trace = too_many(own->now);
    if (trace) {
        own->wait_until_ms = 0;
        refuse(own, trace);
        return;
    }
    if (core_barrier(core, own, now_ms, &out->wake_ms)) {
        return;
    }
    own_set_state(own, OWN_STARTING);
    own->incarnation = ++core->last_incarnation;
    own->wait_until_ms = 0;
    own->paused = own->now->target == TARGET_PAUSED;
    /* Even when the record of an earlier incarnation says the same, this one is to be seen. */
    if (!own->restarting) {
        own->sent = (struct sent){ .any = false };
    }
    work_from(own);
    struct action *action = core_add_action(out, ACTION_START_TASK, own->incarnation);
    action->connector = xstrdup(own->connector);
    action->task = own->task;
    action->paused = own->paused;
}

static void stop(struct own_task *own, bool restarting, struct decisions *out)
{
    own_set_state(own, OWN_STOPPING);
    forget_offer(own);
    own->restarting = restarting;
    (void)core_add_action(out, ACTION_STOP_TASK, own->incarnation);
}

static void offer(struct own_task *own, bool may_take, struct decisions *out)
{
    own->offered = connector_state_ref(own->now);
    own->offered_take = may_take;
    own->stale = false;
    struct action *action = core_add_action(out, ACTION_UPDATE_TASK, own->incarnation);
    action->connector = xstrdup(own->connector);
    action->task = own->task;
    action->may_take = may_take;
}

/* A task whose own config is as before has nothing that a new division gave to another. */
static void note_division(struct own_task *own)
{
    if (own_has_thread(own) && own->state != OWN_STOPPING && !own->offered && !own->partial &&
        same_task_config(own)) {
        own->division = own->now->division;
    }
}

/* Brings a running task to the newest configs, one step at a time: first it gives up what is not
 * its own any more, then, when all others have done so, it takes what is new. */
static void keep_current(struct core *core, struct own_task *own, uint64_t now_ms,
                         struct decisions *out)
{
    if (own->offered) {
        return;
    }
    bool changed = config_changed(own) || own->stale;
    if (changed || own->partial) {
        bool may_take = !core_barrier(core, own, now_ms, &out->wake_ms);
        if (changed || may_take) {
            offer(own, may_take, out);
        }
    }
}

static void keep_running(struct core *core, struct own_task *own, uint64_t now_ms,
                         struct decisions *out)
{
    bool asked = restart_asked(own);
    if (asked || own->declined) {
        stop(own, asked, out);
        return;
    }
    keep_current(core, own, now_ms, out);
    bool paused = own->now->target == TARGET_PAUSED;
    if (paused != own->paused) {
        own->paused = paused;
        (void)core_add_action(out, paused ? ACTION_PAUSE_TASK : ACTION_RESUME_TASK,
                              own->incarnation);
    }
}

/* True when a failed task is to be tried again. */
static bool try_again(struct own_task *own)
{
    bool asked = restart_asked(own) || own->stale;
    own->restarting = asked;
    if (asked || config_changed(own)) {
        return true;
    }
    char *trace = own->too_many ? too_many(own->now) : NULL;
    bool fits = own->too_many && !trace;
    free(trace);
    return fits;
}

/* What has to happen to a task that is wanted here. */
static void step_wanted(struct core *core, struct own_task *own, uint64_t now_ms,
                        struct decisions *out)
{
    if (own->state == OWN_FAILED && try_again(own)) {
        own_set_state(own, OWN_IDLE);
    } else if (own->state == OWN_GONE) {
        own_set_state(own, OWN_IDLE);
    }
    if (own->state == OWN_IDLE) {
        start(core, own, now_ms, out);
    } else if (own_has_thread(own) && own->state != OWN_STOPPING) {
        keep_running(core, own, now_ms, out);
    }
}

void core_tasks(struct core *core, uint64_t now_ms, struct decisions *out)
{
    mark_wanted(core);
    core->holders.of = NULL;
    core->n_unwanted = 0;
    if (core->snapshot_new) {
        find_stale(core);
        core->snapshot_new = false;
    }
    /* Stops first: what follows may wait for them. */
    for (size_t i = 0; i < core->n_own; i++) {
        struct own_task *own = core->own[i];
        if (own->release) {
            own->release = false;
            (void)core_add_action(out, ACTION_STOP_TASK, own->incarnation);
        }
        if (!own->now && own_has_thread(own) && own->state != OWN_STOPPING) {
            stop(own, false, out);
        }
        if (!own->now && own->state == OWN_IDLE) {
            own_set_state(own, OWN_GONE);
        }
        if (!own->now) {
            own->restarting = false;
            own->wait_until_ms = 0;
            core->n_unwanted += own_has_thread(own);
        } else {
            note_division(own);
        }
    }
    for (size_t i = 0; i < core->n_own; i++) {
        if (core->own[i]->now) {
            step_wanted(core, core->own[i], now_ms, out);
        }
    }
}
