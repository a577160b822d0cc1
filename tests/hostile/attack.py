#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends broken HTTP to a server over raw sockets. Case I of seed S is always the same bytes in the
same pieces, so a case can be played again:

    tests/hostile/attack.py --url http://127.0.0.1:8083 --seed S [--first I] [--cases N] [--show]

A case is a few valid requests with a few changes: of method, target, headers, framing and body, and
of the bytes that come out. Wrong is an answer that is no HTTP, or one with 500 or another code that
says the server is at fault. Exit code 1 if there was one; each is printed with what was sent.
"""

import argparse
import dataclasses
import json
import random
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

# What a broken request may be answered with that starts with a 5: it asks for what is not there.
ALLOWED_5XX = {501, 505}
STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3}) ")
CONFIG = {
    "connector.class": "MqttSource",
    "tasks.max": "1",
    "mqtt.server.uri": "mqtt://127.0.0.1:1",
    "mqtt.topics": "hostile/#",
    "kafka.topic": "hostile",
}


@dataclasses.dataclass
class Request:
    """One request, in parts."""

    method: bytes
    target: bytes
    headers: list
    body: bytes

    def raw(self):
        """As bytes; Content-Length is as the headers say."""
        lines = [self.method + b" " + self.target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body


def pool(rng):
    """A valid request. Of the connectors named kept-... none is ever deleted."""
    kept = rng.choice(["kept-one", "kept-two", "kept-three"])
    victim = f"victim-{rng.randrange(20)}"
    create = {"name": victim, "config": CONFIG, "initial_state": "STOPPED"}
    merge = {"mqtt.topics": f"t/{rng.randrange(9)}"}
    choices = [
        ("GET", "/", None),
        ("GET", "/health", None),
        ("GET", "/metrics", None),
        ("GET", "/openapi.json", None),
        ("GET", "/connectors", None),
        ("GET", "/connectors?expand=status&expand=info", None),
        ("GET", f"/connectors/{kept}", None),
        ("GET", f"/connectors/{kept}/status", None),
        ("GET", f"/connectors/{kept}/tasks", None),
        ("GET", f"/connectors/{kept}/tasks/0/status", None),
        ("GET", f"/connectors/{victim}/config", None),
        ("HEAD", "/connectors", None),
        ("OPTIONS", "/connectors", None),
        ("POST", "/connectors", create),
        ("POST", "/connectors", create),
        ("PUT", f"/connectors/{victim}/config", CONFIG),
        ("PATCH", f"/connectors/{victim}/config", merge),
        ("PUT", f"/connectors/{victim}/pause", None),
        ("PUT", f"/connectors/{victim}/stop", None),
        ("POST", f"/connectors/{victim}/restart?includeTasks=true&onlyFailed=false", None),
        ("DELETE", f"/connectors/{victim}", None),
        ("GET", f"/connectors/{victim}/offsets", None),
        ("DELETE", f"/connectors/{victim}/offsets", None),
        ("GET", f"/connectors/{victim}/topics", None),
        ("GET", "/admin/loggers", None),
        ("PUT", "/admin/loggers/rest?scope=worker", {"level": "INFO"}),
        ("GET", "/connector-plugins?connectorsOnly=false", None),
        ("GET", "/connector-plugins/MqttSource/config?version=latest", None),
        ("PUT", "/connector-plugins/MqttSource/config/validate", CONFIG),
    ]
    method, target, value = rng.choice(choices)
    body = b"" if value is None else json.dumps(value).encode()
    headers = [(b"Host", b"127.0.0.1"), (b"Accept", b"application/json")]
    if body:
        headers += [(b"Content-Type", b"application/json")]
        headers += [(b"Content-Length", str(len(body)).encode())]
    return Request(method.encode(), target.encode(), headers, body)


def noise(rng, most=64):
    """Random bytes, printable or not."""
    size = rng.randrange(1, most)
    if rng.random() < 0.5:
        return bytes(rng.randrange(256) for _ in range(size))
    return bytes(rng.randrange(33, 127) for _ in range(size))


def set_header(request, name, value):
    """Replaces a header, or adds it."""
    request.headers = [pair for pair in request.headers if pair[0].lower() != name.lower()]
    request.headers.append((name, value))


def change_method(rng, request):
    request.method = rng.choice(
        [b"GET", b"PUT", b"POST", b"PATCH", b"TRACE", b"CONNECT", b"get", b"", b"G\0T", b"PRI"]
        + [b"X" * rng.choice([20, 5000, 40000]), noise(rng, 20).replace(b" ", b"")]
    )


def change_target(rng, request):
    tricks = [
        b"//",
        b"/./",
        b"/../",
        b"%00",
        b"%",
        b"%2",
        b"%zz",
        b"%2f",
        b"%25",
        b"%ff",
        b"%c0%af",
    ]
    tricks += [b"%0d%0aX: y", b"\\", b";a=b", b"?", b"&&==&", b"#f", b"\x01", b"\xff", b" ", b"\t"]
    tricks += [b"?" + b"&".join(b"a=%d" % i for i in range(rng.choice([10, 100])))]
    tricks += [
        b"a" * rng.choice([300, 8000, 9000, 70000]),
        b"/a" * rng.choice([9, 500]),
        noise(rng),
    ]
    at = rng.randrange(len(request.target) + 1)
    request.target = request.target[:at] + rng.choice(tricks) + request.target[at:]
    if rng.random() < 0.1:
        request.target = rng.choice(
            [b"*", b"http://h/connectors", b"http://", b"connectors", b"http://[::1/", b"//h/x"]
        )


def change_header(rng, request):
    long = b"v" * rng.choice([100, 5000, 40000, 140000])
    values = [b"", b"\0", b"a\r\n b", b"\xff\xfe", long, noise(rng), b"text/html", b"*/*;q=x"]
    values += [b'application/json; charset="', b"application/json;q=0", b"chunked", b"gzip"]
    names = [b"Accept", b"Content-Type", b"Host", b"Expect", b"Connection", b"Authorization"]
    names += [b"Transfer-Encoding", b"X-Sluice-Position", b"Cookie", b"Origin", b"", b"A b", b"A\0"]
    names += [b"Upgrade", b"Range", noise(rng, 20)]
    kind = rng.randrange(6)
    if kind == 0:
        request.headers += [(b"X-%d" % i, b"y") for i in range(rng.choice([50, 3000]))]
    elif kind == 1 and request.headers:
        request.headers.append(rng.choice(request.headers))
    elif kind == 2 and request.headers:
        del request.headers[rng.randrange(len(request.headers))]
    elif kind == 3:
        set_header(request, b"Expect", b"100-continue")
    else:
        request.headers.append((rng.choice(names), rng.choice(values)))


def change_length(rng, request):
    size = len(request.body)
    values = [b"-1", b"0", b"+5", b"0x10", b"99999999999999999999999", b"1e3", b"", b" 5 5", b"5,5"]
    values += [str(max(0, size + rng.choice([-20, -1, 1, 20, 5000]))).encode()]
    values += [str(rng.choice([2**20, 2**20 + 1, 2**24, 2**24 + 1, 2**31, 2**63, 2**64])).encode()]
    set_header(request, b"Content-Length", rng.choice(values))


def change_chunks(rng, request):
    """Chunked encoding, right or wrong."""
    set_header(
        request, b"Transfer-Encoding", rng.choice([b"chunked"] * 6 + [b"gzip, chunked", b"x"])
    )
    if rng.random() < 0.8:
        request.headers = [pair for pair in request.headers if pair[0] != b"Content-Length"]
    body, out = request.body, b""
    while body:
        size = rng.randrange(1, len(body) + 1)
        head = b"%x" % size
        if rng.random() < 0.1:
            head = rng.choice([b"-1", b"", b"zz", b"f" * 20, head + b';e="', b"%x" % (size + 9)])
        out += head + rng.choice([b"\r\n"] * 9 + [b"\n"]) + body[:size] + b"\r\n"
        body = body[size:]
    out += rng.choice(
        [b"0\r\n\r\n"] * 6 + [b"0\r\nT: 1\r\n\r\n", b"0\r\n", b"", b"00000000000000000\r\n\r\n"]
    )
    request.body = out


def change_json(rng, request):
    """The body as JSON that is wrong in form or in meaning."""
    tokens = [
        b"null",
        b"{}",
        b"[]",
        b"1e999",
        b"-0",
        b'"\\ud800"',
        b'"\\u0000"',
        b"\xff",
        b"\xef\xbb\xbf",
    ]
    tokens += [b'"a":', b"}", b"{", b"[" * rng.choice([70, 3000]), b",", b"//", b"NaN", b"0" * 100]
    tokens += [b'{"a":' * 200, b'"' + b"k" * rng.choice([300, 70000]) + b'":1,', b"\0", b"1" * 400]
    at = rng.randrange(len(request.body) + 1)
    cut = rng.choice([0, 0, 1, 5, len(request.body)])
    request.body = request.body[:at] + rng.choice(tokens) + request.body[at + cut :]
    set_header(request, b"Content-Length", str(len(request.body)).encode())


def change_config(rng, request):
    """A create whose names and values are odd but valid JSON."""
    odd = [
        "",
        " ",
        ".",
        "..",
        "/",
        "a/b",
        "a%2Fb",
        "\\",
        "?",
        "#",
        "ä",
        "💧",
        "a\nb",
        "\x7f",
        "x" * 300,
    ]
    odd += [
        "x" * 20000,
        "${file:/etc/passwd:a}",
        "${env:PATH}",
        "${",
        "[hidden]",
        "-1",
        "1e9",
        "null",
    ]
    odd += [" kept-one ", "victim-0", "\u202e", "a;b", "a+b"]
    config = dict(CONFIG)
    for _ in range(rng.randrange(4)):
        key = rng.choice([*CONFIG, "name", "transforms", "mqtt.qos", "errors.tolerance", *odd])
        config[key] = rng.choice([*odd, 5, -1, True, None, 1e300, [], {}, "a,a", "MqttSource"])
    value = {"name": rng.choice([*odd, f"victim-{rng.randrange(20)}"]), "config": config}
    value["initial_state"] = rng.choice(["STOPPED"] * 4 + ["paused", "", None, 3])
    request.method, request.target = b"POST", b"/connectors"
    request.body = json.dumps(value).encode()
    set_header(request, b"Content-Length", str(len(request.body)).encode())


def change_size(rng, request):
    """A body around or beyond the limit."""
    size = rng.choice([2**16, 2**20 - 1, 2**20, 2**20 + 1, 2**21])
    request.body = b'{"a":"' + b"b" * (size - 8) + b'"}'
    set_header(request, b"Content-Length", str(len(request.body)).encode())


CHANGES = [change_method, change_target, change_target, change_header, change_header, change_length]
CHANGES += [change_chunks, change_json, change_json, change_config, change_config, change_size]


def change_bytes(rng, raw):
    """Changes bytes, wherever they are."""
    at = rng.randrange(len(raw) + 1)
    kind = rng.randrange(5)
    if kind == 0:
        return raw[:at]
    if kind == 1:
        return raw[:at] + noise(rng, 12) + raw[at + rng.randrange(12) :]
    if kind == 2:
        return raw[:at] + raw[at + rng.randrange(30) :]
    if kind == 3:
        return raw.replace(
            b"\r\n", rng.choice([b"\n", b"\r", b"\r\r\n", b"\r\n "]), rng.randrange(1, 4)
        )
    start = rng.randrange(len(raw) + 1)
    return raw[:at] + raw[start : start + 200] + raw[at:]


def endangers(raw):
    """Whether these bytes might delete what must stay: such a case is not sent."""
    plain = urllib.parse.unquote_to_bytes(raw)
    return any(b"DELETE" in line and b"kept" in line for line in plain.split(b"\n"))


@dataclasses.dataclass
class Case:
    """What is sent: pieces, and how the connection ends."""

    pieces: list
    ending: str


def make_case(seed, number):
    """Case `number` of `seed`; always the same."""
    rng = random.Random(f"{seed}-{number}")
    requests = [pool(rng) for _ in range(rng.choice([1, 1, 1, 1, 2, 3, 8]))]
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        rng.choice(CHANGES)(rng, rng.choice(requests))
    raw = b"".join(request.raw() for request in requests)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        raw = change_bytes(rng, raw)
    if endangers(raw):
        raw = b""
    pieces = [raw]
    if rng.random() < 0.2:
        cuts = sorted(rng.randrange(len(raw) + 1) for _ in range(rng.randrange(1, 6)))
        pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)])]
    return Case(pieces, rng.choice(["read"] * 7 + ["half", "close", "reset"]))


def converse(address, case, patience=1.0, silence=0.15):
    """Sends a case and returns all that came back: what there is when nothing has come for `patience`
    seconds at first, or for `silence` after that. A server need not end a connection by itself."""
    answer = b""
    with socket.create_connection(address, timeout=10) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in case.pieces:
                peer.sendall(piece)
            if case.ending == "reset":
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if case.ending in ("reset", "close"):
                return answer
            if case.ending == "half":
                peer.shutdown(socket.SHUT_WR)
            peer.settimeout(patience)
            while True:
                got = peer.recv(65536)
                if not got:
                    return answer
                answer += got
                peer.settimeout(silence)
        except OSError:
            return answer


def judge(answer):
    """What is wrong with an answer, None if nothing. Only its first head is looked at, and every
    further one that starts where a head may start."""
    if not answer:
        return None
    first = STATUS.match(answer)
    if not first:
        return f"no HTTP: {answer[:80]!r}"
    for found in re.finditer(rb"HTTP/1\.[01] (\d{3}) [A-Z]", answer):
        code = int(found.group(1))
        if code >= 500 and code not in ALLOWED_5XX:
            return f"status {code}: {answer[found.start() : found.start() + 400]!r}"
    return None


class Attack:
    """Runs cases from several threads until time or number is up."""

    def __init__(self, address, seed, first=0, cases=None, seconds=None):
        self.address = address
        self.seed = seed
        self.next = first
        self.end = None if cases is None else first + cases
        self.until = None if seconds is None else time.monotonic() + seconds
        self.lock = threading.Lock()
        self.wrong = []
        self.codes = {}
        self.sent = 0

    def _take(self):
        with self.lock:
            if self.end is not None and self.next >= self.end:
                return None
            if self.until is not None and time.monotonic() >= self.until:
                return None
            self.next += 1
            return self.next - 1

    def _run(self):
        number = self._take()
        while number is not None:
            case = make_case(self.seed, number)
            try:
                answer = converse(self.address, case)
                why = judge(answer)
            except OSError as error:
                answer, why = b"", f"no connection: {error}"
            status = STATUS.match(answer)
            code = status.group(1).decode() if status else "none"
            with self.lock:
                self.sent += 1
                self.codes[code] = self.codes.get(code, 0) + 1
                if why:
                    self.wrong.append((number, why, b"".join(case.pieces)[:2000]))
            number = self._take()

    def run(self, threads=16):
        """Returns when all is sent. wrong: (number, why, sent bytes); codes: how often each."""
        started = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        return self

    def go_on(self, cases):
        """Runs so many more cases, whatever bounded it before."""
        self.until = None
        self.end = self.next + cases
        return self.run()


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--show", action="store_true", help="print what is sent, send nothing")
    options = parser.parse_args()
    if options.show:
        for number in range(options.first, options.first + options.cases):
            print(number, make_case(options.seed, number))
        return 0
    url = urllib.parse.urlsplit(options.url)
    attack = Attack((url.hostname, url.port), options.seed, options.first, options.cases).run()
    for number, why, sent in attack.wrong:
        print(f"seed {options.seed} case {number}: {why}\n  sent {sent!r}")
    print(f"{attack.sent} cases, first codes {dict(sorted(attack.codes.items()))}")
    return 1 if attack.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
