#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a JUnit report says: a line "passed failed skipped", then a line for each failure.

    tests/junit.py REPORT

The exit code is 1 if there is no report or no test in it.
"""
import sys
import xml.etree.ElementTree as ET

# Characters of all messages together; each has its share of them, and never less than the minimum.
MESSAGES_LENGTH = 12000
MESSAGE_LENGTH_MIN = 300


def outcome(case):
    """The name of the first child that tells how the case ended, and that child."""
    for kind in ("failure", "error", "skipped"):
        child = case.find(kind)
        if child is not None:
            return ("skipped" if kind == "skipped" else "failed"), child
    return ("skipped" if case.get("status") in ("disabled", "notrun") else "passed"), None


def describe(case, child, length):
    name = case.get("name", "?")
    group = case.get("classname", name)
    message = " ".join((child.get("message") or child.text or "").split())
    return f"{name if group == name else f'{group}::{name}'}: {message[:length]}".rstrip(": ")


def main(path):
    try:
        cases = list(ET.parse(path).iter("testcase"))
    except (OSError, ET.ParseError) as e:
        print("0 0 0")
        print(f"{path}: {e}", file=sys.stderr)
        return 1
    ends = [(case, *outcome(case)) for case in cases]
    print(*(sum(end == kind for _, end, _ in ends) for kind in ("passed", "failed", "skipped")))
    failed = [(case, child) for case, end, child in ends if end == "failed"]
    for case, child in failed:
        print(describe(case, child, max(MESSAGE_LENGTH_MIN, MESSAGES_LENGTH // len(failed))))
    return 0 if cases else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
