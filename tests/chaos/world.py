# SPDX-License-Identifier: Apache-2.0
"""The real parts that faults happen to: Kafka, mosquitto, a cluster of workers; and lanes through them.

A world lives through many rounds. A lane is one round's way for messages: a connector of its own
from a prefix of its own to a topic of its own, so rounds do not see each other.
"""

import pathlib

from chaos.acl import secure_kafka
from lab import Cluster, LabError, wait_until
from lab.kafka_cluster import WORKER_PROPERTIES

WORKERS = 3
SESSION_TIMEOUT = 3.0
# Seconds within which a part answers that was started on purpose.
PATIENCE = 60

# How many Kafka nodes each kind of world has; that of "secure" has users and access rules.
KINDS = {"one": 1, "three": 3, "secure": 1}
HEAP = "512m"


def quick(seconds):
    """Worker properties by which dead members of both kinds of group are noticed soon."""
    return {
        "session.timeout.ms": str(int(seconds * 1000)),
        "heartbeat.interval.ms": "500",
        "offset.flush.interval.ms": "500",
        "consumer.session.timeout.ms": "6000",
        "consumer.heartbeat.interval.ms": "1000",
    }


class World:
    """Parts of one kind, all started; `network` is a lab.Network or None."""

    def __init__(self, lab, network, kind, load):
        self.lab = lab
        self.network = network
        self.kind = kind
        self.load = load
        self.rounds = 0
        self.session_timeout = SESSION_TIMEOUT
        self.clusters = []
        self.gone = []
        hosts = network.hub if network else ["127.0.0.1"] * 4
        # The last address of the hub is mosquitto's, so that Kafka's nodes can be cut off one by one.
        self.kafka_hosts, self.mosquitto_host = hosts[: KINDS[kind]], hosts[-1]
        self.properties = quick(SESSION_TIMEOUT)
        self.kafka = self._kafka()
        self.mosquitto = lab.mosquitto(host=self.mosquitto_host)
        self.cluster = self.new_cluster()

    def _kafka(self):
        if self.kind == "three":
            self.properties.update(WORKER_PROPERTIES)
            return self.lab.kafka_cluster(3, hosts=self.kafka_hosts)
        if self.kind == "secure":
            kafka, properties = secure_kafka(self.lab, self.kafka_hosts[0], HEAP)
            self.properties.update(properties)
            return kafka
        return self.lab.kafka(host=self.kafka_hosts[0], heap=HEAP)

    def new_cluster(self, program=None):
        """A cluster without workers; ended with the world or by end_cluster()."""
        made = Cluster(
            self.lab,
            self.kafka,
            self.mosquitto,
            self.properties,
            program=program,
            homes=self.network,
        )
        self.clusters.append(made)
        return made

    def end_cluster(self, cluster):
        """Kills a cluster's workers and gives their homes back."""
        for worker in list(cluster.workers):
            self.remove(cluster, worker)
        self.clusters.remove(cluster)

    def remove(self, cluster, worker):
        """Ends a worker for good; harmless when it has ended."""
        worker.kill9()
        cluster.workers.remove(worker)
        if worker in self.lab.parts:
            self.lab.parts.remove(worker)
            self.gone.append(worker)
        if worker.home and self.network:
            self.network.give_back(worker.home.host)

    def settle(self, cluster, workers=WORKERS):
        """So many workers, all of them well, and no others."""
        if self.network:
            self.network.heal()
        for part in self.lab.parts:
            if part.frozen:
                part.thaw()
        for worker in list(cluster.workers)[workers:]:
            worker.stop()
            self.remove(cluster, worker)
        for worker in cluster.workers:
            if not worker.alive():
                worker.launch()
        for worker in cluster.workers:
            worker.wait_serving(PATIENCE)
        if len(cluster.workers) < workers:
            cluster.add(workers - len(cluster.workers), timeout=PATIENCE)
        wait_until(
            lambda: sum(led(worker) for worker in cluster.workers) == 1,
            PATIENCE,
            lambda: f"one leader of {[worker.ident for worker in cluster.workers]}",
        )

    def lane(self, kind, cluster=None):
        """A way for messages that no round has used; the workers are there when this returns."""
        self.rounds += 1
        cluster = cluster or self.cluster
        self.settle(cluster)
        return Lane(cluster, kind, f"c{self.rounds}")

    def logs(self, folder):
        """Copies the logs of all parts there, also of those that are gone."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for part in [*self.gone, *self.lab.parts]:
            (folder / part.log.name).write_text(part.log_text())

    def close(self):
        """Kills all parts."""
        for cluster in list(self.clusters):
            self.end_cluster(cluster)
        while self.lab.parts:
            self.lab.parts.pop().kill9()


def led(worker):
    """1 when the worker says that it leads, else 0; also when it does not answer."""
    try:
        return int(worker.metric_sum("sluice_worker_leader"))
    except OSError:
        return 0


class Lane:
    """One connector of a cluster, with the names that accounts use: see Cluster for the methods."""

    def __init__(self, cluster, kind, name):
        self.cluster = cluster
        self.kind = kind
        self.name = name
        # Names the run, and is what the client ids of its sessions begin with after "sluice-".
        self.group = f"{cluster.group}-{name}"
        self.topic = f"{cluster.topic}-{name}"
        self.prefix = f"{cluster.prefix}/{name}"
        self.mosquitto = cluster.mosquitto
        self.kafka = cluster.kafka
        # Workers that are cut off: nobody asks them how things are.
        self.cut_off = []

    @property
    def alive(self):
        return [worker for worker in self.cluster.alive if worker not in self.cut_off]

    @property
    def workers(self):
        return self.cluster.workers

    @property
    def rest(self):
        """A worker to ask."""
        if not self.alive:
            raise LabError("no worker of the cluster can be asked")
        return self.alive[0]

    def tails(self, lines=40):
        return self.cluster.tails(lines)

    def source_config(self, **changes):
        """A source connector's config from this lane's prefix to its topic."""
        wanted = {"kafka_topic": self.topic, "mqtt_topics": f"{self.prefix}/#", **changes}
        return self.cluster.source_config(**wanted)

    def create(self, config):
        return self.cluster.create(self.name, config=config)

    def put(self, config):
        """Changes the connector's config."""
        answer = self.rest.put(f"/connectors/{self.name}/config", config)
        if answer.status != 200:
            raise LabError(f"PUT config: {answer.status} {answer.body}")

    def states(self):
        """{task: (state, worker id)}; empty while nobody answers."""
        try:
            answer = self.rest.get(f"/connectors/{self.name}/status", timeout=10)
        except (OSError, LabError):
            return {}
        if answer.status != 200:
            return {}
        return {task["id"]: (task["state"], task["worker_id"]) for task in answer.body["tasks"]}

    def wait_running(self, tasks=None, timeout=PATIENCE):
        return self.cluster.wait_running(self.name, tasks, timeout)

    def series(self, worker, name):
        """{labels: value} of a metric of this lane's tasks on a worker."""
        mark = f'connector="{self.name}"'
        return {
            key: value
            for key, value in worker.metrics().items()
            if key.split("{", 1)[0] == name and mark in key
        }

    def metric(self, name):
        """The sum of a metric over this lane's tasks on all workers that live."""
        total = 0
        for worker in self.alive:
            try:
                total += sum(self.series(worker, name).values())
            except OSError:
                continue
        return total

    def holders(self):
        """{task: [workers that say it runs there]}, from each living worker's own metrics."""
        found = {}
        for worker in self.alive:
            try:
                metrics = worker.metrics()
            except OSError:
                continue
            for key, value in metrics.items():
                if (
                    key.startswith("sluice_task_state{")
                    and f'connector="{self.name}"' in key
                    and 'state="running"' in key
                    and value == 1
                ):
                    task = key.split('task="', 1)[1].split('"', 1)[0]
                    found.setdefault(int(task), []).append(worker.ident)
        return found

    def end(self):
        """Deletes the connector and its topic, if they are there."""
        answer = self.rest.delete(f"/connectors/{self.name}")
        if answer.status not in (204, 404):
            raise LabError(f"DELETE connector: {answer.status} {answer.body}")
