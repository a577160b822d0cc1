/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's duty to expand connectors into task configs, and the frame of its other duties.
 * What it remembers (failures, what was tried) is only its own: a new leader tries again.
 */
#include "coordinator/core_private.h"
#include "worker/base/mem.h"

static void lead_free(struct lead *lead)
{
    free(lead->name);
    free(lead->failure);
    free(lead->tasks);
    free(lead->rates);
}

static void retire_free(struct retire *retire)
{
    free(retire->name);
    free(retire->id);
}

/* What is being tried stays: its thread outlives the term. */
static void forget_retires(struct core *core, bool all)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < core->n_retires; i++) {
        if (core->retires[i].incarnation && !all) {
            core->retires[n_kept++] = core->retires[i];
        } else {
            retire_free(&core->retires[i]);
        }
    }
    core->n_retires = n_kept;
    if (n_kept == 0) {
        free(TAKE(core->retires));
    }
}

void core_lead_forget(struct core *core, bool all)
{
    for (size_t i = 0; i < core->n_leads; i++) {
        lead_free(&core->leads[i]);
    }
    free(TAKE(core->leads));
    core->n_leads = 0;
    forget_retires(core, all);
    snapshot_unref(TAKE(core->leads_of));
    core->autos.n_tasks = 0;
    core->apart = false;
    core->skew_since_ms = CORE_NEVER_MS;
}

static void sync_leads(struct core *core)
{
    const struct snapshot *snapshot = core->snapshot;
    struct lead *leads = xcalloc(snapshot->n_connectors + 1, sizeof(*leads));
    size_t old = 0;
    for (size_t i = 0; i < snapshot->n_connectors; i++) {
        const struct connector_state *connector = snapshot->connectors[i];
        while (old < core->n_leads && strcmp(core->leads[old].name, connector->name) < 0) {
            lead_free(&core->leads[old++]);
        }
        if (old < core->n_leads && strcmp(core->leads[old].name, connector->name) == 0) {
            leads[i] = core->leads[old++];
        } else {
            leads[i].name = xstrdup(connector->name);
            /* What an earlier leader was asked for it has done, or this one does by trying. */
            leads[i].restart_seen = connector->restart.offset;
        }
    }
    while (old < core->n_leads) {
        lead_free(&core->leads[old++]);
    }
    free(core->leads);
    core->leads = leads;
    core->n_leads = snapshot->n_connectors;
}

