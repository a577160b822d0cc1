# SPDX-License-Identifier: Apache-2.0
"""Hooks of the schema-driven tester: half of what it makes up is bent towards names and configs that
exist, so that it gets behind the first check."""

import os

import schemathesis

NAMES = os.environ["HOSTILE_NAMES"].split(",")
PLUGINS = ["MqttSource", "JsonConverter", "org.apache.kafka.connect.converters.ByteArrayConverter"]
CONFIG = {
    "connector.class": "MqttSource",
    "tasks.max": "1",
    "mqtt.server.uri": os.environ["HOSTILE_MQTT"],
    "mqtt.topics": "hostile/#",
    "kafka.topic": "hostile",
}


def _plain(value):
    return isinstance(value, str) and value and all(c >= " " and c != "\x7f" for c in value)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Every second good name becomes one that exists."""
    del context
    for key, known in (("connector", NAMES), ("plugin", PLUGINS), ("logger", ["root", "rest"])):
        value = (path_parameters or {}).get(key)
        if _plain(value) and len(value) % 2:
            path_parameters[key] = known[len(value) // 2 % len(known)]
    return path_parameters


@schemathesis.hook
def filter_query(context, query):
    """Query parameters that a route does not know are ignored, as in Kafka Connect: none is made up."""
    known = {parameter.name for parameter in context.operation.query}
    return set(query or {}) <= known


@schemathesis.hook
def map_body(context, body):
    """Every second config gets the keys of a good one that it lacks."""
    del context
    if isinstance(body, dict):
        config = body.get("config") if "config" in body else body
        if isinstance(config, dict) and "connector.class" in config and len(config) % 2:
            made = {**CONFIG, **config}
            if isinstance(config["connector.class"], str):
                made["connector.class"] = "MqttSource"
            if "config" in body:
                return {**body, "config": made}
            return made
    return body
