# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy that can be cut: connections stay open and nothing comes through until it heals."""

import socket
import threading

from lab import Kafka, free_port


class Proxy:
    """Forwards a loopback port of its own to another one. Threads end with their connections."""

    def __init__(self, target):
        self.target = target
        self.port = free_port()
        self.whole = threading.Event()
        self.whole.set()
        self.sock = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def cut(self):
        """From now on bytes wait here, in both directions, and so do new connections."""
        self.whole.clear()

    def heal(self):
        self.whole.set()

    def close(self):
        self.heal()
        self.sock.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(client,), daemon=True).start()

    def _attend(self, client):
        self.whole.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                self.whole.wait()
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def kafka_with_side_door(lab):
    """A Kafka and a proxy to a second listener of it, under which it advertises the proxy."""
    kafka = Kafka(lab.folder, name=lab.unique("kafka"))
    side = free_port()
    proxy = Proxy(side)
    settings = kafka.settings
    settings["listeners"] += f",SIDE://127.0.0.1:{side}"
    settings["advertised.listeners"] += f",SIDE://{proxy.address}"
    settings["listener.security.protocol.map"] += ",SIDE:PLAINTEXT"
    settings["inter.broker.listener.name"] = "PLAINTEXT"
    lines = "".join(f"{key}={value}\n" for key, value in settings.items())
    (kafka.folder / "server.properties").write_text(lines)
    lab.parts.append(kafka)
    return kafka.start(), proxy
