# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share: where tasks run, how long that took, killing workers in turn."""

import time

from integration.mqtt_probe import wait_connected
from lab import wait_until

TASKS = 4
# Small, so that the bound on duplicates means something.
WINDOW = 100


def quick(seconds, **more):
    """Worker properties for a group whose dead members are noticed after `seconds`."""
    return {
        "session.timeout.ms": str(int(seconds * 1000)),
        "heartbeat.interval.ms": str(int(min(seconds * 1000 / 3, 1000))),
        **more,
    }


def create(cluster, tasks=TASKS, **changes):
    """Creates the connector and waits until all its sessions are there to take messages."""
    cluster.create("c", tasks_max=tasks, **changes)
    cluster.wait_running("c", tasks)
    wait_connected(cluster, tasks)


def worker_id(worker):
    return f"127.0.0.1:{worker.port}"


def tasks_on(cluster, worker):
    """Numbers of the tasks that the status shows on this worker."""
    return [task for task, (_, owner) in cluster.states().items() if owner == worker_id(worker)]


def spread(cluster):
    """Worker ids that run a task now, with how many each."""
    found = {}
    for state, owner in cluster.states().values():
        if state == "RUNNING":
            found[owner] = found.get(owner, 0) + 1
    return found


def seconds_until(cond, timeout, what):
    """Waits for a condition; returns how long it took."""
    since = time.monotonic()
    wait_until(cond, timeout, what, 0.02)
    return time.monotonic() - since


def running_elsewhere(cluster, gone, tasks=TASKS):
    """True when all tasks run, none of them on a worker of `gone`."""
    bad = {worker_id(worker) for worker in gone}
    states = cluster.states()
    return len(states) == tasks and all(
        state == "RUNNING" and owner not in bad for state, owner in states.values()
    )


def wait_spread(cluster, workers, timeout=30):
    """Waits until the tasks run evenly on that many workers; returns the seconds it took."""

    def even():
        found = spread(cluster)
        return (
            sum(found.values()) == TASKS
            and len(found) == min(workers, TASKS)
            and max(found.values()) - min(found.values()) <= 1
        )

    return seconds_until(
        even,
        timeout,
        lambda: f"tasks on {workers} workers, they are {cluster.states()}\n{cluster.tails()}",
    )


def kill_in_turn(cluster, flow, rng, every, hold_up=None):
    """Kills a random worker every so often and starts it again, until all is published.

    hold_up(worker) is called before, and what it returns after each kill. Returns the number of kills.
    """
    kills = 0
    while not flow.ended(every):
        victim = rng.choice(cluster.alive)
        release = hold_up(victim) if hold_up else None
        victim.kill9()
        if release:
            release()
        victim.launch()
        kills += 1
    return kills
