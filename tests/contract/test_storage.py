# SPDX-License-Identifier: Apache-2.0
"""The internal topics: a Sluice cluster on those of a Java cluster, and the other way round."""

import json
import re
from urllib.parse import quote

from contract.conftest import WORKER
from contract.storage import topics
from lab import wait_until
from lab.connect import SINK, SOURCE

EVIL = "evil\u0001\nlevel=ERROR forged"
# Records of clusters with features that this one does not use, and what does not belong there.
FOREIGN = [
    ("tasks-fencing-file-run", '{"task-count":3}'),
    ("commit-nobody", '{"tasks":2}'),
    ("task-nobody-0", '{"properties":{"task.class":"x"}}'),
    ("task-file-run-7", '{"properties":{"task.class":"x"}}'),
    ("task-no-number", "{}"),
    ("target-state-nobody", '{"state":"PAUSED","state.v2":"PAUSED"}'),
    ("target-state-gone", None),
    ("restart-connector-file-run", '{"include-tasks":true,"only-failed":false}'),
    ("garbage-key-1", None),
    ("garbage-key-2", "no json"),
    ("", "an empty key"),
    ("connector-no-json", "{"),
    ("connector-no-object", "[]"),
    ("connector-no-properties", '{"a":1}'),
    ("connector-", '{"properties":{"connector.class":"x"}}'),
]


def names_of(worker):
    return set(worker.get("/connectors").body)


def target(name):
    return "/connectors/" + quote(name, safe="")


def write(kafka, topic, records):
    """Writes records one by one, so that their order is kept; None is a tombstone."""
    for key, value in records:
        kafka.produce_raw(topic, key, value)


def java_cluster(lab, kafka, group, folder):
    """A Java cluster with connectors in all states; stopped, its topics are left."""
    connect = lab.new_connect(kafka, group, WORKER).start(60)
    lines = folder / "lines.txt"
    lines.write_text("one\ntwo\n")
    source = {"connector.class": SOURCE, "file": str(lines), "topic": f"{group}-lines"}
    sink = {"connector.class": SINK, "topics": f"{group}-lines", "file": str(folder / "sink.txt")}
    made = {
        "file-run": source,
        "file-paused": source,
        "file-stopped": source,
        "file-deleted": source,
        "file-sink": sink,
        "with/slash": source,
    }
    for name, config in made.items():
        assert connect.post("/connectors", {"name": name, "config": config}).status == 201

    def read_on():
        offsets = [connect.get(f"/connectors/{name}/offsets").body for name in made if "/" not in name]
        return all(answer.get("offsets") for answer in offsets)

    wait_until(read_on, 30, "Java connectors to have offsets")
    assert connect.put("/connectors/file-paused/pause").status == 202
    assert connect.put("/connectors/file-stopped/stop").status == 204
    assert connect.delete("/connectors/file-deleted").status == 204
    assert connect.put("/admin/loggers/org.foo?scope=cluster", {"level": "debug"}).status == 204
    for name, state in (("file-paused", "PAUSED"), ("file-stopped", "STOPPED")):
        wait_until(
            lambda: connect.get(f"/connectors/{name}/status").body["connector"]["state"] == state,
            30,
            f"Java's {name} to be {state}",
        )
    wait_until(
        lambda: connect.get("/connectors/file-deleted/status").status == 404, 30, "deletion"
    )
    configs = {name: connect.get(f"/connectors/{name}/config").body for name in made if "/" not in name}
    configs["file-deleted"] = None
    connect.stop()
    return configs


