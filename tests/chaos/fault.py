# SPDX-License-Identifier: Apache-2.0
"""A fault as a row of a table, and what comes out of one round of it."""

import dataclasses

ROWS = {}


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is done while load runs, and what is demanded.

    `play(stage)` starts the load, does it, and returns an Outcome; it raises when something that it
    waits for does not come. `world`: which parts it needs (see world.KINDS). `lanes`: from MQTT to
    Kafka ("source"), from Kafka to MQTT ("sink"), or one of both by chance. `bound(stage)`: seconds
    within which work must have resumed. `lossy`: the worker is broken on purpose, something must be
    missing. `network`: needs links that can be spoilt. `short`: belongs to the short run.
    """

    name: str
    play: object
    about: str
    bound: object
    world: str = "one"
    lanes: tuple = ("source",)
    lossy: bool = False
    network: bool = False
    short: bool = False


@dataclasses.dataclass
class Outcome:
    """resumed: seconds until work went on; duplicates: how many may be, None for any number; order: how
    order is judged (see tests/load), None for what the lane's mode promises; notes: what was seen; wrong: what was seen and must not be."""

    resumed: float
    duplicates: object = 0
    order: object = None
    notes: str = ""
    wrong: list = dataclasses.field(default_factory=list)


def fault(name, bound, **options):
    """Makes a function `play(stage)` a row of the table; its docstring is the row's description."""

    def add(play):
        assert name not in ROWS, name
        limit = bound if callable(bound) else lambda _stage: bound
        ROWS[name] = Fault(name, play, " ".join(play.__doc__.split()), limit, **options)
        return play

    return add
