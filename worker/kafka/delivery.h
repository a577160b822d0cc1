/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The poll thread of one producer: takes delivery reports in batches, writes outcomes into flights,
 * counts them into trackers. Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>

#include "worker/kafka/producer.h"

struct delivery;

/* delivery_start starts the thread for a client that was opened with the events DR and ERROR. */
struct delivery *delivery_start(rd_kafka_t *client);
/* delivery_stop purges what is queued, reports it, ends the thread and frees. The client stays the
 * caller's. Takes NULL. */
void delivery_stop(struct delivery *delivery);
/* delivery_reachable tells whether no news says that all brokers are away. Thread: any. */
bool delivery_reachable(const struct delivery *delivery);

/* tracker_take counts a record in before it is handed to librdkafka, and returns how many were in
 * before; tracker_give_back counts one out that librdkafka refused. The owner is at work then and
 * is not woken for it: only if there were others, and the last of them was reported meanwhile.
 * Thread: the owner's. */
uint32_t tracker_take(struct kafka_tracker *tracker);
void tracker_give_back(struct kafka_tracker *tracker, uint32_t n_before);
/* tracker_release counts n records out and wakes the owner when none is left. Thread: any. */
void tracker_release(struct kafka_tracker *tracker, uint32_t n);
