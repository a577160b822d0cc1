# SPDX-License-Identifier: Apache-2.0
"""One real Kafka node (KRaft, broker and controller in one process) on free loopback ports."""

import base64
import collections
import pathlib
import subprocess
import uuid

from . import kafka_wire
from .proc import LabError, Proc, free_port, wait_until

HERE = pathlib.Path(__file__).resolve().parent

Record = collections.namedtuple("Record", "topic partition offset timestamp key value headers")
Record.__doc__ = (
    "A record as read back: key and value are bytes or None, headers a list of (text, bytes)."
)

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests start and kill members all the time: no waiting for more of them, and short sessions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A killed broker comes back only after the controller has given its old life up (default 9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


def fetched(what):
    """The path that tests/lab/fetch prints for `what`, downloading it if need be."""
    result = subprocess.run([HERE / "fetch", what], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"could not fetch {what} (above)")
    return result.stdout.strip()


class Kafka(Proc):
    """A node with its data in `folder`; stop, kill9, freeze keep data and port for start()."""

    def __init__(self, folder, heap="768m", settings=None, name="kafka"):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        super().__init__(name, self.folder / "kafka.log")
        self.heap = heap
        self.port = free_port()
        self.jars = fetched("kafka")
        controller = free_port()
        self.settings = {
            **SETTINGS,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
            **(settings or {}),
        }
        self._format()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _java(self, heap):
        return [
            "java",
            f"-Xmx{heap}",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
            "-cp",
            f"{self.jars}/*",
        ]

    def _format(self):
        (self.folder / "tmp").mkdir()
        config = self.folder / "server.properties"
        config.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()))
        ident = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        self._tool("kafka.tools.StorageTool", "format", "-t", ident, "-c", config)

    def _tool(self, java_class, *args):
        # The smaller compiler is enough for a program of one second.
        argv = [*self._java("256m"), java_class, *map(str, args)]
        argv[1:1] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlab.log.level=warn"]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"{java_class} failed:\n{done.stdout}")
        return done.stdout

    def tool(self, name, *args):
        """Runs one of Kafka's own tools, as in tool("TopicCommand", "--list"); about 2 s."""
        return self._tool(
            f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.address, *args
        )

    def start(self, timeout=60):
        """Starts the node, also again after its end, and waits until it serves clients."""
        argv = [*self._java(self.heap), "kafka.Kafka", self.folder / "server.properties"]
        self.start_process(argv, self.folder)
        return self.wait_serving(timeout)

    def wait_serving(self, timeout=60):
        """Waits until the node answers clients; for use after start_process() or thaw()."""
        self.wait_ready(self.serves, timeout, "Kafka answers")
        return self

    def restart(self, hard=False):
        """Stops (or kills) the node and starts it again on the same data and port."""
        if hard:
            self.kill9()
        else:
            self.stop()
        return self.start()

    def serves(self):
        """True when the node answers clients within two seconds."""
        return kafka_wire.is_ready(self.address)

    def topics(self):
        return kafka_wire.topics(self.address)

    def create_topic(self, name, partitions=1, config=None):
        kafka_wire.create_topic(self.address, name, partitions, config)

    def topic_config(self, name):
        """{key: value} of a topic's settings."""
        return kafka_wire.topic_config(self.address, name)

    def delete_topic(self, name):
        kafka_wire.delete_topic(self.address, name)

    def offsets(self, name, end=True):
        """{partition: end offset} (or first offset); empty when there is no such topic."""
        return kafka_wire.offsets(self.address, name, end)

    def count(self, name):
        """Offsets between start and end of a topic; control records of transactions count too."""
        first, last = self.offsets(name, end=False), self.offsets(name)
        return sum(last[number] - first.get(number, 0) for number in last)

    def wait_count(self, name, at_least, timeout=60):
        """Waits until the topic holds that many records; returns how many it holds."""
        seen = [0]

        def enough():
            try:
                seen[0] = self.count(name)
            except kafka_wire.WireError:
                # Kafka may be down just now, which is what the test is about.
                return False
            return seen[0] >= at_least

        wait_until(
            enough, timeout, lambda: f"{at_least} records in {name}, there are {seen[0]}", 0.05
        )
        return seen[0]

    def group(self, name):
        """State, protocol and members of a consumer group (see kafka_wire.group)."""
        return kafka_wire.group(self.address, name)

    def committed(self, group, topic):
        """{partition: committed offset} of a consumer group."""
        return kafka_wire.committed(self.address, group, topic)

    def produce(self, topic, pairs, headers=(), settings=()):
        """Writes (key, value) pairs of text without tabs or line ends; key None means no key."""
        argv = [
            "kcat",
            "-P",
            "-b",
            self.address,
            "-t",
            topic,
            "-q",
            "-K",
            "\t",
            "-Z",
            "-X",
            "acks=all",
        ]
        for header in headers:
            argv += ["-H", header]
        for setting in settings:
            argv += ["-X", setting]
        lines = "".join(f"{key or ''}\t{value or ''}\n" for key, value in pairs)
        self._kcat(argv, lines.encode())

    def produce_raw(self, topic, key, value):
        """Writes one record of any text; the value may be None."""
        argv = ["kcat", "-P", "-b", self.address, "-t", topic, "-q", "-X", "acks=all"]
        argv += ["-D", "\x1e", "-K", "\x1f"] + (["-Z"] if value is None else [])
        self._kcat(argv, f"{key}\x1f{value or ''}\x1e".encode())

    def read(self, topic, timeout=60, committed_only=True):
        """All records that the topic holds now, in the order of partition and offset."""
        if topic not in self.topics():
            return []
        isolation = "read_committed" if committed_only else "read_uncommitted"
        argv = [
            "kcat",
            "-C",
            "-b",
            self.address,
            "-t",
            topic,
            "-o",
            "beginning",
            "-e",
            "-q",
            "-X",
            f"isolation.level={isolation}",
            "-X",
            "check.crcs=true",
            "-X",
            "fetch.wait.max.ms=10",
            "-f",
            "%p %o %T %K %S %h\n%k%s\n",
        ]
        raw = self._kcat(argv, b"", timeout)
        return sorted(_records(topic, raw), key=lambda r: (r.partition, r.offset))

    def latest(self, topic):
        """{key: Record} as compaction leaves it: the last record of each key, tombstones gone."""
        found = {}
        for record in self.read(topic):
            found.pop(record.key, None)
            if record.value is not None:
                found[record.key] = record
        return found

    def _kcat(self, argv, stdin, timeout=60):
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"kcat took longer than {timeout} s: {' '.join(argv)}") from error
        if done.returncode != 0:
            raise LabError(f"kcat failed: {done.stderr.decode(errors='replace')}")
        return done.stdout


def _records(topic, raw):
    """Parses what kcat prints: a line of numbers and headers, then key and value by size."""
    at = 0
    while at < len(raw):
        end = raw.index(b"\n", at)
        partition, offset, timestamp, key_size, size, headers = raw[at:end].split(b" ", 5)
        at = end + 1
        key, at = _blob(raw, at, int(key_size))
        value, at = _blob(raw, at, int(size))
        at += 1
        pairs = [pair.partition(b"=") for pair in headers.split(b",") if pair]
        yield Record(
            topic,
            int(partition),
            int(offset),
            int(timestamp),
            key,
            value,
            [(name.decode(), text) for name, _, text in pairs],
        )


def _blob(raw, at, size):
    if size < 0:
        return None, at
    return raw[at : at + size], at + size
