# SPDX-License-Identifier: Apache-2.0
"""Sessions that a connector's new config does not ask for any more are read out and ended."""

import threading

import pytest

from integration.mqtt_probe import session_present
from integration.test_delivery import Bridge, base, bridge, text  # pylint: disable=unused-import
from lab import wait_until

# pylint: disable=redefined-outer-name


class Stream:
    """Publishes all the time until it is ended; `sent` is what the broker has acknowledged."""

    def __init__(self, one):
        self.one = one
        self.sent = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.is_set():
            part = text(50, f"s{len(self.sent)}-")
            self.one.publish(part, sub=f"t{len(self.sent) % 7}")
            self.sent += part

    def end(self):
        self.over.set()
        self.thread.join()
        return self.sent


@pytest.fixture
def stream():
    made = []

    def make(one):
        made.append(Stream(one))
        return made[-1]

    yield make
    for one in made:
        one.end()


def wait_retired(one, count):
    wait_until(
        lambda: one.metric("sluice_mqtt_sessions_retired_total") == count,
        60,
        lambda: f"{count} sessions to be retired\n{one.tails(80)}",
    )


def gone(one, client_ids):
    return not any(session_present(one.mosquitto.port, client_id) for client_id in client_ids)


@pytest.mark.parametrize("mode", ["shared", "exclusive"])
def test_fewer_sessions_lose_nothing_and_leave_nothing_behind(bridge, stream, mode):
    one = bridge()
    topics = ",".join(f"{one.prefix}/t{number}" for number in range(7))
    config = {"mqtt_topics": topics, "mqtt_subscription_mode": mode}
    one.run(tasks_max=4, **config)
    load = stream(one)
    wait_until(lambda: len(load.sent) >= 200, 30, "some load")
    one.put(tasks_max=4, mqtt_sessions=2, **config)
    wait_retired(one, 2)
    sent = load.end()
    records = one.wait_payloads(sent)
    assert one.metric("sluice_mqtt_sessions") == 2
    assert gone(one, [one.client_id(2), one.client_id(3)])
    assert len(records) - len(sent) <= 4 * 2000
    one.publish(["more"], sub="t3")
    one.wait_payloads(["more"])


def test_other_prefix_reads_out_the_old_sessions_first(bridge):
    one = bridge().run(tasks_max=2)
    old = [one.client_id(0), one.client_id(1)]
    one.act("pause")
    one.wait_task_states("PAUSED")
    sent = text(400)
    one.publish(sent)
    one.put(tasks_max=2, mqtt_client_id_prefix="other-")
    one.act("resume")
    one.wait_payloads(sent)
    wait_retired(one, 2)
    assert gone(one, old)
    wait_until(lambda: one.metric("sluice_mqtt_connected") == 2, 30, "the new sessions")
    assert session_present(one.mosquitto.port, f"other-{one.name}-0")


def test_sessions_are_kept_where_that_is_asked_for(bridge):
    one = bridge().run(tasks_max=3)
    one.put(tasks_max=3, mqtt_sessions=1, mqtt_sessions_retire="never")
    one.wait_running(one.name, 3)
    one.publish(["x"])
    one.wait_payloads(["x"])
    assert one.metric("sluice_mqtt_sessions") == 3
