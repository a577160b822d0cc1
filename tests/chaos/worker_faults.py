# SPDX-License-Identifier: Apache-2.0
"""Faults of workers: killed, frozen, replaced one by one, made more and fewer, reconfigured."""

import os
import pathlib
import time

from chaos.fault import Outcome, fault
from chaos.stage import TASKS, WINDOW
from chaos.world import PATIENCE
from lab import LabError, wait_until

# A graceful hand-over takes about a second.
HANDOVER = 2.5
# A dead worker's tasks run elsewhere so many seconds after the session timeout at the latest.
MARGIN = 2.0
# The group of a sink's own consumers takes so long to notice a dead member.
CONSUMER_SESSION = 6.0


def after_death(stage):
    """The bound on what follows a worker's death."""
    return stage.session_timeout + MARGIN


def window(stage, times):
    """Duplicates after `times` ends of all connections: what may be unacknowledged then. Sinks have no
    such bound: what is published and not yet committed comes again."""
    return times * stage.sessions * WINDOW if stage.kind == "source" else None


@fault("no fault", 5.0, lanes=("source", "sink"))
def peace(stage):
    """Load and nothing else."""
    stage.begin(5)
    took = stage.levelled(time.monotonic())
    return Outcome(took)


@fault("worker killed", after_death, lanes=("source", "sink"), short=True)
def worker_killed(stage):
    """kill -9 of a random worker that runs tasks; it starts again when they run elsewhere."""
    stage.begin(10)
    (victim,) = stage.pick_workers(busy=True)
    since = time.monotonic()
    victim.kill9()
    took = stage.resumed(since, [victim])
    victim.start()
    stage.levelled(since)
    return Outcome(took, window(stage, 1))


@fault("leader killed", after_death, lanes=("source", "sink"))
def leader_killed(stage):
    """kill -9 of the leader while the config of the connector is changed."""
    stage.begin(10)
    leader = leader_of(stage)
    since = time.monotonic()
    leader.kill9()
    took = stage.resumed(since, [leader])
    leader.start()
    stage.levelled(since)
    return Outcome(took, window(stage, 1))


def leader_of(stage):
    found = [w for w in stage.lane.alive if w.metric_sum("sluice_worker_leader") == 1]
    if len(found) != 1:
        raise LabError(f"{len(found)} workers say that they lead")
    return found[0]


@fault("workers killed in turn", after_death, lanes=("source", "sink"))
def workers_killed_in_turn(stage):
    """Three times kill -9 of a random worker that is started again at once, four seconds apart."""
    stage.begin(16)
    for _ in range(3):
        (victim,) = stage.pick_workers()
        victim.kill9()
        victim.launch()
        stage.linger(4)
    for worker in stage.lane.workers:
        worker.wait_serving()
    took = stage.levelled(time.monotonic())
    return Outcome(took, window(stage, 3), notes="recovery counts from the last start")


@fault("all workers killed", 12.0, lanes=("source", "sink"))
def all_workers_killed(stage):
    """kill -9 of all workers at once; they are started again at once."""
    stage.begin(10)
    since = time.monotonic()
    for worker in stage.lane.workers:
        worker.kill9()
    for worker in stage.lane.workers:
        worker.launch()
    for worker in stage.lane.workers:
        worker.wait_serving()
    took = stage.resumed(since)
    stage.levelled(since)
    return Outcome(took, window(stage, 1))


@fault("worker frozen and thawed", after_death, lanes=("source", "sink"))
def worker_frozen(stage):
    """SIGSTOP until the tasks run elsewhere, then SIGCONT: it wakes as a zombie and must give way."""
    stage.begin(12)
    (victim,) = stage.pick_workers(busy=True)
    since = time.monotonic()
    victim.freeze()
    took = stage.resumed(since, [victim])
    stage.linger(1)
    victim.thaw()
    victim.wait_serving()
    stage.levelled(since)
    return Outcome(took, window(stage, 2))


def naive_program(load):
    """The worker that acknowledges before Kafka has the record; it is built for tests only."""
    named = os.environ.get("SLUICE_WORKER_NAIVE")
    return named or str(pathlib.Path(load).parents[1] / "naive" / "sluice-worker-naive")


def hold_up(stage):
    """Freezes what the worker waits for: Kafka before an MQTT source, the broker before a sink."""
    part, seconds = (stage.kafka, 0.4) if stage.kind == "source" else (stage.mosquitto, 1.5)
    part.freeze()
    stage.linger(seconds)
    return part


