# SPDX-License-Identifier: Apache-2.0
"""The same requests to Kafka Connect and to Sluice: what differs is in the table of rest/README.md."""

import pathlib
import re

import pytest

from contract import compare, differences
from contract.conftest import WORKER, sides
from contract.scenarios import SCENARIOS
from contract.steps import Pair

TESTS = pathlib.Path(__file__).resolve().parents[1]
LEAST_PAIRS = 250


class Shown:
    """What the scenarios that ran have shown."""

    def __init__(self):
        self.scenarios = set()
        self.differences = set()


@pytest.fixture(scope="module")
def shown():
    return Shown()


@pytest.fixture(scope="module")
def both(lab, kafka, mosquitto):
    """A Connect and a Sluice worker on one Kafka, with the same converters."""
    connect = lab.new_connect(kafka, "contract-connect", WORKER).launch()
    sluice = lab.new_worker(kafka, "contract-sluice", WORKER).launch()
    sluice.wait_serving()
    connect.wait_serving(60)
    return sides(connect, sluice, lab.folder, mosquitto.uri)


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_answer_alike(name, both, shown):
    result = compare.run(SCENARIOS[name], *both)
    shown.scenarios.add(name)
    shown.differences |= result.shown
    assert not result.wrong, "\n" + "\n".join(result.wrong)


def test_every_listed_difference_is_shown(shown):
    listed = differences.listed()
    assert shown.scenarios == set(SCENARIOS), "this test judges what all scenarios have shown"
    by_pairs = {ident for ident, test in listed.items() if not test}
    assert shown.differences - differences.SOMETIMES == by_pairs - differences.SOMETIMES


def test_every_difference_of_a_pair_is_listed():
    listed = differences.listed()
    named = {ident for pair in pairs() for ident in pair.differs}
    assert named <= set(listed)
    assert differences.SOMETIMES <= named


def test_every_test_that_shows_a_difference_exists():
    wanted = {test for test in differences.listed().values() if test}
    found = set()
    for file in [*TESTS.rglob("test_*.py"), *TESTS.rglob("test_*.c")]:
        text = file.read_text(encoding="utf-8")
        found |= set(re.findall(r"^(?:def |static void )(test_\w+)\(", text, re.MULTILINE))
    assert wanted <= found


def test_there_are_enough_pairs():
    assert len(pairs()) >= LEAST_PAIRS


def test_the_table_is_read_strictly():
    table = "## Differences from Kafka Connect\n| id | a |\n| --- | --- |\n"
    assert differences.listed(table + "| `x` | a | b |\n| `y` | a | b; `test_z` |\n") == {
        "x": "",
        "y": "test_z",
    }
    with pytest.raises(ValueError):
        differences.listed(table + "| `x` | a |\n| `x` | b |\n")


def pairs():
    return [step for steps in SCENARIOS.values() for step in steps if isinstance(step, Pair)]
