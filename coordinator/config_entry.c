/* SPDX-License-Identifier: Apache-2.0 */
/* One connector name in the fold, and the state that is published of it. See config_entry.h. */
#include "coordinator/config_entry.h"

#include "coordinator/config_claims.h"
#include "coordinator/config_topics.h"
#include "worker/base/mem.h"

struct shared_kvs *shared_kvs_new(void)
{
    struct shared_kvs *shared = xcalloc(1, sizeof(*shared));
    ref_init(&shared->ref);
    kvs_init(&shared->kvs);
    return shared;
}

struct shared_kvs *shared_kvs_ref(struct shared_kvs *shared)
{
    ref_take(&shared->ref);
    return shared;
}

void shared_kvs_unref(struct shared_kvs *shared)
{
    if (shared && ref_drop(&shared->ref)) {
        kvs_fini(&shared->kvs);
        free(shared);
    }
}

struct status *status_ref(struct status *status)
{
    if (status) {
        ref_take(&status->ref);
    }
    return status;
}

void status_unref(struct status *status)
{
    if (status && ref_drop(&status->ref)) {
        free(status->worker_id);
        free(status->trace);
        free(status->version);
        free(status);
    }
}

struct entry *entry_new(const char *name)
{
    struct entry *entry = xcalloc(1, sizeof(*entry));
    *entry = (struct entry){
        .name = xstrdup(name),
        .config_offset = -1,
        .commit_offset = -1,
        .tasks_config_offset = -1,
        .division = -1,
        .restart = { .offset = -1 },
        .restart_all_offset = -1,
        .restart_failed_offset = -1,
        .dirty = true,
    };
    return entry;
}

static void drop_tasks(struct entry *entry)
{
    for (size_t i = 0; i < entry->n_tasks; i++) {
        shared_kvs_unref(entry->tasks[i]);
    }
    free(entry->tasks);
    entry->tasks = NULL;
    entry->n_tasks = 0;
}

void entry_drop_pending(struct entry *entry)
{
    for (size_t i = 0; i < entry->n_numbered; i++) {
        shared_kvs_unref(TAKE(entry->numbered[i].pending));
    }
    entry_tidy(entry);
}

void entry_free(struct entry *entry)
{
    drop_tasks(entry);
    for (size_t i = 0; i < entry->n_numbered; i++) {
        shared_kvs_unref(entry->numbered[i].pending);
        status_unref(entry->numbered[i].status);
        claims_unref(entry->numbered[i].claims);
    }
    free(entry->numbered);
    shared_kvs_unref(entry->config);
    shared_kvs_unref(entry->last_task);
    shared_kvs_unref(entry->managed);
    status_unref(entry->status);
    topic_list_unref(entry->topics);
    connector_state_unref(entry->published);
    free(entry->seats);
    free(entry->name);
    free(entry);
}

bool entry_is_empty(const struct entry *entry)
{
    return !entry->config && !entry->has_target && !entry->status && !entry->seats &&
           !entry->topics && !entry->managed && entry->n_numbered == 0;
}

