/* SPDX-License-Identifier: Apache-2.0 */
/* Reaching Kafka and making the internal topics. See bootstrap.h. */
#include "coordinator/bootstrap.h"

#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/base/mem.h"
#include "worker/kafka/admin.h"
#include "worker/kafka/props.h"
#include "worker/worker_config.h"

/* Short, so that a stop is not held up for long. */
#define REACH_MS   1000
#define TRY_MS     3000
#define PAUSE_MS   500
#define LOG_GAP_MS 30000

void bootstrap_stop_init(struct bootstrap_stop *stop)
{
    lock_init(&stop->lock, LOCK_RANK_HERDER);
    cond_init(&stop->changed);
    stop->stopping = false;
}

void bootstrap_stop_fini(struct bootstrap_stop *stop)
{
    cond_fini(&stop->changed);
    lock_fini(&stop->lock);
}

void bootstrap_stop_raise(struct bootstrap_stop *stop)
{
    lock_take(&stop->lock);
    stop->stopping = true;
    cond_broadcast(&stop->changed);
    lock_drop(&stop->lock);
}

bool bootstrap_stop_raised(struct bootstrap_stop *stop)
{
    lock_take(&stop->lock);
    bool stopping = stop->stopping;
    lock_drop(&stop->lock);
    return stopping;
}

/* Waits before the next try; false when the worker stops. */
static bool pause_before_retry(struct bootstrap_stop *stop)
{
    uint64_t until = clock_mono_ms() + PAUSE_MS;
    lock_take(&stop->lock);
    while (!stop->stopping && cond_wait_until(&stop->changed, &stop->lock, until)) {
    }
    bool go_on = !stop->stopping;
    lock_drop(&stop->lock);
    return go_on;
}

static void report_retry(const struct settings *settings, const char *what, const char *text)
{
    static struct log_limit limit;
    unsigned held_back = 0;
    if (log_limit_pass(&limit, LOG_GAP_MS, &held_back)) {
        log_warn(NULL, "KAFKA-UNREACHABLE",
                 "bootstrap.servers=%s step=\"%s\" error=\"%s\" mend=\"start Kafka or correct "
                 "bootstrap.servers; this worker keeps trying\"",
                 settings->bootstrap_servers, what, text);
    }
}

static enum err reach_kafka(const struct settings *settings, struct kafka_admin *admin,
                            struct view *view, struct bootstrap_stop *stop, struct error *reterr)
{
    for (;;) {
        char id[128];
        struct error error = { ERR_OK, "" };
        enum err err = kafka_admin_cluster_id(admin, REACH_MS, id, sizeof(id), &error);
        if (err == ERR_OK) {
            view_set_kafka_id(view, id);
            log_info(NULL, "KAFKA-REACHED", "bootstrap.servers=%s cluster_id=%s",
                     settings->bootstrap_servers, id);
            return ERR_OK;
        }
        if (err == ERR_UNAUTHORIZED || err == ERR_INVALID) {
            return error_set(reterr, err,
                             "bootstrap.servers=%s: Kafka refuses this worker: %s; check "
                             "security.protocol and the sasl.* and ssl.* properties",
                             settings->bootstrap_servers, error.text);
        }
        report_retry(settings, "reach a broker", error.text);
        if (!pause_before_retry(stop)) {
            return ERR_CLOSED;
        }
    }
}

/* The rows of the internal topics. */
struct topic_row {
    const char *prefix;
    bool exactly_one_partition;
    bool compacted;
};

static const struct topic_row topic_rows[] = {
    { "config.storage.", true, true },
    { "status.storage.", false, true },
    { "offset.storage.", false, true },
    { "claims.storage.", false, false },
};

