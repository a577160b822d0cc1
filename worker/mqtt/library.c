/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about the MQTT library in use. See library.h. */
#include "worker/mqtt/library.h"

#include <mosquitto.h>

void mqtt_library_version(char *text, size_t size)
{
    int major = 0;
    int minor = 0;
    int revision = 0;
    (void)mosquitto_lib_version(&major, &minor, &revision);
    (void)snprintf(text, size, "%d.%d.%d", major, minor, revision);
}
