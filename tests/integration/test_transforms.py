# SPDX-License-Identifier: Apache-2.0
"""Converters, single message transforms and predicates of connectors that run."""

import base64
import json

import pytest

from lab import Cluster, find_program, wait_until

# pylint: disable=redefined-outer-name

JSON = "org.apache.kafka.connect.json.JsonConverter"
ROOM = "org.apache.kafka.connect.transforms."
TIMESTAMP = "org.apache.kafka.connect.data.Timestamp"


@pytest.fixture(scope="module")
def base(lab, kafka, mosquitto):
    """A worker whose own converters write JSON with schemas, which connectors take over."""
    made = Cluster(
        lab,
        kafka,
        mosquitto,
        properties={"value.converter": JSON, "value.converter.schemas.enable": "true"},
        program=find_program(),
        name="transforms",
    )
    made.add(1)
    yield made
    made.close()


@pytest.fixture
def source(base, request):
    """source(config) runs a connector from its own MQTT prefix to its own topic."""
    name = request.node.name.replace("[", "-").replace("]", "")
    base.topic = f"{base.group}-{name}"
    base.prefix = f"in/{base.group}/{name}"

    def run(**config):
        whole = {**base.source_config(tasks_max=1), **config}
        base.create(name, {key: value for key, value in whole.items() if value is not None})
        wait_until(
            lambda: metric(base, name, "sluice_mqtt_connected") == 1, 20, "the session to connect"
        )
        base.name = name
        return base

    yield run
    base.rest.delete(f"/connectors/{name}")


def metric(cluster, name, metric_name):
    label = f'connector="{name}"'
    samples = cluster.rest.metrics().items()
    return sum(v for k, v in samples if k.split("{", 1)[0] == metric_name and label in k)


def read(cluster, count=1, topic=None):
    cluster.kafka.wait_count(topic or cluster.topic, count, 30)
    return cluster.kafka.read(topic or cluster.topic)


def chain(*links, **more):
    """The transforms.* of a config, from (alias, class, keys) in their order."""
    config = {"transforms": ",".join(alias for alias, _, _ in links), **more}
    for alias, class_name, keys in links:
        config[f"transforms.{alias}.type"] = ROOM + class_name
        config.update({f"transforms.{alias}.{key}": value for key, value in keys.items()})
    return config


def test_workers_json_converter_writes_bytes_in_an_envelope(source):
    one = source()
    one.publish(["hello"], sub="x")
    (record,) = read(one)
    assert record.key == f"{one.prefix}/x".encode()
    assert record.value == (
        b'{"schema":{"type":"bytes","optional":false},"payload":"%s"}' % base64.b64encode(b"hello")
    )


def test_connectors_converter_does_not_take_the_workers_keys(source):
    one = source(**{"value.converter": JSON, "key.converter": JSON})
    one.publish(["hello"], sub="x")
    (record,) = read(one)
    assert json.loads(record.key) == {
        "schema": {"type": "string", "optional": False},
        "payload": f"{one.prefix}/x",
    }
    assert json.loads(record.value)["schema"] == {"type": "bytes", "optional": False}
    assert dict(record.headers)["mqtt.qos"] == b"1"


def test_schemas_can_be_left_out_and_headers_be_json(source):
    one = source(
        **{
            "value.converter": JSON,
            "value.converter.schemas.enable": "false",
            "header.converter": JSON,
            "header.converter.schemas.enable": "false",
        }
    )
    one.publish(["hello"])
    (record,) = read(one)
    assert record.value == b'"aGVsbG8="'
    assert dict(record.headers)["mqtt.retained"] == b"false"


def test_hoist_and_insert_give_a_struct_with_the_records_time(source):
    one = source(
        **chain(
            ("hoistToStruct", "HoistField$Value", {"field": "content"}),
            ("insertTimestampField", "InsertField$Value", {"timestamp.field": "ts"}),
        )
    )
    one.publish(["a", "b"])
    for record in read(one, 2):
        value = json.loads(record.value)
        assert value["schema"] == {
            "type": "struct",
            "fields": [
                {"type": "bytes", "optional": False, "field": "content"},
                {
                    "type": "int64",
                    "optional": True,
                    "name": TIMESTAMP,
                    "version": 1,
                    "field": "ts",
                },
            ],
            "optional": False,
        }
        assert value["payload"]["ts"] == record.timestamp
        assert base64.b64decode(value["payload"]["content"]) in (b"a", b"b")


def test_a_router_changes_the_topic(source):
    one = source(
        **chain(
            ("route", "RegexRouter", {"regex": "(.*)-test_(.*)", "replacement": "$2.$1"}),
        )
    )
    one.publish(["x"])
    (record,) = read(one, 1, f"a_router_changes_the_topic.{one.group}")
    assert json.loads(record.value)["payload"] == "eA=="


