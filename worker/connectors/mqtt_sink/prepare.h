/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record of Kafka to a message: converters, transforms, MQTT topic. One per task. Thread:
 * the task's.
 */
#pragma once

#include "worker/connectors/dead_letter.h"
#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/settings.h"

struct preparer;

/* preparer_new makes converters and transforms. */
enum err preparer_new(const struct task_context *context, const struct sink_settings *settings,
                      struct preparer **ret_preparer, struct error *reterr) MUST_CHECK;
void preparer_free(struct preparer *preparer);
/* Why a record is not published although nothing is wrong with it. */
enum prepare_result {
    PREPARE_SEND,
    PREPARE_DROP, /* by a transform, or a tombstone that is to be skipped */
    PREPARE_LOOP, /* it has been where it would go */
};

/* preparer_make fills in the item's publication and tells what is to become of it. ERR_INVALID: it
 * cannot be published, failure says why. */
enum err preparer_make(struct preparer *preparer, struct sink_item *item,
                       enum prepare_result *ret_result, struct failure *failure) MUST_CHECK;
