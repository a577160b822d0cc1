# SPDX-License-Identifier: Apache-2.0
"""Config providers on real workers: placeholders work everywhere, what they stand for is nowhere."""

import os
import pathlib
import signal
import subprocess

import pytest

from lab import Cluster, find_program, wait_until
from lab.mosquitto import password_line

# Each is looked for in everything that the workers show, write or store.
OLD, NEW, NAME = "canary-old-4711", "canary-new-0815", "canary-name-1234"
LITERAL, TOKEN = "canary-literal-99", "canary-token-98"
# What a test writes into a config itself is stored as it is.
PLAIN = ("plain-user", "plain-password")
CANARIES = (OLD, NEW, NAME, LITERAL, TOKEN)


class Secrets:
    """A folder of secrets as Kubernetes mounts them: links that turn all at once."""

    def __init__(self, folder):
        self.folder = folder
        self.turns = 0
        folder.mkdir()

    def write(self, **files):
        """Replaces all files; NAME.properties for name_properties=text."""
        self.turns += 1
        version = self.folder / f"..{self.turns}"
        version.mkdir()
        for name, text in files.items():
            name = name.replace("_", ".")
            (version / name).write_text(text)
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        fresh = self.folder / "..new"
        fresh.symlink_to(version.name)
        fresh.rename(self.folder / "..data")

    def path(self, name):
        return self.folder / name


@pytest.fixture(scope="module")
def place(lab, kafka, tmp_path_factory):
    """Two workers with all providers, and a broker that knows NAME by its old password."""
    secrets = Secrets(tmp_path_factory.mktemp("providers") / "secrets")
    secrets.write(mqtt_properties=f"user={NAME}\npassword={OLD}\nsessions=2\n", ca="unused")
    mosquitto = lab.mosquitto(users=dict([(NAME, OLD), PLAIN]))
    made = Cluster(
        lab,
        kafka,
        mosquitto,
        program=find_program(),
        name="providers",
        properties={
            "config.providers": "file,dir,env",
            "config.providers.file.class":
                "org.apache.kafka.common.config.provider.FileConfigProvider",
            "config.providers.file.param.allowed.paths": secrets.folder,
            "config.providers.dir.class": "DirectoryConfigProvider",
            "config.providers.dir.param.allowed.paths": secrets.folder,
            "config.providers.env.class": "EnvVarConfigProvider",
            "config.providers.env.param.allowlist.pattern": "PROVIDED_.*",
            "log.level": "${env:PROVIDED_LEVEL}",
        },
        env={"PROVIDED_LEVEL": "DEBUG", "PROVIDED_TOKEN": TOKEN},
    )
    made.secrets = secrets
    made.add(2)
    yield made
    made.close()


@pytest.fixture
def name(request):
    return request.node.name


def config_of(place, **changes):
    file = place.secrets.path("mqtt.properties")
    return place.source_config(
        mqtt_username=f"${{file:{file}:user}}",
        mqtt_password=f"${{file:{file}:password}}",
        mqtt_sessions=f"${{file:{file}:sessions}}",
        **changes,
    )


def rotate(place, password):
    """The broker takes the new password only; then the secret turns."""
    (place.mosquitto.folder / "passwords").write_text(
        password_line(NAME, password) + password_line(*PLAIN)
    )
    place.mosquitto.signal(signal.SIGHUP)
    place.secrets.write(
        mqtt_properties=f"user={NAME}\npassword={password}\nsessions=2\n", ca="unused"
    )


def publish(place, payloads, password):
    place.publish(payloads, options=("-u", NAME, "-P", password))


def traces(status):
    return [status["connector"].get("trace")] + [task.get("trace") for task in status["tasks"]]


def wait_states(place, name, connector, *tasks):
    def reached():
        status = place.status(name)
        states = [task["state"] for task in status["tasks"]] if status else None
        return status if status and (status["connector"]["state"], *states) == wanted else None

    wanted = (connector, *tasks)
    return wait_until(reached, 30, lambda: f"{wanted}, last {place.status(name)}\n{place.tails()}")


def assert_nowhere(place, seen):
    """No canary in what was answered, in any log, in any internal topic, or in a process list."""
    texts = dict(seen)
    for worker in place.workers:
        texts[f"log of {worker.name}"] = worker.log_text()
        texts[f"arguments of {worker.name}"] = pathlib.Path(
            f"/proc/{worker.pid}/cmdline"
        ).read_text(encoding="utf-8")
        texts[f"metrics of {worker.name}"] = worker.get("/metrics").body
    for topic in place.kafka.topics():
        if topic.startswith(place.group):
            records = place.kafka.read(topic, committed_only=False)
            texts[f"topic {topic}"] = "\n".join(f"{r.key} {r.value}" for r in records)
    assert any("topic" in where and text for where, text in texts.items())
    found = [
        (where, canary) for where, text in texts.items() for canary in CANARIES if canary in text
    ]
    assert not found


