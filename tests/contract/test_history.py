# SPDX-License-Identifier: Apache-2.0
"""A start on topics with a long history: many connectors, and many updates of each."""

import json
import os
import time

from contract.storage import topics
from lab import wait_until

CONNECTORS = int(os.environ.get("SLUICE_HISTORY_CONNECTORS", "10000"))
UPDATES = int(os.environ.get("SLUICE_HISTORY_UPDATES", "10"))
START_SECONDS = 5
# On a machine that has nothing else to do both are the same; a busy one is not the worker's fault.
BUSY_SECONDS = 20
RSS_KB_PER_CONNECTOR = 16
RSS_KB_BASE = 40000


def config(name, update):
    """A connector's config as of one update, about as long as real ones."""
    return {
        "connector.class": "MqttSource",
        "name": name,
        "tasks.max": "1",
        "mqtt.server.uri": "tcp://127.0.0.1:1",
        "mqtt.topics": f"plant/{name}/+/state",
        "kafka.topic": "plant-state",
        "mqtt.qos": "1",
        "value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter",
        "errors.tolerance": "none",
        "update": str(update),
    }


def history():
    """Records in the order in which a cluster writes them; at the end all are stopped."""
    for update in range(UPDATES):
        for number in range(CONNECTORS):
            name = f"c{number:05}"
            made = config(name, update)
            yield f"connector-{name}", json.dumps({"properties": made})
            task = {**made, "task.class": "MqttSource"}
            yield f"task-{name}-0", json.dumps({"properties": task})
            yield f"commit-{name}", '{"tasks":1}'
    for number in range(CONNECTORS):
        name = f"c{number:05}"
        yield f"commit-{name}", '{"tasks":0}'
        yield f"target-state-{name}", '{"state":"PAUSED","state.v2":"STOPPED"}'


def statuses():
    for number in range(CONNECTORS):
        yield (
            f"status-connector-c{number:05}",
            '{"state":"STOPPED","trace":null,"worker_id":"10.0.0.1:8083","generation":3}',
        )


def test_a_worker_starts_fast_on_a_long_history(kafka, cluster):
    group = "history"
    kafka.create_topic(f"{group}-configs", 1, {"cleanup.policy": "compact"})
    kafka.create_topic(f"{group}-status", 5, {"cleanup.policy": "compact"})
    kafka.produce(f"{group}-configs", history())
    kafka.produce(f"{group}-status", statuses())
    records = CONNECTORS * (3 * UPDATES + 2)
    assert kafka.count(f"{group}-configs") == records

    made = cluster(workers=0, properties=topics(group), group=group)
    since = time.monotonic()
    worker = made.add(1, timeout=60)
    ready = time.monotonic() - since
    names = worker.get("/connectors").body
    listed = time.monotonic() - since
    rss = worker.rss_kb()
    used = worker.cpu_seconds()
    print(
        f"{records} records: ready {ready:.2f} s, listed {listed:.2f} s, "
        f"CPU {used:.2f} s, RSS {rss // 1024} MB"
    )
    assert len(names) == CONNECTORS
    assert worker.get(f"/connectors/{names[-1]}/config").body["update"] == str(UPDATES - 1)
    assert used < START_SECONDS and listed < BUSY_SECONDS
    assert rss < RSS_KB_BASE + CONNECTORS * RSS_KB_PER_CONNECTOR

    # It is not only there, it works.
    made.create("one-more")
    assert worker.delete(f"/connectors/{names[0]}").status == 204
    wait_until(
        lambda: len(worker.get("/connectors").body) == CONNECTORS, 10, "the deleted one to go"
    )
