# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the integration tier: real Kafka, real mosquitto, clusters of real workers.

kafka, mosquitto              one of each for the whole run: use topics and groups of your own
fresh_kafka, fresh_mosquitto  factories of more, for tests that stop, kill or reconfigure them
cluster                       factory of clusters; see lab.Cluster
machine                       what a test has to itself: machine.alone()
load                          path of the load tool, $SLUICE_LOAD or the build's own
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name
from lab import Cluster, Lab, find_program

TAIL_LINES = 60


def pytest_configure(config):
    """Being told to end, as by a time limit, is no reason to skip the teardown.

    A process that runs a share of the tests runs them in a thread, which can't take signals: there
    the runner's end ends the process, and with it all that it has started.
    """

    config.addinivalue_line("markers", "full: left out of the short form")

    def on_signal(*_):
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_signal)


def pytest_collection_modifyitems(config, items):
    """The short form leaves out more of the same."""
    if os.environ.get("SLUICE_CHAOS") == "short":
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test's report shows the end of the logs of every part that it used."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    shown = set()
    for value in getattr(item, "funcargs", {}).values():
        for part in _parts(value):
            if part.log not in shown:
                shown.add(part.log)
                report.sections.append((f"{part.name}", part.log_tail(TAIL_LINES)))


def _parts(value):
    if hasattr(value, "log_tail"):
        return [value]
    return [part for part in getattr(value, "parts", []) if hasattr(part, "log_tail")]


@pytest.fixture(scope="session")
def lab():
    """The lab of the whole run, or of each of its processes when tests run side by side.

    SLUICE_LAB_DIR=folder keeps its data and logs there.
    """
    folder = os.environ.get("SLUICE_LAB_DIR")
    if folder:
        folder = os.path.join(folder, os.environ.get("PYTEST_XDIST_WORKER", ""))
    with Lab(folder) as made:
        yield made


@pytest.fixture(scope="session")
def kafka(lab):
    """A Kafka node for all tests."""
    return lab.kafka()


@pytest.fixture(scope="session")
def mosquitto(lab):
    """An MQTT broker for all tests."""
    return lab.mosquitto()


class Factory:
    """Makes parts of one kind for one test and ends them after it."""

    def __init__(self, make):
        self.make = make
        self.made = []

    def __call__(self, *args, **options):
        part = self.make(*args, **options)
        self.made.append(part)
        return part

    @property
    def parts(self):
        return [part for made in self.made for part in getattr(made, "workers", [made])]

    def close(self):
        for part in self.parts:
            part.kill9()


@pytest.fixture
def fresh_kafka(lab):
    """fresh_kafka(**options) starts a Kafka node of the test's own."""
    factory = Factory(lab.kafka)
    yield factory
    factory.close()


@pytest.fixture
def fresh_mosquitto(lab):
    """fresh_mosquitto(**options) starts an MQTT broker of the test's own."""
    factory = Factory(lab.mosquitto)
    yield factory
    factory.close()


@pytest.fixture
def cluster(lab, request):
    """cluster(workers=1, properties=None, kafka=None, mosquitto=None, **options) starts a cluster.

    Without kafka or mosquitto it uses the run's shared ones.
    """
    program = find_program()

    def make(workers=1, properties=None, kafka=None, mosquitto=None, **options):
        made = Cluster(
            lab,
            kafka or request.getfixturevalue("kafka"),
            mosquitto or request.getfixturevalue("mosquitto"),
            properties,
            program=program,
            **options,
        )
        factory.made.append(made)
        if workers:
            made.add(workers)
        return made

    factory = Factory(make)
    # make() records the cluster itself, before a start that may fail.
    yield _Recorded(factory)
    factory.close()


class _Recorded:
    """A factory whose make() records what it makes."""

    def __init__(self, factory):
        self.factory = factory

    def __call__(self, *args, **options):
        return self.factory.make(*args, **options)

    @property
    def parts(self):
        return self.factory.parts


class Machine:
    """Tests that run side by side share the machine; one that measures may have it to itself.

    All that run hold the room. Who wants it alone holds the gate, through which others come in, so
    that it waits for those only which run already.
    """

    def __init__(self, folder):
        # pylint: disable=consider-using-with
        self.gate = open(folder / "gate.lock", "w", encoding="ascii")
        self.room = open(folder / "room.lock", "w", encoding="ascii")

    def enter(self):
        """Waits while somebody is alone, or waits for that."""
        fcntl.flock(self.gate, fcntl.LOCK_SH)
        fcntl.flock(self.room, fcntl.LOCK_SH)
        fcntl.flock(self.gate, fcntl.LOCK_UN)

    def leave(self):
        fcntl.flock(self.room, fcntl.LOCK_UN)

    @contextlib.contextmanager
    def alone(self):
        """Waits for the other tests that run; no new one begins until the end."""
        self.leave()
        fcntl.flock(self.gate, fcntl.LOCK_EX)
        fcntl.flock(self.room, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self.gate, fcntl.LOCK_UN)
            fcntl.flock(self.room, fcntl.LOCK_SH)


@pytest.fixture(scope="session")
def shared_machine(tmp_path_factory):
    """The machine as all processes of this run share it."""
    folder = tmp_path_factory.getbasetemp()
    return Machine(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(autouse=True)
def machine(shared_machine):
    """Every test has its place on the machine from before it starts anything until all is gone."""
    shared_machine.enter()
    yield shared_machine
    shared_machine.leave()


@pytest.fixture(scope="session")
def load():
    """The path of the load tool."""
    named = os.environ.get("SLUICE_LOAD")
    if named:
        return named
    beside = pathlib.Path(find_program()).parents[1] / "tests" / "load" / "sluice-load"
    if not beside.exists():
        pytest.fail(f"no load tool at {beside}: set SLUICE_LOAD")
    return str(beside)
