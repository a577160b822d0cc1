/* SPDX-License-Identifier: Apache-2.0 */
/* What a broker allows by its CONNACK (MQTT 5, 3.2.2.3), and what that means for a session that
 * reads. See session_steps.h. */
#include <string.h>

#include "worker/mqtt/session_steps.h"

static const char *first_wildcard(const struct config_list *filters)
{
    for (size_t i = 0; filters && i < filters->n_items; i++) {
        if (strpbrk(filters->items[i], "+#")) {
            return filters->items[i];
        }
    }
    return NULL;
}

/* The broker may shorten the life of the session; with 0 it ends with the connection. */
static void check_expiry(struct mqtt_session *session)
{
    const struct mqtt_options *options = session->options;
    uint32_t expiry_s = session->connack.expiry_s;
    if (!session->v5 || options->clean || session->connack.expiry_lowered == session->expiry_told) {
        return;
    }
    session->expiry_told = session->connack.expiry_lowered;
    if (session->expiry_told) {
        log_warn(options->log, "MQTT-EXPIRY-LOWERED",
                 "session=\"%s\" asked_s=%u granted_s=%u risk=\"what is queued for the session is "
                 "lost when no connection stands for longer than that\"",
                 options->client_id, (unsigned)options->expiry_s, (unsigned)expiry_s);
    }
}

bool limits_check(struct mqtt_session *session, char *ret_text, size_t size)
{
    const struct mqtt_options *options = session->options;
    const struct config_list *filters = subscribe_mode_list(session);
    check_expiry(session);
    if (!filters || filters->n_items == 0) {
        return true;
    }
    if (session->connack.limits.max_qos < options->qos) {
        (void)snprintf(ret_text, size,
                       "the broker allows QoS 0 only (Maximum QoS in its CONNACK), where messages "
                       "are lost at a crash; set mqtt.qos=0 if that is wanted");
        return false;
    }
    const char *wildcard = session->connack.wildcard_available ? NULL : first_wildcard(filters);
    if (wildcard) {
        (void)snprintf(ret_text, size,
                       "the broker has no wildcard subscriptions (CONNACK), which %.100s needs",
                       wildcard);
        return false;
    }
    return true;
}
