/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Committed offsets of a consumer group: look, change, forget, for groups that nobody is a member
 * of just now. Each call opens a client of its own and blocks as long as the caller has patience.
 * Thread: any. Errors: ERR_CONFLICT (the group has members), ERR_NOT_FOUND (no such topic or
 * partition), ERR_UNAUTHORIZED, ERR_TIMEOUT, ERR_INVALID (props), ERR_UNAVAILABLE (also: too many
 * calls wait already), ERR_REJECTED; the text is Kafka's.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"

#define GROUP_OFFSET_NONE (-1)

/* How long a caller waits. */
struct group_patience {
    uint64_t deadline_ms;         /* monotonic */
    const atomic_bool *cancelled; /* may be NULL; looked at every second */
};

struct group_offset {
    char *topic;
    int32_t partition;
    int64_t offset; /* GROUP_OFFSET_NONE in kafka_group_offsets_set: forget it */
};

struct group_offsets {
    struct group_offset *items;
    size_t n_items;
};

/* group_offsets_set copies an offset in, replacing that of the same partition. */
void group_offsets_set(struct group_offsets *offsets, const char *topic, int32_t partition,
                       int64_t offset);
void group_offsets_fini(struct group_offsets *offsets);

/* kafka_group_offsets_get returns all committed offsets, sorted by topic and partition; none when
 * there is no such group. props as kafka_props_build makes them for KAFKA_CONNECTOR_ADMIN. */
enum err kafka_group_offsets_get(const struct kvs *props, const char *group,
                                 const struct group_patience *patience,
                                 struct group_offsets *ret_offsets,
                                 struct error *reterr) MUST_CHECK;
/* kafka_group_offsets_change commits or forgets the offsets of the named partitions; others stay.
 * After an error some may be changed. */
enum err kafka_group_offsets_change(const struct kvs *props, const char *group,
                                    const struct group_offsets *offsets,
                                    const struct group_patience *patience,
                                    struct error *reterr) MUST_CHECK;
/* kafka_group_delete deletes the group with all its offsets; one that is not there is fine. */
enum err kafka_group_delete(const struct kvs *props, const char *group,
                            const struct group_patience *patience, struct error *reterr) MUST_CHECK;
