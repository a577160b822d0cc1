# SPDX-License-Identifier: Apache-2.0
"""Topics that source connectors make by their topic.creation rules."""

from lab import wait_until

RULES = {
    "topic.creation.default.partitions": "2",
    "topic.creation.default.replication.factor": "1",
    "topic.creation.groups": "wide",
    "topic.creation.wide.include": "no-such, .*-wide",
    "topic.creation.wide.partitions": "7",
    "topic.creation.wide.cleanup.policy": "compact",
    "topic.creation.wide.segment.ms": "3600000",
}


def test_first_record_makes_the_topic_by_its_group(cluster):
    one = cluster()
    wide = f"{one.topic}-wide"
    one.create("c", {**one.source_config(), **RULES})
    one.create("w", {**one.source_config(kafka_topic=wide, mqtt_topics=f"{one.prefix}-w/#"), **RULES})
    one.publish(["x"])
    one.mosquitto.publish(f"{one.prefix}-w/a", ["y"])
    one.kafka.wait_count(one.topic, 1, 30)
    one.kafka.wait_count(wide, 1, 30)
    assert len(one.kafka.topics()[one.topic]) == 2
    assert len(one.kafka.topics()[wide]) == 7
    settings = one.kafka.topic_config(wide)
    assert (settings["cleanup.policy"], settings["segment.ms"]) == ("compact", "3600000")
    assert one.kafka.topic_config(one.topic)["cleanup.policy"] == "delete"


def test_topic_that_is_there_stays_as_it_is(cluster):
    one = cluster()
    one.kafka.create_topic(one.topic, 3)
    one.create("c", {**one.source_config(), **RULES})
    one.publish(["x"])
    one.kafka.wait_count(one.topic, 1, 30)
    assert len(one.kafka.topics()[one.topic]) == 3


def test_topic_that_cannot_be_made_fails_the_task_and_loses_nothing(cluster):
    one = cluster()
    rules = {**RULES, "topic.creation.default.replication.factor": "3"}
    one.create("c", {**one.source_config(tasks_max=1), **rules})
    one.publish(["x"])

    def trace():
        (task,) = one.status("c")["tasks"]
        return task["state"] == "FAILED" and task["trace"]

    text = wait_until(trace, 30, "the task to fail", 0.1)
    assert "topic.creation.default.replication.factor" in text
    assert one.topic not in one.kafka.topics()
    answer = one.rest.put("/connectors/c/config", {**one.source_config(tasks_max=1), **RULES})
    assert answer.status == 200
    one.kafka.wait_count(one.topic, 1, 30)
    assert len(one.kafka.topics()[one.topic]) == 2


def test_worker_that_forbids_it_leaves_topics_to_the_broker(cluster):
    one = cluster(properties={"topic.creation.enable": "false"})
    one.create("c", {**one.source_config(), **RULES})
    one.publish(["x"])
    one.kafka.wait_count(one.topic, 1, 30)
    assert len(one.kafka.topics()[one.topic]) == 1
