/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topics that a source connector may make (topic.creation.*, KIP-158): which group of settings a
 * topic's name belongs to, and making it before its first record. One per task. Thread: the task's.
 */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/err.h"
#include "worker/base/kvs.h"
#include "worker/base/log.h"

#define TOPIC_CREATION_PREFIX  "topic.creation."
#define TOPIC_CREATION_DEFAULT "default"

struct topic_creation;

/* topic_creation_open reads the rules of a connector's config, which has been validated.
 * *ret_creation is NULL when the connector has none, or the worker's topic.creation.enable is
 * false: topics are then whatever the broker makes of them. ERR_INVALID names key and value. */
enum err topic_creation_open(const struct kvs *worker_props, const struct kvs *config,
                             struct topic_creation **ret_creation, struct error *reterr) MUST_CHECK;
/* topic_creation_close releases it; NULL is fine. */
void topic_creation_close(struct topic_creation *creation);

/* topic_creation_ensure makes the topic by the first group that its name belongs to, unless it is
 * there. A topic is looked for once; creation NULL does nothing. Blocks up to three seconds, once
 * for each topic; after a time-out it answers the same at once for two seconds. Errors:
 * ERR_TIMEOUT: Kafka did not answer, may be tried again; ERR_INVALID and ERR_UNAUTHORIZED: the
 * topic cannot be made, the text says why and how to mend it. */
enum err topic_creation_ensure(struct topic_creation *creation, const char *topic,
                               const struct log_ctx *log, struct error *reterr) MUST_CHECK;

/* What a topic is made with. */
struct topic_rule {
    const char *group;
    int partitions;
    int replication_factor;
    const struct kvs *settings;
};

/* topic_creation_rule finds the rule of a topic; valid as long as creation. ERR_INVALID: a pattern
 * could not be matched. */
enum err topic_creation_rule(const struct topic_creation *creation, const char *topic,
                             struct topic_rule *ret_rule, struct error *reterr) MUST_CHECK;
/* topic_creation_group_of tells whether key is topic.creation.<group>.<name>: the group's length,
 * from the 15th character of key on, and the name behind it; 0 if it is not. Pure. */
size_t topic_creation_group_of(const char *key, const char **ret_name);
