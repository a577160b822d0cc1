/* SPDX-License-Identifier: Apache-2.0 */
/* A subscription beside those that bring data. See link.h. */
#include "worker/mqtt/link_internal.h"

void link_watch(struct link *link, const char *topic)
{
    seam_enter(link->seam);
    /* At QoS 0 nothing is queued for a session that is away. What the broker answers is all the
     * same: without an answer, or a right, there is nothing to be seen. */
    (void)mosquitto_subscribe(link->mosq, NULL, topic, 0);
    (void)seam_leave();
}
