# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the brokers tier: those of the integration tier, and one broker of each kind."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from integration import conftest as integration
from integration.conftest import (  # noqa: F401
    cluster,
    fresh_kafka,
    kafka,
    lab,
    pytest_runtest_makereport,
)

_rows = []


def pytest_configure(config):
    """As in the integration tier; and the mark of the short run."""
    config.addinivalue_line("markers", "quick: part of the short run")
    integration.pytest_configure(config)


def pytest_collection_modifyitems(config, items):
    """The short run (SLUICE_CHAOS=short) has only what is marked for it."""
    if os.environ.get("SLUICE_CHAOS") == "short":
        left_out = [item for item in items if not item.get_closest_marker("quick")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def broker(lab, request):
    """The broker of the kind that the test names, of its own."""
    made = lab.broker(request.param)
    yield made
    made.kill9()


@pytest.fixture
def note(request):
    """note(text) adds a line to what is printed at the end."""
    name = request.node.name.removeprefix("test_")
    return lambda text: _rows.append(f"{name}: {text}")


def pytest_terminal_summary(terminalreporter):
    """What was measured."""
    if _rows:
        terminalreporter.section("measured")
        for row in _rows:
            terminalreporter.line(row)
