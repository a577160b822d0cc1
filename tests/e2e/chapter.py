# SPDX-License-Identifier: Apache-2.0
"""README.md's chapters on containers and Kubernetes: what the tests run is what stands there."""

import re

from e2e.node import ROOT

# What each command of the chapters is called in the tests, and how it begins; every command of the
# chapters has a name, and every name a command (test_files.py).
NAMES = {
    "build": "docker build -f deploy/Dockerfile",
    "push": "docker push",
    "compose up": "docker compose -f deploy/compose.yaml up --build",
    "compose scale": "docker compose -f deploy/compose.yaml up --wait --scale",
    "compose down": "docker compose -f deploy/compose.yaml down",
    "install": "helm install sluice helm/sluice",
    "test": "helm test sluice",
    "pods": "kubectl get pods",
    "forward": "kubectl port-forward",
    "create": "curl -s -X POST",
    "status": "curl -s http://localhost:8083/connectors/plant/status",
    "connectors": "helm upgrade sluice helm/sluice --reset-then-reuse-values -f connectors.yaml",
    "replicas": "helm upgrade sluice helm/sluice --reset-then-reuse-values --set replicas=",
    "hand over": "helm upgrade sluice helm/sluice --reset-then-reuse-values --set externalAutoscaler",
    "scale": "kubectl scale deployment/sluice",
    "rollout": "kubectl rollout status",
    "upgrade": "helm upgrade sluice helm/sluice --reset-then-reuse-values --set image.tag=",
    "rollback": "helm rollback sluice",
    "drain": "kubectl drain",
    "uncordon": "kubectl uncordon",
    "uninstall": "helm uninstall sluice",
}
# Those that no test runs: there is no registry, and no engine, to run them against.
NOT_RUN = ("push", "compose up", "compose scale", "compose down")


def text():
    """Both chapters."""
    whole = (ROOT / "README.md").read_text(encoding="utf-8")
    return whole.split("\n## In containers\n")[1].split("\n## Manage connectors by REST\n")[0]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", text(), re.S)


def commands():
    """Every command of the shell blocks, as one text each."""
    found = []
    command = ""
    for line in "".join(blocks("sh")).splitlines(keepends=True):
        command += line
        if command.count("'") % 2 == 0 and not command.endswith("\\\n"):
            found.append(command.strip())
            command = ""
    return found


def names_of(command):
    return [name for name, start in NAMES.items() if command.startswith(start)]


class Chapter:
    """Runs the commands by name, with the node's own addresses in place of the examples."""

    def __init__(self, node):
        self.node = node
        self.ran = set()
        self.swaps = {}

    def command(self, name, **swaps):
        """A command as it is run; what `swaps` says replaces texts of the command besides."""
        line = next(command for command in commands() if command.startswith(NAMES[name]))
        for old, new in {**self.swaps, **swaps}.items():
            line = line.replace(old, new)
        return line

    def run(self, name, more="", swaps=None, check=True, timeout=300):
        """Runs a command, with `more` words at its end."""
        self.ran.add(name)
        line = self.command(name, **(swaps or {}))
        return self.node.run("bash", "-c", f"{line} {more}", check=check, timeout=timeout)
