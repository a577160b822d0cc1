# SPDX-License-Identifier: Apache-2.0
"""Faults of a Kafka of three nodes, and what its administrators do: fencing, topics, rights, retention."""

import threading
import time

from chaos.acl import USER
from chaos.broker_faults import AFTER_KAFKA
from chaos.fault import Outcome, fault
from chaos.worker_faults import leader_of, window
from lab import LabError, wait_until

# A leader of partitions that was stopped has handed them over; one that was killed is noticed first.
LEADER_MOVED = 5.0
LEADER_DIED = 12.0
TOPICS = ("configs", "status", "offsets", "claims")


def leads(stage, node):
    """How many partitions of the internal topics this node leads."""
    _, topics = stage.kafka.layout()
    group = stage.lane.cluster.group
    partitions = [row for name in TOPICS for row in topics[f"{group}-{name}"].values()]
    return sum(1 for leader, _ in partitions if leader == node.node)


def leaders_moved(stage, end):
    """end(node) takes away the node that leads the config topic; the others take over from it."""
    stage.begin(12)
    node = stage.kafka.leader(f"{stage.lane.cluster.group}-configs")
    led = leads(stage, node)
    end(node)
    since = time.monotonic()
    wait_until(lambda: leads(stage, node) == 0, 30, "other nodes to lead the internal topics", 0.05)
    took = stage.levelled(since)
    # A change goes through all of it: the leader's transaction, the config topic, the tasks.
    stage.set_tasks(stage.sessions)
    stage.lane.wait_running()
    stage.kafka.start()
    stage.levelled(time.monotonic())
    return Outcome(took, window(stage, 1), notes=f"{led} partitions of internal topics got another leader")


@fault("internal leaders move", LEADER_MOVED, world="three", lanes=("source", "sink"))
def leader_stopped(stage):
    """The Kafka node that leads the config topic is stopped, so others lead; later it starts again."""
    return leaders_moved(stage, lambda node: node.stop())


@fault("internal leaders die", LEADER_DIED, world="three", lanes=("source", "sink"))
def leader_died(stage):
    """The same node is killed: the others notice after its session, three seconds."""
    return leaders_moved(stage, lambda node: node.kill9())


@fault("Kafka nodes restarted in turn", AFTER_KAFKA, world="three", lanes=("source", "sink"))
def nodes_in_turn(stage):
    """Each of three nodes is stopped and started again when the others have what it has."""
    stage.begin(30)
    longest = 0.0
    for node in stage.kafka.nodes:
        since = time.monotonic()
        node.stop()
        longest = max(longest, stage.levelled(since))
        stage.kafka.start()
    stage.levelled(time.monotonic())
    return Outcome(longest, window(stage, 1))


@fault("min.insync.replicas not met", AFTER_KAFKA, world="three")
def replicas_missing(stage):
    """The topic asks for three replicas and a node is dead for eight seconds: Kafka takes no record."""
    stage.begin(24, topic={"min.insync.replicas": "3"}, mqtt_keepalive_interval_seconds=5)
    node = stage.rng.choice(stage.kafka.nodes)
    node.kill9()
    topic = stage.lane.topic

    def short_of_replicas():
        return all(len(in_sync) == 2 for _, in_sync in stage.kafka.layout()[1][topic].values())

    wait_until(short_of_replicas, 30, "the node to be out of sync", 0.05)
    stage.linger(1)

    def acks():
        return {
            (worker.ident, task): count
            for worker in stage.lane.alive
            for task, count in stage.lane.series(worker, "sluice_mqtt_acks_total").items()
        }

    seen = [acks()]

    def silent():
        """Nobody has acknowledged anything to MQTT since the last look. A task that has stopped tells
        nothing; where it starts, its count begins at nothing."""
        before, seen[0] = seen[0], acks()
        return all(count <= before.get(task, 0) for task, count in seen[0].items())

    stage.throughout(7, silent, "that nothing is acknowledged while Kafka takes nothing")
    node.start()
    wait_until(lambda: not short_of_replicas(), 30, "the node to be in sync", 0.02)
    back = time.monotonic()
    took = stage.flowing(back)
    level = stage.levelled(back, timeout=120)
    text = f"backlog gone {level:.1f} s after the replica's return, from which recovery counts"
    return Outcome(took, window(stage, 2), notes=text)


