# SPDX-License-Identifier: Apache-2.0
"""From Kafka to MQTT: what is published, where it goes on, and what becomes of records that cannot be."""

import json
import subprocess
import uuid

import pytest

from lab import Cluster, find_program, wait_until

# pylint: disable=redefined-outer-name


class Sink(Cluster):
    """One sink connector with a Kafka topic of its own on the workers of another cluster."""

    def __init__(self, base, mosquitto=None):  # pylint: disable=super-init-not-called
        self.__dict__.update(base.__dict__)
        ident = uuid.uuid4().hex[:8]
        self.name = f"k-{ident}"
        self.topic = f"t-{ident}"
        self.consumers = f"connect-{self.name}"
        self.mosquitto = mosquitto or base.mosquitto

    def config(self, **changes):
        """Without retained messages, so that tests on one broker do not meet; "_" in a name means "."."""
        config = {
            "connector.class": "MqttSink",
            "tasks.max": "1",
            "topics": self.topic,
            "mqtt.server.uri": self.mosquitto.uri,
            "mqtt.retained.enabled": "false",
        }
        config.update({key.replace("_", "."): str(value) for key, value in changes.items()})
        return {key: value for key, value in config.items() if value != "None"}

    def run(self, tasks_max=1, partitions=1, **changes):
        self.kafka.create_topic(self.topic, partitions)
        self.put(tasks_max=tasks_max, **changes)
        self.wait_running(self.name, tasks_max)
        return self

    def put(self, **changes):
        answer = self.rest.put(f"/connectors/{self.name}/config", self.config(**changes))
        assert answer.status in (200, 201), answer

    def act(self, verb):
        answer = self.rest.put(f"/connectors/{self.name}/{verb}")
        assert answer.status in (202, 204), answer

    def metric(self, name):
        label = f'connector="{self.name}"'
        return sum(
            value
            for key, value in self.rest.metrics().items()
            if key.split("{", 1)[0] == name and label in key
        )

    def wait_metric(self, name, value, timeout=30):
        wait_until(
            lambda: self.metric(name) >= value,
            timeout,
            lambda: f"{name} to reach {value}, it is {self.metric(name)}\n{self.tails()}",
            0.05,
        )

    def committed(self):
        """{partition: offset} of the sink's group."""
        return self.kafka.committed(self.consumers, self.topic)

    def wait_committed(self, total, timeout=30):
        wait_until(
            lambda: sum(self.committed().values()) == total,
            timeout,
            lambda: f"offsets to add up to {total}: {self.committed()}\n{self.tails()}",
            0.1,
        )

    def wait_failed(self, timeout=30):
        """Waits for the task to fail; returns its trace."""

        def failed():
            tasks = (self.status(self.name) or {"tasks": []})["tasks"]
            return next((task["trace"] for task in tasks if task["state"] == "FAILED"), None)

        return wait_until(failed, timeout, lambda: f"{self.name} to fail\n{self.tails()}", 0.05)

    def inbox(self, topic, **options):
        return Inbox(self.mosquitto, topic, **options)


class Inbox:
    """A session at the broker that queues what is published from now on."""

    def __init__(self, mosquitto, topic, qos=1):
        self.ident = f"inbox-{uuid.uuid4().hex[:8]}"
        self.argv = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(mosquitto.port)]
        self.argv += ["-t", topic, "-q", str(qos), "-c", "-x", "600", "-i", self.ident]
        subprocess.run([*self.argv, "-E"], check=True, capture_output=True)

    def take(self, count, timeout=30):
        """The next `count` messages as mosquitto_sub's JSON objects."""
        argv = [*self.argv, "-C", str(count), "-W", str(timeout), "-F", "%j"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(found) >= count, f"{len(found)} of {count} messages came: {done.stderr}"
        return found

    def payloads(self, count, timeout=30):
        return [message["payload"] for message in self.take(count, timeout)]


@pytest.fixture(scope="module")
def base(lab, kafka, mosquitto):
    """One worker for all tests of this file."""
    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="sink")
    made.add(1)
    yield made
    made.close()