def everything_about(place, name):
    """The text of every answer that shows something of a connector, from each worker."""
    paths = ("", "/config", "/status", "/tasks", "/tasks/0/status")
    seen = {}
    for worker in place.workers:
        for path in paths:
            answer = worker.get(f"/connectors/{name}{path}")
            seen[f"{worker.name} {path}"] = f"{answer.body}"
        seen[f"{worker.name} list"] = f"{worker.get('/connectors?expand=info&expand=status').body}"
    return seen


def test_a_rotated_secret_reaches_the_tasks_and_is_shown_nowhere(place, name):
    config = config_of(place)
    config["transforms"] = "t"
    config["transforms.t.type"] = "InsertHeader"
    config["transforms.t.header"] = "Authorization"
    config["transforms.t.value.literal"] = "${env:PROVIDED_TOKEN}"
    for key in [key for key in config if key.startswith("transforms")]:
        if place.rest.put(
            "/connector-plugins/MqttSource/config/validate", {**config, "name": name}
        ).body["error_count"]:
            config.pop(key)
    created = place.rest.post("/connectors", {"name": name, "config": config})
    assert created.status == 201, created
    assert created.body["config"] == {**config, "name": name}
    status = place.wait_running(name, tasks=2)
    assert len(status["tasks"]) == 2
    publish(place, ["one"], OLD)
    place.wait_payloads(["one"])
    seen = everything_about(place, name)
    rotate(place, NEW)
    wait_until(
        lambda: sum("PROVIDER-CHANGED" in worker.log_text() for worker in place.workers),
        20,
        "the change to be noticed",
    )
    place.wait_running(name, tasks=2)
    publish(place, ["two"], NEW)
    place.wait_payloads(["two"])
    seen.update({f"later {key}": value for key, value in everything_about(place, name).items()})
    assert_nowhere(place, seen)
    assert place.rest.delete(f"/connectors/{name}").status == 204
    wait_until(
        lambda: not any(name in key for key in sessions(place)), 30, "its sessions to be ended"
    )
    rotate(place, OLD)


def sessions(place):
    """Retirements that are still to be done, by key."""
    latest = {}
    for record in place.kafka.read(f"{place.group}-configs"):
        key = (record.key or b"").decode()
        if key.startswith("retire-"):
            latest[key] = record.value
    return [key for key, value in latest.items() if value]


