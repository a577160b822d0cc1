# SPDX-License-Identifier: Apache-2.0
"""The worker under attack, and what must be true of it afterwards."""

import re
import urllib.parse

from lab import Cluster, find_program, wait_until

KEPT = ("kept-one", "kept-two", "kept-three")
REPORTS = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer|ASSERT")
# Leaks are looked for at the end; a short quarantine lets growth of the memory be seen.
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=8:malloc_context_size=8",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Server:
    """A worker with three connectors that run and that nobody may delete."""

    def __init__(self, lab, kafka, mosquitto, properties=None):
        self.cluster = Cluster(
            lab, kafka, mosquitto, properties, find_program(), name="hostile", env=SANITIZERS
        )
        self.cluster.add(1, timeout=60)
        self.worker = self.cluster.workers[0]
        self.mqtt = mosquitto.uri
        for name in KEPT:
            self.cluster.create(name, tasks_max=1, mqtt_topics=f"{self.cluster.prefix}/{name}/#")

    @property
    def log(self):
        return self.worker.log

    def log_tail(self, lines=60):
        return self.worker.log_tail(lines)

    @property
    def name(self):
        return self.worker.name

    def check_alive(self):
        """It answers, and the connectors that must stay are there."""
        assert self.worker.alive(), self.worker.log_tail(80)
        assert self.worker.get("/health").status == 200
        names = self.worker.get("/connectors").body
        assert set(KEPT) <= set(names), names

    def delete_all(self):
        """Whatever was created can be read and deleted, however it is called."""
        for name in self.worker.get("/connectors").body:
            path = "/connectors/" + urllib.parse.quote(name, safe="")
            assert self.worker.get(path).body["name"] == name
            assert self.worker.delete(path).status == 204, name
        wait_until(lambda: self.worker.get("/connectors").body == [], 10, "no connector to be left")

    def end(self):
        """Stops it; the exit code is 0 and no sanitizer has reported anything, nor a leak."""
        code = self.worker.stop(60)
        found = REPORTS.search(self.worker.log_text())
        assert not found, self.worker.log_text()[found.start() :][:6000]
        assert code == 0, f"exit code {code}\n{self.worker.log_tail(80)}"
        # A late end skips the search for leaks.
        assert "WORKER-STOPPED" in self.worker.log_text(), self.worker.log_tail(80)

    def kill(self):
        """Whatever state it is in."""
        self.worker.kill9()
