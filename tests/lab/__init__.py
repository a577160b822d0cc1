# SPDX-License-Identifier: Apache-2.0
"""Real Kafka, real mosquitto and workers for tests, bench and quickstart. See README.md."""

from .brokers import BROKERS
from .cluster import Cluster
from .connect import Connect
from .kafka import Kafka
from .kafka_client import Record
from .kafka_cluster import KafkaCluster
from .lab import Lab
from .mosquitto import Mosquitto, Tls
from .network import Network
from .proc import LabError, Proc, die_with_parent, free_port, is_listening, wait_until
from .worker import Answer, Worker, find_program, request

__all__ = [
    "Answer",
    "BROKERS",
    "Cluster",
    "Connect",
    "Kafka",
    "KafkaCluster",
    "Lab",
    "LabError",
    "Mosquitto",
    "Network",
    "Proc",
    "Record",
    "Tls",
    "Worker",
    "die_with_parent",
    "find_program",
    "free_port",
    "is_listening",
    "request",
    "wait_until",
]
