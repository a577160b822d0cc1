/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offsets of sinks: the consumer group's, asked of and told to Kafka directly, on the request's
 * thread and within its deadline. Thread: the request's.
 */
#pragma once

#include "rest/call.h"
#include "worker/base/err.h"

/* sink_offsets_get answers GET. */
enum err sink_offsets_get(struct call *call, const struct connector_state *connector);
/* sink_offsets_change answers PATCH, whose body was checked, and DELETE of a connector whose tasks
 * have stopped. */
enum err sink_offsets_change(struct call *call, const struct connector_state *connector);
/* sink_offsets_answer_zombies answers that tasks still live. */
void sink_offsets_answer_zombies(struct call *call);
/* answer_offsets_changed answers 200 with a message; format has %s for each "altered" or "reset".
 */
void answer_offsets_changed(struct call *call, const char *format);
