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
    char *partition; /* object, as in the key; NULL in a list of edits */
    char *canonical; /* what all texts of the partition have in common; NULL in a list of edits */
    char *value;     /* object; NULL in a list of edits: to be forgotten */
};

/* Offsets of a connector, sorted by canonical partition; or edits, in any order. */
struct source_offsets {
    struct source_offset *items;
    size_t n_items;
    size_t size;
};

/* source_offsets_edit adds an edit; value may be NULL. */
void source_offsets_edit(struct source_offsets *edits, const char *key, const char *value);
/* source_offsets_copy adds copies of all to an initialised (zeroed) list. */
void source_offsets_copy(struct source_offsets *to, const struct source_offsets *from);
void source_offsets_fini(struct source_offsets *offsets);
/* source_offsets_find returns the stored offset of a canonical partition, NULL if none. */
const struct source_offset *source_offsets_find(const struct source_offsets *offsets,
                                                const char *canonical);
/* source_partition_canonical returns the owned text that all texts of a partition have in common:
 * its members are in the order of their names; NULL when it is no JSON object. */
char *source_partition_canonical(const char *partition);
/* source_offset_key returns the owned key of a record for a partition that has none yet. */
char *source_offset_key(const char *connector, const char *canonical);

/* config_state_offsets returns an owned copy of a connector's offsets. */
void config_state_offsets(const struct config_state *state, const char *connector,
                          struct source_offsets *ret_offsets);
/* config_state_offset returns the offset text (JSON) stored for a connector's source partition,
 * NULL if none; borrowed until the next fold. */
const char *config_state_offset(const struct config_state *state, const char *connector,
                                const char *partition);
