# SPDX-License-Identifier: Apache-2.0
"""The REST server's own business: https, certificates of clients, forwarding over https, passwords
and roles, admin listeners, CORS, headers, and clients that are slow, many, or say nonsense."""

import base64
import concurrent.futures
import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import time

import pytest
from certificates import Authority

from lab import find_program, request, wait_until
from lab.proc import free_port

PASSWORD = "opensesame"


def hash_of(password):
    done = subprocess.run(
        [find_program(), "--hash-password"],
        input=password + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def basic(user, password=PASSWORD):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def trusting(authority, client=None, version=None):
    """An SSL context that trusts an authority and shows a client's PEM file."""
    context = ssl.create_default_context(cafile=str(authority.pem))
    if client:
        context.load_cert_chain(client)
    if version:
        context.minimum_version = context.maximum_version = version
    return context


class Secure:
    """The https side of a worker: requests as `worker.get` makes them, and the certificate."""

    def __init__(self, port, context):
        self.port = port
        self.context = context

    def ask(self, method, path, body=None, headers=None):
        link = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=30)
        try:
            text = json.dumps(body) if body is not None else None
            sent = {"Content-Type": "application/json"} if text else {}
            link.request(method, path, text, {**sent, **(headers or {})})
            answer = link.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            link.close()

    def certificate(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as plain:
            with self.context.wrap_socket(plain, server_hostname="127.0.0.1") as link:
                return link.getpeercert(binary_form=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


def https_properties(worker_port, secure_port, store, authority, **more):
    """Both kinds of listeners; other workers use https."""
    return {
        "listeners": f"http://127.0.0.1:{worker_port}, https://127.0.0.1:{secure_port}",
        "rest.advertised.listener": "https",
        "rest.advertised.port": str(secure_port),
        "listeners.https.ssl.keystore.type": "PEM",
        "listeners.https.ssl.keystore.location": str(store),
        "listeners.https.ssl.truststore.type": "PEM",
        "listeners.https.ssl.truststore.location": str(authority.pem),
        **more,
    }


def launch(crew, properties):
    """Adds a worker whose properties depend on its own port; waits until it serves."""
    worker = crew.lab.new_worker(
        crew.kafka, crew.group, crew.properties, name="worker", program=crew.program
    )
    crew.workers.append(worker)
    worker.properties.update(properties(worker.port))
    worker.start()
    return worker


@pytest.fixture(scope="module")
def secured(lab, kafka, mosquitto, authority, tmp_path_factory):
    """Two workers that talk https with certificates on both sides, and ask users for passwords."""
    from lab import Cluster

    folder = tmp_path_factory.mktemp("passwords")
    users = folder / "users"
    users.write_text(f"ann:{hash_of(PASSWORD)}:admin\nbob:{hash_of(PASSWORD)}:read-only\n")
    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="secured")
    made.users = users
    made.secure = []
    client = authority.issue("client", hosts="DNS:client")
    for number in range(2):
        store = authority.issue(f"worker-{number}")
        port, probes = free_port(), free_port()
        made.probes = f"http://127.0.0.1:{probes}"
        launch(
            made,
            lambda own, port=port, store=store, probes=probes: https_properties(
                own,
                port,
                store,
                authority,
                **{
                    "listeners.https.ssl.client.auth": "required",
                    "rest.auth.type": "basic",
                    "rest.auth.password.file": str(users),
                    "admin.listeners": "",
                    "probe.listeners": f"http://127.0.0.1:{probes}",
                    "access.control.allow.origin": "https://ui.example.com",
                    "access.control.allow.methods": "GET,POST,PUT,DELETE",
                    "response.http.headers.config": "set X-Frame-Options: DENY",
                    "log.level": "DEBUG",
                },
            ),
        )
        made.secure.append(Secure(port, trusting(authority, client)))
        made.secure[-1].store = store
    for worker in made.workers:
        worker.wait_slots()
    yield made
    made.close()


# --- https


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_needs_a_certificate_of_the_authority(secured, authority, tmp_path, version):
    client = authority.issue("client", hosts="DNS:client")
    port = secured.secure[0].port
    assert Secure(port, trusting(authority, client, version)).ask("GET", "/health")[0] == 200
    stranger = Authority(tmp_path, "stranger").issue("intruder")
    for context in (
        trusting(authority, None, version),
        trusting(authority, stranger, version),
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)) as refused:
            Secure(port, context).ask("GET", "/health")
        # With TLS 1.3 the client has spoken already, and the end of the connection may overtake
        # the alert.
        if version == ssl.TLSVersion.TLSv1_2:
            assert "certificate" in str(refused.value)


