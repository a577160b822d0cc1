# SPDX-License-Identifier: Apache-2.0
"""Faults of the brokers on both sides: Kafka and mosquitto frozen, killed, stopped, restarted."""

import time

from chaos.fault import Outcome, fault
from chaos.stage import WINDOW
from chaos.worker_faults import window
from lab import LabError, wait_until

KEEPALIVE = 5
# After Kafka is back, sessions that had parked come back within their back-off.
AFTER_KAFKA = 10.0
# A killed node of a single-node Kafka needs a few seconds before it answers; all counts from then.
AFTER_MOSQUITTO = 10.0


def parked(stage):
    return stage.lane.metric("sluice_mqtt_parked")


def kafka_outage(stage, seconds, stop, start):
    """Kafka is away for so long; sources must park, REST must answer; seconds to be level again."""
    config = {"mqtt_keepalive_interval_seconds": KEEPALIVE} if stage.kind == "source" else {}
    stage.begin(seconds + 10, **config)
    begun = time.monotonic()
    stop()
    if stage.kind == "source" and seconds > KEEPALIVE:
        wait_until(lambda: parked(stage) > 0, 3 * KEEPALIVE, "sessions to park while Kafka is away", 0.1)
    stage.throughout(
        max(0, seconds - (time.monotonic() - begun)),
        lambda: all(worker.get("/connectors").status == 200 for worker in stage.lane.alive),
        "answers of REST while Kafka is away, which",
    )
    start()
    back = time.monotonic()
    took = stage.flowing(back)
    level = stage.levelled(back, timeout=120)
    text = f"Kafka away for {back - begun:.1f} s, backlog gone {level:.1f} s after its return"
    return Outcome(took, window(stage, 2), notes=text)


def frozen(stage):
    def thaw():
        stage.kafka.thaw()
        stage.kafka.wait_serving()

    return stage.kafka.freeze, thaw


@fault("Kafka frozen, short", AFTER_KAFKA, lanes=("source", "sink"), short=True)
def kafka_frozen_short(stage):
    """Kafka answers nothing for four seconds, longer than the workers' session timeout."""
    return kafka_outage(stage, 4, *frozen(stage))


@fault("Kafka frozen, 3 keepalives", AFTER_KAFKA, lanes=("source", "sink"))
def kafka_frozen(stage):
    """Kafka answers nothing for three keepalives of the sessions: they park."""
    return kafka_outage(stage, 3 * KEEPALIVE, *frozen(stage))


@fault("Kafka killed, 3 keepalives", AFTER_KAFKA, lanes=("source", "sink"))
def kafka_killed(stage):
    """The only Kafka is killed and stays away for three keepalives of the sessions."""
    return kafka_outage(stage, 3 * KEEPALIVE, stage.kafka.kill9, stage.kafka.start)


@fault("Kafka restarted", AFTER_KAFKA, lanes=("source", "sink"))
def kafka_restarted(stage):
    """The only Kafka is stopped and started again at once."""
    return kafka_outage(stage, 0, stage.kafka.stop, stage.kafka.start)


@fault("Kafka and all workers killed", 15.0, lanes=("source", "sink"))
def kafka_and_workers_killed(stage):
    """Kafka and all workers are killed at the same time and started again."""
    stage.begin(12)
    stage.kafka.kill9()
    for worker in stage.lane.workers:
        worker.kill9()
    stage.kafka.start()
    back = time.monotonic()
    for worker in stage.lane.workers:
        worker.launch()
    for worker in stage.lane.workers:
        worker.wait_serving(60)
    took = stage.levelled(back)
    return Outcome(took, window(stage, 1), notes="recovery counts from Kafka's return")


def settle(broker):
    """Returns when the broker has taken in all that frozen publishers had sent.

    mosquitto takes a packet from each connection in turn, so when it has taken more packets of one
    publisher than another may have outstanding, it has taken all of the other's.
    """
    broker.publish("settle", [str(number) for number in range(300)])


def again(stage, restarts):
    """Duplicates after restarts of the MQTT broker: windows, and what publishers sent again."""
    if stage.kind == "sink":
        # What was published and whose acknowledgement was lost is published again.
        return restarts * stage.sessions * WINDOW
    stage.flow.wait_sent()
    return stage.flow.sent["republished"] + window(stage, restarts)


@fault("mosquitto stopped, started", AFTER_MOSQUITTO, lanes=("source", "sink"), short=True)
def mosquitto_restarted(stage):
    """mosquitto ends by SIGTERM twice, and starts again with its database."""
    stage.begin(12, mode="exclusive")
    for _ in range(2):
        stage.mosquitto.restart()
        back = time.monotonic()
        took = stage.levelled(back)
    return Outcome(took, again(stage, 2))


@fault("mosquitto killed, started", AFTER_MOSQUITTO)
def mosquitto_killed(stage):
    """mosquitto is killed after it wrote its database, with publishers held meanwhile."""
    stage.begin(12, mode="exclusive")
    stage.flow.freeze()
    settle(stage.mosquitto)
    stage.mosquitto.kill9(save=True)
    stage.mosquitto.start()
    stage.flow.thaw()
    took = stage.levelled(time.monotonic())
    return Outcome(took, again(stage, 1))


@fault("mosquitto restarted, shared", AFTER_MOSQUITTO)
def mosquitto_restarted_shared(stage):
    """The same in shared mode, which mosquitto forgets at a restart: publishers that are told so repeat."""
    stage.begin(12, mode="shared", again=True)
    stage.mosquitto.restart()
    took = stage.levelled(time.monotonic())
    allowed = again(stage, 1)
    refused = stage.flow.sent["no_subscribers"]
    if refused > 2 * stage.rate:
        raise LabError(f"for {refused} messages there was no subscriber: sessions came back late")
    # A repetition may come by another session than the message after it.
    return Outcome(took, allowed, order="report", notes=f"{refused} messages found no subscriber")


@fault("mosquitto frozen", AFTER_MOSQUITTO, lanes=("source", "sink"))
def mosquitto_frozen(stage):
    """mosquitto answers nothing for five seconds; connections stay open."""
    stage.begin(14, mode="exclusive")
    stage.mosquitto.freeze()
    stage.linger(5)
    stage.mosquitto.thaw()
    took = stage.levelled(time.monotonic())
    return Outcome(took, again(stage, 1))
