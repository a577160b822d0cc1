# SPDX-License-Identifier: Apache-2.0
"""The Kafka topics that connectors use, as /connectors/{c}/topics tells them on every worker."""

import pytest

from lab import wait_until


def topics_of(worker, name):
    answer = worker.get(f"/connectors/{name}/topics")
    assert answer.status == 200
    assert list(answer.body) == [name]
    return answer.body[name]["topics"]


def wait_topics(made, name, expected):
    """Waits until every worker tells exactly these topics."""
    wait_until(
        lambda: all(topics_of(worker, name) == sorted(expected) for worker in made.alive),
        20,
        lambda: f"{expected}, told are {[topics_of(worker, name) for worker in made.alive]}",
    )


def wait_subscribed(made, name, sessions=2):
    wait_until(
        lambda: len(made.rest.get(f"/connectors/{name}/offsets").body["offsets"]) == sessions,
        20,
        f"{sessions} sessions of {name} to be subscribed",
    )


@pytest.fixture
def pair(cluster):
    return cluster(2)


def use(made, name, texts):
    """Sends messages through the connector until they are in Kafka."""
    wait_subscribed(made, name)
    made.publish(texts)
    made.wait_payloads(texts)


def records_of(made, name):
    """Tombstones and all: the records of the status topic about the connector's topics."""
    ending = f":connector-{name}".encode()
    return [r for r in made.kafka.read(f"{made.group}-status") if r.key.endswith(ending)]


def test_topics_appear_when_used_and_survive_all_but_reset_and_deletion(pair):
    for worker in pair.workers:
        assert topics_of(worker, "nix") == []
    pair.create("c")
    wait_subscribed(pair, "c")
    assert topics_of(pair.rest, "c") == []
    use(pair, "c", ["one", "two"])
    wait_topics(pair, "c", [pair.topic])
    first = pair.topic

    # A topic more, after a change of the config; the one before stays.
    pair.topic = f"{first}-more"
    assert pair.rest.patch("/connectors/c/config", {"kafka.topic": pair.topic}).status == 200
    again = [0]

    def more():
        # The tasks take the change one after the other.
        again[0] += 1
        pair.publish([f"later {again[0]}"])
        return pair.topic in topics_of(pair.rest, "c")

    wait_until(more, 20, "the second topic to be told", 0.2)
    wait_topics(pair, "c", [first, pair.topic])

    # Restart, pause, and the end of each worker in turn change nothing.
    assert pair.rest.post("/connectors/c/restart?includeTasks=true").status == 202
    assert pair.rest.put("/connectors/c/pause").status == 202
    wait_topics(pair, "c", [first, pair.topic])
    assert pair.rest.put("/connectors/c/resume").status == 202
    for worker in pair.workers:
        worker.stop()
    for worker in pair.workers:
        worker.launch()
    for worker in pair.workers:
        worker.wait_serving()
    wait_topics(pair, "c", [first, pair.topic])

    # Each topic was written once for each task that used it first, at most.
    assert 2 <= len(records_of(pair, "c")) <= 4
    record = pair.kafka.latest(f"{pair.group}-status")[f"status-topic-{first}:connector-c".encode()]
    assert record.value.startswith(b'{"topic":{"name":"%s","connector":"c","task":' % first.encode())

    # Reset through either worker; only what is used again comes back.
    for worker in pair.workers:
        assert worker.put("/connectors/c/topics/reset").status == 202
        assert topics_of(worker, "c") == []
        pair.wait_running("c")
        use(pair, "c", [f"after reset {worker.port}"])
        wait_topics(pair, "c", [pair.topic])

    # Deletion clears, also for a connector of the same name that is made at once.
    config = pair.source_config()
    assert pair.workers[1].delete("/connectors/c").status == 204
    assert topics_of(pair.workers[1], "c") == []
    answer = pair.rest.post("/connectors", {"name": "c", "config": config})
    assert answer.status == 201
    wait_topics(pair, "c", [])


def test_dead_letters_are_no_use_of_a_topic(pair):
    """Kafka refuses every record as too large for the topic: only the queue is written."""
    pair.kafka.create_topic(pair.topic, 1, {"max.message.bytes": "100"})
    queue = f"{pair.topic}-dead"
    pair.create(
        "d",
        {
            **pair.source_config(),
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": queue,
            "errors.deadletterqueue.topic.replication.factor": "1",
        },
    )
    wait_subscribed(pair, "d")
    pair.publish(["x" * 300])
    pair.kafka.wait_count(queue, 1)
    pair.publish(["y"])
    # Whether "y" fits depends on Kafka's own overhead: what counts is that the queue never shows.
    wait_until(lambda: pair.kafka.count(queue) + pair.kafka.count(pair.topic) == 2, 20, "y")
    assert queue not in topics_of(pair.rest, "d")


@pytest.mark.parametrize(
    "properties, codes, text",
    [
        ({"topic.tracking.enable": "false"}, (403, 403), "Topic tracking is disabled."),
        ({"topic.tracking.allow.reset": "false"}, (200, 403), "Topic tracking reset is disabled."),
    ],
)
def test_tracking_and_reset_can_be_switched_off(cluster, properties, codes, text):
    made = cluster(1, properties=properties)
    made.create("c")
    use(made, "c", ["one"])
    got = made.rest.get("/connectors/c/topics")
    assert got.status == codes[0]
    reset = made.rest.put("/connectors/c/topics/reset")
    assert (reset.status, reset.body["message"]) == (codes[1], text)
    if codes[0] == 200:
        wait_topics(made, "c", [made.topic])
    else:
        assert got.body["message"] == text
        assert records_of(made, "c") == []
