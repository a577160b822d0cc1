# SPDX-License-Identifier: Apache-2.0
"""Workers that die, seem to die, or only pause: who takes over, how fast, and that nothing is lost."""

import contextlib
import socket
import threading
import time

import pytest

from integration.mqtt_probe import wait_connected
from lab import free_port, wait_until

# Far longer than any wait of these tests: what happens sooner was not the session's end.
PATIENT = {"session.timeout.ms": "45000", "heartbeat.interval.ms": "500"}
SESSION_S = 45
QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"}
STEADY = {"session.timeout.ms": "8000"}
# What a fail-over may take: the best of so many, since other tests share the machine. The last has
# it to itself.
FAILOVER_S = 1.5
KILLS = 3


def cluster_view(worker):
    answer = worker.get("/cluster")
    return answer.body if answer.status == 200 else {"workers": [], "placement": [], "leader": None}


def placed(worker):
    """{worker id: tasks that sit there}."""
    found = {}
    for connector in cluster_view(worker)["placement"]:
        for task in connector["tasks"]:
            found[task["worker_id"]] = found.get(task["worker_id"], 0) + 1
    return found


def worker_id(worker):
    return f"127.0.0.1:{worker.properties['rest.advertised.port']}"


def member_ids(group):
    return {worker_id(worker) for worker in group.alive}


def wait_even(group, tasks):
    """Waits until every worker that runs has its share of the tasks."""

    def even():
        found = placed(group.rest)
        return (
            set(found) == member_ids(group)
            and sum(found.values()) == tasks
            and max(found.values()) - min(found.values()) <= 1
        )

    wait_until(even, 30, lambda: f"{tasks} tasks to be even: {placed(group.rest)}\n{group.tails()}")


def wait_watched(group):
    """Waits until all workers watch each other: one that never reached a port has no say about it."""
    wanted = len(group.alive) - 1
    wait_until(
        lambda: all(
            worker.metric_sum("sluice_cluster_workers_watched") == wanted for worker in group.alive
        ),
        10,
        lambda: f"workers to watch each other\n{group.tails()}",
    )


def leader_of(group):
    leader = cluster_view(group.rest)["leader"]
    return next(worker for worker in group.workers if worker_id(worker) == leader)


class Feeder:
    """Publishes numbered messages all the time."""

    def __init__(self, group):
        self.group = group
        self.sent = []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.finish()

    def _run(self):
        while not self.ended.is_set():
            batch = [f"n{len(self.sent) + number}" for number in range(20)]
            self.group.publish(batch)
            self.sent += batch

    def finish(self):
        self.ended.set()
        self.thread.join()


def test_cluster_shows_workers_slots_loads_and_moves(cluster):
    group = cluster(2)
    # A worker tells the moves since it joined.
    wait_until(
        lambda: all(
            len(view["workers"]) == 2 and all(entry["slots"] for entry in view["workers"])
            for view in map(cluster_view, group.workers)
        ),
        30,
        "both workers to see both",
    )
    group.create("c", tasks_max=4)
    wait_connected(group, 4)
    wait_even(group, 4)
    for worker in group.workers:
        wait_until(
            lambda w=worker: told(w) == wanted(w, group),
            30,
            lambda w=worker: f"{wanted(w, group)}, {w.name} tells {told(w)}\n{group.tails()}",
        )
        reasons = {move["reason"] for move in cluster_view(worker)["moves"]}
        assert reasons <= {"placed", "joined", "balance"}

    # Each move is one line of the log, on the worker that the task came to.
    def moved():
        return sum(worker.metric_sum("sluice_task_moves_total") for worker in group.workers)

    def lines(word="TASK-MOVED"):
        text = "\n".join(worker.log_text() for worker in group.workers)
        return sum("TASK-MOVED" in line and word in line for line in text.splitlines())

    wait_until(
        lambda: lines("reason=placed") == 4 and moved() == lines(),
        30,
        lambda: f"4 moves that are told: {moved()} counted, {lines()} in the logs\n{group.tails()}",
    )


def told(worker):
    """What a worker tells of a cluster that has settled; see wanted()."""
    view = cluster_view(worker)
    entries = view["workers"]
    leaders = [entry for entry in entries if entry["leader"]]
    return {
        "group_id": view.get("group_id"),
        "worker_id": view.get("worker_id"),
        "workers": {entry["worker_id"] for entry in entries},
        "states": [entry["state"] for entry in entries],
        "tasks": [entry["tasks"] for entry in entries],
        "every slot once": sorted(slot for entry in entries for slot in entry["slots"])
        == list(range(view.get("slots", 0))),
        "leaders": [entry["worker_id"] == view["leader"] for entry in leaders],
        "the last slot leads": [
            max(entry["slots"], default=None) == view["slots"] - 1 for entry in leaders
        ],
        "moved": {move["task"] for move in view.get("moves", [])},
        "load": worker.metric_sum("sluice_worker_load"),
        "cluster": worker.metric_sum("sluice_cluster_workers"),
    }


