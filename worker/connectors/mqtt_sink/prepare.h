/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record of Kafka to a message: converters, transforms, MQTT topic. One per task. Thread:
 * the task's.
 */
#pragma once

#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/settings.h"

struct preparer;

/* What went wrong, and where. */
struct sink_failure {
    const char *stage;      /* Connect's stage, e.g. VALUE_CONVERTER */
    const char *class_name; /* of the part that failed */
    struct error error;
};

/* preparer_new makes converters and transforms. */
enum err preparer_new(const struct task_context *context, const struct sink_settings *settings,
                      struct preparer **ret_preparer, struct error *reterr) MUST_CHECK;
void preparer_free(struct preparer *preparer);
/* preparer_make fills in the item's publication. ret_keep false: the record is passed over on
 * purpose. ERR_INVALID: it cannot be published, failure says why. */
enum err preparer_make(struct preparer *preparer, struct sink_item *item, bool *ret_keep,
                       struct sink_failure *failure) MUST_CHECK;
