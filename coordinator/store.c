/* SPDX-License-Identifier: Apache-2.0 */
/* The reader of the internal topics. See store.h. */
#include "coordinator/store.h"

#include "coordinator/config_loggers.h"
#include "coordinator/config_topics.h"
#include "worker/base/clock.h"
#include "worker/base/lock.h"
#include "worker/base/log.h"
#include "worker/base/loggers.h"
#include "worker/base/mem.h"
#include "worker/base/metrics.h"
#include "worker/base/thread.h"
#include "worker/kafka/topic_log.h"

#define N_TOPICS        3
#define OPEN_TIMEOUT_MS 5000
#define OPEN_PAUSE_MS   500
/* How long a poll may last until the history is read: its end comes without a record. */
#define CATCH_UP_POLL_MS 20

struct store {
    struct lock state_lock;
    struct config_state *state; /* under state_lock */
    atomic_ulong topic_removals;
    int64_t levels_applied; /* offset of the newest logger's level; the thread's */
    struct lock lock;
    struct cond changed;
    struct snapshot *snapshot; /* under lock, as all below it */
    struct topic_log *log;     /* closed only after the thread has ended */
    bool stopping;
    bool waits_ended;
    struct thread thread;
    struct kvs props;
    char *topics[N_TOPICS];
    struct store_options options;
};

struct store *store_new(void)
{
    struct store *store = xcalloc(1, sizeof(*store));
    lock_init(&store->state_lock, LOCK_RANK_STORE);
    lock_init(&store->lock, LOCK_RANK_STORE);
    cond_init(&store->changed);
    kvs_init(&store->props);
    store->state = config_state_new();
    store->levels_applied = -1;
    store->snapshot = config_state_snapshot(store->state);
    return store;
}

static void fold(struct store *store, const struct log_record *record)
{
    lock_take(&store->state_lock);
    config_state_fold(store->state, record);
    atomic_store(&store->topic_removals, config_state_topic_removals(store->state));
    lock_drop(&store->state_lock);
}

static void on_record(void *arg, const struct topic_log_record *record)
{
    struct store *store = arg;
    metric_add(metrics_worker(), METRIC_STORE_RECORDS, 0, 1);
    if (!record->key) {
        return;
    }
    struct log_record folded = {
        .topic = (enum log_topic)record->topic,
        .offset = record->offset,
        .key = record->key,
        .key_length = record->key_length,
        .value = record->value,
        .value_length = record->value_length,
    };
    fold(store, &folded);
}

static bool stopping(struct store *store)
{
    lock_take(&store->lock);
    bool stop = store->stopping;
    lock_drop(&store->lock);
    return stop;
}

static void apply_level(const struct cluster_level *level)
{
    struct logger_list changed;
    struct error error = { ERR_OK, "" };
    if (loggers_set(level->name, level->threshold, clock_wall_ms(), &changed, &error) != ERR_OK) {
        log_warn(NULL, "LOGGER-LEVEL-REFUSED", "logger=\"%s\" error=\"%s\"", level->name,
                 error.text);
        return;
    }
    log_info(NULL, "LOGGER-LEVEL", "logger=\"%s\" level=%s scope=cluster changed=%zu", level->name,
             logger_level_name(level->threshold), changed.n_items);
    logger_list_fini(&changed);
}

/* Before the snapshot is published: who waits for the record finds the level in force. In the order
 * of the records, because a parent's level goes over its children's. */
static void apply_levels(struct store *store, const struct cluster_levels *levels)
{
    const struct cluster_level *next = NULL;
    do {
        next = NULL;
        for (size_t i = 0; levels && i < levels->n_items; i++) {
            const struct cluster_level *level = &levels->items[i];
            if (level->offset > store->levels_applied && (!next || level->offset < next->offset)) {
                next = level;
            }
        }
        if (next) {
            apply_level(next);
            store->levels_applied = next->offset;
        }
    } while (next);
}

/* Makes the present state the newest snapshot and tells those who wait for one. */
static void publish(struct store *store)
{
    lock_take(&store->state_lock);
    struct snapshot *next = config_state_snapshot(store->state);
    lock_drop(&store->state_lock);
    apply_levels(store, next->levels);
    lock_take(&store->lock);
    struct snapshot *old = store->snapshot;
    bool changed = next != old;
    store->snapshot = next;
    if (changed) {
        cond_broadcast(&store->changed);
    }
    lock_drop(&store->lock);
    snapshot_unref(old);
    if (changed) {
        store->options.on_change(store->options.arg);
    }
}

/* Waits before the next try to open the topics; false when the store stops. */
static bool pause_opening(struct store *store)
{
    uint64_t until = clock_mono_ms() + OPEN_PAUSE_MS;
    lock_take(&store->lock);
    while (!store->stopping && cond_wait_until(&store->changed, &store->lock, until)) {
    }
    bool go_on = !store->stopping;
    lock_drop(&store->lock);
    return go_on;
}