static size_t number_place(const struct entry *entry, int n)
{
    size_t low = 0;
    size_t high = entry->n_numbered;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (entry->numbered[middle].n < n) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct numbered *entry_number_find(const struct entry *entry, int n)
{
    size_t i = number_place(entry, n);
    return i < entry->n_numbered && entry->numbered[i].n == n ? &entry->numbered[i] : NULL;
}

struct numbered *entry_number(struct entry *entry, int n)
{
    size_t i = number_place(entry, n);
    if (i < entry->n_numbered && entry->numbered[i].n == n) {
        return &entry->numbered[i];
    }
    if (entry->n_numbered == entry->numbered_size) {
        entry->numbered_size = entry->numbered_size ? entry->numbered_size * 2 : 4;
        entry->numbered =
            xrealloc(entry->numbered, entry->numbered_size * sizeof(*entry->numbered));
    }
    struct numbered *place = &entry->numbered[i];
    memmove(place + 1, place, (entry->n_numbered - i) * sizeof(*place));
    entry->n_numbered++;
    *place = (struct numbered){ .n = n, .restart_offset = -1 };
    return place;
}

void number_status(struct numbered *place, struct status *status, const char *token)
{
    struct claims *old = place->claims;
    place->claims = status ? claims_after(old, status, token) : NULL;
    claims_unref(old);
    bool hidden = token && place->status && !place->status->of_claim;
    place->covered = hidden;
    if (hidden) {
        status_unref(status);
        return;
    }
    if (status) {
        status->of_claim = token != NULL;
    }
    status_unref(place->status);
    place->status = status;
}

void entry_tidy(struct entry *entry)
{
    size_t kept = 0;
    for (size_t i = 0; i < entry->n_numbered; i++) {
        const struct numbered *place = &entry->numbered[i];
        if (place->pending || place->status || place->restart_offset >= 0) {
            entry->numbered[kept++] = *place;
        }
    }
    entry->n_numbered = kept;
}

void entry_drop_config(struct entry *entry)
{
    shared_kvs_unref(TAKE(entry->config));
    shared_kvs_unref(TAKE(entry->last_task));
    drop_tasks(entry);
    for (size_t i = 0; i < entry->n_numbered; i++) {
        entry->numbered[i].restart_offset = -1;
    }
    entry_drop_pending(entry);
    entry->config_offset = -1;
    entry->committed = false;
    entry->inconsistent = false;
    entry->commit_offset = -1;
    entry->tasks_config_offset = -1;
    entry->division = -1;
    entry->restart = (struct restart_request){ .offset = -1 };
    entry->restart_all_offset = -1;
    entry->restart_failed_offset = -1;
}

static bool pending_complete(const struct entry *entry, int n_tasks)
{
    for (int n = 0; n < n_tasks; n++) {
        const struct numbered *place = entry_number_find(entry, n);
        if (!place || !place->pending) {
            return false;
        }
    }
    return true;
}

static struct shared_kvs *take_pending(struct entry *entry, int n)
{
    struct numbered *place = entry_number_find(entry, n);
    return TAKE(place->pending);
}

void entry_commit(struct entry *entry, int n_tasks, int64_t offset, int64_t config_offset,
                  int64_t division)
{
    entry->commit_offset = offset;
    entry->inconsistent = !pending_complete(entry, n_tasks);
    if (!entry->inconsistent) {
        drop_tasks(entry);
        entry->n_tasks = (size_t)n_tasks;
        entry->tasks = xcalloc(entry->n_tasks + 1, sizeof(struct shared_kvs *));
        for (int n = 0; n < n_tasks; n++) {
            entry->tasks[n] = take_pending(entry, n);
        }
        entry->committed = true;
        entry->tasks_config_offset = config_offset;
        entry->division = division;
    }
    /* Used or not, they are over: the next commit needs a full set of its own. */
    entry_drop_pending(entry);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void publish_tasks(const struct entry *entry, struct connector_state *connector)
{
    connector->n_tasks = entry->n_tasks;
    connector->tasks = xcalloc(entry->n_tasks + 1, sizeof(*connector->tasks));
    for (size_t i = 0; i < entry->n_tasks; i++) {
        const struct numbered *place = entry_number_find(entry, (int)i);
        connector->tasks[i] = (struct task_state){
            .config = entry->tasks[i]->kvs,
            .shared = shared_kvs_ref(entry->tasks[i]),
            .slot = i < entry->n_seats ? entry->seats[i].slot : -1,
            .why = i < entry->n_seats ? entry->seats[i].why : MOVE_PLACED,
            .moved_ms = { i < entry->n_seats ? entry->seats[i].moved_ms[0] : 0,
                          i < entry->n_seats ? entry->seats[i].moved_ms[1] : 0 },
            .status = place ? status_ref(place->status) : NULL,
            .claims = place ? claims_ref(place->claims) : NULL,
            .covered = place && place->covered,
            .restart_offset = later(place ? place->restart_offset : -1, entry->restart_all_offset),
        };
    }
}

static void publish_extras(const struct entry *entry, struct connector_state *connector)
{
    connector->extra_statuses = xcalloc(entry->n_numbered + 1, sizeof(struct extra_status));
    for (size_t i = 0; i < entry->n_numbered; i++) {
        struct numbered *place = &entry->numbered[i];
        if (place->status && (size_t)place->n >= entry->n_tasks) {
            connector->extra_statuses[connector->n_extra_statuses++] =
                (struct extra_status){ place->n, status_ref(place->status),
                                       claims_ref(place->claims) };
        }
    }
}

struct connector_state *entry_publish(struct entry *entry)
{
    if (!entry->dirty && entry->published) {
        return entry->published;
    }
    struct connector_state *connector = xcalloc(1, sizeof(*connector));
    ref_init(&connector->ref);
    connector->name = xstrdup(entry->name);
    connector->has_config = entry->config != NULL;
    if (entry->config) {
        connector->shared = shared_kvs_ref(entry->config);
        connector->config = entry->config->kvs;
    }
    connector->config_offset = entry->config_offset;
    connector->target = entry->has_target ? entry->target : TARGET_STARTED;
    connector->committed = entry->committed;
    connector->inconsistent = entry->inconsistent;
    connector->commit_offset = entry->commit_offset;
    connector->tasks_config_offset = entry->tasks_config_offset;
    connector->division = entry->division;
    if (entry->last_task) {
        connector->last_shared = shared_kvs_ref(entry->last_task);
        connector->last_task = &entry->last_task->kvs;
    }
    connector->managed = entry->managed ? shared_kvs_ref(entry->managed) : NULL;
    connector->status = status_ref(entry->status);
    connector->topics = topic_list_ref(entry->topics);
    connector->restart = entry->restart;
    connector->restart_failed_offset = entry->restart_failed_offset;
    publish_tasks(entry, connector);
    publish_extras(entry, connector);
    connector_state_unref(entry->published);
    entry->published = connector;
    entry->dirty = false;
    return connector;
}
