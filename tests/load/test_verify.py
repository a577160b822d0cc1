#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows that `sluice-load verify` can fail: every fault it is there to see is made on purpose.

usage: test_verify.py PATH-OF-SLUICE-LOAD

The Kafka is librdkafka's mock cluster. Each case has a topic of its own and 400 messages of 4
publishers with 2 topics each. Message numbers count the publishers one after the other: number 210
is message 10 of publisher 2, to its topic 0 with sequence 5.
"""

import json
import sys

from harness import Tool

PLAN = {"publishers": 4, "messages": 400, "topics_per_publisher": 2}
QUICK = {"timeout": 2, "settle_ms": 50}

# name: (faults, options of verify, exit code, {path in the JSON: value})
CASES = {
    "clean": ("", {"order": "strict", "max_duplicates": 0}, 0,
              {"verdict": "ok", "received": 400, "missing": 0, "duplicates": 0, "order.violations": 0,
               "order.max_chains": 1, "headers_missing.mqtt.qos": 0}),
    "one-lost": ("lose:210", {}, 2,
                 {"verdict": "missing", "received": 399, "missing": 1,
                  "missing_first": [{"publisher": 2, "topic": 0, "seq": 5}]}),
    "last-lost": ("lose:399", {}, 2,
                  {"missing": 1, "missing_first": [{"publisher": 3, "topic": 1, "seq": 49}]}),
    "loss-expected": ("lose:0,lose:1", {"expect_loss": True}, 0, {"missing": 2}),
    "no-loss-though-expected": ("", {"expect_loss": True}, 6, {"verdict": "nothing lost"}),
    "duplicates-counted": ("duplicate:5,duplicate:300", {}, 0,
                           {"duplicates": 2, "max_copies": 2, "missing": 0, "order.violations": 0}),
    "duplicates-over-the-bound": ("duplicate:5,duplicate:300", {"max_duplicates": 1}, 5,
                                  {"verdict": "duplicates", "duplicates": 2}),
    "duplicates-at-the-bound": ("duplicate:5,duplicate:300", {"max_duplicates": 2}, 0, {}),
    "duplicates-hide-no-loss": ("duplicate:5,lose:6", {}, 2, {"duplicates": 1, "missing": 1}),
    "disorder-reported": ("swap:120", {}, 0,
                          {"order.violations": 1, "order.disordered_streams": 1, "order.max_chains": 2}),
    "disorder-strict": ("swap:120", {"order": "strict"}, 3, {"verdict": "disorder"}),
    "disorder-of-one-session": ("swap:120", {"order": "sessions", "sessions": 1}, 3,
                                {"order.streams_over_sessions": 1}),
    "interleaving-of-two-sessions": ("swap:120", {"order": "sessions", "sessions": 2}, 0,
                                     {"order.streams_over_sessions": 0}),
    "corrupt-payload": ("corrupt:7", {}, 4, {"verdict": "content", "corrupt": 1, "missing": 0}),
    "alien-payload": ("alien:7", {}, 2, {"alien": 1, "missing": 1}),
    "wrong-key": ("key:7", {}, 4, {"bad_keys": 1}),
    "no-headers": ("headers:7", {}, 4,
                   {"headers_missing.mqtt.message.id": 1, "headers_missing.mqtt.duplicate": 1}),
    "no-headers-ignored": ("headers:7", {"headers": "ignore"}, 0, {"headers_missing.mqtt.qos": 1}),
}


def look_up(found, path):
    """The value at "a.b"; the names of headers hold dots themselves."""
    head, _, rest = path.partition(".")
    if head in ("order", "headers_missing"):
        return found[head][rest]
    return found[path]


def run_case(tool, kafka, name):
    faults, options, code, wanted = CASES[name]
    made = {"fault": faults} if faults else {}
    produced = tool.run("produce", kafka=kafka, topic=name, run_id=name, **PLAN, **made)
    tool.check(f"{name}: produce", produced[0], 0)
    seen, found, errors = tool.run("verify", kafka=kafka, topic=name, run_id=name, **PLAN, **QUICK, **options)
    tool.check(f"{name}: exit code", seen, code)
    if found is None:
        tool.check(f"{name}: JSON", errors, "")
        return
    for path, value in wanted.items():
        tool.check(f"{name}: {path}", look_up(found, path), value)


def runs_are_kept_apart(tool, kafka):
    """Another run in the same topic neither counts nor hides a loss."""
    topic = "two-runs"
    tool.run("produce", kafka=kafka, topic=topic, run_id="other", **PLAN)
    tool.run("produce", kafka=kafka, topic=topic, run_id="this", fault="lose:3", **PLAN)
    code, found, _ = tool.run("verify", kafka=kafka, topic=topic, run_id="this", **PLAN, **QUICK)
    tool.check("two runs: exit code", code, 2)
    tool.check("two runs: foreign", found["foreign"], 400)
    tool.check("two runs: missing", found["missing"], 1)


def more_than_planned(tool, kafka):
    """Messages beyond the plan are seen, not counted for others."""
    topic = "beyond"
    tool.run("produce", kafka=kafka, topic=topic, run_id="big", **PLAN)
    smaller = {**PLAN, "messages": 396}
    code, found, _ = tool.run("verify", kafka=kafka, topic=topic, run_id="big", **smaller, **QUICK)
    tool.check("beyond the plan: exit code", code, 4)
    tool.check("beyond the plan: out of plan", found["out_of_plan"], 4)


def late_messages(tool, kafka):
    """A verify that starts first waits for the topic and for what comes late."""
    waiting = tool.start("verify", kafka=kafka, topic="late", run_id="late", timeout=20, settle_ms=50,
                         **{name: value for name, value in PLAN.items()})
    tool.run("produce", kafka=kafka, topic="late", run_id="late", **PLAN)
    out, _ = waiting.communicate(timeout=60)
    tool.check("late: exit code", waiting.returncode, 0)
    tool.check("late: received", json.loads(out)["received"], 400)


def watch_counts(tool, kafka):
    code, found, _ = tool.run("watch", kafka=kafka, topic="clean", records=400, timeout=5)
    tool.check("watch: reached", (code, found["reached"], found["records"]), (0, True, 400))
    code, found, _ = tool.run("watch", kafka=kafka, topic="clean", records=401, timeout=1)
    tool.check("watch: not reached", (code, found["reached"]), (2, False))


def bad_options(tool):
    """Every mistake gets exit code 1 and a line that names the option."""
    base = {"kafka": "127.0.0.1:1", "topic": "t", "run_id": "r"}
    cases = [("--kafka", {"topic": "t", "run_id": "r"}), ("--run-id", {"kafka": "x:1", "topic": "t"}),
             ("--run-id", {**base, "run_id": "a b"}), ("--size", {**base, "size": 5}),
             ("--messages", {**base, "messages": "many"}), ("--messages", {**base, "messages": 3}),
             ("--order", {**base, "order": "loose"}), ("--prefix", {**base, "prefix": "a/#"}),
             ("--colour", {**base, "colour": "red"}), ("--sessions", {**base, "sessions": 0})]
    for option, options in cases:
        code, _, errors = tool.run("verify", **options)
        tool.check(f"bad {option}: exit code", code, 1)
        tool.check(f"bad {option}: named", option in errors, True)


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tool = Tool(argv[1])
    mock = tool.start("mock")
    try:
        kafka = json.loads(mock.stdout.readline())["bootstrap"]
        for name in CASES:
            run_case(tool, kafka, name)
        runs_are_kept_apart(tool, kafka)
        more_than_planned(tool, kafka)
        late_messages(tool, kafka)
        watch_counts(tool, kafka)
        bad_options(tool)
    finally:
        mock.stdin.close()
        mock.wait(timeout=30)
    return tool.done()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