/* The topics exist, but brokers that have just made them may not say so yet. */
static bool open_log(struct store *store)
{
    static struct log_limit limit;
    while (!stopping(store)) {
        struct topic_log *log = NULL;
        struct error error = { ERR_OK, "" };
        enum err err = topic_log_open(&store->props, (const char *const *)store->topics, N_TOPICS,
                                      OPEN_TIMEOUT_MS, &log, &error);
        if (err == ERR_OK) {
            lock_take(&store->lock);
            store->log = log;
            lock_drop(&store->lock);
            return true;
        }
        if (err == ERR_INVALID || err == ERR_UNAUTHORIZED) {
            store->options.on_fatal(store->options.arg, err, error.text);
            return false;
        }
        unsigned held_back = 0;
        if (log_limit_pass(&limit, 30000, &held_back)) {
            log_warn(NULL, "STORE-OPEN-RETRY", "error=\"%s\"", error.text);
        }
        if (!pause_opening(store)) {
            return false;
        }
    }
    return false;
}

/* The end of a history that is empty, or ends in a transaction's marker, comes without a record. */
static bool note_caught_up(struct store *store)
{
    if (!topic_log_caught_up(store->log)) {
        return false;
    }
    lock_take(&store->state_lock);
    config_state_caught_up(store->state);
    lock_drop(&store->state_lock);
    return true;
}

static void *store_main(void *arg)
{
    struct store *store = arg;
    if (!open_log(store)) {
        return NULL;
    }
    bool caught_up = note_caught_up(store);
    publish(store);
    while (!stopping(store)) {
        topic_log_poll(store->log, caught_up ? -1 : CATCH_UP_POLL_MS, on_record, store);
        caught_up = caught_up || note_caught_up(store);
        publish(store);
    }
    return NULL;
}

void store_start(struct store *store, const struct store_options *options)
{
    kvs_copy(&store->props, options->props);
    for (int i = 0; i < N_TOPICS; i++) {
        store->topics[i] = xstrdup(options->topics[i]);
    }
    store->options = *options;
    store->options.props = NULL;
    store->options.topics = NULL;
    thread_start(&store->thread, "store", store_main, store);
}

void store_end_waits(struct store *store)
{
    lock_take(&store->lock);
    store->waits_ended = true;
    cond_broadcast(&store->changed);
    lock_drop(&store->lock);
}

void store_stop(struct store *store)
{
    lock_take(&store->lock);
    store->stopping = true;
    store->waits_ended = true;
    cond_broadcast(&store->changed);
    struct topic_log *log = store->log;
    lock_drop(&store->lock);
    if (log) {
        topic_log_wake(log);
    }
    thread_join(&store->thread);
}

void store_free(struct store *store)
{
    if (!store) {
        return;
    }
    store_stop(store);
    if (store->log) {
        topic_log_close(store->log);
    }
    snapshot_unref(store->snapshot);
    config_state_free(store->state);
    kvs_fini(&store->props);
    for (int i = 0; i < N_TOPICS; i++) {
        free(store->topics[i]);
    }
    cond_fini(&store->changed);
    lock_fini(&store->lock);
    lock_fini(&store->state_lock);
    free(store);
}

struct snapshot *store_snapshot(struct store *store)
{
    lock_take(&store->lock);
    struct snapshot *snapshot = snapshot_ref(store->snapshot);
    lock_drop(&store->lock);
    return snapshot;
}

enum err store_wait(struct store *store, snapshot_test_fn *test, const void *arg,
                    uint64_t deadline_ms)
{
    enum err err = ERR_OK;
    lock_take(&store->lock);
    while (err == ERR_OK && !test(store->snapshot, arg)) {
        if (store->waits_ended) {
            err = ERR_CLOSED;
        } else if (deadline_ms == UINT64_MAX) {
            cond_wait(&store->changed, &store->lock);
        } else if (!cond_wait_until(&store->changed, &store->lock, deadline_ms)) {
            err = test(store->snapshot, arg) ? ERR_OK : ERR_TIMEOUT;
            break;
        }
    }
    lock_drop(&store->lock);
    return err;
}

static bool position_reached(const struct snapshot *snapshot, const void *arg)
{
    return snapshot->config_position >= *(const int64_t *)arg;
}

static bool history_read(const struct snapshot *snapshot, const void *arg UNUSED)
{
    return snapshot->caught_up;
}

enum err store_wait_position(struct store *store, int64_t position, uint64_t deadline_ms)
{
    return store_wait(store, position_reached, &position, deadline_ms);
}

enum err store_wait_caught_up(struct store *store, uint64_t deadline_ms)
{
    return store_wait(store, history_read, NULL, deadline_ms);
}

char *store_offset(struct store *store, const char *connector, const char *partition)
{
    lock_take(&store->state_lock);
    const char *offset = config_state_offset(store->state, connector, partition);
    char *copy = offset ? xstrdup(offset) : NULL;
    lock_drop(&store->state_lock);
    return copy;
}

void store_offsets(struct store *store, const char *connector, struct source_offsets *ret_offsets)
{
    lock_take(&store->state_lock);
    config_state_offsets(store->state, connector, ret_offsets);
    lock_drop(&store->state_lock);
}

bool store_uses(struct store *store, const char *connector, const char *topic)
{
    lock_take(&store->state_lock);
    bool uses = config_state_uses(store->state, connector, topic);
    lock_drop(&store->state_lock);
    return uses;
}

const atomic_ulong *store_topic_removals(const struct store *store)
{
    return &store->topic_removals;
}

void store_foresee(struct store *store, enum log_topic topic, const char *key, const char *value)
{
    struct log_record record = {
        .topic = topic,
        .offset = -1,
        .key = key,
        .key_length = strlen(key),
        .value = value,
        .value_length = value ? strlen(value) : 0,
    };
    fold(store, &record);
}
