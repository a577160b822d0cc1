/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connectors from files: looks at what the reader has found, tells the other workers which files
 * this one has, and as leader has written what the files ask for.
 *
 * While a new version of the files is on its way to the workers, as in a rolling update, some have
 * the old and some the new one, and any of them may become leader. So nothing is done while workers
 * differ: connectors never go back and forth between two versions. On the herder's thread.
 */
#include "coordinator/file_plan.h"
#include "coordinator/herder_private.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/worker_config.h"

/* When what was told is told again if it does not show. */
#define TELL_AGAIN_MS 5000U
/* When notices of workers that are not in the group may be removed. */
#define FORGET_AFTER_MS 60000U
/* One batch. */
#define MAX_RECORDS 500

static void on_new_set(void *arg)
{
    herder_on_snapshot(arg); /* that makes it look */
}

void herder_files_init(struct herder *herder)
{
    struct files *files = &herder->files;
    const struct kvs *props = &herder->options.settings->props;
    files->wake_ms = UINT64_MAX;
    files->folder = worker_config_text(props, "connectors.dir");
    if (!files->folder || files->folder[0] == '\0') {
        return;
    }
    files->prune = worker_config_bool(props, "connectors.dir.prune");
    files->delete_after_ms = (uint64_t)worker_config_int(props, "connectors.dir.delete.delay.ms");
    struct file_reader_options options = {
        .folder = files->folder,
        .check = herder->options.file_check,
        .on_change = on_new_set,
        .arg = herder,
    };
    files->reader = file_reader_start(&options);
}

void herder_files_stop(struct herder *herder)
{
    file_reader_stop(herder->files.reader);
}

void herder_files_fini(struct herder *herder)
{
    struct files *files = &herder->files;
    file_reader_free(files->reader);
    file_set_unref(files->set);
    snapshot_unref(files->seen);
    snapshot_unref(files->settled);
    files_notices_unref(files->heard);
    free(files->folder);
}

/* Something that counts has changed: everything is looked at again. */
static void begin_again(struct files *files, uint64_t now_ms)
{
    files->since_ms = now_ms;
    snapshot_unref(TAKE(files->seen));
    snapshot_unref(TAKE(files->settled));
}

static void take_set(struct files *files, uint64_t now_ms)
{
    struct file_set *set = file_reader_set(files->reader);
    if (set == files->set) {
        file_set_unref(set);
        return;
    }
    file_set_unref(files->set);
    files->set = set;
    begin_again(files, now_ms);
}

/* ---- what the others have ---- */

static struct files_notice own_notice(const struct herder *herder)
{
    const struct settings *settings = herder->options.settings;
    return (struct files_notice){ .worker_id = settings->worker_id,
                                  .instance = settings->instance,
                                  .digest = herder->files.set->digest };
}

static void put_status(struct herder *herder, const struct files_notice *notice)
{
    struct out_records records;
    out_records_init(&records);
    record_files(&records, notice);
    struct writer_record record = {
        .topic = herder->options.settings->topics[LOG_TOPIC_STATUS],
        .partition = -1,
        .key = records.items[0].key,
        .value = records.items[0].value,
    };
    kafka_status_writer_put(herder->options.statuses, &record);
    out_records_fini(&records);
}

static void announce(struct herder *herder, uint64_t now_ms)
{
    struct files *files = &herder->files;
    struct files_notice own = own_notice(herder);
    const struct files_notice *shown = files_notices_find(herder->snapshot->notices, own.worker_id);
    if (herder->draining || (shown && strcmp(shown->instance, own.instance) == 0 &&
                             strcmp(shown->digest, own.digest) == 0)) {
        files->announced[0] = '\0'; /* if it vanishes it is told again at once */
        return;
    }
    uint64_t again_ms = files->announced_ms + TELL_AGAIN_MS;
    bool told = strcmp(files->announced, own.digest) == 0;
    if (!told || now_ms >= again_ms) {
        (void)snprintf(files->announced, sizeof(files->announced), "%s", own.digest);
        files->announced_ms = now_ms;
        again_ms = now_ms + TELL_AGAIN_MS;
        put_status(herder, &own);
    }
    files->wake_ms = again_ms;
}

