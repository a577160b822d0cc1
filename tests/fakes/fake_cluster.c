/* SPDX-License-Identifier: Apache-2.0 */
/* A cluster in memory. See fake_cluster.h. */
#include "fake_cluster.h"

#include "coordinator/changes.h"
#include "coordinator/roster.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/macros.h"
#include "worker/base/mem.h"

struct entry {
    enum log_topic topic;
    char *key;
    char *value;
    int64_t offset;
};

struct fake_log {
    pthread_mutex_t lock;
    struct entry *entries;
    size_t n_entries;
    int64_t next[3]; /* by topic */
};

struct cluster {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_log *log;
    struct config_state *state;
    size_t n_folded;
    char *worker_id;
    char *url;
    char *leader_url;
    bool leads;
    bool lag;
    enum cluster_phase phase;
    bool hangs;
    struct cluster_files files;
    char stage[256];
    enum err failure;
    unsigned n_failures;
    unsigned n_changes;
    unsigned n_asked;
    bool closed;
};

struct fake_log *fake_log_new(void)
{
    struct fake_log *log = xcalloc(1, sizeof(*log));
    (void)pthread_mutex_init(&log->lock, NULL);
    return log;
}

void fake_log_free(struct fake_log *log)
{
    for (size_t i = 0; i < log->n_entries; i++) {
        free(log->entries[i].key);
        free(log->entries[i].value);
    }
    free(log->entries);
    (void)pthread_mutex_destroy(&log->lock);
    free(log);
}

void fake_log_add(struct fake_log *log, struct out_records *records)
{
    (void)pthread_mutex_lock(&log->lock);
    for (size_t i = 0; i < records->n_items; i++) {
        struct out_record *record = &records->items[i];
        log->entries = xrealloc(log->entries, (log->n_entries + 1) * sizeof(*log->entries));
        log->entries[log->n_entries++] = (struct entry){
            .topic = record->topic,
            .key = TAKE(record->key),
            .value = TAKE(record->value),
            .offset = log->next[record->topic]++,
        };
    }
    (void)pthread_mutex_unlock(&log->lock);
    out_records_fini(records);
}

static int64_t config_end(struct fake_log *log)
{
    (void)pthread_mutex_lock(&log->lock);
    int64_t end = log->next[LOG_TOPIC_CONFIG];
    (void)pthread_mutex_unlock(&log->lock);
    return end;
}

static void fold_locked(struct cluster *cluster)
{
    struct fake_log *log = cluster->log;
    (void)pthread_mutex_lock(&log->lock);
    for (; cluster->n_folded < log->n_entries; cluster->n_folded++) {
        const struct entry *entry = &log->entries[cluster->n_folded];
        struct log_record record = {
            .topic = entry->topic,
            .offset = entry->offset,
            .key = entry->key,
            .key_length = strlen(entry->key),
            .value = entry->value,
            .value_length = entry->value ? strlen(entry->value) : 0,
        };
        config_state_fold(cluster->state, &record);
    }
    (void)pthread_mutex_unlock(&log->lock);
}

struct cluster *fake_cluster_new(struct fake_log *log, const char *worker_id, const char *url)
{
    struct cluster *cluster = xcalloc(1, sizeof(*cluster));
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&cluster->lock, NULL);
    (void)pthread_cond_init(&cluster->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    cluster->log = log;
    cluster->state = config_state_new();
    cluster->worker_id = xstrdup(worker_id);
    cluster->url = xstrdup(url);
    cluster->phase = CLUSTER_READY;
    config_state_caught_up(cluster->state);
    return cluster;
}

void fake_cluster_unread(struct cluster *cluster)
{
    config_state_free(cluster->state);
    cluster->state = config_state_new();
    cluster->phase = CLUSTER_STARTING;
}

void fake_cluster_phase(struct cluster *cluster, enum cluster_phase phase, const char *stage)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->phase = phase;
    (void)snprintf(cluster->stage, sizeof(cluster->stage), "%s", stage);
    (void)pthread_mutex_unlock(&cluster->lock);
}

void fake_cluster_leader(struct cluster *cluster, const char *url, bool self)
{
    (void)pthread_mutex_lock(&cluster->lock);
    free(cluster->leader_url);
    cluster->leader_url = url ? xstrdup(url) : NULL;
    cluster->leads = self;
    (void)pthread_cond_broadcast(&cluster->changed);
    (void)pthread_mutex_unlock(&cluster->lock);
}