def all_nodes_gone(stage, seconds):
    config = {"mqtt_keepalive_interval_seconds": 5} if stage.kind == "source" else {}
    stage.begin(seconds + 20, **config)
    stage.kafka.kill9()
    stage.linger(seconds)
    stage.kafka.start()
    back = time.monotonic()
    took = stage.flowing(back)
    level = stage.levelled(back, timeout=120)
    text = f"away for {seconds} s, backlog gone {level:.1f} s after the return"
    return Outcome(took, window(stage, 2), notes=text)


@fault("all Kafka nodes gone", AFTER_KAFKA, world="three", lanes=("source", "sink"))
def nodes_gone(stage):
    """All three nodes are killed, stay away for 15 seconds and start again."""
    return all_nodes_gone(stage, 15)


@fault("all Kafka nodes gone, minutes", AFTER_KAFKA, world="three")
def nodes_gone_long(stage):
    """All three nodes are killed and stay away for two minutes."""
    return all_nodes_gone(stage, 120)


def put_until_taken(stage, config):
    """Puts a config again while it is answered with: try again; returns the seconds it took."""
    since = time.monotonic()
    last = [None]

    def taken():
        try:
            last[0] = stage.lane.rest.put(f"/connectors/{stage.lane.name}/config", config)
        except OSError as error:
            last[0] = error
            return False
        if last[0].status not in (200, 409, 500, 503):
            raise LabError(f"PUT config: {last[0]}")
        return last[0].status == 200

    wait_until(taken, 30, lambda: f"a change to be taken, last answer {last[0]}", 0.1)
    return time.monotonic() - since


def configured(stage, config):
    """True when every worker shows this config."""
    path = f"/connectors/{stage.lane.name}/config"
    return all(
        all(worker.get(path).body.get(key) == value for key, value in config.items())
        for worker in stage.lane.alive
    )


def changed(stage, mark):
    """The connector's config, with a harmless setting that tells it from others."""
    make = stage.source_config if stage.kind == "source" else stage.sink_config
    return {**make(stage.sessions), "errors.log.enable": mark}


@fault("leader fenced", 5.0, lanes=("source", "sink"), short=True)
def leader_fenced(stage):
    """Another producer takes the leader's transactional id: the leader must see it and open again."""
    stage.begin(8)
    leader = leader_of(stage)
    lost = leader.log_text().count("LEADER-LOST")
    stage.kafka.fence(f"{stage.lane.cluster.group}-leader")
    config = changed(stage, "true")
    took = put_until_taken(stage, config)
    wait_until(lambda: configured(stage, config), 10, "all workers to show the change")
    if leader.log_text().count("LEADER-LOST") != lost + 1:
        raise LabError("the leader was not fenced")
    stage.levelled(time.monotonic())
    return Outcome(took, window(stage, 0))


@fault("deposed leader wakes", 8.0, lanes=("source", "sink"))
def deposed_leader(stage):
    """The leader is frozen with a change in its hands; another leads and changes the same connector;
    the first wakes: what it wrote must not count."""
    stage.begin(14)
    leader = leader_of(stage)
    since = time.monotonic()
    leader.freeze()
    early, late = changed(stage, "false"), changed(stage, "true")
    held = Held(leader, f"/connectors/{stage.lane.name}/config", early)
    took = stage.resumed(since, [leader])
    wait_until(lambda: leader_of_others(stage), 30, "another worker to lead")
    put_until_taken(stage, late)
    leader.thaw()
    status = held.answer()
    leader.wait_serving()
    stage.levelled(time.monotonic())
    # Taken means: passed on to the new leader, which wrote it after the other one.
    wanted = early if status == 200 else late
    wait_until(lambda: configured(stage, wanted), 10, f"the config that counts, after {status}")
    leader_of(stage)
    return Outcome(took, window(stage, 2), notes=f"the change in its hands was answered with {status}")


