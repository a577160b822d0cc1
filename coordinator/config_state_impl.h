/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of config_state, for its own files only: the state, and what the fold asks of it. Thread:
 * the owner of the state. */
#pragma once

#include "coordinator/config_entry.h"
#include "coordinator/config_state.h"
#include "worker/base/map.h"

struct config_state {
    struct entry **entries; /* sorted by name */
    size_t n_entries;
    size_t entries_size;
    struct retirement **retirements; /* sorted by name, then id */
    size_t n_retirements;
    struct leader_record leader;
    struct map offsets; /* normalised key text to owned value text */
    int64_t config_position;
    bool caught_up;
    uint64_t n_ignored;
    struct snapshot *published; /* NULL: none yet */
    bool changed;               /* since published */
};

/* config_state_entry returns what is known of a name; NULL when nothing is and make is false. */
struct entry *config_state_entry(struct config_state *state, const char *name, bool make);
/* config_state_touched notes that the entry was changed; an entry of which nothing is known any
 * more is freed. */
void config_state_touched(struct config_state *state, struct entry *entry);
void leader_record_fini(struct leader_record *leader);
/* retirement_unref takes NULL. Thread: any. */
void retirement_unref(struct retirement *retirement);
/* offset_key_normalise returns the owned text under which an offset is kept, NULL when partition is
 * no JSON object. */
char *offset_key_normalise(const char *connector, const char *partition);
