# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the clients tier: those of the integration tier, and the foreign clients."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from clients.driver import CLIENTS, Driver
from integration.conftest import (  # noqa: F401
    kafka,
    lab,
    mosquitto,
    pytest_configure,
    pytest_runtest_makereport,
)
from lab import Cluster, find_program


@pytest.fixture(scope="session")
def pair(lab, kafka, mosquitto):
    """Two workers. The clients talk to the second, which follows; the first is asked for truth."""
    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="clients")
    made.add(2)
    yield made
    made.close()


@pytest.fixture(scope="session", params=sorted(CLIENTS))
def client(request, pair):
    """Every client in turn, or those that a test names, talking to the worker that follows."""
    with Driver(CLIENTS[request.param], pair.workers[1].url) as driver:
        yield driver
