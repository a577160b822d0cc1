# SPDX-License-Identifier: Apache-2.0
"""MQTT brokers other than mosquitto, each with its data in a folder, on free loopback ports.

What they do to a client that acknowledges late differs much; deploy/docs/brokers.md tells. `version`
is the newest MQTT version that the broker speaks, `shared` whether a shared subscription delivers,
`keeps` what survives: "kill" sessions and queues outlive a kill -9, "nothing" they do not.
"""

import os
import pathlib
import socket
import subprocess

from .kafka import fetched
from .mosquitto import CONNECT
from .proc import LabError, Proc, free_port

# As mosquitto's, with a client id, which some brokers insist on.
CONNECT_NAMED = bytes([0x10, 15, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 60, 0, 3]) + b"lab"


class Broker(Proc):
    """What all have in common; stop, kill9 and start keep data and port."""

    kind = ""
    version = "5"
    shared = True
    keeps = "kill"

    def __init__(self, folder, name=None):
        name = name or self.kind
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        super().__init__(name, self.folder / f"{name}.log")
        self.port = free_port()
        self.helpers = []
        self.prepare()

    def prepare(self):
        """Writes the configuration."""

    def argv(self):
        """The command that runs the broker."""
        raise NotImplementedError

    def environment(self):
        """Its environment, None: that of this process."""
        return None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self):
        return f"tcp://{self.address}"

    def start(self, timeout=90):
        """Starts the broker, also again after its end, and waits until it accepts a client."""
        self.start_process(self.argv(), self.folder, self.environment())
        self.wait_ready(self._answers, timeout, "the broker answers")
        return self

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as sock:
                sock.sendall(CONNECT_NAMED)
                answer = sock.recv(4)
                return len(answer) == 4 and answer[0] == CONNECT[0] + 0x10 and answer[3] == 0
        except OSError:
            return False

    def kill9(self):
        super().kill9()
        while self.helpers:
            self.helpers.pop().kill9()

    def restart(self, hard=False):
        """Ends the broker by SIGTERM, or by SIGKILL, and starts it again on the same data."""
        if hard:
            self.kill9()
        else:
            self.stop(60)
        return self.start()

    def publish(self, topic, payloads, qos=1, options=()):
        """Publishes texts without line ends, a message each; returns when all are acked."""
        argv = ["mosquitto_pub", "-V", "5" if self.version == "5" else "311", "-i", "lab-publisher"]
        argv += ["-h", "127.0.0.1", "-p", str(self.port), "-t", topic, "-q", str(qos), "-l"]
        done = subprocess.run(
            [*argv, *options],
            input="".join(f"{text}\n" for text in payloads),
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"mosquitto_pub failed: {done.stderr}\n{self.log_tail()}")


class JavaBroker(Broker):
    """A broker of jars."""

    heap = "512m"

    def java(self, places, main, *args, **properties):
        """The command for a main class; `places` as fetch prints them."""
        folders = places.splitlines()
        path = ":".join([f"{folders[0]}/*", *folders[1:], str(self.folder)])
        settings = [f"-D{key.replace('_', '.')}={value}" for key, value in properties.items()]
        return [
            "java",
            f"-Xmx{self.heap}",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.folder}",
            *settings,
            "-cp",
            path,
            main,
            *map(str, args),
        ]


class HiveMq(JavaBroker):
    """HiveMQ Community Edition; about 4 s to start."""

    kind = "hivemq"

    def prepare(self):
        for name in ("conf", "data", "extensions"):
            (self.folder / name).mkdir()
        (self.folder / "conf" / "config.xml").write_text(
            "<hivemq><listeners><tcp-listener>"
            f"<port>{self.port}</port><bind-address>127.0.0.1</bind-address>"
            "</tcp-listener></listeners>"
            "<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>"
            "</hivemq>"
        )

    def argv(self):
        return self.java(fetched(self.kind), "HiveMqLab", self.folder)


