# SPDX-License-Identifier: Apache-2.0
"""From Kafka to MQTT: what is published, where it goes on, and what becomes of records that cannot be."""

import contextlib
import json
import socket
import subprocess
import threading
import time
import uuid

import pytest

from lab import Cluster, find_program, kafka_wire, wait_until

# pylint: disable=redefined-outer-name

PARTITIONS = "kafka_connect_sink_task_partition_count"


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
        assert answer.status in (200, 201), answer.body["message"]

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

    def wait_value(self, name, value, timeout=30):
        """Waits until a metric that goes up and down has this value."""
        wait_until(
            lambda: self.metric(name) == value,
            timeout,
            lambda: f"{name} to be {value}, it is {self.metric(name)}\n{self.tails()}",
            0.05,
        )

    def wait_members(self, count, timeout=30):
        """Waits until so many tasks have joined the group: one that runs joins soon."""
        self.kafka.wait_group(
            self.consumers, lambda group: len(group["members"]) == count, f"{count} members", timeout
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
        self.taken = set()
        self.argv = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(mosquitto.port)]
        self.argv += ["-t", topic, "-q", str(qos), "-c", "-x", "600", "-i", self.ident]
        subprocess.run([*self.argv, "-E"], check=True, capture_output=True)

    def take(self, count, timeout=30):
        """The next `count` messages as mosquitto_sub's JSON objects."""
        found = []
        while len(found) < count:
            found += self._take(count - len(found), timeout)
        return found

    def _take(self, count, timeout):
        argv = [*self.argv, "-C", str(count), "-W", str(timeout), "-F", "%j"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(found) >= count, f"{len(found)} of {count} messages came: {done.stderr}"
        # mosquitto_sub may end before the broker has its last PUBACKs: then the same packets come
        # to the next one. What is published twice has a packet id of its own.
        packets = [(message.get("mid"), message["payload"]) for message in found]
        again, self.taken = self.taken, set(packets)
        return [
            message
            for message, packet in zip(found, packets)
            if packet[0] is None or packet not in again
        ]

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
    one.wait_members(2)
    one.kafka.produce(one.topic, pairs(1000, keys=50))
    one.wait_metric("sluice_records_out_total", 1000)
    one.wait_committed(1000)
    assert members(one) == 2


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


def test_configs_of_another_vendor_work_as_they_are(sink):
    """A source and a sink of Lenses' connectors, as their documents write them."""
    one = sink()
    one.kafka.create_topic(one.topic, 1)
    common = {
        "tasks.max": "1",
        "connect.mqtt.hosts": one.mosquitto.uri,
        "connect.mqtt.service.quality": "1",
        "connect.mqtt.timeout": "3000",
        "connect.mqtt.keep.alive": "5000",
        "connect.mqtt.clean": "false",
    }
    stem = "io.lenses.streamreactor.connect.mqtt."
    back = {
        **common,
        "connector.class": stem + "sink.MqttSinkConnector",
        "topics": one.topic,
        "connect.mqtt.kcql": f"INSERT INTO `out/{one.topic}` SELECT * FROM {one.topic}",
    }
    there = {
        **common,
        "connector.class": stem + "source.MqttSourceConnector",
        "connect.mqtt.client.id": f"{one.topic}-",
        "connect.mqtt.kcql": f"INSERT INTO {one.topic} SELECT * FROM `in/{one.topic}/+`",
    }
    inbox = one.inbox(f"out/{one.topic}")
    one.create(one.name, back)
    one.create(f"{one.name}-source", there)
    try:
        one.mosquitto.publish(f"in/{one.topic}/a", ["x", "y"])
        messages = inbox.take(2)
    finally:
        one.rest.delete(f"/connectors/{one.name}-source")
    assert [message["payload"] for message in messages] == ["x", "y"]
    assert {message["retain"] for message in messages} == {0}
    assert one.rest.get(f"/connectors/{one.name}/config").body == {"name": one.name, **back}


def test_a_data_format_stands_for_a_converter(sink):
    one = sink().run(input_data_format="JSON", mqtt_topic="f/{value.room}")
    inbox = one.inbox("f/#")
    one.kafka.produce(one.topic, [("k", '{"room":"hall"}')])
    (message,) = inbox.take(1)
    assert (message["topic"], message["payload"]) == ("f/hall", '{"room":"hall"}')
    one.put(input_data_format="BYTES")
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, [("k", "no JSON")])
    assert inbox.payloads(1) == ["no JSON"]


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


