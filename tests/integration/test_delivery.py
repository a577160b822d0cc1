# SPDX-License-Identifier: Apache-2.0
"""From MQTT to Kafka: what a record looks like, and what becomes of messages when things go wrong."""

import time
import uuid

import pytest

from integration.mqtt_probe import Forbidding, publish_nothing, session_present, wait_connected
from lab import Cluster, LabError, find_program, is_listening, wait_until

# pylint: disable=redefined-outer-name


class Bridge(Cluster):
    """One connector with topic and prefix of its own on the workers of another cluster."""

    def __init__(self, base, mosquitto=None):  # pylint: disable=super-init-not-called
        self.__dict__.update(base.__dict__)
        ident = uuid.uuid4().hex[:8]
        self.name = f"c-{ident}"
        self.topic = f"out-{ident}"
        self.prefix = f"in/{ident}"
        self.mosquitto = mosquitto or base.mosquitto
        self.parts = self.workers

    def run(self, tasks_max=2, **changes):
        """Creates the connector and waits until all its sessions take messages."""
        self.put(tasks_max=tasks_max, **changes)
        self.wait_running(self.name, tasks_max)
        wait_until(
            lambda: self.metric("sluice_mqtt_connected") == tasks_max,
            30,
            lambda: f"the sessions to connect\n{self.tails()}",
        )
        return self

    def put(self, **changes):
        answer = self.rest.put(f"/connectors/{self.name}/config", self.source_config(**changes))
        assert answer.status in (200, 201), answer

    def act(self, verb):
        answer = self.rest.put(f"/connectors/{self.name}/{verb}")
        assert answer.status in (202, 204), answer

    def wait_task_states(self, wanted, timeout=30):
        """Waits until every task is in this state; returns the status."""

        def reached():
            status = self.status(self.name)
            seen = {task["state"] for task in (status or {"tasks": []})["tasks"]}
            return status if seen == {wanted} else None

        return wait_until(
            reached,
            timeout,
            lambda: f"tasks {wanted}: {self.status(self.name)}\n{self.tails()}",
            0.05,
        )

    def client_id(self, session=0):
        return f"sluice-{self.group}-{self.name}-{session}"

    def samples(self, name):
        """{labels: value} of a metric of this connector's tasks."""
        label = f'connector="{self.name}"'
        return {
            key: value
            for key, value in self.rest.metrics().items()
            if key.split("{", 1)[0] == name and label in key
        }

    def metric(self, name):
        """A metric of this connector, summed over its tasks."""
        return sum(self.samples(name).values())

    def wait_counted(self, name, count, timeout=30):
        """Waits until a metric tells so many: a task counts what Kafka has told it of."""
        wait_until(
            lambda: self.metric(name) >= count,
            timeout,
            lambda: f"{name} to reach {count}: {self.samples(name)}\n{self.tails()}",
        )

    def log(self):
        """The lines of the workers' logs that are about this connector."""
        return [
            line
            for worker in self.workers
            for line in worker.log_text().splitlines()
            if self.name in line
        ]

    def values(self, topic=None):
        return [record.value for record in self.kafka.read(topic or self.topic)]


@pytest.fixture(scope="module")
def base(lab, kafka, mosquitto):
    """One worker for all tests of this file."""
    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="delivery")
    made.add(1)
    yield made
    made.close()


@pytest.fixture
def bridge(base):
    """bridge(mosquitto=None) makes a connector, which is deleted after the test."""
    made = []

    def make(mosquitto=None):
        made.append(Bridge(base, mosquitto))
        return made[-1]

    yield make
    for one in made:
        if one.alive:
            one.rest.delete(f"/connectors/{one.name}")


def text(count, stem="m"):
    return [f"{stem}{number}" for number in range(count)]


# --- what a record looks like


def test_record_has_topic_payload_headers_and_time(bridge):
    one = bridge().run()
    before = int(time.time() * 1000)
    one.publish(["hello"], sub="room/1")
    (record,) = one.wait_payloads(["hello"])
    after = int(time.time() * 1000)
    assert record.key.decode() == f"{one.prefix}/room/1"
    assert record.value == b"hello"
    assert before <= record.timestamp <= after
    headers = dict(record.headers)
    assert int(headers["mqtt.message.id"]) > 0
    assert headers["mqtt.qos"] == b"1"
    assert headers["mqtt.retained"] == b"false"
    assert headers["mqtt.duplicate"] == b"false"
    # Where it has been, for loop protection.
    assert len(headers["sluice.via"]) == 16
    assert len(record.headers) == 5