def test_a_probe_takes_the_listeners_own_certificate_for_good(secured, tmp_path):
    """A health check asks this machine's address, which no certificate names."""
    side = secured.secure[0]
    worker = secured.workers[0]

    def probe(*words, **changes):
        listener = {"listeners": f"https://127.0.0.1:{side.port}"}
        properties = {**worker.properties, **listener, **changes}
        path = tmp_path / "probe.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        argv = [find_program(), "--probe", str(path), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)

    done = probe()
    assert done.returncode == 0, done.stderr
    # A URL that is given is checked as any other is: against the authority and the name in it.
    assert probe(f"https://127.0.0.1:{side.port}/health").returncode == 0
    other = Authority(tmp_path).issue("another")
    done = probe(**{"listeners.https.ssl.keystore.location": str(other)})
    assert done.returncode == 1
    assert "certificate" in done.stderr
    assert probe(f"https://127.0.0.1:{side.port}/connectors").returncode == 1


def test_who_probes_needs_neither_certificate_nor_password_and_gets_nothing_else(secured):
    for path in ("startup", "live", "ready"):
        assert request("GET", f"{secured.probes}/health/{path}").status == 200
    for path in ("/", "/health", "/metrics", "/connectors", "/admin/loggers"):
        assert request("GET", secured.probes + path, headers=basic("ann")).status == 404
    assert request("POST", f"{secured.probes}/connectors", {}, headers=basic("ann")).status == 404
    worker = secured.workers[0]
    config = worker.folder / "probes.properties"
    config.write_text(worker.config_file.read_text() + "probe.listeners=https://:1\n")
    done = subprocess.run(
        [find_program(), "--check", config], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1 and "probe.listeners" in done.stderr, done.stderr


def test_old_versions_and_plain_text_are_refused(secured, authority):
    context = trusting(authority)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Secure(secured.secure[0].port, context).ask("GET", "/health")
    with socket.create_connection(("127.0.0.1", secured.secure[0].port), timeout=30) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1" not in plain.recv(1000)
    assert secured.secure[0].ask("GET", "/health")[0] == 200


def test_a_renewed_certificate_is_served_without_a_restart(secured, authority):
    secure = secured.secure[1]
    before = secure.certificate()
    worker = secured.workers[1]
    secure.store.write_text("no PEM at all\n")
    assert secure.certificate() == before
    assert "REST-TLS-RELOAD-FAILED" in worker.log_tail(200)
    authority.issue("worker-1", file=secure.store)
    assert secure.certificate() != before
    assert secure.ask("GET", "/health")[0] == 200


def test_a_follower_sends_writes_on_over_https_with_the_users_credentials(secured):
    config = secured.source_config()
    for number, secure in enumerate(secured.secure):
        name = f"over-https-{number}"
        wanted = {"name": name, "config": config, "initial_state": "STOPPED"}
        status, headers, body = secure.ask("POST", "/connectors", wanted, basic("ann"))
        assert status == 201, body
        assert headers["Location"] == f"https://127.0.0.1:{secure.port}/connectors/{name}"
        assert headers["X-Frame-Options"] == "DENY"
        for other in secured.secure:
            wait_until(
                lambda o=other, n=name: o.ask(
                    "GET", f"/connectors/{n}/config", None, basic("bob")
                )[0]
                == 200,
                20,
                "every worker to show the connector",
            )
        assert secure.ask("DELETE", f"/connectors/{name}", None, basic("ann"))[0] == 204
    # One of the two asked the other, which knew the user too: never anybody without a name.
    asked = {"/connectors": 2, "/connectors?forward=false": 1}

    def lines():
        logs = "".join(worker.log.read_text() for worker in secured.workers)
        return {
            path: logs.count(f"user=ann method=POST path={path} code=201") for path in asked
        }

    # A line follows the answer that it tells of.
    wait_until(
        lambda: all(count >= asked[path] for path, count in lines().items()),
        30,
        lambda: f"{asked} lines of the access log, there are {lines()}",
    )
    assert lines() == asked


def test_a_leader_with_a_wrong_name_is_not_trusted(secured, authority):
    """A follower that is led by whoever has another name in its certificate sends it nothing."""
    secure = secured.secure[:2]
    stores = [item.store for item in secure]
    originals = [store.read_text() for store in stores]
    try:
        for number, store in enumerate(stores):
            authority.issue(f"elsewhere-{number}", hosts="DNS:elsewhere.example", file=store)
        wanted = {"name": "misled", "config": secured.source_config(), "initial_state": "STOPPED"}
        answers = []
        for number, worker in enumerate(secured.workers):
            body = {**wanted, "name": f"misled-{number}"}
            answers.append(worker.post("/connectors", body, headers=basic("ann")))
        assert sorted(answer.status for answer in answers) == [201, 500], answers
        refused = next(answer for answer in answers if answer.status == 500)
        assert refused.body["message"].startswith("IO Error trying to forward REST request: SSL")
    finally:
        for store, original in zip(stores, originals):
            store.write_text(original)
    for number in range(2):
        secured.rest.delete(f"/connectors/misled-{number}", headers=basic("ann"))


# --- passwords


def test_users_need_their_password_and_read_only_users_only_read(secured):
    worker = secured.workers[0]
    assert worker.get("/health").status == 200
    for probe in ("startup", "live", "ready"):
        assert worker.get(f"/health/{probe}").status == 200
    for path in ("/", "/connectors", "/nowhere", "/metrics", "/connector-plugins"):
        for headers in ({}, basic("ann", "wrong"), basic("eve"), {"Authorization": "Basic !"}):
            answer = worker.get(path, headers=headers)
            assert answer.status == 401, (path, headers)
            assert answer.body == {
                "error_code": 401,
                "message": "User cannot access the resource.",
            }
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    for user in ("ann", "bob"):
        assert worker.get("/connectors", headers=basic(user)).status == 200
        assert worker.get("/nowhere", headers=basic(user)).status == 404
    for method, path in (
        ("POST", "/connectors"),
        ("DELETE", "/connectors/x"),
        ("PUT", "/connectors/x/pause"),
        ("POST", "/connectors/x/restart"),
        ("PUT", "/connector-plugins/x/config/validate"),
    ):
        answer = getattr(worker, method.lower())(path, headers=basic("bob"))
        assert answer.status == 403, (method, path)
        assert "read only" in answer.body["message"]
    assert PASSWORD not in worker.log.read_text()


def test_changed_passwords_count_at_once(secured):
    worker = secured.workers[0]
    before = secured.users.read_text()
    try:
        secured.users.write_text(before + f"carol:{hash_of('another')}\n")
        assert worker.get("/connectors", headers=basic("carol", "another")).status == 200
        secured.users.write_text("carol:plain\n")
        assert worker.get("/connectors", headers=basic("carol", "another")).status == 200
        assert worker.get("/connectors", headers=basic("ann")).status == 200
        secured.users.write_text(before.replace("bob", "rob"))
        assert worker.get("/connectors", headers=basic("carol", "another")).status == 401
        assert worker.get("/connectors", headers=basic("bob")).status == 401
        assert worker.get("/connectors", headers=basic("rob")).status == 200
    finally:
        secured.users.write_text(before)
    assert worker.get("/connectors", headers=basic("bob")).status == 200
    assert "REST-AUTH-RELOAD-FAILED" in worker.log.read_text()


# --- admin listeners, CORS


def test_admin_paths_are_served_where_admin_listeners_says(secured, cluster, authority):
    # Empty: nowhere.
    assert secured.workers[0].get("/admin/loggers", headers=basic("ann")).status == 404
    crew = cluster(0)
    admin = free_port()
    secure = free_port()
    store = authority.issue("admin")
    worker = launch(
        crew,
        lambda port: {
            "admin.listeners": f"http://127.0.0.1:{admin}, https://127.0.0.1:{secure}",
            "admin.listeners.https.ssl.keystore.location": str(store),
        },
    )
    assert worker.get("/admin/loggers").status == 404
    assert worker.get("/connectors").status == 200
    side = Secure(secure, trusting(authority))
    status, _, body = side.ask("GET", "/admin/loggers")
    assert status == 200 and "root" in json.loads(body)
    assert side.ask("PUT", "/admin/loggers/sluice.rest", {"level": "WARN"})[0] == 200
    wait_until(lambda: side.ask("GET", "/health/ready")[0] == 200, 30, "the worker to be ready")
    for path in ("/", "/connectors", "/health"):
        status, _, body = side.ask("GET", path)
        assert status == 404
        assert json.loads(body)["error_code"] == 404
    with socket.create_connection(("127.0.0.1", admin), timeout=30) as link:
        link.sendall(b"GET /connectors HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert link.recv(1000).startswith(b"HTTP/1.1 404 ")


def test_pages_of_the_allowed_origin_may_ask(secured):
    worker = secured.workers[0]
    origin = {"Origin": "https://ui.example.com"}
    ask = {**origin, "Access-Control-Request-Method": "PUT"}
    link = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=30)
    link.request("OPTIONS", "/connectors/x/config", headers=ask)
    answer = link.getresponse()
    assert answer.status == 200
    answer.read()
    assert answer.headers["Access-Control-Allow-Methods"] == "GET,POST,PUT,DELETE"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    denied = worker.get("/connectors", headers=origin)
    assert denied.status == 401
    assert denied.headers["Access-Control-Allow-Origin"] == "https://ui.example.com"
    other = worker.get("/connectors", headers={**basic("bob"), "Origin": "https://evil.example"})
    assert other.status == 200
    assert other.headers["Access-Control-Allow-Origin"] is None
    assert other.headers["Vary"] == "Origin"
    link.request("OPTIONS", "/connectors", headers={**ask, "Origin": "https://evil.example"})
    assert link.getresponse().status == 401
    link.close()


# --- clients of all kinds


def alone(lab, kafka, mosquitto, name, **properties):
    """Makes a cluster of one worker that takes 80 connections; yields the worker."""
    from lab import Cluster

    properties = {"rest.max.connections": "80", **properties}
    made = Cluster(
        lab, kafka, mosquitto, program=find_program(), name=name, properties=properties
    )
    made.add(1)
    yield made.workers[0]
    made.close()


@pytest.fixture(scope="module")
def plain(lab, kafka, mosquitto):
    """A worker that soon closes what is idle."""
    yield from alone(lab, kafka, mosquitto, "plain", **{"rest.idle.timeout.ms": "1000"})


@pytest.fixture(scope="module")
def patient(lab, kafka, mosquitto):
    """A worker that closes idle connections after half a minute, as by default."""
    yield from alone(lab, kafka, mosquitto, "patient")


def read_answer(file):
    """Status and body of the next answer of a connection."""
    status, size = int(file.readline().split()[1]), 0
    while (line := file.readline().strip()) != b"":
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            size = int(value)
    return status, file.read(size)


def test_pipelined_requests_of_one_packet_are_answered_in_order(plain):
    paths = ["/", "/connectors", "/metrics", "/nowhere", "/connectors?expand=status", "/health"] * 5
    text = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths[:-1])
    text += f"GET {paths[-1]} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30) as link:
        link.sendall(text.encode())
        file = link.makefile("rb")
        answers = [read_answer(file) for _ in paths]
        got = [(status, body[:12]) for status, body in answers]
        assert file.read() == b""
    starts = {
        "/": (200, b'{"version":"'),
        "/connectors": (200, b"[]"),
        "/metrics": (200, b"# HELP sluic"),
        "/nowhere": (404, b'{"error_code'),
        "/connectors?expand=status": (200, b"{}"),
        "/health": (200, b'{"status":"h'),
    }
    assert got == [starts[path] for path in paths]


