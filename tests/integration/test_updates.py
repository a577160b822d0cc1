# SPDX-License-Identifier: Apache-2.0
"""Changes of a running connector: what they interrupt, what they lose (nothing), what they double."""

import json

import pytest

from chaos.account import Flow, connections
from integration.mqtt_probe import wait_connected
from lab import wait_until

# pylint: disable=redefined-outer-name

QUICK = {"session.timeout.ms": "3000", "heartbeat.interval.ms": "500"}


@pytest.fixture
def flow(load):
    """flow(cluster, messages, **options) starts publishers, which are ended after the test."""
    made = []

    def make(group, messages, **options):
        made.append(Flow(load, group, "updates", messages, **options).start())
        return made[-1]

    yield make
    for one in made:
        one.close()


def put(group, name="c", **changes):
    """PUTs the connector's config with changes."""
    config = {**group.rest.get(f"/connectors/{name}/config").body, **changes}
    config = {key: value for key, value in config.items() if value is not None}
    answer = group.rest.put(f"/connectors/{name}/config", config)
    assert answer.status == 200, answer


def total(group, name):
    return sum(worker.metric_sum(name) for worker in group.alive)


def by_label(group, name, label):
    """A metric, summed over all workers, of the label sets that contain `label`."""
    return sum(
        value
        for worker in group.alive
        for key, value in worker.metrics().items()
        if key.split("{", 1)[0] == name and label in key
    )


def wait_updates(group, count, result="live", timeout=20):
    """Waits until so many updates were taken (or declined) by tasks since their start."""

    def seen():
        return by_label(group, "sluice_task_updates_total", f'result="{result}"')

    wait_until(
        lambda: seen() >= count,
        timeout,
        lambda: f"{count} {result} updates, seen {seen()}\n{group.tails()}",
        0.05,
    )
    assert seen() == count


def log_lines(group, part):
    return [
        line for worker in group.workers for line in worker.log_text().splitlines() if part in line
    ]


def wait_log(group, part, count=1):
    wait_until(
        lambda: len(log_lines(group, part)) >= count,
        20,
        lambda: f"{count} lines with {part}\n{group.tails()}",
        0.05,
    )


def moving(group, run, minimum=300):
    """Waits until records flow, or until the load is over, as on a very slow machine."""
    before = total(group, "sluice_records_out_total")
    wait_until(
        lambda: total(group, "sluice_records_out_total") >= before + minimum or run.ended(),
        20,
        lambda: f"records to flow\n{group.tails()}",
    )


def latest(group, kind):
    """{key: Record} of one of the cluster's internal topics, as compaction leaves it."""
    found = group.kafka.latest(f"{group.group}-{kind}")
    return {key.decode(): record for key, record in found.items()}


def sessions_with(group, topic_filter):
    """How many sessions are recorded as subscribed to a filter."""
    return sum(topic_filter in record.value.decode() for record in latest(group, "offsets").values())


def test_filters_come_and_go_on_live_connections_under_load(cluster, flow):
    group = cluster(1, properties=QUICK)
    extra, more = f"{group.prefix}-extra", f"{group.prefix}-more"
    group.create("c", tasks_max=2, mqtt_topics=f"{group.prefix}/#,{extra}/#")
    wait_connected(group, 2)
    before = connections(group.mosquitto, group.group)
    run = flow(group, 6000, rate=1500, sessions=2)
    moving(group, run)
    put(group, **{"mqtt.topics": f"{group.prefix}/#,{extra}/#,{more}/#"})
    wait_updates(group, 2)
    wait_until(
        lambda: sessions_with(group, f"{more}/#") == 2, 20, lambda: f"both\n{group.tails()}", 0.1
    )
    group.mosquitto.publish(f"{more}/a", [f"more{n}" for n in range(100)])
    group.mosquitto.publish(f"{extra}/a", [f"extra{n}" for n in range(100)])
    put(group, **{"mqtt.topics": f"{group.prefix}/#,{more}/#"})
    wait_log(group, "MQTT-UNSUBSCRIBE", 2)
    wait_until(
        lambda: sessions_with(group, f"{extra}/#") == 0, 20, lambda: f"none\n{group.tails()}", 0.1
    )
    group.mosquitto.publish(f"{extra}/a", ["too late"])
    group.mosquitto.publish(f"{more}/a", ["last"])
    account = run.verify()
    assert (account.missing, account.duplicates) == (0, 0), account.report
    assert account.report["order"]["streams_over_sessions"] == 0
    wanted = [f"extra{n}" for n in range(100)] + [f"more{n}" for n in range(100)] + ["last"]
    values = [record.value.decode() for record in group.wait_payloads(wanted)]
    other = [value for value in values if not value.startswith("SL1 ")]
    assert sorted(other) == sorted(wanted)
    assert connections(group.mosquitto, group.group) == before
    assert total(group, "sluice_mqtt_connects_total") == 2
    assert total(group, "sluice_task_restarts_total") == 0


