/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks what a group has committed for partitions. librdkafka's question blocks, so it has a thread
 * of its own, which sleeps between questions. Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct committed;

/* committed_start makes the thread. client is a member of the group and outlives it; event_fd is
 * written when an answer is there. */
struct committed *committed_start(rd_kafka_t *client, int event_fd);
/* committed_stop ends the thread, which may take as long as one question: a second. Takes NULL. */
void committed_stop(struct committed *committed);
/* committed_ask asks about partitions; the list is taken over. Only while nothing is asked. */
void committed_ask(struct committed *committed, rd_kafka_topic_partition_list_t *list);
/* committed_take hands an answer over: false, there is none yet. ret_list is the caller's, NULL if
 * Kafka did not answer in time. An offset of RD_KAFKA_OFFSET_INVALID: nothing is committed. Thread:
 * the one that asked. */
bool committed_take(struct committed *committed, rd_kafka_topic_partition_list_t **ret_list);
