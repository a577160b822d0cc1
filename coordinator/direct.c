/* SPDX-License-Identifier: Apache-2.0 */
/* Changes without the leader. See direct.h. */
#include "coordinator/direct.h"

#include "coordinator/config_loggers.h"
#include "coordinator/config_topics.h"
#include "coordinator/records.h"
#include "worker/base/loggers.h"
#include "worker/base/mem.h"

/* True when each topic of the connector, as it was, is gone or was told anew since. */
static bool topics_are_reset(const struct snapshot *snapshot, const void *arg)
{
    const struct connector_state *before = arg;
    const struct connector_state *now = snapshot_find_any(snapshot, before->name);
    for (size_t i = 0; i < before->topics->n_items; i++) {
        const struct topic_use *old = before->topics->items[i];
        const struct topic_use *use = now ? topic_list_find(now->topics, old->name) : NULL;
        if (use && use->offset == old->offset) {
            return false;
        }
    }
    return true;
}

enum err direct_reset_topics(struct cluster *cluster, const char *connector, uint64_t deadline_ms)
{
    struct snapshot *snapshot = cluster_snapshot(cluster);
    struct connector_state *before = connector_state_ref(snapshot_find_any(snapshot, connector));
    snapshot_unref(snapshot);
    enum err err = ERR_OK;
    if (before && before->topics) {
        struct out_records records;
        out_records_init(&records);
        record_topics_unused(&records, before);
        err = cluster_write(cluster, &records);
        err = err ? err : cluster_wait(cluster, topics_are_reset, before, deadline_ms);
    }
    connector_state_unref(before);
    return err;
}

struct level_wish {
    const char *name;
    int64_t after; /* offset of the record before ours; -1: there was none */
};

static int64_t level_offset(const struct snapshot *snapshot, const char *name)
{
    const struct cluster_level *level = cluster_levels_find(snapshot->levels, name);
    return level ? level->offset : -1;
}

static bool level_came(const struct snapshot *snapshot, const void *arg)
{
    const struct level_wish *wish = arg;
    return level_offset(snapshot, wish->name) > wish->after;
}

enum err direct_set_logger(struct cluster *cluster, const char *name, int threshold,
                           uint64_t deadline_ms)
{
    struct snapshot *snapshot = cluster_snapshot(cluster);
    const struct level_wish wish = { name, level_offset(snapshot, name) };
    snapshot_unref(snapshot);
    struct out_records records;
    out_records_init(&records);
    record_logger(&records, name, logger_level_name(threshold));
    enum err err = cluster_write(cluster, &records);
    return err ? err : cluster_wait(cluster, level_came, &wish, deadline_ms);
}