def test_kafka_side_changes_need_no_connection_and_double_nothing(cluster, flow):
    group = cluster(1, properties=QUICK)
    first, second = group.topic, f"{group.topic}-2"
    group.create("c", tasks_max=1)
    wait_connected(group, 1)
    before = connections(group.mosquitto, group.group)
    run = flow(group, 7000, rate=1500, sessions=1)
    moving(group, run)
    put(group, **{"producer.override.linger.ms": "2", "errors.tolerance": "all"})
    wait_updates(group, 1)
    moving(group, run)
    put(group, **{"kafka.topic": second})
    wait_updates(group, 2)
    moving(group, run)
    put(group, **{"value.converter": "org.apache.kafka.connect.converters.ByteArrayConverter"})
    wait_updates(group, 3)
    run.wait_sent()
    group.kafka.wait_count(first, 500)
    wait_until(
        lambda: group.kafka.count(first) + group.kafka.count(second) >= 7000, 60, group.tails
    )
    streams = {}
    records = group.kafka.read(first) + group.kafka.read(second)
    for record in records:
        _, _, publisher, topic, sequence, _ = record.value.split(b";")[0].split(b" ")
        streams.setdefault((publisher, topic, record.partition), []).append(int(sequence))
    assert len(records) == 7000, "some are missing or doubled"
    # One session: each stream is in order, through the change of topic too.
    assert all(sequences == sorted(set(sequences)) for sequences in streams.values())
    assert connections(group.mosquitto, group.group) == before
    assert total(group, "sluice_mqtt_duplicates_total") == 0
    assert total(group, "sluice_task_restarts_total") == 0


