/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member of a consumer group that reads records and commits offsets when its owner says so. The
 * owner polls a descriptor, calls kafka_consumer_serve for everything but records, and takes
 * records when it has room: what it does not take stays in a bounded queue, and librdkafka stops
 * fetching. No call blocks but kafka_consumer_close. Thread: one, the owner's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/kafka/fetched.h"

struct kafka_consumer;

/* Where a partition is to go on: the offset behind the last record that is done. */
struct kafka_position {
    const struct kafka_partition *partition;
    int64_t offset;
};

/* Called within kafka_consumer_serve, take and close only. */
struct kafka_consumer_handlers {
    void *arg;
    void (*on_assigned)(void *arg, struct kafka_partition *partition);
    /* These go to another member, which waits until kafka_consumer_release. lost: they are somebody
     * else's already, nothing can be committed, and they are gone when this returns. */
    void (*on_revoked)(void *arg, struct kafka_partition *const *partitions, size_t n_partitions,
                       bool lost);
    /* Positions are not there any more and auto.offset.reset holds: of this partition, whose topic
     * was deleted and made again, so that what was taken of it means nothing; or, with NULL, of one
     * that the log tells of. */
    void (*on_reset)(void *arg, struct kafka_partition *partition);
    /* The outcome of kafka_consumer_commit; not within close, whose caller keeps no positions. */
    void (*on_committed)(void *arg, enum err err, const char *text);
    /* The group or a topic cannot be used, for good: text for people. */
    void (*on_error)(void *arg, enum err err, const char *text);
};

struct kafka_consumer_options {
    const struct kvs *props;          /* kafka_props_build(KAFKA_CONNECTOR_CONSUMER) */
    const char *group_id;             /* unless the properties name one */
    const char *client_id;            /* unless the properties name one */
    const struct config_list *topics; /* names */
    const char *pattern;              /* instead of topics: a regular expression of Java */
};

/* kafka_consumer_open joins the group. Errors: ERR_INVALID. */
enum err kafka_consumer_open(const struct kafka_consumer_options *options,
                             const struct kafka_consumer_handlers *handlers,
                             struct kafka_consumer **ret_consumer, struct error *reterr) MUST_CHECK;
/* kafka_consumer_close leaves the group and frees; what was fetched must be freed before. Commits
 * nothing. Waits timeout_ms at most: while Kafka does not answer, the rest is done on a thread of
 * its own, which leaves when Kafka answers, without a word to the owner. Takes NULL. on_revoked
 * comes for what is left. */
void kafka_consumer_close(struct kafka_consumer *consumer, int timeout_ms);
/* kafka_clients_linger tells whether clients are still there although their owners are done with
 * them. A process must end by _exit then: exit handlers would free what their threads use. Thread:
 * any. */
bool kafka_clients_linger(void);

/* kafka_consumer_fd returns an eventfd that becomes readable when there is something to serve or
 * take; kafka_consumer_clear reads it empty, before looking. */
int kafka_consumer_fd(const struct kafka_consumer *consumer);
void kafka_consumer_clear(struct kafka_consumer *consumer);
/* kafka_consumer_poll_every_ms returns how often kafka_consumer_serve must be called at least for
 * the group to take the member for alive. */
uint64_t kafka_consumer_poll_every_ms(const struct kafka_consumer *consumer);
/* kafka_consumer_serve handles what is not a record: assignments, commits, errors. */
void kafka_consumer_serve(struct kafka_consumer *consumer);
/* kafka_consumer_take hands out up to `max` (at most KAFKA_TAKE_MAX) records, each partition's in
 * order. ret_more: there may be more at once. */
#define KAFKA_TAKE_MAX 256
size_t kafka_consumer_take(struct kafka_consumer *consumer, struct kafka_fetched *ret_fetched,
                           size_t max, bool *ret_more);
/* kafka_consumer_may_commit tells whether a commit would be taken: not while this member joins the
 * group again, where a refused commit costs the assignment. The descriptor comes up when it may. */
bool kafka_consumer_may_commit(const struct kafka_consumer *consumer);
/* kafka_consumer_commit commits positions, but for those of partitions that turn out to be reset;
 * on_committed follows. One at a time. ERR_UNAVAILABLE: not now. */
enum err kafka_consumer_commit(struct kafka_consumer *consumer,
                               const struct kafka_position *positions, size_t n_positions,
                               struct error *reterr) MUST_CHECK;
/* kafka_consumer_release gives the revoked partitions up; they are gone when it returns. */
void kafka_consumer_release(struct kafka_consumer *consumer);
/* kafka_consumer_pause stops or resumes fetching; membership goes on. */
void kafka_consumer_pause(struct kafka_consumer *consumer, bool paused);
/* kafka_consumer_lag returns how many records of a partition lie at and behind `offset`, as far as
 * is known here; 0 if nothing is known. */
int64_t kafka_consumer_lag(const struct kafka_consumer *consumer,
                           const struct kafka_partition *partition, int64_t offset);
