# SPDX-License-Identifier: Apache-2.0
"""From Kafka to MQTT nothing is lost and each key keeps its order, whatever is killed or restarted."""

import pytest

# pylint: disable=import-error,redefined-outer-name
from chaos.account import throughout
from chaos.scenario import kill_in_turn, quick
from chaos.sink_flow import SinkFlow
from chaos.test_kill import naive_program

pytestmark = pytest.mark.timeout(900)

TASKS = 3
PARTITIONS = 8
# Small, so that the bound on duplicates means something.
WINDOW = 100
COMMIT_MS = 500


def properties(sizes):
    """Dead members of both groups are noticed soon, and little is uncommitted."""
    return quick(
        sizes.session_timeout,
        **{
            "offset.flush.interval.ms": str(COMMIT_MS),
            "consumer.session.timeout.ms": "6000",
            "consumer.heartbeat.interval.ms": "1000",
        },
    )


@pytest.fixture
def sink_flow(request, load):
    """sink_flow(cluster, messages, ...) makes topic and collecting session; what is left ends with the test."""
    made = []

    def make(cluster, messages, **options):
        name = request.node.name.removeprefix("test_")
        made.append(SinkFlow(load, cluster, name, messages, partitions=PARTITIONS, **options))
        return made[-1]

    yield make
    for run in made:
        run.close()


def create(group, run, **changes):
    group.create("c", config=run.config(TASKS, mqtt_publish_max_inflight=WINDOW, **changes))
    group.wait_running("c", TASKS)


def test_every_record_is_published_once_and_in_order(cluster, sink_flow, note, sizes):
    group = cluster(2, properties=properties(sizes))
    run = sink_flow(group, sizes.messages)
    create(group, run)
    account = run.start().account()
    note(account, 0)
    account.check(duplicates=0)


def test_nothing_is_lost_at_the_sink_while_workers_are_killed(
    cluster, sink_flow, note, sizes, rng
):
    group = cluster(2, properties=properties(sizes))
    rate = sizes.rate(sizes.pick(14, 40))
    run = sink_flow(group, sizes.messages, rate=rate)
    create(group, run)
    run.start()
    kills = kill_in_turn(group, run, rng, sizes.kill_every)
    account = run.account()
    note(account, None, f"{kills} kills, {rng.seed_text}")
    assert kills >= 3
    account.check()


def test_nothing_is_lost_at_the_sink_while_mosquitto_restarts(cluster, fresh_mosquitto, sink_flow, note, sizes):
    mosquitto = fresh_mosquitto()
    group = cluster(2, mosquitto=mosquitto, properties=properties(sizes))
    run = sink_flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 30)))
    create(group, run)
    run.start()
    restarts = 0
    while not run.ended(sizes.kill_every):
        mosquitto.stop()
        throughout(1)
        mosquitto.start()
        restarts += 1
    account = run.account()
    allowed = restarts * TASKS * WINDOW
    note(account, allowed, f"{restarts} restarts")
    assert restarts >= 2
    account.check(duplicates=allowed)


def test_more_and_fewer_tasks_while_records_flow_cost_no_duplicate(
    cluster, sink_flow, note, sizes
):
    group = cluster(2, properties=properties(sizes))
    run = sink_flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 30)))
    create(group, run)
    run.start()
    changes = 0
    for tasks in (1, 3, 2):
        if run.ended(sizes.pick(2, 6)):
            break
        config = run.config(tasks, mqtt_publish_max_inflight=WINDOW)
        assert group.rest.put("/connectors/c/config", config).status == 200
        changes += 1
    account = run.account()
    note(account, 0, f"{changes} changes")
    assert changes >= 2
    account.check(duplicates=0)


@pytest.mark.full
def test_nothing_is_lost_at_the_sink_while_kafka_restarts(cluster, fresh_kafka, sink_flow, note, sizes):
    kafka = fresh_kafka()
    group = cluster(2, kafka=kafka, properties=properties(sizes))
    run = sink_flow(group, sizes.messages, rate=sizes.rate(30))
    create(group, run)
    run.start()
    restarts = 0
    while restarts < 2 and not run.ended(sizes.kill_every):
        kafka.restart(hard=True)
        restarts += 1
    account = run.account()
    note(account, None, f"{restarts} restarts")
    assert restarts >= 1
    account.check()


# A short run has too few kills for the naive sink to lose something each time.
@pytest.mark.full
@pytest.mark.parametrize("gate", ["gate", "naive"])
def test_a_kill_while_mosquitto_is_slow_costs_only_a_naive_sink_messages(
    cluster, fresh_mosquitto, sink_flow, note, sizes, rng, load, gate
):
    """The same test for both: that it fails the sink that commits too early shows its worth."""
    mosquitto = fresh_mosquitto()
    group = cluster(workers=0, mosquitto=mosquitto, properties=properties(sizes))
    if gate == "naive":
        group.program = naive_program(load)
    group.add(2)
    run = sink_flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 30)))
    create(group, run)
    run.start()

    def hold_up(_worker):
        mosquitto.freeze()
        # Long enough for a commit of what is on its way.
        throughout(3 * COMMIT_MS / 1000)

        def release():
            # What the broker has in its socket is not lost with the worker; what waits there is.
            mosquitto.thaw()

        return release

    try:
        kills = kill_in_turn(group, run, rng, sizes.kill_every, hold_up)
    finally:
        mosquitto.thaw()
    lossless = gate == "gate"
    account = run.account(patience=60 if lossless else 10)
    note(account, None, f"{gate}, {kills} kills, {rng.seed_text}")
    if lossless:
        account.check()
    else:
        assert account.missing > 0, account.report