def test_properties_come_from_headers_and_settings(sink):
    one = sink().run(mqtt_content_type="text/plain", mqtt_message_expiry_seconds="600")
    inbox = one.inbox(one.topic)
    headers = ["site=north", "mqtt.response.topic=answers", "mqtt.correlation.data=c1"]
    one.kafka.produce(one.topic, [("k", "v")], headers=headers)
    (message,) = inbox.take(1)
    properties = message["properties"]
    assert properties["content-type"] == "text/plain"
    assert properties["response-topic"] == "answers"
    assert properties["correlation-data"] == "c1"
    assert 0 < properties["message-expiry-interval"] <= 600
    users = properties["user-properties"]
    assert users["site"] == "north"
    assert len(users["sluice-via"]) == 16
    assert not [name for name in users if name.startswith("mqtt.")]


@pytest.mark.parametrize("qos", [0, 2])
def test_other_qualities_of_service(sink, qos):
    one = sink().run(mqtt_qos=qos)
    inbox = one.inbox(one.topic, qos=2)
    one.kafka.produce(one.topic, pairs(50))
    one.wait_metric("sluice_records_out_total", 50)
    one.wait_committed(50)
    # The broker queues QoS 0 for sessions that are away only when told to.
    if qos == 2:
        messages = inbox.take(50)
        assert {message["qos"] for message in messages} == {2}
        assert [message["payload"] for message in messages] == [f"m{n}" for n in range(50)]


def test_mqtt_311(sink):
    one = sink().run(mqtt_protocol_version="3.1.1")
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(20))
    assert inbox.payloads(20) == [f"m{n}" for n in range(20)]


def test_a_tombstone_clears_a_retained_message(sink):
    one = sink().run(mqtt_retained_enabled="true")
    one.kafka.produce(one.topic, [("k", "kept")])
    one.wait_metric("sluice_records_out_total", 1)
    assert one.mosquitto.receive(one.topic, 1) == [(one.topic, "kept")]
    one.kafka.produce(one.topic, [("k", "")])
    one.wait_metric("sluice_records_out_total", 2)
    one.mosquitto.publish(f"{one.topic}/end", ["end"], retain=True)
    assert one.mosquitto.receive(f"{one.topic}/#", 1) == [(f"{one.topic}/end", "end")]


# --- records that cannot be published


def test_a_bad_record_fails_the_task_and_is_not_committed(sink):
    one = sink().run(mqtt_topic="x/{key}")
    one.kafka.produce(one.topic, [("good", "1"), ("bad#", "2"), ("good", "3")])
    trace = one.wait_failed()
    assert "wildcard" in trace and f"topic {one.topic}, partition 0, offset 1" in trace
    one.wait_committed(1)


def test_bad_records_go_to_the_dead_letter_queue(sink):
    one = sink()
    letters = f"{one.topic}-dlq"
    one.run(
        mqtt_topic="x/{key}",
        errors_tolerance="all",
        **{
            "errors.deadletterqueue.topic.name": letters,
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        },
    )
    one.kafka.produce(one.topic, [("good", "1"), ("bad#", "2"), ("good", "3")], headers=["own=x"])
    one.wait_committed(3)
    (letter,) = one.kafka.read(letters)
    assert (letter.key, letter.value) == (b"bad#", b"2")
    headers = dict(letter.headers)
    assert headers["own"] == b"x"
    found = {
        name.removeprefix("__connect.errors."): value.decode()
        for name, value in letter.headers
        if name.startswith("__connect.errors.")
    }
    assert found["topic"] == one.topic
    assert (found["partition"], found["offset"]) == ("0", "1")
    assert found["connector.name"] == one.name
    assert found["task.id"] == "0"
    assert found["stage"] == "TASK_PUT"
    assert found["class.name"] == "sluice.MqttSink"
    assert found["exception.class.name"] == "org.apache.kafka.connect.errors.DataException"
    assert "wildcard" in found["exception.message"]
    assert found["exception.stacktrace"]
    assert one.metric("sluice_dlq_records_total") == 1
    assert one.metric("sluice_records_out_total") == 2