void fake_cluster_lag(struct cluster *cluster, bool lag)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->lag = lag;
    (void)pthread_mutex_unlock(&cluster->lock);
}

void fake_cluster_fail(struct cluster *cluster, enum err err, unsigned n)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->failure = err;
    cluster->n_failures = n;
    (void)pthread_mutex_unlock(&cluster->lock);
}

unsigned fake_cluster_changes(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    unsigned n = cluster->n_changes;
    (void)pthread_mutex_unlock(&cluster->lock);
    return n;
}

unsigned fake_cluster_asked(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    unsigned n = cluster->n_asked;
    (void)pthread_mutex_unlock(&cluster->lock);
    return n;
}

enum err cluster_start(const struct cluster_options *options, struct cluster **ret_cluster,
                       struct error *reterr UNUSED)
{
    *ret_cluster = fake_cluster_new(fake_log_new(), options->worker_id, options->url);
    return ERR_OK;
}

void cluster_drain(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->closed = true;
    (void)pthread_cond_broadcast(&cluster->changed);
    (void)pthread_mutex_unlock(&cluster->lock);
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster) {
        return;
    }
    config_state_free(cluster->state);
    free(cluster->worker_id);
    free(cluster->url);
    free(cluster->leader_url);
    (void)pthread_cond_destroy(&cluster->changed);
    (void)pthread_mutex_destroy(&cluster->lock);
    free(cluster);
}

bool cluster_takes_tasks(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    bool takes = cluster->phase == CLUSTER_READY;
    (void)pthread_mutex_unlock(&cluster->lock);
    return takes;
}

enum cluster_phase cluster_health(struct cluster *cluster, char *stage, size_t size,
                                  int64_t *ret_since_ms)
{
    (void)pthread_mutex_lock(&cluster->lock);
    enum cluster_phase phase = cluster->phase;
    (void)snprintf(stage, size, "%s", cluster->stage);
    (void)pthread_mutex_unlock(&cluster->lock);
    *ret_since_ms = 1700000000000;
    return phase;
}

void cluster_files(struct cluster *cluster, struct cluster_files *ret_files)
{
    *ret_files = cluster->files;
    ret_files->set = file_set_ref(cluster->files.set);
}

void fake_cluster_files(struct cluster *cluster, const struct cluster_files *files)
{
    cluster->files = *files;
}

bool cluster_turns(struct cluster *cluster, uint64_t now_ms UNUSED)
{
    (void)pthread_mutex_lock(&cluster->lock);
    bool turns = !cluster->hangs;
    (void)pthread_mutex_unlock(&cluster->lock);
    return turns;
}

void fake_cluster_hang(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    cluster->hangs = true;
    (void)pthread_mutex_unlock(&cluster->lock);
}

void cluster_kafka_id(struct cluster *cluster UNUSED, char *id, size_t size)
{
    (void)snprintf(id, size, "fake-kafka-id");
}

const char *cluster_worker_id(const struct cluster *cluster)
{
    return cluster->worker_id;
}

/* This worker alone, with all slots, and one move. */
struct roster *cluster_roster(struct cluster *cluster)
{
    CLEANUP(free_charp) char *identity = membership_identity(cluster->url, "1-a");
    int32_t slots[] = { 0, 1, 2, 3 };
    struct group_member member = { .slots = slots, .n_slots = N_ELEMENTS(slots) };
    (void)snprintf(member.client_id, sizeof(member.client_id), "%s", identity);
    struct roster *roster = xcalloc(1, sizeof(*roster));
    ref_init(&roster->ref);
    roster->group_id = xstrdup("fake-group");
    roster->n_slots = N_ELEMENTS(slots);
    roster->known = cluster->leads || cluster->leader_url;
    roster->generation = 7;
    roster->leader = xstrdup(cluster->url);
    membership_set(&roster->members, &member, 1);
    struct move *move = xcalloc(1, sizeof(*move));
    *move = (struct move){ .at_ms = 1700000000000, .slot = 2, .reason = MOVE_PLACED };
    ref_init(&move->ref);
    move->connector = xstrdup("c");
    move->to = xstrdup(cluster->worker_id);
    roster->moves = xcalloc(1, sizeof(struct move *));
    roster->moves[roster->n_moves++] = move;
    return roster;
}

