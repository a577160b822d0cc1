# SPDX-License-Identifier: Apache-2.0
"""Load for as long as something is done to a release, and the account of every message of it."""

import json
import threading
import time

from chaos.account import Flow
from lab import LabError

# Each run of the load tool takes so many seconds; they follow each other without a pause.
ROUND = 4.0
PUBLISHERS = 10
SIZE = 256


class Load:
    """Publishes round after round from start() to stop(); verdict() accounts for all of them.

    As a context manager it starts, and stops at the end of the block. `rate` is in messages per
    second, `sessions` the number of MQTT sessions of the connector.
    """

    def __init__(self, tool, release, rate, sessions):
        self.tool = tool
        self.release = release
        self.rate = rate
        self.sessions = sessions
        self.flows = []
        self.error = None
        self.seconds = 0.0
        self._enough = threading.Event()
        self._flowing = threading.Event()
        self._thread = threading.Thread(target=self._main, name="load")
        self._began = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts when all sessions are connected, and waits until the first publishers are at work."""
        self.release.wait_connected(self.sessions)
        self._began = time.monotonic()
        self._thread.start()
        self._flowing.wait(30)
        return self

    def stop(self):
        """Ends with the round that is under way."""
        self._enough.set()
        self._thread.join(600)
        self.seconds = time.monotonic() - self._began
        for flow in self.flows:
            flow.close()

    def _main(self):
        try:
            while not self._enough.is_set():
                flow = self._round(len(self.flows))
                self.flows.append(flow)
                flow.start()
                self._flowing.set()
                flow.wait_sent()
        except (LabError, OSError, ValueError) as error:
            self.error = error
        finally:
            self._flowing.set()

    def _round(self, number):
        messages = int(self.rate * ROUND)
        options = {"rate": self.rate, "sessions": self.sessions, "publishers": PUBLISHERS, "size": SIZE}
        flow = Flow(self.tool, self.release, f"round-{number}", messages, **options)
        flow.plan["run-id"] = f"{self.release.ident}-{id(self):x}-{number}"
        return flow

    def verdict(self, patience=60):
        """{"sent", "received", "missing", "duplicates"} of all rounds together.

        Every message must be whole and each session's order kept, else it is a LabError.
        """
        if self.error:
            raise self.error
        total = {"sent": 0, "received": 0, "missing": 0, "duplicates": 0}
        for flow in self.flows:
            account = flow.verify(patience=patience, settle=0.3)
            if account.code not in (0, 2):
                raise LabError(f"verdict {account.code}: {json.dumps(account.report)}")
            total["sent"] += flow.sent["acked"]
            for key in ("received", "missing", "duplicates"):
                total[key] += account.report[key]
        return total
