# SPDX-License-Identifier: Apache-2.0
"""What can be checked of image, compose file and chapters without a cluster."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

# pylint: disable=wrong-import-position
from e2e.chapter import NAMES, NOT_RUN, commands, names_of
from e2e.node import ROOT
from lab import find_program

DEPLOY = ROOT / "deploy"


def instructions():
    """(word, rest) of each instruction of the Dockerfile, lines that continue joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(" ", 1)) for line in joined.split("\n")]


def last_stage():
    found = instructions()
    start = max(index for index, (word, _) in enumerate(found) if word == "FROM")
    return found[start:]


def test_every_command_of_the_chapters_has_one_name():
    for command in commands():
        assert len(names_of(command)) == 1, f"{command}: {names_of(command)}"
    assert sorted(name for command in commands() for name in names_of(command)) == sorted(NAMES)
    assert set(NOT_RUN) <= set(NAMES)


def test_the_image_runs_as_a_number_and_without_a_shell():
    stage = dict(last_stage())
    assert stage["FROM"] == "scratch"
    assert re.fullmatch(r"[1-9]\d{4,}:[1-9]\d{4,}", stage["USER"])
    assert "RUN" not in stage
    for word in ("ENTRYPOINT", "CMD"):
        assert stage[word].startswith("["), f"{word} needs a shell"
    assert re.search(r"CMD \[", stage["HEALTHCHECK"])


def test_the_version_is_the_same_everywhere():
    version = re.search(r"project\(sluice VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert ("ARG", f"VERSION={version}") in instructions()
    assert f"sluice:{version}" in (DEPLOY / "compose.yaml").read_text()
    assert f"sluice:{version}" in next(command for command in commands() if "docker build" in command)


def test_the_context_has_what_the_dockerfile_copies():
    allowed = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    copied = set()
    for word, rest in instructions():
        if word == "COPY" and "--from" not in rest:
            copied |= set(rest.split()[:-1])
    assert copied == allowed
    for path in copied:
        assert (ROOT / path).exists(), path


def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def test_the_workers_of_the_compose_file_have_a_valid_configuration():
    worker = compose()["services"]["worker"]
    clean = {key: text for key, text in os.environ.items() if not key.startswith("CONNECT_")}
    done = subprocess.run(
        [find_program(), "--check"],
        env={**clean, **worker["environment"]},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr
    assert worker["deploy"]["replicas"] == 2
    assert worker["read_only"] is True


def test_the_compose_file_stops_workers_with_time_to_drain():
    worker = compose()["services"]["worker"]
    grace = int(worker["stop_grace_period"].removesuffix("s"))
    row = next(
        line
        for line in (DEPLOY / "docs" / "configuration.md").read_text().splitlines()
        if line.startswith("| `task.shutdown.graceful.timeout.ms`")
    )
    assert grace * 1000 > int(row.split("|")[3].strip(" `")) + 1000


def test_services_of_the_compose_file_refer_to_each_other():
    services = compose()["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        for volume in service.get("volumes", []):
            assert (DEPLOY / volume.split(":")[0]).exists(), volume
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    at = services["worker"]["environment"]["CONNECT_BOOTSTRAP_SERVERS"]
    assert at == services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split("//")[1]


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", __file__]))
