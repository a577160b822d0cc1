# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, silent or gone: others are served meanwhile, and the worker gets rid of them
without keeping anything of theirs."""

import json
import socket

from lab import wait_until

SILENT = 60
DRIPPING = 60
UNREAD = 40
# So many good clients are answered while that many others misbehave. Where sanitizers or a busy
# machine make the answers slow the others are got rid of first; so often they come again.
ANSWERS = 50
CROWDS = 10
HEAD = b"GET /connectors HTTP/1.1\r\nHost: h\r\n"


class Crowd:
    """Connections that misbehave; tend() keeps them at it."""

    def __init__(self, port):
        self.port = port
        self.dripping = []
        self.reading = []
        self.all = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.all:
            peer.close()

    def _open(self):
        peer = socket.create_connection(("127.0.0.1", self.port))
        self.all.append(peer)
        return peer

    def silent(self, count):
        """Connect, and say nothing, or half a request."""
        for number in range(count):
            peer = self._open()
            peer.sendall(HEAD[: number % len(HEAD)])
            self.reading.append(peer)

    def drip(self, count):
        """Send a request a byte at a time, for ever."""
        for _ in range(count):
            peer = self._open()
            peer.sendall(HEAD + b"X: ")
            self.dripping.append(peer)
            self.reading.append(peer)

    def unread(self, count):
        """Ask for much and read nothing of it."""
        for _ in range(count):
            peer = self._open()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            asked = b"GET /openapi.json HTTP/1.1\r\nHost: h\r\n\r\n" * 20
            try:
                peer.sendall(asked)
            except BlockingIOError:
                pass

    def fill(self):
        self.silent(SILENT)
        self.drip(DRIPPING)
        self.unread(UNREAD)

    def tend(self):
        """One more byte of each that drips."""
        for peer in list(self.dripping):
            try:
                peer.sendall(b"x")
            except OSError:
                self.dripping.remove(peer)

    def left(self):
        """How many of those that would notice the server has not closed yet."""
        self.tend()
        count = 0
        for peer in self.reading:
            peer.setblocking(False)
            try:
                while peer.recv(65536):
                    pass
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count


def serves(server):
    """True when a good client has got its answer."""
    return server.worker.get("/connectors", timeout=30).status == 200


def test_slow_and_silent_clients_hold_up_nobody_and_are_got_rid_of(impatient):
    server = impatient
    assert serves(server)
    before = server.worker.open_files()
    with Crowd(server.worker.port) as crowd:
        answers = 0
        for _ in range(CROWDS):
            crowd.fill()
            while answers < ANSWERS and crowd.left() > 0:
                assert serves(server)
                answers += crowd.left() > 0
            if answers == ANSWERS:
                break
        # Who was held up would be answered only when the others are gone.
        assert answers == ANSWERS
        # Silence is one second, one whole request two; the reaper looks once a second.
        wait_until(lambda: crowd.left() == 0, 15, lambda: f"{crowd.left()} connections to go", 0.1)
        # Those that read nothing do not see it; the server has given up its side.
        wait_until(
            lambda: server.worker.open_files() <= before + 2,
            15,
            lambda: f"{server.worker.open_files()} open files to become {before}",
        )
    server.check_alive()
    server.end()


def test_a_client_that_half_closes_gets_its_answer(impatient):
    server = impatient
    for number in range(5):
        made = {"name": f"half-{number}", "config": server.cluster.source_config()}
        body = json.dumps({**made, "initial_state": "STOPPED"}).encode()
        head = b"POST /connectors HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body)
        with socket.create_connection(("127.0.0.1", server.worker.port), timeout=30) as peer:
            peer.sendall(head + body)
            peer.shutdown(socket.SHUT_WR)
            assert peer.recv(12) == b"HTTP/1.1 201"
    server.check_alive()
    server.end()


def test_half_open_connections_are_closed_by_the_idle_time(impatient):
    server = impatient
    with Crowd(server.worker.port) as crowd:
        crowd.silent(20)
        for peer in crowd.all[:10]:
            peer.shutdown(socket.SHUT_WR)
        wait_until(lambda: crowd.left() == 0, 15, lambda: f"{crowd.left()} connections to go", 0.1)
    server.check_alive()
    server.end()
