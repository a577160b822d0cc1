/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about the MQTT library in use. Thread: any. */
#pragma once

#include <stddef.h>

/* mqtt_library_version writes libmosquitto's version, e.g. "2.0.11", into text. */
void mqtt_library_version(char *text, size_t size);
