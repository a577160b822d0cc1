# SPDX-License-Identifier: Apache-2.0
"""The foreign clients: what each can do, how its driver is started, and the talk with it."""

import dataclasses
import json
import pathlib
import subprocess
from typing import Callable

HERE = pathlib.Path(__file__).resolve().parent

# What a client must be able to do to count as one.
LIFE = {"list", "create", "get", "config", "update", "status", "tasks"}
LIFE |= {"pause", "resume", "restart", "delete"}


@dataclasses.dataclass(frozen=True)
class Client:
    """A published client. command(folder, url) is its driver's command line, environment(folder)
    what that needs; folder is what tests/clients/fetch printed for `kind`. `refused` are calls that
    it sends in a way that Kafka Connect refuses with 415, and Sluice likewise."""

    kind: str
    version: str
    operations: frozenset
    command: Callable
    environment: Callable = lambda folder: {}
    refused: frozenset = frozenset()

    def can(self, *operations):
        """Whether it has such calls, and ones that Kafka Connect understands."""
        return self.operations - self.refused >= set(operations)


def _python(program):
    return {
        "kind": "python",
        "command": lambda folder, url: ["/usr/bin/python3", HERE / "python" / program, url],
        "environment": lambda folder: {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"},
    }


CLIENTS = {
    "java": Client(
        kind="java",
        version="4.0.3",
        operations=frozenset(
            LIFE
            | {"version", "expand", "task_status", "restart_failed", "restart_task", "plugins"}
            | {"validate", "topics", "reset_topics"}
        ),
        command=lambda folder, url: ["java", "-cp", f"{folder}:{folder}/*", "Driver", url, "4.0.3"],
    ),
    "go": Client(
        kind="go",
        version="0.9.0",
        operations=frozenset(LIFE),
        command=lambda folder, url: [folder / "driver", url],
    ),
    "node": Client(
        kind="node",
        version="2.3.0",
        operations=frozenset(
            LIFE
            | {"version", "expand", "task_status", "stop", "restart_task", "plugins", "validate"}
            | {"reset_topics", "offsets", "alter_offsets", "reset_offsets"}
        ),
        # It sends no body, but the type of an HTML form.
        refused=frozenset({"pause", "resume", "stop", "restart_task", "reset_topics"}),
        command=lambda folder, url: ["node", HERE / "node" / "driver.js", folder, url],
    ),
    "kafka-connect-py": Client(
        version="1.0.0",
        operations=frozenset(
            LIFE
            | {"version", "expand", "task_status", "stop", "restart_tasks", "restart_task"}
            | {"plugins", "validate", "topics", "reset_topics"}
        ),
        **_python("connect_py.py"),
    ),
    "kafka-connect-api": Client(
        version="0.5.10",
        operations=frozenset(
            LIFE | {"version", "task_status", "restart_task", "loggers", "set_logger"}
        ),
        **_python("connect_api.py"),
    ),
}


class ClientError(Exception):
    """The client raised an exception; status is the HTTP status that it told, None if none."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text}")
        self.status = status


class Driver:
    """A running driver: call() has its client do something. Use as a context manager."""

    def __init__(self, client, url):
        self.client = client
        fetched = subprocess.run(
            [HERE / "fetch", client.kind], check=True, stdout=subprocess.PIPE, text=True
        )
        folder = pathlib.Path(fetched.stdout.strip())
        environment = {key: str(value) for key, value in client.environment(folder).items()}
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["setpriv", "--pdeathsig", "KILL", "env"]
            + [f"{key}={value}" for key, value in environment.items()]
            + [str(part) for part in client.command(folder, url)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hello = self._read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the driver of {self.client.kind} ended: {self.process.wait()}")
        return json.loads(line)

    def call(self, operation, **arguments):
        """The result of a call of the client; ClientError if it raised an exception."""
        request = json.dumps({"op": operation, **arguments})
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self._read()
        if not answer["ok"]:
            raise ClientError(answer["status"], answer["error"])
        return answer.get("result")
