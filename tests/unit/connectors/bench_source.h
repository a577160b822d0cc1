/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole MqttSource task between a scripted broker and a producer without Kafka. The task runs on
 * its own thread, as in the worker; everything here is the test's thread's.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "tests/fakes/kafka_producer.h"
#include "tests/support/fake_broker.h"
#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/connector.h"
#include "worker/runner.h"

#define SOURCE_PATIENCE_MS 20000
#define SOURCE_TASK        7 /* incarnation */

struct source_bench {
    struct fake_broker broker;
    struct runner *runner;
    struct kvs worker;
    struct kvs config;
    struct kvs *task_configs;
    size_t n_task_configs;
    atomic_int running;
    atomic_int paused;
    atomic_int failed;
    atomic_int stopped;
    atomic_int updated;
    atomic_int declined;
    char trace[1024]; /* of the failure; read after `failed` */
    pthread_mutex_t lock;
    char offset[256]; /* guarded by lock */
    /* what the broker saw */
    unsigned n_connects;
    unsigned n_subscribes;
    unsigned n_unsubscribes;
    char filters[512]; /* subscribed to, "+a ", and given up, "-a ", in order */
    unsigned n_disconnects;
    uint16_t acked[4096];
    size_t n_acked;
    bool present; /* what the next CONNACK says */
    bool mute;    /* an UNSUBSCRIBE is not answered */
};

#define SOURCE(test) cmocka_unit_test_setup_teardown(test, source_set_up, source_tear_down)

#define WAIT_FOR(f, condition)                                                                     \
    do {                                                                                           \
        uint64_t wait_deadline_ms = clock_mono_ms() + SOURCE_PATIENCE_MS;                          \
        while (!(condition)) {                                                                     \
            source_serve(f);                                                                       \
            if (clock_mono_ms() > wait_deadline_ms) {                                              \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
    } while (0)

int source_set_up(void **state);
int source_tear_down(void **state);
/* source_start starts task 0 of the config; source_started waits until it has subscribed. */
void source_start(struct source_bench *f, bool paused);
void source_started(struct source_bench *f);
/* source_accept waits for a connection that nobody answers, source_packet for a packet on it, and
 * source_greeted for a connection and its CONNECT. */
void source_accept(struct source_bench *f);
void source_packet(struct source_bench *f, enum packet_type type);
void source_greeted(struct source_bench *f);
/* source_serve takes one turn of an obedient broker. */
void source_serve(struct source_bench *f);
/* source_no_ack_for serves for a while in which nothing may be acknowledged. */
void source_no_ack_for(struct source_bench *f, unsigned ms);
void source_publish(struct source_bench *f, uint16_t id, bool duplicate, const char *text);
/* source_record_is asserts what the i-th record that was sent is. */
void source_record_is(size_t i, const char *topic, const char *value);
/* source_update hands the task the config as it is now. */
void source_update(struct source_bench *f, bool may_take, uint64_t deadline_ms);
double source_metric(enum metric_id id);
bool source_offset_is(struct source_bench *f, const char *text);
