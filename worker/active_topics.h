/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Kafka topics that one task uses, told to the cluster once each (KIP-558): a topic counts when
 * a record was written to it or read from it. A record costs a comparison with the topic of the
 * record before; the cluster is asked only when a topic is new, or after some topic was forgotten
 * there (a reset). Thread: the task's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "worker/runner.h"

/* More topics than these of one task are not tracked. */
#define ACTIVE_TOPICS_MAX 10000

struct active_topics;

enum active_topic_state {
    ACTIVE_TOPIC_SEEN, /* not used, or not since the cluster forgot it */
    ACTIVE_TOPIC_USED, /* used, and not told yet */
    ACTIVE_TOPIC_TOLD
};

/* One topic; lives as long as the set. */
struct active_topic {
    enum active_topic_state state;
    struct active_topics *owner;
    char name[];
};

/* active_topics_new makes the set of a task; NULL, which all functions take, when the port tracks
 * no topics. The port and connector are borrowed for its life. */
struct active_topics *active_topics_new(const struct offset_port *port, const char *connector,
                                        int task);
void active_topics_free(struct active_topics *topics);
/* active_topics_get returns the place of a topic; NULL when it is not tracked. */
struct active_topic *active_topics_get(struct active_topics *topics, const char *name);
/* active_topic_used notes that a record went through the topic; takes NULL. */
void active_topic_used(struct active_topic *topic);
/* active_topics_tell tells the cluster what it does not know; called once for a batch of records.
 */
void active_topics_tell(struct active_topics *topics);
