/* SPDX-License-Identifier: Apache-2.0 */
/* From files to records. See file_plan.h. */
#include "coordinator/file_plan.h"

#include "coordinator/changes.h"
#include "coordinator/cluster.h"
#include "worker/base/mem.h"

static void add(struct file_plan *plan, enum file_action_kind kind, const char *connector,
                const struct connector_file *file)
{
    if (plan->n_actions == plan->size) {
        plan->size = plan->size ? plan->size * 2 : 16;
        plan->actions = xrealloc(plan->actions, plan->size * sizeof(*plan->actions));
    }
    plan->actions[plan->n_actions++] = (struct file_action){ kind, connector, file };
}

static bool marked_by(const struct connector_state *connector, const char *file)
{
    const char *marked = connector->managed ? managed_file(connector->managed) : NULL;
    return marked && strcmp(marked, file) == 0;
}

static enum file_verdict plan_file(struct file_plan *plan, const struct snapshot *snapshot,
                                   const struct connector_file *file)
{
    size_t before = plan->n_actions;
    const struct connector_state *connector = snapshot_find(snapshot, file->connector);
    if (file->error) {
        return FILE_INVALID;
    }
    if (!connector) {
        add(plan, FILE_CREATE, file->connector, file);
        return FILE_PENDING;
    }
    if (!connector->managed && !file->adopt) {
        return FILE_CONFLICT;
    }
    if (!kvs_equal(&connector->config, &file->config)) {
        add(plan, FILE_UPDATE, file->connector, file);
    } else if (!marked_by(connector, file->file)) {
        add(plan, FILE_MARK, file->connector, file);
    }
    if (file->has_state && connector->target != file->state) {
        add(plan, FILE_STATE, file->connector, file);
    }
    return plan->n_actions > before ? FILE_PENDING : FILE_APPLIED;
}

/* Whether a file that is there, good or bad, asks for a marked connector. */
static bool is_wanted(const struct file_set *set, const struct connector_state *connector)
{
    if (file_set_find(set, connector->name)) {
        return true;
    }
    for (size_t i = 0; i < set->n_items; i++) {
        const struct connector_file *file = &set->items[i];
        if (file->error && marked_by(connector, file->file)) {
            return true; /* who knows which name it would give now */
        }
    }
    return false;
}

/* A folder that has nothing at all is more likely not there yet than meant. */
static bool says_something(const struct file_set *set)
{
    return !set->error && (set->n_items > 0 || set->complete);
}

static bool leaves(const struct file_set *set, const struct connector_state *connector)
{
    return connector->managed && !is_wanted(set, connector);
}

size_t file_plan_leaving(const struct snapshot *snapshot, const struct file_set *set)
{
    size_t n = 0;
    for (size_t i = 0; says_something(set) && i < snapshot->n_connectors; i++) {
        n += leaves(set, snapshot->connectors[i]) ? 1 : 0;
    }
    return n;
}

static void plan_leaving(struct file_plan *plan, const struct snapshot *snapshot,
                         const struct file_set *set, bool prune)
{
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *connector = snapshot->connectors[i];
        if (leaves(set, connector)) {
            bool deletes = prune && connector->has_config;
            add(plan, deletes ? FILE_DELETE : FILE_RELEASE, connector->name, NULL);
        }
    }
}

void file_plan_make(const struct snapshot *snapshot, const struct file_set *set,
                    const struct file_plan_options *options, struct file_plan *ret_plan)
{
    *ret_plan = (struct file_plan){
        .verdicts = xcalloc(set->n_items + 1, sizeof(*ret_plan->verdicts)),
    };
    for (size_t i = 0; i < set->n_items; i++) {
        ret_plan->verdicts[i] = plan_file(ret_plan, snapshot, &set->items[i]);
    }
    if (options->may_delete && says_something(set)) {
        plan_leaving(ret_plan, snapshot, set, options->prune);
    }
}

void file_plan_fini(struct file_plan *plan)
{
    free(plan->verdicts);
    free(plan->actions);
    *plan = (struct file_plan){ .verdicts = NULL };
}

/* ---- records ---- */

