/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The herder's account of the cluster: which tasks have moved and why (one log line and one count
 * on the worker that a task has come to), how loaded this worker is, the roster that REST shows,
 * and the end of a worker whose number of slots is not the group's any more. On the herder's
 * thread.
 */
#include "coordinator/herder_private.h"
#include "coordinator/placement.h"
#include "coordinator/weights.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

static void on_move(void *arg, const struct move *move)
{
    struct herder *herder = arg;
    herder->roster_stale = true;
    if (strcmp(move->to, herder->options.settings->worker_id) != 0) {
        return;
    }
    metric_add(metrics_worker(), METRIC_TASK_MOVES, (unsigned)move->reason, 1);
    log_info(NULL, "TASK-MOVED", "connector=\"%s\" task=%d from=%s to=%s slot=%d reason=%s",
             move->connector, move->task, move->from ? move->from : "-", move->to, move->slot,
             move_reason_name(move->reason));
}

/* The weight of the tasks in this worker's slots, in ordinary tasks. */
static double own_load(const struct herder *herder)
{
    const struct snapshot *snapshot = herder->snapshot;
    int64_t mean = weights_mean(snapshot);
    int64_t sum = 0;
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *connector = snapshot->connectors[i];
        for (size_t n = 0; n < connector->n_tasks; n++) {
            int slot = connector->tasks[n].slot;
            if (slot >= 0 && slot < herder->options.settings->n_slots && herder->claimed[slot]) {
                sum += weights_of(weights_rate(snapshot, connector, n), mean);
            }
        }
    }
    return (double)sum / PLACEMENT_UNIT;
}

static void publish(struct herder *herder)
{
    struct roster *roster = xcalloc(1, sizeof(*roster));
    ref_init(&roster->ref);
    roster->group_id = xstrdup(herder->options.settings->group_id);
    roster->n_slots = herder->options.settings->n_slots;
    roster->known = herder->members_known;
    roster->generation = herder->generation;
    roster->leader = xstrdup(herder->told.url);
    membership_copy(&herder->membership, &roster->members);
    roster->moves = moves_list(herder->moves, &roster->n_moves);
    size_t n_dead = 0;
    for (size_t i = 0; i < roster->members.n_members; i++) {
        n_dead += roster->members.members[i].dead ? 1 : 0;
    }
    metric_set(metrics_worker(), METRIC_CLUSTER_WORKERS, 0, (double)roster->members.n_members);
    metric_set(metrics_worker(), METRIC_CLUSTER_DEAD, 0, (double)n_dead);
    metric_set(metrics_worker(), METRIC_CLUSTER_GENERATION, 0, (double)roster->generation);
    view_set_roster(herder->options.view, roster);
}

/* Slots beyond those that were there at the start: nobody here could place tasks in them, lead with
 * the last of them, or do what its owner is to do. A new start counts them anew. */
static void check_slots(const struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    int highest = membership_highest(&herder->membership);
    if (highest < settings->n_slots) {
        return;
    }
    CLEANUP(free_charp)
    char *text = xasprintf("topic %s: it has partition %d now, and had %d partitions when this "
                           "worker started; mend: restart the worker, and leave the number of "
                           "that topic's partitions as it is",
                           settings->claims_topic, highest, settings->n_slots);
    herder->options.on_fatal(herder->options.arg, text);
}

void herder_roster_step(struct herder *herder)
{
    if (herder->members_changed) {
        check_slots(herder);
    }
    bool looked = herder->snapshot == herder->looked_at && !herder->members_changed;
    if (!looked && herder->members_known && herder->snapshot->caught_up) {
        moves_look(herder->moves, herder->snapshot, &herder->membership, clock_wall_ms(), on_move,
                   herder);
        herder->roster_stale = herder->roster_stale || herder->members_changed;
        herder->members_changed = false;
        herder->looked_at = herder->snapshot; /* which the moves hold a reference to */
        metric_set(metrics_worker(), METRIC_WORKER_LOAD, 0, own_load(herder));
    }
    if (herder->roster_stale) {
        herder->roster_stale = false;
        publish(herder);
    }
}
