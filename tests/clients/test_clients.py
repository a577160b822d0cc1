# SPDX-License-Identifier: Apache-2.0
"""Published clients of Kafka Connect, unmodified, manage connectors; what they did is looked up
then on another worker than the one they talk to."""

import pytest

from clients.driver import CLIENTS, LIFE, ClientError
from lab import wait_until


@pytest.fixture
def name(request, client):
    """A connector name of the test's and the client's own."""
    return f"{request.node.originalname}-{client.client.kind}-{client.client.version}"


@pytest.fixture
def config(pair):
    """A config that runs; the clients send it as it is."""
    return pair.source_config(mqtt_topics=f"{pair.prefix}/none/#")


@pytest.fixture
def made(pair, client, name, config):
    """A connector that the client has created and sees running; gone after the test."""
    assert client.call("create", name=name, config={**config, "name": name}) == name
    pair.wait_running(name, tasks=2)
    wait_seen(client, name, "RUNNING", 2)
    yield name
    pair.rest.delete(f"/connectors/{name}")


def truth(pair):
    """The worker that no client talks to."""
    return pair.workers[0]


def wait_truth(pair, path, status, body=None):
    """Waits until the other worker has heard of it: its answer has this status, and this body."""
    wait_until(
        lambda: (lambda a: a.status == status and body in (None, a.body))(truth(pair).get(path)),
        10,
        lambda: f"GET {path} to be {status} {body}, it is {truth(pair).get(path)}",
        0.02,
    )


def wait_state(pair, name, state, n_tasks):
    """Waits until Sluice says that connector and tasks have this state."""

    def reached():
        status = pair.status(name) or {"connector": {"state": None}, "tasks": []}
        states = [task["state"] for task in status["tasks"]]
        return status["connector"]["state"] == state and states == [state] * n_tasks

    wait_until(reached, 30, lambda: f"{name} to be {state}: {pair.status(name)}", 0.05)


def wait_seen(client, name, state, n_tasks):
    """Waits until the client itself sees that state."""
    wanted = {"connector": state, "tasks": [state] * n_tasks}
    wait_until(
        lambda: client.call("status", name=name) == wanted,
        30,
        lambda: f"the client to see {wanted}: {client.call('status', name=name)}",
        0.05,
    )


def starts(pair, name):
    """How often the tasks of a connector were started again, over all workers."""
    label = f'connector="{name}"'
    return sum(
        value
        for worker in pair.alive
        for key, value in worker.metrics().items()
        if key.startswith("sluice_task_restarts_total") and label in key
    )


def able(*operations):
    """Runs a test with the clients that can do all that."""
    names = [name for name, client in sorted(CLIENTS.items()) if client.can(*operations)]
    return pytest.mark.parametrize("client", names, indirect=True)


def test_the_driver_is_the_one_that_is_pinned(client):
    assert set(client.hello["ops"]) == client.client.operations
    assert client.client.operations >= LIFE
    assert client.client.version in client.hello["version"]


def test_a_client_creates_reads_changes_and_deletes(pair, client, name, config):
    wanted = {**config, "name": name}
    assert name not in client.call("list")
    assert client.call("create", name=name, config=wanted) == name
    assert name in client.call("list")
    wait_truth(pair, f"/connectors/{name}/config", 200, wanted)
    assert client.call("config", name=name) == wanted
    assert client.call("get", name=name) in ("source", config["connector.class"])
    pair.wait_running(name, tasks=2)
    wait_seen(client, name, "RUNNING", 2)
    assert client.call("tasks", name=name) == [0, 1]
    changed = {**wanted, "tasks.max": "1", "kafka.topic": f"{pair.topic}-{name}"}
    assert client.call("update", name=name, config=changed) == changed
    wait_truth(pair, f"/connectors/{name}/config", 200, changed)
    pair.wait_running(name, tasks=1)
    wait_seen(client, name, "RUNNING", 1)
    assert client.call("delete", name=name) is None
    assert name not in client.call("list")
    wait_truth(pair, f"/connectors/{name}", 404)