@pytest.fixture
def sink(base):
    """sink(mosquitto=None) makes a connector, which is deleted after the test."""
    made = []

    def make(mosquitto=None):
        made.append(Sink(base, mosquitto))
        return made[-1]

    yield make
    for one in made:
        if one.alive:
            one.rest.delete(f"/connectors/{one.name}")


def pairs(count, keys=1, stem="m"):
    """(key, value) of records; values count up."""
    return [(f"k{number % keys}", f"{stem}{number}") for number in range(count)]


# --- what is published


def test_records_become_messages_on_the_topic_of_their_name(sink):
    one = sink().run()
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(100))
    messages = inbox.take(100)
    assert [message["payload"] for message in messages] == [f"m{number}" for number in range(100)]
    assert {message["topic"] for message in messages} == {one.topic}
    assert {message["qos"] for message in messages} == {1}


def test_offsets_are_committed_up_to_what_the_broker_acknowledged(sink):
    one = sink().run(partitions=4, tasks_max=2)
    one.kafka.produce(one.topic, pairs(1000, keys=50))
    one.wait_metric("sluice_records_out_total", 1000)
    one.wait_committed(1000)
    group = one.kafka.group(one.consumers)
    assert group, "no consumer group"


def test_it_goes_on_where_it_stopped(sink):
    one = sink().run()
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(10))
    one.wait_metric("sluice_records_out_total", 10)
    one.act("stop")
    one.wait_committed(10)
    one.kafka.produce(one.topic, pairs(10, stem="n"))
    one.act("resume")
    assert inbox.payloads(20) == [f"m{n}" for n in range(10)] + [f"n{n}" for n in range(10)]


def test_topic_template_takes_key_header_and_json_field(sink):
    one = sink()
    prefix = f"out/{one.name}"
    inbox = one.inbox(f"{prefix}/#")
    one.run(mqtt_topic=prefix + "/{topic}/{key}/{header.site}/{value.place.room}")
    one.kafka.produce(one.topic, [("k1", '{"place":{"room":7}}')], headers=["site=north"])
    assert inbox.take(1)[0]["topic"] == f"{prefix}/{one.topic}/k1/north/7"


def test_a_structured_value_is_published_as_json_text(sink):
    one = sink().run(
        value_converter="org.apache.kafka.connect.json.JsonConverter",
        **{"value.converter.schemas.enable": "false"},
    )
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, [("k", '{"b": 2, "a": [1, "x", null]}'), ("k", "7"), ("k", '"text"')])
    assert inbox.payloads(3) == ['{"b":2,"a":[1,"x",null]}', "7", "text"]


def test_transforms_and_predicates_work_on_records_from_kafka(sink):
    room = "org.apache.kafka.connect.transforms."
    one = sink().run(
        value_converter="org.apache.kafka.connect.json.JsonConverter",
        **{
            "transforms": "drop,mask,where",
            "transforms.drop.type": room + "Filter",
            "transforms.drop.predicate": "empty",
            "predicates": "empty",
            "predicates.empty.type": room + "predicates.RecordIsTombstone",
            "transforms.mask.type": room + "MaskField$Value",
            "transforms.mask.fields": "secret",
            "transforms.where.type": room + "InsertField$Value",
            "transforms.where.offset.field": "offset",
        },
    )
    inbox = one.inbox(one.topic)
    schema = '{"type":"struct","fields":[{"field":"n","type":"int32"},{"field":"secret","type":"string"}]}'
    value = '{"schema":%s,"payload":{"n":%d,"secret":"x"}}'
    one.kafka.produce(one.topic, [("k", value % (schema, 1)), ("k", None), ("k", value % (schema, 2))])
    assert inbox.payloads(2) == [
        '{"n":1,"secret":"","offset":0}',
        '{"n":2,"secret":"","offset":2}',
    ]
    one.wait_committed(3)
    assert one.metric("sluice_records_filtered_total") == 1
