# SPDX-License-Identifier: Apache-2.0
"""Levels of loggers while workers run: of one worker, and of the whole cluster."""

import json
import time

import pytest

from lab import wait_until


@pytest.fixture(scope="module")
def pair(lab, kafka, mosquitto):
    from lab import Cluster, find_program

    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="loggers")
    made.add(2)
    yield made
    made.close()


def loggers(worker):
    return worker.get("/admin/loggers/").body


def put(worker, name, level, scope=None):
    query = f"?scope={scope}" if scope else ""
    return worker.put(f"/admin/loggers/{name}{query}", {"level": level})


def below(name, logger):
    return name == "root" or logger == name or logger.startswith(f"{name}.")


def are_set(worker, name, level, since=None):
    """Whether the logger and its children have the level, and were changed since then (or never)."""
    return all(
        state["level"] == level
        and (state["last_modified"] is None if since is None else state["last_modified"] >= since)
        for logger, state in loggers(worker).items()
        if below(name, logger)
    )


def test_levels_of_a_worker_and_of_the_cluster(pair):
    """What Apache's system test of dynamic logging does with a cluster."""
    first, second = pair.workers
    for worker in pair.workers:
        known = loggers(worker)
        assert len(known) >= 2 and "root" in known
        assert list(known) == sorted(known)
        assert all(state == {"level": "INFO", "last_modified": None} for state in known.values())

    # One worker.
    since = int(time.time() * 1000)
    changed = put(first, "sluice.worker", "debug")
    assert changed.status == 200
    assert changed.body == sorted(name for name in loggers(first) if below("sluice.worker", name))
    assert are_set(first, "sluice.worker", "DEBUG", since)
    assert are_set(second, "root", "INFO")
    assert first.get("/admin/loggers/sluice.rest").body == {"level": "INFO", "last_modified": None}
    stamp = loggers(first)["sluice.worker"]["last_modified"]
    assert put(first, "sluice.worker", "DEBUG", "worker").body == []
    assert loggers(first)["sluice.worker"]["last_modified"] == stamp

    # All of them, asked of the one that does not lead as well.
    for worker, level in ((first, "WARN"), (second, "DEBUG"), (first, "INFO")):
        since = int(time.time() * 1000)
        answer = put(worker, "root", level, "cluster")
        assert (answer.status, answer.body) == (204, None)
        assert are_set(worker, "root", level, since)
        wait_until(
            lambda: all(are_set(w, "root", level) or are_set(w, "root", level, since)
                        for w in pair.workers),
            10,
            f"root to be {level} everywhere",
        )
    before = [loggers(worker) for worker in pair.workers]
    assert put(first, "root", "INFO", "cluster").status == 204
    assert put(second, "org.apache.kafka.connect", "TRACE", "CLUSTER").status == 204
    wait_until(
        lambda: all("org.apache.kafka.connect" in loggers(w) for w in pair.workers), 10, "a new one"
    )
    for worker, old in zip(pair.workers, before):
        new = loggers(worker)
        assert new.pop("org.apache.kafka.connect")["level"] == "TRACE"
        assert new == old

    # Upper case in the topic, and forgotten by a restart.
    stored = pair.kafka.latest(f"{pair.group}-configs")
    assert json.loads(stored[b"logger-cluster-root"].value) == {"level": "INFO"}
    second.stop()
    second.start()
    assert are_set(second, "root", "INFO")
    assert "org.apache.kafka.connect" not in loggers(second)


def test_a_level_takes_effect_at_once(pair):
    worker = pair.workers[0]
    marker = "/connectors/is-this-logged"
    worker.get(marker)
    assert marker not in worker.log_text()
    assert "sluice.rest.access" in put(worker, "sluice.rest.access", "DEBUG").body
    worker.get(marker)
    wait_until(lambda: marker in worker.log_text(), 10, "the request in the log")
    assert put(worker, "sluice.rest.access", "OFF").status == 200
    count = worker.log_text().count("REST-ACCESS")
    worker.put(f"{marker}/pause")
    worker.get("/")
    assert worker.log_text().count("REST-ACCESS") == count


@pytest.mark.parametrize("scope", [None, "cluster", "nonsense"])
def test_wrong_levels_and_names(pair, scope):
    worker = pair.workers[1]
    query = f"?scope={scope}" if scope else ""
    missing = "Desired 'level' parameter was not specified in request."
    for body, code, message in (
        ({}, 400, missing),
        ({"level": None}, 400, missing),
        ({"level": "LOUD"}, 404, "invalid log level 'LOUD'."),
        ({"level": ""}, 400, "Illegal null or empty Level name."),
        ([], 400, None),
        (b"", 400, None),
    ):
        answer = worker.put(f"/admin/loggers/root{query}", body)
        assert answer.status == code, (body, answer)
        assert message in (None, answer.body["message"])
    name = "x" * 300
    assert worker.put(f"/admin/loggers/{name}{query}", {"level": "INFO"}).status == 400
    unknown = worker.get("/admin/loggers/no%2Fsuch")
    assert (unknown.status, unknown.body["message"]) == (404, "Logger no/such not found.")
    assert worker.get("/admin/loggers/ROOT").status == 200
