/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is in the group, as its coordinator tells. A file of its own so that tests can put a fake in
 * its place: librdkafka's mock cluster cannot describe groups. Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "worker/kafka/group.h"

enum group_answer {
    GROUP_STABLE,   /* on_members was called */
    GROUP_CHANGING, /* a rebalance goes on: ask again soon */
    GROUP_NO_ANSWER /* ask again later */
};

/*
 * group_members_ask sends the question; the answer comes to queue as one event of type
 * RD_KAFKA_EVENT_DESCRIBECONSUMERGROUPS_RESULT, at the latest when the group's coordinator can be
 * reached again.
 */
void group_members_ask(rd_kafka_t *client, const char *group_id, rd_kafka_queue_t *queue);
/* group_members_take reads the answer and tells the members of a stable group. The event stays the
 * caller's. */
enum group_answer group_members_take(rd_kafka_event_t *event, const char *topic,
                                     const struct group_callbacks *callbacks);

/* group_members_find tells whether a member with this group.instance.id is in the group, in any
 * state of it, also one that does not exist: GROUP_STABLE or GROUP_NO_ANSWER. The event stays the
 * caller's. */
enum group_answer group_members_find(rd_kafka_event_t *event, const char *instance_id,
                                     bool *ret_found);

/* group_slots returns the partitions of topic in list (NULL: none), owned; n_slots may be 0. */
int32_t *group_slots(const rd_kafka_topic_partition_list_t *list, const char *topic,
                     size_t *ret_n_slots);
