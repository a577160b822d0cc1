# SPDX-License-Identifier: Apache-2.0
"""Drives the Python package kafka-connect-api."""

import importlib.metadata
import sys

from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector
from line import serve

api = Api(url=sys.argv[1])
cluster = Cluster(api)


def connector(request):
    """The connector that a request is about."""
    return Connector(cluster, request["name"])


def status(request):
    """The states of a connector and its tasks."""
    found = connector(request)
    return {
        "connector": found.state,
        "tasks": [task["state"] for task in found.status["tasks"]],
    }


def create(request):
    """Its way to create: an assignment to the config."""
    connector(request).config = request["config"]
    return request["name"] if connector(request).exists() else None


def update(request):
    """Assigns a config and reads it back."""
    connector(request).config = request["config"]
    return connector(request).config


def set_logger(request):
    """The loggers that a new level reached."""
    return cluster.set_logger_log_level(request["logger"], request["level"])


OPERATIONS = {
    "version": lambda r: cluster.version,
    "list": lambda r: list(cluster.connectors),
    "create": create,
    "get": lambda r: connector(r).connector_class,
    "config": lambda r: connector(r).config,
    "update": update,
    "status": status,
    "tasks": lambda r: [task.id for task in connector(r).tasks],
    "task_status": lambda r: connector(r).tasks[r["task"]].state,
    "pause": lambda r: connector(r).pause(),
    "resume": lambda r: connector(r).resume(),
    "restart": lambda r: connector(r).restart(),
    "restart_task": lambda r: connector(r).tasks[r["task"]].restart(),
    "delete": lambda r: connector(r).delete(),
    "loggers": lambda r: {name: entry["level"] for name, entry in cluster.loggers.items()},
    "set_logger": set_logger,
}

serve(
    "kafka-connect-api",
    importlib.metadata.version("kafka-connect-api"),
    OPERATIONS,
    lambda error: getattr(error, "code", None),
)
