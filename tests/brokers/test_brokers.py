# SPDX-License-Identifier: Apache-2.0
"""A source connector and brokers that are not mosquitto: nothing is lost, nothing hangs.

Each broker has its own way to treat a client that acknowledges late. What deploy/docs/brokers.md
promises is shown here; the ways of brokers that nobody can run are in the unit tests, played by a
scripted one.
"""

import time

import pytest

from brokers.raw_client import SUBACK, RawClient
from lab import BROKERS, wait_until

# pylint: disable=redefined-outer-name

SESSION_S = 6
KEEPING = sorted(kind for kind, made in BROKERS.items() if made.keeps == "kill")


def kinds(quick):
    """All kinds of brokers; `quick` names the one of the short run."""
    marks = {quick: [pytest.mark.quick]}
    return [pytest.param(kind, marks=marks.get(kind, [])) for kind in sorted(BROKERS)]


def texts(stem, count):
    return [f"{stem}{number}" for number in range(count)]


class Bridge:
    """A connector with two filters and two sessions on a cluster at one broker."""

    def __init__(self, cluster, broker, workers=2, **changes):
        self.broker = broker
        self.cluster = cluster(workers, mosquitto=broker)
        topics = ",".join(f"{self.cluster.prefix}/{part}/#" for part in "ab")
        self.cluster.create(tasks_max=2, mqtt_topics=topics, **changes)
        self.sent = []
        self.wait_subscribed()

    def metric(self, name):
        return sum(
            value
            for worker in self.cluster.alive
            for key, value in worker.metrics().items()
            if key.split("{", 1)[0] == name
        )

    def wait_connected(self, timeout=60):
        wait_until(
            lambda: self.metric("sluice_mqtt_connected") == 2,
            timeout,
            lambda: f"two sessions at {self.broker.name}\n{self.cluster.tails()}",
        )

    def wait_subscribed(self, timeout=60):
        """Until then what is published finds no subscriber; a granted subscription is recorded."""

        def subscribed():
            answer = self.cluster.rest.get("/connectors/c/offsets")
            offsets = answer.body["offsets"] if answer.status == 200 else []
            return len([entry for entry in offsets if entry["offset"]["filters"]]) == 2

        wait_until(
            subscribed,
            timeout,
            lambda: f"two sessions with subscriptions\n{self.cluster.tails()}",
        )
        self.wait_connected(timeout)

    def publish(self, stem, count=100):
        """Publishes to both filters; returns when the broker has acknowledged all."""
        for part in "ab":
            payloads = texts(f"{stem}-{part}", count)
            self.cluster.publish(payloads, sub=f"{part}/x")
            self.sent += payloads

    def wait_all(self, timeout=90):
        """Waits until nothing is missing; returns the number of duplicates."""
        records = self.cluster.wait_payloads(self.sent, timeout)
        return len(records) - len(self.sent)

    def log(self, word):
        return [
            line
            for worker in self.cluster.workers
            for line in worker.log_text().splitlines()
            if word in line
        ]


def hosts(bridge):
    """The workers that run tasks."""
    ids = {worker for _, worker in bridge.cluster.states().values()}
    return [w for w in bridge.cluster.alive if f"127.0.0.1:{w.port}" in ids]


@pytest.mark.parametrize("broker", kinds("moquette"), indirect=True)
def test_version_and_mode_are_found_by_themselves(cluster, broker, note):
    begun = time.monotonic()
    bridge = Bridge(cluster, broker, workers=1)
    connected = bridge.log("MQTT-CONNECTED")
    mode = "shared" if broker.shared else "exclusive"
    assert connected and all(f"version={broker.version} " in line for line in connected), connected
    assert all(f"mode={mode}" in line for line in connected), connected
    bridge.publish("m", 300)
    assert bridge.wait_all(40) == 0
    note(f"MQTT {broker.version}, {mode}, 600 messages after {time.monotonic() - begun:.1f} s")


@pytest.mark.parametrize("broker", sorted(BROKERS), indirect=True)
def test_backlog_larger_than_any_window_comes_whole(cluster, broker, note):
    bridge = Bridge(cluster, broker, workers=1)
    rest = bridge.cluster.rest
    assert rest.put("/connectors/c/pause").status == 202
    wait_until(lambda: bridge.metric("sluice_mqtt_connected") == 0, 30, "the pause")
    bridge.publish("queued", 450)
    assert rest.put("/connectors/c/resume").status == 202
    begun = time.monotonic()
    duplicates = bridge.wait_all()
    note(f"900 queued messages in {time.monotonic() - begun:.1f} s, {duplicates} duplicates")
    assert duplicates == 0


@pytest.mark.parametrize("broker", ["artemis"], indirect=True)
@pytest.mark.parametrize("topic_filter, comes_again", [("$share/g/t/#", True), ("t/#", False)])
def test_artemis_sends_again_at_a_repeated_subscribe(broker, note, topic_filter, comes_again):
    """Why a resumed session subscribes there only when nothing is under way.

    In a share group only, and with other packet ids and no DUP: nobody can tell the copies.
    """
    payloads = texts("m", 20)
    with RawClient(broker.port, "raw") as client:
        client.subscribe(topic_filter, 1)
        client.wait(SUBACK)
        broker.publish("t/x", payloads)
        first = client.messages(20)
        client.subscribe(topic_filter, 2)
        again = client.wait(SUBACK)
        for packet_id, _ in first:
            client.ack(packet_id)
        broker.publish("t/x", ["last"])
        while not again or again[-1][1] != "last":
            again += client.messages(1)
    copies = again[:-1]
    note(f"{topic_filter}: {len(copies)} copies of 20 messages; {'; '.join(client.trace[-3:])}")
    assert [payload for _, payload in first] == payloads
    assert [payload for _, payload in copies] == (payloads if comes_again else [])
    assert not set(copies) & set(first)
    assert not [line for line in client.trace if "dup=1" in line]


