/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source offsets as the offset topic holds them. A partition is a JSON object; two texts of it are
 * the same partition whatever the order of their members, but compaction compares bytes, so the key
 * of the record that was read is kept and used again. Pure. Thread: the owner of the state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/base/macros.h"

struct config_state;

/* One stored offset; all texts are JSON. */
struct source_offset {
    char *key;       /* of its record: ["<connector>",<partition>] */
    char *partition; /* object */
    char *value;     /* object */
};

/* Sorted by partition. */
struct source_offsets {
    struct source_offset *items;
    size_t n_items;
};

void source_offsets_fini(struct source_offsets *offsets);
/* source_offsets_find returns the offset of a partition (JSON object text), NULL if none. */
const struct source_offset *source_offsets_find(const struct source_offsets *offsets,
                                                const char *partition);
/* source_partition_same tells whether two JSON texts are the same partition. */
bool source_partition_same(const char *a, const char *b);

/* source_offset_key returns the owned key of a record for a partition that has none yet: its
 * members are in the order of their names. partition is a JSON object. */
char *source_offset_key(const char *connector, const char *partition);

/* config_state_offsets returns an owned copy of a connector's offsets. */
void config_state_offsets(const struct config_state *state, const char *connector,
                          struct source_offsets *ret_offsets);
/* config_state_offset returns the offset text (JSON) stored for a connector's source partition,
 * NULL if none; borrowed until the next fold. */
const char *config_state_offset(const struct config_state *state, const char *connector,
                                const char *partition);
