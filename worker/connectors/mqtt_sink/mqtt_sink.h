/* SPDX-License-Identifier: Apache-2.0 */
/* Kafka to MQTT, at least once. See README.md. */
#pragma once

#include "worker/connector.h"

extern const struct connector_plugin mqtt_sink_plugin;
