# SPDX-License-Identifier: Apache-2.0
"""The second half of deploy/quickstart: starts the parts, bridges messages, explains."""

import argparse
import json
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

# pylint: disable=wrong-import-position
from lab import Lab, LabError, request, wait_until
from lab.kafka import fetched
from lab.proc import raise_on_signals, watch

GROUP = "quickstart"
CONNECTOR = "demo"
WAY_BACK = "back"
TOPIC = "mqtt"
ROOMS = ("kitchen", "cellar", "attic", "garden")
SHOWN = 5


def parse(argv):
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--started", type=float, required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dir")
    return parser.parse_args(argv)


class Demo:
    """The steps, in order."""

    def __init__(self, lab, options):
        self.lab = lab
        self.options = options
        self.kafka = self.mosquitto = None
        self.workers = []

    def say(self, text):
        print(f"[{time.time() - self.options.started:3.0f} s] {text}", flush=True)

    def start_brokers(self):
        self.say("fetching what is not in the cache yet: Kafka's jars, the MQTT broker")
        fetched("kafka")
        fetched("mosquitto")
        self.say("starting mosquitto")
        self.mosquitto = self.lab.mosquitto()
        self.say(f"mosquitto answers on {self.mosquitto.address}; starting Kafka")
        self.kafka = self.lab.kafka()
        self.kafka.create_topic(TOPIC, partitions=4)
        self.say(f"Kafka answers on {self.kafka.address}")

    def start_workers(self):
        count = self.options.workers
        self.say(f"starting {count} worker{'s' if count > 1 else ''} of group {GROUP}")
        for number in range(1, count + 1):
            worker = self.lab.new_worker(
                self.kafka, GROUP, name=f"worker{number}", program=self.options.program
            )
            self.workers.append(worker.launch())
        for worker in self.workers:
            worker.wait_serving()
        self.say("ready: " + ", ".join(worker.url for worker in self.workers))

    def create_connectors(self):
        """From MQTT to Kafka, and back to MQTT under other topics."""
        source = {
            "connector.class": "MqttSource",
            "tasks.max": str(max(2, self.options.workers)),
            "mqtt.server.uri": self.mosquitto.uri,
            "mqtt.topics": "sensors/#",
            "mqtt.qos": "1",
            "kafka.topic": TOPIC,
        }
        sink = {
            "connector.class": "MqttSink",
            "tasks.max": "2",
            "mqtt.server.uri": self.mosquitto.uri,
            "topics": TOPIC,
            "mqtt.topic": "mirror/{key}",
            "mqtt.retained.enabled": "false",
        }
        self._create(CONNECTOR, source)
        self._create(WAY_BACK, sink)

    def _create(self, name, config):
        url = f"{self.workers[0].url}/connectors"
        self.say(f"POST {url} {json.dumps({'name': name, 'config': config}, indent=2)}")
        answers = []

        def created():
            answers.append(request("POST", url, {"name": name, "config": config}))
            # As long as the workers agree on a leader, Connect clients are told to come back.
            return answers[-1].status not in (409, 503)

        wait_until(
            created,
            30,
            lambda: f"the cluster to take the connector, last answer {answers[-1]}",
            0.2,
        )
        if answers[-1].status != 201:
            raise LabError(f"POST {url} was answered {answers[-1].status}: {answers[-1].body}")
        tasks = wait_until(
            lambda: self._running_tasks(name),
            30,
            lambda: f"all tasks to run; last status {self._status(name)}\n{self.lab.tails()}",
        )
        for task in tasks:
            self.say(f"task {task['id']} of {name} is {task['state']} on {task['worker_id']}")

    def _status(self, name):
        return request("GET", f"{self.workers[0].url}/connectors/{name}/status").body

    def _running_tasks(self, name):
        status = self._status(name)
        tasks = status.get("tasks", []) if isinstance(status, dict) else []
        return tasks if tasks and all(task["state"] == "RUNNING" for task in tasks) else None

    def prove(self):
        readings = {
            room: [
                json.dumps({"room": room, "celsius": round(17 + number / 2 + len(room) / 10, 1)})
                for number in range(25)
            ]
            for room in ROOMS
        }
        total = sum(map(len, readings.values()))
        collect = self._collector()
        self.say(
            f"publishing {total} messages, QoS 1, to sensors/<room>/temperature with mosquitto_pub"
        )
        for room, texts in readings.items():
            self.mosquitto.publish(f"sensors/{room}/temperature", texts)
        self.kafka.wait_count(TOPIC, total, 30)
        records = self.kafka.read(TOPIC)
        wanted = {
            (f"sensors/{room}/temperature".encode(), text.encode())
            for room, texts in readings.items()
            for text in texts
        }
        lost = wanted - {(record.key, record.value) for record in records}
        if lost:
            raise LabError(
                f"{len(lost)} of {total} messages are not in Kafka, as {sorted(lost)[0]}"
            )
        self.say(f"all {total} messages are in Kafka's topic {TOPIC} ({len(records)} records), as:")
        for record in records[:: len(records) // SHOWN][:SHOWN]:
            print(
                f"          {TOPIC}-{record.partition}@{record.offset}  {record.key.decode()}  "
                f"{record.value.decode()}"
            )
        self._prove_way_back(readings, total, collect)

    def _collector(self):
        """The command line of a subscriber whose session collects messages from now on."""
        argv = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(self.mosquitto.port), "-q", "1"]
        argv += ["-i", "quickstart-collector", "-c", "-x", "3600", "-t", "mirror/#"]
        subprocess.run([*argv, "-E"], check=True, capture_output=True)
        return argv

    def _prove_way_back(self, readings, total, collect):
        """What went from MQTT to Kafka comes back to MQTT."""
        done = subprocess.run(
            [*collect, "-C", str(total), "-W", "30", "-F", "%t %p"],
            capture_output=True,
            text=True,
            check=False,
        )
        seen = set(done.stdout.splitlines())
        lost = {
            f"mirror/sensors/{room}/temperature {text}"
            for room, texts in readings.items()
            for text in texts
        } - seen
        if lost:
            raise LabError(f"{len(lost)} of {total} messages did not come back, as {sorted(lost)[0]}")
        self.say(f"all {total} messages came back from Kafka to MQTT, as:")
        print(f"          {sorted(seen)[0]}")

    def explain(self):
        url = self.workers[0].url
        another = self.lab.new_worker(
            self.kafka, GROUP, name="another", program=self.options.program
        )
        another.write_config()
        print(f"""
REST of each worker (any of them answers):  {"  ".join(worker.url for worker in self.workers)}
  curl -s '{url}/connectors?expand=status'
  curl -s {url}/connectors/{CONNECTOR}/status
  curl -s -X PUT {url}/connectors/{CONNECTOR}/pause
  curl -s -X PUT {url}/connectors/{CONNECTOR}/resume
  curl -s -X DELETE {url}/connectors/{CONNECTOR}
  curl -s {url}/metrics
Publish:
  mosquitto_pub -h 127.0.0.1 -p {self.mosquitto.port} -q 1 -t sensors/hall/temperature -m 21.5
See it arrive:
  kcat -C -b {self.kafka.address} -t {TOPIC} -o end -q -f '%k  %s\\n'
See it come back:
  mosquitto_sub -h 127.0.0.1 -p {self.mosquitto.port} -v -t 'mirror/#'
Start one more worker, in another terminal:
  {self.options.program} {another.config_file}
Kill one and watch its tasks move:
  kill -9 {self.workers[-1].pid}
Logs and data: {self.lab.folder}""")
        for part in (self.mosquitto, self.kafka, *self.workers):
            print(f"  {part.log}")
        print(flush=True)

    def stop_workers(self):
        self.say("stopping the workers")
        for worker in self.workers:
            code = worker.stop()
            if code != 0:
                raise LabError(f"{worker.name} ended with code {code}, not 0\n{worker.log_tail()}")


def run(lab, options):
    demo = Demo(lab, options)
    demo.start_brokers()
    demo.start_workers()
    demo.create_connectors()
    demo.prove()
    if not options.once:
        demo.explain()
        demo.say("up; Ctrl-C ends everything")
        # A worker may be killed by hand, as the text above proposes.
        watch([demo.kafka, demo.mosquitto])
    demo.stop_workers()
    demo.say("done")


def main(argv):
    options = parse(argv)
    raise_on_signals()
    lab = Lab(options.dir)
    code = 1
    try:
        run(lab, options)
        code = 0
    except KeyboardInterrupt:
        print("\nending everything", flush=True)
        code = 130 if options.once else 0
    except (LabError, OSError, subprocess.SubprocessError) as error:
        lab.keep = True
        sys.stdout.flush()
        elapsed = time.time() - options.started
        print(f"[{elapsed:3.0f} s] FAILED: {error}", file=sys.stderr)
        for part in lab.parts:
            if str(part.log) not in str(error):
                print(part.log_tail(15), file=sys.stderr)
        print(f"FAILED, see above; logs and data are kept in {lab.folder}", file=sys.stderr)
    finally:
        lab.close()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