def test_a_provider_that_cannot_read_fails_what_is_restarted_and_heals(place, name):
    place.rest.post("/connectors", {"name": name, "config": config_of(place)})
    place.wait_running(name, tasks=2)
    file = place.secrets.path("mqtt.properties")
    text = f"Could not read properties from file {file}"
    place.secrets.write(ca="unused")  # the link leads nowhere now
    for worker in place.workers:
        answer = worker.post(f"/connectors/{name}/restart")
        assert (answer.status, answer.body["message"]) == (500, text)
    status = wait_states(place, name, "FAILED", "RUNNING", "RUNNING")
    assert traces(status) == [text, None, None]
    answer = place.rest.post(f"/connectors/{name}/restart?includeTasks=true")
    assert answer.status == 202
    assert {part["state"] for part in answer.body["tasks"]} == {"RESTARTING"}
    status = wait_states(place, name, "FAILED", "FAILED", "FAILED")
    assert traces(status) == [text] * 3
    # A create and a validation say it, too.
    body = {"name": f"{name}-2", "config": config_of(place)}
    answer = place.rest.post("/connectors", body)
    assert (answer.status, answer.body["message"]) == (500, text)
    answer = place.rest.put(
        "/connector-plugins/MqttSource/config/validate", {"name": name, **config_of(place)}
    )
    assert (answer.status, answer.body["message"]) == (500, text)
    # Healed by a new config that does not need it ...
    plain = place.source_config(mqtt_username=PLAIN[0], mqtt_password=PLAIN[1])
    assert place.rest.put(f"/connectors/{name}/config", plain).status == 200
    place.wait_running(name)
    assert place.rest.put(f"/connectors/{name}/config", plain).status == 200
    # ... or by the file coming back and a restart.
    place.secrets.write(
        mqtt_properties=f"user={NAME}\npassword={OLD}\nsessions=2\n", ca="unused"
    )
    assert place.rest.put(f"/connectors/{name}/config", config_of(place)).status == 200
    place.wait_running(name)
    place.secrets.write(ca="unused")
    place.rest.post(f"/connectors/{name}/restart?includeTasks=true")
    tasks = ["FAILED"] * len(place.status(name)["tasks"])
    wait_states(place, name, "FAILED", *tasks)
    place.secrets.write(
        mqtt_properties=f"user={NAME}\npassword={OLD}\nsessions=2\n", ca="unused"
    )
    # The tasks do not wait for that: they start again as soon as the file can be read.
    wait_states(place, name, "FAILED", *["RUNNING" for _ in tasks])
    answer = place.rest.post(f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")
    assert answer.status == 202
    place.wait_running(name)
    assert place.rest.delete(f"/connectors/{name}").status == 204


def test_errors_about_looked_up_values_show_the_placeholder(place, name):
    file = place.secrets.path("mqtt.properties")
    changes = {
        "tasks.max": f"${{file:{file}:password}}",
        "kafka.topic": f"${{file:{file}:password}} x",
        "mqtt.server.uri": f"wrong://u:{LITERAL}@${{env:PROVIDED_TOKEN}}",
        "value.converter": "${env:PROVIDED_TOKEN}",
        "producer.override.acks": "${env:PROVIDED_TOKEN}",
        "producer.override.sasl.jaas.config": f'x required password="{LITERAL}"',
        "mqtt.qos": "${env:PROVIDED_TOKEN}",
        "topic.creation.default.partitions": "${env:PROVIDED_TOKEN}",
    }
    config = {**config_of(place), "name": name, **changes}
    checked = place.rest.put("/connector-plugins/MqttSource/config/validate", config)
    assert checked.status == 200
    shown = {entry["value"]["name"]: entry["value"] for entry in checked.body["configs"]}
    for key in ("tasks.max", "mqtt.qos", "producer.override.acks"):
        assert shown[key]["value"] == changes[key]
        assert shown[key]["errors"] and changes[key] in shown[key]["errors"][0]
    refused = place.rest.post("/connectors", {"name": name, "config": config})
    assert refused.status == 400
    no_class = {key: value for key, value in config.items() if key != "connector.class"}
    nothing = place.rest.post("/connectors", {"name": name, "config": no_class})
    assert nothing.status == 400
    texts = (checked, refused, nothing)
    assert_nowhere(place, {str(number): f"{answer.body}" for number, answer in enumerate(texts)})
    aliases = place.rest.put(
        "/connector-plugins/MqttSource/config/validate",
        {**config_of(place), "name": name, "transforms": "${env:PROVIDED_TOKEN}"},
    )
    assert TOKEN not in f"{aliases.body}"
    assert "not resolved here" in f"{aliases.body}"


def test_masking_can_be_switched_off_for_what_is_stored(lab, kafka, mosquitto, name):
    cluster = Cluster(
        lab,
        kafka,
        mosquitto,
        program=find_program(),
        name=name[:20],
        properties={"rest.config.masking": "false"},
    )
    try:
        cluster.add(1)
        config = cluster.source_config(mqtt_username="me", mqtt_password=LITERAL)
        answer = cluster.rest.post("/connectors", {"name": "c", "config": config})
        assert answer.body["config"] == {**config, "name": "c"}
        assert cluster.rest.get("/connectors/c/config").body == {**config, "name": "c"}
        masked = {**config, "mqtt.password": "[hidden]"}
        assert cluster.rest.put("/connectors/c/config", masked).status == 200
        assert cluster.rest.get("/connectors/c/config").body == {**config, "name": "c"}
        assert LITERAL not in cluster.workers[0].log_text()
    finally:
        cluster.close()


def test_the_kernel_gives_no_memory_of_a_worker_away(place):
    """No core file by limit; not dumpable: its /proc files are root's, also where cores are piped
    to a program, and a debugger of its user is refused."""
    worker = place.workers[0]
    limits = pathlib.Path(f"/proc/{worker.pid}/limits").read_text(encoding="utf-8")
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    argv = [worker.program, "--check", "/proc/self/fd/0"]
    me = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **me
    ) as started:
        # It waits for its configuration.
        environ = pathlib.Path(f"/proc/{started.pid}/environ")
        wait_until(lambda: environ.stat().st_uid == 0, 10, "the process to be nobody's but root's")
        started.stdin.close()
        started.wait(10)