def test_without_loop_protection_nothing_is_added(bridge):
    one = bridge().run(mqtt_loop_protection="false")
    one.publish(["hello"])
    (record,) = one.wait_payloads(["hello"])
    assert [name for name, _ in record.headers if not name.startswith("mqtt.")] == []


def test_empty_payload_is_an_empty_value(bridge):
    one = bridge().run()
    publish_nothing(one.mosquitto.port, f"{one.prefix}/a")
    one.publish(["end"])
    assert sorted(record.value for record in one.wait_payloads(["end", ""])) == [b"", b"end"]


def test_any_bytes_arrive_as_they_are(bridge):
    one = bridge().run()
    payload = bytes(range(256)) * 300
    one.mosquitto.publish_bytes(f"{one.prefix}/a", payload)
    one.kafka.wait_count(one.topic, 1)
    assert one.values() == [payload]


def test_topic_beyond_ascii_is_the_key(bridge):
    one = bridge().run()
    one.publish(["x"], sub="größe/温度/🌡")
    (record,) = one.wait_payloads(["x"])
    assert record.key.decode() == f"{one.prefix}/größe/温度/🌡"


def test_wildcards_choose_topics(bridge):
    one = bridge()
    one.run(mqtt_topics=f"{one.prefix}/+/temp,{one.prefix}/all/#")
    for sub in ("a/temp", "a/other", "a/b/temp", "all", "all/x/y", "b/temp"):
        one.publish([sub], sub=sub)
    wanted = ["a/temp", "all", "all/x/y", "b/temp"]
    records = one.wait_payloads(wanted)
    assert sorted(record.value.decode() for record in records) == sorted(wanted)


def test_many_messages_arrive_once_each(bridge):
    one = bridge().run(tasks_max=3)
    sent = text(3000)
    one.publish(sent)
    records = one.wait_payloads(sent)
    assert len(records) == len(sent)


def test_qos_0_is_honoured_with_a_warning(bridge):
    one = bridge().run(mqtt_qos=0)
    assert any(" WARN " in line and "mqtt.qos" in line for line in one.log())
    one.publish(["x"])
    (record,) = one.wait_payloads(["x"])
    assert dict(record.headers)["mqtt.qos"] == b"0"


def test_qos_2_is_subscribed_at_1_with_a_warning(bridge):
    one = bridge().run(mqtt_qos=2)
    assert any(" WARN " in line and "mqtt.qos" in line for line in one.log())
    one.mosquitto.publish(f"{one.prefix}/a", ["x"], qos=2)
    (record,) = one.wait_payloads(["x"])
    assert dict(record.headers)["mqtt.qos"] == b"1"


# --- sessions and subscriptions


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_protocol_version_is_the_one_asked_for(bridge, version):
    one = bridge().run(mqtt_protocol_version=version, tasks_max=2)
    sent = text(200)
    one.publish(sent)
    assert len(one.wait_payloads(sent)) == len(sent)
    connects = [
        line
        for line in one.mosquitto.log_text().splitlines()
        if f"as {one.client_id()}" in line and "connected" in line
    ]
    # mosquitto prints p5 for MQTT 5 and p2 for 3.1.1, and c0 for a session that is kept.
    assert connects and all(
        ("(p5, c0," if version == "5" else "(p2, c0,") in line for line in connects
    )
    one.act("pause")
    one.wait_task_states("PAUSED")
    later = text(100, "later")
    one.publish(later)
    one.act("resume")
    one.wait_payloads(later)


def test_exclusive_mode_keeps_the_order_of_each_topic(bridge):
    one = bridge()
    filters = [f"{one.prefix}/t{number}" for number in range(4)]
    one.run(mqtt_topics=",".join(filters), mqtt_subscription_mode="exclusive", tasks_max=2)
    sent = {name: text(300, f"{name[-2:]}-") for name in filters}
    for number in range(4):
        one.publish(sent[filters[number]], sub=f"t{number}")
    records = one.wait_payloads([payload for part in sent.values() for payload in part])
    for name in filters:
        arrived = [record.value.decode() for record in records if record.key.decode() == name]
        assert arrived == sent[name]


