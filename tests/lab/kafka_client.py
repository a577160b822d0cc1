# SPDX-License-Identifier: Apache-2.0
"""What tests ask of Kafka, one node or several: topics, offsets, groups, records."""

import collections
import subprocess

from . import kafka_wire
from .proc import LabError, wait_until

Record = collections.namedtuple("Record", "topic partition offset timestamp key value headers")
Record.__doc__ = (
    "A record as read back: key and value are bytes or None, headers a list of (text, bytes)."
)


class KafkaClient:
    """Questions to the brokers of `self.address`, which may name several, separated by commas."""

    address = None

    def layout(self):
        """Brokers, and leader and replicas in sync of each partition (see kafka_wire.layout)."""
        return kafka_wire.layout(self.address)

    def topics(self):
        return kafka_wire.topics(self.address)

    def create_topic(self, name, partitions=1, config=None, replicas=1):
        """Returns when the node that is asked knows the topic: the controller knows it before."""
        kafka_wire.create_topic(self.address, name, partitions, config, replicas)
        wait_until(
            lambda: len(self.topics().get(name, [])) == partitions, 30, f"topic {name} to be known"
        )

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

    def delete_records(self, name):
        """Makes the topic begin at its end, as expired segments do."""
        kafka_wire.delete_records(self.address, name)

    def fence(self, transactional_id):
        """Fences the producer that holds that transactional id."""
        kafka_wire.fence(self.address, transactional_id)

    def add_rule(self, *rule):
        """Adds an access rule: resource, name, user, operation, "allow" or "deny"."""
        kafka_wire.add_rule(self.address, *rule)

    def remove_rule(self, *rule):
        kafka_wire.remove_rule(self.address, *rule)

    def group(self, name):
        """State, protocol and members of a consumer group (see kafka_wire.group)."""
        return kafka_wire.group(self.address, name)

    def wait_group(self, name, reached, what, timeout=60):
        """Waits until reached() is true of what group() returns, and returns that.

        `what` is a text, or a function whose text is made at the time of failure.
        """
        seen = [None]

        def there():
            try:
                seen[0] = self.group(name)
            except kafka_wire.WireError as error:
                # A group whose coordinator starts or moves is not told of yet.
                seen[0] = error
                return False
            return reached(seen[0])

        def missing():
            text = what() if callable(what) else what
            return f"{text} of group {name}, which is {seen[0]}"

        wait_until(there, timeout, missing, 0.05)
        return seen[0]

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
