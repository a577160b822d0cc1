# SPDX-License-Identifier: Apache-2.0
"""Raw MQTT 5: does a broker keep a session; a message without payload; brokers that misbehave."""

import socket
import struct
import threading
import time

from lab import free_port, wait_until


def _text(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def session_present(port, client_id):
    """True when the broker keeps a session of this client id. Whoever is connected with it is cut off.

    The connection is dropped without a word and the session's expiry is an hour, so a session that
    is there stays there.
    """
    properties = b"\x11" + struct.pack(">I", 3600)
    body = _text("MQTT") + bytes([5, 0, 0, 60, len(properties)]) + properties + _text(client_id)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.settimeout(5)
        sock.sendall(bytes([0x10, len(body)]) + body)
        answer = sock.recv(4)
    assert len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0, f"CONNACK {answer.hex()}"
    return bool(answer[2] & 1)


def wait_connected(cluster, sessions, timeout=30):
    """Waits until so many sessions are connected: before that the broker has nobody to queue for.

    That a task runs says only that it tries: its broker may be down.
    """

    def connected():
        return sum(int(worker.metric_sum("sluice_mqtt_connected")) for worker in cluster.alive)

    wait_until(
        lambda: connected() == sessions,
        timeout,
        lambda: f"{sessions} sessions, {connected()} are connected\n{cluster.tails()}",
    )


def publish_nothing(port, topic):
    """Publishes a message with an empty payload at QoS 1; returns when it is acknowledged."""
    connect = _text("MQTT") + bytes([5, 2, 0, 60, 0]) + _text("")
    publish = _text(topic) + bytes([0, 1, 0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.settimeout(5)
        sock.sendall(bytes([0x10, len(connect)]) + connect)
        assert sock.recv(256)[:1] == b"\x20"
        sock.sendall(bytes([0x32, len(publish)]) + publish)
        assert sock.recv(256)[:1] == b"\x40"


class FakeBroker:
    """Says yes to every MQTT 5 CONNECT; what it does with the next packet is its kind of trouble."""

    def __init__(self):
        self.port = free_port()
        self.times = []  # of connects, monotonic
        self.sock = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def connects(self):
        return len(self.times)

    @property
    def uri(self):
        return f"tcp://127.0.0.1:{self.port}"

    def _serve(self):
        while True:
            try:
                peer, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(peer,), daemon=True).start()

    def _attend(self, peer):
        with peer:
            peer.settimeout(60)
            try:
                if peer.recv(1024)[:1] == b"\x10":
                    self.times.append(time.monotonic())
                    peer.sendall(bytes([0x20, 3, 0, 0, 0]))
                    self.trouble(peer)
            except OSError:
                pass

    def trouble(self, peer):
        raise NotImplementedError

    def close(self):
        self.sock.close()


class Flapping(FakeBroker):
    """Hangs up at the packet that follows the CONNECT."""

    def trouble(self, peer):
        peer.recv(1024)


class Forbidding(FakeBroker):
    """Answers each SUBSCRIBE of one filter with: not authorized."""

    def trouble(self, peer):
        while True:
            packet = peer.recv(4096)
            if not packet:
                return
            if packet[0] == 0x82:
                peer.sendall(bytes([0x90, 4]) + packet[2:4] + bytes([0, 0x87]))
