/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of an MQTT session, for its own files: attempt.c, limits.c, subscribe.c, surplus.c. */
#pragma once

#include "worker/mqtt/session_internal.h"

/* subscribe_begin queues SUBSCRIBEs for the filters of the mode that holds. */
void subscribe_begin(struct mqtt_session *session);
/* subscribe_queue queues them for session->asked. */
void subscribe_queue(struct mqtt_session *session);
/* subscribe_fitting returns how many of the filters from `first` on go into one packet to this
 * broker; 0: not even the first. */
size_t subscribe_fitting(const struct mqtt_session *session, const struct config_list *filters,
                         size_t first);
/* subscribe_mode_list returns the filters of the mode that holds on this connection. */
const struct config_list *subscribe_mode_list(struct mqtt_session *session);
/* subscribe_handle takes a SUBACK. */
void subscribe_handle(struct mqtt_session *session, int id, const int *codes, int n_codes);
/* subscribe_nudge subscribes once more to what is granted, when a session of a share group has
 * heard nothing for a while. */
void subscribe_nudge(struct mqtt_session *session, uint64_t now_ms);
/* subscribe_complete tells whether all were granted. */
bool subscribe_complete(const struct mqtt_session *session);

/* What is not wanted any more (surplus.c). surplus_begin finds it among what was recorded, at the
 * start of a connection; surplus_granted goes on when the wanted filters are granted and tells the
 * owner; surplus_tick does what is due. */
void surplus_begin(struct mqtt_session *session);
void surplus_granted(struct mqtt_session *session, uint64_t now_ms);
void surplus_tick(struct mqtt_session *session, uint64_t now_ms, bool ready);
/* surplus_deadline returns when the next surplus_tick is due, UINT64_MAX if never. */
uint64_t surplus_deadline(const struct mqtt_session *session);
/* surplus_message, surplus_release and surplus_unsuback note what came and went. */
void surplus_message(struct mqtt_session *session, const char *topic);
void surplus_release(struct mqtt_session *session, uint64_t now_ms);
void surplus_unsuback(struct mqtt_session *session, int id);

/* attempt_begin starts an attempt; attempt_tick does what is due for it. */
void attempt_begin(struct mqtt_session *session, uint64_t now_ms);
void attempt_tick(struct mqtt_session *session, uint64_t now_ms, bool may_connect, bool ready);
/* limits_check looks at what a CONNACK allows. False: the session cannot work with it, ret_text
 * says why. What is merely less than was asked for goes to the log. */
bool limits_check(struct mqtt_session *session, char *ret_text, size_t size);
