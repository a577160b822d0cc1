# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the chaos tier: those of the integration tier, the sizes of a run, the summary."""

import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from chaos.account import Flow, table

from integration.conftest import (  # noqa: F401
    cluster,
    fresh_kafka,
    fresh_mosquitto,
    kafka,
    lab,
    load,
    mosquitto,
    pytest_runtest_makereport,
)
from integration.conftest import pytest_configure as configure_integration

_rows = []


def pytest_configure(config):
    configure_integration()
    config.addinivalue_line("markers", "sized(name, short, full): values for each size of run")
    config.addinivalue_line("markers", "full: left out of short runs")


def pytest_addoption(parser):
    parser.addoption("--short", action="store_true", help="small runs, as in continuous integration")


class Sizes:
    """How much and how long. `messages` of a run that takes `seconds` follow from a rate."""

    def __init__(self, short):
        self.short = short
        self.messages = int(os.environ.get("SLUICE_CHAOS_MESSAGES", 20000 if short else 200000))
        self.kill_every = 4.0
        self.session_timeout = 3.0

    def rate(self, seconds):
        """Messages per second so that publishing takes `seconds`."""
        return max(1, int(self.messages / seconds))

    def pick(self, short, full):
        return short if self.short else full


def is_short(config):
    return config.getoption("--short", False) or os.environ.get("SLUICE_CHAOS") == "short"


def pytest_generate_tests(metafunc):
    """`sized(name, short, full)` gives a scenario its values for the short and for the full run."""
    for mark in metafunc.definition.iter_markers("sized"):
        name, short, full = mark.args
        metafunc.parametrize(name, short if is_short(metafunc.config) else full)


def pytest_collection_modifyitems(config, items):
    """Scenarios marked `full` are left out of the short run."""
    if is_short(config):
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def sizes(request):
    return Sizes(is_short(request.config))


@pytest.fixture
def rng(request):
    """Random numbers whose seed is printed; SLUICE_CHAOS_SEED repeats a run's choices."""
    seed = int(os.environ.get("SLUICE_CHAOS_SEED", random.SystemRandom().randrange(1 << 31)))
    print(f"{request.node.name}: SLUICE_CHAOS_SEED={seed}")
    made = random.Random(seed)
    made.seed_text = f"seed {seed}"
    return made


@pytest.fixture
def flow(request, load):
    """flow(cluster, messages, ...) starts publishing; what is left of it ends with the test."""
    made = []

    def make(cluster, messages, **options):
        run = Flow(load, cluster, request.node.name.removeprefix("test_"), messages, **options)
        made.append(run)
        return run.start()

    yield make
    for run in made:
        run.close()


@pytest.fixture
def note(request):
    """note(account, allowed, text) prints a scenario's line and keeps it for the summary."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def add(account, allowed=None, text=""):
        row = account.line(allowed, text)
        _rows.append(row)
        with capture.global_and_fixture_disabled():
            print("\n" + "\n".join(table([row])), flush=True)

    return add


@pytest.fixture
def note_time(request):
    """note_time(text) prints a measured time and keeps it for the summary."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def add(text):
        name = request.node.name.removeprefix("test_")
        _rows.append((name, *[""] * 7, text))
        with capture.global_and_fixture_disabled():
            print(f"\n{name}: {text}", flush=True)

    return add


def pytest_terminal_summary(terminalreporter):
    if _rows:
        terminalreporter.section("what became of every message")
        for line in table(_rows):
            terminalreporter.write_line(line)