def test_filtered_messages_are_acknowledged_and_counted(source):
    one = source(
        **chain(
            ("mark", "InsertHeader", {"header": "mark", "value.literal": "1"}),
            ("drop", "Filter", {"predicate": "retained", "negate": "true"}),
            predicates="retained",
            **{
                "predicates.retained.type": ROOM + "predicates.HasHeaderKey",
                "predicates.retained.name": "nobody-sets-this",
            },
        )
    )
    one.publish([f"m{number}" for number in range(50)])
    wait_until(
        lambda: metric(one, one.name, "sluice_records_filtered_total") == 50, 20, "50 to be dropped"
    )
    wait_until(lambda: metric(one, one.name, "sluice_mqtt_acks_total") == 50, 20, "50 PUBACKs")
    # The same without negate lets everything pass, with the header of the transform before it.
    config = one.rest.get(f"/connectors/{one.name}/config").body
    config["transforms.drop.negate"] = "false"
    assert one.rest.put(f"/connectors/{one.name}/config", config).status == 200
    # Until the task has taken the change, it runs and drops.
    wait_until(
        lambda: metric(one, one.name, "sluice_task_updates_total") == 1, 20, "the change to be taken"
    )
    one.publish(["last"])
    (record,) = read(one)
    assert json.loads(record.value)["payload"] == base64.b64encode(b"last").decode()
    assert dict(record.headers)["mark"] == b"1"


def test_transform_that_fails_goes_to_the_dead_letter_queue(source):
    one = source(
        **chain(("key", "ValueToKey", {"fields": "id"})),
        **{
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": "dead-letters-of-transforms",
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        },
    )
    one.publish(["no struct"], sub="x")
    (record,) = read(one, 1, "dead-letters-of-transforms")
    assert record.value == b"no struct"
    headers = dict(record.headers)
    assert headers["__connect.errors.stage"] == b"TRANSFORMATION"
    assert headers["__connect.errors.class.name"] == (ROOM + "ValueToKey").encode()
    assert headers["__connect.errors.exception.message"].startswith(
        b"Only Struct objects supported for [copying fields from value to key]"
    )


def test_transform_that_fails_stops_the_task_and_loses_nothing(source):
    one = source(**chain(("key", "ValueToKey", {"fields": "id"})))
    one.publish(["kept"])

    def trace():
        (task,) = one.status(one.name)["tasks"]
        return task["state"] == "FAILED" and task["trace"]

    text = wait_until(trace, 30, "the task to fail", 0.1)
    assert "ValueToKey" in text and "Only Struct objects supported" in text
    config = {**one.source_config(tasks_max=1), **chain(("h", "HoistField$Value", {"field": "id"}))}
    assert one.rest.put(f"/connectors/{one.name}/config", config).status == 200
    (record,) = read(one)
    assert json.loads(record.value)["payload"] == {"id": base64.b64encode(b"kept").decode()}


def test_topic_that_cannot_be_is_an_error_of_the_record(source):
    one = source(
        **chain(("route", "RegexRouter", {"regex": ".*", "replacement": "no topic!"})),
        **{"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dead-letters-of-routes"},
        **{"errors.deadletterqueue.topic.replication.factor": "1"},
    )
    one.publish(["x"])
    (record,) = read(one, 1, "dead-letters-of-routes")
    assert record.value == b"x"


@pytest.mark.parametrize(
    "key, value, text",
    [
        ("transforms.a.type", "HoistField$Value", "Class HoistField$Value could not be found."),
        ("transforms.a.regex", "(", "Invalid regex"),
        ("transforms.a.regex", None, "Missing required configuration"),
        ("value.converter.schemas.enable", "perhaps", "Expected value to be either true or false"),
    ],
)
def test_what_is_wrong_with_a_plug_ins_keys_is_said_when_it_is_made(base, key, value, text):
    config = base.source_config(tasks_max=1)
    config.update(chain(("a", "RegexRouter", {"regex": "x", "replacement": "y"})))
    config.update({"value.converter": JSON, key: value})
    config = {key: value for key, value in config.items() if value is not None}
    answer = base.post_until_settled("/connectors", {"name": "refused", "config": config})
    assert answer.status == 400 and text in answer.body["message"], answer


def test_every_plug_in_is_listed(base):
    listed = base.rest.get("/connector-plugins?connectorsOnly=false").body
    count = {}
    for plugin in listed:
        count[plugin["type"]] = count.get(plugin["type"], 0) + 1
        definitions = base.rest.get(f"/connector-plugins/{plugin['class']}/config")
        assert definitions.status == 200 and isinstance(definitions.body, list)
    assert count["transformation"] == 26 and count["predicate"] == 3
    assert count["converter"] == 9 and count["header_converter"] == 10
