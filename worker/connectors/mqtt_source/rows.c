/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of MqttSource: those of the MQTT connectors that it replaces, and ours. */
#include "worker/connectors/mqtt_source/settings.h"
#include "worker/connectors/mqtt_tls_rows.h"

static const char *const retirements[] = { "auto", "force", "never", NULL };
static const char *const modes[] = { "shared", "exclusive", "auto", NULL };

static const char *const also_mqtt_server_uri[] = { "mqtt.server_uris",
                                                    "camel.kamelet.mqtt5-source.brokerUrl",
                                                    "connect.mqtt.hosts", NULL };
static const char *const also_mqtt_topics[] = { "mqtt.topic", "camel.kamelet.mqtt5-source.topic",
                                                NULL };
static const char *const also_mqtt_qos[] = { "connect.mqtt.service.quality", NULL };
static const char *const also_mqtt_username[] = { "mqtt.user",
                                                  "camel.kamelet.mqtt5-source.username",
                                                  "connect.mqtt.username", NULL };
static const char *const also_mqtt_password[] = { "camel.kamelet.mqtt5-source.password",
                                                  "connect.mqtt.password", NULL };
static const char *const also_mqtt_client_id_prefix[] = { "mqtt.client_id",
                                                          "camel.kamelet.mqtt5-source.clientId",
                                                          "connect.mqtt.client.id", NULL };