def test_a_cluster_on_the_topics_of_a_java_cluster_shows_its_connectors(
    lab, kafka, mosquitto, cluster, tmp_path
):
    group = "java-to-sluice"
    configs = java_cluster(lab, kafka, group, tmp_path)
    topic = f"{group}-configs"
    mqtt = {
        "connector.class": "io.confluent.connect.mqtt.MqttSourceConnector",
        "mqtt.server.uri": mosquitto.uri,
        "mqtt.topics": f"{group}/#",
        "kafka.topic": f"{group}-out",
        "tasks.max": "1",
        "name": "mqtt",
    }
    write(
        kafka,
        topic,
        [
            *FOREIGN,
            ("connector-mqtt", json.dumps({"properties": mqtt})),
            (f"connector-{EVIL}", json.dumps({"properties": {**mqtt, "name": EVIL}})),
            (f"target-state-{EVIL}", json.dumps({"state": "PAUSED", "state.v2": "STOPPED"})),
        ],
    )
    before = set(kafka.latest(topic))
    made = cluster(workers=0, properties=topics(group), group=group)
    worker = made.add(2)

    expected = {"file-run", "file-paused", "file-stopped", "file-sink", "with/slash", "mqtt", EVIL}
    found = names_of(worker)
    assert expected <= found, found
    assert "file-deleted" not in found and "gone" not in found and "" not in found
    for name in ("file-run", "file-paused", "file-stopped", "file-sink"):
        assert worker.get(target(name) + "/config").body == configs[name]

    # What is here runs at once.
    made.wait_running("mqtt", 1)
    kafka.create_topic(f"{group}-out")
    mosquitto.publish(f"{group}/a", ["hello"])
    kafka.wait_count(f"{group}-out", 1)

    # The rest says why it does not.
    for name in ("file-run", "file-paused", "file-sink", "with/slash"):
        state = wait_until(lambda: failed(worker, name), 15, f"{name} to be FAILED\n{made.tails()}")
        assert "Failed to find any class that implements Connector" in state["trace"]
        assert "FileStream" in state["trace"]
    wait_until(
        lambda: worker.get("/connectors/file-stopped/status").body["connector"]["state"] == "STOPPED",
        15,
        "file-stopped to be STOPPED",
    )

    # Their offsets need no class.
    source_file = str(tmp_path / "lines.txt")
    assert worker.get("/connectors/file-stopped/offsets").body == {
        "offsets": [{"partition": {"filename": source_file}, "offset": {"position": 8}}]
    }
    assert worker.get("/connectors/file-run/topics").body == {
        "file-run": {"topics": [f"{group}-lines"]}
    }

    # Nothing was removed, and everything can be changed and removed.
    assert before <= set(kafka.latest(topic))
    assert worker.put("/connectors/file-stopped/resume").status == 202
    assert worker.put("/connectors/file-paused/stop").status == 204
    assert worker.put("/connectors/mqtt/pause").status == 202
    made.create("sluice's own", made.source_config(tasks_max=2))
    for name in (EVIL, "with/slash", "file-sink"):
        answer = worker.delete(target(name))
        assert answer.status == 204, (name, answer)
    left = {"file-run", "file-paused", "file-stopped", "mqtt", "sluice's own"}
    wait_until(lambda: names_of(worker) & (expected | left) == left, 15, "the deleted to be gone")
    for part in made.workers:
        assert part.alive()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f]|^level=ERROR forged", part.log_text(), re.M)
    shown = worker.get("/connectors?expand=info").body
    for part in made.workers:
        part.stop()
    back_to_java(lab, kafka, group, {name: shown[name]["info"] for name in left})


def back_to_java(lab, kafka, group, infos):
    """A Java worker on the topics that a Sluice cluster has changed."""
    connect = lab.new_connect(kafka, group, WORKER).start(60)
    wait_until(lambda: set(infos) <= names_of(connect), 15, "Java to list all")
    assert not {"with/slash", "file-sink", "file-deleted", EVIL} & names_of(connect)
    for name, info in infos.items():
        assert connect.get(target(name) + "/config").body == info["config"]
    assert len(connect.get(target("sluice's own") + "/tasks").body) == 2
    for name, state in (("file-run", "RUNNING"), ("file-paused", "STOPPED"), ("file-stopped", "RUNNING")):
        wait_until(
            lambda: state_of(connect, name) == state, 30, f"{name} to be {state} in Java\n"
            f"{connect.get(target(name) + '/status').body}"
        )
    # Java has no such class; that it says so shows that it read the config.
    for name in ("mqtt", "sluice's own"):
        wait_until(lambda: failed(connect, name), 30, f"{name} to be FAILED in Java")
    tasks = connect.get(target("sluice's own") + "/status").body["tasks"]
    assert [task["id"] for task in tasks] == [0, 1]
    assert connect.delete("/connectors/mqtt").status == 204
    assert connect.alive()


def failed(worker, name):
    """The connector's part of the status when it is FAILED."""
    answer = worker.get(target(name) + "/status")
    state = answer.body["connector"] if answer.status == 200 else {}
    return state if state.get("state") == "FAILED" else None


def state_of(worker, name):
    """The connector's state in its status, None without one."""
    answer = worker.get(target(name) + "/status")
    return answer.body["connector"]["state"] if answer.status == 200 else None