def test_tolerated_records_are_skipped_and_counted(sink):
    one = sink().run(mqtt_topic="x/{key}", errors_tolerance="all")
    one.kafka.produce(one.topic, [("bad#", "1"), ("good", "2"), ("bad+", "3")])
    one.wait_committed(3)
    assert one.metric("sluice_records_dropped_total") == 2


def test_what_the_broker_refuses_follows_the_tolerance(sink, fresh_mosquitto):
    mosquitto = fresh_mosquitto(users={"u": "p"}, acl="user u\ntopic readwrite ok/#\n")
    one = sink(mosquitto).run(
        mqtt_topic="{key}", mqtt_username="u", mqtt_password="p", errors_tolerance="all"
    )
    one.kafka.produce(one.topic, [("ok/a", "1"), ("forbidden/a", "2"), ("ok/b", "3")])
    one.wait_committed(3)
    assert one.metric("sluice_mqtt_refused_total") == 1
    assert one.metric("sluice_records_dropped_total") == 1
    assert one.metric("sluice_records_out_total") == 2


def test_a_packet_larger_than_the_broker_takes_follows_the_tolerance(sink, fresh_mosquitto):
    mosquitto = fresh_mosquitto(settings={"max_packet_size": 2000})
    one = sink(mosquitto).run(errors_tolerance="all")
    one.kafka.produce(one.topic, [("k", "small"), ("k", "x" * 3000), ("k", "small")])
    one.wait_committed(3)
    assert one.metric("sluice_records_out_total") == 2
    assert one.metric("sluice_mqtt_reconnects_total") == 0


# --- brokers, topics and groups that come and go


def test_the_broker_comes_later(sink, fresh_mosquitto):
    mosquitto = fresh_mosquitto()
    one = sink(mosquitto).run()
    inbox = one.inbox(one.topic)
    mosquitto.stop()
    one.kafka.produce(one.topic, pairs(500))
    wait_until(lambda: one.metric("sluice_records_in_total") == 500, 20, "the records to be read")
    # At most where it began: nothing of them is done.
    assert one.committed()[0] <= 0
    mosquitto.start()
    assert inbox.payloads(500) == [f"m{n}" for n in range(500)]
    one.wait_committed(500)


def test_a_frozen_broker_bounds_what_is_taken(sink, fresh_mosquitto):
    mosquitto = fresh_mosquitto()
    one = sink(mosquitto).run(mqtt_publish_buffer_bytes="65536", mqtt_publish_timeout_ms="0")
    inbox = one.inbox(one.topic)
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 20, "the connection")
    mosquitto.freeze()
    one.kafka.produce(one.topic, [("k", f"{n:05d}" + "x" * 1000) for n in range(2000)])
    wait_until(lambda: one.metric("sluice_buffered_bytes") > 0, 20, "records to be taken")
    taken = one.metric("sluice_records_in_total")
    assert taken < 500
    assert len(one.kafka.group(one.consumers)["members"]) == 1
    # What an autoscaler goes by.
    one.wait_metric("sluice_sink_lag_records", 2000)
    one.wait_value("kafka_connect_sink_task_sink_record_lag_max", 2000)
    wait_until(
        lambda: one.rest.metrics()["sluice_worker_sink_lag_records"] >= 2000, 30, "the worker's lag"
    )
    one.wait_value("sluice_window_use_ratio", 1)
    mosquitto.thaw()
    assert [text[:5] for text in inbox.payloads(2000)] == [f"{n:05d}" for n in range(2000)]


class NarrowWay:
    """A way to a broker that lets `rate` bytes a second pass there, until it is opened."""

    def __init__(self, port, rate):
        self.target = ("127.0.0.1", port)
        self.rate = rate
        self.opened = threading.Event()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.uri = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                # Small, so that what waits does so in the worker.
                near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
                far = socket.create_connection(self.target)
                threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, source, target, narrow):
        with contextlib.suppress(OSError):
            while chunk := source.recv(8192):
                target.sendall(chunk)
                if narrow:
                    self.opened.wait(len(chunk) / self.rate)
        target.close()

    def close(self):
        self.opened.set()
        self.server.close()


