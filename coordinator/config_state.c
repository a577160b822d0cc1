/* SPDX-License-Identifier: Apache-2.0 */
/* State folded from the internal topics, and its snapshots. See config_state.h. */
#include "coordinator/config_state_impl.h"
#include "worker/base/json.h"
#include "worker/base/mem.h"

static const char *const run_state_names[] = {
    [STATE_UNASSIGNED] = "UNASSIGNED", [STATE_RUNNING] = "RUNNING",
    [STATE_PAUSED] = "PAUSED",         [STATE_STOPPED] = "STOPPED",
    [STATE_FAILED] = "FAILED",         [STATE_RESTARTING] = "RESTARTING",
};

static const char *const target_state_names[] = {
    [TARGET_STARTED] = "STARTED",
    [TARGET_PAUSED] = "PAUSED",
    [TARGET_STOPPED] = "STOPPED",
};

const char *run_state_name(enum run_state state)
{
    return run_state_names[state];
}

bool run_state_parse(const char *name, enum run_state *ret_state)
{
    for (size_t i = 0; i < N_ELEMENTS(run_state_names); i++) {
        if (strcmp(run_state_names[i], name) == 0) {
            *ret_state = (enum run_state)i;
            return true;
        }
    }
    return false;
}

const char *target_state_name(enum target_state state)
{
    return target_state_names[state];
}

bool target_state_parse(const char *name, enum target_state *ret_state)
{
    for (size_t i = 0; i < N_ELEMENTS(target_state_names); i++) {
        if (strcmp(target_state_names[i], name) == 0) {
            *ret_state = (enum target_state)i;
            return true;
        }
    }
    return false;
}

struct config_state *config_state_new(void)
{
    struct config_state *state = xcalloc(1, sizeof(*state));
    map_init(&state->offsets);
    state->leader.offset = -1;
    return state;
}

void leader_record_fini(struct leader_record *leader)
{
    free(leader->worker_id);
    free(leader->url);
    free(leader->instance);
    *leader = (struct leader_record){ .offset = -1 };
}

void retirement_unref(struct retirement *retirement)
{
    if (!retirement || !ref_drop(&retirement->ref)) {
        return;
    }
    for (size_t i = 0; i < retirement->n_task_configs; i++) {
        kvs_fini(&retirement->task_configs[i]);
    }
    free(retirement->task_configs);
    kvs_fini(&retirement->config);
    free(retirement->name);
    free(retirement->id);
    free(retirement);
}

void config_state_free(struct config_state *state)
{
    if (!state) {
        return;
    }
    snapshot_unref(state->published);
    for (size_t i = 0; i < state->n_entries; i++) {
        entry_free(state->entries[i]);
    }
    free(state->entries);
    for (size_t i = 0; i < state->n_retirements; i++) {
        retirement_unref(state->retirements[i]);
    }
    free(state->retirements);
    offsets_free(&state->offsets);
    cluster_levels_unref(state->levels);
    files_notices_unref(state->notices);
    worker_notes_unref(state->notes);
    leader_record_fini(&state->leader);
    free(state);
}

void config_state_caught_up(struct config_state *state)
{
    state->changed = state->changed || !state->caught_up;
    state->caught_up = true;
    /* Deleted connectors leave the records of their tasks in the topic. */
    for (size_t i = state->n_entries; i > 0; i--) {
        struct entry *entry = state->entries[i - 1];
        if (!entry->config) {
            entry_drop_pending(entry);
            config_state_touched(state, entry);
        }
    }
}

uint64_t config_state_ignored(const struct config_state *state)
{
    return state->n_ignored;
}

static size_t entry_place(const struct config_state *state, const char *name)
{
    size_t low = 0;
    size_t high = state->n_entries;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(state->entries[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct entry *config_state_entry(struct config_state *state, const char *name, bool make)
{
    size_t i = entry_place(state, name);
    if (i < state->n_entries && strcmp(state->entries[i]->name, name) == 0) {
        return state->entries[i];
    }
    if (!make) {
        return NULL;
    }
    if (state->n_entries == state->entries_size) {
        state->entries_size = state->entries_size ? state->entries_size * 2 : 64;
        state->entries = xrealloc(state->entries, state->entries_size * sizeof(struct entry *));
    }
    struct entry **place = &state->entries[i];
    memmove(place + 1, place, (state->n_entries - i) * sizeof(struct entry *));
    state->n_entries++;
    *place = entry_new(name);
    return *place;
}

void config_state_touched(struct config_state *state, struct entry *entry)
{
    state->changed = true;
    entry->dirty = true;
    if (!entry_is_empty(entry)) {
        return;
    }
    size_t i = entry_place(state, entry->name);
    entry_free(entry);
    state->n_entries--;
    struct entry **place = &state->entries[i];
    memmove(place, place + 1, (state->n_entries - i) * sizeof(struct entry *));
}

static char *copy_text(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct snapshot *config_state_snapshot(struct config_state *state)
{
    if (state->published && !state->changed) {
        return snapshot_ref(state->published);
    }
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    ref_init(&snapshot->ref);
    snapshot->n_connectors = state->n_entries;
    snapshot->connectors = xcalloc(state->n_entries + 1, sizeof(struct connector_state *));
    for (size_t i = 0; i < state->n_entries; i++) {
        snapshot->connectors[i] = connector_state_ref(entry_publish(state->entries[i]));
    }
    snapshot->n_retirements = state->n_retirements;
    snapshot->retirements = xcalloc(state->n_retirements + 1, sizeof(struct retirement));
    for (size_t i = 0; i < state->n_retirements; i++) {
        struct retirement *owner = state->retirements[i];
        ref_take(&owner->ref);
        struct retirement *view = &snapshot->retirements[i];
        *view = (struct retirement){
            .owner = owner,
            .name = owner->name,
            .id = owner->id,
            .config = owner->config,
            .task_configs = owner->task_configs,
            .n_task_configs = owner->n_task_configs,
            .requested_ms = owner->requested_ms,
            .offset = owner->offset,
        };
    }
    snapshot->leader = (struct leader_record){
        .worker_id = copy_text(state->leader.worker_id),
        .url = copy_text(state->leader.url),
        .instance = copy_text(state->leader.instance),
        .offset = state->leader.offset,
    };
    snapshot->offset_changes = state->n_offset_changes;
    snapshot->levels = cluster_levels_ref(state->levels);
    snapshot->notices = files_notices_ref(state->notices);
    snapshot->notes = worker_notes_ref(state->notes);
    snapshot->config_position = state->config_position;
    snapshot->caught_up = state->caught_up;
    snapshot_unref(state->published);
    state->published = snapshot;
    state->changed = false;
    return snapshot_ref(snapshot);
}