static enum err put(const struct snapshot *snapshot, const struct file_action *action,
                    struct out_records *records)
{
    const struct connector_file *file = action->file;
    bool creates = action->kind == FILE_CREATE;
    struct cluster_request request = {
        .change = creates ? CHANGE_CREATE : CHANGE_PUT_CONFIG,
        .name = action->connector,
        .config = &file->config,
        .target = file->has_state ? file->state : file->initial,
        .has_target = file->has_state || file->has_initial,
        .if_offset = -1,
    };
    bool created = false;
    struct error error;
    enum err err = change_plan(snapshot, &request, 0, "", records, &created, &error);
    if (err == ERR_OK) {
        record_managed(records, action->connector, file->file);
    }
    return err;
}

enum err file_plan_records(const struct snapshot *snapshot, const struct file_action *action,
                           int64_t now_wall_ms, const char *id, struct out_records *records)
{
    struct cluster_request request = { .name = action->connector, .if_offset = -1 };
    bool created = false;
    struct error error;
    switch (action->kind) {
    case FILE_CREATE:
    case FILE_UPDATE:
        return put(snapshot, action, records);
    case FILE_MARK:
        record_managed(records, action->connector, action->file->file);
        return ERR_OK;
    case FILE_RELEASE:
        record_managed(records, action->connector, NULL);
        return ERR_OK;
    case FILE_STATE:
        request.change = CHANGE_TARGET;
        request.target = action->file->state;
        break;
    case FILE_DELETE:
        request.change = CHANGE_DELETE;
        break;
    }
    return change_plan(snapshot, &request, now_wall_ms, id, records, &created, &error);
}

/* ---- who may act, and who may not ---- */

bool file_sets_agree(const struct files_notices *notices, const struct membership *members,
                     const struct files_notice *own, const char **ret_other)
{
    for (size_t i = 0; i < members->n_members; i++) {
        const struct member *member = &members->members[i];
        const struct files_notice *notice = files_notices_find(notices, member->worker_id);
        bool speaks = notice && strcmp(notice->instance, member->instance) == 0 &&
                      strcmp(notice->instance, own->instance) != 0;
        if (speaks && strcmp(notice->digest, own->digest) != 0) {
            *ret_other = member->worker_id;
            return false;
        }
    }
    return true;
}

static bool changes_what_is_filed(const struct cluster_request *request,
                                  const struct connector_file *file)
{
    switch (request->change) {
    case CHANGE_CREATE:
    case CHANGE_PUT_CONFIG:
    case CHANGE_DELETE:
        return true;
    case CHANGE_TARGET:
        return file && file->has_state;
    case CHANGE_RESTART:
    case CHANGE_RESTART_TASK:
    case CHANGE_OFFSETS:
        return false;
    }
    return false;
}

bool file_refuses(const struct snapshot *snapshot, const struct file_set *set,
                  const struct cluster_request *request, struct error *reterr)
{
    const struct connector_state *connector = snapshot_find(snapshot, request->name);
    const struct connector_file *file = set ? file_set_find(set, request->name) : NULL;
    bool managed = connector && connector->managed;
    /* One that no file has made is changed as before, also if a file would like its name; what a
     * file is about to make is the file's already. */
    bool ours = managed || (!connector && file && request->change != CHANGE_DELETE);
    if (!ours || !changes_what_is_filed(request, file)) {
        return false;
    }
    const char *from = managed ? managed_file(connector->managed) : file->file;
    if (set && managed && !is_wanted(set, connector)) {
        (void)error_set(reterr, ERR_MANAGED,
                        "Connector %s comes from the file %s of connectors.dir, which is not there "
                        "any more: put it back and change it there; or let the folder give the "
                        "connector up: that happens by itself after connectors.dir.delete.delay.ms "
                        "where another file is there, or an empty one with the name %s",
                        request->name, from, FILE_SET_MARKER);
    } else {
        (void)error_set(reterr, ERR_MANAGED,
                        "Connector %s comes from the file %s of connectors.dir: change it there",
                        request->name, from);
    }
    return true;
}

void file_release(const struct snapshot *snapshot, const struct cluster_request *request,
                  struct out_records *records)
{
    const struct connector_state *connector = snapshot_find(snapshot, request->name);
    if (connector && connector->managed && request->change == CHANGE_PUT_CONFIG) {
        record_managed(records, request->name, NULL);
    }
}
