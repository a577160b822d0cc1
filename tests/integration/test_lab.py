# SPDX-License-Identifier: Apache-2.0
"""The lab: what it starts is real, survives what it says, and leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from lab import LabError, is_listening, wait_until

TESTS = pathlib.Path(__file__).resolve().parents[1]


def test_kafka_returns_keys_values_and_headers_as_written(kafka):
    kafka.create_topic("lab-plain", partitions=3)
    assert kafka.topics()["lab-plain"] == [0, 1, 2]
    kafka.produce("lab-plain", [("k1", "one"), (None, "two"), ("k3", None)], headers=["h=v"])
    assert kafka.count("lab-plain") == 3
    records = kafka.read("lab-plain")
    assert {(r.key, r.value) for r in records} == {(b"k1", b"one"), (None, b"two"), (b"k3", None)}
    assert all(r.headers == [("h", b"v")] for r in records)


def test_kafka_keeps_data_and_port_over_stop_kill_and_freeze(fresh_kafka):
    kafka = fresh_kafka()
    kafka.create_topic("kept")
    kafka.produce("kept", [("a", "1")])
    kafka.restart()
    kafka.produce("kept", [("b", "2")])
    kafka.restart(hard=True)
    kafka.freeze()
    assert not kafka.serves()
    kafka.thaw()
    kafka.wait_serving()
    # A node serves before it tells of all its topics.
    kafka.wait_count("kept", 2)
    assert sorted(kafka.latest("kept")) == [b"a", b"b"]


def subscribe_for_later(broker, client):
    """Makes a persistent session that outlives its connection."""
    subprocess.run(
        [
            "mosquitto_sub",
            "-V",
            "5",
            "-h",
            "127.0.0.1",
            "-p",
            str(broker.port),
            "-t",
            "queued/#",
            "-q",
            "1",
            "-i",
            client,
            "-c",
            "-x",
            "3600",
            "-E",
        ],
        check=True,
        timeout=30,
    )


def test_mosquitto_keeps_queued_messages_over_restart_and_saved_kill(fresh_mosquitto):
    broker = fresh_mosquitto()
    subscribe_for_later(broker, "late")
    sent = [f"m{number}" for number in range(2000)]
    broker.publish("queued/x", sent[:1500])
    broker.restart()
    broker.publish("queued/x", sent[1500:])
    broker.kill9(save=True)
    broker.start()
    got = broker.receive("queued/#", len(sent), options=["-i", "late", "-c", "-x", "3600"])
    assert [payload for _, payload in got] == sent


def test_mosquitto_asks_for_passwords_and_speaks_tls(fresh_mosquitto):
    broker = fresh_mosquitto(users={"eve": "secret"}, tls=True)
    broker.publish("t", ["1"], options=["-u", "eve", "-P", "secret", "-r"])
    with pytest.raises(LabError, match="(?i)not authori[sz]ed"):
        broker.publish("t", ["1"], options=["-u", "eve", "-P", "wrong"])
    argv = [
        "mosquitto_sub",
        "-h",
        "localhost",
        "-p",
        str(broker.tls_port),
        "--cafile",
        broker.tls.ca,
        "-u",
        "eve",
        "-P",
        "secret",
        "-t",
        "t",
        "-C",
        "1",
        "-W",
        "10",
    ]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "1\n"


def test_nothing_is_left_when_the_owner_is_killed(tmp_path):
    script = (
        "import sys, threading\n"
        f"sys.path.insert(0, {str(TESTS)!r})\n"
        "from lab import Lab\n"
        f"lab = Lab({str(tmp_path)!r})\n"
        "broker = []\n"
        # Started by a thread that ends at once: the child must not end with it.
        "starter = threading.Thread(target=lambda: broker.append(lab.mosquitto()))\n"
        "starter.start(); starter.join()\n"
        "print(broker[0].pid, broker[0].port, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        pid, port = map(int, owner.stdout.readline().split())
        assert is_listening(port)
        owner.kill()
        owner.wait()
    wait_until(
        lambda: not os.path.exists(f"/proc/{pid}") or not is_listening(port), 10, "the broker's end"
    )
    assert not is_listening(port)


def test_command_line_serves_until_it_is_interrupted(tmp_path):
    with subprocess.Popen(
        [TESTS / "lab" / "lab", "up", "--mosquitto", "--dir", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        lines = dict(command.stdout.readline().strip().split("=", 1) for _ in range(2))
        port = int(lines["MQTT"].rsplit(":", 1)[1])
        assert is_listening(port)
        command.send_signal(signal.SIGINT)
        assert command.wait(20) == 0
    assert not is_listening(port)
