# SPDX-License-Identifier: Apache-2.0
"""Sink connectors: their definitions, and the checks of topics and dead letter queues."""

from contract.scenarios.create import create
from contract.steps import Pair, errors, get, post, put, sink

PATH = "/connector-plugins/@sink/config/validate"


def check(differs=(), sluice=None, **changes):
    """Validation of a sink connector's config with these changes."""
    return put(PATH, sink(name="v", **changes), differs=differs, sluice=sluice)


SCENARIOS = {
    "sinks that are refused": [
        post("/connectors", create("s", sink())),
        post("/connectors", create("s", sink(topics="t", topics_regex="t.*"))),
        post("/connectors", create("s", sink(topics=""))),
        post("/connectors", create("s", sink(topics_regex="[")), differs="java-texts",
             sluice=(400, "Connector configuration is invalid and contains the following 1 error(s):\nInvalid value [ for configuration topics.regex: Invalid reg")),
        post("/connectors", create("s", sink(
            topics="d, e", errors_deadletterqueue_topic_name="d"))),
        post("/connectors", create("s", sink(
            topics_regex="d.*", errors_deadletterqueue_topic_name="dlq"))),
    ],
    "sinks": [
        check(topics="t"),
        check(),
        check(topics="t", topics_regex="t"),
        check(topics=" a , b "),
        check(topics_regex="a.*"),
        check(topics_regex="[", differs="java-texts", sluice=errors(
            topics_regex=["Invalid value [ for configuration topics.regex: Invalid reg"])),
        check(topics="d,e", errors_deadletterqueue_topic_name="d"),
        check(topics_regex="d.*", errors_deadletterqueue_topic_name="d1"),
        check(topics="t", errors_deadletterqueue_topic_name="d",
                   errors_deadletterqueue_topic_replication_factor="70000"),
        check(topics="t", errors_deadletterqueue_context_headers_enable="x"),
        check(topics="t", consumer_override_max_poll_records="7", differs="override", sluice=errors()),
        check(topics="t", consumer_override_group_id="g", differs="override", sluice=errors()),
        check(topics="t", producer_override_linger_ms="x"),
        put("/connector-plugins/@source/config/validate", sink(name="v", topics="t")),
    ],
    "definitions of a sink": [
        get("/connector-plugins/@sink/config"),
    ],
    "list": [
        get("/connector-plugins"),
        get("/connector-plugins?connectorsOnly=true"),
        get("/connector-plugins?connectorsOnly="),
        Pair("HEAD", "/connector-plugins"),
    ],
}
