/* SPDX-License-Identifier: Apache-2.0 */
/* How much work a task is. See weights.h. */
#include "coordinator/weights.h"

#include "coordinator/config_workers.h"
#include "coordinator/placement.h"

/* Messages per second and task below which differences mean nothing. */
#define LEAST_MEAN 10
/* Weights are multiples of this. */
#define STEP (PLACEMENT_UNIT / 4)

int64_t weights_rate(const struct snapshot *snapshot, const struct connector_state *connector,
                     size_t task)
{
    const struct status *status = connector->tasks[task].status;
    const struct worker_note *note =
        status ? worker_notes_find(snapshot->notes, status->worker_id) : NULL;
    return note ? worker_note_find_rate(note, connector->name, (int)task) : -1;
}

int64_t weights_mean(const struct snapshot *snapshot)
{
    int64_t sum = 0;
    int64_t n = 0;
    for (size_t i = 0; snapshot->notes && i < snapshot->n_connectors; i++) {
        for (size_t task = 0; task < snapshot->connectors[i]->n_tasks; task++) {
            int64_t rate = weights_rate(snapshot, snapshot->connectors[i], task);
            sum += rate >= 0 ? rate : 0;
            n += rate >= 0 ? 1 : 0;
        }
    }
    int64_t mean = n > 1 ? sum / n : 0;
    return mean >= LEAST_MEAN ? mean : 0;
}

int weights_of(int64_t rate, int64_t mean)
{
    if (rate < 0 || mean <= 0) {
        return PLACEMENT_UNIT;
    }
    int64_t most = (int64_t)WEIGHT_MAX_UNITS * PLACEMENT_UNIT;
    if (rate / mean >= 2 * WEIGHT_MAX_UNITS) {
        return (int)most;
    }
    int64_t weight = PLACEMENT_UNIT / 2 + PLACEMENT_UNIT * rate / mean / 2;
    weight = (weight + STEP / 2) / STEP * STEP;
    return (int)(weight < most ? weight : most);
}
