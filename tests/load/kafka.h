/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few librdkafka calls that several commands share. Each command owns its client; main thread.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * kafka_client: a client from name, value pairs ended by NULL. Prints librdkafka's text and returns
 * NULL when it refuses. Caller destroys.
 */
rd_kafka_t *kafka_client(rd_kafka_type_t type, void *opaque, const char *const *settings,
                         void (*dr_msg_cb)(rd_kafka_t *, const rd_kafka_message_t *, void *));

/*
 * kafka_partitions: number of partitions of the topic, waiting until it exists or the monotonic
 * time deadline_us has passed; 0 then. Callbacks and consumer events are served meanwhile.
 */
int kafka_partitions(rd_kafka_t *rk, const char *topic, uint64_t deadline_us);

/*
 * kafka_await_logs: waits until the leader of each partition has made its log, as it is named
 * before that; false and a complaint when the monotonic time deadline_us has passed.
 */
bool kafka_await_logs(rd_kafka_t *rk, const char *topic, int n_partitions, uint64_t deadline_us);
