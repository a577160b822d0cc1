/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a run and its payloads, see plan.h. Pure; any thread.
 */
#include "tests/load/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/util.h"

#define HEADER_MAX 128
#define FILL_COUNT 90U
#define FILL                                                                                       \
    "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz"

/* Four times over, so that a stretch of three can start anywhere in the first. */
static const char fill_pattern[] = FILL FILL FILL FILL;
_Static_assert(sizeof(fill_pattern) == 4U * FILL_COUNT + 1U, "FILL has FILL_COUNT bytes");

struct plan plan_defaults(void)
{
    struct plan plan = { .run_id = NULL,
                         .prefix = "load/",
                         .publishers = 20,
                         .messages = 200000,
                         .topics = 10,
                         .size = 256 };
    return plan;
}

static int header_write(const struct plan *plan, const struct message_id *id, char *ret_header)
{
    return snprintf(ret_header, HEADER_MAX,
                    "SL1 %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 ";", plan->run_id,
                    id->publisher, id->topic, id->seq, id->sent_us);
}

bool plan_check(const struct plan *plan)
{
    if (plan->run_id == NULL) {
        complain("--run-id is missing: name the run, for example r1\n");
        return false;
    }
    if (!run_id_check(plan->run_id)) {
        return false;
    }
    if (strlen(plan->prefix) > PLAN_KEY_MAX - 64 || strpbrk(plan->prefix, "+#") != NULL) {
        complain("--prefix %s: give a topic start without + and #, such as load/\n", plan->prefix);
        return false;
    }
    char header[HEADER_MAX];
    struct message_id longest = { plan->publishers, plan->topics, plan->messages, wall_us() };
    int need = header_write(plan, &longest, header);
    if (need < 0 || (uint64_t)need > plan->size) {
        complain("--size %" PRIu64 ": the sequence header needs %d bytes: give "
                 "at least that\n",
                 plan->size, need);
        return false;
    }
    if (plan->messages < plan->publishers) {
        complain("--messages %" PRIu64 ": give at least one per publisher\n", plan->messages);
        return false;
    }
    return true;
}

uint64_t plan_share(const struct plan *plan, uint64_t publisher)
{
    uint64_t rest = plan->messages % plan->publishers;
    return plan->messages / plan->publishers + (publisher < rest ? 1 : 0);
}

uint64_t plan_base(const struct plan *plan, uint64_t publisher)
{
    uint64_t rest = plan->messages % plan->publishers;
    uint64_t extra = publisher < rest ? publisher : rest;
    return publisher * (plan->messages / plan->publishers) + extra;
}

struct message_id plan_message(const struct plan *plan, uint64_t publisher, uint64_t n)
{
    struct message_id id = {
        .publisher = publisher, .topic = n % plan->topics, .seq = n / plan->topics, .sent_us = 0
    };
    return id;
}

void plan_topic(const struct plan *plan, const struct message_id *id, char *ret_key)
{
    (void)snprintf(ret_key, PLAN_KEY_MAX, "%sp%" PRIu64 "/t%" PRIu64, plan->prefix, id->publisher,
                   id->topic);
}

/* The stretch of the pattern that byte `at` of a message starts; its length goes to ret_len. */
static const char *fill_stretch(const struct message_id *id, size_t at, size_t end, size_t *ret_len)
{
    size_t rest = end - at;
    *ret_len = rest < 3U * FILL_COUNT ? rest : 3U * FILL_COUNT;
    return &fill_pattern[(id->seq * 7U + id->publisher + at) % FILL_COUNT];
}

void payload_write(const struct plan *plan, const struct message_id *id, char *ret_buf)
{
    char header[HEADER_MAX];
    size_t len = (size_t)header_write(plan, id, header);
    memcpy(ret_buf, header, len);
    for (size_t at = len; at < plan->size; at += len) {
        const char *fill = fill_stretch(id, at, plan->size, &len);
        memcpy(ret_buf + at, fill, len);
    }
}

static bool fill_good(const struct message_id *id, const char *buf, size_t at, size_t end)
{
    size_t len = 0;
    for (; at < end; at += len) {
        const char *fill = fill_stretch(id, at, end, &len);
        if (memcmp(buf + at, fill, len) != 0) {
            return false;
        }
    }
    return true;
}

/* Reads one number that ends with the given character; NULL when there is none. */
static const char *read_number(const char *at, char end_with, uint64_t *ret_value)
{
    if (at == NULL || *at < '0' || *at > '9') {
        return NULL;
    }
    char *end = NULL;
    unsigned long long value = strtoull(at, &end, 10);
    if (*end != end_with) {
        return NULL;
    }
    *ret_value = value;
    return end + 1;
}

enum payload_state payload_read(const struct plan *plan, const char *buf, size_t len,
                                struct message_id *ret_id)
{
    if (len < 5 || memcmp(buf, "SL1 ", 4) != 0) {
        return PAYLOAD_ALIEN;
    }
    const char *run = buf + 4;
    size_t run_len = strlen(plan->run_id);
    const char *end = memchr(buf, ';', len < HEADER_MAX ? len : HEADER_MAX);
    if (end == NULL) {
        return PAYLOAD_ALIEN;
    }
    if ((size_t)(end - run) <= run_len || memcmp(run, plan->run_id, run_len) != 0 ||
        run[run_len] != ' ') {
        return PAYLOAD_FOREIGN;
    }
    struct message_id id = { 0 };
    const char *at = read_number(run + run_len + 1, ' ', &id.publisher);
    at = read_number(at, ' ', &id.topic);
    at = read_number(at, ' ', &id.seq);
    at = read_number(at, ';', &id.sent_us);
    if (at == NULL) {
        return PAYLOAD_ALIEN;
    }
    *ret_id = id;
    bool good = len == plan->size && fill_good(&id, buf, (size_t)(at - buf), len);
    return good ? PAYLOAD_OK : PAYLOAD_CORRUPT;
}
