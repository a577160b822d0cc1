# SPDX-License-Identifier: Apache-2.0
"""One run of the load tool from Kafka to MQTT, and the account of every message of it.

The records are written while things happen. A session at the broker collects the messages; they
are counted when the connector has committed everything, so that nobody reads during a restart.
"""

import json
import time

from chaos.load_tool import LoadTool
from lab import LabError, wait_until


class SinkFlow(LoadTool):
    """A producer in the background, a collecting session, and later the verdict."""

    def __init__(self, load, cluster, name, messages, rate=0, partitions=8, size=256):
        super().__init__(load)
        self.cluster = cluster
        self.name = name
        self.messages = messages
        self.rate = rate
        self.topic = cluster.topic
        self.prefix = f"to/{cluster.group}/"
        self.ident = f"collect-{cluster.group}"
        self.plan = {
            "run-id": cluster.group,
            "prefix": self.prefix,
            "publishers": 20,
            "messages": messages,
            "size": size,
        }
        cluster.kafka.create_topic(self.topic, partitions)
        self.tool("prepare", **self.session, filter=f"{self.prefix}#")

    @property
    def session(self):
        return {"mqtt": self.cluster.mosquitto.address, "client-id": self.ident}

    def config(self, tasks=3, **changes):
        """A sink's config that publishes each record to the topic that is its key."""
        config = {
            "connector.class": "MqttSink",
            "tasks.max": str(tasks),
            "topics": self.topic,
            "mqtt.server.uri": self.cluster.mosquitto.uri,
            "mqtt.retained.enabled": "false",
            "mqtt.topic": "{key}",
        }
        config.update({key.replace("_", "."): str(value) for key, value in changes.items()})
        return config

    def tool(self, command, good=(0,), **options):
        done = self.run(command, options)
        if done.returncode not in good:
            raise LabError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def start(self):
        """Starts the producer."""
        options = {
            **self.plan,
            "kafka": self.cluster.kafka.address,
            "topic": self.topic,
            "rate": self.rate,
        }
        return self.launch("produce", options)

    def committed(self, connector):
        return sum(self.cluster.kafka.committed(f"connect-{connector}", self.topic).values())

    def written(self):
        """How many records the topic has had, those that are gone again included."""
        return sum(self.cluster.kafka.offsets(self.topic).values())

    def account(self, connector="c", timeout=180, patience=60):
        """Waits until the connector has committed everything, then counts what the broker has."""
        self.report(timeout)
        wait_until(
            lambda: self.committed(connector) == self.written(),
            timeout,
            lambda: f"{self.written()} records to be committed, "
            f"{self.committed(connector)} are\n{self.cluster.tails()}",
            0.2,
        )
        seconds = time.monotonic() - self.started
        report = self.tool("drain", good=(0, 2), **self.session, **self.plan, timeout=patience)
        self.tool("prepare", **self.session, end=True)
        return SinkAccount(self, report, seconds)

    def whereabouts(self, report):
        """Where the first missing messages are in Kafka, as texts."""
        heads = {}
        for one in report["missing_first"]:
            numbers = " ".join(str(one[name]) for name in ("publisher", "topic", "seq"))
            heads[f"SL1 {self.plan['run-id']} {numbers} ".encode()] = "not in Kafka"
        for record in self.cluster.kafka.read(self.topic) if heads else ():
            for head in heads:
                if record.value.startswith(head):
                    heads[head] = f"partition {record.partition}, offset {record.offset}"
        return [f"{head.decode()}missing: {place}" for head, place in heads.items()]


class SinkAccount:
    """What became of a run's messages."""

    def __init__(self, flow, report, seconds):
        self.flow = flow
        self.report = report
        self.seconds = seconds

    @property
    def missing(self):
        return self.report["missing"]
