# SPDX-License-Identifier: Apache-2.0
"""The REST interface of real workers: Connect's answers, on every worker, and what it refuses."""

import concurrent.futures
import http.client
import json
import socket
import time
import urllib.parse

import pytest

from lab import wait_until

CHANGES = 30


def connector_config(cluster, **changes):
    return cluster.source_config(mqtt_password="opensesame", mqtt_username="me", **changes)


@pytest.fixture(scope="module")
def pair(lab, kafka, mosquitto):
    """Two workers for all tests of this file: connectors have names of their own."""
    from lab import Cluster, find_program

    made = Cluster(lab, kafka, mosquitto, program=find_program(), name="rest")
    made.add(2)
    yield made
    made.close()


@pytest.fixture
def name(request):
    return request.node.name.replace("[", "-").replace("]", "")


def both(cluster):
    """Each worker in turn is the one that is asked first: one of them leads, the other does not."""
    first, second = cluster.workers
    return [(first, second), (second, first)]


def error_of(answer):
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body["error_code"] == answer.status
    return answer.body["message"]


def test_root_and_health(pair):
    for worker in pair.workers:
        root = worker.get("/").body
        assert root["version"] == "4.1.1"
        assert len(root["kafka_cluster_id"]) >= 20
        assert worker.get("/health").body["status"] == "healthy"


def test_life_of_a_connector_through_either_worker(pair, name):
    for turn, (asked, other) in enumerate(both(pair)):
        own = f"{name}-{turn}"
        config = connector_config(pair)
        answer = asked.post("/connectors", {"name": own, "config": config})
        assert answer.status == 201, answer
        assert answer.headers["Location"] == f"{asked.url}/connectors/{own}"
        assert answer.body["tasks"] == []
        assert answer.body["type"] == "source"
        masks = {"mqtt.username": "[hidden]", "mqtt.password": "[hidden]"}
        shown = {**config, "name": own, **masks}
        assert answer.body["config"] == shown
        assert asked.get(f"/connectors/{own}/config").body == shown
        assert asked.post("/connectors", {"name": own, "config": config}).status == 409
        status = pair.wait_running(own, tasks=2)
        assert [task["id"] for task in status["tasks"]] == [0, 1]
        assert status["type"] == "source"
        assert all(task["version"] for task in status["tasks"])
        wait_until(
            lambda: [t["id"]["task"] for t in other.get(f"/connectors/{own}/tasks").body] == [0, 1],
            10,
            "both workers to show the tasks",
        )
        assert asked.put(f"/connectors/{own}/pause").status == 202
        wait_state(pair, own, "PAUSED")
        assert asked.put(f"/connectors/{own}/resume").status == 202
        pair.wait_running(own, tasks=2)
        assert asked.post(f"/connectors/{own}/restart").status == 204
        plan = asked.post(f"/connectors/{own}/restart?includeTasks=true")
        assert plan.status == 202
        assert {task["state"] for task in plan.body["tasks"]} == {"RESTARTING"}
        pair.wait_running(own, tasks=2)
        assert asked.post(f"/connectors/{own}/tasks/1/restart").status == 204
        assert asked.put(f"/connectors/{own}/stop").status == 204
        wait_state(pair, own, "STOPPED")
        assert asked.delete(f"/connectors/{own}").status == 204
        assert asked.get(f"/connectors/{own}").status == 404
        wait_until(
            lambda: asked.get(f"/connectors/{own}/status").status == 404, 30, "status to go"
        )


def wait_state(cluster, name, state):
    def reached():
        status = cluster.status(name)
        tasks = {task["state"] for task in status["tasks"]} if status else None
        return status and status["connector"]["state"] == state and tasks <= {state}

    wait_until(reached, 30, lambda: f"{name} to be {state}: {cluster.status(name)}")


