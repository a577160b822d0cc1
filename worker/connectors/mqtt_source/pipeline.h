/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an MQTT message to a record in Kafka's hands: transforms, converters, producer, and what
 * becomes of a record that cannot be written. One per task. Thread: the task's.
 */
#pragma once

#include "worker/connectors/mqtt_source/settings.h"
#include "worker/connectors/mqtt_source/window.h"

struct pipeline;

enum pipeline_result {
    PIPELINE_SENT,         /* on its way, or dropped on purpose */
    PIPELINE_BUSY,         /* the producer's queue is full: send it again a little later */
    PIPELINE_NEW_PRODUCER, /* the producer failed: pipeline_renew; reterr says why */
    PIPELINE_SUSPECTS,     /* refused records of which there are no copies; reterr says why */
    PIPELINE_FAILED,       /* the task has to fail; reterr says why */
};

/* pipeline_open makes converters, transforms and takes the producer. */
enum err pipeline_open(const struct task_context *context, const struct source_settings *settings,
                       struct pipeline **ret_pipeline, struct error *reterr) MUST_CHECK;
void pipeline_close(struct pipeline *pipeline);
/* pipeline_keep goes on with other copies of the context and of settings that mean the same to it.
 */
void pipeline_keep(struct pipeline *pipeline, const struct task_context *context,
                   const struct source_settings *settings);

/* pipeline_send converts message and sends it, counted in window. A record that cannot be written
 * follows errors.tolerance. */
enum pipeline_result pipeline_send(struct pipeline *pipeline, const struct mqtt_message *message,
                                   struct window *window, struct error *reterr);
/* pipeline_review looks at the failed reports of a window in which nothing is undelivered. SENT:
 * everything is delivered, or on its way to the dead letter queue; NEW_PRODUCER: some records have
 * to come again from the broker; SUSPECTS: the same, and the next window needs copies. */
enum pipeline_result pipeline_review(struct pipeline *pipeline, struct window *window,
                                     struct error *reterr);
/* pipeline_producer_dead tells whether the producer can send no more. */
bool pipeline_producer_dead(const struct pipeline *pipeline);
/* pipeline_renew replaces a dead producer; a living one stays. */
enum err pipeline_renew(struct pipeline *pipeline, struct error *reterr) MUST_CHECK;
