# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost with one to three workers, nor while workers are killed, frozen, cut short."""

import os
import pathlib

import pytest

# pylint: disable=import-error
from chaos.account import throughout
from chaos.scenario import (
    TASKS,
    WINDOW,
    kill_in_turn,
    quick,
    running_elsewhere,
    seconds_until,
    tasks_on,
    wait_spread,
)

pytestmark = pytest.mark.timeout(900)


def naive_program(load):
    """The worker that acknowledges before Kafka has the record; it is built for tests only."""
    named = os.environ.get("SLUICE_WORKER_NAIVE")
    return named or str(pathlib.Path(load).parents[1] / "naive" / "sluice-worker-naive")


@pytest.mark.sized("workers", [1, 2, 3], [1, 2, 3])
def test_every_message_arrives_once_and_in_order(cluster, flow, note, sizes, workers):
    group = cluster(workers)
    group.create("c", tasks_max=TASKS)
    account = flow(group, sizes.messages).verify()
    note(account, 0)
    account.check(duplicates=0)


def test_nothing_is_lost_while_workers_are_killed(cluster, flow, note, sizes, rng):
    group = cluster(3, properties=quick(sizes.session_timeout))
    group.create("c", tasks_max=TASKS, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(14, 40)))
    kills = kill_in_turn(group, run, rng, sizes.kill_every)
    account = run.verify()
    allowed = kills * TASKS * WINDOW
    note(account, allowed, f"{kills} kills, {rng.seed_text}")
    assert kills >= 3
    account.check(duplicates=allowed)


@pytest.mark.full
def test_nothing_is_lost_while_the_only_worker_is_killed(cluster, flow, note, sizes, rng):
    group = cluster(1, properties=quick(sizes.session_timeout))
    group.create("c", tasks_max=TASKS, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 40)))
    kills = kill_in_turn(group, run, rng, sizes.kill_every * 1.5)
    account = run.verify()
    allowed = kills * TASKS * WINDOW
    note(account, allowed, f"{kills} kills")
    assert kills >= 1
    account.check(duplicates=allowed)


def test_loss_is_seen_when_acks_do_not_wait(cluster, flow, note, sizes, rng, load):
    group = cluster(workers=0, properties=quick(sizes.session_timeout))
    group.program = naive_program(load)
    group.add(3)
    group.create("c", tasks_max=TASKS)
    # Fast, so that at any moment some messages are acknowledged and not yet on their way to Kafka.
    messages = sizes.pick(120000, 200000)
    run = flow(group, messages, rate=messages // 10)
    kills = kill_in_turn(group, run, rng, sizes.kill_every / 2)
    account = run.verify(order="report", patience=15, expect_loss=True)
    note(account, None, f"naive worker, {kills} kills, {rng.seed_text}")
    assert account.missing > 0


@pytest.mark.full
def test_frozen_worker_loses_its_tasks_and_no_message(cluster, flow, note, sizes, rng):
    group = cluster(3, properties=quick(sizes.session_timeout))
    group.create("c", tasks_max=TASKS, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(14, 40)))
    victim = rng.choice([worker for worker in group.workers if tasks_on(group, worker)])
    assert not run.ended(1)
    victim.freeze()
    moved = seconds_until(
        lambda: running_elsewhere(group, [victim]), 30, "the frozen worker's tasks to run elsewhere"
    )
    # It wakes up as a zombie: with sessions that others have taken over, and claims that are lost.
    victim.thaw()
    victim.wait_serving(30)
    wait_spread(group, 3)
    account = run.verify()
    note(account, 2 * TASKS * WINDOW, f"moved after {moved:.1f} s, {rng.seed_text}")
    account.check(duplicates=2 * TASKS * WINDOW)
    throughout(1, victim.healthy)
