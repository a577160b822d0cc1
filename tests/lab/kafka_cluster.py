# SPDX-License-Identifier: Apache-2.0
"""Several real Kafka nodes of one cluster (KRaft, each of them broker and controller)."""

from . import kafka_wire
from .kafka import Kafka, cluster_ident
from .kafka_client import KafkaClient
from .proc import free_port, wait_until

# Everything on all nodes; a record counts when two have it.
REPLICATED = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    # A follower that hangs is out of the replicas in sync soon, as a dead one is.
    "replica.lag.time.max.ms": "3000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
}
# What a replicated cluster's clients ask for.
WORKER_PROPERTIES = {
    f"{topic}.storage.replication.factor": "3" for topic in ("config", "offset", "status", "claims")
}


class KafkaCluster(KafkaClient):
    """`count` nodes in `folder`; `nodes` are the single ones, each a Kafka of its own to kill.

    `hosts` are the addresses that they listen on, as many as nodes, or one for all.
    """

    def __init__(self, folder, names, heap="256m", settings=None, hosts=("127.0.0.1",)):
        ident = cluster_ident()
        hosts = list(hosts) * (len(names) if len(hosts) == 1 else 1)
        quorum = {number: f"{host}:{free_port()}" for number, host in enumerate(hosts, 1)}
        self.nodes = [
            Kafka(
                folder,
                heap=heap,
                settings={**REPLICATED, **(settings or {})},
                name=name,
                host=host,
                node=number,
                quorum=quorum,
                ident=ident,
            )
            for number, (name, host) in enumerate(zip(names, hosts), 1)
        ]

    @property
    def address(self):
        """All brokers, the living ones first."""
        nodes = sorted(self.nodes, key=lambda node: not node.alive() or node.frozen)
        return ",".join(node.address for node in nodes)

    def start(self, timeout=60):
        """Starts the nodes that do not run, at once, and waits until all serve clients."""
        for node in self.nodes:
            if not node.alive():
                node.launch()
        return self.wait_serving(timeout)

    def wait_serving(self, timeout=60):
        """Waits until each node answers, and every partition has all its replicas in sync."""
        for node in self.nodes:
            node.wait_serving(timeout)
        wait_until(self.whole, timeout, lambda: f"replicas to be in sync: {self.layout()}", 0.1)
        return self

    def whole(self):
        """True when all brokers are there and each partition has a leader and all replicas."""
        try:
            brokers, topics = self.layout()
        except kafka_wire.WireError:
            return False
        return len(brokers) == len(self.nodes) and all(
            leader in brokers and len(in_sync) in (1, len(self.nodes))
            for partitions in topics.values()
            for leader, in_sync in partitions.values()
        )

    def leader(self, topic, partition=0):
        """The node that leads a partition."""
        number = self.layout()[1][topic][partition][0]
        return next((node for node in self.nodes if node.node == number), None)

    def create_topic(self, name, partitions=1, config=None, replicas=3):
        kafka_wire.create_topic(self.address, name, partitions, config, replicas)

    def tool(self, name, *args):
        """Runs one of Kafka's own tools (see Kafka.tool)."""
        return self.nodes[0].tool_at(self.address, name, *args)

    def kill9(self):
        """Kills all nodes."""
        for node in self.nodes:
            node.kill9()

    def freeze(self):
        for node in self.nodes:
            node.freeze()

    def thaw(self):
        for node in self.nodes:
            node.thaw()
