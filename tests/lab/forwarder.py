# SPDX-License-Identifier: Apache-2.0
"""The process that carries packets between the links of a network.Network, and spoils some of them.

Argument: the number of a socket. Each message on it is JSON and is answered: {"link": [address, ...]} with
the file of the interface that has them; {"from": a, "to": b, "how": {"drop", "loss", "delay"}};
{"heal": true}; {"counts": true}. Ends when the socket does.
"""

import heapq
import json
import os
import random
import select
import socket
import sys
import time

PACKET = 65536
# Packets that wait at once; more are dropped, as a full queue drops them.
MOST_WAITING = 20000


class Forwarder:
    """Owns the links, the rules and what waits."""

    def __init__(self, control):
        self.control = control
        self.poll = select.epoll()
        self.poll.register(control, select.EPOLLIN)
        self.links = {}
        self.rules = {}
        self.waiting = []
        self.number = 0
        self.random = random.Random(1)
        self.counts = {"passed": 0, "dropped": 0, "delayed": 0}

    def run(self):
        while True:
            for source, _ in self.poll.poll(self._patience()):
                if source != self.control.fileno():
                    self._carry(source)
                elif not self._obey():
                    return
            self._release()

    def _patience(self):
        if not self.waiting:
            return None
        return max(0.0, self.waiting[0][0] - time.monotonic())

    def _obey(self):
        raw, files, _, _ = socket.recv_fds(self.control, 4096, 1)
        if not raw:
            return False
        message = json.loads(raw)
        if "link" in message:
            self._add(message["link"], files[0])
        elif "from" in message:
            pair = socket.inet_aton(message["from"]) + socket.inet_aton(message["to"])
            self.rules.pop(pair, None)
            if message["how"]:
                self.rules[pair] = message["how"]
        elif "heal" in message:
            self.rules.clear()
        self.control.send(json.dumps(self.counts).encode() if "counts" in message else b"done")
        return True

    def _add(self, hosts, link):
        for host in hosts:
            self.links[socket.inet_aton(host)] = link
        self.poll.register(link, select.EPOLLIN)

    def _carry(self, link):
        try:
            for _ in range(64):
                self._decide(os.read(link, PACKET))
        except BlockingIOError:
            pass

    def _decide(self, packet):
        # Version 4 only; bytes 12 to 20 are the addresses of source and destination.
        if packet[0] >> 4 != 4:
            return
        how = self.rules.get(packet[12:20])
        if not how:
            self._send(packet)
        elif how.get("drop") or self.random.random() < how.get("loss", 0):
            self.counts["dropped"] += 1
        elif not how.get("delay"):
            self._send(packet)
        elif len(self.waiting) >= MOST_WAITING:
            self.counts["dropped"] += 1
        else:
            self.number += 1
            self.counts["delayed"] += 1
            due = time.monotonic() + how["delay"]
            heapq.heappush(self.waiting, (due, self.number, packet))

    def _release(self):
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            self._send(heapq.heappop(self.waiting)[2])

    def _send(self, packet):
        link = self.links.get(packet[16:20])
        if link is None:
            return
        try:
            os.write(link, packet)
            self.counts["passed"] += 1
        except OSError:
            self.counts["dropped"] += 1


if __name__ == "__main__":
    Forwarder(socket.socket(fileno=int(sys.argv[1]))).run()
