# SPDX-License-Identifier: Apache-2.0
"""Renders the chart, and what the tests need around that."""

import concurrent.futures
import functools
import importlib.util
import json
import os
import pathlib
import subprocess

import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CHART = ROOT / "helm" / "sluice"
HELMS = ("helm", "helm3")
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))
MINIMAL = {"kafka": {"bootstrapServers": "kafka:9092"}}
RELEASE, NAMESPACE = "sluice", "bridges"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.lru_cache(maxsize=None)
def folder(part):
    """The folder of something downloaded; see fetch."""
    done = subprocess.run([HERE / "fetch", part], stdout=subprocess.PIPE, text=True, check=True)
    return pathlib.Path(done.stdout.strip())


@functools.lru_cache(maxsize=None)
def generator():
    """helm/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "helm" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def helm(*arguments, program="helm", stdin=""):
    """Runs helm without a cluster and without the user's settings."""
    nowhere = str(folder("helm") / "nothing")
    environment = {"PATH": os.environ["PATH"], "HOME": nowhere, "KUBECONFIG": nowhere}
    return subprocess.run(
        [folder("helm") / program, *arguments],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def merged(*trees):
    """Maps laid over each other; null in a later one is kept, for helm to take a default away."""
    result = {}
    for tree in trees:
        for key, value in tree.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def nested(path, value):
    """{"a": {"b": value}} for "a.b"."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def at(tree, path):
    for key in path.split("."):
        tree = tree[key]
    return tree


def template(values=None, example=None, program="helm", release=RELEASE):
    """What `helm template` says, as a finished process."""
    arguments = ["template", release, CHART, "--namespace", NAMESPACE]
    if example:
        arguments += ["-f", example]
    if values is not None:
        arguments += ["-f", "-"]
    return helm(*arguments, program=program, stdin=json.dumps(values))


def parse(text):
    return [one for one in yaml.load_all(text, Loader=LOADER) if one]


class Release:
    """The objects of a rendered release."""

    def __init__(self, values=None, **options):
        done = template(values, **options)
        assert done.returncode == 0, done.stderr
        self.text = done.stdout
        self.objects = parse(done.stdout)

    def all(self, kind):
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind, name=RELEASE):
        found = [one for one in self.all(kind) if one["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    def has(self, kind, name=RELEASE):
        return any(one["metadata"]["name"] == name for one in self.all(kind))

    @property
    def workload(self):
        (found,) = self.all("Deployment") + self.all("StatefulSet")
        return found

    @property
    def pod(self):
        return self.workload["spec"]["template"]

    @property
    def worker(self):
        (found,) = [one for one in self.pod["spec"]["containers"] if one["name"] == "worker"]
        return found

    @property
    def env(self):
        return {one["name"]: one.get("value", one.get("valueFrom")) for one in self.worker["env"]}

    @property
    def properties_file(self):
        (text,) = [
            one["data"]["worker.properties"]
            for one in self.all("ConfigMap")
            if "worker.properties" in one.get("data", {})
        ]
        return text

    @property
    def properties(self):
        """What that file says, its escapes undone."""
        pairs = (line.split("=", 1) for line in self.properties_file.splitlines())
        return {key: value.replace("\\\\", "\\") for key, value in pairs}


def refusal(values, program="helm"):
    """What is said of values that are refused."""
    done = template(merged(MINIMAL, values), program=program)
    assert done.returncode != 0, "it was not refused"
    return done.stderr


def in_parallel(function, items):
    """Results in the order of the items."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        return list(pool.map(function, items))
