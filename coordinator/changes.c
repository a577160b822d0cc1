/* SPDX-License-Identifier: Apache-2.0 */
/* From a client's request to records of the config topic. See changes.h. */
#include "coordinator/changes.h"

#include "worker/base/json.h"
#include "worker/base/mem.h"
#include "worker/connector.h"

/* What a plan works on; reterr and the results are the caller's. */
struct plan {
    const struct snapshot *snapshot;
    const struct cluster_request *request;
    const struct connector_state *connector; /* NULL: no such connector */
    int64_t now_wall_ms;
    const char *id;
    struct out_records *records;
    bool created;
};

/* What a retirement needs of a connector, borrowed, with this config. A copy of all of it would
 * read the count of references, which other threads change. */
static struct connector_state view_of(const struct connector_state *connector,
                                      const struct kvs *config)
{
    return (struct connector_state){
        .name = connector->name,
        .config = *config,
        .tasks = connector->tasks,
        .n_tasks = connector->n_tasks,
        .last_task = connector->last_task,
        .committed = connector->committed,
    };
}

/* Only what ran may have left something outside. */
static bool leaves_something(const struct connector_state *connector)
{
    const char *class_name = kvs_get(&connector->config, "connector.class");
    const struct connector_plugin *plugin = class_name ? connector_find(class_name) : NULL;
    return plugin && plugin->retire && connector->committed;
}

/* A config that workers would not read, or that could be written but not taken away again, would
 * stay for ever. */
static enum err check_config(const struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (request->config->n_items > JSON_MAX_MEMBERS) {
        return error_set(reterr, ERR_INVALID,
                         "Connector configuration has %zu keys with its name, more than the %d "
                         "that are possible: give fewer",
                         request->config->n_items, JSON_MAX_MEMBERS);
    }
    struct out_records records;
    out_records_init(&records);
    record_connector(&records, request->name, request->config);
    if (plan->connector) {
        struct connector_state changed = view_of(plan->connector, request->config);
        if (leaves_something(&changed)) {
            record_retire(&records, &changed, plan->id, plan->now_wall_ms);
        }
    }
    enum err err = records_check(&records, reterr);
    out_records_fini(&records);
    return err;
}

static enum err plan_create(struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (plan->connector) {
        return error_set(reterr, ERR_EXISTS, "Connector %s already exists", request->name);
    }
    enum err err = check_config(plan, reterr);
    if (err != ERR_OK) {
        return err;
    }
    /* The state comes first, so that no worker ever sees the connector without it. */
    if (request->has_target) {
        record_target(plan->records, request->name, request->target);
    }
    record_connector(plan->records, request->name, request->config);
    plan->created = true;
    return ERR_OK;
}

static enum err plan_put_config(struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (request->if_offset >= 0 && !plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Connector %s not found", request->name);
    }
    if (request->if_offset >= 0 && plan->connector->config_offset != request->if_offset) {
        return error_set(reterr, ERR_CONFLICT,
                         "Cannot complete request momentarily due to stale configuration "
                         "(typically caused by a concurrent config change)");
    }
    enum err err = check_config(plan, reterr);
    if (err == ERR_OK) {
        record_connector(plan->records, request->name, request->config);
        plan->created = !plan->connector;
    }
    return err;
}

/* What was written before such sizes were refused can be deleted too: what its config alone says is
 * then all that is known of it. */
static void plan_retire(struct plan *plan)
{
    struct out_records records;
    out_records_init(&records);
    record_retire(&records, plan->connector, plan->id, plan->now_wall_ms);
    if (records_check(&records, NULL) != ERR_OK) {
        struct connector_state bare = view_of(plan->connector, &plan->connector->config);
        bare.n_tasks = 0;
        bare.last_task = NULL;
        out_records_fini(&records);
        record_retire(&records, &bare, plan->id, plan->now_wall_ms);
    }
    records_take(plan->records, &records);
}

static enum err plan_delete(struct plan *plan, struct error *reterr)
{
    if (!plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Connector %s not found", plan->request->name);
    }
    record_delete(plan->records, plan->connector);
    if (leaves_something(plan->connector)) {
        plan_retire(plan);
    }
    return ERR_OK;
}

static enum err plan_target(struct plan *plan, struct error *reterr)
{
    if (!plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Unknown connector %s", plan->request->name);
    }
    const struct connector_state *connector = plan->connector;
    if (plan->request->target == TARGET_STOPPED && connector->n_tasks > 0) {
        record_stop(plan->records, connector);
    }
    record_target(plan->records, plan->request->name, plan->request->target);
    return ERR_OK;
}

