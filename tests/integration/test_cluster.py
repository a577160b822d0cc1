# SPDX-License-Identifier: Apache-2.0
"""One to three workers as one cluster: claims, leader, statuses, REST on any of them, restarts."""

import json

import pytest

from integration.mqtt_probe import wait_connected
from lab import wait_until

SLOTS = 64
QUICK = {"session.timeout.ms": "2000", "heartbeat.interval.ms": "500"}


def ident(worker):
    return f"127.0.0.1:{worker.port}"


def owners(group, name="c"):
    """{worker id: number of tasks that run there}."""
    found = {}
    for state, owner in group.states(name).values():
        if state == "RUNNING":
            found[owner] = found.get(owner, 0) + 1
    return found


def leaders(group):
    return [worker for worker in group.alive if worker.metric_sum("sluice_worker_leader") == 1]


def claims(group):
    return [int(worker.metric_sum("sluice_claimed_slots")) for worker in group.alive]


def wait_settled(group):
    """Waits until all slots are claimed, each by one worker, and there is one leader."""
    wait_until(
        lambda: sum(claims(group)) == SLOTS and min(claims(group)) > 0 and len(leaders(group)) == 1,
        30,
        lambda: f"claims to settle: {claims(group)}, {len(leaders(group))} leaders\n{group.tails()}",
    )


def wait_share(group, tasks, name="c"):
    """Waits until each worker runs its share of the tasks, give or take one."""

    def fair():
        found = owners(group, name)
        return (
            sum(found.values()) == tasks
            and set(found) == {ident(worker) for worker in group.alive}
            and max(found.values()) - min(found.values()) <= 1
        )

    wait_until(
        fair, 30, lambda: f"tasks to spread: {group.states(name)}\n{group.tails()}", 0.05
    )


def config_keys(group):
    records = group.kafka.latest(f"{group.group}-configs")
    return {key.decode(): json.loads(record.value) for key, record in records.items()}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_share_slots_tasks_and_one_leader(cluster, workers):
    group = cluster(workers)
    wait_settled(group)
    described = group.kafka.group(group.group)
    assert described["state"] == "Stable"
    assert described["protocol"] == "cooperative-sticky"
    assert len(described["members"]) == workers
    group.create("c", tasks_max=6)
    wait_connected(group, 6)
    wait_share(group, 6)
    sent = [f"m{number}" for number in range(50)]
    group.publish(sent)
    records = group.wait_payloads(sent)
    assert len(records) == len(sent)


def test_any_worker_answers_any_request(cluster):
    group = cluster(3)
    wait_settled(group)
    followers = [worker for worker in group.workers if worker not in leaders(group)]
    config = group.source_config(tasks_max=3)
    answer = followers[0].post("/connectors", {"name": "c", "config": config})
    assert answer.status == 201, answer
    # What one worker has answered, every other knows soon.
    for worker in group.workers:
        wait_until(
            lambda: worker.get("/connectors").body == ["c"], 10, f"{worker.name} to list it"
        )
    group.wait_running("c", 3)
    wanted = {**config, "mqtt.receive.maximum": "7"}
    answer = followers[1].put("/connectors/c/config", wanted)
    assert answer.status == 200
    assert answer.body["config"]["mqtt.receive.maximum"] == "7"
    for worker in group.workers:
        wait_until(
            lambda: worker.get("/connectors/c/config").body.get("mqtt.receive.maximum") == "7",
            10,
            f"{worker.name} to show the change",
        )
    assert followers[0].delete("/connectors/c").status == 204
    for worker in group.workers:
        wait_until(lambda: worker.get("/connectors").body == [], 10, f"{worker.name} to forget it")
        wait_until(
            lambda: worker.get("/connectors/c/status").status == 404, 10, "its status to go too"
        )


def test_another_worker_leads_when_the_leader_is_killed(cluster):
    group = cluster(3, properties=QUICK)
    wait_settled(group)
    group.create("c", tasks_max=3)
    wait_connected(group, 3)
    (old,) = leaders(group)
    old.kill9()
    wait_until(lambda: len(leaders(group)) == 1, 15, lambda: f"a new leader\n{group.tails()}")
    group.wait_running("c", 3, workers=group.worker_ids())
    # The new leader does its duties.
    group.create("d", tasks_max=2)
    assert group.rest.delete("/connectors/c").status == 204
    old.start()
    wait_settled(group)
    group.wait_running("d", 2)


def test_joining_worker_takes_its_share_and_leaving_one_gives_it_back(cluster):
    group = cluster(1)
    group.create("c", tasks_max=4)
    wait_connected(group, 4)
    group.add(1)
    wait_settled(group)
    wait_share(group, 4)
    assert group.workers[1].stop() == 0
    # Its tasks are moved before its slots are given away.
    wait_share(group, 4)
    wait_settled(group)


def test_status_topic_has_connects_records(cluster):
    group = cluster(1)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    topic = f"{group.group}-status"

    def record(key):
        found = group.kafka.latest(topic).get(key.encode())
        return json.loads(found.value) if found else None

    for key in ("status-connector-c", "status-task-c-0", "status-task-c-1"):
        wait_until(lambda: (record(key) or {}).get("state") == "RUNNING", 10, f"{key} RUNNING")
        found = record(key)
        assert found["worker_id"] == ident(group.workers[0])
        assert found["trace"] is None
        assert isinstance(found["generation"], int)
    assert group.workers[0].stop() == 0
    # A worker that leaves says so, since nobody else may.
    assert record("status-task-c-0")["state"] == "UNASSIGNED"


