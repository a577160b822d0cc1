/* SPDX-License-Identifier: Apache-2.0 */
/* The connector kind MqttSource: MQTT to Kafka. See README.md. */
#pragma once

#include "worker/connector.h"

extern const struct connector_plugin mqtt_source_plugin;
