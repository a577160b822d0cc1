/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of topic filters, topic names and share names (MQTT 5, 4.7 and 4.8). Pure. Thread: any. */
#pragma once

#include <stdbool.h>

#include "worker/base/err.h"

/* mqtt_filter_check tells whether text may be subscribed to, also in the form
 * $share/<group>/<filter>. Errors: ERR_INVALID with a reason. */
enum err mqtt_filter_check(const char *text, struct error *reterr) MUST_CHECK;
/* mqtt_filter_is_shared tells whether text already starts with $share/. */
bool mqtt_filter_is_shared(const char *text);
/* mqtt_share_group_check checks a share name: not empty, no '/', '+', '#', valid text. */
enum err mqtt_share_group_check(const char *text, struct error *reterr) MUST_CHECK;
/* mqtt_share_group_from returns an owned share name made of `text`: what a share name must not hold
 * is percent-encoded, so that different texts stay different. */
char *mqtt_share_group_from(const char *text);
/* mqtt_filter_shared returns the owned "$share/<group>/<filter>", a copy if it is shared already.
 */
char *mqtt_filter_shared(const char *group, const char *filter);
/* mqtt_text_check checks what every MQTT string must be: at most 65535 bytes of UTF-8 without
 * control characters. */
enum err mqtt_text_check(const char *text, struct error *reterr) MUST_CHECK;