DRIPS = {
    "nothing": (b"", b""),
    "request line": (b"GET /heal", b"t"),
    "headers": (b"GET /health HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "body": (b"PUT /connectors/a/config HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"{"),
    "chunks": (
        b"POST /connectors HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    "endless answer": (b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 200),
}


STEP_S = 0.25
FOREVER_S = 60


class Drip:
    """A client that sends `again` four times a second, and reads nothing."""

    def __init__(self, port, kind):
        self.first, self.again = DRIPS[kind]
        # The time that it has waited: what a busy machine keeps it from is none of the server's.
        self.waited = 0.0
        self.link = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.link.sendall(self.first)
        self.link.settimeout(STEP_S)

    def step(self, act):
        """What act() returns; None when it could not be done within a quarter of a second."""
        try:
            return act()
        except TimeoutError:
            self.waited += STEP_S
            return None

    def until_closed(self):
        """Goes on until the server closes the connection; returns the seconds that it waited.

        None when the server never does.
        """
        begin = time.monotonic()
        with self.link:
            try:
                while time.monotonic() - begin < FOREVER_S:
                    if self.again:
                        self.step(lambda: self.link.sendall(self.again))
                    if self.step(self.closed):
                        return self.waited
            except ConnectionError:
                return self.waited
        return None

    def closed(self):
        """Waits for something to read; whether that is the connection's end."""
        seen = self.link.recv(1, socket.MSG_PEEK)
        if seen and len(self.again) > 100:
            # An answer is there that nobody takes: only an error tells of the end.
            self.link.send(b"G")
        return not seen


@pytest.mark.parametrize("kind", DRIPS)
def test_clients_that_drip_are_closed(plain, kind):
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        ends = [pool.submit(lambda: Drip(plain.port, kind).until_closed()) for _ in range(20)]
        while not all(end.done() for end in ends):
            assert plain.get("/connectors").status == 200
        waited = [end.result() for end in ends]
    assert None not in waited, waited
    assert max(waited) < 8, waited


@pytest.mark.parametrize("kind", DRIPS)
def test_nobody_waits_for_clients_that_drip(patient, kind):
    """All answers come while not one of the slow clients' connections has ended."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        drips = [Drip(patient.port, kind) for _ in range(20)]
        ends = [pool.submit(drip.until_closed) for drip in drips]
        wait_until(lambda: all(drip.waited > 0 for drip in drips), 30, "all to wait for the server")
        for _ in range(20):
            assert patient.get("/connectors").status == 200
        still = sum(not end.done() for end in ends)
        for drip in drips:
            with contextlib.suppress(OSError):
                drip.link.shutdown(socket.SHUT_RDWR)
    assert still == 20


def test_too_many_connections_are_told_to_come_again_and_probes_are_served(patient):
    links = []
    try:
        for _ in range(80):
            link = socket.create_connection(("127.0.0.1", patient.port), timeout=10)
            link.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Not-Yet-All: ")
            links.append(link)

        def full():
            answer = patient.get("/connectors", timeout=5)
            return answer if answer.status == 503 else None

        answer = wait_until(full, 20, "the server to be full")
        assert answer.headers["Retry-After"] == "1"
        assert answer.body["error_code"] == 503
        assert patient.get("/health", timeout=5).status == 200
        assert "sluice_rest_rejected_total" in patient.get("/metrics", timeout=5).body
    finally:
        for link in links:
            link.close()
    wait_until(lambda: patient.get("/connectors").status == 200, 20, "room again")


def test_ten_thousand_requests_on_64_connections_leave_the_memory_as_it_was(patient):
    request = b"GET /connectors HTTP/1.1\r\nHost: x\r\n\r\n"

    def ask(count):
        with socket.create_connection(("127.0.0.1", patient.port), timeout=30) as link:
            file = link.makefile("rb")
            for _ in range(count):
                link.sendall(request)
                assert read_answer(file)[0] == 200

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        list(pool.map(ask, [40] * 64))
        before = patient.rss_kb()
        list(pool.map(ask, [157] * 64))
    assert patient.rss_kb() < before + 2000, before
