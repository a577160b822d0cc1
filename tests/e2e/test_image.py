# SPDX-License-Identifier: Apache-2.0
"""The image as pods run it: its size, what is not in it, its health check, its end as process 1."""

import hashlib
import json
import re
import shutil
import subprocess

import pytest

# pylint: disable=import-error
from e2e.conftest import TAGS
from e2e.node import ROOT
from lab import wait_until

pytestmark = pytest.mark.timeout(600)
MAX_BYTES = 60_000_000
POD = "image"


@pytest.fixture
def pod(node, image):
    """pod(environment) runs the image by itself, as strictly as Kubernetes can; gone after the test."""

    def make(environment):
        context = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            # Without a number here Kubernetes takes the image's user, which must be one.
            "runAsNonRoot": True,
        }
        container = {
            "name": "worker",
            "image": f"{image}:{TAGS[0]}",
            "env": [{"name": key, "value": value} for key, value in environment.items()],
            "securityContext": context,
        }
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD},
            "spec": {"containers": [container], "restartPolicy": "Never"},
        }
        node.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        wait_until(lambda: "REST-LISTENING" in logs(node), 60, lambda: f"the worker\n{logs(node)}", 0.2)

    yield make
    node.kubectl("delete", "pod", POD, "--ignore-not-found", "--grace-period=0", "--force")


def logs(node):
    return node.kubectl("logs", POD, check=False).stdout


def environment(kafka, **more):
    return {
        "CONNECT_BOOTSTRAP_SERVERS": kafka,
        "CONNECT_GROUP_ID": "image",
        **{
            f"CONNECT_{what}_STORAGE_REPLICATION_FACTOR": "1"
            for what in ("CONFIG", "STATUS", "OFFSET", "CLAIMS")
        },
        **more,
    }


def test_the_image_is_small(node, image, note):
    def size():
        for entry in node.get("nodes")["items"][0]["status"]["images"]:
            if any(name.endswith(f"/{image}:{TAGS[0]}") for name in entry.get("names", [])):
                return entry["sizeBytes"]
        return None

    found = wait_until(size, 60, "the node to list the image", 0.5)
    note(text=f"{found / 1e6:.1f} MB in all, at most {MAX_BYTES / 1e6:.0f} beyond a base")
    assert found < MAX_BYTES


def test_it_runs_as_its_own_user_without_shell_and_answers_its_health_check(node, kafka, pod):
    pod(environment(kafka.address))
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    check = json.loads(re.search(r"HEALTHCHECK .*\\\n\s*CMD (\[.*\])", text).group(1))

    def healthy():
        return node.kubectl("exec", POD, "--", *check, check=False).returncode == 0

    wait_until(healthy, 60, lambda: f"the health check\n{logs(node)}", 0.5)
    for program in ("/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/apt-get", "/usr/bin/dpkg"):
        assert node.kubectl("exec", POD, "--", program, "--version", check=False).returncode != 0
    # Other user, other Kafka, trusted authorities: a certificate of nobody's is refused as such.
    elsewhere = "https://127.0.0.1:8083/health"
    told = node.kubectl("exec", POD, "--", check[0], "--probe", elsewhere, check=False).stderr
    assert "does not answer" in told


def test_process_1_ends_with_0_when_asked_to(node, kafka, pod, note):
    pod(environment(kafka.address))
    wait_until(lambda: "MEMBERSHIP" in logs(node) or "GROUP" in logs(node), 60, lambda: logs(node), 0.2)
    told = ended(node)
    assert "WORKER-STOPPED status=0" in told, told


def test_process_1_ends_also_while_there_is_no_kafka(node, pod):
    pod(environment("127.0.0.1:9"))
    assert "WORKER-STOPPED status=0" in ended(node)


def ended(node):
    """Deletes the pod, with more time than it needs, and returns its last words."""
    follow = subprocess.Popen(
        ["kubectl", "logs", "-f", POD], env=node.env, stdout=subprocess.PIPE, text=True
    )
    try:
        node.kubectl("delete", "pod", POD, "--grace-period=20", timeout=60)
        return follow.communicate(timeout=20)[0]
    finally:
        follow.kill()


def test_two_builds_in_two_folders_give_the_same_program(tmp_path):
    digests = set()
    for name in ("one", "another-place"):
        source = tmp_path / name / "source"
        skip = shutil.ignore_patterns(".git", "build", "build-*", "__pycache__")
        shutil.copytree(ROOT, source, ignore=skip)
        folder = tmp_path / name / "build"
        options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DSLUICE_TESTS=OFF"]
        for argv in (
            ["cmake", "-S", source, "-B", folder, *options],
            ["cmake", "--build", folder, "--target", "sluice-worker"],
        ):
            subprocess.run(argv, check=True, capture_output=True, timeout=900)
        program = (folder / "worker" / "sluice-worker").read_bytes()
        assert str(tmp_path).encode() not in program
        digests.add(hashlib.sha256(program).hexdigest())
    assert len(digests) == 1
