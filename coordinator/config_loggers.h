/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Levels of loggers that were set for the whole cluster since this worker started, as records
 * `logger-cluster-<name>` of the config topic say (KIP-976). Pure. Thread: as config_state.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "worker/base/ref.h"

/* The newest level of one name. */
struct cluster_level {
    char *name;
    int threshold;  /* see worker/base/loggers.h */
    int64_t offset; /* of its record */
};

/* Immutable; sorted by nothing: a few names at most. */
struct cluster_levels {
    struct ref ref;
    struct cluster_level *items;
    size_t n_items;
};

/* cluster_levels_find returns the level of a name, NULL if it was not set; levels may be NULL. */
const struct cluster_level *cluster_levels_find(const struct cluster_levels *levels,
                                                const char *name);
/* cluster_levels_ref and cluster_levels_unref take NULL. Thread: any. */
struct cluster_levels *cluster_levels_ref(struct cluster_levels *levels);
void cluster_levels_unref(struct cluster_levels *levels);
