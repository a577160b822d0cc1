/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's duty to let the tasks of connectors with tasks.max=auto grow and shrink with the
 * workers: two for each that lives, so that a worker's share can move in parts, at most the slots,
 * and no more than the connector's kind can use (its MQTT sessions stay as they are). They grow
 * when the number of workers has been the same for rebalance.settle.ms, and shrink after five times
 * that, so that a worker that restarts changes nothing.
 */
#include "coordinator/core_auto.h"

#include "coordinator/core_private.h"

#define PER_WORKER     2
#define SHRINK_SETTLES 5

bool core_auto_wanted(const struct connector_state *connector)
{
    const char *text = kvs_get(&connector->config, "tasks.max");
    return text && strcmp(text, "auto") == 0;
}

/* 0: the group is changing, or not known. */
static size_t count_now(const struct core *core)
{
    size_t n = 0;
    for (size_t i = 0; i < core->n_members && !core->members_stale; i++) {
        n += core->members[i].dead ? 0 : PER_WORKER;
    }
    size_t most = (size_t)core->options.n_slots;
    return n < most ? n : most;
}

void core_auto_look(struct core *core, uint64_t now_ms)
{
    size_t n = count_now(core);
    if (n > 0 && n != core->autos.n_tasks) {
        core->autos = (struct core_auto){ n, now_ms };
    }
}

/* When the present number of workers is to show in a set that has n_tasks. */
static uint64_t due_ms(const struct core *core, size_t n_tasks)
{
    uint64_t settle = core->options.settle_ms;
    bool shrinks = core->autos.n_tasks < n_tasks;
    return core->autos.since_ms + (shrinks ? SHRINK_SETTLES * settle : settle);
}

static bool has_tasks(const struct connector_state *connector)
{
    return connector->committed && !connector->inconsistent && connector->n_tasks > 0;
}

size_t core_auto_tasks(const struct core *core, const struct connector_state *connector,
                       uint64_t now_ms)
{
    size_t n = core->autos.n_tasks;
    if (has_tasks(connector) && (n == 0 || now_ms < due_ms(core, connector->n_tasks))) {
        return connector->n_tasks;
    }
    return n > 0 ? n : PER_WORKER;
}

bool core_auto_due(const struct core *core, const struct lead *lead,
                   const struct connector_state *connector, uint64_t now_ms, uint64_t *wake_ms)
{
    size_t n = core->autos.n_tasks;
    if (!core_auto_wanted(connector) || !has_tasks(connector) || n == 0 || lead->auto_tried == n) {
        return false;
    }
    uint64_t at_ms = due_ms(core, connector->n_tasks);
    if (now_ms < at_ms) {
        core_wake(wake_ms, at_ms);
        return false;
    }
    return true;
}
