/* SPDX-License-Identifier: Apache-2.0 */
/* The core's knowledge and its inputs. See core.h. */
#include "coordinator/core.h"

#include <strings.h>

#include "coordinator/core_private.h"
#include "worker/base/mem.h"

struct core *core_new(const struct core_options *options, const struct core_port *port)
{
    ASSERT(options->n_slots > 0);
    struct core *core = xcalloc(1, sizeof(*core));
    core->options = *options;
    core->options.worker_id = xstrdup(options->worker_id);
    core->options.url = xstrdup(options->url);
    core->options.instance = xstrdup(options->instance);
    core->port = *port;
    core->claimed = xcalloc((size_t)options->n_slots, sizeof(bool));
    core->skew_since_ms = CORE_NEVER_MS;
    core->calm_since_ms = CORE_NEVER_MS;
    map_init(&core->own_index);
    return core;
}

static void members_free(struct member *members, size_t n_members)
{
    for (size_t i = 0; i < n_members; i++) {
        free(members[i].worker_id);
        free(members[i].slots);
    }
    free(members);
}

/* The options' texts are copies that this core made. */
static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

void core_free(struct core *core)
{
    if (!core) {
        return;
    }
    core_lead_forget(core, true);
    while (core->n_own > 0) {
        core_own_free(core, core->n_own - 1);
    }
    free(core->own);
    map_fini(&core->own_index);
    members_free(core->members, core->n_members);
    snapshot_unref(core->snapshot);
    free(core->claimed);
    free_text(core->options.worker_id);
    free_text(core->options.url);
    free_text(core->options.instance);
    free(core);
}

void core_set_snapshot(struct core *core, struct snapshot *snapshot)
{
    if (core->snapshot == snapshot) {
        return;
    }
    struct snapshot *old = core->snapshot;
    core->snapshot = snapshot_ref(snapshot);
    core->snapshot_new = true;
    snapshot_unref(old);
}

void core_set_slots(struct core *core, const int32_t *slots, size_t n_slots)
{
    size_t n_known = (size_t)core->options.n_slots;
    bool *claimed = xcalloc(n_known, sizeof(bool));
    for (size_t i = 0; i < n_slots; i++) {
        if (slots[i] >= 0 && (size_t)slots[i] < n_known) {
            claimed[slots[i]] = true;
        }
    }
    if (memcmp(claimed, core->claimed, n_known * sizeof(bool)) != 0) {
        core->members_stale = true;
    }
    free(core->claimed);
    core->claimed = claimed;
}

void core_group_changes(struct core *core)
{
    core->members_stale = true;
}

static bool same_member(const struct member *mine, const struct core_member *member)
{
    size_t size = mine->n_slots * sizeof(int32_t);
    return strcmp(mine->worker_id, member->worker_id) == 0 && mine->n_slots == member->n_slots &&
           mine->dead == member->dead && mine->leaving == member->leaving &&
           mine->started_ms == member->started_ms &&
           (size == 0 || memcmp(mine->slots, member->slots, size) == 0);
}

static int compare_starts(const void *a, const void *b)
{
    const struct core_member *left = *(const struct core_member *const *)a;
    const struct core_member *right = *(const struct core_member *const *)b;
    if (left->started_ms != right->started_ms) {
        return left->started_ms < right->started_ms ? -1 : 1;
    }
    return left < right ? -1 : 1;
}

static struct member member_copy(const struct core_member *from)
{
    return (struct member){
        .worker_id = xstrdup(from->worker_id),
        .slots = xmemdup(from->slots ? from->slots : (const int32_t *)"",
                         from->n_slots * sizeof(int32_t)),
        .n_slots = from->n_slots,
        .dead = from->dead,
        .leaving = from->leaving,
        .started_ms = from->started_ms,
    };
}

void core_set_members(struct core *core, const struct core_member *members, size_t n_members)
{
    core->members_stale = false;
    const struct core_member **sorted = xcalloc(n_members + 1, sizeof(*sorted));
    for (size_t i = 0; i < n_members; i++) {
        sorted[i] = &members[i];
    }
    qsort(sorted, n_members, sizeof(*sorted), compare_starts);
    bool same = core->n_members == n_members;
    for (size_t i = 0; i < n_members && same; i++) {
        same = same_member(&core->members[i], sorted[i]);
    }
    if (!same) {
        members_free(core->members, core->n_members);
        core->n_members = n_members;
        core->members = xcalloc(n_members + 1, sizeof(*core->members));
        for (size_t i = 0; i < n_members; i++) {
            core->members[i] = member_copy(sorted[i]);
        }
        /* A changed group has to be stable for a while before tasks are moved for balance. */
        core->skew_since_ms = CORE_NEVER_MS;
        core->calm_since_ms = CORE_NEVER_MS;
    }
    free(sorted);
}

void core_set_wall(struct core *core, int64_t wall_ms)
{
    core->wall_ms = wall_ms;
}

void core_set_generation(struct core *core, int64_t generation)
{
    core->generation = generation;
}

void core_set_draining(struct core *core)
{
    core->draining = true;
}

void core_set_leading(struct core *core, bool leading)
{
    if (core->leading && !leading) {
        core_lead_forget(core, false);
    }
    core->leading = leading;
}

