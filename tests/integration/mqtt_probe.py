# SPDX-License-Identifier: Apache-2.0
"""A raw MQTT 5 CONNECT, to ask a broker whether it keeps a session."""

import socket
import struct


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