def wanted(worker, group):
    """Two workers that share four tasks."""
    return {
        "group_id": group.group,
        "worker_id": worker_id(worker),
        "workers": set(group.worker_ids()),
        "states": ["UP", "UP"],
        "tasks": [2, 2],
        "every slot once": True,
        "leaders": [True],
        "the last slot leads": [True],
        "moved": {0, 1, 2, 3},
        "load": 2,
        "cluster": 2,
    }


def fail_over(group, victim, tasks):
    """Kills victim; returns the seconds until all tasks run elsewhere."""
    begin = time.monotonic()
    victim.kill9()
    left = member_ids(group)
    seen = [None]

    def resumed():
        seen[0] = states = group.states()
        return len(states) == tasks and all(
            state == "RUNNING" and owner in left for state, owner in states.values()
        )

    wait_until(
        resumed,
        SESSION_S / 2,
        lambda: f"tasks to run on: {seen[0]}, {cluster_view(group.rest)}\n{group.tails()}",
        0.01,
    )
    return time.monotonic() - begin


def kill_one(group, who):
    """A cluster that has begun to work loses a worker; returns the time it takes and whom it lost."""
    group.create("c", tasks_max=6)
    wait_connected(group, 6)
    with Feeder(group) as feeder:
        wait_even(group, 6)
        wait_watched(group)
        # Topics that are still being made would be measured, too.
        wait_until(lambda: feeder.sent, 10, "a first message")
        group.wait_payloads(list(feeder.sent))
        leader = leader_of(group)
        victim = leader if who == "leader" else next(w for w in group.alive if w is not leader)
        took = fail_over(group, victim, 6)
    group.wait_payloads(feeder.sent)
    return took, victim


@pytest.mark.parametrize(
    "workers,who",
    [
        (3, "leader"),
        pytest.param(3, "follower", marks=pytest.mark.full),
        pytest.param(2, "leader", marks=pytest.mark.full),
    ],
)
def test_tasks_of_a_killed_worker_go_on_long_before_its_session_ends(
    cluster, machine, record_property, workers, who
):
    took = []
    while not took or (min(took) >= FAILOVER_S and len(took) < KILLS):
        # The dead stay members until their session ends, so each has a cluster of its own.
        group = cluster(workers, properties=PATIENT)
        with machine.alone() if len(took) == KILLS - 1 else contextlib.nullcontext():
            seconds, victim = kill_one(group, who)
        took.append(seconds)
    record_property("recovery_s", round(min(took), 3))
    print(f"{workers} workers, {who} killed: tasks run elsewhere after {took} s")
    assert min(took) < FAILOVER_S
    view = cluster_view(group.rest)
    states = {entry["worker_id"]: entry["state"] for entry in view["workers"]}
    assert states[worker_id(victim)] == "DEAD"
    reasons = {move["reason"] for move in view["moves"] if move["from"] == worker_id(victim)}
    assert "failover" in reasons and "left" not in reasons
    # The cluster has a leader that does its work.
    group.create("d", tasks_max=2)


def moves_of(group, name):
    """{task: how often it has moved}, as the workers' logs tell."""
    found = {}
    for worker in group.workers:
        for line in worker.log_text().splitlines():
            if "TASK-MOVED" in line and f'connector="{name}"' in line:
                task = int(line.split(" task=")[1].split()[0])
                found[task] = found.get(task, 0) + 1
    return found


@pytest.mark.parametrize("end,who", [("stop", "leader"), ("kill9", "follower")])
def test_a_worker_that_restarts_moves_as_many_tasks_as_it_had_and_none_more_than_twice(
    cluster, end, who
):
    # Nobody is to lose contact because the machine is busy: that would be more moves.
    group = cluster(3, properties={**QUICK, **STEADY, "rebalance.settle.ms": "300"})
    # Slots that come later would be more moves, too.
    wait_until(
        lambda: all(
            len(view["workers"]) == 3 and all(entry["slots"] for entry in view["workers"])
            for view in map(cluster_view, group.workers)
        ),
        30,
        lambda: f"all workers to have slots\n{group.tails()}",
    )
    group.create("c", tasks_max=7)
    wait_connected(group, 7)
    wait_even(group, 7)
    wait_until(lambda: len(moves_of(group, "c")) == 7, 10, "all workers to tell of their tasks")
    with Feeder(group) as feeder:
        leader = leader_of(group)
        worker = leader if who == "leader" else next(w for w in group.workers if w is not leader)
        before = moves_of(group, "c")
        had = placed(group.rest)[worker_id(worker)]
        getattr(worker, end)()
        worker.start()
        wait_members(group)
        wait_even(group, 7)
        # Work that comes after it is placed, and moves nothing of this.
        group.create("d", tasks_max=1)
        after = moves_of(group, "c")
        moves = [after[task] - before[task] for task in after]
        assert max(moves) <= 2 and sum(moves) <= 2 * had, (had, moves, group.tails())
    group.wait_payloads(feeder.sent)


