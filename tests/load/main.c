/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-load: loads an MQTT broker, checks what arrives in Kafka and measures the floors that a
 * bridge between them can be compared with. This file only finds the command; main thread.
 */
#include <mosquitto.h>
#include <stdio.h>
#include <string.h>

#include "tests/load/commands.h"
#include "tests/load/util.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *doc;
};

static const struct command commands[] = {
    { "publish", command_publish, "publish a run to MQTT at QoS 1; sent means PUBACK is in" },
    { "verify", command_verify, "read a run back from Kafka and account for every message" },
    { "prepare", command_prepare, "make or end persistent MQTT sessions" },
    { "drain", command_drain, "floor: take queued messages out of MQTT sessions, ack at once" },
    { "produce", command_produce, "floor: produce a run straight to Kafka" },
    { "watch", command_watch, "wait until a Kafka topic holds so many records" },
    { "topic", command_topic, "create a Kafka topic" },
    { "http", command_http, "GET again and again over many connections; latency of the answers" },
    { "mock", command_mock, "run librdkafka's mock cluster until stdin ends" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
    (void)fprintf(
        out, "usage: sluice-load COMMAND [options]; sluice-load COMMAND --help\n\ncommands:\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].doc);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return LOAD_ERROR;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return LOAD_OK;
    }
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            (void)mosquitto_lib_init();
            int code = commands[i].run(argc - 2, argv + 2);
            (void)mosquitto_lib_cleanup();
            return code;
        }
    }
    complain("unknown command %s: see sluice-load --help\n", argv[1]);
    return LOAD_ERROR;
}