@able("pause", "resume")
def test_a_client_pauses_and_resumes(pair, client, made):
    client.call("pause", name=made)
    wait_state(pair, made, "PAUSED", 2)
    wait_seen(client, made, "PAUSED", 2)
    client.call("resume", name=made)
    wait_state(pair, made, "RUNNING", 2)
    wait_seen(client, made, "RUNNING", 2)


@able("stop")
def test_a_client_stops_and_resumes(pair, client, made):
    client.call("stop", name=made)
    wait_state(pair, made, "STOPPED", 0)
    wait_seen(client, made, "STOPPED", 0)
    client.call("resume", name=made)
    wait_state(pair, made, "RUNNING", 2)


def test_a_client_restarts_a_connector(pair, client, made):
    client.call("restart", name=made)
    wait_state(pair, made, "RUNNING", 2)


@able("restart_task", "task_status")
def test_a_client_restarts_tasks(pair, client, made):
    before = starts(pair, made)
    client.call("restart_task", name=made, task=1)
    wait_until(lambda: starts(pair, made) == before + 1, 30, "one more start of a task", 0.05)
    wait_state(pair, made, "RUNNING", 2)
    wait_until(
        lambda: client.call("task_status", name=made, task=1) == "RUNNING",
        30,
        "the client to see the task run",
        0.05,
    )


@able("restart_tasks")
def test_a_client_restarts_a_connector_with_its_tasks(pair, client, made):
    before = starts(pair, made)
    plan = client.call("restart_tasks", name=made)
    assert plan == {"connector": "RESTARTING", "tasks": ["RESTARTING", "RESTARTING"]}
    wait_until(lambda: starts(pair, made) == before + 2, 30, "two more starts of tasks", 0.05)
    wait_state(pair, made, "RUNNING", 2)


@able("restart_failed")
def test_a_client_that_restarts_what_has_failed_restarts_nothing_else(pair, client, made):
    before = starts(pair, made)
    client.call("restart_failed", name=made)
    client.call("restart_task", name=made, task=0)
    wait_until(lambda: starts(pair, made) > before, 30, "a start of a task", 0.05)
    assert starts(pair, made) == before + 1
    wait_state(pair, made, "RUNNING", 2)


@able("expand")
def test_a_client_sees_states_in_the_list(client, made):
    assert client.call("expand")[made] == "RUNNING"


@able("validate")
def test_a_client_validates(pair, client, config):
    good = {**config, "name": "any"}
    assert client.call("validate", plugin="MqttSource", config=good) == 0
    bad = {**good, "tasks.max": "0", "mqtt.server.uri": ""}
    path = "/connector-plugins/MqttSource/config/validate"
    errors = truth(pair).put(path, bad).body["error_count"]
    assert errors >= 2
    assert client.call("validate", plugin="MqttSource", config=bad) == errors


@able("version")
def test_a_client_reads_the_version(pair, client):
    assert client.call("version") == truth(pair).get("/").body["version"]


@able("plugins")
def test_a_client_lists_plugins(pair, client):
    listed = [plugin["class"] for plugin in truth(pair).get("/connector-plugins").body]
    assert client.call("plugins") == listed


def offsets_of(pair, name):
    """The offsets of a connector, by session, as the other worker tells them."""
    told = truth(pair).get(f"/connectors/{name}/offsets").body["offsets"]
    return {offset["partition"]["session"]: offset["offset"] for offset in told}


def seen_offsets(client, name):
    """The same, as the client tells them."""
    told = client.call("offsets", name=name)
    return {offset["partition"]["session"]: offset["offset"] for offset in told}


