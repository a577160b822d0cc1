# SPDX-License-Identifier: Apache-2.0
"""The worker's command line, what it says about bad starts, how it ends, and what it logs."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

# pylint: disable=import-error
from integration.mqtt_probe import Flapping, wait_connected
from lab import find_program, free_port, request, wait_until

SECRET = "s3cr3t-Zq9vX"


@pytest.fixture
def run(tmp_path_factory):
    """run(properties, *options, env=None) runs the worker to its end with these properties."""

    def go(properties, *options, env=None, timeout=60):
        argv = [find_program(), *options]
        if properties is not None:
            path = tmp_path_factory.mktemp("run") / "worker.properties"
            path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
            argv.append(str(path))
        clean = {key: text for key, text in os.environ.items() if not key.startswith("CONNECT_")}
        return subprocess.run(
            argv,
            env={**clean, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return go


MINIMAL = {"bootstrap.servers": "127.0.0.1:9", "group.id": "g"}


def lines_of(text, level):
    return [line for line in text.splitlines() if re.match(rf"\S+ {level}\b", line)]


def the_error(text):
    """The one ERROR line of a log."""
    found = lines_of(text, "ERROR")
    assert len(found) == 1, text
    return found[0]


def ended(worker, timeout=30):
    """Waits for a worker's end by itself; returns (exit code, log)."""
    wait_until(lambda: not worker.alive(), timeout, lambda: f"its end\n{worker.log_tail()}")
    return worker.exit_code, worker.log_text()


# --- the command line


