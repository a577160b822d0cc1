/* SPDX-License-Identifier: Apache-2.0 */
/* The domains of a connector's two ends, for loop protection. Thread: the owner's. */
#pragma once

#include "worker/base/config_def.h"
#include "worker/base/trail.h"
#include "worker/mqtt/uri.h"

struct loop_guard {
    bool on;
    uint64_t mqtt;  /* domain of the broker */
    uint64_t kafka; /* domain of the cluster */
};

/* loop_guard_read reads mqtt.loop.protection and mqtt.loop.broker, whose default is the addresses
 * of the broker in any order. The Kafka cluster is named by the worker's bootstrap.servers. */
void loop_guard_read(const struct config_table *table, const struct kvs *config,
                     const struct mqtt_uris *uris, const struct kvs *worker_props,
                     struct loop_guard *ret_guard);