struct lead *core_lead_find(struct core *core, const char *name)
{
    size_t low = 0;
    size_t high = core->n_leads;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(core->leads[middle].name, name);
        if (order == 0) {
            return &core->leads[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static int retire_compare(const struct retire *retire, const struct retirement *retirement)
{
    int order = strcmp(retire->name, retirement->name);
    return order ? order : strcmp(retire->id, retirement->id);
}

static void sync_retires(struct core *core, uint64_t now_ms)
{
    const struct snapshot *snapshot = core->snapshot;
    bool inherited = !core->leads_of;
    struct retire *retires = xcalloc(snapshot->n_retirements + 1, sizeof(*retires));
    size_t old = 0;
    for (size_t i = 0; i < snapshot->n_retirements; i++) {
        const struct retirement *retirement = &snapshot->retirements[i];
        while (old < core->n_retires && retire_compare(&core->retires[old], retirement) < 0) {
            retire_free(&core->retires[old++]);
        }
        if (old < core->n_retires && retire_compare(&core->retires[old], retirement) == 0) {
            retires[i] = core->retires[old++];
        } else {
            retires[i] = (struct retire){
                .name = xstrdup(retirement->name),
                .id = xstrdup(retirement->id),
                .first_ms = now_ms,
            };
        }
        if (inherited) {
            retires[i].held_ms = now_ms + core->options.retire_hold_ms;
        }
    }
    while (old < core->n_retires) {
        retire_free(&core->retires[old++]);
    }
    free(core->retires);
    core->retires = retires;
    core->n_retires = snapshot->n_retirements;
}

void core_lead_sync(struct core *core, uint64_t now_ms)
{
    if (core->leads_of == core->snapshot) {
        return;
    }
    sync_leads(core);
    sync_retires(core, now_ms);
    snapshot_unref(core->leads_of);
    core->leads_of = snapshot_ref(core->snapshot);
}

bool lead_restart_due(const struct lead *lead, const struct connector_state *connector)
{
    return connector->has_config && connector->restart.offset > lead->restart_seen &&
           (!connector->restart.only_failed || lead->failure);
}

static bool has_set(const struct connector_state *connector)
{
    return connector->committed && !connector->inconsistent;
}

/* True when the set of tasks is not the one that the config asks for. */
static bool set_outdated(const struct connector_state *connector)
{
    return !has_set(connector) || connector->n_tasks == 0 ||
           connector->tasks_config_offset != connector->config_offset;
}

/* Forgets a failure, so that what comes next is tried afresh. */
static void forget_failure(struct lead *lead)
{
    free(lead->failure);
    lead->failure = NULL;
    lead->tried = false;
}

static bool expand_due(struct lead *lead, const struct connector_state *connector, uint64_t now_ms,
                       uint64_t *wake_ms)
{
    if (connector->target == TARGET_PAUSED && connector->n_tasks == 0) {
        if (lead->forced || lead->tried_config != connector->config_offset) {
            forget_failure(lead); /* of another life or another config */
        }
        lead->forced = false;
        return false; /* made paused: its tasks come with the first resume, as in Connect */
    }
    if (lead->forced) {
        return true;
    }
    if (!set_outdated(connector)) {
        return false;
    }
    if (!lead->tried || lead->tried_config != connector->config_offset ||
        lead->tried_commit != connector->commit_offset) {
        return true;
    }
    if (lead->failure && lead->retriable) {
        core_wake(wake_ms, lead->retry_ms);
        return now_ms >= lead->retry_ms;
    }
    return false;
}

static bool same_configs(const struct connector_state *connector, const struct kvs *configs,
                         size_t n)
{
    if (!has_set(connector) || connector->n_tasks != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!kvs_equal(&connector->tasks[i].config, &configs[i])) {
            return false;
        }
    }
    return true;
}

/* A set that differs in any task is a new division, with a number beyond all earlier ones. */
static int64_t division_of(const struct connector_state *connector, const struct kvs *configs,
                           size_t n)
{
    if (connector->division >= 0 && same_configs(connector, configs, n)) {
        return connector->division;
    }
    return connector->config_offset > connector->division ? connector->config_offset
                                                          : connector->division + 1;
}

static bool same_set(const struct connector_state *connector, const struct kvs *configs, size_t n)
{
    return connector->tasks_config_offset == connector->config_offset &&
           same_configs(connector, configs, n);
}

static void expand_failed(struct lead *lead, const struct error *error, uint64_t now_ms,
                          uint64_t *wake_ms)
{
    free(lead->failure);
    lead->failure = xstrdup(error->text[0] ? error->text : err_text(error->code));
    lead->retriable = err_retriable(error->code);
    uint64_t next = lead->backoff_ms ? lead->backoff_ms * 2 : CORE_EXPAND_MIN_MS;
    lead->backoff_ms = next < CORE_EXPAND_MAX_MS ? next : CORE_EXPAND_MAX_MS;
    lead->retry_ms = now_ms + lead->backoff_ms;
    lead->forced = false;
    core_wake(wake_ms, now_ms); /* the connector's status has changed */
}

static void free_configs(struct kvs *configs, size_t n_configs)
{
    for (size_t i = 0; i < n_configs; i++) {
        kvs_fini(&configs[i]);
    }
    free(configs);
}

/* Makes the records of a connector's set; none when it has that set already. */
static enum err make_set(struct core *core, const struct connector_state *connector, size_t n_auto,
                         struct out_records *set, struct error *reterr)
{
    struct kvs *configs = NULL;
    size_t n_configs = 0;
    enum err err =
        core->port.task_configs(core->port.arg, connector, n_auto, &configs, &n_configs, reterr);
    CLEANUP(free_charp) char *too_many = err ? NULL : core_too_many(connector, n_configs);
    if (too_many) {
        err = error_set(reterr, ERR_INVALID, "%s", too_many);
    }
    if (err == ERR_OK && !same_set(connector, configs, n_configs)) {
        record_tasks(set, connector->name, configs, n_configs, connector->config_offset,
                     division_of(connector, configs, n_configs));
        err = records_check(set, reterr);
    }
    free_configs(configs, n_configs);
    return err;
}

static void expand(struct core *core, struct lead *lead, const struct connector_state *connector,
                   uint64_t now_ms, struct out_records *out, uint64_t *wake_ms)
{
    struct error error = { ERR_OK, "" };
    struct out_records set;
    out_records_init(&set);
    lead->auto_tried = core_auto_tasks(core, connector, now_ms);
    enum err err = make_set(core, connector, lead->auto_tried, &set, &error);
    lead->tried = true;
    lead->tried_config = connector->config_offset;
    lead->tried_commit = connector->commit_offset;
    if (err != ERR_OK) {
        error.code = err;
        expand_failed(lead, &error, now_ms, wake_ms);
        out_records_fini(&set);
        return;
    }
    if (lead->failure) {
        core_wake(wake_ms, now_ms);
    }
    free(TAKE(lead->failure));
    lead->backoff_ms = 0;
    lead->sent.any = false; /* the connector was started anew, and says so */
    lead->forced = lead->forced && set.n_items > 0;
    if (set.n_items > 0) {
        lead->batched = true;
        /* Until the snapshot shows the commit it has to be asked for again. */
        lead->tried_commit = INT64_MIN;
    }
    records_take(out, &set);
}

/* One connector's set of tasks. */
static void lead_connector(struct core *core, struct lead *lead,
                           const struct connector_state *connector, uint64_t now_ms,
                           struct out_records *out, uint64_t *wake_ms)
{
    if (connector->restart.offset > lead->restart_seen) {
        lead->forced = lead->forced || lead_restart_due(lead, connector);
        core_wake(wake_ms, now_ms);
        lead->restart_seen = connector->restart.offset;
    }
    if (connector->target == TARGET_STOPPED) {
        forget_failure(lead);
        lead->forced = false;
        /* Behind each config the commit is written anew: once the topic was compacted, one that
         * stands before the config is taken for a leftover of a deleted connector. */
        bool behind =
            connector->last_task && connector->tasks_config_offset != connector->config_offset;
        if (connector->n_tasks > 0 || connector->inconsistent || behind) {
            record_stop(out, connector);
        }
        return;
    }
    if (expand_due(lead, connector, now_ms, wake_ms) ||
        core_auto_due(core, lead, connector, now_ms, wake_ms)) {
        expand(core, lead, connector, now_ms, out, wake_ms);
    }
}

/* All sets that are due, as far as one batch goes; in a batch without anything else. */
static void lead_connectors(struct core *core, uint64_t now_ms, struct out_records *out,
                            uint64_t *wake_ms)
{
    size_t most = core->apart ? 1 : CORE_BATCH;
    for (size_t i = 0; i < core->n_leads; i++) {
        core->leads[i].batched = false;
    }
    if (out->n_items > 0) {
        return; /* asked again when that is written */
    }
    for (size_t i = 0; i < core->n_leads && out->n_items < most; i++) {
        if (core->snapshot->connectors[i]->has_config) {
            lead_connector(core, &core->leads[i], core->snapshot->connectors[i], now_ms, out,
                           wake_ms);
        }
    }
    core->apart = core->apart && out->n_items > 0;
}

void core_lead(struct core *core, uint64_t now_ms, struct out_records *ret_records,
               uint64_t *ret_wake_ms)
{
    out_records_init(ret_records);
    *ret_wake_ms = CORE_NEVER_MS;
    if (!core->leading || core->draining || !core->snapshot || !core->snapshot->caught_up) {
        return;
    }
    core_lead_sync(core, now_ms);
    core_auto_look(core, now_ms);
    core_retired(core, now_ms, ret_records, ret_wake_ms);
    /* Apart from sets of tasks, so that no set can keep back a fail-over. */
    core_place(core, now_ms, ret_records, ret_wake_ms);
    lead_connectors(core, now_ms, ret_records, ret_wake_ms);
    if (ret_records->n_items >= CORE_BATCH) {
        core_wake(ret_wake_ms, now_ms);
    }
}

bool core_lead_refused(struct core *core, const char *text, uint64_t now_ms)
{
    struct lead *one = NULL;
    size_t n_batched = 0;
    size_t at = 0;
    for (size_t i = 0; i < core->n_leads; i++) {
        if (core->leads[i].batched) {
            core->leads[i].batched = false;
            one = &core->leads[i];
            at = i;
            n_batched++;
        }
    }
    core->apart = core->apart || n_batched > 0;
    if (n_batched == 1) {
        struct error error = { ERR_INVALID, "" };
        uint64_t wake_ms = CORE_NEVER_MS;
        (void)error_set(&error, ERR_INVALID,
                        "the configs of its tasks cannot be written to config.storage.topic: %s; "
                        "mend: a smaller config, or let producer and topic take larger records",
                        text);
        one->tried_commit = core->leads_of->connectors[at]->commit_offset;
        expand_failed(one, &error, now_ms, &wake_ms);
    }
    return n_batched > 0;
}