def test_retained_message_comes_once_over_restarts(bridge):
    one = bridge()
    one.publish(["kept"], sub="r", retain=True)
    one.run(mqtt_subscription_mode="exclusive", tasks_max=1)
    (record,) = one.wait_payloads(["kept"])
    assert dict(record.headers)["mqtt.retained"] == b"true"
    answer = one.rest.post(f"/connectors/{one.name}/restart?includeTasks=true")
    assert answer.status == 202
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 20, "the session to be back")
    one.wait_running(one.name)
    one.publish(["end"])
    assert sorted(r.value for r in one.wait_payloads(["kept", "end"])) == [b"end", b"kept"]


def test_pause_keeps_messages_and_resume_brings_them(bridge):
    one = bridge().run(tasks_max=2)
    one.publish(["before"])
    one.wait_payloads(["before"])
    one.act("pause")
    one.wait_task_states("PAUSED")
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 0, 10, "the connections to close")
    sent = text(500)
    one.publish(sent)
    assert one.values() == [b"before"]
    one.act("resume")
    records = one.wait_payloads(sent)
    assert len(records) == len(sent) + 1


def test_stop_keeps_messages_and_resume_brings_them(bridge):
    one = bridge().run(tasks_max=2)
    one.act("stop")
    wait_until(lambda: one.status(one.name)["tasks"] == [], 20, "the tasks to be gone")
    sent = text(200)
    one.publish(sent)
    one.act("resume")
    one.wait_payloads(sent)


def test_fewer_tasks_divide_the_same_sessions(bridge):
    one = bridge().run(tasks_max=4)
    assert one.metric("sluice_mqtt_sessions") == 4
    one.put(tasks_max=1)
    one.wait_running(one.name, 1)
    # The metrics of tasks that are gone go with them.
    wait_until(
        lambda: list(one.samples("sluice_mqtt_connected").values()) == [4]
        and list(one.samples("sluice_mqtt_sessions").values()) == [4],
        20,
        lambda: f"one task with all four sessions: {one.samples('sluice_mqtt_sessions')}",
    )
    # Every session still gets its part of the messages.
    sent = text(400)
    one.publish(sent)
    assert len(one.wait_payloads(sent)) == len(sent)


def test_changing_tasks_under_way_loses_nothing(bridge):
    one = bridge().run(tasks_max=3)
    sent = []
    for number in (1, 4, 2):
        one.put(tasks_max=number)
        batch = text(200, f"with{number}-")
        one.publish(batch)
        sent += batch
    one.wait_running(one.name, 2)
    one.wait_payloads(sent)


def test_deleting_the_connector_ends_its_sessions(bridge):
    one = bridge().run(tasks_max=2)
    one.act("pause")
    one.wait_task_states("PAUSED")
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 0, 10, "the connections to close")
    # Paused: they are kept, which also shows that asking works.
    assert [session_present(one.mosquitto.port, one.client_id(k)) for k in (0, 1)] == [True, True]
    one.act("resume")
    one.wait_running(one.name)
    assert one.rest.delete(f"/connectors/{one.name}").status == 204

    wait_retired(one)
    assert [session_present(one.mosquitto.port, one.client_id(k)) for k in (0, 1)] == [False, False]


def wait_retired(one):
    """Waits until no retirement of the connector is left in the config topic."""

    def none_left():
        keys = one.kafka.latest(f"{one.group}-configs")
        return not [key for key in keys if b"retire" in key and one.name.encode() in key]

    wait_until(none_left, 30, lambda: f"the retirement to be done\n{one.tails()}", 0.1)


def test_deleted_connector_made_again_does_not_get_old_messages(bridge):
    one = bridge().run(tasks_max=1)
    assert one.rest.delete(f"/connectors/{one.name}").status == 204
    wait_retired(one)
    one.publish(["while there was none"])
    one.run(tasks_max=1)
    one.publish(["new"])
    assert [record.value for record in one.wait_payloads(["new"])] == [b"new"]


# --- records that Kafka does not take

LIMIT = 5_000_000
BIG = 1_500_000


def big_topic(one):
    """A topic that takes records which a connector with default settings cannot send."""
    one.kafka.create_topic(one.topic, 1, {"max.message.bytes": LIMIT})


