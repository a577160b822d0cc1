# SPDX-License-Identifier: Apache-2.0
"""Where a cluster keeps its state, for tests that hand it from one to another."""

from contract.conftest import WORKER


def topics(group):
    """Where a Java cluster of the lab keeps its state."""
    return {
        "config.storage.topic": f"{group}-configs",
        "offset.storage.topic": f"{group}-offsets",
        "status.storage.topic": f"{group}-status",
        **WORKER,
    }

