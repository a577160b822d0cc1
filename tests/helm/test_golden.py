# SPDX-License-Identifier: Apache-2.0
"""The rendered examples are those of the last commit: a change of the templates shows in the diff.

SLUICE_GOLDEN=write takes over what is rendered now.
"""

import difflib
import os

import pytest
from chart import CHART, EXAMPLES, HERE

NAMES = [path.name.removesuffix("-values.yaml") for path in EXAMPLES]


def shortened(text):
    """Without the dashboard, which has a file of its own."""
    dashboard = (CHART / "dashboards" / "sluice.json").read_text(encoding="utf-8").strip()
    return text.replace(
        "\n".join("    " + line for line in dashboard.splitlines()), "    (dashboards/sluice.json)"
    )


@pytest.mark.parametrize("name", NAMES)
def test_render_is_the_golden_one(name, examples):
    path = HERE / "golden" / f"{name}.yaml"
    now = shortened(examples[name].text)
    if os.environ.get("SLUICE_GOLDEN") == "write":
        path.write_text(now, encoding="utf-8")
    had = path.read_text(encoding="utf-8")
    difference = difflib.unified_diff(
        had.splitlines(), now.splitlines(), str(path), "rendered", lineterm=""
    )
    assert had == now, "\n".join(difference)


def test_every_golden_render_has_its_example():
    assert sorted(path.stem for path in (HERE / "golden").glob("*.yaml")) == sorted(NAMES)
