# SPDX-License-Identifier: Apache-2.0
"""One run of the load tool from Kafka to MQTT, and the account of every message of it.

The records are written while things happen. A session at the broker collects the messages; they
are counted when the connector has committed everything, so that nobody reads during a restart.
"""

import json
import subprocess
import time

from lab import LabError, wait_until


class SinkFlow:
    """A producer in the background, a collecting session, and later the verdict."""

    def __init__(self, load, cluster, name, messages, rate=0, partitions=8, size=256):
        self.load = load
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
        self.process = None
        self.started = None
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

    def _argv(self, command, options):
        argv = [self.load, command]
        for key, value in options.items():
            argv += [f"--{key}"] + ([] if value is True else [str(value)])
        return argv

    def tool(self, command, good=(0,), **options):
        done = subprocess.run(
            self._argv(command, options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
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
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self._argv("produce", options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def ended(self, timeout=0.0):
        """True when all is in Kafka, which this waits for at most `timeout` seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self):
        """Ends the producer, after a failure."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def committed(self, connector):
        return sum(self.cluster.kafka.committed(f"connect-{connector}", self.topic).values())

    def written(self):
        """How many records the topic has had, those that are gone again included."""
        return sum(self.cluster.kafka.offsets(self.topic).values())

    def account(self, connector="c", timeout=180, patience=60):
        """Waits until the connector has committed everything, then counts what the broker has."""
        out, errors = self.process.communicate(timeout=timeout)
        if self.process.returncode != 0:
            raise LabError(f"produce ended with {self.process.returncode}:\n{out}{errors}")
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


class SinkAccount:
    """What became of a run's messages."""

    def __init__(self, flow, report, seconds):
        self.flow = flow
        self.report = report
        self.seconds = seconds

    @property
    def missing(self):
        return self.report["missing"]
