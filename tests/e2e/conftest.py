# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the e2e tier: the node, the image in two versions, Kafka and mosquitto that pods reach."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from e2e.chapter import Chapter
from e2e.load import Load
from e2e.node import Node
from e2e.release import Release
from integration.conftest import lab, load  # noqa: F401
from integration.conftest import pytest_configure as configure_integration
from lab import Kafka, LabError, free_port

NAMESPACE = "sluice-e2e"
IMAGE = "sluice-e2e"
# The rolling upgrade goes from the first to the second, which differ in their labels only.
TAGS = ("first", "second")
TITLES = ("scenario", "sent", "received", "missing", "duplicates", "allowed", "seconds", "times")

_rows = []


def pytest_configure(config):
    configure_integration(config)


@pytest.fixture(scope="session")
def node(lab):
    """The Kubernetes node; the namespace of the tests goes with them unless SLUICE_E2E_KEEP is set."""
    try:
        made = Node(lab.folder, NAMESPACE)
    except LabError as error:
        pytest.exit(f"e2e: {error}", returncode=1)
    yield made
    if not os.environ.get("SLUICE_E2E_KEEP"):
        made.drop_namespace()


class NodeKafka(Kafka):
    """A Kafka node that pods and this host reach under one address."""

    def __init__(self, folder, host, name="kafka"):
        port, controller = free_port(), free_port()
        where = f"{host}:{port}"
        settings = {
            "listeners": f"PLAINTEXT://{where},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{where}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        }
        self.where = where
        super().__init__(folder, settings=settings, name=name)

    @property
    def address(self):
        return self.where


@pytest.fixture(scope="session")
def kafka(lab, node):
    made = NodeKafka(lab.folder, node.host, name=lab.unique("kafka"))
    lab.parts.append(made)
    return made.start()


@pytest.fixture(scope="session")
def broker(lab, node):
    """A mosquitto on loopback, for the load, and on the host's address: (mosquitto, URI for pods)."""
    address = f"{node.host}:{free_port()}"
    made = lab.mosquitto(settings={"listener": " ".join(reversed(address.split(":")))})
    return made, f"tcp://{address}"


@pytest.fixture(scope="session")
def image(node):
    """Builds the image as README.md says, in both versions; returns its name."""
    words = Chapter(node).command("build").split()
    assert words == "docker build -f deploy/Dockerfile -t registry.example.org/sluice:0.1.0 .".split()
    for tag in TAGS:
        node.build_image(f"{IMAGE}:{tag}", "--build-arg", f"REVISION={tag}")
    return IMAGE


@pytest.fixture(scope="session")
def release(node, kafka, broker, image):
    mosquitto, uri = broker
    return Release(node, kafka, mosquitto, uri)


@pytest.fixture(scope="session")
def chapter(node, kafka, broker, image):
    made = Chapter(node)
    made.swaps = {
        "image.repository=registry.example.org/sluice": f"image.repository={image}",
        "image.tag=0.1.0": f"image.tag={TAGS[0]}",
        "image.tag=0.1.1": f"image.tag={TAGS[1]}",
        "kafka.example.org:9092": f"{kafka.address} --set internalTopics.replicationFactor=1",
        "tcp://mqtt.example.org:1883": broker[1],
        "node-1": node.get("nodes")["items"][0]["metadata"]["name"],
    }
    return made


@pytest.fixture
def publishing(load, release):
    """publishing(rate, sessions) is load for a with block."""

    def make(rate=500, sessions=4):
        return Load(load, release, rate, sessions)

    return make


@pytest.fixture
def note(request):
    """note(load, verdict, allowed, text) prints what became of the messages, and keeps it."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    name = request.node.name.removeprefix("test_")

    def add(load=None, verdict=None, allowed="", text=""):
        found = verdict or {}
        counts = [str(found.get(key, "")) for key in ("sent", "received", "missing", "duplicates")]
        seconds = f"{load.seconds:.0f}" if load else ""
        _rows.append((name, *counts, str(allowed), seconds, text))
        with capture.global_and_fixture_disabled():
            print("\n" + "\n".join(table(_rows[-1:])), flush=True)

    return add


def table(rows):
    """Rows as text in aligned columns, with the titles on top."""
    rows = [TITLES, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(TITLES))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, len(TITLES) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def pytest_terminal_summary(terminalreporter):
    if _rows:
        terminalreporter.section("what became of every message, and what took how long")
        for line in table(_rows):
            terminalreporter.write_line(line)
