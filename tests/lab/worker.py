# SPDX-License-Identifier: Apache-2.0
"""One sluice-worker process, and a small client of its REST interface."""

import collections
import json
import os
import pathlib
import urllib.error
import urllib.request

from .proc import LabError, Proc, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]

Answer = collections.namedtuple("Answer", "status body headers")
Answer.__doc__ = (
    "An HTTP answer: body is the parsed JSON, or the text if it is none, None if empty."
)

QUICK = {
    "session.timeout.ms": "6000",
    "heartbeat.interval.ms": "500",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "status.storage.replication.factor": "1",
    "claims.storage.replication.factor": "1",
}


def find_program():
    """The sluice-worker to test: $SLUICE_WORKER, else the newest of the build folders' programs."""
    named = os.environ.get("SLUICE_WORKER")
    if named:
        return named
    built = sorted(ROOT.glob("build/*/worker/sluice-worker"), key=lambda path: path.stat().st_mtime)
    if not built:
        raise LabError(
            "no sluice-worker: build it (tests/run does) or set SLUICE_WORKER to its path"
        )
    return str(built[-1])


def request(method, url, body=None, timeout=30, headers=None):
    """Sends one request, `body` as JSON unless it is bytes already. HTTP errors are answers too."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if data is not None else {}
    made = urllib.request.Request(
        url, data=data, method=method, headers={**sent, **(headers or {})}
    )
    try:
        with urllib.request.urlopen(made, timeout=timeout) as answer:
            return _answer(answer.status, answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error.code, error.read(), error.headers)


def _answer(status, raw, headers):
    if not raw:
        return Answer(status, None, headers)
    try:
        return Answer(status, json.loads(raw), headers)
    except ValueError:
        return Answer(status, raw.decode(errors="replace"), headers)


class RestPart(Proc):
    """A process with properties in a file and a REST interface on a loopback port."""

    def __init__(self, folder, name, port, host="127.0.0.1"):
        self.folder = pathlib.Path(folder) / name
        self.folder.mkdir(parents=True)
        super().__init__(name, self.folder / f"{name}.log")
        self.host = host
        self.port = port
        self.ident = f"{host}:{port}"
        self.url = f"http://{self.ident}"
        self.properties = {}

    @property
    def config_file(self):
        return self.folder / "worker.properties"

    def write_config(self):
        """Writes worker.properties; a property that is None is left out."""
        lines = [f"{key}={value}\n" for key, value in self.properties.items() if value is not None]
        self.config_file.write_text("".join(lines))

    def launch(self):
        """Starts the process without waiting for it to be ready; returns self."""
        raise NotImplementedError

    def start(self, timeout=30):
        """Starts the process, also again after its end, and waits until /health answers 200."""
        return self.launch().wait_serving(timeout)

    def wait_serving(self, timeout=30):
        """Waits until /health answers 200."""
        self.wait_ready(self.healthy, timeout, f"GET {self.url}/health answers 200")
        return self

    def healthy(self):
        """True when /health answers 200."""
        try:
            return self.get("/health", timeout=2).status == 200
        except OSError:
            return False

    def wait_slots(self, timeout=30):
        """Waits until /health/ready answers 200: a worker serves before the group gives it slots."""
        self.wait_ready(
            lambda: self.get("/health/ready", timeout=timeout).status == 200,
            timeout,
            f"GET {self.url}/health/ready answers 200",
        )
        return self

    def get(self, path, **options):
        return request("GET", self.url + path, **options)

    def post(self, path, body=None, **options):
        return request("POST", self.url + path, b"" if body is None else body, **options)

    def put(self, path, body=None, **options):
        return request("PUT", self.url + path, b"" if body is None else body, **options)

    def patch(self, path, body, **options):
        return request("PATCH", self.url + path, body, **options)

    def delete(self, path, **options):
        return request("DELETE", self.url + path, **options)


class Worker(RestPart):
    """A worker of cluster `group`; stop, kill9, freeze keep the port and properties for start().

    `home` is a network.Home to run in; by default it shares this process's network.
    """

    def __init__(self, folder, name, kafka, group, properties=None, program=None, env=None, home=None):
        super().__init__(folder, name, free_port(), *([home.host] if home else []))
        self.home = home
        self.program = program or find_program()
        self.env = {**os.environ, **(env or {})}
        self.properties = {
            "bootstrap.servers": kafka,
            "group.id": group,
            "listeners": self.url,
            "rest.advertised.host.name": self.host,
            "rest.advertised.port": str(self.port),
            **QUICK,
            **(properties or {}),
        }

    def launch(self):
        """Starts the process without waiting for it to be ready."""
        self.write_config()
        enter = self.home.enter if self.home else []
        self.start_process([*enter, self.program, self.config_file], self.folder, self.env)
        return self

    def metrics(self):
        """{"name{labels}": value} of GET /metrics."""
        found = {}
        for line in str(self.get("/metrics").body).splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def metric_sum(self, name):
        """The sum over all label sets of one metric; 0 when there is none."""
        return sum(value for key, value in self.metrics().items() if key.split("{", 1)[0] == name)