def test_too_large_record_fails_the_task_and_nothing_is_lost(bridge):
    one = bridge()
    big_topic(one)
    one.run(tasks_max=1)
    one.publish(["small 1"])
    one.mosquitto.publish_bytes(f"{one.prefix}/big", b"x" * BIG)
    one.publish(["small 2"])
    status = one.wait_task_states("FAILED")
    trace = status["tasks"][0]["trace"]
    assert "size" in trace.lower() or "large" in trace.lower(), trace
    assert f"{one.prefix}/big" in trace or one.topic in trace, trace
    assert b"x" * BIG not in one.values()
    # A failed task holds no connection, so the broker keeps what was not acknowledged.
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 0, 10, "the connection to close")
    one.put(tasks_max=1, producer_override_max_request_size=LIMIT)
    if one.states(one.name)[0][0] == "FAILED":
        one.rest.post(f"/connectors/{one.name}/restart?includeTasks=true&onlyFailed=true")
    one.wait_running(one.name, 1)
    one.wait_payloads(["small 1", "small 2", "x" * BIG])


def test_too_large_record_goes_to_the_dead_letter_queue(bridge):
    one = bridge()
    dlq = f"{one.topic}-dlq"
    one.kafka.create_topic(one.topic, 1, {"max.message.bytes": 3000})
    one.run(
        tasks_max=1,
        errors_tolerance="all",
        errors_deadletterqueue_topic_name=dlq,
        errors_deadletterqueue_topic_replication_factor=1,
        errors_deadletterqueue_context_headers_enable="true",
    )
    # In one burst, so that good ones share a request with the bad one.
    one.act("pause")
    one.wait_task_states("PAUSED")
    good = text(20)
    one.publish(good[:10])
    one.mosquitto.publish_bytes(f"{one.prefix}/big", b"y" * 8000)
    one.publish(good[10:])
    one.act("resume")
    one.wait_payloads(good)
    one.kafka.wait_count(dlq, 1, 30)
    (letter,) = one.kafka.read(dlq)
    assert letter.value == b"y" * 8000
    assert letter.key.decode() == f"{one.prefix}/big"
    headers = dict(letter.headers)
    assert headers["__connect.errors.connector.name"].decode() == one.name
    one.wait_counted("sluice_dlq_records_total", 1)
    wait_until(lambda: one.metric("sluice_inflight_records") == 0, 10, "everything to be acked")
    assert one.metric("sluice_dlq_records_total") == 1
    assert one.kafka.count(dlq) == 1
    assert one.status(one.name)["tasks"][0]["state"] == "RUNNING"


def test_too_large_record_is_skipped_and_counted_when_tolerated(bridge):
    one = bridge()
    one.kafka.create_topic(one.topic, 1, {"max.message.bytes": 3000})
    one.run(
        tasks_max=1,
        errors_tolerance="all",
        errors_log_enable="true",
        errors_log_include_messages="true",
    )
    one.mosquitto.publish_bytes(f"{one.prefix}/big", b"z" * 8000)
    one.publish(["after"])
    one.wait_payloads(["after"])
    assert one.values() == [b"after"]
    one.wait_counted("sluice_records_dropped_total", 1)
    wait_until(
        lambda: any(f"{one.prefix}/big" in line for line in one.log()),
        30,
        lambda: f"a line about the record\n{one.tails()}",
    )
    assert one.metric("sluice_records_dropped_total") == 1


# --- brokers that refuse, are away, or want TLS


def test_wrong_password_fails_the_task_with_a_clear_trace(bridge, fresh_mosquitto):
    one = bridge(fresh_mosquitto(users={"eve": "right"}))
    one.put(tasks_max=1, mqtt_username="eve", mqtt_password="wrong")
    trace = one.wait_task_states("FAILED")["tasks"][0]["trace"]
    assert one.mosquitto.address in trace, trace
    assert "not authori" in trace.lower() or "password" in trace.lower(), trace
    assert '"wrong"' not in trace
    one.put(tasks_max=1, mqtt_username="eve", mqtt_password="right")
    if one.states(one.name)[0][0] == "FAILED":
        one.rest.post(f"/connectors/{one.name}/restart?includeTasks=true&onlyFailed=true")
    one.wait_running(one.name, 1)
    one.publish(["x"], options=["-u", "eve", "-P", "right"])
    one.wait_payloads(["x"])


