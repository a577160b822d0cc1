/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a task that are not done yet, and up to where each partition is. A partition's
 * position moves only over records that are done without a gap: this is the whole guarantee of the
 * sink. Records and partitions are reused, so that a message costs no allocation here. Thread: the
 * task's.
 */
#pragma once

#include "worker/active_topics.h"
#include "worker/base/trail.h"
#include "worker/kafka/consumer.h"
#include "worker/mqtt/publication.h"

struct backlog;

struct sink_partition {
    struct list link;
    struct kafka_partition *kafka;
    struct active_topic *topic; /* NULL: not tracked */
    struct list items;          /* in the order of offsets */
    int64_t position;           /* to be committed; -1: nothing was taken yet */
    int64_t taken;              /* behind the last record that was taken */
    int64_t committed;
    int64_t asked;   /* under way in a commit; -1: none */
    size_t n_flying; /* items that somebody else holds: the publisher, the producer */
    bool revoked;
};

struct sink_item {
    struct list link;
    struct sink_partition *partition; /* NULL: it is not ours any more */
    struct kafka_fetched fetched;
    struct mqtt_publication publication;
    struct buf topic;
    struct buf payload;                /* of a value that is no bytes */
    struct mqtt_user_property *extras; /* and the texts they point to, in one block; or NULL */
    struct mqtt_user_property trail_property;
    char trail[TRAIL_TEXT];
    size_t n_bytes;
    uint64_t taken_us;
    bool has_headers;
    bool flying;
    bool letter; /* flies to the dead letter queue */
    bool done;
};

struct backlog *backlog_new(void);
/* backlog_free frees everything, whoever holds it. Takes NULL. */
void backlog_free(struct backlog *backlog);

/* backlog_assigned makes a partition for kafka->owner; backlog_gone ends it: its items are dropped,
 * those that fly when they come back. */
struct sink_partition *backlog_assigned(struct backlog *backlog, struct kafka_partition *kafka);
void backlog_gone(struct backlog *backlog, struct sink_partition *partition);
/* backlog_restarted drops a partition's items likewise and forgets its position. */
void backlog_restarted(struct backlog *backlog, struct sink_partition *partition);
/* backlog_rewound drops likewise the items at and behind an offset, which come again. True: there
 * are some before it, and the position waits for them as before; false: nothing stands there. */
bool backlog_rewound(struct backlog *backlog, struct sink_partition *partition, int64_t offset);
/* backlog_partitions returns the list of partitions, by their link. */
struct list *backlog_partitions(struct backlog *backlog);

/* backlog_add takes over a record. The first one of a partition is its position until it is done: a
 * start that was committed is found again, where auto.offset.reset would look for another one. */
struct sink_item *backlog_add(struct backlog *backlog, const struct kafka_fetched *fetched,
                              uint64_t now_us);
/* backlog_fly notes that somebody else holds an item now; backlog_landed that it is back and not
 * done: it stays, and its partition does not move over it. An item of a partition that is gone is
 * freed. */
void backlog_fly(struct sink_item *item);
void backlog_landed(struct backlog *backlog, struct sink_item *item);
/* backlog_done notes that an item is done; it must not be used any more. */
void backlog_done(struct backlog *backlog, struct sink_item *item);

/* backlog_items and backlog_bytes return what is held. */
size_t backlog_items(const struct backlog *backlog);
size_t backlog_bytes(const struct backlog *backlog);
/* backlog_flying returns the number of items that fly; only those of revoked partitions, or all. */
size_t backlog_flying(const struct backlog *backlog, bool only_revoked);
/* backlog_uncommitted fills in the positions that moved since the last commit, only those of
 * revoked partitions or all, and notes them as under way. The owned array may be empty.
 * backlog_committed tells how that commit went. */
struct kafka_position *backlog_uncommitted(struct backlog *backlog, bool only_revoked,
                                           size_t *ret_n);
void backlog_committed(struct backlog *backlog, bool ok);
/* backlog_dirty tells whether a position moved since the last commit; only_revoked as above. */
bool backlog_dirty(const struct backlog *backlog, bool only_revoked);
