/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kafka topics that a connector's tasks have used (Connect's active topics, KIP-558), as records
 * `status-topic-<topic>:connector-<c>` of the status topic say. Pure. Thread: the fold's belong to
 * the owner of the state; lists in snapshots may be read by any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/base/ref.h"

struct config_state;
struct entry;

/* One topic; immutable. */
struct topic_use {
    struct ref ref;
    char *name;
    int task;
    int64_t discovered_ms;
    int64_t offset; /* of its record; -1: foreseen, not read yet */
};

/* The topics of one connector, sorted by name; immutable once a snapshot shows it. */
struct topic_list {
    struct ref ref;
    struct topic_use **items;
    size_t n_items;
};

/* topic_list_find returns the topic, NULL if it is not in the list; list may be NULL. */
const struct topic_use *topic_list_find(const struct topic_list *list, const char *name);
/* topic_list_ref and topic_list_unref take NULL. Thread: any. */
struct topic_list *topic_list_ref(struct topic_list *list);
void topic_list_unref(struct topic_list *list);

/* config_state_uses tells whether the state knows that the connector has used the topic. */
bool config_state_uses(struct config_state *state, const char *connector, const char *topic);
/* config_state_topic_removals grows when a topic that was known is known no more. */
unsigned long config_state_topic_removals(const struct config_state *state);