def test_a_broker_much_slower_than_the_topic_costs_no_memory(sink):
    """20 MB wait in Kafka for a way that takes 400 kB/s: the worker holds its 1 MB and the consumer's queue."""
    one = sink()
    way = NarrowWay(one.mosquitto.port, 400_000)
    one.run(mqtt_server_uri=way.uri, mqtt_publish_buffer_bytes=1 << 20)
    one.kafka.produce(one.topic, [("k", f"{n:05d}" + "x" * 1000) for n in range(200)])
    one.wait_metric("sluice_records_out_total", 200)
    before = one.workers[0].rss_kb()
    one.kafka.produce(one.topic, [("k", f"{n:05d}" + "x" * 1000) for n in range(20000)])
    done = one.metric("sluice_records_out_total")
    one.wait_metric("sluice_records_out_total", done + 400)
    grown = (one.workers[0].rss_kb() - before) / 1024
    assert one.metric("sluice_records_out_total") < 10000
    assert grown < 12, f"{grown:.1f} MB more than before"
    way.opened.set()
    one.wait_committed(20200, timeout=60)
    way.close()


def test_a_broker_that_does_not_answer_does_not_end_the_membership(sink, fresh_mosquitto):
    """Records wait for longer than max.poll.interval.ms, and the group takes the task for alive."""
    mosquitto = fresh_mosquitto()
    one = sink(mosquitto).run(mqtt_publish_timeout_ms="0", mqtt_publish_max_inflight="10", **{
        "consumer.override.max.poll.interval.ms": "6000",
        "consumer.override.session.timeout.ms": "6000",
        "consumer.override.heartbeat.interval.ms": "1000"})
    one.kafka.produce(one.topic, pairs(10))
    one.wait_committed(10)
    member = one.kafka.group(one.consumers)["members"]
    mosquitto.freeze()
    since = time.monotonic()
    one.kafka.produce(one.topic, pairs(1000))
    wait_until(lambda: time.monotonic() - since > 7.5, 10, "the interval to pass", 0.2)
    assert one.kafka.group(one.consumers)["members"] == member
    mosquitto.thaw()
    one.wait_committed(1010)
    assert one.kafka.group(one.consumers)["members"] == member


def test_a_consumer_that_could_not_leave_leaves_when_kafka_answers_again(cluster, fresh_kafka):
    """A task is taken away while Kafka hangs. The group must not miss its consumer for a whole session."""
    one = Sink(cluster(1, kafka=fresh_kafka())).run(**{"consumer.override.session.timeout.ms": "120000"})
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    one.kafka.freeze()
    wait_until(
        lambda: "CONSUMER-CLOSE-LATE" in one.workers[0].log_text(), 60, lambda: f"the task's end {one.tails()}"
    )
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > 6, 10, "librdkafka's one try of 5 s to be over", 0.2)
    one.kafka.thaw()
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    expected = [f"m{n}" for n in range(5)] + [f"n{n}" for n in range(5)]
    assert inbox.payloads(10, timeout=60) == expected


def test_records_that_have_expired_are_passed_over_and_told_of(sink):
    one = sink().run()
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    one.act("stop")
    wait_until(lambda: not one.states(one.name), 20, "the stop", 0.1)
    one.kafka.produce(one.topic, pairs(5, stem="expired"))
    kafka_wire.delete_records(one.kafka.address, one.topic)
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    one.act("resume")
    assert inbox.payloads(10) == [f"m{n}" for n in range(5)] + [f"n{n}" for n in range(5)]
    one.wait_committed(15)
    assert one.metric("sluice_sink_offset_resets_total") == 1
    assert "CONSUMER-RESET" in one.workers[0].log_text()


def test_topics_of_a_regular_expression_also_later_ones(sink):
    one = sink()
    stem = one.topic
    one.kafka.create_topic(f"{stem}-1")
    one.put(topics=None, topics_regex=stem + r"-\d+", **{
        "consumer.override.topic.metadata.refresh.interval.ms": "500"})
    one.wait_running(one.name, 1)
    inbox = one.inbox(f"{stem}-2")
    one.kafka.create_topic(f"{stem}-x")
    one.kafka.create_topic(f"{stem}-2")
    one.kafka.produce(f"{stem}-2", [("k", "later")])
    assert inbox.payloads(1) == ["later"]
    assert one.kafka.committed(one.consumers, f"{stem}-x") == {0: -1}


