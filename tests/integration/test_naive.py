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
from integration.mqtt_probe import wait_connected
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


class Side:
    """One cluster of one worker with a load of its own."""

    def __init__(self, cluster, kafka, load, program, name):
        self.group = cluster(
            workers=0,
            kafka=kafka,
            # Without Kafka a worker reads on until its session is over; and it comes back under
            # its name before that.
            properties={
                "session.timeout.ms": "20000",
                "heartbeat.interval.ms": "500",
                "group.instance.id": "one",
            },
        )
        self.group.program = program
        self.worker = self.group.add()
        self.group.create("c", tasks_max=SESSIONS, mqtt_receive_maximum=WINDOW)
        wait_connected(self.group, SESSIONS)
        self.flow = Flow(load, self.group, name, MESSAGES, rate=500, sessions=SESSIONS)

    def in_flight(self):
        """True when messages were read from MQTT that Kafka does not have."""
        read = self.worker.metric_sum("sluice_records_in_total")
        return read > self.worker.metric_sum("sluice_records_out_total")


def test_killed_naive_worker_loses_messages_and_ours_none(cluster, fresh_kafka, load, naive):
    kafka = fresh_kafka()
    sides = [
        Side(cluster, kafka, load, program, name)
        for program, name in ((naive, "naive"), (find_program(), "gate"))
    ]
    try:
        for side in sides:
            side.flow.start()
        for side in sides:
            kafka.wait_count(side.group.topic, MESSAGES // 20)
        # Killed, not frozen: a frozen Kafka would later still read what was sent to it.
        kafka.kill9()
        for side in sides:
            wait_until(
                side.in_flight, 20, lambda: f"messages on their way\n{side.group.tails()}"
            )
            side.worker.kill9()
        kafka.start()
        for side in sides:
            side.worker.launch()
        for side in sides:
            side.worker.wait_serving(60)
            wait_connected(side.group, SESSIONS, 60)
        accounts = [
            side.flow.verify(order="report", patience=patience)
            for side, patience in zip(sides, (10, 60))
        ]
    finally:
        for side in sides:
            side.flow.close()
    for account in accounts:
        print("  ".join(account.line(None)))
    assert accounts[0].missing > 0, accounts[0].report
    assert accounts[0].code == 2
    accounts[1].check(duplicates=SESSIONS * WINDOW)
