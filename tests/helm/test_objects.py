# SPDX-License-Identifier: Apache-2.0
"""Rendered objects against the API's schemas and other projects', and against rules of security."""

import json
import subprocess

import pytest
from chart import EXAMPLES, HERE, MINIMAL, ROOT, Release, folder, merged, parse

NAMES = [path.name.removesuffix("-values.yaml") for path in EXAMPLES]
# Objects, and values of this chart; those of another chart are left out.
MANIFESTS = sorted(
    path
    for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml")
    if path.name != "adapter-values.yaml"
)
# The oldest Kubernetes that Chart.yaml admits, and newer ones.
VERSIONS = ("1.30", "1.34", "1.36")
# Findings of the security linter that stay, and why.
ACCEPTED = {
    "KSV011": "no CPU limit: who is throttled in a rebalance loses its place in the group",
    "KSV116": "found in config maps too; test_pods_pass_the_level_restricted checks the groups",
}


def errors(objects, versions=VERSIONS):
    """An error or None for each object."""
    asked = {"objects": objects, "versions": versions, "crds": str(folder("crds"))}
    done = subprocess.run(
        ["/usr/bin/python3", HERE / "validate.py"],
        input=json.dumps(asked),
        env={"PYTHONPATH": str(folder("schemas"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_objects_are_what_the_api_takes(examples):
    objects = [one for made in examples.values() for one in made.objects]
    assert len(objects) > 40
    assert not [error for error in errors(objects) if error]


def test_manifests_of_deploy_are_what_the_api_takes():
    objects = []
    for path in MANIFESTS:
        found = parse(path.read_text(encoding="utf-8"))
        assert found, path
        for one in found:
            objects += [one] if "apiVersion" in one else Release(merged(MINIMAL, one)).objects
    assert len(MANIFESTS) >= 3
    assert not [error for error in errors(objects, VERSIONS[-1:]) if error]


def test_wrong_fields_are_noticed(examples):
    kinds = {
        "Deployment",
        "StatefulSet",
        "ScaledObject",
        "PodMonitor",
        "ServiceMonitor",
        "PrometheusRule",
        "HTTPRoute",
        "NetworkPolicy",
    }
    objects = {
        one["kind"]: one
        for made in examples.values()
        for one in made.objects
        if one["kind"] in kinds
    }
    assert set(objects) == kinds
    wrong = [merged(one, {"spec": {"aFieldThatIsNone": 1}}) for one in objects.values()]
    for error in errors(wrong, VERSIONS[-1:]):
        assert "aFieldThatIsNone" in error


@pytest.mark.parametrize("name", NAMES)
def test_pods_pass_the_level_restricted(name, examples):
    """The rules of the Pod Security level `restricted`, for containers that are the chart's own."""
    spec = examples[name].pod["spec"]
    pod = spec["securityContext"]
    assert not [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
    assert (
        pod["runAsNonRoot"] is True
        and pod["runAsUser"] > 10000
        and pod["runAsGroup"] > 10000
        and pod["fsGroup"] > 10000
    )
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"] + spec.get("initContainers", []):
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False and own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert not own.get("privileged") and own.get("runAsUser", 1) > 0
        assert not [port for port in container.get("ports", []) if "hostPort" in port]
        assert container["resources"]["limits"]["memory"]
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= {
            "configMap",
            "csi",
            "downwardAPI",
            "emptyDir",
            "ephemeral",
            "projected",
            "secret",
        }


def test_no_secret_is_made_or_written(examples):
    for made in examples.values():
        assert not made.all("Secret")
        for one in made.all("ConfigMap"):
            assert "BEGIN" not in json.dumps(one.get("data", {}))


@pytest.mark.full
def test_the_security_linter_finds_nothing_else(examples, tmp_path):
    """trivy's own checks, without the example that brings containers of its own."""
    for name, made in examples.items():
        if name != "everything":
            (tmp_path / f"{name}.yaml").write_text(made.text)
    done = subprocess.run(
        [
            folder("trivy") / "trivy",
            "config",
            "--cache-dir",
            tmp_path / "cache",
            "--skip-policy-update",
            "--format",
            "json",
            tmp_path,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    results = json.loads(done.stdout)["Results"]
    assert len(results) == len(examples) - 1 and all(
        one["MisconfSummary"]["Successes"] > 100 for one in results
    )
    found = {
        (one["ID"], one["Message"])
        for result in results
        for one in result.get("Misconfigurations", [])
    }
    assert not [one for one in found if one[0] not in ACCEPTED]
    assert {one[0] for one in found} == set(ACCEPTED), "ACCEPTED has what is found no more"
