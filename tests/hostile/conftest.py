# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the hostile tier: those of the integration tier, and a worker to attack."""

import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position,redefined-outer-name,unused-import
from hostile.server import Server
from integration.conftest import (  # noqa: F401
    kafka,
    lab,
    mosquitto,
    pytest_configure,
    pytest_runtest_makereport,
)


# Of an Attack in continuous integration: enough for every kind of answer.
CASES = 300


@pytest.fixture
def server(lab, kafka, mosquitto):
    """A worker of the test's own."""
    made = Server(lab, kafka, mosquitto)
    yield made
    made.kill()


@pytest.fixture
def impatient(lab, kafka, mosquitto):
    """A worker of the test's own that gives a silent connection one second."""
    made = Server(lab, kafka, mosquitto, {"rest.idle.timeout.ms": "1000"})
    yield made
    made.kill()


@pytest.fixture(scope="session")
def seconds():
    """How long each fuzzer runs: SLUICE_HOSTILE_SECONDS, else what continuous integration takes."""
    return int(os.environ.get("SLUICE_HOSTILE_SECONDS", "5"))


@pytest.fixture(scope="session")
def effort(seconds):
    """effort(share) is how long an Attack goes on: a share of SLUICE_HOSTILE_SECONDS; without it a
    number of cases, so that a slow machine does the same work."""

    def of(share=1.0):
        if "SLUICE_HOSTILE_SECONDS" in os.environ:
            return {"seconds": max(1, share * seconds)}
        return {"cases": int(share * CASES)}

    return of


@pytest.fixture
def seed():
    """TEST_SEED, else a random one; pytest shows it when the test fails."""
    made = int(os.environ.get("TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {made}")
    return made
