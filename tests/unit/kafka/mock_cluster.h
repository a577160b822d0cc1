/* SPDX-License-Identifier: Apache-2.0 */
/*
 * librdkafka's mock cluster for the tests of this folder: brokers inside the test's process that
 * speak Kafka's protocol on loopback, and errors on demand. Thread: the test's.
 */
#pragma once

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/support/unit.h"
#include "worker/base/clock.h"
#include "worker/base/mem.h"
#include "worker/kafka/props.h"

/* How long a test waits for what must happen; far beyond what it takes. */
#define PATIENCE_MS 20000

struct mock {
    rd_kafka_t *client; /* hosts the brokers */
    rd_kafka_mock_cluster_t *cluster;
};

static inline void mock_open(struct mock *mock, int n_brokers)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* Errors on demand are for the code under test, not for the host. */
    (void)rd_kafka_conf_set(conf, "client.id", "host", text, sizeof(text));
    mock->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(mock->client);
    mock->cluster = rd_kafka_mock_cluster_new(mock->client, n_brokers);
    assert_non_null(mock->cluster);
}

static inline void mock_close(struct mock *mock)
{
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->client);
}

/* Properties of a role for clients of the mock cluster. */
static inline void mock_props(const struct mock *mock, enum kafka_role role, struct kvs *props)
{
    CLEANUP(kvs_fini) struct kvs worker;
    struct error error;
    kvs_init(&worker);
    kvs_set(&worker, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(mock->cluster));
    assert_int_equal(kafka_props_build(role, &worker, NULL, props, NULL, &error), ERR_OK);
}

/* Waits until the eventfd is written and takes what it says; false when patience ends. */
static inline bool await_event(int fd, eventfd_t *ret_value)
{
    struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
    return poll(&poll_fd, 1, PATIENCE_MS) == 1 && eventfd_read(fd, ret_value) == 0;
}
