/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all Kafka clients of this folder share: opening one from properties, librdkafka's errors in
 * the project's terms, librdkafka's log lines through the project's log. Private to this folder.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/map.h"

/* rdk_conf_new makes a librdkafka configuration with the logging set up. ret_conf is owned: hand it
 * to rdk_client_new or rd_kafka_conf_destroy. Errors: ERR_INVALID for what librdkafka refuses, in
 * Connect's words. Thread: any. */
enum err rdk_conf_new(const struct kvs *props, rd_kafka_conf_t **ret_conf,
                      struct error *reterr) MUST_CHECK;
/* rdk_conf_set sets one property of the code's own choice (ASSERTs that librdkafka takes it). */
void rdk_conf_set(rd_kafka_conf_t *conf, const char *key, const char *value);
void rdk_conf_set_int(rd_kafka_conf_t *conf, const char *key, long long value);

/* rdk_client_new opens a client and takes conf in any case. Errors: ERR_INVALID. */
enum err rdk_client_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret_client,
                        struct error *reterr) MUST_CHECK;
/* rdk_client_try tells whether rdk_client_new would open one, and takes conf in any case. Fetches
 * no token. Errors: ERR_INVALID. */
enum err rdk_client_try(rd_kafka_type_t type, rd_kafka_conf_t *conf,
                        struct error *reterr) MUST_CHECK;

/* rdk_err maps a librdkafka code to the project's, as producer.h describes it. Thread: any. */
enum err rdk_err(rd_kafka_resp_err_t code);
/* rdk_error_take sets reterr from an error object, destroys it and returns its code mapped. */
enum err rdk_error_take(rd_kafka_error_t *error, struct error *reterr);
/* rdk_is_acked tells whether a broker has acknowledged a record that a delivery report calls
 * written. An idempotent producer of librdkafka also calls written what failed, as soon as a later
 * record of the partition is taken: a broker that knows the producer takes none out of turn. One
 * that does not know it yet does: where the log of a new partition is made between two requests,
 * the first is refused, the second taken, and the first one's records are nowhere. Such a report
 * names no broker. Thread: the report's. */
static inline bool rdk_is_acked(const rd_kafka_message_t *message)
{
    return rd_kafka_message_broker_id(message) >= 0;
}
/* rdk_log writes a line of librdkafka's to our log; a client's log callback. Thread: any. */
void rdk_log(const rd_kafka_t *client, int level, const char *kind, const char *text);
/* rdk_report logs an error event of a client, limited to one line per kind and some seconds. */
void rdk_report(const rd_kafka_t *client, rd_kafka_resp_err_t code, const char *reason);
/* rdk_topic returns the handle of a topic, made at the first call and kept in topics (name ->
 * handle): making a handle is what sends librdkafka for the topic's leader at once, while producing
 * by name waits for the next scan, up to a second. NULL when librdkafka refuses the name. */
rd_kafka_topic_t *rdk_topic(rd_kafka_t *client, struct map *topics, const char *name);
/* rdk_topics_fini gives all handles back. */
void rdk_topics_fini(struct map *topics);
/* rdk_mem returns a pointer that librdkafka's API takes without const although it only reads. */
void *rdk_mem(const void *bytes);
/* rdk_hopeless returns the meaning of a member's error after which waiting does not help, ERR_OK
 * for any other. Pure. */
enum err rdk_hopeless(rd_kafka_resp_err_t code);
/* rdk_is_member tells whether the group has taken the consumer in, even if it has not assigned
 * anything yet. A member in between must not be destroyed: librdkafka (2.0.2) aborts the process.
 * Whoever closes one lets it leave the group, keeps what its callbacks use, and gives it up by
 * rdk_give_up: idle threads stay. Thread: the consumer's. */
bool rdk_is_member(rd_kafka_t *client);
/* rdk_leave_empty makes a member that has been assigned nothing leave its group. A close alone
 * (2.0.2, cooperative) forgets it there until its session times out, and no rebalance ends before.
 * True: it leaves, once a join that is under way has ended; the caller goes on serving events and
 * closes when rdk_is_member says no. False: it has partitions, or is no member. Thread: the
 * consumer's. */
bool rdk_leave_empty(rd_kafka_t *client);
void rdk_give_up(const rd_kafka_t *client);
/* rdk_lingering changes and returns the number of clients that are still there although their
 * owners are done with them. Thread: any. */
int rdk_lingering(int change);
