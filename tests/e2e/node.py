# SPDX-License-Identifier: Apache-2.0
"""The Kubernetes node that the tests run on, and its command line tools."""

import json
import os
import pathlib
import shutil
import subprocess

from lab import LabError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ("up", "fetch-tools", "build-image")
ADVICE = (
    "no Kubernetes to test on: set SLUICE_K8S to a folder with the scripts up, fetch-tools and"
    " build-image, as tests/e2e/README.md describes them"
)


def run(argv, check=True, timeout=600, env=None, stdin=None):
    """Runs a command to its end and returns it; with check a failure is a LabError that shows it."""
    done = subprocess.run(
        [str(word) for word in argv],
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=env,
        cwd=ROOT,
    )
    if check and done.returncode != 0:
        words = " ".join(map(str, argv))
        raise LabError(f"{words} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Node:
    """A running cluster of one node, with a namespace of the tests' own in `folder`'s kubeconfig."""

    def __init__(self, folder, namespace):
        self.folder = pathlib.Path(folder) / "node"
        self.folder.mkdir(parents=True)
        self.namespace = namespace
        scripts = os.environ.get("SLUICE_K8S")
        if not scripts or not all(os.access(f"{scripts}/{name}", os.X_OK) for name in SCRIPTS):
            raise LabError(ADVICE)
        self.scripts = pathlib.Path(scripts)
        self.env = self._started()
        self.host = os.environ.get("SLUICE_K8S_HOST") or self._address()
        self._make_namespace()

    def _started(self):
        """The environment of the tools, as the scripts print it."""
        lines = 'set -e; a=$("$1/up"); eval "$a"; b=$("$1/fetch-tools"); eval "$b"; env -0'
        text = run(["bash", "-c", lines, "bash", self.scripts], timeout=600).stdout
        env = dict(pair.split("=", 1) for pair in text.split("\0") if "=" in pair)
        for name in ("kubectl", "helm", "helm3"):
            if not shutil.which(name, path=env["PATH"]):
                raise LabError(f"{self.scripts}: there is no {name} on the PATH that they print")
        # A kubeconfig of its own, so that plain commands mean the namespace of the tests.
        own = self.folder / "kubeconfig"
        shutil.copy(env["KUBECONFIG"], own)
        own.chmod(0o600)
        env["KUBECONFIG"] = str(own)
        for what in ("CACHE", "CONFIG", "DATA"):
            env[f"HELM_{what}_HOME"] = str(self.folder / f"helm-{what.lower()}")
        return env

    def _address(self):
        """The node's own address, which is the host's where they are the same machine."""
        items = self.get("nodes")["items"]
        return next(
            entry["address"]
            for entry in items[0]["status"]["addresses"]
            if entry["type"] == "InternalIP"
        )

    def _make_namespace(self):
        self.kubectl("config", "set-context", "--current", f"--namespace={self.namespace}")
        self.drop_namespace()
        self.kubectl("create", "namespace", self.namespace)
        level = "pod-security.kubernetes.io/enforce=restricted"
        self.kubectl("label", "namespace", self.namespace, level)

    def drop_namespace(self):
        """Removes the namespace with all that is in it; fine when there is none."""
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")

    def run(self, *argv, **options):
        """Runs a command with the tools' environment."""
        return run(argv, env=self.env, **options)

    def kubectl(self, *argv, **options):
        return self.run("kubectl", *argv, **options)

    def get(self, *argv):
        """kubectl get as JSON."""
        return json.loads(self.kubectl("get", *argv, "-o", "json").stdout)

    def build_image(self, name, *options):
        """Builds deploy/Dockerfile and loads it into the node."""
        self.run(self.scripts / "build-image", "deploy/Dockerfile", ".", name, *options, timeout=1800)
