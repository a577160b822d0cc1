/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load mock: librdkafka's mock cluster as a process of its own, so that the checks of this
 * tool can be tested without a Kafka. Small: a partition keeps at most 5 MB. Main thread;
 * librdkafka serves the brokers from its own.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/load/commands.h"
#include "tests/load/kafka.h"
#include "tests/load/options.h"
#include "tests/load/util.h"

/* Returns when the other end of stdin is closed. */
static void wait_for_stdin_end(void)
{
    char buf[256];
    while (read(STDIN_FILENO, buf, sizeof(buf)) > 0) {
    }
}

int command_mock(int argc, char **argv)
{
    uint64_t brokers = 1;
    uint64_t partitions = 4;
    const char *topic = NULL;
    const struct option_row rows[] = {
        { "--brokers", OPTION_NUMBER, &brokers, 1, 9, false, "number of mock brokers" },
        { "--topic", OPTION_STRING, &topic, 0, 0, false, "create this topic at once" },
        { "--partitions", OPTION_NUMBER, &partitions, 1, 100, false, "of that topic" },
    };
    const struct option_table table = {
        "mock",
        "Runs a mock cluster on loopback, prints its address, ends when stdin ends.",
        rows,
        sizeof(rows) / sizeof(rows[0]),
    };
    int code = LOAD_ERROR;
    if (!options_parse(&table, argc, argv, &code)) {
        return code;
    }
    const char *const settings[] = { "client.id", "sluice-load-mock", "log_level", "2", NULL };
    rd_kafka_t *rk = kafka_client(RD_KAFKA_PRODUCER, NULL, settings, NULL);
    if (rk == NULL) {
        return LOAD_ERROR;
    }
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, (int)brokers);
    if (cluster == NULL) {
        complain("no free loopback port for the mock cluster\n");
        rd_kafka_destroy(rk);
        return LOAD_ERROR;
    }
    if (topic != NULL) {
        (void)rd_kafka_mock_topic_create(cluster, topic, (int)partitions, 1);
    }
    printf("{\"command\":\"mock\",\"bootstrap\":\"%s\"}\n",
           rd_kafka_mock_cluster_bootstraps(cluster));
    (void)fflush(stdout);
    wait_for_stdin_end();
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(rk);
    return LOAD_OK;
}
