/* SPDX-License-Identifier: Apache-2.0 */
/* What a CONNACK says. See link.h. */
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "worker/mqtt/link_internal.h"

/* MQTT 5, 1.5.5. */
#define LARGEST_PACKET 268435455

/* What is not named has no limit (MQTT 5, 3.2.2.3). */
static struct mqtt_limits read_limits(const mosquitto_property *properties)
{
    uint16_t receive_maximum = UINT16_MAX;
    uint8_t max_qos = 2;
    uint8_t retain = 1;
    uint32_t max_packet = 0;
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_RECEIVE_MAXIMUM, &receive_maximum,
                                        false);
    (void)mosquitto_property_read_byte(properties, MQTT_PROP_MAXIMUM_QOS, &max_qos, false);
    (void)mosquitto_property_read_byte(properties, MQTT_PROP_RETAIN_AVAILABLE, &retain, false);
    (void)mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &max_packet,
                                        false);
    return (struct mqtt_limits){
        .receive_maximum = receive_maximum > 0 ? receive_maximum : 1,
        .max_qos = max_qos,
        .retain_available = retain != 0,
        .max_packet = max_packet,
    };
}

/* Artemis (2.55 measured) by the limits that it announces unless somebody changed them; it does not
 * say whether it has shared subscriptions, as other brokers with such limits do. */
static bool looks_like_artemis(const mosquitto_property *properties)
{
    uint16_t aliases = 0;
    uint32_t max_packet = 0;
    uint8_t shared = 0;
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_TOPIC_ALIAS_MAXIMUM, &aliases, false);
    (void)mosquitto_property_read_int32(properties, MQTT_PROP_MAXIMUM_PACKET_SIZE, &max_packet,
                                        false);
    return aliases == UINT16_MAX && max_packet == LARGEST_PACKET &&
           !mosquitto_property_read_byte(properties, MQTT_PROP_SHARED_SUB_AVAILABLE, &shared,
                                         false);
}

struct link_connack link_connack_read(const struct mqtt_options *options, int code, int flags,
                                      const mosquitto_property *properties)
{
    uint8_t shared = 1;
    uint8_t wildcard = 1;
    uint16_t keepalive = (uint16_t)options->keepalive_s;
    uint32_t asked_s = options->clean ? 0 : options->expiry_s;
    uint32_t expiry_s = asked_s;
    (void)mosquitto_property_read_byte(properties, MQTT_PROP_SHARED_SUB_AVAILABLE, &shared, false);
    (void)mosquitto_property_read_byte(properties, MQTT_PROP_WILDCARD_SUB_AVAILABLE, &wildcard,
                                       false);
    (void)mosquitto_property_read_int16(properties, MQTT_PROP_SERVER_KEEP_ALIVE, &keepalive, false);
    (void)mosquitto_property_read_int32(properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, &expiry_s,
                                        false);
    return (struct link_connack){
        .code = code,
        .session_present = (flags & 1) != 0,
        .shared_available = shared != 0,
        .wildcard_available = wildcard != 0,
        .subscribe_gives_back = looks_like_artemis(properties),
        .expiry_lowered = expiry_s < asked_s,
        .expiry_s = expiry_s,
        .keepalive_s = keepalive,
        .limits = read_limits(properties),
    };
}
