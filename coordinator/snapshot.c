/* SPDX-License-Identifier: Apache-2.0 */
/* Life of snapshots and of what they share. See config_state.h. Thread: any. */
#include "coordinator/config_claims.h"
#include "coordinator/config_state_impl.h"

struct connector_state *connector_state_ref(const struct connector_state *connector)
{
    /* Immutable but for its counter. */
    struct connector_state *shared = (struct connector_state *)(uintptr_t)connector;
    if (shared) {
        ref_take(&shared->ref);
    }
    return shared;
}

void connector_state_unref(struct connector_state *connector)
{
    if (!connector || !ref_drop(&connector->ref)) {
        return;
    }
    for (size_t i = 0; i < connector->n_tasks; i++) {
        shared_kvs_unref(connector->tasks[i].shared);
        status_unref(connector->tasks[i].status);
        claims_unref(connector->tasks[i].claims);
    }
    free(connector->tasks);
    for (size_t i = 0; i < connector->n_extra_statuses; i++) {
        status_unref(connector->extra_statuses[i].status);
        claims_unref(connector->extra_statuses[i].claims);
    }
    free(connector->extra_statuses);
    shared_kvs_unref(connector->shared);
    shared_kvs_unref(connector->last_shared);
    shared_kvs_unref(connector->managed);
    status_unref(connector->status);
    topic_list_unref(connector->topics);
    free(connector->name);
    free(connector);
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    if (snapshot) {
        ref_take(&snapshot->ref);
    }
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || !ref_drop(&snapshot->ref)) {
        return;
    }
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        connector_state_unref(snapshot->connectors[i]);
    }
    free(snapshot->connectors);
    for (size_t i = 0; i < snapshot->n_retirements; i++) {
        retirement_unref(snapshot->retirements[i].owner);
    }
    free(snapshot->retirements);
    leader_record_fini(&snapshot->leader);
    cluster_levels_unref(snapshot->levels);
    files_notices_unref(snapshot->notices);
    worker_notes_unref(snapshot->notes);
    free(snapshot);
}

const struct connector_state *snapshot_find_any(const struct snapshot *snapshot, const char *name)
{
    size_t low = 0;
    size_t high = snapshot->n_connectors;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(snapshot->connectors[middle]->name, name);
        if (order == 0) {
            return snapshot->connectors[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct connector_state *snapshot_find(const struct snapshot *snapshot, const char *name)
{
    const struct connector_state *connector = snapshot_find_any(snapshot, name);
    return connector && connector->has_config ? connector : NULL;
}
