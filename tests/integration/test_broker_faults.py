# SPDX-License-Identifier: Apache-2.0
"""What brokers do to a source connector: forget its sessions, hand them to others, send too much."""

import time

import pytest

from integration.test_delivery import Bridge, base, bridge, text  # pylint: disable=unused-import
from lab import wait_until

# pylint: disable=redefined-outer-name

LARGE = 100 << 20


def wait_metric(one, name, value, timeout=30):
    wait_until(
        lambda: one.metric(name) == value,
        timeout,
        lambda: f"{name} to be {value}, not {one.samples(name)}\n{one.tails()}",
    )


def test_restart_without_persistence_is_told_counted_and_survived(bridge, fresh_mosquitto):
    broker = fresh_mosquitto(settings={"persistence": "false"})
    one = bridge(broker).run(tasks_max=2)
    one.publish(["before"])
    one.wait_payloads(["before"])
    assert one.metric("sluice_mqtt_sessions_lost_total") == 0
    broker.restart()
    wait_metric(one, "sluice_mqtt_sessions_lost_total", 2)
    wait_metric(one, "sluice_mqtt_connected", 2)
    assert sum("MQTT-SESSION-LOST" in line for line in one.log()) == 2
    one.publish(["after"])
    one.wait_payloads(["before", "after"])


def test_restart_with_persistence_loses_no_session(bridge, fresh_mosquitto):
    broker = fresh_mosquitto()
    one = bridge(broker).run(tasks_max=2)
    broker.restart()
    wait_until(lambda: one.metric("sluice_mqtt_connects_total") == 4, 30, "the sessions to return")
    assert one.metric("sluice_mqtt_sessions_lost_total") == 0


def test_session_that_expired_is_made_again(bridge, fresh_mosquitto):
    broker = fresh_mosquitto()
    one = bridge(broker).run(tasks_max=1, mqtt_session_expiry_seconds=1)
    one.act("pause")
    one.wait_task_states("PAUSED")
    expired = "$SYS/broker/clients/expired"
    wait_until(lambda: broker.receive(expired, 1)[0][1] == "1", 30, "the session to expire")
    one.act("resume")
    wait_metric(one, "sluice_mqtt_sessions_lost_total", 1)
    wait_metric(one, "sluice_mqtt_connected", 1)
    one.publish(["after"])
    one.wait_payloads(["after"])


def test_password_that_is_mended_at_the_broker_needs_no_restart(bridge, fresh_mosquitto):
    broker = fresh_mosquitto(users={"eve": "right"})
    one = bridge(broker)
    one.put(tasks_max=1, mqtt_username="eve", mqtt_password="new", errors_retry_timeout="-1")
    one.wait_running(one.name, 1)
    wait_until(lambda: any("MQTT-DOWN" in line for line in one.log()), 20, "the refusal in the log")
    broker.set_users({"eve": "new"})
    wait_metric(one, "sluice_mqtt_connected", 1, 60)
    one.publish(["x"], options=["-u", "eve", "-P", "new"])
    one.wait_payloads(["x"])
    assert one.states(one.name)[0][0] == "RUNNING"


@pytest.mark.parametrize("way", ["tcp", "tls"])
def test_very_large_message_costs_no_memory_and_goes_to_the_dead_letters(
    bridge, fresh_mosquitto, way
):
    broker = fresh_mosquitto(tls=True)
    one = bridge(broker)
    dead = f"dead-{one.topic}"
    one.run(
        tasks_max=1,
        mqtt_server_uri=broker.tls_uri if way == "tls" else broker.uri,
        mqtt_ssl_trust_store_path=broker.tls.ca,
        errors_tolerance="all",
        **{"errors.deadletterqueue.topic.name": dead},
    )
    worker = one.rest
    before = worker.rss_kb()
    one.publish(["first"])
    one.mosquitto.publish_bytes(f"{one.prefix}/large", bytes(LARGE))
    one.publish(["last"])
    peak = 0
    deadline = time.monotonic() + 60
    while one.metric("sluice_dlq_records_total") < 1 and time.monotonic() < deadline:
        peak = max(peak, worker.rss_kb())
    one.wait_payloads(["first", "last"])
    assert peak - before < 20 << 10, (before, peak)
    [letter] = one.kafka.read(dead)
    headers = dict(letter.headers)
    assert letter.value is None
    assert int(headers["sluice.errors.value.bytes"]) >= LARGE
    assert letter.key.decode() == f"{one.prefix}/large"
    assert one.metric("sluice_mqtt_oversize_total") == 1
    wait_metric(one, "sluice_mqtt_acks_total", 3)


def test_messages_that_the_broker_drops_for_want_of_room_are_told(bridge, fresh_mosquitto):
    broker = fresh_mosquitto(settings={"max_queued_messages": "50"})
    topic = "$SYS/broker/publish/messages/dropped"
    one = bridge(broker).run(
        tasks_max=2, mqtt_broker_dropped_topic=topic, mqtt_subscription_mode="exclusive"
    )
    assert broker.receive(topic, 1)  # published for the first time, so the worker has it as well
    one.act("pause")
    one.wait_task_states("PAUSED")
    one.publish(text(200))
    one.act("resume")
    one.wait_payloads(text(50))
    wait_until(
        lambda: one.metric("sluice_mqtt_broker_dropped_total") >= 100,
        30,
        lambda: f"the count {one.samples('sluice_mqtt_broker_dropped_total')}\n{one.tails()}",
    )
    assert any("MQTT-BROKER-DROPPED" in line for line in one.log())
    assert {record.key.decode() for record in one.kafka.read(one.topic)} == {f"{one.prefix}/a"}
