/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a sink's task share: mqtt_sink.c (life and loop), events.c (news of consumer,
 * publisher and dead letter queue), change.c (a new config). */
#pragma once

#include "worker/base/log.h"
#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/letters.h"
#include "worker/connectors/mqtt_sink/meter.h"
#include "worker/connectors/mqtt_sink/prepare.h"
#include "worker/connectors/mqtt_sink/settings.h"
#include "worker/mqtt/publisher.h"

#define SINK_CLASS "sluice.MqttSink"

/* A config that the task is to go over to. */
struct sink_next {
    struct sink_settings settings;
    struct preparer *preparer;
    unsigned costs; /* CONFIG_COST_BIT */
};

struct sink_task {
    const struct task_context *context;
    struct sink_settings settings;
    struct preparer *preparer;
    struct backlog *backlog;
    struct kafka_consumer *consumer;
    struct mqtt_publisher *publisher;
    struct letters *letters; /* NULL: no dead letter queue */
    struct sink_next *next;  /* NULL: none waits */
    struct meter meter;
    struct kafka_fetched *fetched; /* KAFKA_TAKE_MAX */
    bool more;                     /* records may wait that no descriptor tells of */
    bool paused;
    bool reported_paused;
    bool reported_running;
    bool revoking; /* partitions wait to be released */
    uint64_t revoke_deadline_ms;
    bool committing;     /* a commit is under way */
    size_t n_gone;       /* partitions of that commit that are gone */
    uint64_t commit_ms;  /* when the last one began */
    uint64_t again_ms;   /* no commit before, as the last one failed */
    uint64_t failing_ms; /* since when there ought to be a connection and is none; 0: all is well */
    bool qos_warned;
    uint64_t n_done;
    uint64_t end_ms; /* when the task ends at the latest; UINT64_MAX: it goes on */
    bool failed;
    struct error error;
    struct log_limit error_limit;
    struct log_limit skip_limit;
    struct log_limit commit_limit;
};

/* events_* hand the handlers of the task's parts out, for their making. */
struct mqtt_publisher_handlers events_of_publisher(struct sink_task *task);
struct kafka_consumer_handlers events_of_consumer(struct sink_task *task);
struct letters_handlers events_of_letters(struct sink_task *task);

/* sink_open_publisher makes the publisher as the settings say. */
void sink_open_publisher(struct sink_task *task);
/* change_step goes on with a new config that waits, if there is one; change_holds tells that no
 * record is to be taken until then, change_deadline when it is due; change_end gives it up. */
void change_step(struct sink_task *task, bool stopping, uint64_t now_ms);
bool change_holds(const struct sink_task *task);
void change_end(struct sink_task *task);
uint64_t change_deadline(const struct sink_task *task);

/* sink_fail notes the first reason for which the task has to fail. */
void sink_fail(struct sink_task *task, enum err err, const char *text);
/* sink_handle_bad does with a record that cannot be published what errors.tolerance says. */
void sink_handle_bad(struct sink_task *task, struct sink_item *item, const struct failure *failure);
/* sink_committed notes the end of a commit. */
void sink_committed(struct sink_task *task, enum err err, const char *text);
/* sink_drop_partition forgets a partition and its records. */
void sink_drop_partition(struct sink_task *task, struct sink_partition *partition);
/* sink_restart_partition forgets the records of a partition whose offsets begin again, and its
 * position. */
void sink_restart_partition(struct sink_task *task, struct sink_partition *partition);
