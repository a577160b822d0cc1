# SPDX-License-Identifier: Apache-2.0
"""HTTP as it stands on the wire: targets, methods and bodies are sent exactly as they are given.

A library would refuse or mend half of what a hostile client sends.
"""

import http.client
import json
import socket

KEPT_HEADERS = ("Content-Type", "Location", "Allow", "Retry-After", "WWW-Authenticate")


class Answer:
    """Status, the headers that matter, and the body: parsed if it is JSON, else text."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def __repr__(self):
        shown = self.body if isinstance(self.body, str) else json.dumps(self.body, sort_keys=True)
        return f"{self.status} {self.headers} {shown}"

    @property
    def message(self):
        """The text of an error body, else ""."""
        found = self.body.get("message") if isinstance(self.body, dict) else None
        return found if isinstance(found, str) else ""


def encode(method, target, host, headers=None, body=None):
    """The bytes of one request; `body` is bytes or None."""
    lines = {"Host": host, "Connection": "close"}
    if body is not None:
        lines["Content-Type"] = "application/json"
        lines["Content-Length"] = str(len(body))
    for name, value in (headers or {}).items():
        lines[name] = value
    head = [f"{method} {target} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in lines.items() if value is not None]
    return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + (body or b"")


def exchange(port, raw, method="GET", timeout=30):
    """Sends raw bytes to a loopback port and returns the Answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as sock:
        sock.sendall(raw)
        response = http.client.HTTPResponse(sock, method=method)
        try:
            response.begin()
            text = response.read()
        except (http.client.HTTPException, ConnectionError) as error:
            return Answer(0, {}, f"no answer: {error!r}")
    headers = {name: response.headers.get(name) for name in KEPT_HEADERS}
    headers = {name: value for name, value in headers.items() if value is not None}
    try:
        return Answer(response.status, headers, json.loads(text))
    except ValueError:
        return Answer(response.status, headers, text.decode(errors="replace"))