static void set_state(struct herder *herder, enum files_state state, const char *other,
                      uint64_t now_ms)
{
    struct files *files = &herder->files;
    if (files->state == state && strcmp(files->other, other) == 0) {
        return;
    }
    lock_take(&herder->lock);
    files->state = state;
    (void)snprintf(files->other, sizeof(files->other), "%s", other);
    lock_drop(&herder->lock);
    begin_again(files, now_ms);
    if (state == FILES_DIFFER) {
        log_info(NULL, "FILES-DIFFER",
                 "digest=%s other=%s effect=\"connectors stay as they are until all workers have "
                 "the same files\"",
                 files->set->digest, other);
    }
}

/* Notes when somebody came, went, or told something new. */
static void watch_group(struct herder *herder, uint64_t now_ms)
{
    struct files *files = &herder->files;
    if (files->heard != herder->snapshot->notices || files->generation != herder->generation) {
        files_notices_unref(files->heard);
        files->heard = files_notices_ref(herder->snapshot->notices);
        files->generation = herder->generation;
        files->quiet_since_ms = now_ms;
    }
}

static void judge(struct herder *herder, uint64_t now_ms)
{
    struct files_notice own = own_notice(herder);
    const char *other = "";
    enum files_state state = FILES_UNKNOWN;
    if (herder->members_known) {
        bool agree = file_sets_agree(herder->snapshot->notices, &herder->membership, &own, &other);
        state = agree ? FILES_AGREED : FILES_DIFFER;
    }
    set_state(herder, state, other, now_ms);
}

/* Workers that are gone say nothing any more. One that comes says so before the group knows of it,
 * and what it says must not be taken away: so not before group and notices have been quiet. */
static void forget_gone(const struct herder *herder, uint64_t now_ms, struct out_records *records)
{
    const struct files_notices *notices = herder->snapshot->notices;
    if (now_ms < herder->files.quiet_since_ms + FORGET_AFTER_MS) {
        return;
    }
    for (size_t i = 0; notices && i < notices->n_items; i++) {
        const struct files_notice *notice = &notices->items[i];
        bool own = strcmp(notice->instance, herder->options.settings->instance) == 0;
        if (!own && !membership_find(&herder->membership, notice->instance)) {
            record_files(records, &(struct files_notice){ .worker_id = notice->worker_id });
        }
    }
}

/* ---- what is to be done ---- */

static void measure(struct herder *herder)
{
    struct files *files = &herder->files;
    if (files->seen == herder->snapshot) {
        return;
    }
    snapshot_unref(files->seen);
    files->seen = snapshot_ref(herder->snapshot);
    struct file_plan_options options = { .prune = files->prune };
    struct file_plan plan;
    unsigned counts[FILE_CONFLICT + 1] = { 0 };
    file_plan_make(herder->snapshot, files->set, &options, &plan);
    for (size_t i = 0; i < files->set->n_items; i++) {
        counts[plan.verdicts[i]]++;
    }
    file_plan_fini(&plan);
    struct metric_scope *scope = metrics_worker();
    for (unsigned verdict = 0; verdict < N_ELEMENTS(counts); verdict++) {
        metric_set(scope, METRIC_CONNECTOR_FILES, verdict, counts[verdict]);
    }
    bool agreed = files->state == FILES_AGREED && !files->set->error;
    metric_set(scope, METRIC_FILES_AGREED, 0, agreed ? 1 : 0);
}

void herder_files_step(struct herder *herder, uint64_t now_ms)
{
    struct files *files = &herder->files;
    files->wake_ms = UINT64_MAX;
    if (!files->reader) {
        return;
    }
    take_set(files, now_ms);
    if (files->set && herder->snapshot->caught_up) {
        announce(herder, now_ms);
        watch_group(herder, now_ms);
        judge(herder, now_ms);
        measure(herder);
    }
}