@pytest.fixture
def forbidding():
    server = Forbidding()
    yield server
    server.close()


def test_subscription_that_the_broker_denies_fails_the_task(bridge, forbidding):
    one = bridge()
    one.put(tasks_max=1, mqtt_server_uri=forbidding.uri)
    trace = one.wait_task_states("FAILED")["tasks"][0]["trace"]
    assert f"{one.prefix}/#" in trace, trace
    assert "not authori" in trace.lower(), trace


def test_broker_that_is_down_at_the_start_is_waited_for(bridge, fresh_mosquitto):
    broker = fresh_mosquitto()
    broker.stop()
    one = bridge(broker)
    one.put(tasks_max=2)
    one.wait_running(one.name, 2)
    assert one.metric("sluice_mqtt_connected") == 0
    broker.start()
    wait_until(
        lambda: one.metric("sluice_mqtt_connected") == 2,
        40,
        lambda: f"the sessions to connect\n{one.tails()}",
    )
    one.publish(["x"])
    one.wait_payloads(["x"])


def test_next_uri_is_tried_when_one_is_down(bridge, fresh_mosquitto):
    down, up = fresh_mosquitto(), fresh_mosquitto()
    down.stop()
    one = bridge(up).run(tasks_max=1, mqtt_server_uri=f"{down.uri},{up.uri}")
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 40, "the second broker")
    one.publish(["x"])
    one.wait_payloads(["x"])


def test_broker_restart_loses_nothing(bridge, fresh_mosquitto):
    broker = fresh_mosquitto()
    one = bridge(broker).run(tasks_max=2, mqtt_subscription_mode="exclusive")
    sent = text(300)
    one.publish(sent[:100])
    broker.restart()
    # The sessions are not back yet: the broker queues for them.
    one.publish(sent[100:200])
    broker.kill9(save=True)
    broker.start()
    one.publish(sent[200:])
    one.wait_payloads(sent)


def test_shared_subscriptions_are_made_again_after_a_broker_restart(bridge, fresh_mosquitto):
    """mosquitto keeps sessions and queues, but not shared subscriptions."""
    broker = fresh_mosquitto()
    one = bridge(broker).run(tasks_max=2, mqtt_subscription_mode="shared")
    one.act("pause")
    one.wait_task_states("PAUSED")
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 0, 10, "the connections to close")
    sent = text(300)
    one.publish(sent[:200])
    broker.restart()
    one.act("resume")
    one.wait_payloads(sent[:200])
    one.publish(sent[200:])
    records = one.wait_payloads(sent)
    assert len(records) == len(sent)


def test_tls_with_authority_host_name_and_client_certificate(bridge, fresh_mosquitto):
    broker = fresh_mosquitto(tls="mutual")
    certificate, key = broker.tls.client
    one = bridge(broker).run(
        mqtt_server_uri=broker.tls_uri,
        mqtt_ssl_ca_path=broker.tls.ca,
        mqtt_ssl_client_cert_path=certificate,
        mqtt_ssl_client_key_path=key,
    )
    sent = text(200)
    one.publish(sent)
    assert len(one.wait_payloads(sent)) == len(sent)
    assert any(
        f"as {one.client_id()}" in line or f" {broker.tls_port}" in line
        for line in broker.log_text().splitlines()
    )


def refused_by_tls(one):
    """Waits until the log of the connector says that TLS does not come about."""
    return wait_until(
        lambda: [
            line
            for line in one.log()
            if (" WARN " in line or " ERROR " in line)
            and any(word in line.lower() for word in ("tls", "ssl", "certificate", "handshake"))
        ],
        30,
        lambda: f"a line about TLS\n{one.tails()}",
    )


def test_tls_without_the_authority_is_refused(bridge, fresh_mosquitto):
    broker = fresh_mosquitto(tls=True)
    one = bridge(broker)
    one.put(tasks_max=1, mqtt_server_uri=broker.tls_uri)
    refused_by_tls(one)
    assert one.metric("sluice_mqtt_connected") == 0


def rename_server(broker, name):
    """Gives the broker a good certificate of the same authority, but for another host."""
    broker.stop()
    broker.tls.issue("server", name, f"subjectAltName=DNS:{name}")
    broker.start_process(
        [broker.program, "-c", broker.folder / "mosquitto.conf"], broker.folder
    )
    wait_until(lambda: is_listening(broker.tls_port), 10, "the broker to listen")


