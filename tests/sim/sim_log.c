/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual config and status topics; every reader lags behind by a time of its own. */
#include "tests/sim/sim.h"
#include "worker/base/mem.h"

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
        .at_ms = sim->now_ms,
    };
}

void sim_log_free(struct sim *sim)
{
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        for (size_t i = 0; i < sim->partitions[p].n_records; i++) {
            free(sim->partitions[p].records[i].key);
            free(sim->partitions[p].records[i].value);
        }
        free(sim->partitions[p].records);
    }
}

static void fold(struct config_state *state, const struct sim_partition *partition, size_t i)
{
    const struct sim_record *from = &partition->records[i];
    struct log_record record = {
        .topic = from->topic,
        .offset = (int64_t)i,
        .key = from->key,
        .key_length = strlen(from->key),
        .value = from->value,
        .value_length = from->value ? strlen(from->value) : 0,
    };
    config_state_fold(state, &record);
}

bool sim_deliver(struct sim *sim, struct sim_worker *worker)
{
    bool any = false;
    for (unsigned p = 0; p < SIM_PARTITIONS && !worker->cut; p++) {
        const struct sim_partition *partition = &sim->partitions[p];
        while (worker->position[p] < partition->n_records &&
               partition->records[worker->position[p]].at_ms + worker->lag_ms[p] <= sim->now_ms) {
            fold(worker->state, partition, worker->position[p]++);
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

struct snapshot *sim_truth(const struct sim *sim)
{
    struct config_state *state = config_state_new();
    for (unsigned p = 0; p < SIM_PARTITIONS; p++) {
        for (size_t i = 0; i < sim->partitions[p].n_records; i++) {
            fold(state, &sim->partitions[p], i);
        }
    }
    config_state_caught_up(state);
    struct snapshot *snapshot = config_state_snapshot(state);
    config_state_free(state);
    return snapshot;
}
