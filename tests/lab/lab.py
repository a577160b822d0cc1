# SPDX-License-Identifier: Apache-2.0
"""The lab: a folder with Kafka, MQTT brokers and workers in it, all gone when it closes."""

import os
import pathlib
import shutil
import tempfile

from .brokers import BROKERS
from .connect import Connect
from .kafka import Kafka
from .kafka_cluster import KafkaCluster
from .mosquitto import Mosquitto
from .worker import Worker


class Lab:
    """Starts the parts and owns them. Use as a context manager, or call close().

    Without `folder` it makes a temporary one and removes it at the end, unless keep is true; a
    folder that the caller names is never removed.
    """

    def __init__(self, folder=None, keep=False):
        self.keep = keep or folder is not None
        if folder is None:
            folder = tempfile.mkdtemp(prefix="sluice-lab-")
        self.folder = pathlib.Path(os.path.abspath(folder))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.parts = []
        self.names = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def unique(self, name):
        """`name`, or `name-2`, `name-3` and so on: each is a part's folder and given out once."""
        found, count = name, 1
        while found in self.names or (self.folder / found).exists():
            count += 1
            found = f"{name}-{count}"
        self.names.add(found)
        return found

    def kafka(self, **options):
        """Starts a Kafka node (options: see Kafka)."""
        return self._started(Kafka(self.folder, name=self.unique("kafka"), **options))

    def kafka_cluster(self, count=3, **options):
        """Starts `count` Kafka nodes of one cluster (options: see KafkaCluster)."""
        names = [self.unique(f"kafka-{number}") for number in range(1, count + 1)]
        made = KafkaCluster(self.folder, names, **options)
        self.parts += made.nodes
        return made.start()

    def mosquitto(self, **options):
        """Starts a mosquitto (options: see Mosquitto)."""
        return self._started(Mosquitto(self.folder, name=self.unique("mosquitto"), **options))

    def broker(self, kind):
        """Starts an MQTT broker of another kind: a key of brokers.BROKERS."""
        return self._started(BROKERS[kind](self.folder, name=self.unique(kind)))

    def new_worker(self, kafka, group, properties=None, name="worker", **options):
        """A worker that is not started yet; `kafka` is a Kafka or "host:port"."""
        address = getattr(kafka, "address", kafka)
        worker = Worker(self.folder, self.unique(name), address, group, properties, **options)
        self.parts.append(worker)
        return worker

    def worker(self, kafka, group, properties=None, **options):
        """Starts a worker and waits until it is ready."""
        return self.new_worker(kafka, group, properties, **options).start()

    def new_connect(self, kafka, group, properties=None, name="connect", **options):
        """A real Kafka Connect worker that is not started yet; about 4 s to start."""
        address = getattr(kafka, "address", kafka)
        part = Connect(self.folder, self.unique(name), address, group, properties, **options)
        self.parts.append(part)
        return part

    def _started(self, part):
        self.parts.append(part)
        return part.start()

    def logs(self):
        """The log files of all parts."""
        return [part.log for part in self.parts]

    def tails(self, lines=40):
        """The end of every part's log, as one text."""
        return "\n".join(part.log_tail(lines) for part in self.parts)

    def close(self):
        """Kills what runs, the last started first, and removes the folder if it is its own."""
        while self.parts:
            self.parts.pop().kill9()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
