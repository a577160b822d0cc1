/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cluster part as a whole: starts store, herder and group in their order on a thread of its
 * own, and ends them in the opposite one. See cluster.h.
 */
#include "coordinator/cluster.h"

#include <stdatomic.h>

#include "coordinator/bootstrap.h"
#include "coordinator/herder.h"
#include "coordinator/settings.h"
#include "coordinator/store.h"
#include "coordinator/view.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/base/thread.h"
#include "worker/kafka/group.h"
#include "worker/kafka/props.h"
#include "worker/kafka/writer.h"

#define STAGE_TOPICS "initializing and reading to the end of internal topics"
/* What is left for the last statuses when the tasks took all the time there was. */
#define MIN_FLUSH_MS 500

struct cluster {
    struct settings settings;
    struct file_check file_check;
    struct view *view;
    struct store *store;
    struct bootstrap_stop stop;
    atomic_flag failed; /* on_fatal was called */
    void (*on_fatal)(void *arg, const char *text);
    void *arg;
    struct thread starter;
    atomic_bool started;                /* the starter has done its work */
    _Atomic(struct herder *) herder;    /* set by the starter, NULL before */
    struct kafka_status_writer *status; /* the starter's, then main's, as all below */
    struct group *group;
    struct kvs consumer_props;
    uint64_t begin_ms;
    bool drained;
};

static void fail(void *arg, const char *text)
{
    struct cluster *cluster = arg;
    if (!atomic_flag_test_and_set(&cluster->failed)) {
        cluster->on_fatal(cluster->arg, text);
    }
}

static void on_store_change(void *arg)
{
    struct cluster *cluster = arg;
    struct herder *herder = atomic_load(&cluster->herder);
    if (herder) {
        herder_on_snapshot(herder);
    }
}

static void on_store_fatal(void *arg, enum err err, const char *text)
{
    struct cluster *cluster = arg;
    CLEANUP(free_charp)
    char *line = xasprintf(
        "config.storage.topic=%s status.storage.topic=%s offset.storage.topic=%s cannot "
        "be read: %s (%s); allow this worker to read them",
        cluster->settings.topics[LOG_TOPIC_CONFIG], cluster->settings.topics[LOG_TOPIC_STATUS],
        cluster->settings.topics[LOG_TOPIC_OFFSET], text, err_text(err));
    fail(cluster, line);
}

static enum err open_status_writer(struct cluster *cluster, struct error *reterr)
{
    struct kvs props;
    kvs_init(&props);
    enum err err = kafka_props_build(KAFKA_WORKER_PRODUCER, &cluster->settings.props, NULL, &props,
                                     NULL, reterr);
    if (err == ERR_OK) {
        err = kafka_status_writer_open(&props, &cluster->status, reterr);
    }
    kvs_fini(&props);
    return err;
}

static void start_store(struct cluster *cluster)
{
    struct store_options options = {
        .props = &cluster->consumer_props,
        .topics = cluster->settings.topics,
        .on_change = on_store_change,
        .on_fatal = on_store_fatal,
        .arg = cluster,
    };
    store_start(cluster->store, &options);
}

static void start_herder(struct cluster *cluster)
{
    struct herder_options options = {
        .settings = &cluster->settings,
        .store = cluster->store,
        .view = cluster->view,
        .statuses = cluster->status,
        .file_check = cluster->file_check,
        .on_fatal = fail,
        .arg = cluster,
    };
    struct herder *herder = herder_start(&options);
    atomic_store(&cluster->herder, herder);
    herder_on_snapshot(herder); /* the store may have read on before anybody listened */
}

static enum err join_group(struct cluster *cluster, struct error *reterr)
{
    const struct settings *settings = &cluster->settings;
    struct group_options options = {
        .props = &cluster->consumer_props,
        .group_id = settings->group_id,
        .topic = settings->claims_topic,
        .client_id = settings->identity,
        .instance_id = settings->group_instance_id,
        .session_timeout_ms = settings->session_timeout_ms,
        .heartbeat_interval_ms = settings->heartbeat_interval_ms,
        .rebalance_timeout_ms = settings->rebalance_timeout_ms,
    };
    struct group_callbacks callbacks;
    herder_group_callbacks(atomic_load(&cluster->herder), &callbacks);
    return group_start(&options, &callbacks, &cluster->group, reterr);
}

/* The group is joined last: slots that come before the store has read its topics would only lie
 * idle here, taken from workers that were serving them. */
static enum err start_parts(struct cluster *cluster, struct error *reterr)
{
    struct settings *settings = &cluster->settings;
    enum err err = kafka_props_build(KAFKA_WORKER_CONSUMER, &settings->props, NULL,
                                     &cluster->consumer_props, NULL, reterr);
    if (err == ERR_OK) {
        err = bootstrap_topics(settings, cluster->view, &cluster->stop, &settings->n_slots, reterr);
    }
    if (err == ERR_OK) {
        start_store(cluster);
        err = open_status_writer(cluster, reterr);
    }
    if (err == ERR_OK) {
        start_herder(cluster);
        err = store_wait_caught_up(cluster->store, UINT64_MAX);
    }
    if (err == ERR_OK) {
        log_info(NULL, "STORE-READ", "elapsed_ms=%llu",
                 (unsigned long long)(clock_mono_ms() - cluster->begin_ms));
        err = join_group(cluster, reterr);
    }
    return err;
}

static void *starter_main(void *arg)
{
    struct cluster *cluster = arg;
    struct error error = { ERR_OK, "" };
    enum err err = start_parts(cluster, &error);
    if (err != ERR_OK && err != ERR_CLOSED) {
        fail(cluster, error.text[0] != '\0' ? error.text : err_text(err));
    }
    atomic_store(&cluster->started, true);
    return NULL;
}

