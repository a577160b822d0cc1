# SPDX-License-Identifier: Apache-2.0
"""Offsets of source connectors through REST: shown on every worker, changed when stopped."""

import json
import subprocess
import uuid

import pytest
from test_sink import Inbox

from lab import wait_until


@pytest.fixture(scope="module")
def pair(lab, kafka, mosquitto):
    from lab import Cluster, find_program

    made = Cluster(
        lab,
        kafka,
        mosquitto,
        {
            "config.providers": "env",
            "config.providers.env.class": (
                "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
            ),
        },
        program=find_program(),
        name="offsets",
        env={"OFFSETS_GROUP": "of-the-environment"},
    )
    made.add(2)
    yield made
    made.close()


@pytest.fixture
def name(request):
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


def offsets_of(worker, name):
    answer = worker.get(f"/connectors/{name}/offsets")
    assert answer.status == 200, answer
    assert list(answer.body) == ["offsets"]
    return {json.dumps(o["partition"]): o["offset"] for o in answer.body["offsets"]}


def sessions(made, name):
    return {json.dumps({"session": f"sluice-{made.group}-{name}-{k}"}) for k in range(2)}


def subscribed(made, name):
    """Waits until both sessions have stored what they are subscribed to; returns it."""
    wait_until(
        lambda: all(set(offsets_of(w, name)) == sessions(made, name) for w in made.workers),
        20,
        lambda: f"{sessions(made, name)}, there is {offsets_of(made.rest, name)}",
    )
    return offsets_of(made.rest, name)


def message(answer):
    return answer.status, answer.body["message"]


DONE = (
    "The Connect framework-managed offsets for this connector have been {0} successfully. However, "
    "if this connector manages offsets externally, they will need to be manually {0} in the system "
    "that the connector uses."
)


def stop(worker, name):
    assert worker.put(f"/connectors/{name}/stop").status == 204


def test_offsets_of_a_source_are_shown_altered_and_reset_through_either_worker(pair, name):
    pair.create(name)
    before = subscribed(pair, name)
    assert all(len(offset["filters"]) == 1 for offset in before.values())
    for worker in pair.workers:
        path = f"/connectors/{name}/offsets"
        session = json.loads(min(before))
        edit = {"offsets": [{"partition": session, "offset": {"filters": ["old/#", "older/+"]}}]}
        not_stopped = (
            "Connectors must be in the STOPPED state before their offsets can be modified. This "
            "can be done for the specified connector by issuing a 'PUT' request to the "
            f"'/connectors/{name}/stop' endpoint"
        )
        assert message(worker.patch(path, edit)) == (400, not_stopped)
        assert message(worker.delete(path)) == (400, not_stopped)

        # Right after the stop: the tasks that still end are waited for.
        stop(worker, name)
        assert message(worker.patch(path, edit)) == (200, DONE.format("altered"))
        altered = {**before, min(before): {"filters": ["old/#", "older/+"]}}
        assert offsets_of(worker, name) == altered
        one_gone = {"offsets": [{"partition": session, "offset": None}]}
        assert message(worker.patch(path, one_gone)) == (200, DONE.format("altered"))
        assert set(offsets_of(worker, name)) == {max(before)}
        assert message(worker.delete(path)) == (200, DONE.format("reset"))
        assert offsets_of(worker, name) == {}
        assert message(worker.delete(path)) == (200, DONE.format("reset"))

        assert worker.put(f"/connectors/{name}/resume").status == 202
        pair.wait_running(name, tasks=2)
        assert subscribed(pair, name) == before
    # The sessions went on all the while: nothing that waited in them is lost.
    pair.publish(["after it all"])
    pair.wait_payloads(["after it all"])


def test_nothing_published_meanwhile_is_lost_by_a_reset(pair, name):
    """The offsets say what to give up, not where to go on: that the broker's sessions know."""
    pair.create(name, pair.source_config(mqtt_topics=f"{pair.prefix}/r/#"))
    subscribed(pair, name)
    stop(pair.rest, name)
    wait_until(lambda: pair.status(name)["tasks"] == [], 20, "the tasks to end")
    texts = [f"{name} {k}" for k in range(20)]
    pair.publish(texts, sub="r/x")
    assert pair.rest.delete(f"/connectors/{name}/offsets").status == 200
    assert pair.rest.put(f"/connectors/{name}/resume").status == 202
    pair.wait_payloads(texts)


