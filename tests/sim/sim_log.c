/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual config and status topics; every reader lags behind by a time of its own. */
#include "tests/sim/sim.h"
#include "worker/base/json.h"
#include "worker/base/map.h"
#include "worker/base/mem.h"

static void record_free(struct sim_record *record)
{
    free(record->key);
    free(record->value);
    cJSON_Delete(record->parsed);
}

static void fold(struct config_state *state, const struct sim_record *from)
{
    struct log_record record = {
        .topic = from->topic,
        .offset = from->offset,
        .key = from->key,
        .key_length = strlen(from->key),
        .value = from->value,
        .value_length = from->value ? strlen(from->value) : 0,
        .parsed = from->parsed,
    };
    config_state_fold(state, &record);
}

static unsigned partition_of(const struct out_record *record)
{
    unsigned sum = 0;
    for (const char *p = record->key; *p; p++) {
        sum = sum * 31 + (unsigned char)*p;
    }
    return record->topic == LOG_TOPIC_CONFIG ? 0 : 1 + sum % (SIM_PARTITIONS - 1);
}

void sim_log_append(struct sim *sim, const struct out_record *record)
{
    struct sim_partition *partition = &sim->partitions[partition_of(record)];
    if (partition->n_records == partition->size) {
        partition->size = partition->size ? partition->size * 2 : 64;
        partition->records =
            xrealloc(partition->records, partition->size * sizeof(*partition->records));
    }
    sim_trace(sim, "  log %s = %s", record->key, record->value ? record->value : "null");
    partition->records[partition->n_records++] = (struct sim_record){
        .topic = record->topic,
        .key = xstrdup(record->key),
        .value = record->value ? xstrdup(record->value) : NULL,
        .offset = partition->next_offset++,
        .at_ms = sim->now_ms,
    };
    struct sim_record *added = &partition->records[partition->n_records - 1];
    fold(sim->truth, added);
    if (added->value && json_parse(added->value, strlen(added->value), &added->parsed, NULL)) {
        sim_fail(sim, "%s has a value that is no JSON", added->key);
    }
}

static bool all_read(const struct sim *sim, unsigned p)
{
    for (int i = 0; i < SIM_WORKERS; i++) {
        const struct sim_worker *worker = &sim->workers[i];
        if (worker->up && (worker->position[p] < sim->partitions[p].n_records ||
                           worker->lead_state == SIM_READBACK)) {
            return false;
        }
    }
    return true;
}

static void compact(struct sim *sim, unsigned p)
{
    struct sim_partition *partition = &sim->partitions[p];
    struct map newest;
    map_init(&newest);
    for (size_t i = 0; i < partition->n_records; i++) {
        (void)map_set(&newest, partition->records[i].key, &partition->records[i]);
    }
    bool *keep = xcalloc(partition->n_records + 1, sizeof(bool));
    for (size_t i = 0; i < partition->n_records; i++) {
        const struct sim_record *record = &partition->records[i];
        keep[i] = record->value && map_get(&newest, record->key) == record;
    }
    map_fini(&newest);
    size_t n_kept = 0;
    for (size_t i = 0; i < partition->n_records; i++) {
        if (keep[i]) {
            partition->records[n_kept++] = partition->records[i];
        } else {
            record_free(&partition->records[i]);
        }
    }
    free(keep);
    partition->n_records = n_kept;
    for (int i = 0; i < SIM_WORKERS; i++) {
        sim->workers[i].position[p] = n_kept;
    }
}

struct snapshot *sim_truth(const struct sim *sim)
{
    return config_state_snapshot(sim->truth);
}

/* A set of tasks that stands before its connector's newest config is lost to who reads a compacted
 * topic, as in Connect: then workers differ by when they have read it. */
static bool sets_are_new(const struct sim *sim)
{
    struct snapshot *truth = sim_truth(sim);
    bool all = true;
    for (size_t i = 0; i < truth->n_connectors; i++) {
        const struct connector_state *connector = truth->connectors[i];
        all = all &&
              (!connector->committed || connector->tasks_config_offset == connector->config_offset);
    }
    snapshot_unref(truth);
    return all;
}

void sim_log_compact(struct sim *sim)
{
    if (!sets_are_new(sim)) {
        return;
    }
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        if (sim->partitions[p].n_records > 30 && all_read(sim, p)) {
            compact(sim, p);
        }
    }
}

void sim_log_free(struct sim *sim)
{
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        for (size_t i = 0; i < sim->partitions[p].n_records; i++) {
            record_free(&sim->partitions[p].records[i]);
        }
        free(sim->partitions[p].records);
    }
    config_state_free(sim->truth);
}

bool sim_deliver(struct sim *sim, struct sim_worker *worker)
{
    bool any = false;
    for (unsigned p = 0; p < SIM_PARTITIONS && !worker->cut; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        while (worker->position[p] < partition->n_records &&
               partition->records[worker->position[p]].at_ms + worker->lag_ms[p] <= sim->now_ms) {
            fold(worker->state, &partition->records[worker->position[p]++]);
            any = true;
        }
    }
    return any;
}

uint64_t sim_deliver_next(const struct sim *sim, const struct sim_worker *worker)
{
    uint64_t next = SIM_NEVER;
    for (unsigned p = 0; p < SIM_PARTITIONS && worker->up && !worker->cut; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        if (worker->position[p] < partition->n_records) {
            sim_min(&next, partition->records[worker->position[p]].at_ms + worker->lag_ms[p]);
        }
    }
    return next;
}