def test_tls_certificate_for_another_host_is_refused_unless_told_to_be_insecure(
    bridge, fresh_mosquitto
):
    broker = fresh_mosquitto(tls=True)
    rename_server(broker, "other.example")
    one = bridge(broker)
    config = {
        "tasks_max": 1,
        "mqtt_server_uri": broker.tls_uri,
        "mqtt_ssl_ca_path": broker.tls.ca,
    }
    one.put(**config)
    refused_by_tls(one)
    assert one.metric("sluice_mqtt_connected") == 0
    one.put(**config, mqtt_ssl_insecure="true")
    wait_until(
        lambda: one.metric("sluice_mqtt_connected") == 1, 40, lambda: f"TLS\n{one.tails()}"
    )
    one.publish(["x"])
    one.wait_payloads(["x"])


def test_messages_published_while_the_worker_is_away_arrive(cluster):
    group = cluster(1, properties={"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"})
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    worker = group.workers[0]
    worker.kill9()
    sent = text(300)
    group.publish(sent)
    worker.start()
    records = group.wait_payloads(sent)
    assert len(records) == len(sent)


def test_message_that_was_read_but_not_delivered_comes_again_marked(cluster, fresh_kafka):
    kafka = fresh_kafka()
    group = cluster(1, kafka=kafka)
    group.create("c", tasks_max=1)
    wait_connected(group, 1)
    group.publish(["first"])
    group.wait_payloads(["first"])
    worker = group.workers[0]
    kafka.freeze()
    group.publish(["second"])
    wait_until(lambda: worker.metric_sum("sluice_inflight_records") == 1, 10, "it to be read")
    worker.kill9()
    kafka.thaw()
    kafka.wait_serving()
    worker.start()
    records = group.wait_payloads(["first", "second"])
    # Kafka may also have got the killed worker's copy.
    copies = [dict(r.headers)["mqtt.duplicate"] for r in records if r.value == b"second"]
    assert b"true" in copies and len(copies) <= 2


def test_part_of_a_large_message_does_not_release_those_before_it(cluster, fresh_kafka):
    kafka = fresh_kafka()
    limit = 20_000_000
    # Without Kafka a worker reads on until its session is over; and it comes back under its name
    # before that.
    group = cluster(
        1,
        kafka=kafka,
        properties={
            "session.timeout.ms": "20000",
            "heartbeat.interval.ms": "500",
            "group.instance.id": "one",
        },
    )
    kafka.create_topic(group.topic, 1, {"max.message.bytes": limit})
    group.create("c", tasks_max=1, producer_override_max_request_size=limit)
    wait_connected(group, 1)
    group.publish(["first"])
    group.wait_payloads(["first"])
    worker = group.workers[0]
    # Killed, not frozen: a frozen Kafka would later still read what was sent to it.
    kafka.kill9()
    sent = text(6)
    group.publish(sent)
    group.mosquitto.publish_bytes(f"{group.prefix}/big", b"b" * 8_000_000)
    wait_until(lambda: worker.metric_sum("sluice_inflight_records") > 0, 20, "some to be read")
    worker.kill9()
    kafka.start()
    worker.start()
    group.wait_payloads(["first", *sent, "b" * 8_000_000])


def test_session_that_another_client_took_comes_back(bridge):
    one = bridge().run(tasks_max=1)
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 10, "the session")
    assert session_present(one.mosquitto.port, one.client_id())
    one.publish(["meanwhile"])
    wait_until(
        lambda: any('reason="takeover"' in key and value == 1 for key, value in
                    one.samples("sluice_mqtt_reconnects_total").items()),
        10,
        lambda: f"the takeover: {one.samples('sluice_mqtt_reconnects_total')}\n{one.tails()}",
    )
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 1, 20, "the session to be back")
    one.publish(["after"])
    one.wait_payloads(["meanwhile", "after"])
    assert one.status(one.name)["tasks"][0]["state"] == "RUNNING"


def test_no_payload_is_lost_when_the_lab_itself_is_asked(bridge):
    """The helper that all tests here rely on does notice a missing message."""
    one = bridge().run(tasks_max=1)
    one.publish(["there"])
    one.wait_payloads(["there"])
    with pytest.raises(LabError):
        one.wait_payloads(["there", "never sent"], timeout=2)