@able("offsets", "alter_offsets", "reset_offsets")
def test_a_client_reads_alters_and_resets_offsets(pair, client, made):
    wait_until(lambda: len(offsets_of(pair, made)) == 2, 20, "both sessions to have an offset")
    wait_until(
        lambda: seen_offsets(client, made) == offsets_of(pair, made),
        20,
        lambda: f"the client to see {offsets_of(pair, made)}: {seen_offsets(client, made)}",
    )
    told = client.call("offsets", name=made)
    with pytest.raises(ClientError) as raised:
        client.call("reset_offsets", name=made)
    assert raised.value.status == 400
    assert truth(pair).put(f"/connectors/{made}/stop").status == 204
    wait_seen(client, made, "STOPPED", 0)
    changed = [{"partition": told[0]["partition"], "offset": {"filters": ["old/#"]}}]
    assert "altered successfully" in client.call("alter_offsets", name=made, offsets=changed)
    session = told[0]["partition"]["session"]
    wait_until(
        lambda: offsets_of(pair, made)[session] == {"filters": ["old/#"]}, 10, "the altered offset"
    )
    assert "reset successfully" in client.call("reset_offsets", name=made)
    wait_until(lambda: offsets_of(pair, made) == {}, 10, "the offsets to be gone")
    assert client.call("offsets", name=made) == []


@able("topics", "reset_topics")
def test_a_client_reads_and_resets_topics(pair, client, name, config):
    topic = f"{pair.topic}-{name}"
    own = {**config, "name": name, "mqtt.topics": f"{pair.prefix}/{name}/#", "kafka.topic": topic}
    assert client.call("topics", name=name) == []
    assert client.call("create", name=name, config=own) == name
    pair.wait_running(name, tasks=2)
    wait_until(lambda: len(offsets_of(pair, name)) == 2, 20, "both sessions to be subscribed")
    pair.publish(["one", "two"], sub=name)
    wait_truth(pair, f"/connectors/{name}/topics", 200, {name: {"topics": [topic]}})
    wait_until(lambda: client.call("topics", name=name) == [topic], 10, "the client to see it")
    # No further record may bring the topic back.
    assert truth(pair).put(f"/connectors/{name}/stop").status == 204
    wait_state(pair, name, "STOPPED", 0)
    assert client.call("reset_topics", name=name) is None
    wait_truth(pair, f"/connectors/{name}/topics", 200, {name: {"topics": []}})
    client.call("delete", name=name)


@able("loggers", "set_logger")
def test_a_client_reads_and_sets_levels_of_loggers(pair, client):
    asked = pair.workers[1]
    loggers = client.call("loggers")
    assert loggers["root"] == asked.get("/admin/loggers/root").body["level"]
    name = sorted(set(loggers) - {"root"})[0]
    try:
        assert name in client.call("set_logger", logger=name, level="DEBUG")
        assert asked.get(f"/admin/loggers/{name}").body["level"] == "DEBUG"
        assert client.call("loggers")[name] == "DEBUG"
    finally:
        asked.put(f"/admin/loggers/{name}", {"level": loggers[name]})


@pytest.mark.parametrize(
    "client", [n for n, c in sorted(CLIENTS.items()) if c.refused], indirect=True
)
def test_what_connect_refuses_is_refused_alike(pair, client, made):
    for operation in sorted(client.client.refused):
        with pytest.raises(ClientError) as raised:
            client.call(operation, name=made, task=0)
        assert raised.value.status == 415
    assert pair.status(made)["connector"]["state"] == "RUNNING"


def test_a_client_is_told_that_there_is_no_such_connector(client):
    for operation in ("config", "status", "pause", "restart", "delete"):
        if not client.client.can(operation):
            continue
        with pytest.raises(ClientError) as raised:
            client.call(operation, name="nobody")
        # Some of its calls throw the status away.
        if operation != "restart":
            assert raised.value.status == 404


def test_a_client_is_told_what_is_wrong_with_a_config(pair, client, name, config):
    bad = {**config, "name": name, "tasks.max": "none"}
    if client.client.version == "0.5.10":
        # Its assignment to a config prints the refusal and goes on; then there is no connector.
        with pytest.raises(ClientError):
            client.call("create", name=name, config=bad)
    else:
        with pytest.raises(ClientError) as raised:
            client.call("create", name=name, config=bad)
        assert raised.value.status == 400
    assert truth(pair).get(f"/connectors/{name}").status == 404
