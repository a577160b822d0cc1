# SPDX-License-Identifier: Apache-2.0
"""Faults of the network: packets between a worker and others are dropped, delayed, lost by chance.

The workers live in namespaces of their own. A link that drops everything says nothing to either
side: connections stay half open until somebody gives them up.
"""

import time

from chaos.fault import Outcome, fault
from chaos.worker_faults import MARGIN, after_death, leader_of, window
from lab import LabError

# After a cut a kernel sends again what it has only when its own timer fires, which doubles each time.
AFTER_CUT = 20.0


def kafka_hosts(stage):
    return stage.world.kafka_hosts


def mosquitto_hosts(stage):
    return [stage.world.mosquitto_host]


def worker_hosts(stage, but):
    return [worker.home.host for worker in stage.lane.alive if worker is not but]


def all_hosts(stage, but):
    return [*kafka_hosts(stage), *mosquitto_hosts(stage), *worker_hosts(stage, but)]


def heal(stage, victim):
    """Ends the fault and waits until all is level and the worker well; the seconds."""
    stage.network.heal()
    since = time.monotonic()
    victim.wait_serving(60)
    stage.levelled(since)
    return time.monotonic() - since


def chosen(stage):
    """The worker whose links are to be spoilt, one with tasks, and the forwarder's counts before."""
    (victim,) = stage.pick_workers(busy=True)
    return victim, stage.network.counts()


def spoilt_for(seconds, stage, victim, before, ends):
    """Lets a fault last, heals it, and waits until all is level; connections may end `ends` times."""
    stage.linger(seconds)
    took = heal(stage, victim)
    return Outcome(took, window(stage, ends), notes=seen(stage, before))


def seen(stage, before):
    """How much the forwarder has done to packets since then; it must have done something."""
    now = stage.network.counts()
    dropped, delayed = now["dropped"] - before["dropped"], now["delayed"] - before["delayed"]
    if dropped + delayed == 0:
        raise LabError("the network was not spoilt at all")
    return f"{dropped} packets dropped, {delayed} delayed"


@fault("cut from Kafka, not MQTT", after_death, lanes=("source", "sink"), network=True, short=True)
def cut_from_kafka(stage):
    """A worker's packets to and from Kafka are dropped; its tasks run elsewhere until it heals."""
    stage.begin(16)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, kafka_hosts(stage), drop=True)
    since = time.monotonic()
    took = without(stage, victim, since)
    back = heal(stage, victim)
    return Outcome(took, window(stage, 3), notes=f"level {back:.1f} s after the links healed; {seen(stage, before)}")


def without(stage, victim, since):
    """Waits until the tasks run elsewhere and the rest of the cluster says so; the seconds."""
    stage.lane.cut_off.append(victim)
    try:
        return stage.resumed(since, [victim])
    finally:
        stage.lane.cut_off.remove(victim)


@fault("cut from MQTT, not Kafka", AFTER_CUT, lanes=("source", "sink"), network=True)
def cut_from_mqtt(stage):
    """A worker's packets to and from mosquitto are dropped for ten seconds, two keepalives."""
    config = {"mqtt_keepalive_interval_seconds": 5} if stage.kind == "source" else {}
    stage.begin(22, **config)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, mosquitto_hosts(stage), drop=True)
    return spoilt_for(10, stage, victim, before, 2)


@fault("cut from other workers", after_death, lanes=("source", "sink"), network=True)
def cut_from_workers(stage):
    """Packets between a worker, the leader, and all others are dropped: nothing may change."""
    stage.begin(12)
    victim = leader_of(stage)
    before = stage.network.counts()
    stage.network.spoil(victim.home.host, worker_hosts(stage, victim), drop=True)
    owners = stage.lane.states()
    # Something has to go that way: another worker passes a request on to the leader.
    other = next(worker for worker in stage.lane.alive if worker is not victim)
    # The connector is not paused, so this changes nothing even if it arrives late.
    told = asked(other, f"/connectors/{stage.lane.name}/resume")
    since = time.monotonic()
    stage.linger(stage.session_timeout + MARGIN)
    if stage.lane.states() != owners:
        raise LabError(f"tasks moved though no worker was lost: {owners} {stage.lane.states()}")
    took = heal(stage, victim)
    return Outcome(took, window(stage, 0), notes=f"a change is answered with {told}; {seen(stage, before)}")


def asked(worker, path):
    """What a change answers while the leader cannot be reached: its status, or that nothing came."""
    try:
        status = worker.put(path, timeout=5).status
    except OSError:
        return "nothing in 5 s"
    if status < 400:
        raise LabError(f"a change was answered with {status} over a link that is cut")
    return status


@fault("cut from everything", after_death, lanes=("source", "sink"), network=True)
def cut_from_everything(stage):
    """A worker's host is gone from the network without a word, and comes back with all it held."""
    stage.begin(16)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, all_hosts(stage, victim), drop=True)
    since = time.monotonic()
    took = without(stage, victim, since)
    back = heal(stage, victim)
    return Outcome(took, window(stage, 3), notes=f"level {back:.1f} s after the links healed; {seen(stage, before)}")


@fault("half open from MQTT", AFTER_CUT, network=True)
def half_open(stage):
    """What a worker sends to mosquitto is dropped, what it receives is not: PUBACKs do not arrive."""
    stage.begin(22, mqtt_keepalive_interval_seconds=5)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, mosquitto_hosts(stage), both=False, drop=True)
    return spoilt_for(10, stage, victim, before, 2)


@fault("half open to Kafka", AFTER_CUT, lanes=("source", "sink"), network=True)
def half_open_kafka(stage):
    """What Kafka sends to a worker is dropped, what it sends to Kafka is not: records without answers."""
    stage.begin(20)
    victim, before = chosen(stage)
    for host in kafka_hosts(stage):
        stage.network.spoil(host, [victim.home.host], both=False, drop=True)
    # Records that were written and whose answers were lost are written once: producers number them.
    return spoilt_for(8, stage, victim, before, 3)


@fault("500 ms delay", AFTER_CUT, lanes=("source", "sink"), network=True)
def delay(stage):
    """Whatever a worker sends to Kafka and mosquitto arrives half a second later, for ten seconds."""
    more = {"mqtt_receive_maximum": 1000} if stage.kind == "source" else {}
    stage.begin(16, **more)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, all_hosts(stage, victim), delay=0.5)
    begun = stage.lane.states()
    stage.linger(10)
    if stage.lane.states() != begun:
        raise LabError(f"a slow worker lost its tasks: {begun} {stage.lane.states()}")
    took = heal(stage, victim)
    return Outcome(took, window(stage, 0), notes=seen(stage, before))


@fault("5 % loss", AFTER_CUT, lanes=("source", "sink"), network=True)
def loss(stage):
    """One in twenty packets of a worker is lost in each direction, for ten seconds."""
    stage.begin(16)
    victim, before = chosen(stage)
    stage.network.spoil(victim.home.host, all_hosts(stage, victim), loss=0.05)
    return spoilt_for(10, stage, victim, before, 1)