def wait_reading(stage):
    """Waits until a sink's tasks have partitions and read them: what runs may still join its group."""
    if stage.kind == "sink":
        before = stage.commits()
        wait_until(
            lambda: stage.commits() > before or stage.commits() == stage.flow.written(),
            PATIENCE,
            lambda: f"more than {before} records to be committed\n{stage.lane.tails()}",
            0.1,
        )


def killed_while_target_is_slow(stage, cluster=None):
    stage.begin(12, cluster=cluster)
    since = time.monotonic()
    for _ in range(3):
        wait_reading(stage)
        (victim,) = stage.pick_workers(busy=True)
        part = hold_up(stage)
        victim.kill9()
        part.thaw()
        since = time.monotonic()
        victim.start()
        stage.resumed(since)
    return Outcome(time.monotonic() - since, window(stage, 3))


@fault("worker killed, target slow", after_death, lanes=("source", "sink"), short=True)
def killed_slow(stage):
    """Three kills while Kafka (for a sink: mosquitto) answers nothing; the worker starts again."""
    return killed_while_target_is_slow(stage)


@fault("same, acks too early", 60.0, lossy=True, short=True)
def killed_slow_naive(stage):
    """The same with a worker whose ack gate is broken on purpose: something must be missing."""
    return played_by_naive_worker(stage)


@fault("same, commits too early", 60.0, lanes=("sink",), lossy=True)
def killed_slow_naive_sink(stage):
    """The same with a sink that commits what it has only read: something must be missing."""
    return played_by_naive_worker(stage)


def played_by_naive_worker(stage):
    cluster = stage.world.new_cluster(program=naive_program(stage.world.load))
    try:
        return killed_while_target_is_slow(stage, cluster)
    except LabError:
        # Such a worker may hang for good: what counts is that the account sees the loss.
        return Outcome(0.0, None)


def leave(stage, workers):
    """Asks workers to end; returns the seconds until all tasks run on the others."""
    since = time.monotonic()
    for worker in workers:
        worker.popen.terminate()
    took = stage.resumed(since, workers)
    for worker in workers:
        code = worker.wait_exit(15)
        if code != 0:
            raise LabError(f"{worker.name} ended with {code}\n{worker.log_tail()}")
        stage.world.remove(stage.lane.cluster, worker)
    return took


def spells(rows, ended):
    """The longest time, in seconds, in which the last of these statuses was not RUNNING."""
    longest, since = 0, None
    for when, state, _ in rows:
        if state == "RUNNING":
            longest = max(longest, when - since if since is not None else 0)
            since = None
        elif since is None:
            since = when
    if since is not None:
        longest = max(longest, ended - since)
    return longest / 1000


def moves(rows):
    """How often a task has begun to run on another worker than before."""
    owners = [owner for _, state, owner in rows if state == "RUNNING"]
    return sum(1 for before, after in zip(owners, owners[1:]) if before != after)


def wait_probe(worker):
    """Waits for what an orchestrator waits for before it ends the next worker."""
    wait_until(
        lambda: worker.get("/health/ready").status == 200, 30, f"{worker.name} to be ready for tasks"
    )


def rolled(stage, begun):
    """Judges a roll by the status topic: nothing but RUNNING for long, and few moves."""
    history = {
        task: [row for row in rows if row[0] >= begun] for task, rows in stage.history().items()
    }
    whole = stage.history()
    ended = int(time.time() * 1000)
    away = max(spells(rows, ended) for rows in history.values())
    moved = {
        task: moves([whole[task][0], *rows]) for task, rows in history.items() if task is not None
    }
    text = f"not RUNNING for {away:.1f} s at most, moves {sorted(moved.values())}"
    wrong = ["a task moved more than twice"] if max(moved.values()) > 2 else []
    return Outcome(away, 0, notes=text, wrong=wrong)


@fault("rolling update, one more", 2.0, lanes=("source", "sink"))
def rolling_update(stage):
    """Each worker is replaced: a new one starts first, then the old one is asked to end."""
    stage.begin(14)
    begun = int(time.time() * 1000)
    for old in list(stage.lane.workers):
        wait_probe(stage.lane.cluster.add(1))
        leave(stage, [old])
    stage.levelled(time.monotonic())
    return rolled(stage, begun)


@fault("rolling restart in place", 2.0, lanes=("source", "sink"))
def rolling_restart(stage):
    """Each worker is asked to end and started again, one after the other."""
    stage.begin(14)
    begun = int(time.time() * 1000)
    for worker in list(stage.lane.workers):
        if worker.stop() != 0:
            raise LabError(f"{worker.name} ended with {worker.exit_code}")
        wait_probe(worker.start())
        stage.resumed(time.monotonic())
    stage.levelled(time.monotonic())
    return rolled(stage, begun)