static void log_action(const struct file_action *action)
{
    static const char *const names[] = {
        [FILE_CREATE] = "create", [FILE_UPDATE] = "update", [FILE_STATE] = "state",
        [FILE_MARK] = "mark",     [FILE_DELETE] = "delete", [FILE_RELEASE] = "release",
    };
    log_info(NULL, "FILE-APPLY", "action=%s connector=\"%s\" file=\"%s\"", names[action->kind],
             action->connector, action->file ? action->file->file : "");
}

/* Where an action is counted; N_FILE_CHANGES: nowhere. */
static unsigned change_of(enum file_action_kind kind)
{
    switch (kind) {
    case FILE_CREATE:
        return 0;
    case FILE_UPDATE:
    case FILE_STATE:
        return 1;
    case FILE_DELETE:
        return 2;
    case FILE_MARK:
    case FILE_RELEASE:
        break;
    }
    return N_FILE_CHANGES;
}

static void carry_out(struct herder *herder, const struct file_plan *plan,
                      struct out_records *records)
{
    int64_t now = clock_wall_ms();
    CLEANUP(free_charp) char *id = xasprintf("%lld", (long long)now);
    for (size_t i = 0; i < plan->n_actions && records->n_items < MAX_RECORDS; i++) {
        const struct file_action *action = &plan->actions[i];
        if (file_plan_records(herder->snapshot, action, now, id, records) == ERR_OK) {
            unsigned change = change_of(action->kind);
            log_action(action);
            if (change < N_FILE_CHANGES) {
                herder->files.pending[change]++;
            }
        }
    }
}

void herder_files_lead(struct herder *herder, uint64_t now_ms, struct out_records *records)
{
    struct files *files = &herder->files;
    if (!files->reader || !files->set || files->state != FILES_AGREED || files->set->error) {
        return;
    }
    forget_gone(herder, now_ms, records);
    if (records->n_items > 0) {
        return;
    }
    uint64_t delete_ms = files->since_ms + files->delete_after_ms;
    bool may_delete = now_ms >= delete_ms;
    if (files->settled == herder->snapshot && files->settled_deletes == may_delete) {
        return;
    }
    struct file_plan_options options = { .prune = files->prune, .may_delete = may_delete };
    struct file_plan plan;
    file_plan_make(herder->snapshot, files->set, &options, &plan);
    carry_out(herder, &plan, records);
    file_plan_fini(&plan);
    if (records->n_items > 0) {
        return;
    }
    if (!may_delete && file_plan_leaving(herder->snapshot, files->set) > 0) {
        files->wake_ms = delete_ms < files->wake_ms ? delete_ms : files->wake_ms;
        return; /* looks again at each turn until then */
    }
    snapshot_unref(files->settled);
    files->settled = snapshot_ref(herder->snapshot);
    files->settled_deletes = may_delete;
}

void herder_files_written(struct herder *herder, bool written)
{
    for (unsigned change = 0; change < N_FILE_CHANGES; change++) {
        unsigned n = herder->files.pending[change];
        herder->files.pending[change] = 0;
        if (written && n > 0) {
            metric_add(metrics_worker(), METRIC_FILES_CHANGES, change, n);
        }
    }
}

bool herder_files_refuse(struct herder *herder, const struct cluster_request *request,
                         struct error *reterr)
{
    const struct files *files = &herder->files;
    return files->reader && file_refuses(herder->snapshot, files->set, request, reterr);
}

void herder_files_release(struct herder *herder, const struct cluster_request *request,
                          struct out_records *records)
{
    if (!herder->files.reader && records->n_items > 0) {
        file_release(herder->snapshot, request, records);
    }
}

/* ---- any thread ---- */

void herder_files(struct herder *herder, struct cluster_files *ret_files)
{
    struct files *files = &herder->files;
    *ret_files = (struct cluster_files){ .enabled = files->reader != NULL };
    if (!files->reader) {
        return;
    }
    ret_files->prune = files->prune;
    ret_files->folder = files->folder;
    ret_files->set = file_reader_set(files->reader);
    lock_take(&herder->lock);
    ret_files->agreed = files->state == FILES_AGREED;
    (void)snprintf(ret_files->other, sizeof(ret_files->other), "%s", files->other);
    lock_drop(&herder->lock);
}
