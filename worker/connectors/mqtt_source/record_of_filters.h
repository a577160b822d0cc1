/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is subscribed to, kept as its source offset, so that a later start knows what to
 * give up. Thread: the task's. */
#pragma once

#include <cjson/cJSON.h>

#include "worker/connector.h"

/* filters_load reads the filters recorded for a session; an empty list if there are none. */
void filters_load(struct task_control *control, const char *client_id,
                  struct config_list *ret_filters);
/* filters_store records them. */
void filters_store(struct task_control *control, const char *client_id,
                   const struct config_list *filters);
/* filters_check_offset tells whether partition and offset (NULL: to be forgotten) are what is
 * recorded: {"session":"<client id>"} and {"filters":["<filter>",...]}. ERR_INVALID with a text.
 * Pure. Thread: any. */
enum err filters_check_offset(const cJSON *partition, const cJSON *offset,
                              struct error *reterr) MUST_CHECK;