/* Everything behind the prefix that is not ours is a setting of the topic. */
static void collect_settings(const struct settings *settings, const char *prefix,
                             struct kvs *ret_settings)
{
    static const char *const ours[] = { "topic", "partitions", "replication.factor" };
    size_t length = strlen(prefix);
    for (size_t i = 0; i < settings->props.n_items; i++) {
        const struct kv *item = &settings->props.items[i];
        if (strncmp(item->key, prefix, length) != 0 || !item->value) {
            continue;
        }
        const char *key = item->key + length;
        bool is_ours = false;
        for (size_t k = 0; k < N_ELEMENTS(ours); k++) {
            is_ours = is_ours || strcmp(key, ours[k]) == 0;
        }
        if (strcmp(key, "cleanup.policy") == 0) {
            log_warn(NULL, "CONFIG-IGNORED",
                     "key=%s value=%s reason=\"internal topics are compacted, whatever it says\"",
                     item->key, item->value);
        } else if (!is_ours) {
            kvs_set(ret_settings, key, item->value);
        }
    }
}

static int64_t number(const struct settings *settings, const struct topic_row *row,
                      const char *name)
{
    CLEANUP(free_charp) char *key = xasprintf("%s%s", row->prefix, name);
    return worker_config_int(&settings->props, key);
}

static enum err ensure_topic(const struct settings *settings, struct kafka_admin *admin,
                             const struct topic_row *row, struct bootstrap_stop *stop,
                             int *ret_partitions, struct error *reterr)
{
    CLEANUP(free_charp) char *property = xasprintf("%stopic", row->prefix);
    CLEANUP(free_charp) char *name = worker_config_text(&settings->props, property);
    struct kvs topic_settings;
    kvs_init(&topic_settings);
    collect_settings(settings, row->prefix, &topic_settings);
    struct kafka_topic_spec spec = {
        .name = name,
        .property = property,
        .partitions = row->exactly_one_partition ? 1 : (int)number(settings, row, "partitions"),
        .replication_factor = (int)number(settings, row, "replication.factor"),
        .exactly_one_partition = row->exactly_one_partition,
        .compacted = row->compacted,
        .settings = &topic_settings,
    };
    enum err err;
    for (;;) {
        err = kafka_admin_ensure_topic(admin, &spec, TRY_MS, ret_partitions, reterr);
        if (err == ERR_OK || err == ERR_INVALID || err == ERR_UNAUTHORIZED) {
            break;
        }
        report_retry(settings, property, reterr->text);
        if (!pause_before_retry(stop)) {
            err = ERR_CLOSED;
            break;
        }
    }
    kvs_fini(&topic_settings);
    return err;
}

static enum err ensure_topics(const struct settings *settings, struct kafka_admin *admin,
                              struct bootstrap_stop *stop, int *ret_n_slots, struct error *reterr)
{
    for (size_t i = 0; i < N_ELEMENTS(topic_rows); i++) {
        int partitions = 0;
        enum err err = ensure_topic(settings, admin, &topic_rows[i], stop, &partitions, reterr);
        if (err != ERR_OK) {
            return err;
        }
        *ret_n_slots = partitions; /* of the last one: the claims topic */
    }
    return ERR_OK;
}

enum err bootstrap_topics(const struct settings *settings, struct view *view,
                          struct bootstrap_stop *stop, int *ret_n_slots, struct error *reterr)
{
    struct kvs props;
    kvs_init(&props);
    struct kafka_admin *admin = NULL;
    enum err err =
        kafka_props_build(KAFKA_WORKER_ADMIN, &settings->props, NULL, &props, NULL, reterr);
    if (err == ERR_OK) {
        /* A client that knows its group looks for the group's coordinator at once. A Kafka that
         * never had a group makes its own offsets topic at that question, which takes most of a
         * second, and does so while our topics are made. */
        kvs_set(&props, "group.id", settings->group_id);
        err = kafka_admin_open(&props, &admin, reterr);
    }
    if (err == ERR_OK) {
        err = reach_kafka(settings, admin, view, stop, reterr);
    }
    int n_slots = 0;
    if (err == ERR_OK) {
        err = ensure_topics(settings, admin, stop, &n_slots, reterr);
    }
    if (err == ERR_OK) {
        *ret_n_slots = n_slots;
    }
    kafka_admin_close(admin);
    kvs_fini(&props);
    return err;
}
