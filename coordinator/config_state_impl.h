/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of config_state, for its own files only: the state, and what the fold asks of it. Thread:
 * the owner of the state. */
#pragma once

#include <cjson/cJSON.h>

#include "coordinator/config_entry.h"
#include "coordinator/config_files.h"
#include "coordinator/config_loggers.h"
#include "coordinator/config_offsets.h"
#include "coordinator/config_state.h"
#include "coordinator/config_topics.h"
#include "coordinator/config_workers.h"
#include "worker/base/map.h"

struct config_state {
    struct entry **entries; /* sorted by name */
    size_t n_entries;
    size_t entries_size;
    struct retirement **retirements; /* sorted by name, then id */
    size_t n_retirements;
    struct leader_record leader;
    struct map offsets; /* connector to a map of partition to offset (config_offsets.c) */
    struct cluster_levels *levels; /* NULL: none was set */
    struct files_notices *notices; /* NULL: none */
    struct worker_notes *notes;    /* NULL: none */
    unsigned long n_topic_removals;
    uint64_t n_offset_changes;
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

/* One record on its way in. */
struct folding {
    struct config_state *state;
    const char *rest;   /* key behind its prefix */
    const cJSON *value; /* NULL: tombstone; else an object */
    int64_t offset;
};
/* Folds of records of one kind; false: the record is to be counted as ignored. */
typedef bool fold_fn(const struct folding *in);
bool fold_status_topic(const struct folding *in);
bool fold_logger(const struct folding *in);
bool fold_managed(const struct folding *in);
bool fold_files(const struct folding *in);
bool fold_worker(const struct folding *in);
bool fold_offset(struct config_state *state, const char *key, const struct log_record *record);
/* offsets_free releases what config_state->offsets holds. */
void offsets_free(struct map *connectors);
