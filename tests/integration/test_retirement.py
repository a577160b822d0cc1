# SPDX-License-Identifier: Apache-2.0
"""Sessions that a connector's new config does not ask for any more are read out and ended."""

import threading

import pytest

from integration.mqtt_probe import session_present, wait_connected
from integration.test_delivery import Bridge, base, bridge, text  # pylint: disable=unused-import
from lab import wait_until

# pylint: disable=redefined-outer-name


def host_of(made, task):
    """The worker that runs a task of connector c."""
    ident = made.states()[task][1]
    return next(worker for worker in made.alive if worker.ident == ident)


def retired(made):
    return [
        line
        for worker in made.workers
        for line in worker.log_text().splitlines()
        if "MQTT-SESSION-RETIRED" in line
    ]


def paused_with_backlog(made, count, **config):
    """A connector of four sessions that is paused while messages are published to it."""
    made.create(tasks_max=4, **config)
    wait_connected(made, 4)
    assert made.rest.put("/connectors/c/pause").status == 202
    wait_connected(made, 0)
    sent = text(count)
    made.publish(sent, options=["-i", "sluice-publisher"])
    return sent


def reconfigure_and_resume(made, **config):
    answer = made.rest.put("/connectors/c/config", made.source_config(tasks_max=4, **config))
    assert answer.status == 200, answer
    assert made.rest.put("/connectors/c/resume").status == 202


def test_worker_that_dies_while_it_retires_sessions_leaves_them_to_the_next(cluster):
    made = cluster(2)
    ids = [f"sluice-{made.group}-c-{number}" for number in range(4)]
    sent = paused_with_backlog(made, 12000)
    # Small windows, so that it takes a while.
    reconfigure_and_resume(made, mqtt_sessions=1, mqtt_receive_maximum=10)
    made.kafka.wait_count(made.topic, 1000, 30)
    host_of(made, 0).kill9()
    done = retired(made)
    assert len(done) < 3, "the worker was to die before it was done"
    records = made.wait_payloads(sent)
    wait_until(
        lambda: len({line.split("session=")[1] for line in retired(made)}) == 3,
        60,
        lambda: f"three sessions retired: {retired(made)}\n{made.tails(80)}",
    )
    assert not [one for one in ids[1:] if session_present(made.mosquitto.port, one)]
    offsets = made.rest.get("/connectors/c/offsets").body["offsets"]
    assert [entry["partition"]["session"] for entry in offsets] == ids[:1]
    # What the dead worker had not acknowledged: a window of each session that it read.
    assert len(records) - len(sent) <= 4 * 10


@pytest.mark.full
def test_forced_retirement_ends_what_no_other_session_takes_over(cluster, fresh_mosquitto):
    """The new prefix is refused by the broker, so nobody ever holds the filters of the old sessions."""
    mosquitto = fresh_mosquitto(settings={"clientid_prefixes": "sluice-"})
    made = cluster(1, mosquitto=mosquitto)
    ids = [f"sluice-{made.group}-c-{number}" for number in range(4)]
    patient = {"errors_retry_timeout": -1}
    sent = paused_with_backlog(made, 2000, **patient)
    reconfigure_and_resume(
        made, mqtt_client_id_prefix="other-", mqtt_sessions_retire="force", **patient
    )
    made.wait_payloads(sent)
    assert not retired(made)
    wait_until(lambda: len(retired(made)) == 4, 40, lambda: f"the end\n{made.tails(80)}")
    assert not [one for one in ids if session_present(mosquitto.port, one)]


def move_to(made, uri):
    """The connector's config with another broker address, once its sessions are paused."""
    answer = made.rest.put("/connectors/c/config", made.source_config(mqtt_server_uri=uri))
    assert answer.status == 200, answer
    assert made.rest.put("/connectors/c/resume").status == 202


def lines(made, word):
    return [
        line for worker in made.workers for line in worker.log_text().splitlines() if word in line
    ]


@pytest.fixture
def paused_at_old(cluster, fresh_mosquitto):
    """A connector at a broker of its own, paused with a backlog: (cluster, old broker, ids, sent)."""
    old = fresh_mosquitto()
    made = cluster(1, mosquitto=old)
    made.create(tasks_max=2)
    wait_connected(made, 2)
    assert made.rest.put("/connectors/c/pause").status == 202
    wait_connected(made, 0)
    sent = text(600, "old")
    made.publish(sent)
    return made, old, [f"sluice-{made.group}-c-{number}" for number in range(2)], sent


def test_sessions_are_read_out_at_the_old_broker_when_its_address_changes(paused_at_old, mosquitto):
    made, old, ids, sent = paused_at_old
    move_to(made, mosquitto.uri)
    wait_until(lambda: len(lines(made, "MQTT-SESSION-MOVED")) == 2, 40, made.tails)
    wait_connected(made, 2)
    assert not [one for one in ids if session_present(old.port, one)]
    made.mosquitto = mosquitto
    made.publish(["new"])
    assert len(made.wait_payloads([*sent, "new"])) == len(sent) + 1
    # Nothing was lost, so nobody is told that something was.
    assert not lines(made, "MQTT-SESSION-LOST")
    offsets = made.rest.get("/connectors/c/offsets").body["offsets"]
    assert {entry["offset"]["broker"] for entry in offsets} == {f"mqtt://127.0.0.1:{mosquitto.port}"}


def test_another_address_of_the_same_broker_changes_nothing_there(paused_at_old):
    made, old, ids, sent = paused_at_old
    move_to(made, f"tcp://localhost:{old.port}")
    made.wait_payloads(sent)
    wait_until(
        lambda: all(
            "localhost" in entry["offset"]["broker"]
            for entry in made.rest.get("/connectors/c/offsets").body["offsets"]
        ),
        30,
        made.tails,
    )
    wait_connected(made, 2)
    made.publish(["more"])
    assert len(made.wait_payloads([*sent, "more"])) == len(sent) + 1
    assert not lines(made, "MQTT-SESSION-MOVED") + lines(made, "MQTT-SESSION-LOST")
    assert [one for one in ids if session_present(old.port, one)] == ids


def test_old_broker_that_is_gone_holds_nothing_up(paused_at_old, mosquitto):
    made, old, _, _ = paused_at_old
    old.kill9()
    move_to(made, mosquitto.uri)
    wait_until(lambda: len(lines(made, "MQTT-SESSION-LEFT")) == 2, 30, made.tails)
    wait_connected(made, 2)
    made.mosquitto = mosquitto
    made.publish(["new"])
    made.wait_payloads(["new"])
    assert not lines(made, "MQTT-SESSION-LOST")


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
