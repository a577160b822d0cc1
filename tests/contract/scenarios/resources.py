# SPDX-License-Identifier: Apache-2.0
"""Topics, offsets, loggers and Connect's internal endpoints."""

from contract.steps import Pair, Wait, delete, get, gone, patch, post, put, sink, source

BAD = "bad-input"
OFFSETS = "/connectors/o/offsets"
SIGNED = {"X-Connect-Authorization": "YWJj", "X-Connect-Request-Signature-Algorithm": "HmacSHA256"}


def bad_offsets(body, text):
    """A body that Connect's JSON library refuses with a 500."""
    return patch(OFFSETS, body, differs=BAD, sluice=(400, text))


def refused(body):
    """Offsets of the wrong shape for a sink."""
    return patch(OFFSETS, {"offsets": [body]})


def at(topic="t", partition=0, offset=None):
    """Offsets of a sink."""
    return {"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": offset}


SCENARIOS = {
    "topics": [
        get("/connectors/nobody/topics"),
        put("/connectors/nobody/topics/reset"),
        post("/connectors", {"name": "t", "config": source(), "initial_state": "STOPPED"}),
        get("/connectors/t/topics"),
        get("/connectors/t/topics/"),
        put("/connectors/t/topics/reset"),
        put("/connectors/t/topics/reset", {}),
        get("/connectors/t/topics"),
        Pair("OPTIONS", "/connectors/t/topics"),
        Pair("OPTIONS", "/connectors/t/topics/reset"),
        Pair("HEAD", "/connectors/t/topics"),
        delete("/connectors/t"),
        gone("t"),
    ],
    "offsets of a source": [
        get("/connectors/nobody/offsets"),
        delete("/connectors/nobody/offsets"),
        patch("/connectors/nobody/offsets", {"offsets": [{"partition": {}, "offset": None}]}),
        patch("/connectors/nobody/offsets", {}),
        Pair("OPTIONS", "/connectors/nobody/offsets"),
        post("/connectors", {"name": "o", "config": source()}),
        Wait("o", "RUNNING", ["RUNNING"]),
        patch(OFFSETS, {"offsets": [{"partition": {"a": 1}, "offset": None}]}),
        delete(OFFSETS),
        put("/connectors/o/pause"),
        Wait("o", "PAUSED", ["PAUSED"]),
        delete(OFFSETS),
        put("/connectors/o/stop"),
        Wait("o", "STOPPED", []),
        patch(OFFSETS, {}),
        patch(OFFSETS, {"offsets": []}),
        patch(OFFSETS, {"offsets": None}),
        bad_offsets(b"", ""),
        bad_offsets(b"{", ""),
        bad_offsets(b"[]", "Cannot deserialize value"),
        bad_offsets({"key": []}, 'Unrecognized field "key"'),
        bad_offsets({"offsets": {}}, "Cannot deserialize value"),
        bad_offsets({"offsets": [123]}, "Cannot construct instance"),
        bad_offsets({"offsets": [{"key": "val"}]}, 'Unrecognized field "key"'),
        bad_offsets({"offsets": "x"}, "Cannot deserialize value"),
        bad_offsets({"offsets": [{"partition": 5, "offset": None}]}, ""),
        delete(
            OFFSETS,
            differs="source-offsets",
            sluice=lambda answer: answer.status == 200 and "reset successfully. However" in answer.message,
        ),
        get(OFFSETS),
        delete("/connectors/o"),
        gone("o"),
    ],
    "offsets of a sink": [
        post("/connectors", {"name": "o", "config": sink(topics="t"), "initial_state": "STOPPED"}),
        Wait("o", "STOPPED", []),
        get(OFFSETS),
        refused({"partition": None, "offset": None}),
        refused({"offset": {"kafka_offset": 1}}),
        refused({"partition": {}, "offset": {"kafka_offset": 1}}),
        refused({"partition": {"kafka_topic": "t"}, "offset": {"kafka_offset": 1}}),
        refused({"partition": {"kafka_partition": 0}, "offset": {"kafka_offset": 1}}),
        refused(at(topic=None, offset={"kafka_offset": 1})),
        refused(at(topic=7, offset={"kafka_offset": 1})),
        refused(at(partition=None, offset={"kafka_offset": 1})),
        refused(at(partition="x", offset={"kafka_offset": 1})),
        refused(at(partition=True, offset={"kafka_offset": 1})),
        refused(at(offset={})),
        refused(at(offset={"offset": 1})),
        refused(at(offset={"kafka_offset": "x"})),
        refused(at(offset={"kafka_offset": None})),
        refused(at(topic="no-such-topic", offset={"kafka_offset": 1})),
        patch(
            OFFSETS,
            {"offsets": [at(offset={"kafka_offset": -1})]},
            differs="offset-values",
            sluice=(400, "Failed to modify offsets for sink connector o"),
        ),
        delete(OFFSETS),
        delete("/connectors/o"),
        gone("o"),
    ],
    "loggers": [
        get(
            "/admin/loggers",
            differs="loggers",
            sluice=lambda answer: answer.status == 200
            and answer.body["root"] == {"level": "INFO", "last_modified": None},
        ),
        get("/admin/loggers/root"),
        get("/admin/loggers/root/"),
        get("/admin/loggers/no.such.logger"),
        Pair("OPTIONS", "/admin/loggers"),
        Pair("OPTIONS", "/admin/loggers/root"),
        Pair("HEAD", "/admin/loggers/root"),
        put("/admin/loggers/contract.a", {"level": "debug"}),
        get("/admin/loggers/contract.a"),
        put("/admin/loggers/contract.a", {"level": "DEBUG"}),
        put("/admin/loggers/contract.a", {"level": "Error"}),
        get("/admin/loggers/contract.a"),
        put("/admin/loggers/contract.a?scope=worker", {"level": "WARN"}),
        put("/admin/loggers/contract.a?scope=nope", {"level": "INFO"}),
        put("/admin/loggers/contract.a?scope=cluster", {"level": "TRACE"}),
        put("/admin/loggers/contract.a?scope=CLUSTER", {"level": "TRACE"}),
        get("/admin/loggers/contract.a"),
        put("/admin/loggers/contract.a", {"level": "FATAL"}),
        put("/admin/loggers/contract.a", {"level": "OFF"}),
        put("/admin/loggers/contract.a", {"level": "ALL"}),
        put("/admin/loggers/contract.a", {}),
        put("/admin/loggers/contract.a", {"level": None}),
        put("/admin/loggers/contract.a", {"level": "LOUD"}),
        put("/admin/loggers/contract.a", {"Level": "INFO"}),
        put("/admin/loggers/contract.a?scope=cluster", {"level": "LOUD"}),
        put("/admin/loggers/contract.a?scope=cluster", {}),
        put(
            "/admin/loggers/contract.a",
            {"level": ""},
            differs="empty-level",
            sluice=(400, "Illegal null or empty Level name."),
        ),
        put("/admin/loggers/contract.a", b"", differs=BAD, sluice=(400, "")),
        put("/admin/loggers/contract.a", b"{", differs=BAD, sluice=(400, "")),
        put("/admin/loggers/contract.a", b"[]", differs=BAD, sluice=(400, "")),
        Pair("POST", "/admin/loggers/root", {}, differs=("error-type", "allow")),
        Pair("DELETE", "/admin/loggers/root", differs=("error-type", "allow")),
    ],
    "internal endpoints": [
        post("/connectors/nobody/tasks", []),
        post("/connectors/nobody/tasks", [{"a": "b"}], headers={"X-Connect-Authorization": "YWJj"}),
        put("/connectors/nobody/fence"),
        put("/connectors/nobody/fence", {}),
        post("/connectors/nobody/tasks", [], headers=SIGNED, differs="internal", sluice=(400, "Internal")),
        put("/connectors/nobody/fence", headers=SIGNED, differs="internal", sluice=(400, "Internal")),
        Pair("OPTIONS", "/connectors/nobody/fence"),
        Pair("OPTIONS", "/connectors/nobody/tasks"),
    ],
}
