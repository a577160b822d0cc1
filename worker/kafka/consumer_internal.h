/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a consumer share: consumer.c (opening, group, records), consumer_commit.c (what
 * is committed, and whether the group still knows it), consumer_close.c (its end). */
#pragma once

#include <stdatomic.h>

#include "worker/base/log.h"
#include "worker/kafka/committed.h"
#include "worker/kafka/consumer.h"
#include "worker/kafka/rdkafka_util.h"

struct assigned {
    struct kafka_partition partition; /* topic is owned */
    rd_kafka_topic_t *handle;         /* of the last record; for the look-up only */
    int64_t committed;                /* what the group has; -1: nothing that is known */
    bool revoked;
};

struct kafka_consumer {
    rd_kafka_t *client;
    rd_kafka_queue_t *events;
    rd_kafka_queue_t *records;
    int event_fd;
    uint64_t poll_every_ms;
    int session_ms; /* how long the group misses a member that is silent */
    struct kafka_consumer_handlers handlers;
    struct assigned **assigned;
    size_t n_assigned;
    struct assigned *last;                     /* of the last record */
    struct topic_search *search;               /* NULL: the topics are named */
    rd_kafka_topic_partition_list_t *revoking; /* waits for kafka_consumer_release */
    bool paused;
    bool closing;
    bool had_assignment;
    bool undestroyable;              /* see rdk_is_member */
    rd_kafka_queue_t *closing_queue; /* of its close; NULL: that has not begun */
    atomic_bool joining;             /* librdkafka's thread -> owner: a commit would be refused */
    atomic_uint n_resets;        /* librdkafka's thread -> owner: positions that were not there */
    int64_t anew;                /* offset at which a topic begins by auto.offset.reset */
    struct committed *committed; /* asks what the group has committed */
    bool asking;                 /* an answer is to come */
    bool ask_again;              /* that answer is older than the commit that waits */
    uint64_t ask_ms;             /* when to ask at the latest */
    bool committing;             /* a commit is under way */
    rd_kafka_topic_partition_list_t *wanted; /* to be committed after the answer */
    struct log_limit error_limit;
};

/* consumer_find returns what is assigned of a partition; NULL: it is not. */
struct assigned *consumer_find(const struct kafka_consumer *consumer, const char *topic,
                               int32_t number);
/* consumer_free_assigned frees what was assigned. */
void consumer_free_assigned(struct assigned *assigned);
/* consumer_take_event handles an event that is no record, and destroys it. */
void consumer_take_event(struct kafka_consumer *consumer, rd_kafka_event_t *event);
/* consumer_report logs an error, if there is one, and destroys it. */
void consumer_report(const struct kafka_consumer *consumer, rd_kafka_error_t *error);
/* consumer_free frees a consumer, also a half-made one; blocks while Kafka owes an answer. Thread:
 * any, once the owner is done with it. */
void consumer_free(struct kafka_consumer *consumer);
/* consumer_offset_anew returns at which offset a topic that was made again is begun. */
int64_t consumer_offset_anew(const struct kvs *props);
/* consumer_follow_commits does what is due about commits: an answer that is there, a question. */
void consumer_follow_commits(struct kafka_consumer *consumer);
/* consumer_take_committed handles the answer to a commit. */
void consumer_take_committed(struct kafka_consumer *consumer, rd_kafka_event_t *event);