struct snapshot *cluster_snapshot(struct cluster *cluster)
{
    (void)pthread_mutex_lock(&cluster->lock);
    if (!cluster->lag) {
        fold_locked(cluster);
    }
    struct snapshot *snapshot = config_state_snapshot(cluster->state);
    (void)pthread_mutex_unlock(&cluster->lock);
    return snapshot;
}

enum err cluster_wait_position(struct cluster *cluster, int64_t position,
                               uint64_t deadline_ms UNUSED)
{
    (void)pthread_mutex_lock(&cluster->lock);
    fold_locked(cluster);
    (void)pthread_mutex_unlock(&cluster->lock);
    return config_end(cluster->log) >= position ? ERR_OK : ERR_TIMEOUT;
}

static struct timespec timespec_of(uint64_t ms)
{
    return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
                              .tv_nsec = (long)(ms % 1000) * 1000000L };
}

enum err cluster_wait_leader(struct cluster *cluster, uint64_t deadline_ms, char *url, size_t size,
                             bool *ret_self)
{
    struct timespec until = timespec_of(deadline_ms);
    (void)pthread_mutex_lock(&cluster->lock);
    bool expired = deadline_ms == 0;
    cluster->n_asked++;
    while (!cluster->closed && !cluster->leader_url && !cluster->leads && !expired) {
        expired = pthread_cond_timedwait(&cluster->changed, &cluster->lock, &until) != 0;
    }
    enum err err = cluster->closed ? ERR_CLOSED : ERR_OK;
    if (err == ERR_OK && !cluster->leader_url && !cluster->leads) {
        err = ERR_TIMEOUT;
    } else if (err == ERR_OK) {
        (void)snprintf(url, size, "%s", cluster->leads ? cluster->url : cluster->leader_url);
        *ret_self = cluster->leads;
    }
    (void)pthread_mutex_unlock(&cluster->lock);
    return err;
}

enum err cluster_wait(struct cluster *cluster, snapshot_test_fn *test, const void *arg,
                      uint64_t deadline_ms UNUSED)
{
    struct snapshot *snapshot = cluster_snapshot(cluster);
    bool passes = test(snapshot, arg);
    snapshot_unref(snapshot);
    return passes ? ERR_OK : ERR_TIMEOUT;
}

enum err cluster_write(struct cluster *cluster, struct out_records *records)
{
    (void)pthread_mutex_lock(&cluster->lock);
    enum err err = cluster->n_failures > 0 ? cluster->failure : ERR_OK;
    cluster->n_failures -= cluster->n_failures > 0;
    (void)pthread_mutex_unlock(&cluster->lock);
    if (err == ERR_OK) {
        fake_log_add(cluster->log, records);
    } else {
        out_records_fini(records);
    }
    return err;
}

void cluster_offsets(struct cluster *cluster, const char *connector,
                     struct source_offsets *ret_offsets)
{
    (void)pthread_mutex_lock(&cluster->lock);
    if (!cluster->lag) {
        fold_locked(cluster);
    }
    config_state_offsets(cluster->state, connector, ret_offsets);
    (void)pthread_mutex_unlock(&cluster->lock);
}

static enum err refuse_locked(struct cluster *cluster, struct error *reterr)
{
    cluster->n_changes++;
    if (cluster->n_failures > 0) {
        cluster->n_failures--;
        return error_set(reterr, cluster->failure, "fake failure");
    }
    return cluster->leads ? ERR_OK : error_set(reterr, ERR_NOT_LEADER, "not the leader");
}

enum err cluster_change(struct cluster *cluster, const struct cluster_request *request,
                        uint64_t deadline_ms UNUSED, struct cluster_reply *ret_reply,
                        struct error *reterr)
{
    (void)pthread_mutex_lock(&cluster->lock);
    enum err err = refuse_locked(cluster, reterr);
    bool created = false;
    if (err == ERR_OK) {
        struct out_records records;
        out_records_init(&records);
        fold_locked(cluster);
        struct snapshot *snapshot = config_state_snapshot(cluster->state);
        err = change_plan(snapshot, request, 1700000000000, "id", &records, &created, reterr);
        snapshot_unref(snapshot);
        if (err == ERR_OK) {
            fake_log_add(cluster->log, &records);
            fold_locked(cluster);
            *ret_reply = (struct cluster_reply){ created, config_end(cluster->log) };
        } else {
            out_records_fini(&records);
        }
    }
    (void)pthread_mutex_unlock(&cluster->lock);
    return err;
}