const struct config_def mqtt_source_rows[] = {
    MQTT_ROW_SERVER_URI(also_mqtt_server_uri),
    { .name = "mqtt.topics",
      .type = CONFIG_LIST,
      .required = true,
      .non_empty = true,
      .check = mqtt_source_check_filters,
      .aliases = also_mqtt_topics,
      .derive = lenses_filters,
      .cost = CONFIG_COST_SUBSCRIPTIONS,
      .importance = CONFIG_HIGH,
      .group = "MQTT Broker",
      .order = 2,
      .width = CONFIG_WIDTH_LONG,
      .display_name = "MQTT Topics",
      .doc = "Topic filters to subscribe to; + and # are wildcards. A filter of the "
             "form $share/<group>/<filter> is used as it is." },
    { .name = "mqtt.qos",
      .type = CONFIG_INT,
      .aliases = also_mqtt_qos,
      .default_value = "1",
      .has_min = true,
      .min = 0,
      .has_max = true,
      .max = 2,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_HIGH,
      .group = "MQTT Broker",
      .order = 3,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT QoS",
      .doc = "QoS of the subscriptions. 0 loses messages at a crash; 2 is subscribed "
             "at 1, which loses none." },
    MQTT_ROW_USERNAME(4, also_mqtt_username),
    MQTT_ROW_PASSWORD(5, also_mqtt_password),
    MQTT_ROW_PROTOCOL_VERSION(6),
    MQTT_ROW_CONNECT_TIMEOUT(7, CONFIG_COST_NOTHING),
    MQTT_ROW_KEEPALIVE(8, "Keep alive asked of the broker; the broker's own wins. When Kafka does "
                          "not answer for half of it, the connection is closed and the session "
                          "kept until it does."),
    MQTT_ROW_MAX_RETRY(9),
    { .name = "mqtt.clean.session.enabled",
      .type = CONFIG_BOOLEAN,
      .default_value = "false",
      .aliases = mqtt_also_clean_session,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 1,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Clean Session",
      .doc = "true: the broker forgets the session with each connection, so that "
             "messages are lost while no connection stands." },
    MQTT_ROW_CLIENT_ID_PREFIX(
        also_mqtt_client_id_prefix,
        "Client ids are <prefix><connector>-<number of the session>. Not set: "
        "sluice-<group.id>-."),
    { .name = "mqtt.sessions",
      .type = CONFIG_INT,
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 10000,
      .cost = CONFIG_COST_NOTHING,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 3,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Sessions",
      .doc = "Number of MQTT sessions, divided over the tasks. Not set: tasks.max (auto: 32), "
             "and never fewer than there were. A smaller number gives up those beyond it, "
             "see mqtt.sessions.retire." },
    { .name = "mqtt.sessions.retire",
      .type = CONFIG_STRING,
      .default_value = "auto",
      .values = retirements,
      .cost = CONFIG_COST_SUBSCRIPTIONS,
      .importance = CONFIG_LOW,
      .group = "MQTT Session",
      .order = 9,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Retirement of Sessions",
      .doc = "What becomes of sessions when mqtt.sessions is lowered or the client id "
             "prefix changes. auto: each is read until it is quiet, gives up its "
             "filters when another session of the connector has them, is read again "
             "and then ended, so that nothing queued in it is lost. force: the same "
             "without waiting for another session. never: they are not given up; the "
             "number does not become smaller, and those with another prefix stay at the "
             "broker until they expire. The same holds for those at the old broker when "
             "mqtt.server.uri names another one: they are read out there first." },
    { .name = "mqtt.session.expiry.seconds",
      .type = CONFIG_LONG,
      .default_value = "3600",
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 4294967295,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 4,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "MQTT Session Expiry",
      .doc = "How long the broker keeps a session without a connection (MQTT 5)." },
    { .name = "mqtt.subscription.mode",
      .type = CONFIG_STRING,
      .default_value = "auto",
      .values = modes,
      .cost = CONFIG_COST_SUBSCRIPTIONS,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 5,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Subscription Mode",
      .doc = "shared: every session takes a part of every filter; exclusive: each "
             "filter belongs to one session, which keeps the order of each topic; "
             "auto: shared where the broker can do it, which is with MQTT 5 only." },
    { .name = "mqtt.share.group",
      .type = CONFIG_STRING,
      .check = mqtt_share_group_check,
      .cost = CONFIG_COST_SUBSCRIPTIONS,
      .importance = CONFIG_LOW,
      .group = "MQTT Session",
      .order = 6,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "MQTT Share Group",
      .doc = "Group name of the shared subscriptions. Not set: "
             "<group.id>-<connector>." },
    { .name = "mqtt.receive.maximum",
      .type = CONFIG_INT,
      .default_value = "2000",
      .has_min = true,
      .min = 1,
      .has_max = true,
      .max = 65535,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 7,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Receive Maximum",
      .doc = "Most messages of a session on their way to Kafka at a time; also the "
             "most duplicates after a crash." },
    { .name = "mqtt.message.max.bytes",
      .type = CONFIG_INT,
      .has_min = true,
      .min = 1024,
      .has_max = true,
      .max = 268435455,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 8,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "MQTT Largest Message",
      .doc = "Largest MQTT message (topic, properties and payload) that is kept in "
             "memory. The payload of a larger one is not read into memory, and the "
             "message is treated by errors.tolerance: with none the task fails and the "
             "broker keeps the message, with all it goes to the dead letter queue "
             "without its value. The broker is not told, because brokers drop what is "
             "larger than they are told without a word. Not set: four times the "
             "producer's max.request.size, so that transforms may make a large message "
             "small." },
    { .name = "mqtt.broker.dropped.topic",
      .type = CONFIG_STRING,
      .default_value = "",
      .check = mqtt_source_check_dropped_topic,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_MEDIUM,
      .group = "MQTT Session",
      .order = 10,
      .width = CONFIG_WIDTH_LONG,
      .display_name = "MQTT Topic of Dropped Messages",
      .doc = "Topic on which the broker publishes how many messages it has dropped, for "
             "instance because a session's queue was full; mosquitto: "
             "$SYS/broker/publish/messages/dropped. The number counts all clients of the "
             "broker; when it grows, that is logged and counted. Empty: not watched." },
    { .name = "kafka.topic",
      .type = CONFIG_STRING,
      .default_value = "mqtt",
      .non_empty = true,
      .check = mqtt_source_check_topic,
      .derive = lenses_kafka_topic,
      .cost = CONFIG_COST_PIPELINE,
      .importance = CONFIG_HIGH,
      .group = "Kafka",
      .order = 1,
      .width = CONFIG_WIDTH_MEDIUM,
      .display_name = "Kafka Topic",
      .doc = "Kafka topic to write to." },
    { .name = "records.buffer.queue.size",
      .type = CONFIG_INT,
      .default_value = "50000",
      .has_min = true,
      .min = 1,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_LOW,
      .group = "Kafka",
      .order = 2,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Records Buffer Queue Size",
      .doc = "Most records of a task on their way to Kafka; bounds "
             "mqtt.receive.maximum." },
    { .name = "records.buffer.queue.max.batch.size",
      .type = CONFIG_INT,
      .default_value = "4096",
      .has_min = true,
      .min = 1,
      .cost = CONFIG_COST_RECONNECT,
      .importance = CONFIG_LOW,
      .group = "Kafka",
      .order = 3,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Records Buffer Queue Max Batch Size",
      .doc = "Most records that are acknowledged to the broker in one go." },
    { .name = "records.buffer.queue.empty.timeout",
      .type = CONFIG_INT,
      .default_value = "100",
      .cost = CONFIG_COST_NOTHING,
      .importance = CONFIG_LOW,
      .group = "Kafka",
      .order = 4,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Records Buffer Queue Empty Timeout",
      .doc = "Accepted for compatibility, without effect: nothing here waits on a "
             "clock." },
    { .name = "records.buffer.queue.full.timeout",
      .type = CONFIG_INT,
      .default_value = "60000",
      .cost = CONFIG_COST_NOTHING,
      .importance = CONFIG_LOW,
      .group = "Kafka",
      .order = 5,
      .width = CONFIG_WIDTH_SHORT,
      .display_name = "Records Buffer Queue Full Timeout",
      .doc = "Accepted for compatibility, without effect: a full buffer stops reading "
             "and never fails the task." },
    MQTT_ROW_LOOP_PROTECTION("Kafka", 6),
    MQTT_ROW_LOOP_BROKER("Kafka", 7),
    MQTT_TLS_ROWS,
    LENSES_ROW_KCQL(
        lenses_check_source,
        "Statements of Lenses' connector, INSERT INTO <Kafka topic> SELECT * FROM "
        "<filter>, that stand for mqtt.topics and kafka.topic where those are not set. All "
        "must have one Kafka topic. Clauses for keys and converters are refused with the "
        "keys that stand for them."),
};

const struct config_table mqtt_source_table = MQTT_SOURCE_TABLE;
_Static_assert(N_ELEMENTS(mqtt_source_rows) == MQTT_SOURCE_N_ROWS, "settings.h names the number");
