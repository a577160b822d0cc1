# SPDX-License-Identifier: Apache-2.0
"""What a scenario is made of: pairs of requests, and waits between them.

A pair is one request that both workers get. Words that start with "@" stand for what each side calls
a thing (sides.py), so `{"connector.class": "@source", "@own": ""}` is a valid config on both.
"""

import json

# The framework's keys of sources and of sinks.
SOURCE = """topic.creation.groups exactly.once.support transaction.boundary
    transaction.boundary.interval.ms offsets.storage.topic""".split()
SINK = """topics topics.regex errors.deadletterqueue.topic.name
    errors.deadletterqueue.topic.replication.factor
    errors.deadletterqueue.context.headers.enable""".split()


class Pair:
    """One request. `differs` names rows of the table in rest/README.md that explain a difference.

    Some of these come with a rule (differences.py). For the others `sluice` says what Sluice
    answers: the status of an error and what its message starts with, or a function of the answer.
    """

    def __init__(self, method, target, body=None, headers=None, differs=(), sluice=None):
        self.method = method
        self.target = target
        self.body = body
        self.headers = headers or {}
        self.differs = (differs,) if isinstance(differs, str) else tuple(differs)
        self.sluice = sluice

    @property
    def extras(self):
        """The framework's keys of what the target names, besides those of every connector."""
        return SINK if "@sink" in self.target else SOURCE

    def __repr__(self):
        body = "" if self.body is None else f" {self.payload(lambda text: text)[:160]!r}"
        headers = f" {self.headers}" if self.headers else ""
        return f"{self.method} {self.target[:120]}{headers}{body}"

    def payload(self, translate):
        """The body's bytes after translate(value) put a side's words in; None if there is none."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str):
            return translate(self.body).encode()
        return json.dumps(translate(self.body)).encode()


class Wait:
    """Until GET .../status shows this state and these states of tasks (None: any) on both sides."""

    def __init__(self, name, state, tasks=None):
        self.name = name
        self.state = state
        self.tasks = tasks

    def __repr__(self):
        return f"status of {self.name} is {self.state} {self.tasks}"

    def reached(self, answer):
        if self.state is None:
            return answer.status == 404
        if answer.status != 200 or answer.body["connector"]["state"] != self.state:
            return False
        states = [task["state"] for task in answer.body["tasks"]]
        return self.tasks is None or states == self.tasks


def get(target, **options):
    return Pair("GET", target, **options)


def put(target, body=None, **options):
    return Pair("PUT", target, body, **options)


def post(target, body=None, **options):
    return Pair("POST", target, body, **options)


def patch(target, body=None, **options):
    return Pair("PATCH", target, body, **options)


def delete(target, body=None, **options):
    return Pair("DELETE", target, body, **options)


def source(**changes):
    """A source connector's config; "_" in a name means ".", None leaves the key out."""
    return _config("@source", changes)


def sink(**changes):
    """A sink connector's config."""
    return _config("@sink", changes)


def errors(**expected):
    """For Pair.sluice: validate finds errors at exactly these keys, each text starting like this."""

    def fits(answer):
        if answer.status != 200:
            return False
        found = {
            config["value"]["name"]: config["value"]["errors"]
            for config in answer.body["configs"]
            if config["value"]["errors"]
        }
        wanted = {key.replace("_", "."): texts for key, texts in expected.items()}
        return (
            set(found) == set(wanted)
            and answer.body["error_count"] == sum(map(len, found.values()))
            and all(
                len(found[key]) == len(texts)
                and all(text.startswith(start) for text, start in zip(found[key], texts))
                for key, texts in wanted.items()
            )
        )

    return fits


def _config(kind, changes):
    config = {"connector.class": kind, f"@own {kind}": "", "tasks.max": "1"}
    config.update({key.replace("_", "."): value for key, value in changes.items()})
    return {key: value for key, value in config.items() if value is not LEFT_OUT}


LEFT_OUT = object()


def gone(name):
    """Until there is no status of `name` on either side."""
    return Wait(name, None)
