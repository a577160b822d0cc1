#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows what `sluice-load publish`, `prepare` and `drain` promise, on a real mosquitto.

usage: test_publish.py PATH-OF-SLUICE-LOAD
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position
from harness import Tool
from lab import Lab, wait_until


def plain_run(tool, mqtt):
    """What one run publishes, one prepared session receives, once and in order."""
    plan = {"run_id": "plain", "publishers": 5, "messages": 5000, "topics_per_publisher": 3}
    tool.check("prepare", tool.run("prepare", mqtt=mqtt, client_id="plain", filter="load/#")[0], 0)
    code, found, _ = tool.run("publish", mqtt=mqtt, **plan)
    tool.check("publish: exit code", code, 0)
    tool.check("publish: acked", (found["acked"], found["republished"], found["no_subscribers"]), (5000, 0, 0))
    code, found, _ = tool.run("drain", mqtt=mqtt, client_id="plain", timeout=30, **plan)
    tool.check("drain: exit code", code, 0)
    tool.check("drain: distinct, missing, duplicates, violations",
               [found[name] for name in ("distinct", "missing", "duplicates", "violations")], [5000, 0, 0, 0])
    tool.check("prepare --end", tool.run("prepare", mqtt=mqtt, client_id="plain", end=True)[0], 0)
    code, found, _ = tool.run("publish", mqtt=mqtt, **{**plan, "run_id": "nobody", "messages": 50})
    tool.check("publish to nobody: says so", (code, found["no_subscribers"]), (0, 50))


def several_sessions(tool, mqtt):
    """Sessions that share a filter share the messages."""
    plan = {"run_id": "shared", "publishers": 4, "messages": 4000}
    sessions = {"client_id": "shared", "sessions": 3}
    tool.check("prepare 3", tool.run("prepare", mqtt=mqtt, filter="$share/g/load/#", **sessions)[0], 0)
    tool.check("publish", tool.run("publish", mqtt=mqtt, **plan)[0], 0)
    code, found, _ = tool.run("drain", mqtt=mqtt, timeout=30, **sessions, **plan)
    tool.check("drain 3: received all once", (code, found["distinct"], found["duplicates"]), (0, 4000, 0))
    tool.check("end 3", tool.run("prepare", mqtt=mqtt, end=True, **sessions)[0], 0)


def broker_restart(tool, broker):
    """A restart of the broker in mid-run: nothing that counts as sent is missing."""
    plan = {"run_id": "restart", "publishers": 10, "messages": 20000}
    tool.run("prepare", mqtt=broker.address, client_id="restart", filter="load/#")
    publishing = tool.start("publish", mqtt=broker.address, rate=10000, window=20, **plan)
    wait_until(lambda: broker_messages(broker) > 2000, 30, "messages to be on their way")
    broker.restart()
    out, _ = publishing.communicate(timeout=60)
    found = json.loads(out)
    tool.check("restart: publish ends well", publishing.returncode, 0)
    tool.check("restart: acked", found["acked"], 20000)
    tool.check("restart: every publisher came back", found["reconnects"] >= 10, True)
    code, seen, _ = tool.run("drain", mqtt=broker.address, client_id="restart", timeout=30, **plan)
    tool.check("restart: nothing missing", (code, seen["missing"]), (0, 0))
    tool.check("restart: duplicates only from what was published again",
               seen["duplicates"] <= found["republished"], True)


def broker_messages(broker):
    """How many messages the broker has received so far, from its own statistics."""
    return int(broker.receive("$SYS/broker/publish/messages/received", 1)[0][1])


def frozen_broker(tool, broker):
    """A broker that does not answer: the command gives up in time and says why."""
    broker.freeze()
    code, _, errors = tool.run("publish", mqtt=broker.address, run_id="frozen", messages=20, timeout=1)
    broker.thaw()
    tool.check("frozen: exit code", code, 1)
    tool.check("frozen: says so", "no PUBACK" in errors, True)


def not_there(tool):
    for command, options in (("publish", {"run_id": "r"}), ("prepare", {"filter": "a"}), ("drain", {})):
        code, _, errors = tool.run(command, mqtt="127.0.0.1:1", **options)
        tool.check(f"{command} without a broker", (code, "--mqtt 127.0.0.1:1" in errors), (1, True))


def main(argv):
    if len(argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    tool = Tool(argv[1])
    with Lab() as lab:
        broker = lab.mosquitto()
        plain_run(tool, broker.address)
        several_sessions(tool, broker.address)
        broker_restart(tool, broker)
        frozen_broker(tool, broker)
        not_there(tool)
    return tool.done()


if __name__ == "__main__":
    sys.exit(main(sys.argv))