enum err cluster_start(const struct cluster_options *options, struct cluster **ret_cluster,
                       struct error *reterr)
{
    struct cluster *cluster = xcalloc(1, sizeof(*cluster));
    enum err err =
        settings_init(&cluster->settings, options->props, options->worker_id, options->url, reterr);
    if (err != ERR_OK) {
        settings_fini(&cluster->settings);
        free(cluster);
        return err;
    }
    cluster->file_check = options->file_check;
    cluster->on_fatal = options->on_fatal;
    cluster->arg = options->arg;
    cluster->begin_ms = clock_mono_ms();
    atomic_flag_clear(&cluster->failed);
    kvs_init(&cluster->consumer_props);
    bootstrap_stop_init(&cluster->stop);
    cluster->view = view_new(STAGE_TOPICS);
    cluster->store = store_new();
    *ret_cluster = cluster;
    thread_start(&cluster->starter, "cluster-start", starter_main, cluster);
    return ERR_OK;
}

/* A worker that is still starting has nothing to hand over. */
static void end_start(struct cluster *cluster)
{
    bootstrap_stop_raise(&cluster->stop);
    if (!atomic_load(&cluster->started)) {
        store_end_waits(cluster->store);
    }
    thread_join(&cluster->starter);
}

/* What is left until the deadline, but enough for a Kafka that answers. */
static int time_left_ms(uint64_t deadline_ms)
{
    uint64_t now = clock_mono_ms();
    return (int)(now + MIN_FLUSH_MS < deadline_ms ? deadline_ms - now : MIN_FLUSH_MS);
}

void cluster_drain(struct cluster *cluster)
{
    if (cluster->drained) {
        return;
    }
    uint64_t deadline = clock_mono_ms() + cluster->settings.graceful_ms;
    view_set_phase(cluster->view, CLUSTER_DRAINING, "");
    view_close(cluster->view);
    end_start(cluster);
    struct herder *herder = atomic_load(&cluster->herder);
    if (herder) {
        herder_drain(herder, deadline);
    }
    group_stop(TAKE(cluster->group), time_left_ms(deadline));
    store_stop(cluster->store);
    herder_stop(herder);
    kafka_status_writer_close(TAKE(cluster->status), time_left_ms(deadline));
    cluster->drained = true;
}

void cluster_free(struct cluster *cluster)
{
    if (!cluster) {
        return;
    }
    cluster_drain(cluster);
    store_free(cluster->store);
    herder_free(atomic_load(&cluster->herder));
    view_free(cluster->view);
    bootstrap_stop_fini(&cluster->stop);
    kvs_fini(&cluster->consumer_props);
    settings_fini(&cluster->settings);
    free(cluster);
}

bool cluster_takes_tasks(struct cluster *cluster)
{
    return view_takes_tasks(cluster->view);
}

enum cluster_phase cluster_health(struct cluster *cluster, char *stage, size_t size,
                                  int64_t *ret_since_ms)
{
    return view_phase(cluster->view, stage, size, ret_since_ms);
}

bool cluster_turns(struct cluster *cluster, uint64_t now_ms)
{
    struct herder *herder = atomic_load(&cluster->herder);
    return !herder || herder_turns(herder, now_ms);
}

void cluster_kafka_id(struct cluster *cluster, char *id, size_t size)
{
    view_kafka_id(cluster->view, id, size);
}

const char *cluster_worker_id(const struct cluster *cluster)
{
    return cluster->settings.worker_id;
}

struct snapshot *cluster_snapshot(struct cluster *cluster)
{
    return store_snapshot(cluster->store);
}

struct roster *cluster_roster(struct cluster *cluster)
{
    return view_roster(cluster->view);
}

enum err cluster_wait_position(struct cluster *cluster, int64_t position, uint64_t deadline_ms)
{
    return store_wait_position(cluster->store, position, deadline_ms);
}

enum err cluster_wait_leader(struct cluster *cluster, uint64_t deadline_ms, char *url, size_t size,
                             bool *ret_self)
{
    struct view_leader leader;
    enum err err = view_wait_leader(cluster->view, deadline_ms, &leader);
    if (err == ERR_OK) {
        (void)snprintf(url, size, "%s", leader.url);
        *ret_self = leader.self;
    }
    return err;
}

enum err cluster_wait(struct cluster *cluster, snapshot_test_fn *test, const void *arg,
                      uint64_t deadline_ms)
{
    return store_wait(cluster->store, test, arg, deadline_ms);
}

enum err cluster_write(struct cluster *cluster, struct out_records *records)
{
    struct herder *herder = atomic_load(&cluster->herder);
    if (!herder) {
        out_records_fini(records);
        return ERR_UNAVAILABLE;
    }
    return herder_write(herder, records);
}

void cluster_offsets(struct cluster *cluster, const char *connector,
                     struct source_offsets *ret_offsets)
{
    store_offsets(cluster->store, connector, ret_offsets);
}

void cluster_files(struct cluster *cluster, struct cluster_files *ret_files)
{
    struct herder *herder = atomic_load(&cluster->herder);
    *ret_files = (struct cluster_files){ .enabled = false };
    if (herder) {
        herder_files(herder, ret_files);
    }
}

enum err cluster_change(struct cluster *cluster, const struct cluster_request *request,
                        uint64_t deadline_ms, struct cluster_reply *ret_reply, struct error *reterr)
{
    struct herder *herder = atomic_load(&cluster->herder);
    if (!herder) {
        return error_set(reterr, ERR_NOT_LEADER,
                         "Cannot complete request because of a conflicting operation (e.g. worker "
                         "rebalance)");
    }
    return herder_change(herder, request, deadline_ms, ret_reply, reterr);
}