class Door:
    """A way to a worker's REST port that can be slammed and opened again."""

    def __init__(self):
        self.target = None  # a port, known when the worker runs
        self.port = free_port()
        self.open()

    def open(self):
        self.socks = []
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def slam(self):
        """Refuses new connections and breaks the present ones."""
        for sock in [self.listener, *self.socks]:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _serve(self, listener):
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.socks += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def state_of(group, worker):
    entries = {entry["worker_id"]: entry["state"] for entry in cluster_view(group.rest)["workers"]}
    return entries.get(worker_id(worker))


def test_a_worker_that_is_wrongly_taken_for_dead_objects_and_loses_nothing(cluster):
    group = cluster(2, properties=PATIENT)
    door = Door()
    door.target = (odd := group.add(1, {"rest.advertised.port": str(door.port)})).port
    group.create("c", tasks_max=6)
    wait_connected(group, 6)
    wait_even(group, 6)
    wait_watched(group)
    with Feeder(group) as feeder:
        door.slam()
        wait_until(
            lambda: "WORKER-OBJECTS" in odd.log_text(), 20, lambda: f"objection\n{group.tails()}"
        )
        wait_until(lambda: state_of(group, odd) == "UP", 20, "it to be believed")
        door.open()
        wait_until(
            lambda: sum("WORKER-ANSWERS" in worker.log_text() for worker in group.workers) >= 2,
            30,
            lambda: f"the port to be found open\n{group.tails()}",
        )
        wait_even(group, 6)
    group.wait_payloads(feeder.sent)
    group.wait_running("c", 6, workers=[worker_id(worker) for worker in group.workers])
    door.slam()


@pytest.mark.full
def test_a_worker_that_pauses_past_its_session_and_goes_on_loses_nothing(cluster):
    group = cluster(3, properties=QUICK)
    group.create("c", tasks_max=6)
    wait_connected(group, 6)
    wait_even(group, 6)
    leader = leader_of(group)
    paused = next(worker for worker in group.workers if worker is not leader)
    with Feeder(group) as feeder:
        paused.freeze()
        left = member_ids(group)
        wait_until(
            lambda: {owner for _, owner in group.states().values()} <= left,
            20,
            lambda: f"others to take over\n{group.tails()}",
        )
        paused.thaw()
        wait_until(lambda: state_of(group, paused) == "UP", 30, "it to be back")
        wait_even(group, 6)
    group.wait_payloads(feeder.sent)
    assert "WORKER-DEAD" not in leader.log_text()


def test_a_static_worker_leaves_when_asked_to_and_comes_back_in_its_own_name(cluster):
    """Kafka keeps the name of a static member's first life for one that comes back within the session."""
    group = cluster(0)
    first, second = (group.add(1, {**PATIENT, "group.instance.id": name}) for name in "ab")
    group.create("c", tasks_max=4)
    wait_connected(group, 4)
    wait_even(group, 4)
    with Feeder(group) as feeder:
        for end in (second.stop, second.kill9):
            assert not end()
            second.start()
            wait_members(group)
            wait_even(group, 4)
    group.wait_payloads(feeder.sent)
    assert "GROUP-EARLIER-LIFE" in second.log_text(), second.log_tail(80)
    for worker in group.workers:
        assert "WORKER-PREDECESSOR" not in worker.log_text(), worker.log_tail(80)


def wait_members(group):
    """Waits until the group has those workers that live, all of them well, and no others."""

    def alone():
        found = {entry["worker_id"]: entry["state"] for entry in cluster_view(group.rest)["workers"]}
        return found == {ident: "UP" for ident in member_ids(group)}

    wait_until(alone, SESSION_S / 3, lambda: f"the living to be the group\n{group.tails()}")


def n_sessions(group):
    return sum(worker.metric_sum("sluice_mqtt_sessions") for worker in group.alive)


def test_automatic_tasks_follow_the_workers_and_sessions_stay(cluster):
    group = cluster(1, properties={**QUICK, "rebalance.settle.ms": "300"})
    group.create("c", tasks_max="auto", mqtt_sessions=8)
    group.wait_running("c", 2)
    wait_connected(group, 8)
    with Feeder(group) as feeder:
        group.add(1)
        group.wait_running("c", 4)
        wait_even(group, 4)
        assert group.workers[1].stop() == 0
        group.wait_running("c", 2)
        wait_connected(group, 8)
    group.wait_payloads(feeder.sent)
    assert n_sessions(group) == 8
    fresh = sum(worker.log_text().count("session_present=0") for worker in group.workers)
    assert fresh == 8  # each was made once
