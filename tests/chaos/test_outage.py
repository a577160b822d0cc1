# SPDX-License-Identifier: Apache-2.0
"""Nothing is lost while Kafka is stopped or killed for three keepalives, or mosquitto restarted."""

import time

import pytest

# pylint: disable=import-error
from chaos.account import connections, throughout
from chaos.proxy import kafka_with_side_door
from chaos.scenario import (
    TASKS,
    WINDOW,
    create,
    quick,
    running_elsewhere,
    seconds_until,
    tasks_on,
    wait_spread,
)
from lab import wait_until

pytestmark = pytest.mark.timeout(900)

KEEPALIVE = 5
PUBLISHERS = 20


def parked(group):
    """How many sessions stay away from the broker, by the metrics of all workers."""
    return sum(worker.metric_sum("sluice_mqtt_parked") for worker in group.alive)


def reconnects(group):
    return sum(worker.metric_sum("sluice_mqtt_reconnects_total") for worker in group.alive)


def stop_kafka(kafka, how):
    if how == "frozen":
        kafka.freeze()
    else:
        kafka.kill9()


def start_kafka(kafka, how):
    if how == "frozen":
        kafka.thaw()
        kafka.wait_serving()
    else:
        kafka.start()


@pytest.mark.sized("how", ["frozen"], ["frozen", "killed"])
def test_kafka_outage_of_three_keepalives_loses_nothing(
    cluster, fresh_kafka, flow, note, sizes, how
):
    kafka = fresh_kafka()
    # Claims outlive the outage in the short run, and are lost during it in the full one.
    group = cluster(2, kafka=kafka, properties=quick(sizes.pick(60, 6)))
    create(
        group,
        mqtt_receive_maximum=WINDOW,
        mqtt_keepalive_interval_seconds=KEEPALIVE,
    )
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(22, 40)))
    kafka.wait_count(group.topic, sizes.messages // 20)
    before = connections(group.mosquitto, group.group)
    stop_kafka(kafka, how)
    since = time.monotonic()
    wait_until(lambda: parked(group) > 0, 3 * KEEPALIVE, "sessions to park while Kafka is away", 0.1)
    seen_after = time.monotonic() - since
    # REST answers all the while.
    throughout(
        3 * KEEPALIVE - seen_after,
        lambda: all(worker.get("/connectors/c/status").status == 200 for worker in group.alive),
    )
    # No storm: each session leaves once, tries rarely, and does not take messages it cannot keep.
    during = connections(group.mosquitto, group.group) - before
    start_kafka(kafka, how)
    account = run.verify(patience=90)
    after = connections(group.mosquitto, group.group) - before
    allowed = 2 * TASKS * WINDOW
    note(
        account,
        allowed,
        f"parked after {seen_after:.1f} s, {during} connects in the outage, {after} by the end",
    )
    account.check(duplicates=allowed)
    assert during <= TASKS
    assert after <= 3 * TASKS
    assert reconnects(group) <= 3 * TASKS
    assert parked(group) == 0
    group.wait_running("c", TASKS)


@pytest.mark.full
def test_end_of_kafka_and_all_workers_at_once_loses_nothing(
    cluster, fresh_kafka, flow, note, sizes
):
    kafka = fresh_kafka()
    group = cluster(2, kafka=kafka, properties=quick(2))
    create(group, mqtt_receive_maximum=WINDOW)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 40)))
    kafka.wait_count(group.topic, sizes.messages // 20)
    kafka.kill9()
    for worker in group.workers:
        worker.kill9()
    kafka.start()
    for worker in group.workers:
        worker.launch()
    for worker in group.workers:
        worker.wait_serving(60)
    group.wait_running("c", TASKS, timeout=60)
    account = run.verify(patience=60)
    note(account, 2 * TASKS * WINDOW)
    account.check(duplicates=2 * TASKS * WINDOW)


@pytest.fixture
def side_door(lab):
    """(Kafka, proxy to it that can be cut)."""
    kafka, proxy = kafka_with_side_door(lab)
    yield kafka, proxy
    proxy.close()
    kafka.kill9()


@pytest.mark.full
def test_worker_cut_off_from_kafka_only_gives_way(cluster, side_door, flow, note, sizes):
    """It still reaches the MQTT broker, but what it takes there it does not acknowledge."""
    kafka, proxy = side_door
    group = cluster(workers=0, kafka=kafka, properties=quick(sizes.session_timeout))
    cut = group.add(1, properties={"bootstrap.servers": proxy.address})
    group.add(1)
    create(group, mqtt_receive_maximum=WINDOW)
    wait_spread(group, 2)
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(12, 40)))
    kafka.wait_count(group.topic, sizes.messages // 20)
    proxy.cut()
    group.workers.reverse()  # the other worker's REST is asked from here on
    moved = seconds_until(
        lambda: running_elsewhere(group, [cut]), 30, "the tasks to run on the worker that is whole"
    )
    throughout(2, lambda: running_elsewhere(group, [cut]))
    proxy.heal()
    cut.wait_serving(30)
    wait_spread(group, 2)
    assert tasks_on(group, cut)
    account = run.verify()
    note(account, 3 * TASKS * WINDOW, f"moved after {moved:.1f} s")
    account.check(duplicates=3 * TASKS * WINDOW)
    assert moved <= sizes.session_timeout + 2


def settle(broker):
    """Returns when the broker has taken in all that frozen publishers had sent.

    mosquitto takes a packet from each connection in turn, so when it has taken more packets of one
    publisher than another may have outstanding, it has taken all of the other's.
    """
    broker.publish("settle", [str(number) for number in range(300)])


def restart_broker(broker, run, how):
    if how == "stopped":
        broker.restart()
        return
    run.freeze()
    settle(broker)
    broker.kill9(save=True)
    broker.start()
    run.thaw()


def restart_in_turn(broker, run, how):
    """Restarts the broker every few seconds until all is published; returns how often."""
    restarts = 0
    while not run.ended(4):
        restart_broker(broker, run, how)
        restarts += 1
    assert restarts >= 2
    return restarts


@pytest.mark.sized("how", ["stopped"], ["stopped", "killed"])
def test_broker_restart_loses_nothing(cluster, fresh_mosquitto, flow, note, sizes, how):
    broker = fresh_mosquitto()
    group = cluster(2, mosquitto=broker)
    create(
        group,
        mqtt_receive_maximum=WINDOW,
        mqtt_subscription_mode="exclusive",
        mqtt_topics=",".join(f"{group.prefix}/p{publisher}/#" for publisher in range(PUBLISHERS)),
    )
    run = flow(group, sizes.messages, rate=sizes.rate(sizes.pick(10, 40)), publishers=PUBLISHERS)
    restarts = restart_in_turn(broker, run, how)
    # Each topic belongs to one session, so its order holds over restarts.
    account = run.verify(order="strict", patience=60)
    allowed = run.sent["republished"] + restarts * TASKS * WINDOW
    note(account, allowed, f"{restarts} restarts, {run.sent['republished']} published again")
    account.check(duplicates=allowed)
    assert account.reconnects <= 3 * TASKS * restarts


def test_broker_restart_in_shared_mode_when_publishers_repeat_what_nobody_got(
    cluster, fresh_mosquitto, flow, note, sizes
):
    """mosquitto forgets shared subscriptions at a restart, and says so to publishers of MQTT 5:
    those that listen to it lose nothing."""
    broker = fresh_mosquitto()
    group = cluster(2, mosquitto=broker)
    create(group, mqtt_receive_maximum=WINDOW)
    rate = sizes.rate(sizes.pick(10, 40))
    run = flow(group, sizes.messages, rate=rate, publishers=PUBLISHERS, again=True)
    restarts = restart_in_turn(broker, run, "stopped")
    # A repeat may come by another session than the message after it.
    account = run.verify(order="report", patience=30)
    allowed = run.sent["republished"] + restarts * TASKS * WINDOW
    refused = run.sent["no_subscribers"]
    note(account, allowed, f"{restarts} restarts, {refused} answered with: no subscriber")
    assert account.missing == 0
    assert account.duplicates <= allowed
    # The sessions are back soon: the gap in which the broker throws messages away is short.
    assert refused <= restarts * 2 * run.rate
    group.wait_running("c", TASKS)
