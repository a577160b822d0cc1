/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a record's headers say about its message: MQTT 5 properties, QoS and retain flag of one
 * message, user properties, and the trail of loop protection. Thread: the task's.
 */
#pragma once

#include "worker/connectors/mqtt_sink/backlog.h"
#include "worker/connectors/mqtt_sink/settings.h"

/* extras_add fills in the publication of an item from the settings and its record's headers.
 * ret_keep false: it has been where it would go. Errors: ERR_INVALID naming the header. */
enum err extras_add(const struct sink_settings *settings, const struct connect_record *record,
                    struct sink_item *item, bool *ret_keep, struct error *reterr) MUST_CHECK;