def test_initially_stopped_connector_takes_offsets_before_its_first_start(pair, name):
    config = pair.source_config()
    body = {"name": name, "config": config, "initial_state": "STOPPED"}
    assert pair.rest.post("/connectors", body).status == 201
    partition = json.loads(min(sessions(pair, name)))
    edit = {"offsets": [{"partition": partition, "offset": {"filters": ["a/b"]}}]}
    for worker in pair.workers:
        assert worker.patch(f"/connectors/{name}/offsets", edit).status == 200
        assert offsets_of(worker, name) == {json.dumps(partition): {"filters": ["a/b"]}}
    # What it is not to be subscribed to any more it gives up; then it stores what it is.
    assert pair.rest.put(f"/connectors/{name}/resume").status == 202
    wanted = f"$share/{pair.group}-{name}/{pair.prefix}/#"
    wait_until(
        lambda: all(o["filters"] == [wanted] for o in subscribed(pair, name).values()),
        20,
        lambda: f"{wanted}, there is {offsets_of(pair.rest, name)}",
    )
    # Deletion keeps the offsets for a connector of the same name; a restart of a worker too.
    stop(pair.rest, name)
    assert pair.rest.delete(f"/connectors/{name}").status == 204
    assert pair.rest.get(f"/connectors/{name}/offsets").status == 404
    pair.workers[1].stop()
    pair.workers[1].start()
    assert pair.workers[1].post("/connectors", body).status == 201
    assert len(offsets_of(pair.workers[1], name)) == 2


def test_bodies_that_are_wrong(pair, name):
    body = {"name": name, "config": pair.source_config(), "initial_state": "STOPPED"}
    assert pair.rest.post("/connectors", body).status == 201
    needed = "Partitions / offsets need to be provided for an alter offsets request"
    session = {"session": "s"}
    for sent, text in (
        ([], "Cannot deserialize value"),
        ({}, needed),
        ({"offsets": []}, needed),
        ({"offsets": None}, needed),
        ({"key": []}, 'Unrecognized field "key"'),
        ({"offsets": {}}, "Cannot deserialize value"),
        ({"offsets": [123]}, "Cannot construct instance"),
        ({"offsets": [None]}, "Cannot construct instance"),
        ({"offsets": [{"key": "val"}]}, 'Unrecognized field "key"'),
        ({"offsets": [{"partition": [], "offset": None}]}, "Cannot deserialize value"),
        ({"offsets": [{"partition": "p", "offset": None}]}, "Cannot construct instance"),
        ({"offsets": [{"offset": {}}]}, "cannot be null or missing"),
        ({"offsets": [{"partition": {"file": "x"}, "offset": None}]}, "client id"),
        ({"offsets": [{"partition": session, "offset": {"position": 3}}]}, "topic filters"),
        ({"offsets": [{"partition": session, "offset": {"filters": ["a/#/b"]}}]}, "#"),
        ({"offsets": [{"partition": session, "offset": {"filters": [1]}}]}, "must be a string"),
        (b"{", "not valid JSON"),
        (b"", "missing"),
    ):
        for worker in pair.workers:
            answer = worker.patch(f"/connectors/{name}/offsets", sent)
            assert answer.status == 400 and text in answer.body["message"], (sent, answer)
    assert offsets_of(pair.rest, name) == {}
    for worker in pair.workers:
        edit = {"offsets": [{"partition": session, "offset": None}]}
        unknown = "Connector nix not found"
        assert message(worker.get("/connectors/nix/offsets")) == (404, unknown)
        assert message(worker.patch("/connectors/nix/offsets", edit)) == (404, unknown)
        assert message(worker.delete("/connectors/nix/offsets")) == (404, unknown)


