# SPDX-License-Identifier: Apache-2.0
"""A Helm release of the chart on the node: its pods, its REST interface, its connectors."""

import glob
import time
import uuid

from e2e.node import run
from lab import LabError, request, wait_until

NAME = "sluice"
# The connector that the load goes through.
FLOW = "flow"
SELECTOR = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=worker"
SESSIONS = 4
# Small, so that the bound on duplicates after a kill means something.
WINDOW = 100


def seconds_until(cond, timeout, what):
    """Waits for a condition; returns how long it took."""
    since = time.monotonic()
    wait_until(cond, timeout, what, 0.2)
    return time.monotonic() - since


class Release:
    """What the tests do with a release. Stands in for lab.Cluster where load is accounted for."""

    def __init__(self, node, kafka, mosquitto, broker_uri):
        self.node = node
        self.kafka = kafka
        self.mosquitto = mosquitto
        self.broker_uri = broker_uri
        self.ident = uuid.uuid4().hex[:8]
        self.group = NAME
        self.topic = f"out-{self.ident}"
        self.prefix = f"in/{self.ident}"

    # --- pods

    def pods(self):
        """The workers' pods, those that are about to end too."""
        return self.node.get("pods", "-l", SELECTOR)["items"]

    def ready(self):
        """Names of the pods that are ready and stay."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods()
            if is_ready(pod) and not pod["metadata"].get("deletionTimestamp")
        ]

    def wait_pods(self, count, timeout=90):
        """Waits until exactly so many pods are there and ready; returns the seconds it took."""

        def there():
            return len(self.pods()) == count == len(self.ready())

        return seconds_until(there, timeout, lambda: f"{count} ready pods\n{self.tails()}")

    def addresses(self):
        """{name of a ready pod: its IP}."""
        return {
            pod["metadata"]["name"]: pod["status"]["podIP"] for pod in self.pods() if is_ready(pod)
        }

    def logs(self, pod, *options):
        return self.node.kubectl("logs", pod, *options, check=False).stdout

    def tails(self, lines=20):
        """The pods, the latest events, and the end of each pod's log."""
        told = [
            self.node.kubectl("get", "pods", "-o", "wide", check=False).stdout,
            "\n".join(
                self.node.kubectl(
                    "get", "events", "--sort-by=.lastTimestamp", check=False
                ).stdout.splitlines()[-15:]
            ),
        ]
        for pod in self.pods():
            name = pod["metadata"]["name"]
            told.append(f"--- {name}\n{self.logs(name, f'--tail={lines}')}")
        return "\n".join(told)

    # --- REST

    @property
    def url(self):
        """REST through the Service."""
        spec = self.node.get("service", NAME)["spec"]
        return f"http://{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def ask(self, method, path, body=None, url=None):
        """One request, through the Service unless a pod's URL is given; None: no answer."""
        try:
            return request(method, (url or self.url) + path, body, timeout=100)
        except OSError:
            return None

    def settled(self, method, path, body=None, url=None, timeout=60, again=(409, 503)):
        """The same, again while there is no leader (`again`) or nobody answers."""
        last = [None]

        def done():
            last[0] = self.ask(method, path, body, url)
            return last[0] is not None and last[0].status not in again

        wait_until(done, timeout, lambda: f"{method} {path}, last answer {last[0]}", 0.2)
        return last[0]

    def source(self, **changes):
        """A source connector's config from `prefix`/# to `topic`; "_" in a name means "."."""
        config = {
            "connector.class": "MqttSource",
            "tasks.max": str(SESSIONS),
            "mqtt.server.uri": self.broker_uri,
            "mqtt.topics": f"{self.prefix}/#",
            "mqtt.receive.maximum": str(WINDOW),
            "kafka.topic": self.topic,
        }
        config.update({key.replace("_", "."): str(value) for key, value in changes.items()})
        return config

    def create(self, name, config):
        """Creates a connector through the Service and waits until it runs."""
        answer = self.settled("POST", "/connectors", {"name": name, "config": config})
        assert answer.status == 201, answer
        return self.wait_running(name)

    def status(self, name):
        answer = self.ask("GET", f"/connectors/{name}/status")
        return answer.body if answer and answer.status == 200 else None

    def spread(self, name):
        """{worker id: number of its running tasks} of a connector."""
        found = {}
        for task in (self.status(name) or {"tasks": []})["tasks"]:
            if task["state"] == "RUNNING":
                found[task["worker_id"]] = found.get(task["worker_id"], 0) + 1
        return found

    def wait_running(self, name, tasks=SESSIONS, timeout=60, workers=None):
        """Waits until so many tasks run, on that many workers if given; returns the seconds."""

        def running():
            found = self.spread(name)
            return sum(found.values()) == tasks and (workers is None or len(found) == workers)

        return seconds_until(
            running, timeout, lambda: f"{name} to run: {self.status(name)}\n{self.tails()}"
        )

    def wait_connected(self, sessions, timeout=60):
        """Waits until so many sessions are connected: before that the broker has nobody to queue for."""

        def connected():
            found = self.metric("sluice_mqtt_connected", f'connector="{FLOW}"')
            return sum(found.values()) == sessions

        wait_until(connected, timeout, lambda: f"{sessions} MQTT sessions\n{self.tails()}", 0.2)

    def metric(self, name, label=""):
        """{name of a ready pod: sum of one metric over its label sets, those with `label` if given}."""
        found = {}
        for pod, address in self.addresses().items():
            answer = self.ask("GET", "/metrics", url=f"http://{address}:8083")
            lines = str(answer.body).splitlines() if answer else []
            rows = [line.rpartition(" ") for line in lines if not line.startswith("#")]
            found[pod] = sum(
                float(value) for key, _, value in rows if key.split("{", 1)[0] == name and label in key
            )
        return found


def is_ready(pod):
    return any(
        entry["type"] == "Ready" and entry["status"] == "True"
        for entry in pod["status"].get("conditions", [])
    )


def kill_process(pod):
    """SIGKILLs the worker inside of a pod from outside; the pod's own container is started anew.

    No process but the one in a control group of this very pod is looked for.
    """
    uid = pod["metadata"]["uid"]
    found = run(
        ["grep", "-lsE", f"pod{uid}|pod{uid.replace('-', '_')}", *glob.glob("/proc/[0-9]*/cgroup")], check=False
    ).stdout.split()
    for path in found:
        number = path.split("/")[2]
        with open(f"/proc/{number}/cmdline", "rb") as file:
            if b"sluice-worker" in file.read():
                run(["kill", "-9", number])
                return
    raise LabError(f"no worker of pod {pod['metadata']['name']} runs on this machine")

