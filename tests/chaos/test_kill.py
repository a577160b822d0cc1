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
    create,
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
    create(group)
    account = flow(group, sizes.messages).verify()
    note(account, 0)
    account.check(duplicates=0)


def test_nothing_is_lost_while_workers_are_killed(cluster, flow, note, sizes, rng):
    group = cluster(3, properties=quick(sizes.session_timeout))
    create(group, mqtt_receive_maximum=WINDOW)
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
    create(group, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 40)))
    kills = kill_in_turn(group, run, rng, sizes.kill_every * 1.5)
    account = run.verify()
    allowed = kills * TASKS * WINDOW
    note(account, allowed, f"{kills} kills")
    assert kills >= 1
    account.check(duplicates=allowed)


def slow_kafka(kafka, seconds=0.4):
    """For kill_in_turn: Kafka answers nothing for a moment before the kill, and then goes on."""

    def hold_up(_worker):
        kafka.freeze()
        throughout(seconds)
        return kafka.thaw

    return hold_up


@pytest.mark.parametrize("gate", ["gate", "naive"])
def test_kills_while_kafka_is_slow_cost_only_a_naive_worker_messages(
    cluster, kafka, flow, note, sizes, rng, load, gate
):
    """The same test for both: that it fails the worker that acknowledges too early shows its worth."""
    group = cluster(workers=0, properties=quick(sizes.session_timeout))
    if gate == "naive":
        group.program = naive_program(load)
    group.add(3)
    create(group, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(12, 30)))
    try:
        kills = kill_in_turn(group, run, rng, sizes.kill_every, slow_kafka(kafka))
    finally:
        kafka.thaw()
    lossless = gate == "gate"
    account = run.verify(
        order="sessions" if lossless else "report",
        patience=60 if lossless else 10,
        expect_loss=not lossless,
    )
    allowed = kills * TASKS * WINDOW
    note(account, allowed if lossless else None, f"{gate}, {kills} kills, {rng.seed_text}")
    if lossless:
        account.check(duplicates=allowed)
    else:
        assert account.missing > 0, account.report
        assert account.code == 0  # which is what verify says to expected loss


@pytest.mark.full
def test_frozen_worker_loses_its_tasks_and_no_message(cluster, flow, note, sizes, rng):
    group = cluster(3, properties=quick(sizes.session_timeout))
    create(group, mqtt_receive_maximum=WINDOW)
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
