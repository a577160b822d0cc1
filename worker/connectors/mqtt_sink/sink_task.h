/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a sink's task share: mqtt_sink.c (life and loop), events.c (news of consumer,
 * publisher and dead letter queue). */
#pragma once

#include "worker/base/log.h"
#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/letters.h"
#include "worker/connectors/mqtt_sink/meter.h"
#include "worker/connectors/mqtt_sink/prepare.h"
#include "worker/connectors/mqtt_sink/settings.h"
#include "worker/mqtt/publisher.h"

#define SINK_CLASS "sluice.MqttSink"

struct sink_task {
    const struct task_context *context;
    struct sink_settings settings;
    struct preparer *preparer;
    struct backlog *backlog;
    struct kafka_consumer *consumer;
    struct mqtt_publisher *publisher;
    struct letters *letters; /* NULL: no dead letter queue */
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
    uint64_t offline_ms; /* since when there is no connection; 0: there is one */
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

/* sink_fail notes the first reason for which the task has to fail. */
void sink_fail(struct sink_task *task, enum err err, const char *text);
/* sink_handle_bad does with a record that cannot be published what errors.tolerance says. */
void sink_handle_bad(struct sink_task *task, struct sink_item *item, const struct failure *failure);
/* sink_committed notes the end of a commit. */
void sink_committed(struct sink_task *task, enum err err, const char *text);
/* sink_drop_partition forgets a partition and its records. */
void sink_drop_partition(struct sink_task *task, struct sink_partition *partition);
