# SPDX-License-Identifier: Apache-2.0
"""One real Kafka node (KRaft, broker and controller in one process) on free loopback ports."""

import base64
import pathlib
import subprocess
import uuid

from . import kafka_wire
from .kafka_client import KafkaClient
from .proc import LabError, Proc, free_port

HERE = pathlib.Path(__file__).resolve().parent

SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests start and kill members all the time: no waiting for more of them, and short sessions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    # A killed broker comes back only after the controller has given its old life up (default 9 s).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


def fetched(what):
    """The path that tests/lab/fetch prints for `what`, downloading it if need be."""
    result = subprocess.run([HERE / "fetch", what], stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise LabError(f"could not fetch {what} (above)")
    return result.stdout.strip()


def cluster_ident():
    """A new cluster's id, in the form that Kafka wants."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


class Kafka(Proc, KafkaClient):
    """A node with its data in `folder`; stop, kill9, freeze keep data and port for start().

    `host` is the address that it listens on and is known by. `node` and `quorum`, a {node: address of
    its controller}, and `ident`, the cluster's, make it one of several (see KafkaCluster).
    """

    def __init__(
        self,
        folder,
        heap="768m",
        settings=None,
        name="kafka",
        host="127.0.0.1",
        node=1,
        quorum=None,
        ident=None,
    ):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        super().__init__(name, self.folder / "kafka.log")
        self.heap = heap
        self.node = node
        self.host = host
        self.port = free_port()
        self.jars = fetched("kafka")
        quorum = quorum or {node: f"{host}:{free_port()}"}
        self.settings = {
            **SETTINGS,
            "node.id": str(node),
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{quorum[node]}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": ",".join(f"{n}@{where}" for n, where in quorum.items()),
            "log.dirs": str(self.folder / "data"),
            **(settings or {}),
        }
        self._format(ident or cluster_ident())

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def _java(self, heap):
        return [
            "java",
            f"-Xmx{heap}",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
            "-cp",
            f"{self.jars}/*",
        ]

    def write_config(self):
        """Writes server.properties, which the next start() reads."""
        lines = "".join(f"{key}={value}\n" for key, value in self.settings.items())
        (self.folder / "server.properties").write_text(lines)

    def _format(self, ident):
        (self.folder / "tmp").mkdir()
        self.write_config()
        config = self.folder / "server.properties"
        self._tool("kafka.tools.StorageTool", "format", "-t", ident, "-c", config)

    def _tool(self, java_class, *args):
        # The smaller compiler is enough for a program of one second.
        argv = [*self._java("256m"), java_class, *map(str, args)]
        argv[1:1] = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlab.log.level=warn"]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"{java_class} failed:\n{done.stdout}")
        return done.stdout

    def tool(self, name, *args):
        """Runs one of Kafka's own tools, as in tool("TopicCommand", "--list"); about 2 s."""
        return self.tool_at(self.address, name, *args)

    def tool_at(self, address, name, *args):
        return self._tool(f"org.apache.kafka.tools.{name}", "--bootstrap-server", address, *args)

    def launch(self):
        """Starts the node without waiting for it to serve."""
        argv = [*self._java(self.heap), "kafka.Kafka", self.folder / "server.properties"]
        self.start_process(argv, self.folder)
        return self

    def start(self, timeout=60):
        """Starts the node, also again after its end, and waits until it serves clients."""
        return self.launch().wait_serving(timeout)

    def wait_serving(self, timeout=60):
        """Waits until the node answers clients; for use after start_process() or thaw()."""
        self.wait_ready(self.serves, timeout, "Kafka answers")
        return self

    def restart(self, hard=False):
        """Stops (or kills) the node and starts it again on the same data and port."""
        if hard:
            self.kill9()
        else:
            self.stop()
        return self.start()

    def serves(self):
        """True when the node answers clients within two seconds."""
        return kafka_wire.is_ready(self.address)