def test_a_client_reads_its_own_writes_on_every_worker(pair, name):
    for turn, (asked, _) in enumerate(both(pair)):
        path = f"/connectors/{name}-{turn}"
        config = {**connector_config(pair), "connector.class": "MqttSource"}
        # No task runs: what is measured is what REST shows.
        created = {"name": f"{name}-{turn}", "config": config, "initial_state": "STOPPED"}
        assert asked.post("/connectors", created).status == 201
        for number in range(CHANGES):
            topic = f"topic-{number}"
            answer = asked.patch(f"{path}/config", {"kafka.topic": topic})
            assert answer.status == 200, answer
            assert answer.body["config"]["kafka.topic"] == topic
            assert asked.get(f"{path}/config").body["kafka.topic"] == topic
        assert asked.delete(path).status == 204
        assert asked.get(path).status == 404
        assert f"{name}-{turn}" not in asked.get("/connectors").body


def test_one_of_many_creates_wins(pair, name):
    body = {"name": name, "config": connector_config(pair), "initial_state": "STOPPED"}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        answers = list(
            pool.map(lambda n: pair.workers[n % 2].post("/connectors", body), range(12))
        )
    assert sorted(answer.status for answer in answers) == [201] + [409] * 11
    pair.rest.delete(f"/connectors/{name}")


def test_no_patch_is_lost_when_many_race(pair, name):
    created = {"name": name, "config": connector_config(pair), "initial_state": "STOPPED"}
    assert pair.rest.post("/connectors", created).status == 201

    def patch(number):
        worker = pair.workers[number % 2]
        return worker.patch(f"/connectors/{name}/config", {f"x.key.{number}": "y"}).status

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(patch, range(24))) == {200}
    config = pair.rest.get(f"/connectors/{name}/config").body
    assert {key for key in config if key.startswith("x.key.")} == {f"x.key.{n}" for n in range(24)}
    pair.rest.delete(f"/connectors/{name}")


def test_no_answer_log_or_metric_shows_a_secret(pair, name):
    for asked, _ in both(pair):
        config = connector_config(pair)
        created = {"name": name, "config": config, "initial_state": "STOPPED"}
        assert asked.post("/connectors", created).status == 201
        answers = [
            asked.put(f"/connectors/{name}/config", {**config, "mqtt.password": "[hidden]"}),
            asked.patch(f"/connectors/{name}/config", {"mqtt.password": "[hidden]"}),
            asked.put(f"/connectors/{name}/config", {**config, "mqtt.qos": "7"}),
            asked.put(f"/connectors/{name}/config", {"mqtt.password": "opensesame"}),
            asked.put("/connector-plugins/MqttSource/config/validate", config),
            asked.get("/connectors?expand=info&expand=status"),
            asked.get("/metrics"),
        ]
        assert [answer.status for answer in answers] == [200, 200, 400, 400, 200, 200, 200]
        assert not [answer for answer in answers if "opensesame" in json.dumps(answer.body)]
        assert asked.delete(f"/connectors/{name}").status == 204
        # In a create there is nothing that the mask could stand for.
        masked = {"name": name, "config": {**config, "mqtt.password": "[hidden]"}}
        assert asked.post("/connectors", masked).status == 400
    assert "opensesame" not in pair.tails(100000)


def bad_configs(config):
    return [
        {key: value for key, value in config.items() if key != "connector.class"},
        {**config, "connector.class": "no.such.Class"},
        {**config, "connector.class": None},
        {**config, "mqtt.server.uri": None},
        {**config, "mqtt.server.uri": ""},
        {key: value for key, value in config.items() if key != "mqtt.server.uri"},
        {**config, "mqtt.server.uri": "tcp://127.0.0.1:70000"},
        {**config, "mqtt.server.uri": "tcp://127.0.0.1:1883,http://x:1"},
        {**config, "mqtt.topics": ""},
        {**config, "mqtt.topics": "a/#/b"},
        {**config, "mqtt.topics": "a+/b"},
        {**config, "kafka.topic": "no spaces"},
        {**config, "kafka.topic": "x" * 250},
        {**config, "tasks.max": 0},
        {**config, "tasks.max": -1},
        {**config, "tasks.max": 10**9},
        {**config, "tasks.max": "x"},
        {**config, "tasks.max": 1.5},
        {**config, "tasks.max": [1]},
        {**config, "mqtt.qos": 3},
        {**config, "unknown.key": None},
        {**config, "name": "another"},
    ]


