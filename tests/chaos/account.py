# SPDX-License-Identifier: Apache-2.0
"""One run of the load tool through a cluster, and the account of every message of it."""

import json
import os
import signal
import threading
import time

from chaos.load_tool import LoadTool
from lab import LabError

# Publishers of the load tool that talk to a broker which is down give up after so many seconds.
PUBLISH_TIMEOUT = 120


def throughout(seconds, check=lambda: True, step=0.2):
    """Watches for `seconds` that check() stays true: what must last needs time to be seen."""
    never = threading.Event()
    deadline = time.monotonic() + seconds
    while True:
        assert check(), "the condition did not last"
        left = deadline - time.monotonic()
        if left <= 0:
            return
        never.wait(min(step, left))


def connections(mosquitto, group):
    """How many connections of this group's sessions the broker has accepted, by its own log."""
    return mosquitto.log_text().count(f" as sluice-{group}-")


class Flow(LoadTool):
    """A publisher in the background, and later the verdict on what it sent.

    `cluster` must run a connector from its prefix to its topic. `sessions` is the number of MQTT
    sessions, for the check of order and for what counts as a reconnect. `again`: the publishers
    repeat what the broker acknowledged with "no matching subscribers".
    """

    def __init__(self, load, cluster, name, messages, rate=0, sessions=4, publishers=20, size=256, again=False):
        super().__init__(load)
        self.cluster = cluster
        self.name = name
        self.messages = messages
        self.sessions = sessions
        self.plan = {
            "run-id": cluster.group,
            "prefix": f"{cluster.prefix}/",
            "publishers": publishers,
            "messages": messages,
            "size": size,
        }
        self.rate = rate
        self.again = again
        self.sent = None

    def start(self):
        """Starts the publishers."""
        options = {
            "mqtt": self.cluster.mosquitto.address,
            "rate": self.rate,
            "timeout": PUBLISH_TIMEOUT,
        }
        if self.again:
            options["again"] = True
        return self.launch("publish", {**self.plan, **options})

    def freeze(self):
        """Holds the publishers, their connections stay open."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def wait_sent(self, timeout=600):
        """Waits until every message has its PUBACK; returns the publisher's report."""
        self.sent = self.report(timeout)
        return self.sent

    def verify(self, order="sessions", patience=60, expect_loss=False, settle=1.0):
        """Accounts for every message; returns an Account."""
        self.sent = self.sent or self.wait_sent()
        options = {
            "kafka": self.cluster.kafka.address,
            "topic": self.cluster.topic,
            "order": order,
            "sessions": self.sessions,
            "timeout": patience,
            "settle-ms": int(settle * 1000),
            **({"expect-loss": True} if expect_loss else {}),
        }
        done = self.run("verify", {**self.plan, **options})
        if not done.stdout.startswith("{"):
            raise LabError(f"verify ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return Account(self, json.loads(done.stdout), done.returncode)


class Account:
    """What became of a run's messages."""

    def __init__(self, flow, report, code):
        self.flow = flow
        self.report = report
        self.code = code
        self.seconds = time.monotonic() - flow.started
        seen = connections(flow.cluster.mosquitto, flow.cluster.group)
        self.reconnects = max(0, seen - flow.sessions)

    @property
    def missing(self):
        return self.report["missing"]

    @property
    def duplicates(self):
        return self.report["duplicates"]

    def line(self, allowed, notes=""):
        """The run in one row of texts."""
        return (
            self.flow.name,
            str(self.flow.sent["acked"]),
            str(self.report["received"]),
            str(self.missing),
            str(self.duplicates),
            "" if allowed is None else str(allowed),
            str(self.reconnects),
            f"{self.seconds:.1f}",
            notes,
        )

    def check(self, duplicates=0):
        """Fails unless every message is there, in order, whole, and with no more duplicates."""
        assert self.flow.sent["acked"] == self.flow.messages
        assert self.missing == 0, f"lost: {self.report}\n{self.flow.cluster.tails()}"
        assert self.code == 0, f"verdict {self.report['verdict']}: {self.report}"
        assert self.duplicates <= duplicates, f"too many duplicates: {self.report}"
