/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which MQTT version a broker was found to speak, for the whole process: sessions of all tasks ask
 * here before they connect, so that one silent close of a restarting broker does not make one of
 * them fall back. Thread: any. Locks: its own.
 */
#pragma once

#include <stdint.h>

enum mqtt_version {
    MQTT_VERSION_AUTO,
    MQTT_VERSION_5,
    MQTT_VERSION_311
};

/* version_memory_get returns what is known of a broker ("host:port"), AUTO if nothing or if a
 * fallback is so old that MQTT 5 should be tried again. */
enum mqtt_version version_memory_get(const char *broker, uint64_t now_ms);
/* version_memory_set notes the version of a connection that was accepted. */
void version_memory_set(const char *broker, enum mqtt_version version, uint64_t now_ms);
