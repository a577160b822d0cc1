# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the contract tier: a real Kafka Connect worker beside a Sluice worker."""

import pathlib
import sys
import uuid

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from contract.sides import Side

from integration.conftest import (  # noqa: F401
    cluster,
    kafka,
    lab,
    load,
    mosquitto,
    pytest_configure,
    pytest_runtest_makereport,
)
from lab import find_program, request

STRING = "org.apache.kafka.connect.storage.StringConverter"
# What both workers are started with, so that defaults that come from the worker are the same.
WORKER = {"key.converter": STRING, "value.converter": STRING}

STREAMREACTOR = "streamreactor.connect.mqtt"

SHARED_WORDS = {
    "@string": STRING,
    "@json": "org.apache.kafka.connect.json.JsonConverter",
    "@bytes": "org.apache.kafka.connect.converters.ByteArrayConverter",
    "@simple": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
}


def sides(connect_part, sluice_part, folder, mqtt_uri):
    """Connect's and Sluice's Side; files of Connect's connectors go to `folder`."""
    source_file = pathlib.Path(folder) / "source.txt"
    source_file.touch()
    connect = Side(
        "Connect",
        connect_part,
        {
            **SHARED_WORDS,
            "@source": "FileStreamSource",
            "@sourceconnector": "FileStreamSourceConnector",
            "@sourceclass": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "@sink": "FileStreamSink",
            "@sinkconnector": "FileStreamSinkConnector",
            "@sinkclass": "org.apache.kafka.connect.file.FileStreamSinkConnector",
            "@version": "4.1.1",
        },
        {
            "@source": {"file": str(source_file), "topic": "contract-lines"},
            "@sink": {"file": str(source_file.with_name("sink.txt"))},
        },
    )
    version = request("GET", sluice_part.url + "/").body["commit"].removeprefix("sluice-")
    sluice = Side(
        "Sluice",
        sluice_part,
        {
            **SHARED_WORDS,
            "@source": "MqttSource",
            "@sourceconnector": "MqttSourceConnector",
            "@sourceclass": "io.confluent.connect.mqtt.MqttSourceConnector",
            "@sourceclass ": "sluice.MqttSource",
            "@sourceclass  ": f"io.lenses.{STREAMREACTOR}.source.MqttSourceConnector",
            "@sourceclass   ": f"com.datamountaineer.{STREAMREACTOR}.source.MqttSourceConnector",
            "@sink": "MqttSink",
            "@sinkconnector": "MqttSinkConnector",
            "@sinkclass": "io.confluent.connect.mqtt.MqttSinkConnector",
            "@sinkclass ": "sluice.MqttSink",
            "@sinkclass  ": f"io.lenses.{STREAMREACTOR}.sink.MqttSinkConnector",
            "@sinkclass   ": f"com.datamountaineer.{STREAMREACTOR}.sink.MqttSinkConnector",
            "@version": version,
        },
        {
            "@source": {
                "mqtt.server.uri": mqtt_uri,
                "mqtt.topics": "contract/#",
                "kafka.topic": "contract-messages",
            },
            "@sink": {"mqtt.server.uri": mqtt_uri, "mqtt.topic": "contract/out"},
        },
    )
    return connect, sluice
