# SPDX-License-Identifier: Apache-2.0
"""The scenarios: lists of steps by name, one file for each part of the interface.

A scenario leaves nothing behind: what it creates it deletes, and waits until it is gone.
"""

from contract.scenarios import (
    create,
    general,
    life,
    names,
    plugins,
    resources,
    sinks,
    transforms,
    update,
    validate,
)

SCENARIOS = {}
for part in (general, create, update, life, plugins, resources, sinks, transforms, validate, names):
    for title, steps in part.SCENARIOS.items():
        SCENARIOS[f"{part.__name__.rsplit('.', 1)[1]}-{title}"] = steps
