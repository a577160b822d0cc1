# SPDX-License-Identifier: Apache-2.0
"""A bare MQTT 5 client: each packet is the test's own, so that what a broker does to it is plain."""

import socket
import struct

CONNACK, PUBLISH, SUBACK = 2, 3, 9


def _text(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def _number(value):
    """A variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


class RawClient:
    """One connection; `trace` holds a line for each packet, > sent and < received."""

    def __init__(self, port, client_id, receive_maximum=1000):
        self.trace = []
        self.buffer = b""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        # Clean start 0, session expiry an hour.
        properties = b"\x11" + struct.pack(">I", 3600) + b"\x21" + struct.pack(">H", receive_maximum)
        body = _text("MQTT") + bytes([5, 0, 0, 60, len(properties)]) + properties
        self._send(0x10, body + _text(client_id), f"CONNECT {client_id}")
        kind, body = self.take()
        assert kind == CONNACK and body[1] == 0, f"CONNACK {body.hex()}"
        self.session_present = bool(body[0] & 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def _send(self, head, body, text):
        self.trace.append(f"> {text}")
        self.sock.sendall(bytes([head]) + _number(len(body)) + body)

    def subscribe(self, topic_filter, packet_id):
        self._send(
            0x82,
            struct.pack(">HB", packet_id, 0) + _text(topic_filter) + b"\x01",
            f"SUBSCRIBE {packet_id} {topic_filter}",
        )

    def ack(self, packet_id):
        self._send(0x40, struct.pack(">H", packet_id), f"PUBACK {packet_id}")

    def take(self):
        """The next packet: (type, body)."""
        while True:
            size, at, shift = 0, 1, 0
            while at < len(self.buffer):
                size |= (self.buffer[at] & 127) << shift
                shift += 7
                at += 1
                if self.buffer[at - 1] < 128:
                    if len(self.buffer) < at + size:
                        break
                    packet, self.buffer = self.buffer[: at + size], self.buffer[at + size :]
                    return packet[0] >> 4, self._told(packet[0], packet[at:])
            more = self.sock.recv(65536)
            assert more, f"the broker closed the connection: {self.trace[-20:]}"
            self.buffer += more

    def _told(self, head, body):
        kind = head >> 4
        if kind == PUBLISH:
            packet_id, payload = self.publication(body)
            self.trace.append(f"< PUBLISH {packet_id} dup={head >> 3 & 1} {payload}")
        elif kind == SUBACK:
            self.trace.append(f"< SUBACK {int.from_bytes(body[:2], 'big')} {body[-1]:#04x}")
        else:
            self.trace.append(f"< type {kind} {body.hex()}")
        return body

    @staticmethod
    def publication(body):
        """Packet id and payload of a PUBLISH at QoS 1 whose properties are shorter than 128 bytes."""
        at = 2 + int.from_bytes(body[:2], "big")
        packet_id = int.from_bytes(body[at : at + 2], "big")
        return packet_id, body[at + 3 + body[at + 2] :].decode()

    def messages(self, count):
        """Takes so many messages: their (packet id, payload)."""
        found = []
        while len(found) < count:
            kind, body = self.take()
            if kind == PUBLISH:
                found.append(self.publication(body))
        return found

    def wait(self, wanted):
        """Takes packets up to one of this type; returns the messages that came before it."""
        found = []
        while True:
            kind, body = self.take()
            if kind == wanted:
                return found
            if kind == PUBLISH:
                found.append(self.publication(body))
