/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much work a task is, for placement: by the rates that workers report (config_workers.h). A
 * task of the average rate weighs PLACEMENT_UNIT, an idle one half of that, a very busy one some
 * times as much; while little is going on, or is known, all weigh the same. Pure. Thread: any.
 */
#pragma once

#include "coordinator/config_state.h"

/* No task counts for more than so many. */
#define WEIGHT_MAX_UNITS 8

/* weights_rate returns the rate that the worker of a task reports, in messages per second; -1: not
 * known. */
int64_t weights_rate(const struct snapshot *snapshot, const struct connector_state *connector,
                     size_t task);
/* weights_mean returns the average of all known rates; 0 when they are too few or too small to
 * tell. */
int64_t weights_mean(const struct snapshot *snapshot);
/* weights_of returns the weight for a rate (-1: not known), in steps so that noise does not show.
 */
int weights_of(int64_t rate, int64_t mean);
