# SPDX-License-Identifier: Apache-2.0
"""One real Apache Kafka Connect worker (distributed mode) with its file connectors."""

import pathlib

from .kafka import fetched
from .proc import free_port
from .worker import RestPart

HERE = pathlib.Path(__file__).resolve().parent

SETTINGS = {
    "key.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "key.converter.schemas.enable": "false",
    "value.converter.schemas.enable": "false",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "offset.flush.interval.ms": "500",
    # One worker, killed and started again by tests: nobody is waited for.
    "scheduled.rebalance.max.delay.ms": "0",
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "1000",
}

PACKAGE = "org.apache.kafka.connect.file."
SOURCE = PACKAGE + "FileStreamSourceConnector"
SINK = PACKAGE + "FileStreamSinkConnector"


class Connect(RestPart):
    """A worker of group `group` whose topics are `<group>-{configs,offsets,status}`."""

    def __init__(self, folder, name, kafka, group, properties=None, heap="384m"):
        self.jars = fetched("connect")
        self.heap = heap
        port = free_port()
        super().__init__(folder, name, port)
        self.properties = {
            "bootstrap.servers": kafka,
            "group.id": group,
            "config.storage.topic": f"{group}-configs",
            "offset.storage.topic": f"{group}-offsets",
            "status.storage.topic": f"{group}-status",
            "listeners": self.url,
            "rest.advertised.host.name": "127.0.0.1",
            "rest.advertised.port": str(port),
            "plugin.path": f"{self.jars}/plugins",
            **SETTINGS,
            **(properties or {}),
        }

    def launch(self):
        """Starts the process without waiting for it to be ready."""
        self.write_config()
        argv = [
            "java",
            f"-Xmx{self.heap}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            f"-Djava.io.tmpdir={self.folder}",
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
            "-cp",
            f"{self.jars}/*",
            "org.apache.kafka.connect.cli.ConnectDistributed",
            self.config_file,
        ]
        self.start_process(argv, self.folder)
        return self