void decisions_init(struct decisions *decisions)
{
    *decisions = (struct decisions){ .wake_ms = CORE_NEVER_MS };
    out_records_init(&decisions->statuses);
}

void decisions_fini(struct decisions *decisions)
{
    for (size_t i = 0; i < decisions->n_actions; i++) {
        free(decisions->actions[i].connector);
        free(decisions->actions[i].retire_id);
    }
    free(decisions->actions);
    out_records_fini(&decisions->statuses);
    decisions_init(decisions);
}

struct action *core_add_action(struct decisions *out, enum action_kind kind, uint64_t incarnation)
{
    if (out->n_actions == out->size) {
        out->size = out->size ? out->size * 2 : 16;
        out->actions = xrealloc(out->actions, out->size * sizeof(*out->actions));
    }
    struct action *action = &out->actions[out->n_actions++];
    *action = (struct action){ .kind = kind, .incarnation = incarnation, .task = -1 };
    return action;
}

void core_wake(uint64_t *wake_ms, uint64_t at_ms)
{
    if (at_ms < *wake_ms) {
        *wake_ms = at_ms;
    }
}

bool core_is_me(const struct core *core, const char *worker_id)
{
    return strcmp(core->options.worker_id, worker_id) == 0;
}

bool core_maybe_alive(const struct core *core, const char *worker_id)
{
    if (core->n_members == 0 || core->members_stale || core_is_me(core, worker_id)) {
        return true;
    }
    for (size_t i = 0; i < core->n_members; i++) {
        if (!core->members[i].dead && strcmp(core->members[i].worker_id, worker_id) == 0) {
            return true;
        }
    }
    return false;
}

bool core_active(const struct status *status)
{
    return status && (status->state == STATE_RUNNING || status->state == STATE_PAUSED ||
                      status->state == STATE_RESTARTING);
}

#define TOO_MANY_TASKS                                                                             \
    "The connector %s has generated %zu tasks, which is greater than %ld, the maximum number of "  \
    "tasks it is configured to create. This behaviour should be considered a bug and is "          \
    "disallowed. If necessary, it can be permitted by reconfiguring the connector with "           \
    "'tasks.max.enforce' set to false; however, this option will be removed in a future release "  \
    "of Kafka Connect."

char *core_too_many(const struct connector_state *connector, size_t n)
{
    const char *text = kvs_get(&connector->config, "tasks.max");
    const char *enforce = kvs_get(&connector->config, "tasks.max.enforce");
    if (core_auto_wanted(connector) || (text && strstr(text, "${"))) {
        return NULL; /* auto, or a placeholder: who made the set knows the number and keeps to it */
    }
    long max = text ? strtol(text, NULL, 10) : 1;
    max = max > 0 ? max : 1;
    if (n <= (size_t)max || (enforce && strcasecmp(enforce, "false") == 0)) {
        return NULL;
    }
    return xasprintf(TOO_MANY_TASKS, connector->name, n, max);
}

const char *core_version(const struct core *core, const struct connector_state *connector)
{
    const char *class_name = kvs_get(&connector->config, "connector.class");
    return class_name ? core->port.version(core->port.arg, class_name) : NULL;
}

void core_reconcile(struct core *core, uint64_t now_ms, struct decisions *ret_decisions)
{
    decisions_init(ret_decisions);
    if (!core->snapshot || !core->snapshot->caught_up) {
        return;
    }
    core_tasks(core, now_ms, ret_decisions);
    core_own_statuses(core, now_ms, ret_decisions);
    if (core->leading) {
        core_lead_sync(core, now_ms);
        core_lead_statuses(core, now_ms, ret_decisions);
    }
    if (core->leading && !core->draining) {
        core_retire(core, now_ms, ret_decisions);
    }
}

static bool is_in(int slot, const int32_t *slots, size_t n_slots)
{
    for (size_t i = 0; i < n_slots; i++) {
        if (slots[i] == slot) {
            return true;
        }
    }
    return false;
}

bool core_slots_idle(const struct core *core, const int32_t *slots, size_t n_slots)
{
    for (size_t i = 0; i < core->n_own; i++) {
        if (own_has_thread(core->own[i]) && is_in(core->own[i]->slot, slots, n_slots)) {
            return false;
        }
    }
    return true;
}

bool core_knows_task(struct core *core, const char *connector, int task)
{
    return core_own(core, connector, task, false) != NULL;
}

void core_each_task(const struct core *core, core_task_fn *fn, void *arg)
{
    for (size_t i = 0; i < core->n_own; i++) {
        if (own_has_thread(core->own[i])) {
            fn(arg, core->own[i]->connector, core->own[i]->task);
        }
    }
}

size_t core_tasks_wanted(const struct core *core)
{
    size_t n = 0;
    for (size_t i = 0; i < core->n_own; i++) {
        n += own_has_thread(core->own[i]) && core->own[i]->now ? 1 : 0;
    }
    return n;
}

size_t core_tasks_here(const struct core *core)
{
    size_t n = 0;
    for (size_t i = 0; i < core->n_own; i++) {
        n += own_has_thread(core->own[i]) ? 1 : 0;
    }
    return n;
}