def test_bad_configs_are_400_and_change_nothing(pair, name):
    before = pair.rest.get("/connectors").body
    for asked, _ in both(pair):
        for config in bad_configs(connector_config(pair)):
            for answer in (
                asked.post("/connectors", {"name": name, "config": config}),
                asked.put(f"/connectors/{name}/config", config),
            ):
                assert answer.status == 400, (config, answer)
                assert error_of(answer)
    assert pair.rest.get("/connectors").body == before


BAD_BODIES = [
    b"",
    b"{",
    b"nul",
    b"[]",
    b"5",
    b'"x"',
    b"null",
    b"{} x",
    b'{"name":"a"}',
    b'{"name":"a","config":[]}',
    b'{"name":"a","config":{"a":{}}}',
    b'{"name":"a","config":{},"more":1}',
    b'{"name":"a","config":{},"initial_state":"NOPE"}',
    b'{"name":"a\\u0000b","config":{}}',
    b'{"name":"\xff","config":{}}',
    b"[" * 100000 + b"]" * 100000,
    b'{"a":' * 200 + b"1" + b"}" * 200,
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_bodies_are_400(pair, body):
    for worker in pair.workers:
        answer = worker.post("/connectors", body, headers={"Content-Type": "application/json"})
        assert answer.status == 400, answer
        assert error_of(answer)


@pytest.mark.parametrize("bad", ["", " ", ".", "..", "a\x07b", "n" * 10240, "ä" * 3000])
def test_names_that_cannot_be_addressed_are_400(pair, bad):
    answer = pair.rest.post("/connectors", {"name": bad, "config": connector_config(pair)})
    assert answer.status == 400
    assert "for configuration name: " in error_of(answer)


@pytest.mark.parametrize("odd", ["a b", "a/b", "a->b", "a%b", "ä€😀", "a;b?c=d&e"])
def test_odd_names_live_and_die(pair, odd):
    for asked, other in both(pair):
        created = {"name": odd, "config": connector_config(pair), "initial_state": "STOPPED"}
        answer = asked.post("/connectors", created)
        assert answer.status == 201, answer
        path = urllib.parse.urlsplit(answer.headers["Location"]).path
        assert path == "/connectors/" + urllib.parse.quote(odd, safe="!$&'()*+,=:@")
        assert asked.get(path).body["name"] == odd
        wait_until(lambda: other.get(path).status == 200, 10, "the other worker to show it")
        assert asked.put(f"{path}/resume").status == 202
        assert asked.delete(path).status == 204
        assert asked.get(path).status == 404


def raw(worker, data, timeout=20):
    """Sends bytes and returns all that comes until the worker closes."""
    with socket.create_connection(("127.0.0.1", worker.port), timeout=timeout) as sock:
        sock.sendall(data)
        received = b""
        while chunk := sock.recv(65536):
            received += chunk
        return received


HOSTILE = {
    b"GET /connectors/%00 HTTP/1.1": 400,
    b"GET /connectors/%ff HTTP/1.1": 400,
    b"GET /connectors/%ZZ HTTP/1.1": 400,
    b"GET /connectors//a HTTP/1.1": 400,
    b"GET /connectors/" + b"a" * 9000 + b" HTTP/1.1": 414,
    b"GET /connectors/a%2Fb HTTP/1.1": 404,
    b"GET /health HTTP/1.1\r\nX: " + b"a" * 40000: 431,
    b"TRACE /connectors HTTP/1.1": 405,
    b"BREW /connectors HTTP/1.1": 405,
    b"GET /nix HTTP/1.1": 404,
    b"PUT /connectors/a/pause HTTP/1.1\r\nContent-Type: text/plain": 415,
    b"GET /connectors HTTP/1.1\r\nAccept: text/html": 406,
    b"POST /connectors HTTP/1.1\r\nContent-Length: 2000000\r\nExpect: 100-continue": 413,
    b"POST /connectors HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked": 400,
}


@pytest.mark.parametrize("head, code", HOSTILE.items(), ids=range(len(HOSTILE)))
def test_hostile_requests_get_a_json_error(pair, head, code):
    received = raw(pair.rest, head + b"\r\nHost: h\r\nConnection: close\r\n\r\n")
    top, _, body = received.partition(b"\r\n\r\n")
    assert top.startswith(b"HTTP/1.1 %d " % code), received[:300]
    assert b"Content-Type: application/json" in top
    assert json.loads(body)["error_code"] == code


def test_a_body_over_one_mebibyte_is_413(pair):
    connection = http.client.HTTPConnection("127.0.0.1", pair.rest.port, timeout=20)
    connection.request("POST", "/connectors", b" " * (1024 * 1024 + 1))
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error_code"] == 413
    connection.close()


def test_options_head_and_slashes(pair):
    answer = pair.rest.get("/connectors/")
    assert answer.status == 200
    port = pair.rest.port
    for method, path, code, length in (
        ("OPTIONS", "/connectors", 200, True),
        ("HEAD", "/connectors", 200, False),
        ("HEAD", "/connectors/nix", 404, False),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, path)
        got = connection.getresponse()
        assert got.status == code
        assert bool(got.read()) is length
        connection.close()


def test_validate_and_plugins(pair):
    plugins = pair.rest.get("/connector-plugins/").body
    assert {plugin["type"] for plugin in plugins} <= {"source", "sink"}
    assert "io.confluent.connect.mqtt.MqttSourceConnector" in {p["class"] for p in plugins}
    config = {**connector_config(pair), "name": "v", "tasks.max": "0"}
    answer = pair.rest.put("/connector-plugins/MqttSource/config/validate", config)
    assert answer.status == 200
    assert answer.body["error_count"] == 1
    assert answer.body["groups"][:4] == ["Common", "Transforms", "Predicates", "Error Handling"]
    errors = {
        entry["value"]["name"]: entry["value"]["errors"]
        for entry in answer.body["configs"]
        if entry["value"]["errors"]
    }
    expected = "Invalid value 0 for configuration tasks.max: Value must be at least 1"
    assert errors == {"tasks.max": [expected]}


def test_writes_are_held_while_the_leader_is_away(cluster):
    """The leader is stopped: no write to the other worker fails, none is lost."""
    made = cluster(2)
    leader = leader_of(made)
    other = next(worker for worker in made.workers if worker is not leader)
    config = {**connector_config(made)}
    created = {"name": "c", "config": config, "initial_state": "STOPPED"}
    assert made.post_until_settled("/connectors", created).status == 201
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        stopping = pool.submit(leader.stop)
        codes = []
        end = time.monotonic() + 6
        while time.monotonic() < end or not stopping.done():
            answer = other.patch("/connectors/c/config", {f"x.{len(codes)}": "y"}, timeout=90)
            codes.append(answer.status if answer.status == 200 else answer)
        stopping.result()
    assert [answer for answer in codes if answer != 200] == []
    stored = other.get("/connectors/c/config").body
    assert len([key for key in stored if key.startswith("x.")]) == len(codes)


def leader_of(made):
    def find():
        leaders = [w for w in made.alive if w.metric_sum("sluice_worker_leader") == 1]
        return leaders[0] if len(leaders) == 1 else None

    return wait_until(find, 30, "one worker to lead")


def test_no_500_and_no_leak_from_a_storm_of_bad_requests(pair):
    heads = list(HOSTILE) + [b"GET / HTTP/9.9", b"\0\1\2", b"GET", b"POST /connectors HTTP/1.1"]

    def send(number):
        head = heads[number % len(heads)]
        try:
            end = b"\r\nHost: h\r\nConnection: close\r\n\r\n"
            return raw(pair.rest, head + end, timeout=40)[:12]
        except ConnectionError:
            return b""

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(400)))
    assert not [answer for answer in answers if answer.startswith(b"HTTP/1.1 500")]
    assert pair.rest.get("/health").status == 200
