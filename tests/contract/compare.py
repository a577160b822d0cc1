# SPDX-License-Identifier: Apache-2.0
"""Runs a scenario on two sides and says where they differ."""

import json
import re

from contract import differences
from contract.steps import Pair, get
from lab import LabError, wait_until

WAIT_SECONDS = 30
REBALANCING = (
    "because a rebalance is expected",
    "conflicting operation (e.g. worker rebalance)",
    "due to stale configuration",
)
# Connect keeps the keys of converters and clients, and those that nobody defines, in the order of a
# hash table.
SUB_KEY = re.compile(r"(key|value|header)\.converter\.(?!plugin)|(producer|consumer|admin)\.override")


class Result:
    """Pairs that were sent, differences that showed, and texts of what is wrong."""

    def __init__(self):
        self.pairs = 0
        self.shown = set()
        self.wrong = []


def run(steps, connect, sluice):
    """Sends every pair to both sides, in order; returns the Result."""
    result = Result()
    for step in steps:
        if isinstance(step, Pair):
            result.pairs += 1
            _check(step, connect, sluice, result)
        else:
            _wait(step, connect, result)
            _wait(step, sluice, result)
    return result


def _wait(step, side, result):
    answers = []

    def reached():
        answers[:] = [side.ask(get(f"/connectors/{step.name}/status"))]
        return step.reached(answers[0])

    try:
        wait_until(reached, WAIT_SECONDS, "")
    except LabError:
        result.wrong.append(f"{side.name}: never came: {step}; last {answers[0]}")


def _settled(pair, connect):
    """Connect's answer, asked again while all that it says is that it rebalances (row snapshot)."""
    answers = []

    def settled():
        answers[:] = [connect.ask(pair)]
        return not any(text in answers[0].message for text in REBALANCING)

    try:
        wait_until(settled, WAIT_SECONDS, "")
    except LabError:
        pass
    return answers[0]


def _check(pair, connect, sluice, result):
    theirs = connect.plain(_settled(pair, connect), pair.extras)
    ours = sluice.plain(sluice.ask(pair), pair.extras)
    differs = _difference(theirs, ours)
    if not pair.differs:
        if differs:
            result.wrong.append(f"{pair}\n{differs}")
        return
    if not differs and differences.SOMETIMES & set(pair.differs):
        return
    if not differs:
        result.wrong.append(f"{pair}\n    names {pair.differs}, but the answers are the same")
        return
    result.shown.update(pair.differs)
    if pair.sluice:
        if not differences.fits(pair, ours):
            result.wrong.append(f"{pair}\n    is to be {pair.sluice}\n{differs}")
        return
    left = _difference(differences.expected(pair, theirs), ours)
    if left:
        result.wrong.append(f"{pair}\n    beyond {pair.differs}\n{left}")


def _difference(theirs, ours):
    """Lines that show where two plain answers differ; "" if nowhere."""
    lines = []
    if theirs.status != ours.status:
        lines.append(f"status: Connect {theirs.status}, Sluice {ours.status}")
    for name in sorted({*theirs.headers, *ours.headers}):
        pair = theirs.headers.get(name), ours.headers.get(name)
        if pair[0] != pair[1]:
            lines.append(f"{name}: Connect {pair[0]}, Sluice {pair[1]}")
    _walk("body", theirs.body, ours.body, lines)
    return "".join(f"    {line}\n" for line in lines)


def _walk(path, theirs, ours, lines):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in sorted({*theirs, *ours}):
            _walk(f"{path}.{key}", theirs.get(key, ABSENT), ours.get(key, ABSENT), lines)
    elif isinstance(theirs, list) and isinstance(ours, list) and _named(theirs) and _named(ours):
        _walk_named(path, theirs, ours, lines)
    elif theirs != ours or isinstance(theirs, bool) != isinstance(ours, bool):
        lines.append(f"{path}: Connect {_show(theirs)}, Sluice {_show(ours)}")


def _walk_named(path, theirs, ours, lines):
    """Lists of definitions: by name, and then their order."""
    names = [_name(item) for item in theirs], [_name(item) for item in ours]
    _walk(
        path, dict(zip(names[0], theirs)), dict(zip(names[1], ours)), lines
    )
    names = [[_name(item) for item in side if _has_place(item)] for side in (theirs, ours)]
    if sorted(names[0]) == sorted(names[1]) and names[0] != names[1]:
        lines.append(f"{path}: order: Connect {names[0]}, Sluice {names[1]}")


def _name(item):
    named = item.get("value") if isinstance(item.get("value"), dict) else item
    kind = item.get("type") if "class" in item else ""
    return f"{named.get('name', named.get('class'))} {kind}".strip()


def _has_place(item):
    return item.get("definition", True) is not None and not SUB_KEY.match(_name(item))


def _named(items):
    names = [_name(item) for item in items if isinstance(item, dict)]
    return len(names) == len(items) == len(set(names)) > 0


class _Absent:
    def __repr__(self):
        return "nothing"


ABSENT = _Absent()


def _show(value):
    text = repr(value) if isinstance(value, _Absent) else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 700 else text[:700] + "..."