def test_help_names_every_option(run):
    done = run(None, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for word in ("Usage:", "--check", "--help", "--version", "--config-reference", "SIGTERM"):
        assert word in done.stdout


def test_version_is_one_line(run):
    done = run(None, "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"sluice-worker \d+\.\d+\.\d+ \(.*librdkafka.*libmosquitto.*\)\n", done.stdout)


def test_config_reference_has_worker_and_connector_keys(run):
    done = run(None, "--config-reference")
    assert done.returncode == 0
    for key in ("bootstrap.servers", "claims.storage.topic", "mqtt.server.uri", "tasks.max"):
        assert f"`{key}`" in done.stdout, key


def test_metrics_reference_has_the_metrics(run):
    done = run(None, "--metrics-reference")
    assert done.returncode == 0
    assert "sluice_mqtt_parked" in done.stdout


@pytest.mark.parametrize("options", [["--nonsense"], ["a.properties", "b.properties"], []])
def test_wrong_command_line_is_refused_with_advice(run, options):
    done = run(None, *options)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "--help" in done.stderr or "option" in done.stderr


def test_unreadable_file_is_named(run):
    done = run(None, "/nowhere/worker.properties")
    assert done.returncode == 1
    assert "/nowhere/worker.properties" in the_error(done.stderr)


def test_check_accepts_a_minimal_configuration_without_kafka(run):
    done = run(MINIMAL, "--check")
    assert done.returncode == 0, done.stderr
    assert "valid" in done.stdout
    assert lines_of(done.stderr, "WARN") == []


def test_a_probe_says_whether_a_worker_is_well(run, cluster):
    worker = cluster(1).workers[0].wait_slots()
    mine = {"listeners": worker.url}
    done = run(mine, "--probe")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run(None, "--probe", env={"CONNECT_LISTENERS": worker.url}).returncode == 0
    assert run(None, "--probe", f"{worker.url}/health", f"{worker.url}/metrics").returncode == 0
    done = run(None, "--probe", f"{worker.url}/health", f"{worker.url}/connectors/none")
    assert done.returncode == 1
    assert "/connectors/none answers 404" in done.stderr
    worker.kill9()
    done = run(mine, "--probe")
    assert done.returncode == 1
    assert f"{worker.url}/health/ready does not answer" in done.stderr


def test_a_probe_needs_an_address(run):
    done = run({"listeners": "http://127.0.0.1:0"}, "--probe")
    assert done.returncode == 1
    assert "give the URL to ask" in done.stderr
    assert run(None, "--probe", "a.properties", "b.properties").returncode == 1


# --- bad configuration


@pytest.mark.parametrize(
    "key, value",
    [
        ("session.timeout.ms", "soon"),
        ("session.timeout.ms", "1"),
        ("heartbeat.interval.ms", "5000"),
        ("rebalance.settle.ms", "-1"),
        ("task.shutdown.graceful.timeout.ms", "99999999999"),
        ("config.storage.replication.factor", "0"),
        ("claims.storage.partitions", "0"),
        ("claims.storage.partitions", "1000000000"),
        ("status.storage.topic", "no spaces"),
        ("offset.storage.topic", "g-configs"),
        ("listeners", "ftp://127.0.0.1:8083"),
        ("listeners", "http://127.0.0.1:99999"),
        ("rest.advertised.port", "0"),
        ("rest.max.connections", "1"),
        ("log.level", "LOUD"),
        ("log.format", "xml"),
        ("security.protocol", "TLS"),
        ("ssl.truststore.type", "JKS"),
        ("key.converter", "com.example.NoSuchConverter"),
        ("producer.linger.ms", "fast"),
        ("producer.compression.type", "rar"),
        ("exactly.once.source.support", "enabled"),
    ],
)
def test_wrong_value_is_refused_in_one_line(run, key, value):
    done = run({**MINIMAL, key: value}, "--check")
    assert done.returncode == 1, f"{key}={value} was taken\n{done.stdout}{done.stderr}"
    line = the_error(done.stderr)
    # Overrides may be named by the client's own word for it.
    assert key.removeprefix("producer.") in line
    assert value in line


@pytest.mark.parametrize("key", ["bootstrap.servers", "group.id"])
def test_missing_required_key_is_named(run, key):
    for properties in ({k: v for k, v in MINIMAL.items() if k != key}, {**MINIMAL, key: ""}):
        done = run(properties, "--check")
        assert done.returncode == 1
        assert key in the_error(done.stderr)


@pytest.mark.parametrize("value", ["localhost:99999", "localhost:", ":9092", "a b:9092"])
def test_wrong_bootstrap_server_is_named(run, value):
    done = run({**MINIMAL, "bootstrap.servers": f"127.0.0.1:9,{value}"}, "--check")
    assert done.returncode == 1, done.stderr
    line = the_error(done.stderr)
    assert "bootstrap.servers" in line
    assert value in line


def test_unknown_keys_are_warned_about_once_each(run):
    done = run({**MINIMAL, "group.idd": "x", "no.such.key": "y", "producer.linger.ms": "5"}, "--check")
    assert done.returncode == 0
    warnings = lines_of(done.stderr, "WARN")
    assert len(warnings) == 2, done.stderr
    near = [line for line in warnings if "group.idd" in line]
    assert len(near) == 1 and "group.id?" in near[0]
    assert sum("no.such.key" in line for line in warnings) == 1


def test_environment_sets_keys_and_wins_over_the_file(run):
    env = {"CONNECT_BOOTSTRAP_SERVERS": "127.0.0.1:9", "CONNECT_GROUP_ID": "g"}
    assert run(None, "--check", env=env).returncode == 0
    done = run(MINIMAL, "--check", env={"CONNECT_SESSION_TIMEOUT_MS": "soon"})
    assert done.returncode == 1
    assert "session.timeout.ms" in the_error(done.stderr)
    done = run({**MINIMAL, "log.format": "xml"}, "--check", env={"CONNECT_LOG_FORMAT": "json"})
    assert done.returncode == 0, done.stderr
    # Two underscores are one, three are a dash.
    done = run(MINIMAL, "--check", env={"CONNECT_A__B_C___D": "x"})
    assert "a_b.c-d" in "".join(lines_of(done.stderr, "WARN"))


@pytest.mark.parametrize("form", ["text", "json"])
def test_malformed_secret_is_not_quoted(run, form):
    broken = f'org.apache.kafka.common.security.plain.PlainLoginModule required password="{SECRET}'
    done = run(
        {
            **MINIMAL,
            "log.format": form,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": broken,
        },
        "--check",
    )
    assert done.returncode == 1
    assert "sasl.jaas.config" in done.stderr
    assert SECRET not in done.stdout + done.stderr


# --- starts that cannot work


def test_port_in_use_ends_the_worker(cluster):
    group = cluster(workers=0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        worker = group.lab.new_worker(group.kafka, group.group, {"listeners": url})
        group.workers.append(worker.launch())
        code, log = ended(worker)
    assert code == 1
    line = the_error(log)
    assert "listeners" in line and url in line and "in use" in line


@pytest.mark.parametrize("kind", ["config", "status", "offset"])
def test_topic_that_is_not_compacted_ends_the_worker(cluster, kafka, kind):
    group = cluster(workers=0)
    topic = f"{group.group}-wrong"
    kafka.create_topic(topic, 1, {"cleanup.policy": "delete"})
    worker = group.lab.new_worker(kafka, group.group, {f"{kind}.storage.topic": topic})
    group.workers.append(worker.launch())
    code, log = ended(worker)
    assert code == 1
    line = the_error(log)
    assert f"{kind}.storage.topic" in line and topic in line and "compact" in line


def test_config_topic_with_two_partitions_ends_the_worker(cluster, kafka):
    group = cluster(workers=0)
    kafka.create_topic(f"{group.group}-configs", 2, {"cleanup.policy": "compact"})
    worker = group.lab.new_worker(kafka, group.group)
    group.workers.append(worker.launch())
    code, log = ended(worker)
    assert code == 1
    assert "config.storage.topic" in the_error(log)


def test_replication_beyond_the_cluster_ends_the_worker(cluster, kafka):
    group = cluster(workers=0)
    worker = group.lab.new_worker(
        kafka, group.group, {"status.storage.replication.factor": "3"}
    )
    group.workers.append(worker.launch())
    code, log = ended(worker)
    assert code == 1
    line = the_error(log)
    assert "status.storage.replication.factor" in line and "3" in line


def test_second_worker_with_the_same_url_gives_up_and_the_first_stays(cluster):
    group = cluster(1, properties={"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"})
    first = group.workers[0]
    second = group.lab.new_worker(group.kafka, group.group, {**group.properties})
    second.properties["rest.advertised.port"] = str(first.port)
    group.workers.append(second.launch())
    code, log = ended(second)
    assert code == 1
    line = the_error(log)
    assert "rest.advertised.port" in line and f"127.0.0.1:{first.port}" in line
    assert first.healthy()


def test_killed_worker_may_start_again_with_its_url(cluster):
    group = cluster(1, properties={"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"})
    worker = group.workers[0]
    group.create("c")
    wait_connected(group, 2)
    worker.kill9()
    worker.start()
    group.wait_running("c")
    assert worker.alive() and lines_of(worker.log_text(), "ERROR") == []


def health(worker):
    try:
        return request("GET", worker.url + "/health", timeout=5)
    except OSError:
        return None


def probes(worker):
    return {
        name: worker.get(f"/health/{name}", timeout=5).status for name in ("startup", "live", "ready")
    }


def test_worker_waits_for_kafka_and_says_so(cluster, fresh_kafka):
    kafka = fresh_kafka()
    kafka.stop()
    group = cluster(workers=0, kafka=kafka)
    worker = group.lab.new_worker(kafka, group.group)
    group.workers.append(worker.launch())
    answer = wait_until(lambda: health(worker), 10, "an answer from REST")
    assert answer.status == 503
    assert answer.body["status"] == "starting"
    # To kill it would not bring Kafka back.
    wait_until(lambda: probes(worker)["startup"] == 200, 10, "the worker's threads to run")
    assert probes(worker) == {"startup": 200, "live": 200, "ready": 503}
    wait_until(
        lambda: any(kafka.address in line for line in lines_of(worker.log_text(), "WARN")),
        20,
        lambda: f"a warning that names the broker\n{worker.log_tail()}",
    )
    assert worker.alive() and health(worker).status == 503
    kafka.start()
    worker.wait_serving(30).wait_slots()
    assert probes(worker) == {"startup": 200, "live": 200, "ready": 200}


def test_sigterm_ends_a_worker_that_waits_for_kafka(cluster):
    group = cluster(workers=0)
    worker = group.lab.new_worker(f"127.0.0.1:{free_port()}", group.group)
    group.workers.append(worker.launch())
    wait_until(lambda: health(worker), 10, "an answer from REST")
    assert worker.stop(timeout=10) == 0


# --- how it ends


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_ends_with_0(cluster, signum):
    # More time than is waited here: it is not the end of it that ends the worker.
    group = cluster(1, properties={"task.shutdown.graceful.timeout.ms": "60000"})
    group.create("c")
    wait_connected(group, 2)
    group.publish(["1", "2"])
    worker = group.workers[0]
    worker.popen.send_signal(signum)
    assert worker.wait_exit(30) == 0
    log = worker.log_text()
    assert lines_of(log, "ERROR") == []
    assert "WORKER-DRAIN-LATE" not in log and "WORKER-STOP-LATE" not in log, log
    group.wait_payloads(["1", "2"])


def stuck_worker(cluster, kafka, graceful_ms):
    """A worker whose task holds messages that a frozen Kafka does not take."""
    group = cluster(
        1,
        kafka=kafka,
        properties={
            "task.shutdown.graceful.timeout.ms": str(graceful_ms),
            # The claims are not to be lost meanwhile.
            "session.timeout.ms": "60000",
        },
    )
    group.create("c", tasks_max=1)
    wait_connected(group, 1)
    group.publish(["before"])
    group.wait_payloads(["before"])
    kafka.freeze()
    group.publish(["after"])
    worker = group.workers[0]
    wait_until(
        lambda: worker.metric_sum("sluice_records_in_total") >= 2, 10, "the message to be read"
    )
    return group, worker


def test_drain_ends_in_time_although_kafka_is_away(cluster, fresh_kafka):
    kafka = fresh_kafka()
    group, worker = stuck_worker(cluster, kafka, 2000)
    # What an autoscaler goes by: the message waits, and its age grows though nothing happens.
    wait_until(
        lambda: worker.metrics()["sluice_worker_oldest_unacked_seconds"] > 1, 10, "its age to grow"
    )
    seen = worker.metrics()
    assert worker.metric_sum("sluice_oldest_unacked_seconds") > 1
    assert 0 < seen["sluice_worker_window_use_ratio"] <= 1
    assert 0 < seen["sluice_worker_cpu_ratio"] < 1.1
    worker.popen.send_signal(signal.SIGTERM)
    # At once: it is seen before the worker ends.
    wait_until(lambda: probes(worker)["ready"] == 503, 20, "readiness to go off")
    # Who was sent here a moment ago is still answered.
    assert probes(worker) == {"startup": 200, "live": 200, "ready": 503}
    assert worker.get("/connectors/c/status").status == 200
    assert worker.wait_exit(20) == 0
    # It was the end of its time that ended it.
    log = worker.log_text()
    assert "WORKER-DRAIN-LATE" in log or "WORKER-STOP-LATE" in log, log
    # What could not be delivered was not acknowledged either.
    kafka.thaw()
    kafka.wait_serving()
    worker.start()
    group.wait_payloads(["before", "after"])


def test_second_sigterm_ends_at_once(cluster, fresh_kafka):
    kafka = fresh_kafka()
    _, worker = stuck_worker(cluster, kafka, 60000)
    worker.popen.send_signal(signal.SIGTERM)
    wait_until(lambda: "WORKER-STOPPING" in worker.log_text(), 10, "the drain to start")
    wait_until(
        lambda: health(worker) is None or health(worker).status == 503, 10, "readiness to go off"
    )
    worker.popen.send_signal(signal.SIGTERM)
    # A minute is what the drain would take, with another code.
    assert worker.popen.wait(30) == 128 + signal.SIGTERM


def test_process_1_of_a_container_hears_a_signal_from_its_first_moment(tmp_path):
    """The kernel hands process 1 no signal that it neither blocks nor handles: one that comes before
    the configuration is read must not be lost."""
    fifo = tmp_path / "worker.properties"
    os.mkfifo(fifo)
    argv = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
    process = subprocess.Popen([*argv, find_program(), str(fifo)], stderr=subprocess.PIPE, text=True)
    try:
        children = f"/proc/{process.pid}/task/{process.pid}/children"

        def worker():
            with open(children, encoding="ascii") as file:
                found = file.read().split()
            return found and blocks_sigterm(found[0]) and found[0]

        os.kill(int(wait_until(worker, 20, "the worker to wait for its properties")), signal.SIGTERM)
        # No Kafka is there: without the signal it would try for ever.
        fifo.write_text("".join(f"{key}={value}\n" for key, value in MINIMAL.items()))
        _, told = process.communicate(timeout=20)
        assert process.returncode == 0, told
        assert "WORKER-STOPPING signal=15" in told
    finally:
        process.kill()
        process.wait()


def blocks_sigterm(pid):
    """True when a process is the worker by now and holds SIGTERM back."""
    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
        if not file.read().startswith("sluice-worker"):
            return False
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        mask = next(line for line in file if line.startswith("SigBlk:")).split()[1]
    return bool(int(mask, 16) & 1 << (signal.SIGTERM - 1))


# --- what it logs


@pytest.fixture
def flapping():
    server = Flapping()
    yield server
    server.close()


def test_flapping_broker_gives_few_lines_and_few_connects(cluster, flapping):
    group = cluster(1)
    config = group.source_config(mqtt_server_uri=flapping.uri, tasks_max=1)
    worker = group.workers[0]
    since = time.monotonic()
    assert group.post_until_settled("/connectors", {"name": "c", "config": config}).status == 201

    def seven():
        assert worker.healthy()
        return flapping.connects >= 7

    wait_until(seven, 60, lambda: f"seven connects, not {flapping.connects}\n{worker.log_tail()}")
    # Waits double from 50 ms, less a quarter; a busy machine makes them longer and never shorter.
    took = [at - since for at in flapping.times[:7]]
    earliest = [0.05 * 0.75 * (2**number - 1) for number in range(7)]
    assert all(at >= least for at, least in zip(took, earliest)), (took, earliest)
    about = [line for line in worker.log_text().splitlines() if " WARN " in line or " ERROR " in line]
    assert 1 <= len(about) <= 6, "\n".join(about)
    assert worker.healthy()


def test_json_log_lines_all_parse(cluster, flapping):
    group = cluster(1, properties={"log.format": "json", "log.level": "DEBUG"})
    worker = group.workers[0]
    group.create("c")
    wait_connected(group, 2)
    group.publish(["1"])
    group.wait_payloads(["1"])
    config = group.source_config(mqtt_server_uri=flapping.uri)
    assert group.rest.put("/connectors/flapping/config", config).status == 201
    wait_until(lambda: flapping.connects >= 1, 20, "a connect")
    assert worker.stop() == 0
    lines = worker.log_text().splitlines()
    assert len(lines) > 5
    for line in lines:
        entry = json.loads(line)
        assert {"time", "level", "event"} <= set(entry), line


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_logged(cluster, fresh_mosquitto, form):
    broker = fresh_mosquitto(users={"eve": SECRET})
    jaas = (
        "org.apache.kafka.common.security.plain.PlainLoginModule required "
        f'username="u" password="{SECRET}-kafka";'
    )
    properties = {
        "log.format": form,
        "log.level": "TRACE",
        # Kafka speaks plain text here: the password is known to the clients and not used.
        **{f"{role}sasl.jaas.config": jaas for role in ("", "producer.", "consumer.", "admin.")},
        **{f"{role}sasl.mechanism": "PLAIN" for role in ("", "producer.", "consumer.", "admin.")},
    }
    group = cluster(1, mosquitto=broker, properties=properties)
    group.create("c", mqtt_username="eve", mqtt_password=SECRET)
    wait_connected(group, 2)
    wait_connected(group, 2)
    group.publish(["1"], options=["-u", "eve", "-P", SECRET])
    group.wait_payloads(["1"])
    wrong = group.source_config(mqtt_username="eve", mqtt_password=SECRET + "-wrong")
    assert group.rest.put("/connectors/wrong/config", wrong).status == 201
    wait_until(
        lambda: {state for state, _ in group.states("wrong").values()} == {"FAILED"},
        30,
        lambda: f"the broker to refuse it: {group.status('wrong')}\n{group.tails()}",
    )
    refused = {**wrong, "mqtt.password": SECRET, "tasks.max": "none"}
    assert group.rest.put("/connectors/wrong/config", refused).status == 400
    worker = group.workers[0]
    assert SECRET not in json.dumps(group.status("wrong"))
    assert worker.stop() == 0
    assert SECRET not in worker.log_text()