def test_an_unknown_topic_is_waited_for(sink):
    one = sink()
    one.put(**{"consumer.override.topic.metadata.refresh.interval.ms": "500"})
    one.wait_running(one.name, 1)
    inbox = one.inbox(one.topic)
    one.kafka.create_topic(one.topic)
    one.kafka.produce(one.topic, pairs(3))
    assert inbox.payloads(3) == ["m0", "m1", "m2"]


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed", "unnoticed"])
def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_beginning(sink, noticed):
    """Also when it is back, with as many records, before the consumer has seen that it was gone."""
    one = sink().run(**{
        "consumer.override.topic.metadata.refresh.interval.ms": "500" if noticed else "60000"})
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    one.wait_metric(PARTITIONS, 1)
    one.kafka.delete_topic(one.topic)
    wait_until(lambda: one.topic not in one.kafka.topics(), 20, "the topic to go")
    if noticed:
        wait_until(lambda: one.metric(PARTITIONS) == 0, 20, "the consumer to notice", 0.05)
    one.kafka.create_topic(one.topic)
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    assert inbox.payloads(10)[5:] == [f"n{n}" for n in range(5)]
    one.wait_committed(5)
    assert one.states(one.name)[0][0] == "RUNNING"
    if not noticed:
        assert one.metric("sluice_sink_offset_resets_total") >= 1


def test_pause_holds_messages_back_and_keeps_the_group(sink):
    one = sink().run()
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    one.act("pause")
    wait_until(lambda: one.states(one.name)[0][0] == "PAUSED", 20, "the pause")
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    assert len(one.kafka.group(one.consumers)["members"]) == 1
    assert one.metric("sluice_records_in_total") == 5
    one.act("resume")
    assert inbox.payloads(10)[5:] == [f"n{n}" for n in range(5)]


def test_more_tasks_share_the_partitions_and_nothing_is_published_twice(sink):
    one = sink().run(partitions=6, tasks_max=1)
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(300, keys=30))
    one.wait_metric("sluice_records_out_total", 300)
    one.put(tasks_max=3)
    one.wait_running(one.name, 3)
    one.kafka.produce(one.topic, pairs(300, keys=30, stem="n"))
    one.wait_committed(600)
    found = inbox.payloads(600)
    assert sorted(found) == sorted([f"m{n}" for n in range(300)] + [f"n{n}" for n in range(300)])


def test_a_change_of_messages_or_broker_leaves_the_task_in_its_group(sink, fresh_mosquitto):
    """What is taken before a change goes the old way, what follows the new one; nobody joins again."""
    one = sink().run(mqtt_topic="old/{topic}")
    other = fresh_mosquitto()
    inbox, moved = one.inbox(f"+/{one.topic}"), Inbox(other, f"new/{one.topic}")
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    member = one.kafka.group(one.consumers)["members"]
    one.put(mqtt_topic="new/{topic}", mqtt_qos="2")
    one.wait_metric("sluice_task_updates_total", 1)
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    found = [(message["topic"].split("/")[0], message["payload"]) for message in inbox.take(10)]
    assert found == [("old", f"m{n}") for n in range(5)] + [("new", f"n{n}") for n in range(5)]
    one.put(mqtt_topic="new/{topic}", mqtt_server_uri=other.uri)
    one.wait_metric("sluice_task_updates_total", 2)
    one.kafka.produce(one.topic, pairs(5, stem="o"))
    assert moved.payloads(5) == [f"o{n}" for n in range(5)]
    assert one.kafka.group(one.consumers)["members"] == member
    one.wait_committed(15)


def test_a_change_for_the_consumer_restarts_the_task_and_loses_nothing(sink):
    one = sink().run()
    inbox = one.inbox(one.topic)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)
    one.put(**{"consumer.override.max.poll.records": "7"})
    one.wait_metric("sluice_task_updates_total", 1)
    one.wait_running(one.name, 1)
    one.kafka.produce(one.topic, pairs(5, stem="n"))
    assert inbox.payloads(10) == [f"m{n}" for n in range(5)] + [f"n{n}" for n in range(5)]