def foreign_sink(made, name, **config):
    """Puts a stopped sink of another program's class into the config topic, as Connect writes it."""
    config = {"connector.class": "FileStreamSink", "name": name, **config}
    made.kafka.produce(
        f"{made.group}-configs",
        [
            (f"target-state-{name}", '{"state":"PAUSED","state.v2":"STOPPED"}'),
            (f"connector-{name}", json.dumps({"properties": config})),
        ],
    )
    wait_until(
        lambda: all(w.get(f"/connectors/{name}").status == 200 for w in made.workers), 10, name
    )


def sink_edit(topic, partition, offset):
    entry = {"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": None}
    if offset is not None:
        entry["offset"] = {"kafka_offset": offset}
    return entry


@pytest.mark.parametrize("group", [None, "of-its-own", "${env:OFFSETS_GROUP}"])
def test_offsets_of_a_sink_are_those_of_its_group(pair, name, group):
    topic = f"{pair.topic}-{uuid.uuid4().hex[:8]}"
    pair.kafka.create_topic(topic, 2)
    config = {"topics": topic}
    if group:
        config["consumer.override.group.id"] = group
    foreign_sink(pair, name, **config)
    group = {None: f"connect-{name}", "of-its-own": group}.get(group, "of-the-environment")
    path = f"/connectors/{name}/offsets"
    done = "The offsets for this connector have been {} successfully"
    for worker in pair.workers:
        assert worker.get(path).body == {"offsets": []}
        edits = [sink_edit(topic, 1, 7), sink_edit(topic, "0", "12")]
        assert message(worker.patch(path, {"offsets": edits})) == (200, done.format("altered"))
        assert pair.kafka.committed(group, topic) == {0: 12, 1: 7}
        shown = {"offsets": [sink_edit(topic, 0, 12), sink_edit(topic, 1, 7)]}
        assert all(w.get(path).body == shown for w in pair.workers)
        edits = [sink_edit(topic, 1, None), sink_edit(topic, 0, 3)]
        assert message(worker.patch(path, {"offsets": edits})) == (200, done.format("altered"))
        assert worker.get(path).body == {"offsets": [sink_edit(topic, 0, 3)]}
        assert message(worker.delete(path)) == (200, done.format("reset"))
        assert pair.kafka.committed(group, topic) == {0: -1, 1: -1}
        assert message(worker.delete(path)) == (200, done.format("reset"))


def test_offsets_of_a_sink_that_are_wrong(pair, name):
    topic = f"{pair.topic}-wrong"
    pair.kafka.create_topic(topic)
    foreign_sink(pair, name, topics=topic)
    good = {"kafka_topic": topic, "kafka_partition": 0}
    offset = {"kafka_offset": 1}
    parse = "Failed to parse the following Kafka {0} value in the provided offsets: '{1}'. {2}"
    integers = " values for sink connectors need to be integers."
    failed = f"Failed to alter consumer group offsets for connector {name}"
    missing = "must contain the keys 'kafka_topic' and 'kafka_partition'"
    for partition, value, code, text in (
        (None, offset, 400, "cannot be null or missing"),
        ({"kafka_topic": topic}, offset, 400, missing),
        ({**good, "kafka_topic": None}, offset, 400, "valid strings and may not be null"),
        ({**good, "kafka_partition": None}, offset, 400, "valid numbers and may not be null"),
        ({**good, "kafka_partition": "x"}, offset, 400,
         parse.format("partition", "x", "Partition" + integers)),
        (good, {}, 400, "should either be null or contain the key 'kafka_offset'"),
        (good, {"kafka_offset": 1.5}, 400, parse.format("offset", "1.5", "Offset" + integers)),
        (good, {"kafka_offset": None}, 400, parse.format("offset", "null", "Offset" + integers)),
        (good, {"kafka_offset": -1}, 400, f"Failed to modify offsets for sink connector {name}"),
        ({**good, "kafka_partition": 9}, offset, 500, failed),
        ({**good, "kafka_topic": "no-such-topic"}, offset, 500, failed),
    ):
        edit = {"offsets": [{"partition": partition, "offset": value}]}
        answer = pair.workers[1].patch(f"/connectors/{name}/offsets", edit)
        assert answer.status == code and text in answer.body["message"], (edit, answer)
    assert "no-such-topic" not in pair.kafka.topics()
    assert pair.rest.get(f"/connectors/{name}/offsets").body == {"offsets": []}