@fault("scale 1-8-1", HANDOVER, lanes=("source", "sink"), short=True)
def scale(stage):
    """All but one worker leave, seven join, and leave again together; tasks drain and move."""
    stage.begin(14, tasks=8)
    cluster = stage.lane.cluster
    leaves = [leave(stage, cluster.workers[1:])]
    since = time.monotonic()
    cluster.add(7)
    wait_until(
        lambda: len({owner for _, owner in stage.lane.states().values()}) == 8 and stage.runs_without(),
        60,
        lambda: f"tasks on 8 workers, they are {stage.lane.states()}",
    )
    spread = time.monotonic() - since
    leaves.append(leave(stage, cluster.workers[1:]))
    stage.levelled(time.monotonic())
    return Outcome(
        max(leaves),
        0,
        notes=f"8 tasks on 8 workers {spread:.1f} s after their start, on one {leaves[-1]:.1f} s after the end",
    )


def paused(stage):
    """Pauses, sees that nothing moves, and resumes."""
    lane = stage.lane
    answer = lane.rest.put(f"/connectors/{lane.name}/pause")
    if answer.status != 202:
        raise LabError(f"PUT pause: {answer}")
    wait_until(
        lambda: {state for state, _ in lane.states().values()} == {"PAUSED"}, 20, "tasks to pause"
    )
    if stage.kind == "source":
        held = stage.records()
        stage.throughout(0.5, lambda: stage.records() == held, "the pause")
    lane.rest.put(f"/connectors/{lane.name}/resume")
    lane.wait_running()


@fault("paused, restarted, retasked", 5.0, lanes=("source", "sink"))
def reconfigured(stage):
    """The connector is paused, restarted, given two tasks, and four again."""
    lane = stage.begin(12)
    paused(stage)
    answer = lane.rest.post(f"/connectors/{lane.name}/restart?includeTasks=true")
    if answer.status != 202:
        raise LabError(f"POST restart: {answer}")
    lane.wait_running()
    for tasks in (2, TASKS):
        stage.set_tasks(tasks)
        lane.wait_running(tasks)
    took = stage.levelled(time.monotonic())
    # With another number of tasks an MQTT session may be taken over from a task that still drains.
    allowed = window(stage, 2) if stage.kind == "source" else 0
    return Outcome(took, allowed, notes="recovery counts from the last change")


def clock(stage, *shifts):
    """One worker's wall clock is set by so many seconds in turn; nothing else may happen."""
    cluster = stage.world.new_cluster()
    file = stage.world.lab.folder / f"clock-{cluster.group}"
    file.write_bytes(bytes(8))
    cluster.add(2)
    cluster.env = {"LD_PRELOAD": shift_library(stage), "SLUICE_CLOCK_FILE": str(file)}
    cluster.add(1)
    victim = cluster.workers[-1]
    stage.begin(18, cluster=cluster)
    wait_until(
        lambda: victim.ident in {owner for _, owner in stage.lane.states().values()} and stage.runs_without(),
        30,
        "the worker with that clock to run tasks",
    )
    owners = stage.lane.states()
    took = 0.0
    for shift in shifts:
        since = time.monotonic()
        # In place: the worker has the file mapped.
        with open(file, "r+b") as opened:
            opened.write(shift.to_bytes(8, "little", signed=True))
        victim.put(f"/connectors/{stage.lane.name}/resume")
        stage.linger(3)
        if stage.lane.states() != owners:
            raise LabError(f"tasks moved: {owners} {stage.lane.states()}\n{victim.log_tail()}")
        if shift <= 0:
            # Kafka takes no record from the future; they are held until the clock is right.
            took = max(took, stage.levelled(since) - 3)
    wall = str(time.gmtime(time.time() + shifts[-2]).tm_year)
    if f"\n{wall}-" not in victim.log_text():
        raise LabError("the worker has not seen the other time")
    return Outcome(took, window(stage, 0))


def shift_library(stage):
    """The library that sets a worker's wall clock; it is built for tests only."""
    named = os.environ.get("SLUICE_CLOCK_SHIFT")
    return named or str(pathlib.Path(stage.world.load).parents[1] / "clock" / "clock_shift.so")


@fault("clock jumps forward", 2.0, lanes=("source", "sink"))
def clock_forward(stage):
    """The wall clock of a worker is set ahead by two years, where Kafka refuses its records, and back."""
    return clock(stage, 2 * 365 * 86400, 0)


@fault("clock jumps back", 2.0, lanes=("source", "sink"))
def clock_back(stage):
    """The wall clock of a worker is set back by two years, and ahead again."""
    return clock(stage, -2 * 365 * 86400, 0)
