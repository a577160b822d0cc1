# SPDX-License-Identifier: Apache-2.0
"""One round: a lane with load on it, what a fault waits for meanwhile, and the account at the end."""

import json
import threading
import time

from chaos.account import Flow, connections
from chaos.sink_flow import SinkFlow
from chaos.world import PATIENCE
from lab import LabError, wait_until

TASKS = 4
# Small, so that the bound on duplicates means something.
WINDOW = 100
PARTITIONS = 8
PUBLISHERS = 20
# Records that may be on their way while the lane counts as level with the load, in seconds of load.
SLACK = {"source": 0.5, "sink": 1.5}


class Stage:
    """What a fault plays on. `rate`: messages per second; `lane` is there after begin()."""

    def __init__(self, world, lane_kind, rng, rate):
        self.world = world
        self.kind = lane_kind
        self.rng = rng
        # Three Kafka nodes share the machine with everything else.
        self.rate = rate // (3 if world.kind == "three" else 1)
        self.lane = None
        self.flow = None
        self.mode = None
        self.connects = 0
        self.sessions = TASKS
        self.never = threading.Event()

    @property
    def kafka(self):
        return self.world.kafka

    @property
    def mosquitto(self):
        return self.world.mosquitto

    @property
    def network(self):
        return self.world.network

    @property
    def session_timeout(self):
        return self.world.session_timeout

    def begin(self, seconds, mode=None, cluster=None, tasks=TASKS, again=False, topic=None, **config):
        """Makes the lane and starts load for so many seconds; returns when messages flow.

        mode: how an MQTT source shares its filters, by chance unless it is given; `topic`: settings of
        the Kafka topic, made before; `config`: more of the connector's config.
        """
        self.lane = self.world.lane(self.kind, cluster)
        self.mode = mode or self.rng.choice(["shared", "exclusive"])
        self.sessions = tasks
        if topic is not None:
            self.kafka.create_topic(self.lane.topic, PARTITIONS, topic)
        messages = int(self.rate * seconds)
        if self.kind == "source":
            self._begin_source(messages, tasks, again, config)
        else:
            self._begin_sink(messages, tasks, config)
        self.connects = connections(self.mosquitto, self.lane.group)
        self.flow.start()
        self.kafka.wait_count(self.lane.topic, max(1, int(self.rate // 2)), PATIENCE)
        return self.lane

    def another(self, seconds):
        """Starts load for so many seconds that is accounted for in place of what was there before."""
        messages = int(self.rate * seconds)
        self.flow = self._flow(messages)
        self.flow.plan["run-id"] += "-more"
        self.flow.start()

    def _flow(self, messages, again=False):
        world, lane = self.world, self.lane
        if self.kind == "sink":
            return SinkFlow(world.load, lane, lane.name, messages, self.rate, PARTITIONS)
        return Flow(
            world.load,
            lane,
            lane.name,
            messages,
            rate=self.rate,
            sessions=self.sessions,
            publishers=PUBLISHERS,
            again=again,
        )

    def _begin_source(self, messages, tasks, again, config):
        self.lane.create(self.source_config(tasks, **config))
        self.lane.wait_running(tasks)
        wait_until(
            lambda: self.lane.metric("sluice_mqtt_connected") == self.sessions,
            PATIENCE,
            lambda: f"{self.sessions} sessions to be connected\n{self.lane.tails()}",
        )
        self.flow = self._flow(messages, again)

    def _begin_sink(self, messages, tasks, config):
        self.flow = self._flow(messages)
        self.lane.create(self.sink_config(tasks, **config))
        self.lane.wait_running(tasks)

    def source_config(self, tasks, **more):
        """This lane's config with so many tasks; the mode decides about its filters."""
        filters = {"mqtt_receive_maximum": WINDOW}
        if self.mode == "exclusive":
            topics = ",".join(f"{self.lane.prefix}/p{n}/#" for n in range(PUBLISHERS))
            filters.update(mqtt_subscription_mode="exclusive", mqtt_topics=topics)
        return self.lane.source_config(tasks_max=tasks, **{**filters, **more})

    def sink_config(self, tasks, **more):
        return self.flow.config(tasks, **{"mqtt_publish_max_inflight": WINDOW, **more})

    def set_tasks(self, tasks):
        """Changes how many tasks the connector has."""
        make = self.source_config if self.kind == "source" else self.sink_config
        self.lane.put(make(tasks))

    def linger(self, seconds):
        """Lets the load run for a while."""
        self.never.wait(seconds)

    def throughout(self, seconds, check, what):
        """Watches for so long that check() stays true."""
        deadline = time.monotonic() + seconds
        while True:
            if not check():
                raise LabError(f"{what} did not last")
            if time.monotonic() >= deadline:
                return
            self.never.wait(0.2)

    def pick_workers(self, count=1, busy=False):
        """Random workers that live; busy: such as run tasks of the lane."""
        owners = {owner for _, owner in self.lane.states().values()}
        found = [w for w in self.lane.alive if not busy or w.ident in owners]
        return self.rng.sample(found, min(count, len(found)))

    def runs_without(self, gone=()):
        """True when all tasks run, each on a worker that lives and is none of `gone`."""
        away = {worker.ident for worker in gone}
        fine = {worker.ident for worker in self.lane.alive} - away
        states = self.lane.states()
        return len(states) == self.tasks_now() and all(
            state == "RUNNING" and owner in fine for state, owner in states.values()
        )

    def tasks_now(self):
        status = self.lane.states()
        return max(len(status), 1)

    def records(self):
        """How many records the lane's topic holds, asked again while Kafka cannot say."""
        return self.kafka.wait_count(self.lane.topic, 0, 20)

    def level(self):
        """True when what was sent until about now is where it belongs."""
        sent = min(self.flow.messages, self.rate * (time.monotonic() - self.flow.started))
        wanted = sent - self.rate * SLACK[self.kind]
        try:
            if self.kind == "source":
                return self.kafka.count(self.lane.topic) >= wanted
            return self.flow.committed(self.lane.name) >= wanted
        except LabError:
            return False

    def connected(self):
        """True when each session of a source is connected; sinks tell it by their commits."""
        return (
            self.kind == "sink" or self.lane.metric("sluice_mqtt_connected") == self.sessions
        )

    def resumed(self, since, gone=(), timeout=PATIENCE):
        """Waits until all tasks run again and their sessions are connected; seconds since then."""
        wait_until(
            lambda: self.runs_without(gone) and self.connected(),
            timeout,
            lambda: f"all tasks to run, they are {self.lane.states()}\n{self.lane.tails()}",
        )
        return time.monotonic() - since

    def flowing(self, since, timeout=PATIENCE):
        """Waits until all tasks run, connected, and something more has arrived; seconds since then."""
        arrived = self.records if self.kind == "source" else self.commits
        before = arrived()
        self.resumed(since, timeout=timeout)
        wait_until(
            lambda: arrived() > before or self.level(),
            timeout,
            lambda: f"messages to flow again\n{self.lane.tails()}",
            0.05,
        )
        return time.monotonic() - since

    def commits(self):
        """How many records a sink has committed; -1 while Kafka cannot say."""
        try:
            return self.flow.committed(self.lane.name)
        except LabError:
            return -1

    def levelled(self, since, gone=(), timeout=PATIENCE):
        """Waits until all tasks run again and the backlog is gone; seconds since then."""
        self.resumed(since, gone, timeout)
        wait_until(
            self.level,
            timeout,
            lambda: f"the backlog to be gone, {self.records()} records of "
            f"{self.flow.messages} are there\n{self.lane.tails()}",
            0.05,
        )
        return time.monotonic() - since

    def history(self):
        """{task: [(milliseconds, state, worker id)]} and the connector's own under None. Claims are left
        out: they say who is about to start a task, not how it is."""
        found = {}
        for record in self.kafka.read(f"{self.lane.cluster.group}-status"):
            task = self._whose(record.key.decode())
            if task is not False and record.value is not None:
                told = json.loads(record.value)
                if "claim" in told:
                    continue
                row = (record.timestamp, told["state"], told["worker_id"])
                found.setdefault(task, []).append(row)
        return {task: sorted(rows) for task, rows in found.items()}

    def _whose(self, key):
        """The number of the lane's task whose status has this key, None for the connector's own, False
        for all others."""
        if key == f"status-connector-{self.lane.name}":
            return None
        head, _, number = key.rpartition("-")
        return int(number) if head == f"status-task-{self.lane.name}" else False

    def account(self, fault, outcome):
        """Accounts for every message, and for every task; returns a Verdict."""
        patience = 10 if fault.lossy else 60
        if self.kind == "sink":
            result = self.flow.account(self.lane.name, patience=patience)
            report, sent = result.report, self.flow.messages
            received, disorder = report["distinct"] + report["duplicates"], report["violations"]
        else:
            order = outcome.order or ("strict" if self.mode == "exclusive" else "sessions")
            order = "report" if fault.lossy else order
            result = self.flow.verify(order=order, patience=patience, expect_loss=fault.lossy, settle=0.5)
            report, sent = result.report, self.flow.sent["acked"]
            received = report["received"]
            disorder = 0 if result.code == 0 or report["missing"] else 1
        faults = [] if sent == self.flow.messages else [f"{sent} of {self.flow.messages} were sent"]
        if disorder:
            faults.append(f"verdict {report.get('verdict', 'order')}")
        if self.kind == "sink" and not fault.lossy:
            faults += self.flow.whereabouts(report)
        if not fault.lossy:
            faults += self._alone()
        return Verdict(sent, received, report["missing"], report["duplicates"], faults)

    def _alone(self):
        """What is wrong with how tasks run after the fault: each on one worker, and quiet."""
        try:
            wait_until(
                lambda: all(len(who) == 1 for who in self.lane.holders().values())
                and len(self.lane.holders()) == self.tasks_now()
                and self.runs_without(),
                PATIENCE,
                lambda: f"each task to run on one worker: {self.lane.holders()}",
            )
            self._quiet()
        except LabError as error:
            return [str(error).splitlines()[0]]
        return []

    def _quiet(self):
        """No session is taken over but by a task that has moved: loads may be evened out still."""
        for _ in range(3):
            holders = self.lane.holders()
            seen = connections(self.mosquitto, self.lane.group)
            try:
                self.throughout(
                    0.6,
                    lambda seen=seen: connections(self.mosquitto, self.lane.group) == seen,
                    "quiet: sessions are taken over though nothing happens, it",
                )
                return
            except LabError:
                wait_until(self.runs_without, PATIENCE, "the tasks to run after a move")
                if self.lane.holders() == holders:
                    raise
        raise LabError("quiet: tasks go on moving")

    def end(self):
        """Ends load and lane, whatever has happened."""
        if self.flow:
            self.flow.close()
        if self.lane and self.lane.cluster.alive:
            self.lane.end()
            if self.lane.cluster is not self.world.cluster:
                self.world.end_cluster(self.lane.cluster)


class Verdict:
    """What became of a round's messages; `faults` are texts of what is wrong besides loss."""

    def __init__(self, sent, received, missing, duplicates, faults):
        self.sent = sent
        self.received = received
        self.missing = missing
        self.duplicates = duplicates
        self.faults = faults

    def judge(self, fault, outcome, bound):
        """The texts of all that is wrong with this round."""
        wrong = [*outcome.wrong, *self.faults]
        if fault.lossy:
            wrong += [] if self.missing else ["nothing is missing: this account cannot see loss"]
            return wrong
        if self.missing:
            wrong.append(f"{self.missing} missing")
        if outcome.duplicates is not None and self.duplicates > outcome.duplicates:
            wrong.append(f"{self.duplicates} duplicates, allowed {outcome.duplicates}")
        if outcome.resumed > bound:
            wrong.append(f"resumed after {outcome.resumed:.1f} s, allowed {bound:.1f} s")
        return wrong
