/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MQTT topic of a record, from a template: text with {topic}, {partition}, {key},
 * {header.<name>} and {value.<field>.<field>} in it. Thread: the owner's.
 */
#pragma once

#include "worker/base/buf.h"
#include "worker/base/err.h"
#include "worker/record.h"

struct topic_template;

/* topic_template_new parses a template. Errors: ERR_INVALID with a reason. */
enum err topic_template_new(const char *text, struct topic_template **ret_template,
                            struct error *reterr) MUST_CHECK;
void topic_template_free(struct topic_template *template);
/* topic_template_make appends the topic of a record to out. ERR_INVALID: the record lacks
 * something, or the outcome is no topic name (MQTT 5, 4.7). */
enum err topic_template_make(const struct topic_template *template,
                             const struct connect_record *record, struct buf *out,
                             struct error *reterr) MUST_CHECK;
