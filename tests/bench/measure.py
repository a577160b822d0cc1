# SPDX-License-Identifier: Apache-2.0
"""The measurements of the bench: each takes the running parts and returns a dict of figures."""

import json
import os
import subprocess
import time

import report
from lab import Cluster, LabError, wait_until

PUBLISHERS = 20
IDLE_CONNECTOR = "idle"
REST_CONNECTORS = 100
REST_CONNECTIONS = 64
REST_REQUESTS = 10000


class Bench:
    """The parts of one bench run: Kafka, mosquitto, the load tool, and one worker once it is started."""

    def __init__(self, lab, options):
        self.options = options
        self.lab = lab
        self.mosquitto = lab.mosquitto()
        self.kafka = lab.kafka()
        self.cluster = Cluster(lab, self.kafka, self.mosquitto, program=options.worker, name="bench")
        self.prefix = f"{self.cluster.prefix}/"
        self.worker = None
        self.tools = []

    def close(self):
        """Ends what the load tool still does, after a failure or an interrupt."""
        for process in self.tools:
            if process.poll() is None:
                process.kill()
                process.wait()

    def warm_up(self):
        """Lets Kafka's compiler see the work before anything is measured."""
        for number in range(2):
            self.floor_produce(f"warm-{number}", messages=200000)

    # --- the load tool

    def _argv(self, command, named):
        argv = [self.options.load, command]
        for name, value in named.items():
            argv += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        return argv

    def tool(self, command, **named):
        """Runs the load tool to its end; returns its JSON. An exit code other than 0 is an error."""
        return self.finish(self.start_tool(command, **named))

    def start_tool(self, command, **named):
        process = subprocess.Popen(self._argv(command, named), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.tools.append(process)
        return process

    def finish(self, process):
        out, errors = process.communicate()
        self.tools.remove(process)
        if process.returncode != 0:
            raise LabError(f"{' '.join(process.args)} ended with {process.returncode}:\n{out}{errors}")
        return json.loads(out)

    def plan(self, run_id, messages=None):
        return {"run_id": run_id, "publishers": PUBLISHERS, "messages": messages or self.options.messages,
                "size": self.options.size, "prefix": self.prefix}

    def publish(self, run_id, **named):
        return self.tool("publish", mqtt=self.mosquitto.address, **{**self.plan(run_id), **named})

    # --- floors

    def floor_drain(self, run_id, sessions):
        """Takes queued messages out of the broker with stock libmosquitto, acknowledging at once."""
        named = {"mqtt": self.mosquitto.address, "client_id": f"floor-{run_id}", "sessions": sessions}
        share = f"$share/{run_id}/" if sessions > 1 else ""
        self.tool("prepare", filter=f"{share}{self.prefix}#", **named)
        self.publish(run_id)
        found = self.tool("drain", messages=self.options.messages, receive_maximum=1000, **named)
        self.tool("prepare", end=True, **named)
        return {"rate": found["rate"], "cpu_us": found["cpu_us_per_message"]}

    def floor_produce(self, run_id, **named):
        """Writes the same messages straight to Kafka with the bridge's producer settings."""
        self.tool("topic", kafka=self.kafka.address, topic=run_id, partitions=4)
        found = self.tool("produce", kafka=self.kafka.address, topic=run_id, **{**self.plan(run_id), **named})
        self.kafka.delete_topic(run_id)
        return {"rate": found["rate"], "cpu_us": found["cpu_us_per_message"]}

    def records(self, run_id):
        """Writes a run's messages to a Kafka topic of the same name; returns the topic."""
        self.tool("topic", kafka=self.kafka.address, topic=run_id, partitions=2 * self.options.tasks)
        self.tool("produce", kafka=self.kafka.address, topic=run_id, **self.plan(run_id))
        return run_id

    def floor_consume(self, run_id):
        """Reads records with librdkafka, looking at each as the account does."""
        topic = self.records(run_id)
        found = self.tool("verify", kafka=self.kafka.address, topic=topic, settle_ms=0, **self.plan(run_id))
        self.kafka.delete_topic(topic)
        return {"rate": self.options.messages / max(1e-6, found["read_seconds"])}

    def floor_publish(self, run_id):
        """Publishes with as many connections as the connector has tasks, to nobody."""
        found = self.publish(run_id, publishers=self.options.tasks, prefix=f"nobody/{run_id}/")
        return {"rate": found["rate"], "cpu_us": found["cpu_us_per_message"]}

    # --- the worker by itself

    def start_worker(self):
        """Starts the worker, or the stopped one again; returns the seconds until /health answers 200."""
        first = self.worker is None
        if first:
            self.worker = self.lab.new_worker(self.kafka, self.cluster.group, program=self.options.worker)
            self.cluster.workers.append(self.worker)
        began = time.monotonic()
        self.worker.launch()
        self.worker.wait_ready(self.worker.healthy, 60, "GET /health answers 200")
        return time.monotonic() - began

    def status_mb(self, name):
        """A size of /proc/PID/status in MB, such as VmRSS or VmHWM."""
        with open(f"/proc/{self.worker.pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) / 1024
        return 0.0

    def idle(self, seconds):
        """RSS and CPU share of the worker while nothing happens for that long."""
        cpu, began = self.worker.cpu_seconds(), time.monotonic()
        wait_until(lambda: time.monotonic() - began >= seconds, seconds + 5, "the idle time", 0.25)
        share = (self.worker.cpu_seconds() - cpu) / (time.monotonic() - began) * 100
        return {"rss_mb": self.status_mb("VmRSS"), "cpu_percent": share}

    def idle_connector(self):
        """Creates a connector that gets no messages, for idle() with running tasks."""
        self.create(IDLE_CONNECTOR, "idle-topic", filters=f"{self.cluster.prefix}-idle/#")

    def delete(self, name):
        """Deletes a connector; its sessions end with it."""
        answer = self.worker.delete(f"/connectors/{name}")
        if answer.status != 204:
            raise LabError(f"DELETE {name}: {answer.status} {answer.body}")

    # --- the bridge

    def create(self, name, topic, filters=None):
        """Creates topic and connector, waits until all tasks run."""
        self.tool("topic", kafka=self.kafka.address, topic=topic, partitions=4)
        config = self.cluster.source_config(tasks_max=self.options.tasks, kafka_topic=topic,
                                            mqtt_topics=filters or f"{self.prefix}#")
        self.cluster.create(name, config={**config, **dict(self.options.config)})
        self.cluster.wait_running(name, tasks=self.options.tasks)
        self.wait_subscribed()

    def wait_subscribed(self):
        """Waits until the broker counts a shared subscription of every session: RUNNING may come before."""
        sessions = int(dict(self.options.config).get("mqtt.sessions", self.options.tasks))
        seen = [0]

        def subscribed():
            seen[0] = int(self.mosquitto.receive("$SYS/broker/shared_subscriptions/count", 1)[0][1])
            return seen[0] == sessions

        wait_until(subscribed, 20, lambda: f"{sessions} shared subscriptions, there are {seen[0]}\n"
                                           + self.worker.log_tail(), 0.2)

    def set_state(self, name, verb, state):
        answer = self.worker.put(f"/connectors/{name}/{verb}")
        if answer.status not in (202, 204):
            raise LabError(f"PUT {name}/{verb}: {answer.status} {answer.body}")

        def reached():
            return {found for found, _ in self.cluster.states(name).values()} == {state}

        if state:
            wait_until(reached, 30, lambda: f"{name} to be {state}\n{self.worker.log_tail()}", 0.02)

    def cpu(self):
        """CPU seconds so far of worker, mosquitto and Kafka."""
        return {part.name.split("-")[0]: part.cpu_seconds()
                for part in (self.worker, self.mosquitto, self.kafka)}

    def cpu_us(self, before, messages):
        """CPU microseconds per message of each part since `before`."""
        return {name: (now - before[name]) * 1e6 / messages for name, now in self.cpu().items()}

    def verified(self, topic, run_id, messages=None, **named):
        """Accounts for every message; one that is missing ends the bench with an error."""
        return self.tool("verify", kafka=self.kafka.address, topic=topic, sessions=self.options.tasks,
                         settle_ms=200, **{**self.plan(run_id, messages), **named})

    def sluice_drain(self, name):
        """Lets messages queue while the connector is paused, then times it from resume to the last record."""
        messages = self.options.messages
        self.create(name, name)
        self.set_state(name, "pause", "PAUSED")
        published = self.publish(name)
        if published["no_subscribers"]:
            raise LabError(f"{published['no_subscribers']} messages had no session to queue in")
        watch = self.start_tool("watch", kafka=self.kafka.address, topic=name, records=messages, timeout=30)
        before, began = self.cpu(), time.time()
        self.set_state(name, "resume", None)
        seen = self.finish(watch)
        cpu_us = self.cpu_us(before, messages)
        checked = self.verified(name, name)
        self.delete(name)
        flow = (messages - seen["first_records"]) / max(1e-6, (seen["reached_us"] - seen["first_us"]) / 1e6)
        return {"rate": messages / (seen["reached_us"] / 1e6 - began), "flow_rate": flow, "cpu_us": cpu_us,
                "first_record_s": seen["first_us"] / 1e6 - began, "duplicates": checked["duplicates"],
                "order": checked["order"]}

    def sluice_live(self, name):
        """Publishes at full speed while the connector runs; times it to the last record."""
        messages = self.options.messages
        self.create(name, name)
        watch = self.start_tool("watch", kafka=self.kafka.address, topic=name, records=messages, timeout=30)
        before, began = self.cpu(), time.time()
        published = self.publish(name)
        seen = self.finish(watch)
        cpu_us = self.cpu_us(before, messages)
        checked = self.verified(name, name)
        self.delete(name)
        return {"rate": messages / (seen["reached_us"] / 1e6 - began), "publish_rate": published["rate"],
                "cpu_us": cpu_us, "duplicates": checked["duplicates"]}

    def of_tasks(self, name, metric):
        """A metric of each task of a connector."""
        label = f'connector="{name}"'
        return [value for key, value in self.worker.metrics().items()
                if key.startswith(f"{metric}{{") and label in key]

    def wait_shared_out(self, name, partitions):
        """Waits until the group has given every task as many partitions as the next: joining takes a
        second or two, which would be most of what is timed."""
        counts = [[]]

        def shared_out():
            counts[0] = self.of_tasks(name, "kafka_connect_sink_task_partition_count")
            even = sum(counts[0]) == partitions and max(counts[0]) - min(counts[0]) <= 1
            return even and self.kafka.group(f"connect-{name}")["state"] == "Stable"

        wait_until(shared_out, 30, lambda: f"{partitions} partitions to be shared out, they are "
                                           f"{counts[0]}\n{self.worker.log_tail()}", 0.05)

    def sluice_sink(self, name):
        """Lets records wait while the sink is paused, then times it from resume to the last PUBACK."""
        messages, topic = self.options.messages, self.records(name)
        config = {"connector.class": "MqttSink", "tasks.max": str(self.options.tasks), "topics": topic,
                  "mqtt.server.uri": self.mosquitto.uri, "mqtt.retained.enabled": "false",
                  "mqtt.topic": f"nobody/{name}/" + "{key}"}
        self.cluster.create(name, config=config)
        self.set_state(name, "pause", "PAUSED")
        self.wait_shared_out(name, 2 * self.options.tasks)

        def acknowledged():
            return sum(self.of_tasks(name, "sluice_records_out_total"))

        already = acknowledged()
        before, began = self.cpu(), time.monotonic()
        self.set_state(name, "resume", None)
        first = [0.0]

        def complete():
            seen = acknowledged()
            if seen > already and not first[0]:
                first[0] = time.monotonic() - began
            return seen >= messages

        wait_until(complete, 120,
                   lambda: f"{messages} PUBACKs, there are {acknowledged()}\n{self.worker.log_tail()}", 0.02)
        seconds = time.monotonic() - began
        cpu_us = self.cpu_us(before, messages - already)
        wait_until(lambda: sum(self.kafka.committed(f"connect-{name}", topic).values()) == messages, 30,
                   lambda: f"{messages} records to be committed\n{self.worker.log_tail()}", 0.1)
        self.delete(name)
        self.kafka.delete_topic(topic)
        return {"rate": (messages - already) / seconds, "first_ack_s": first[0], "cpu_us": cpu_us}

    def sluice_latency(self, name, rate, seconds):
        """Publishes at a steady rate with a reader at the other end: latency from publish to consume."""
        messages = rate * seconds
        self.create(name, name)
        reader = self.start_tool("verify", kafka=self.kafka.address, topic=name, settle_ms=200,
                                 **self.plan(name, messages))
        before = self.cpu()
        self.publish(name, rate=rate, messages=messages)
        found = self.finish(reader)
        cpu_us = self.cpu_us(before, messages)
        self.delete(name)
        return {"rate": rate, "p50_ms": found["latency_ms"]["consume_p50"],
                "p99_ms": found["latency_ms"]["consume_p99"], "cpu_us": cpu_us}

    def rest(self, rounds):
        """Lists a hundred connectors over and over on many connections: latency, and what it leaves in
        memory from the first round to the last."""
        names = [f"listed-{number}" for number in range(REST_CONNECTORS)]
        for name in names:
            made = {"name": name, "config": self.cluster.source_config(), "initial_state": "STOPPED"}
            answer = self.worker.post("/connectors", made)
            if answer.status != 201:
                raise LabError(f"POST {name}: {answer.status} {answer.body}")
        found, sizes, cpu = [], [], []
        files = self.worker.open_files()
        for _ in range(rounds + 1):
            before = self.worker.cpu_seconds()
            found.append(self.tool("http", http=f"127.0.0.1:{self.worker.port}", path="/connectors",
                                   connections=REST_CONNECTIONS, requests=REST_REQUESTS))
            wait_until(lambda: self.worker.open_files() <= files, 30, "the connections to be closed")
            sizes.append(self.status_mb("VmRSS"))
            cpu.append((self.worker.cpu_seconds() - before) * 1e6 / REST_REQUESTS)
        for name in names:
            self.delete(name)
        # The first round is the warm-up.
        middle = {key: report.median([one[key] for one in found[1:]])
                  for key in ("per_second", "p50_ms", "p99_ms", "max_ms")}
        return {**middle, "cpu_us": report.median(cpu[1:]), "rss_mb": sizes[-1],
                "growth_mb": sizes[-1] - sizes[0]}

    def metrics(self):
        """The worker's own counters that are not 0, buckets left out."""
        try:
            found = self.worker.metrics()
        except (OSError, ValueError):
            return {}
        return {name: value for name, value in found.items() if value and "_bucket{" not in name}


def machine():
    """What the figures were measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"cpu": models[0] if models else "unknown", "cores": os.cpu_count()}