def test_a_living_member_of_the_group_is_not_overruled(pair, name, tmp_path):
    topic = f"{pair.topic}-alive"
    pair.kafka.create_topic(topic)
    foreign_sink(pair, name, topics=topic)
    group = f"connect-{name}"
    argv = ["kcat", "-b", pair.kafka.address, "-G", group, topic, "-X", "session.timeout.ms=6000"]
    path = f"/connectors/{name}/offsets"
    zombies = "either because its tasks haven't stopped completely yet"
    edit = {"offsets": [sink_edit(topic, 0, 1)]}
    said = tmp_path / "member.log"
    with open(said, "wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as member:
        try:
            pair.kafka.wait_group(
                group,
                lambda seen: seen["state"] == "Stable",
                lambda: f"a member, which said: {said.read_text(errors='replace')}",
            )
            for call, verb in (
                (lambda: pair.rest.patch(path, edit), "alter"),
                (lambda: pair.rest.delete(path), "reset"),
            ):
                answer = call()
                text = f"Failed to {verb} consumer group offsets for connector {name} {zombies}"
                assert answer.status == 500 and text in answer.body["message"], answer
        finally:
            member.terminate()
    pair.kafka.wait_group(
        group, lambda seen: seen["state"] in ("Empty", "Dead"), lambda: f"its end: {said.read_text()}"
    )
    assert pair.rest.patch(path, edit).status == 200


def test_a_sink_goes_on_where_its_offsets_say_and_tells_its_topics(pair, name):
    topic = f"{pair.topic}-sink"
    pair.kafka.create_topic(topic)
    config = {
        "connector.class": "MqttSink",
        "tasks.max": "1",
        "topics": topic,
        "mqtt.server.uri": pair.mosquitto.uri,
        "mqtt.retained.enabled": "false",
    }
    path = f"/connectors/{name}"
    body = {"name": name, "config": config, "initial_state": "STOPPED"}
    first, second = pair.workers
    assert first.post("/connectors", body).status == 201
    pair.kafka.produce(topic, [(None, f"m{number}") for number in range(6)])
    inbox = Inbox(pair.mosquitto, topic)

    # Before the first start, after it, and from the beginning: asked of either worker.
    for worker, call, expected in (
        (first, lambda: second.patch(f"{path}/offsets", {"offsets": [sink_edit(topic, 0, 4)]}), 4),
        (second, lambda: first.patch(f"{path}/offsets", {"offsets": [sink_edit(topic, 0, 2)]}), 2),
        (first, lambda: second.delete(f"{path}/offsets"), 0),
    ):
        assert call().status == 200
        assert worker.put(f"{path}/resume").status == 202
        assert inbox.payloads(6 - expected) == [f"m{number}" for number in range(expected, 6)]
        wait_until(
            lambda: worker.get(f"{path}/offsets").body == {"offsets": [sink_edit(topic, 0, 6)]},
            20,
            "the offsets to be committed",
        )
        stop(worker, name)
    for worker in pair.workers:
        wait_until(
            lambda: worker.get(f"{path}/topics").body == {name: {"topics": [topic]}}, 10, "topics"
        )


def test_internal_endpoints_and_those_that_are_gone(pair):
    for worker in pair.workers:
        for method, path in ((worker.post, "/connectors/x/tasks"), (worker.put, "/connectors/x/fence")):
            answer = method(path, [])
            assert message(answer) == (400, "Internal request missing required signature")
        assert worker.get("/connectors/x/tasks-config").status == 404
        assert worker.get("/connectors/x/topics/?forward=true").status == 200
        assert worker.get("/connectors/a%2Fb%20%C3%BC/topics").body == {"a/b ü": {"topics": []}}
