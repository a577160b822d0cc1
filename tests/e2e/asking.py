# SPDX-License-Identifier: Apache-2.0
"""A client that asks and changes a connector through the Service all the time, as operators do."""

import threading
import time

from lab import request

# Seconds from one request to the next, and one of so many is a write.
PAUSE = 0.1
WRITES = 10


class Asking:
    """Asks inside of a with block; `failed` has what was not answered as it should be.

    Reads must be 200. Writes may be 409 while workers agree on a leader, as Connect's clients know.
    Each request has a connection of its own, so each may reach another pod.
    """

    def __init__(self, release, name):
        self.release = release
        self.name = name
        self.url = release.url
        self.asked = 0
        self.slowest = 0.0
        self.failed = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._main, name="asking")

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._enough.set()
        self._thread.join(120)

    def _main(self):
        while not self._enough.wait(PAUSE):
            self.asked += 1
            since = time.monotonic()
            try:
                self._one(self.asked)
            except OSError as error:
                self.failed.append(f"no answer: {error}")
            self.slowest = max(self.slowest, time.monotonic() - since)

    def _one(self, number):
        if number % WRITES:
            answer = request("GET", f"{self.url}/connectors/{self.name}/status", timeout=100)
            good = answer.status == 200
        else:
            change = {"mqtt.connect.timeout.seconds": str(20 + number % 7)}
            url = f"{self.url}/connectors/{self.name}/config"
            answer = request("PATCH", url, change, timeout=100)
            good = answer.status in (200, 409)
        if not good:
            self.failed.append(f"{answer.status}: {answer.body}")

    def check(self):
        """Fails unless every request was answered as it should be; returns what to say of them."""
        assert not self.failed, f"{len(self.failed)} of {self.asked}: {self.failed[:5]}"
        return f"{self.asked} REST requests answered, the slowest in {self.slowest:.1f} s"
