/* SPDX-License-Identifier: Apache-2.0 */
/* What a session is subscribed to, kept as its source offset, so that a later start knows what to
 * give up. Thread: the task's. */
#pragma once

#include <cjson/cJSON.h>

#include "worker/connector.h"
#include "worker/connectors/mqtt_source/settings.h"

/* filters_load reads the filters recorded for a session, and those of them that it may have lost
 * since, as they were being given up; empty lists if there are none; at which broker (as
 * mqtt_uris_text writes it; NULL: nobody says); and at which other one it has begun anew, while it
 * moves there. All are owned. */
void filters_load(struct task_control *control, const char *client_id,
                  struct config_list *ret_filters, struct config_list *ret_leaving,
                  char **ret_broker, char **ret_begun);
/* filters_may_go tells whether a filter that session k gives up (recorded: all that it holds) is
 * safe with the connector: not wanted any more, or subscribed to by whoever is to have it now.
 * Until then the two of them rather double it. */
bool filters_may_go(struct task_control *control, const struct source_settings *settings, int k,
                    const struct config_list *recorded, const char *filter);
/* filters_may_retire tells the same for a session that is given up for good and has no number: a
 * filter that is wanted, shared or not, must be subscribed to by one of the connector's. */
bool filters_may_retire(struct task_control *control, const struct source_settings *settings,
                        const char *filter);
/* filters_known tells whether anything is recorded for a session; filters_forget removes it. */
bool filters_known(struct task_control *control, const char *client_id);
void filters_forget(struct task_control *control, const char *client_id);
/* filters_store records them. */
void filters_store(struct task_control *control, const char *client_id,
                   const struct config_list *filters, const struct config_list *leaving,
                   const char *broker, const char *begun);
/* filters_check_offset tells whether partition and offset (NULL: to be forgotten) are what is
 * recorded: {"session":"<client id>"} and {"filters":["<filter>",...],"leaving":[...],
 * "broker":"<addresses>","begun":"<addresses>"}, where leaving names what is being given up; the
 * last three may be missing. ERR_INVALID with a text. Pure. Thread: any. */
enum err filters_check_offset(const cJSON *partition, const cJSON *offset,
                              struct error *reterr) MUST_CHECK;