class Held:
    """A change that a frozen worker has in its socket."""

    def __init__(self, worker, path, config):
        self.status = None
        self.thread = threading.Thread(target=self._send, args=(worker, path, config))
        self.thread.start()

    def _send(self, worker, path, config):
        try:
            self.status = worker.put(path, config, timeout=60).status
        except OSError as error:
            self.status = str(error)

    def answer(self):
        """What it was answered with, once the worker is awake."""
        self.thread.join(60)
        return self.status


def leader_of_others(stage):
    return any(worker.metric_sum("sluice_worker_leader") == 1 for worker in stage.lane.alive)


@fault("topic deleted", AFTER_KAFKA)
def topic_deleted(stage):
    """The topic that tasks write to is deleted under them. What comes later must be in the new one."""
    stage.begin(6)
    stage.kafka.delete_topic(stage.lane.topic)
    stage.flow.wait_sent()
    since = time.monotonic()
    stage.another(5)
    stage.kafka.wait_count(stage.lane.topic, stage.flow.messages // 2, 30)
    took = stage.resumed(since)
    return Outcome(took, window(stage, 1), notes="counts what was sent after the deletion")


@fault("topic deleted and made again", AFTER_KAFKA, lanes=("sink",))
def topic_made_again(stage):
    """The topic that a sink reads is deleted under it and made again: it begins anew."""
    lane = stage.begin(4)
    stage.flow.ended(30)
    wait_until(lambda: stage.flow.committed(lane.name) == stage.flow.written(), 60, "all to be committed")
    stage.kafka.delete_topic(lane.topic)
    wait_until(lambda: lane.topic not in stage.kafka.topics(), 30, "the topic to be gone")
    stage.another(5)
    took = stage.levelled(time.monotonic())
    return Outcome(took, None, notes="counts what was written to the new topic")


@fault("segments expired", AFTER_KAFKA, lanes=("sink",))
def segments_expired(stage):
    """A sink is paused until Kafka has dropped what it had not read: it goes on with what is there."""
    lane = stage.begin(4)
    lane.rest.put(f"/connectors/{lane.name}/pause")
    wait_until(lambda: {s for s, _ in lane.states().values()} == {"PAUSED"}, 20, "tasks to pause")
    stage.flow.ended(30)
    if stage.flow.committed(lane.name) >= stage.flow.written():
        raise LabError("the sink had read everything before it was paused")
    stage.kafka.delete_records(lane.topic)
    stage.another(3)
    lane.rest.put(f"/connectors/{lane.name}/resume")
    took = stage.levelled(time.monotonic())
    return Outcome(took, None, notes="counts what was written after the expiry")


@fault("right to write revoked", 15.0, world="secure")
def write_revoked(stage):
    """The right to write the topic is taken away for a while: tasks fail and say why; then restart."""
    lane = stage.begin(16)
    rule = ("topic", lane.topic, USER, "write", "deny")
    stage.kafka.add_rule(*rule)
    wait_until(lambda: {s for s, _ in lane.states().values()} == {"FAILED"}, 30, "tasks to fail")
    traces = [task["trace"] for task in lane.cluster.status(lane.name)["tasks"]]
    if not all(lane.topic in trace for trace in traces):
        raise LabError(f"a trace does not name the topic: {traces}")
    stage.kafka.remove_rule(*rule)
    since = time.monotonic()
    answer = lane.rest.post(f"/connectors/{lane.name}/restart?includeTasks=true&onlyFailed=true")
    if answer.status != 202:
        raise LabError(f"POST restart: {answer}")
    took = stage.levelled(since)
    return Outcome(took, window(stage, 2), notes="tasks failed, were restarted when allowed again")


@fault("right to join revoked", 15.0, world="secure", lanes=("source", "sink"))
def join_revoked(stage):
    """The right to read the workers' group is taken away for eight seconds: they come back alone."""
    stage.begin(20)
    rule = ("group", stage.lane.cluster.group, USER, "read", "deny")
    stage.kafka.add_rule(*rule)
    stage.linger(8)
    stage.kafka.remove_rule(*rule)
    since = time.monotonic()
    for worker in stage.lane.workers:
        if not worker.alive():
            raise LabError(f"{worker.name} has ended\n{worker.log_tail()}")
        worker.wait_serving(30)
    took = stage.levelled(since)
    return Outcome(took, window(stage, 2))