def members(one):
    return len(one.kafka.group(one.consumers)["members"])


def test_a_task_without_partitions_leaves_its_group_when_it_stops(sink):
    """Otherwise the others wait for its session to time out, which takes 45 s by default."""
    one = sink().run(tasks_max=3)
    wait_until(lambda: members(one) == 3, 20, "three members", 0.1)
    one.put(tasks_max=1)
    wait_until(lambda: members(one) == 1, 10, lambda: f"one member\n{one.tails()}", 0.1)
    one.kafka.produce(one.topic, pairs(5))
    one.wait_committed(5)


def test_restarts_in_the_middle_of_rebalances_leave_no_ghosts_in_the_group(sink):
    one = sink().run(tasks_max=3, partitions=8)
    inbox = one.inbox(one.topic)
    for number in range(6):
        one.kafka.produce(one.topic, pairs(20, keys=20, stem=f"r{number}-"))
        answer = one.rest.post(f"/connectors/{one.name}/restart?includeTasks=true", None)
        assert answer.status == 202, answer
        one.wait_running(one.name, 3)
    one.wait_committed(120, timeout=20)
    wait_until(lambda: members(one) == 3, 10, lambda: f"three members\n{one.tails()}", 0.1)
    found = inbox.payloads(120)
    assert sorted(found) == sorted(f"r{n}-{m}" for n in range(6) for m in range(20))


# --- both ways


def test_a_bridge_both_ways_between_the_same_topics_does_not_echo(sink):
    """What comes from MQTT is written to Kafka once and not sent back; what comes from Kafka likewise."""
    one = sink()
    both = f"both/{one.name}"
    source = f"{one.name}-source"
    one.run(mqtt_topic=both)
    answer = one.rest.put(
        f"/connectors/{source}/config",
        one.source_config(tasks_max=1, mqtt_topics=both, kafka_topic=one.topic),
    )
    assert answer.status == 201, answer
    one.wait_running(source, 1)
    inbox = one.inbox(both)
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 20, "the sink's connection")
    one.kafka.produce(one.topic, [("k", "from kafka")])
    one.wait_metric("sluice_records_out_total", 1)
    one.mosquitto.publish(both, ["from mqtt"])
    one.wait_metric("sluice_loop_records_total", 1)
    one.wait_committed(2)
    assert inbox.payloads(2) == ["from kafka", "from mqtt"]
    values = sorted(record.value for record in one.kafka.read(one.topic))
    assert values == [b"from kafka", b"from mqtt"]
    one.rest.delete(f"/connectors/{source}")


def test_from_mqtt_to_kafka_and_to_another_mqtt_topic(sink):
    one = sink()
    source = f"{one.name}-source"
    prefix = f"round/{one.name}"
    one.run(mqtt_topic=prefix + "/out")
    answer = one.rest.put(
        f"/connectors/{source}/config",
        one.source_config(tasks_max=1, mqtt_topics=f"{prefix}/in", kafka_topic=one.topic),
    )
    assert answer.status == 201, answer
    one.wait_running(source, 1)
    label = f'connector="{source}"'
    wait_until(
        lambda: any(
            value == 1
            for key, value in one.rest.metrics().items()
            if key.startswith("sluice_mqtt_connected{") and label in key
        ),
        20,
        "the source's connection",
    )
    inbox = one.inbox(f"{prefix}/out")
    one.mosquitto.publish(f"{prefix}/in", ["around"])
    assert inbox.payloads(1) == ["around"]
    one.rest.delete(f"/connectors/{source}")


def test_connects_metrics_of_a_sink(sink):
    one = sink().run(partitions=2)
    one.kafka.produce(one.topic, pairs(10, keys=5))
    one.wait_metric("kafka_connect_sink_task_sink_record_read_total", 10)
    one.wait_metric("kafka_connect_sink_task_sink_record_send_total", 10)
    one.wait_metric("kafka_connect_sink_task_partition_count", 2)
    one.wait_metric("kafka_connect_sink_task_offset_commit_completion_total", 1)
    one.wait_metric("kafka_connect_sink_task_offset_commit_seq_no", 1)
    one.wait_value("kafka_connect_sink_task_sink_record_lag_max", 0)