static enum err plan_restart(struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (!plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Unknown connector: %s", request->name);
    }
    bool planned = request->include_tasks || request->only_failed;
    if (planned && !plan->connector->status) {
        return error_set(reterr, ERR_NOT_FOUND, "Status for connector %s not found", request->name);
    }
    record_restart(plan->records, request->name, request->include_tasks, request->only_failed);
    return ERR_OK;
}

static enum err plan_restart_task(struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (!plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Unknown connector: %s", request->name);
    }
    if (request->task < 0 || (size_t)request->task >= plan->connector->n_tasks) {
        return error_set(reterr, ERR_NOT_FOUND, "Unknown task: %s-%d", request->name,
                         request->task);
    }
    record_restart_task(plan->records, request->name, request->task);
    return ERR_OK;
}

bool connector_at_rest(const struct connector_state *connector)
{
    bool rests = connector->target == TARGET_STOPPED && connector->n_tasks == 0;
    for (size_t i = 0; rests && i < connector->n_extra_statuses; i++) {
        enum run_state state = connector->extra_statuses[i].status->state;
        rests = state != STATE_RUNNING && state != STATE_PAUSED && state != STATE_RESTARTING;
    }
    return rests;
}

static enum err plan_offsets(struct plan *plan, struct error *reterr)
{
    const struct cluster_request *request = plan->request;
    if (!plan->connector) {
        return error_set(reterr, ERR_NOT_FOUND, "Connector %s not found", request->name);
    }
    if (!connector_at_rest(plan->connector)) {
        return error_set(reterr, ERR_CONFLICT, "connector %s does not rest", request->name);
    }
    for (size_t i = 0; i < request->offsets->n_items; i++) {
        const struct source_offset *edit = &request->offsets->items[i];
        record_offset_by_key(plan->records, edit->key, edit->value);
    }
    return ERR_OK;
}

static enum err plan_any(struct plan *plan, struct error *reterr)
{
    switch (plan->request->change) {
    case CHANGE_CREATE:
        return plan_create(plan, reterr);
    case CHANGE_PUT_CONFIG:
        return plan_put_config(plan, reterr);
    case CHANGE_DELETE:
        return plan_delete(plan, reterr);
    case CHANGE_TARGET:
        return plan_target(plan, reterr);
    case CHANGE_RESTART:
        return plan_restart(plan, reterr);
    case CHANGE_RESTART_TASK:
        return plan_restart_task(plan, reterr);
    case CHANGE_OFFSETS:
        return plan_offsets(plan, reterr);
    }
    return error_set(reterr, ERR_INTERNAL, "unknown kind of change");
}

enum err change_plan(const struct snapshot *snapshot, const struct cluster_request *request,
                     int64_t now_wall_ms, const char *id, struct out_records *ret_records,
                     bool *ret_created, struct error *reterr)
{
    struct plan plan = {
        .snapshot = snapshot,
        .request = request,
        .connector = snapshot_find(snapshot, request->name),
        .now_wall_ms = now_wall_ms,
        .id = id,
        .records = ret_records,
    };
    enum err err = plan_any(&plan, reterr);
    if (err == ERR_OK) {
        *ret_created = plan.created;
    }
    return err;
}

static struct kvs *copy_kvs(const struct kvs *kvs)
{
    if (!kvs) {
        return NULL;
    }
    struct kvs *copy = xmalloc(sizeof(*copy));
    kvs_init(copy);
    kvs_copy(copy, kvs);
    return copy;
}

static void free_kvs(const struct kvs *kvs)
{
    struct kvs *owned = (struct kvs *)(uintptr_t)kvs;
    if (owned) {
        kvs_fini(owned);
        free(owned);
    }
}

struct cluster_request *cluster_request_copy(const struct cluster_request *request)
{
    struct cluster_request *copy = xmalloc(sizeof(*copy));
    *copy = *request;
    copy->name = xstrdup(request->name);
    copy->config = copy_kvs(request->config);
    if (request->offsets) {
        struct source_offsets *offsets = xcalloc(1, sizeof(*offsets));
        source_offsets_copy(offsets, request->offsets);
        copy->offsets = offsets;
    }
    return copy;
}

void cluster_request_free(struct cluster_request *request)
{
    if (!request) {
        return;
    }
    free((void *)(uintptr_t)request->name);
    free_kvs(request->config);
    struct source_offsets *offsets = (struct source_offsets *)(uintptr_t)request->offsets;
    if (offsets) {
        source_offsets_fini(offsets);
        free(offsets);
    }
    free(request);
}
