# SPDX-License-Identifier: Apache-2.0
"""Drives the Python package kafka-connect-py."""

import importlib.metadata
import sys

from kafka_connect.kafka_connect import KafkaConnect
from line import serve

client = KafkaConnect(url=sys.argv[1])


def short(status):
    """The states in a status."""
    return {
        "connector": status["connector"]["state"],
        "tasks": [task["state"] for task in status["tasks"]],
    }


def restart_tasks(request):
    """The plan of a restart with all tasks, as states."""
    return short(client.restart_connector(request["name"], include_tasks=True))


def expand(_):
    """State of every connector."""
    found = client.list_connectors(expand="status")
    return {name: entry["status"]["connector"]["state"] for name, entry in found.items()}


OPERATIONS = {
    "version": lambda r: client.get_cluster_info()["version"],
    "list": lambda r: client.list_connectors(),
    "expand": expand,
    "create": lambda r: client.create_connector({"name": r["name"], "config": r["config"]})["name"],
    "get": lambda r: client.get_connector(r["name"])["type"],
    "config": lambda r: client.get_connector_config(r["name"]),
    "update": lambda r: client.update_connector(r["name"], r["config"])["config"],
    "status": lambda r: short(client.get_connector_status(r["name"])),
    "tasks": lambda r: [t["id"]["task"] for t in client.list_connector_tasks(r["name"])],
    "task_status": lambda r: client.get_connector_task_status(r["name"], r["task"])["state"],
    "pause": lambda r: client.pause_connector(r["name"]),
    "resume": lambda r: client.resume_connector(r["name"]),
    "stop": lambda r: client.stop_connector(r["name"]),
    "restart": lambda r: client.restart_connector(r["name"]),
    "restart_tasks": restart_tasks,
    "restart_task": lambda r: client.restart_connector_task(r["name"], r["task"]),
    "delete": lambda r: client.delete_connector(r["name"]),
    "plugins": lambda r: [plugin["class"] for plugin in client.list_connector_plugins()],
    "validate": lambda r: client.validate_connector_config(r["plugin"], r["config"])["error_count"],
    "topics": lambda r: client.list_connector_topics(r["name"])[r["name"]]["topics"],
    "reset_topics": lambda r: client.reset_connector_topics(r["name"]),
}

serve(
    "kafka-connect-py",
    importlib.metadata.version("kafka-connect-py"),
    OPERATIONS,
    lambda error: getattr(getattr(error, "response", None), "status_code", None),
)