class Artemis(JavaBroker):
    """ActiveMQ Artemis; about 2 s to start."""

    kind = "artemis"

    def prepare(self):
        places = "".join(
            f"<{name}-directory>{self.folder / name}</{name}-directory>"
            for name in ("paging", "bindings", "journal", "large-messages")
        )
        (self.folder / "broker.xml").write_text(
            '<configuration xmlns="urn:activemq"><core xmlns="urn:activemq:core"><name>lab</name>'
            "<persistence-enabled>true</persistence-enabled><journal-type>NIO</journal-type>"
            f"<security-enabled>false</security-enabled>{places}"
            f'<acceptors><acceptor name="mqtt">tcp://{self.address}?protocols=MQTT</acceptor>'
            "</acceptors></core></configuration>"
        )

    def argv(self):
        return self.java(fetched(self.kind), "ArtemisLab", self.folder / "broker.xml")


class Moquette(JavaBroker):
    """Moquette, 3.1.1 only; about 1.5 s to start. It does not start again on data with sessions."""

    kind = "moquette"
    version = "3.1.1"
    shared = False
    keeps = "nothing"
    heap = "256m"

    def prepare(self):
        (self.folder / "config").mkdir()
        (self.folder / "data").mkdir()
        (self.folder / "config" / "moquette.conf").write_text(
            f"port {self.port}\nhost 127.0.0.1\nallow_anonymous true\n"
            f"data_path {self.folder}/data\npersistence_enabled false\ntelemetry_enabled false\n"
            "netty.mqtt.message_size 1048576\n"
        )

    def argv(self):
        return self.java(
            fetched(self.kind), "io.moquette.broker.Server", moquette_path=self.folder
        )


class Nats(Broker):
    """NATS server with MQTT, 3.1.1 only; 0.2 s to start. Its settings for MQTT are `options`."""

    kind = "nats"
    version = "3.1.1"
    shared = False
    options = ""

    def prepare(self):
        (self.folder / "nats.conf").write_text(
            f"server_name: lab\nlisten: 127.0.0.1:{free_port()}\n"
            f'jetstream {{ store_dir: "{self.folder}/js" }}\n'
            f'mqtt {{ listen: "{self.address}" {self.options} }}\n'
        )

    def argv(self):
        return [fetched(self.kind), "-c", self.folder / "nats.conf"]


class RabbitMq(Broker):
    """RabbitMQ of this machine's release (Debian 12: 3.10.8, 3.1.1 only); about 8 s to start.

    Erlang's port mapper is a child of its own here, so that none is left behind as a daemon.
    """

    kind = "rabbitmq"
    version = "3.1.1"
    shared = False

    def prepare(self):
        self.root = pathlib.Path(fetched(self.kind))
        self.mapper_port = free_port()
        self.node_port = free_port()
        (self.folder / "home").mkdir()
        (self.folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        (self.folder / "rabbitmq.conf").write_text(
            "listeners.tcp = none\n"
            f"mqtt.listeners.tcp.1 = {self.address}\n"
            "mqtt.allow_anonymous = true\n"
            "loopback_users = none\n"
        )

    def environment(self):
        erlang = self.root / "usr" / "lib" / "erlang" / "bin"
        return {
            **os.environ,
            "PATH": f"{erlang}:{os.environ['PATH']}",
            "HOME": str(self.folder / "home"),
            "ERL_EPMD_PORT": str(self.mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"lab{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self.node_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_LOGS": "-",
        }

    def argv(self):
        [server] = self.root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
        return [server]

    def start(self, timeout=90):
        mapper = Proc(f"{self.name}-epmd", self.folder / "epmd.log")
        [program] = self.root.glob("usr/lib/erlang/erts-*/bin/epmd")
        mapper.start_process([program], self.folder, self.environment())
        self.helpers.append(mapper)
        return super().start(timeout)


BROKERS = {kind.kind: kind for kind in (HiveMq, Artemis, Moquette, Nats, RabbitMq)}