def test_config_topic_has_connects_keys(cluster):
    group = cluster(1)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    found = config_keys(group)
    assert found["connector-c"]["properties"]["mqtt.topics"] == f"{group.prefix}/#"
    assert found["commit-c"]["tasks"] == 2
    assert {"task-c-0", "task-c-1"} <= set(found)
    assert len(found["placement-c"]["slots"]) == 2
    assert group.rest.put("/connectors/c/pause").status == 202
    assert config_keys(group)["target-state-c"]["state"] == "PAUSED"
    assert group.rest.delete("/connectors/c").status == 204
    left = {key for key in config_keys(group) if key in ("connector-c", "commit-c", "task-c-0")}
    assert "connector-c" not in left


def states(group, name="c"):
    status = group.status(name)
    return [status["connector"]["state"], *(task["state"] for task in status["tasks"])]


def wait_states(group, wanted, name="c"):
    wait_until(
        lambda: states(group, name) == wanted,
        20,
        lambda: f"states {wanted}, they are {states(group, name)}\n{group.tails()}",
        0.05,
    )


def test_pause_resume_stop_and_restart_show_in_the_status(cluster):
    group = cluster(2)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    assert group.rest.put("/connectors/c/pause").status == 202
    wait_states(group, ["PAUSED"] * 3)
    assert group.rest.put("/connectors/c/resume").status == 202
    wait_states(group, ["RUNNING"] * 3)
    assert group.rest.put("/connectors/c/stop").status == 204
    wait_states(group, ["STOPPED"])
    assert group.rest.put("/connectors/c/resume").status == 202
    wait_states(group, ["RUNNING"] * 3)
    answer = group.rest.post("/connectors/c/restart?includeTasks=true")
    assert answer.status == 202
    assert [task["state"] for task in answer.body["tasks"]] == ["RESTARTING"] * 2
    wait_states(group, ["RUNNING"] * 3)
    assert group.rest.post("/connectors/c/tasks/1/restart").status == 204
    wait_states(group, ["RUNNING"] * 3)
    group.publish(["after"])
    group.wait_payloads(["after"])


def test_paused_connector_stays_paused_when_its_worker_dies(cluster):
    group = cluster(2, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    wait_share(group, 2)
    assert group.rest.put("/connectors/c/pause").status == 202
    wait_states(group, ["PAUSED"] * 3)
    group.workers[0].kill9()
    (survivor,) = group.alive
    wait_until(
        lambda: {owner for _, owner in group.states().values()} == {ident(survivor)},
        20,
        "the tasks to move",
    )
    wait_states(group, ["PAUSED"] * 3)
    assert survivor.metric_sum("sluice_mqtt_connected") == 0


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_connectors_survive_the_end_of_all_workers(cluster, how):
    group = cluster(2, properties=QUICK)
    group.create("c", tasks_max=4, mqtt_receive_maximum=13)
    wait_connected(group, 4)
    group.create("gone", tasks_max=1)
    assert group.rest.delete("/connectors/gone").status == 204
    for worker in group.workers:
        if how == "stopped":
            assert worker.stop() == 0
        else:
            worker.kill9()
    sent = [f"m{number}" for number in range(50)]
    group.publish(sent)
    for worker in group.workers:
        worker.launch()
    for worker in group.workers:
        worker.wait_serving()
    group.wait_running("c", 4, workers=group.worker_ids())
    group.wait_payloads(sent)
    assert group.rest.get("/connectors").body == ["c"]
    assert group.rest.get("/connectors/c/config").body["mqtt.receive.maximum"] == "13"


def test_task_number_follows_tasks_max(cluster):
    group = cluster(2)
    group.create("c", tasks_max=1)
    wait_connected(group, 1)
    for number in (5, 2, 3):
        config = group.source_config(tasks_max=number)
        assert group.rest.put("/connectors/c/config", config).status == 200
        group.wait_running("c", number)
        assert [task["id"]["task"] for task in group.rest.get("/connectors/c/tasks").body] == list(
            range(number)
        )
    group.publish(["x"])
    group.wait_payloads(["x"])


def test_two_groups_on_one_kafka_do_not_see_each_other(cluster):
    one, other = cluster(1), cluster(1)
    one.create("c")
    assert other.rest.get("/connectors").body == []
    other.create("c")
    wait_connected(one, 2)
    wait_connected(other, 2)
    one.publish(["for one"])
    other.publish(["for other"])
    assert [r.value for r in one.wait_payloads(["for one"])] == [b"for one"]
    assert [r.value for r in other.wait_payloads(["for other"])] == [b"for other"]


def test_worker_without_kafka_is_unhealthy_and_recovers(cluster, fresh_kafka):
    kafka = fresh_kafka()
    group = cluster(1, kafka=kafka, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    worker = group.workers[0]
    kafka.freeze()
    wait_until(
        lambda: worker.get("/health").status == 500, 20, lambda: f"/health 500\n{group.tails()}"
    )
    # Reading needs no Kafka.
    assert worker.get("/connectors").body == ["c"]
    assert worker.get("/health/ready").status == 503
    assert worker.get("/health/live").status == 200
    kafka.thaw()
    kafka.wait_serving()
    worker.wait_serving(30)
    group.wait_running("c", 2)
    group.publish(["after"])
    group.wait_payloads(["after"])
