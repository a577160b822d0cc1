/* SPDX-License-Identifier: Apache-2.0 */
/* See fold.h. */
#include "tests/unit/coordinator/fold.h"

#include <string.h>

int64_t fold_record(struct config_state *state, int64_t *offset, enum log_topic topic,
                    const char *key, const char *value)
{
    struct log_record record = {
        .topic = topic,
        .offset = *offset,
        .key = key,
        .key_length = strlen(key),
        .value = value,
        .value_length = value ? strlen(value) : 0,
    };
    config_state_fold(state, &record);
    return (*offset)++;
}

void fold_records(struct config_state *state, int64_t *offset, struct out_records *records)
{
    for (size_t i = 0; i < records->n_items; i++) {
        const struct out_record *record = &records->items[i];
        (void)fold_record(state, offset, record->topic, record->key, record->value);
    }
    out_records_fini(records);
}
