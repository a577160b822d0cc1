# SPDX-License-Identifier: Apache-2.0
"""Several workers of one group, and what tests do with them: create, wait, look, count."""

import uuid
from urllib.parse import quote

from .proc import LabError, wait_until


class Cluster:
    """Workers that share a group of their own, so clusters on one Kafka do not see each other.

    `topic` is a Kafka topic name and `prefix` an MQTT topic prefix that only this cluster uses.
    `homes` is a network.Network in which each worker gets a home; without it they share this process's.
    """

    def __init__(
        self,
        lab,
        kafka,
        mosquitto,
        properties=None,
        program=None,
        name="sluice",
        env=None,
        group=None,
        homes=None,
    ):
        self.lab = lab
        self.kafka = kafka
        self.mosquitto = mosquitto
        self.properties = dict(properties or {})
        self.program = program
        self.env = env
        self.homes = homes
        ident = uuid.uuid4().hex[:8]
        self.group = group or f"{name}-{ident}"
        self.topic = f"out-{ident}"
        self.prefix = f"in/{ident}"
        self.workers = []

    def add(self, count=1, properties=None, timeout=30):
        """Starts more workers at the same time and waits until all are ready; returns the last."""
        added = []
        for _ in range(count):
            worker = self.lab.new_worker(
                self.kafka,
                self.group,
                {**self.properties, **(properties or {})},
                name="worker",
                program=self.program,
                env=self.env,
                home=self.homes.next() if self.homes else None,
            )
            self.workers.append(worker)
            added.append(worker.launch())
        for worker in added:
            worker.wait_serving(timeout)
        return added[-1]

    @property
    def alive(self):
        """The workers that run and are not frozen."""
        return [worker for worker in self.workers if worker.alive() and not worker.frozen]

    @property
    def rest(self):
        """A worker to ask: the first that is alive."""
        if not self.alive:
            raise LabError("no worker of the cluster is alive")
        return self.alive[0]

    def source_config(self, **changes):
        """A source connector's config from `prefix`/# to `topic`; "_" in a name means "."."""
        config = {
            "connector.class": "MqttSource",
            "tasks.max": "2",
            "mqtt.server.uri": self.mosquitto.uri,
            "mqtt.topics": f"{self.prefix}/#",
            "mqtt.qos": "1",
            "kafka.topic": self.topic,
        }
        config.update({key.replace("_", "."): str(value) for key, value in changes.items()})
        return {key: value for key, value in config.items() if value != "None"}

    def create(self, name="c", config=None, **changes):
        """Creates a source connector and waits until it runs; returns its status."""
        config = config or self.source_config(**changes)
        answer = self.post_until_settled("/connectors", {"name": name, "config": config})
        if answer.status != 201:
            raise LabError(f"POST /connectors: {answer.status} {answer.body}\n{self.tails()}")
        return self.wait_running(name)

    def post_until_settled(self, path, body, timeout=30):
        """POSTs again while there is no leader yet (409 or 503), as a Connect client does."""
        last = [None]

        def settled():
            last[0] = self.rest.post(path, body)
            retry = last[0].status in (409, 503) and "already exists" not in str(last[0].body)
            return not retry

        wait_until(settled, timeout, lambda: f"POST {path} to settle, last answer {last[0]}", 0.1)
        return last[0]

    def status(self, name="c"):
        """GET /connectors/name/status as a dict; None when there is none yet."""
        answer = self.rest.get(f"/connectors/{quote(name, safe='')}/status")
        return answer.body if answer.status == 200 else None

    def states(self, name="c"):
        """{task: (state, worker id)} of a connector."""
        status = self.status(name) or {"tasks": []}
        return {task["id"]: (task["state"], task["worker_id"]) for task in status["tasks"]}

    def wait_running(self, name="c", tasks=None, timeout=30, workers=None):
        """Waits until connector and tasks run (on these worker ids); returns the status."""
        seen = [None]

        def running():
            seen[0] = status = self.status(name)
            if not status or status["connector"]["state"] != "RUNNING" or not status["tasks"]:
                return None
            if tasks is not None and len(status["tasks"]) != tasks:
                return None
            if workers and not {task["worker_id"] for task in status["tasks"]} <= set(workers):
                return None
            return status if all(task["state"] == "RUNNING" for task in status["tasks"]) else None

        return wait_until(
            running, timeout, lambda: f"{name} to run, last status {seen[0]}\n{self.tails()}", 0.05
        )

    def worker_ids(self):
        """What status reports as worker_id for each living worker."""
        return [worker.ident for worker in self.alive]

    def publish(self, payloads, sub="a", **options):
        """Publishes texts to `prefix`/sub."""
        self.mosquitto.publish(f"{self.prefix}/{sub}", payloads, **options)

    def wait_payloads(self, payloads, timeout=60):
        """Waits until every text is in the Kafka topic at least once; returns all records."""
        wanted = {text.encode() for text in payloads}
        self.kafka.wait_count(self.topic, len(wanted), timeout)
        records = [None]

        def complete():
            records[0] = self.kafka.read(self.topic)
            return wanted <= {record.value for record in records[0]}

        def missing():
            lost = wanted - {record.value for record in records[0]}
            return (
                f"all payloads in Kafka; missing {len(lost)}, as {sorted(lost)[:3]}\n{self.tails()}"
            )

        wait_until(complete, timeout, missing, 0.2)
        return records[0]

    def tails(self, lines=40):
        """The end of every worker's log."""
        return "\n".join(worker.log_tail(lines) for worker in self.workers)

    def close(self):
        """Kills all workers."""
        for worker in self.workers:
            worker.kill9()
