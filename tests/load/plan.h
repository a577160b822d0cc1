/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a run: how many messages which publisher sends to which topic, and how a message
 * looks on the wire. Publisher and verifier are given the same numbers and so agree on what must
 * arrive without talking to each other. No state beyond the plan itself; any thread.
 *
 * Message n (0, 1, ...) of a publisher goes to its topic n mod K with sequence n div K. The payload
 * starts with "SL1 run publisher topic sequence time;" (time: microseconds since 1970) and is
 * filled up to its size with bytes that follow from the sequence, so that damage shows.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_KEY_MAX 512

struct plan {
    const char *run_id;
    const char *prefix;  /* of the MQTT topics: <prefix>p<publisher>/t<topic> */
    uint64_t publishers; /* at least 1 */
    uint64_t messages;   /* of all publishers together */
    uint64_t topics;     /* per publisher, at least 1 */
    uint64_t size;       /* payload bytes */
};

struct message_id {
    uint64_t publisher;
    uint64_t topic;
    uint64_t seq;
    uint64_t sent_us;
};

enum payload_state {
    PAYLOAD_OK,
    PAYLOAD_ALIEN,   /* not written by this tool */
    PAYLOAD_FOREIGN, /* of another run */
    PAYLOAD_CORRUPT  /* of this run, but not as sent */
};

/* The option rows that fill a plan; put them into a command's table. */
#define PLAN_ROWS(plan)                                                                                 \
    {                                                                                                   \
        "--run-id", OPTION_STRING, &(plan).run_id, 0, 0, false, "name of the run, kept apart by it"     \
    },                                                                                                  \
        { "--prefix", OPTION_STRING, &(plan).prefix, 0, 0, false, "start of the MQTT topics" },         \
        { "--publishers", OPTION_NUMBER, &(plan).publishers, 1, 10000, false, "number of publishers" }, \
        { "--messages",                                                                                 \
          OPTION_NUMBER,                                                                                \
          &(plan).messages,                                                                             \
          1,                                                                                            \
          1000000000,                                                                                   \
          false,                                                                                        \
          "messages of all publishers together" },                                                      \
        { "--topics-per-publisher",                                                                     \
          OPTION_NUMBER,                                                                                \
          &(plan).topics,                                                                               \
          1,                                                                                            \
          100000,                                                                                       \
          false,                                                                                        \
          "topics that each publisher writes to in turn" },                                             \
    {                                                                                                   \
        "--size", OPTION_NUMBER, &(plan).size, 1, 268435455, false, "payload bytes"                     \
    }

/* plan_defaults: the plan of the acceptance test; run_id stays NULL. */
struct plan plan_defaults(void);

/* plan_check: whether the plan can be carried out; if not, prints option and mend. */
bool plan_check(const struct plan *plan);

/* plan_share: how many messages this publisher sends. */
uint64_t plan_share(const struct plan *plan, uint64_t publisher);

/* plan_base: messages of all publishers before this one, so base + n numbers the whole run. */
uint64_t plan_base(const struct plan *plan, uint64_t publisher);

/* plan_message: which topic and sequence message n of a publisher has; sent_us is 0. */
struct message_id plan_message(const struct plan *plan, uint64_t publisher, uint64_t n);

/* plan_topic: writes the MQTT topic of a message into key[PLAN_KEY_MAX]. */
void plan_topic(const struct plan *plan, const struct message_id *id, char *ret_key);

/* payload_write: fills buf[plan->size] with the message. */
void payload_write(const struct plan *plan, const struct message_id *id, char *ret_buf);

/* payload_read: reads a payload back; *ret_id is written for PAYLOAD_OK and PAYLOAD_CORRUPT. */
enum payload_state payload_read(const struct plan *plan, const char *buf, size_t len,
                                struct message_id *ret_id);
