# SPDX-License-Identifier: Apache-2.0
"""The account of messages can see loss: the same kill costs a naive worker messages, and ours none.

The naive worker is made of the same sources with SLUICE_NAIVE_ACK: it acknowledges to the MQTT
broker before Kafka has the record.
"""

import os
import pathlib

import pytest

# pylint: disable=import-error
from chaos.account import Flow
from lab import find_program, wait_until

MESSAGES = 2000
WINDOW = 100
SESSIONS = 2


@pytest.fixture
def naive(load):
    named = os.environ.get("SLUICE_WORKER_NAIVE")
    path = named or str(pathlib.Path(load).parents[1] / "naive" / "sluice-worker-naive")
    assert os.access(path, os.X_OK), f"no naive worker at {path}"
    return path


def kill_with_messages_in_flight(cluster, fresh_kafka, load, program, name):
    """Kills a worker while Kafka holds back its answers; returns the account of all messages."""
    kafka = fresh_kafka()
    group = cluster(
        1,
        kafka=kafka,
        program=program,
        properties={"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"},
    )
    group.create("c", tasks_max=SESSIONS, mqtt_receive_maximum=WINDOW)
    flow = Flow(load, group, name, MESSAGES, rate=1000, sessions=SESSIONS).start()
    try:
        kafka.wait_count(group.topic, MESSAGES // 10)
        worker = group.workers[0]
        kafka.freeze()
        before = worker.metric_sum("sluice_records_in_total")
        wait_until(
            lambda: worker.metric_sum("sluice_records_in_total") >= before + WINDOW,
            20,
            lambda: f"messages to be read from the broker\n{group.tails()}",
        )
        worker.kill9()
        kafka.thaw()
        kafka.wait_serving()
        worker.start()
        group.wait_running("c", SESSIONS)
        return flow.verify(order="report", patience=10)
    finally:
        flow.close()


def test_naive_worker_loses_messages(cluster, fresh_kafka, load, naive):
    account = kill_with_messages_in_flight(cluster, fresh_kafka, load, naive, "naive")
    print("".join(f"{name} " for name in account.line(None)))
    assert account.missing > 0, account.report
    assert account.code == 2


def test_worker_loses_nothing_in_the_same_test(cluster, fresh_kafka, load):
    account = kill_with_messages_in_flight(cluster, fresh_kafka, load, find_program(), "gate")
    print("".join(f"{name} " for name in account.line(None)))
    account.check(duplicates=SESSIONS * WINDOW)
