/* SPDX-License-Identifier: Apache-2.0 */
/* Records for a config_state, as a topic would hand them over. */
#pragma once

#include "coordinator/config_state.h"
#include "coordinator/records.h"

/* fold_record folds one record and counts *offset up; value NULL: a tombstone. Returns its offset.
 */
int64_t fold_record(struct config_state *state, int64_t *offset, enum log_topic topic,
                    const char *key, const char *value);
/* fold_records folds what a builder made, and releases it. */
void fold_records(struct config_state *state, int64_t *offset, struct out_records *records);
