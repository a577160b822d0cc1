/* SPDX-License-Identifier: Apache-2.0 */
/* What any thread may see of the cluster part. See view.h. */
#include "coordinator/view.h"

#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"

/* How long a leader may stay unconfirmed before it is believed. */
#define CONFIRM_MS 1000
/* How long a worker that is in the group waits for its share of the slots before it takes it that
 * there is none: a rebalance has two phases of a second each. */
#define SHARE_MS 4000

struct view {
    struct lock lock;
    struct cond changed;
    enum cluster_phase phase; /* under lock, as all below it */
    char stage[256];
    int64_t since_ms;
    uint64_t phase_ms; /* when the phase began, by the monotonic clock */
    bool has_slots;
    char kafka_id[128];
    struct view_leader leader;
    struct roster *roster;
    bool closed;
};

struct view *view_new(const char *stage)
{
    struct view *view = xcalloc(1, sizeof(*view));
    lock_init(&view->lock, LOCK_RANK_HERDER);
    cond_init(&view->changed);
    view->phase = CLUSTER_STARTING;
    view->since_ms = clock_wall_ms();
    (void)snprintf(view->stage, sizeof(view->stage), "%s", stage);
    return view;
}

void view_free(struct view *view)
{
    if (!view) {
        return;
    }
    roster_unref(view->roster);
    cond_fini(&view->changed);
    lock_fini(&view->lock);
    free(view);
}

void view_close(struct view *view)
{
    lock_take(&view->lock);
    view->closed = true;
    cond_broadcast(&view->changed);
    lock_drop(&view->lock);
}

void view_set_phase(struct view *view, enum cluster_phase phase, const char *stage)
{
    int64_t now = clock_wall_ms();
    lock_take(&view->lock);
    if (view->phase == CLUSTER_DRAINING) {
        phase = CLUSTER_DRAINING; /* there is no way back */
    } else if (view->phase != phase || strcmp(view->stage, stage) != 0) {
        view->phase_ms = clock_mono_ms();
        view->phase = phase;
        view->since_ms = now;
        (void)snprintf(view->stage, sizeof(view->stage), "%s", stage);
    }
    lock_drop(&view->lock);
    metric_set(metrics_worker(), METRIC_WORKER_READY, 0, phase == CLUSTER_READY ? 1.0 : 0.0);
    metric_set(metrics_worker(), METRIC_WORKER_DRAINING, 0, phase == CLUSTER_DRAINING ? 1.0 : 0.0);
}

enum cluster_phase view_phase(struct view *view, char *stage, size_t size, int64_t *ret_since_ms)
{
    lock_take(&view->lock);
    enum cluster_phase phase = view->phase;
    (void)snprintf(stage, size, "%s", view->stage);
    *ret_since_ms = view->since_ms;
    lock_drop(&view->lock);
    return phase;
}

void view_set_slots(struct view *view, size_t n_slots)
{
    lock_take(&view->lock);
    view->has_slots = n_slots > 0;
    lock_drop(&view->lock);
}

bool view_takes_tasks(struct view *view)
{
    uint64_t now = clock_mono_ms();
    lock_take(&view->lock);
    bool takes =
        view->phase == CLUSTER_READY && (view->has_slots || now - view->phase_ms >= SHARE_MS);
    lock_drop(&view->lock);
    return takes;
}

void view_set_kafka_id(struct view *view, const char *id)
{
    lock_take(&view->lock);
    (void)snprintf(view->kafka_id, sizeof(view->kafka_id), "%s", id);
    lock_drop(&view->lock);
}

void view_kafka_id(struct view *view, char *id, size_t size)
{
    lock_take(&view->lock);
    (void)snprintf(id, size, "%s", view->kafka_id);
    lock_drop(&view->lock);
}

void view_set_leader(struct view *view, const struct view_leader *leader)
{
    lock_take(&view->lock);
    view->leader = *leader;
    cond_broadcast(&view->changed);
    lock_drop(&view->lock);
    metric_set(metrics_worker(), METRIC_WORKER_LEADER, 0, leader->self ? 1.0 : 0.0);
}

void view_set_roster(struct view *view, struct roster *roster)
{
    lock_take(&view->lock);
    struct roster *old = view->roster;
    view->roster = roster;
    lock_drop(&view->lock);
    roster_unref(old);
}

struct roster *view_roster(struct view *view)
{
    lock_take(&view->lock);
    struct roster *roster = view->roster ? roster_ref(view->roster) : NULL;
    lock_drop(&view->lock);
    return roster;
}

bool view_leads(struct view *view)
{
    lock_take(&view->lock);
    bool leads = view->leader.self;
    lock_drop(&view->lock);
    return leads;
}

enum err view_wait_leader(struct view *view, uint64_t deadline_ms, struct view_leader *ret_leader)
{
    uint64_t believe_ms = clock_mono_ms() + CONFIRM_MS;
    enum err err = ERR_OK;
    lock_take(&view->lock);
    for (;;) {
        bool known = view->leader.url[0] != '\0';
        bool believed = deadline_ms == 0 || clock_mono_ms() >= believe_ms;
        if (view->closed) {
            err = ERR_CLOSED;
            break;
        }
        if (known && (view->leader.confirmed || believed)) {
            *ret_leader = view->leader;
            break;
        }
        if (clock_mono_ms() >= deadline_ms) {
            err = ERR_TIMEOUT;
            break;
        }
        uint64_t until = known && believe_ms < deadline_ms ? believe_ms : deadline_ms;
        (void)cond_wait_until(&view->changed, &view->lock, until);
    }
    lock_drop(&view->lock);
    return err;
}