def test_changes_of_the_connection_keep_the_sessions_and_lose_nothing(cluster, flow):
    group = cluster(1, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    before = connections(group.mosquitto, group.group)
    run = flow(group, 7000, rate=1500, sessions=2)
    moving(group, run)
    put(group, **{"mqtt.keepalive.interval.seconds": "30", "mqtt.receive.maximum": "500"})
    wait_updates(group, 2)
    wait_connected(group, 2)
    moving(group, run)
    put(group, **{"mqtt.server.uri": f"mqtt://localhost:{group.mosquitto.port}"})
    wait_updates(group, 4)
    wait_connected(group, 2)
    run.verify().check(duplicates=0)
    assert connections(group.mosquitto, group.group) == before + 4
    assert len(log_lines(group, "session_present=1")) == 4
    assert total(group, "sluice_task_restarts_total") == 0
    assert total(group, "sluice_mqtt_reconnects_total") == 0


def test_changes_of_nothing_leave_the_tasks_alone_and_show_in_the_status(cluster):
    group = cluster(1, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    before = connections(group.mosquitto, group.group)
    tasks = [latest(group, "status")[f"status-task-c-{n}"] for n in (0, 1)]
    shown = latest(group, "status")["status-connector-c"]
    config = latest(group, "configs")["connector-c"]
    put(group)
    # As in Connect: the config is written again and the connector, not its tasks, started anew.
    wait_until(
        lambda: latest(group, "configs")["connector-c"].offset > config.offset
        and latest(group, "status")["status-connector-c"].offset > shown.offset,
        20,
        "the connector's records",
        0.1,
    )
    assert group.wait_running("c", 2)
    put(group, **{"tasks.max.enforce": "false", "max.retry.time.ms": "600000"})
    wait_updates(group, 2)
    after = [latest(group, "status")[f"status-task-c-{n}"] for n in (0, 1)]
    assert [record.offset for record in after] == [record.offset for record in tasks]
    assert connections(group.mosquitto, group.group) == before
    assert total(group, "sluice_task_restarts_total") == 0


def test_tasks_max_up_and_down_only_moves_sessions(cluster, flow):
    group = cluster(2, properties=QUICK)
    group.create("c", tasks_max=1, mqtt_sessions=4)
    wait_connected(group, 4)
    run = flow(group, 9000, rate=1500, sessions=4)
    moving(group, run)
    for tasks in (4, 2, 3):
        put(group, **{"tasks.max": str(tasks)})
        group.wait_running("c", tasks)
        wait_connected(group, 4)
        moving(group, run)
    run.verify().check(duplicates=0)
    assert not log_lines(group, 'reason="takeover"') and not log_lines(group, "0x8E")
    status = group.status("c")
    assert [task["id"] for task in status["tasks"]] == [0, 1, 2]


def test_more_sessions_are_added_without_touching_the_others(cluster, flow):
    group = cluster(1, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)
    before = connections(group.mosquitto, group.group)
    run = flow(group, 4000, rate=1500, sessions=5)
    moving(group, run)
    put(group, **{"mqtt.sessions": "5"})
    wait_connected(group, 5)
    run.verify().check(duplicates=0)
    assert connections(group.mosquitto, group.group) == before + 3
    # Taking the number back ends none of them: each may hold messages that only it can fetch.
    taken = by_label(group, "sluice_task_updates_total", 'result="live"')
    put(group, **{"mqtt.sessions": None})
    wait_updates(group, taken + 2)
    wait_connected(group, 5)


def starts(group, name, tasks):
    """How often each task was started, on any worker."""
    return [
        len(log_lines(group, f"TASK-STATE connector={name} task={n} from=STARTING to="))
        for n in range(tasks)
    ]


def test_restarts_reach_each_instance_once_wherever_it_runs(cluster):
    group = cluster(3, properties={**QUICK, "rebalance.settle.ms": "300"})
    config = group.source_config(
        tasks_max=3,
        mqtt_topics=",".join(f"{group.prefix}/{n}" for n in range(3)),
        mqtt_subscription_mode="exclusive",
        producer_override_max_request_size="1000",
    )
    group.create("c", config)
    wait_until(
        lambda: len({worker for _, worker in group.states("c").values()}) == 3,
        30,
        lambda: f"a task on each worker: {group.states('c')}\n{group.tails()}",
    )
    group.wait_running("c", 3)
    wait_connected(group, 3)
    first = starts(group, "c", 3)

    def restart(query):
        return group.workers[1].post(f"/connectors/c/restart{query}")

    def settled(wanted):
        """Whether every worker, and so the leader, knows of these states."""
        shown = [worker.get("/connectors/c/status").body for worker in group.alive]
        return all(
            [task["state"] for task in status["tasks"]] == wanted
            and status["connector"]["state"] == "RUNNING"
            for status in shown
        )

    def expect(wanted, added):
        wait_until(
            lambda: settled(wanted)
            and [a - b for a, b in zip(starts(group, "c", 3), first)] == added,
            20,
            lambda: f"{wanted} {added}, {group.states('c')} {starts(group, 'c', 3)} from {first}"
            f"\n{group.tails()}",
            0.05,
        )

    well = ["RUNNING"] * 3
    assert restart("").status == 204
    expect(well, [0, 0, 0])
    assert restart("?onlyFailed=true").status == 202
    assert restart("?onlyFailed=true&includeTasks=true").status == 202
    answer = restart("?includeTasks=true")
    assert answer.status == 202
    assert {task["state"] for task in answer.body["tasks"]} == {"RESTARTING"}
    expect(well, [1, 1, 1])
    # A record that does not fit fails the task of its session, again at each start.
    group.publish(["x" * 2000], sub="1")
    expect(["RUNNING", "FAILED", "RUNNING"], [1, 1, 1])
    answer = restart("?onlyFailed=true&includeTasks=true")
    assert [task["state"] for task in answer.body["tasks"]] == ["RUNNING", "RESTARTING", "RUNNING"]
    expect(["RUNNING", "FAILED", "RUNNING"], [1, 2, 1])
    assert restart("?onlyFailed=true").status == 202
    assert group.rest.post("/connectors/c/tasks/0/restart").status == 204
    expect(["RUNNING", "FAILED", "RUNNING"], [2, 2, 1])
    # A config that mends it starts the failed one again and leaves the others running.
    put(group, **{"producer.override.max.request.size": "100000"})
    expect(well, [2, 3, 1])
    group.wait_payloads(["x" * 2000])


def test_stopping_is_written_as_connect_does_and_states_follow_each_other(cluster):
    group = cluster(1, properties=QUICK)
    group.create("c", tasks_max=2)
    wait_connected(group, 2)

    def config_records():
        return [
            (record.key.decode(), json.loads(record.value) if record.value else None)
            for record in group.kafka.read(f"{group.group}-configs")
            if record.key.endswith((b"-c", b"-c-0", b"-c-1"))
        ]

    def reached(state, tasks):
        def look():
            status = group.status("c")
            return (
                status
                and status["connector"]["state"] == state
                and [task["state"] for task in status["tasks"]] == tasks
            )

        wait_until(look, 20, lambda: f"{state} {tasks}: {group.status('c')}\n{group.tails()}", 0.05)

    assert group.rest.put("/connectors/c/stop").status == 204
    reached("STOPPED", [])
    records = config_records()
    assert [key for key, _ in records[-2:]] == ["commit-c", "target-state-c"]
    assert records[-2][1]["tasks"] == 0
    assert records[-1][1] == {"state": "PAUSED", "state.v2": "STOPPED"}
    assert group.rest.get("/connectors/c/tasks").body == []
    assert group.rest.put("/connectors/c/pause").status == 202
    reached("PAUSED", [])
    assert group.rest.put("/connectors/c/resume").status == 202
    reached("RUNNING", ["RUNNING"] * 2)
    assert group.rest.put("/connectors/c/pause").status == 202
    reached("PAUSED", ["PAUSED"] * 2)
    put(group, **{"kafka.topic": f"{group.topic}-2"})
    wait_updates(group, 2)
    reached("PAUSED", ["PAUSED"] * 2)
    worker = group.workers[0]
    worker.stop()
    worker.start()
    reached("PAUSED", ["PAUSED"] * 2)
    assert group.rest.delete("/connectors/c").status == 204
    wait_until(lambda: group.status("c") is None, 20, "the status to go")
    gone = [key for key, value in config_records() if value is None]
    assert {key for key in gone if not key.startswith(("placement-", "retire-"))} == {
        "connector-c",
        "target-state-c",
    }
    group.create("c", tasks_max=1)
    wait_connected(group, 1)
    group.publish(["again"])
    group.wait_payloads(["again"])
