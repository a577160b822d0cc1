# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the chart's tests."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))

# pylint: disable=wrong-import-position
import chart


def pytest_configure(config):
    config.addinivalue_line("markers", "full: left out of the short form")


def pytest_collection_modifyitems(config, items):
    """The short form leaves out what needs a large download."""
    if os.environ.get("SLUICE_CHAOS") == "short":
        left_out = [item for item in items if item.get_closest_marker("full")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", autouse=True)
def downloads():
    """All parts at once, before the first test."""
    chart.in_parallel(chart.folder, ("helm", "schemas", "crds", "promtool"))


@pytest.fixture(scope="session", params=chart.HELMS)
def program(request):
    """Helm 4, then Helm 3."""
    return request.param


@pytest.fixture(scope="session")
def examples():
    """The releases of the example values, by name."""
    made = chart.in_parallel(lambda path: chart.Release(example=path), chart.EXAMPLES)
    return {path.name.removesuffix("-values.yaml"): one for path, one in zip(chart.EXAMPLES, made)}