@pytest.mark.parametrize("broker", kinds("artemis"), indirect=True)
def test_nothing_is_lost_when_a_worker_is_killed(cluster, broker, note):
    bridge = Bridge(cluster, broker)
    bridge.publish("before")
    victim = hosts(bridge)[0]
    victim.kill9()
    begun = time.monotonic()
    bridge.publish("after")
    duplicates = bridge.wait_all()
    note(f"whole {time.monotonic() - begun:.1f} s after the kill, {duplicates} duplicates")
    bridge.cluster.wait_running("c", 2)


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("broker", KEEPING, indirect=True)
def test_nothing_is_lost_when_the_broker_restarts(cluster, broker, note, how):
    bridge = Bridge(cluster, broker, workers=1)
    bridge.publish("before")
    bridge.wait_all()
    broker.restart(hard=how == "killed")
    begun = time.monotonic()
    bridge.publish("after")
    duplicates = bridge.wait_all()
    note(f"whole {time.monotonic() - begun:.1f} s after the restart, {duplicates} duplicates")
    assert bridge.metric("sluice_mqtt_sessions_lost_total") == 0


@pytest.mark.parametrize("broker", ["moquette"], indirect=True)
def test_broker_that_keeps_nothing_is_told_and_survived(cluster, broker):
    bridge = Bridge(cluster, broker, workers=1)
    bridge.publish("before")
    bridge.wait_all()
    broker.restart(hard=True)
    wait_until(lambda: bridge.metric("sluice_mqtt_sessions_lost_total") == 2, 30, "the count")
    bridge.publish("after")
    bridge.wait_all()
    assert len(bridge.log("MQTT-SESSION-LOST")) == 2


@pytest.mark.parametrize("broker", ["hivemq"], indirect=True)
def test_frozen_member_does_not_starve_the_group(cluster, broker, note):
    """HiveMQ gives a group nothing more while one member holds messages without an end."""
    bridge = Bridge(cluster, broker)
    victim = hosts(bridge)[0]
    victim.freeze()
    begun = time.monotonic()
    bridge.publish("starving", 200)
    duplicates = bridge.wait_all(60)
    seconds = time.monotonic() - begun
    note(f"whole {seconds:.1f} s after a member froze, {duplicates} duplicates")
    assert seconds < SESSION_S + 20
    victim.thaw()
    bridge.publish("thawed", 100)
    bridge.wait_all(60)


@pytest.mark.parametrize("broker", ["moquette"], indirect=True)
def test_copies_on_the_same_connection_become_no_records(cluster, broker, fresh_kafka, note):
    """Moquette sends what is not acknowledged again every few seconds."""
    kafka = fresh_kafka()
    made = cluster(1, mosquitto=broker, kafka=kafka, properties={"session.timeout.ms": "45000"})
    made.create(tasks_max=1, mqtt_topics=f"{made.prefix}/#")
    made.publish(["first"])
    made.wait_payloads(["first"])
    kafka.freeze()
    made.publish(["held"])

    def metric(name):
        return made.rest.metric_sum(name)

    wait_until(lambda: metric("sluice_oldest_unacked_seconds") > 16, 40, "some resends")
    kafka.thaw()
    made.wait_payloads(["first", "held"])
    names = ("sluice_mqtt_resends_ignored_total", "sluice_mqtt_redeliveries_absorbed_total")
    wait_until(lambda: sum(map(metric, names)) >= 1, 20, lambda: f"a copy\n{made.tails()}")
    made.publish(["last"])
    records = made.wait_payloads(["first", "held", "last"])
    note(f"{sum(map(metric, names)):.0f} copies of one message made no record")
    assert len(records) == 3


@pytest.mark.parametrize("broker", ["nats"], indirect=True)
def test_retired_session_waits_for_what_a_timer_sends_again(cluster, broker, fresh_kafka, note):
    """NATS sends what a killed worker had not acknowledged only half a minute later."""
    kafka = fresh_kafka()
    made = cluster(1, mosquitto=broker, kafka=kafka)
    topics = {"mqtt_topics": ",".join(f"{made.prefix}/{part}/#" for part in "ab")}
    made.create(tasks_max=2, **topics)
    made.publish(["first"], sub="b/x")
    made.wait_payloads(["first"])
    kafka.kill9()
    held = texts("held", 20)
    made.publish(held, sub="b/x")
    wait_until(
        lambda: made.rest.metric_sum("sluice_inflight_records") >= 1, 20, made.tails
    )
    made.rest.kill9()
    begun = time.monotonic()
    kafka.start()
    made.add(1)
    config = made.source_config(tasks_max=2, mqtt_sessions=1, **topics)
    wait_until(
        lambda: made.rest.put("/connectors/c/config", config).status == 200, 30, made.tails
    )
    made.wait_payloads(["first", *held], 90)
    note(f"whole {time.monotonic() - begun:.1f} s after the kill")
