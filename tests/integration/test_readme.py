# SPDX-License-Identifier: Apache-2.0
"""The commands of README.md do what it says: each is taken from the text and run."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from certificates import Authority

from lab import find_program, wait_until

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(find_program()).resolve().parents[1]

# Run elsewhere: by the quickstart tier, by whoever runs this test, and by the build before it.
ELSEWHERE = re.compile(
    r"^(\./deploy/quickstart|\./tests/run|\./deploy/packages build|cmake --preset release"
    r"|cmake --build --preset release)"
)
# Run by the e2e tier, which also says that it knows every command of them.
CHAPTERS = re.compile(r"\n## In containers\n.*?(?=\n## Manage connectors by REST\n)", re.S)


def commands():
    """Every command of the shell blocks, lines that continue joined."""
    text = CHAPTERS.sub("", (ROOT / "README.md").read_text())
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        block = "\n".join(line for line in block.split("\n") if not line.startswith("#"))
        quoted = False
        command = ""
        for line in block.split("\n"):
            command += line + "\n"
            quoted ^= line.count("'") % 2 == 1
            if not quoted and not line.endswith("\\") and command.strip():
                found.append(command.strip())
                command = ""
    return found


def test_readme_has_the_two_commands():
    starts = [command.split()[0] for command in commands()]
    assert "./deploy/quickstart" in starts
    assert "./tests/run" in starts


def test_rest_commands_do_what_they_say(cluster, mosquitto):
    crew = cluster(1)
    worker = crew.workers[0]
    curls = [command for command in commands() if command.startswith("curl -s ")]
    assert len(curls) >= 8
    for command in curls:
        command = command.replace("http://localhost:8083", worker.url)
        command = command.replace("tcp://localhost:1883", f"tcp://127.0.0.1:{mosquitto.port}")
        if "-X DELETE" not in command and "-X POST" not in command or "restart" in command:
            named = re.search(r"/connectors/(\w+)", command)
            path = f"/connectors/{named.group(1) if named else 'sensors'}/status"
            wait_until(lambda at=path: worker.get(at).status == 200, 20, "a status")
        done = subprocess.run(
            ["bash", "-c", command.replace("curl -s", "curl -s -w '\\n%{http_code}'", 1)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        code = done.stdout.strip().split("\n")[-1]
        assert done.returncode == 0 and code.startswith("2"), (command, done.stdout, done.stderr)
    wait_until(lambda: worker.get("/connectors").body == [], 20, "no connector")


def test_secrets_of_the_readme_reach_the_connector(cluster, fresh_mosquitto, tmp_path):
    text = (ROOT / "README.md").read_text()
    section = text.split("## Keep secrets out of configs")[1].split("\n## ")[0]
    properties = re.search(r"```properties\n(.*?)```", section, re.S).group(1)
    (tmp_path / "broker.properties").write_text("user=anna\npassword=open-sesame\n")
    broker = fresh_mosquitto(users={"anna": "open-sesame"})
    pairs = [line.split("=", 1) for line in properties.replace("/run/secrets", str(tmp_path)).split()]
    worker = cluster(1, properties=dict(pairs)).workers[0]
    create = next(command for command in commands() if '"locked"' in command)
    assert create in section
    create = create.replace("http://localhost:8083", worker.url)
    create = create.replace("localhost:1883", f"127.0.0.1:{broker.port}")
    create = create.replace("/run/secrets", str(tmp_path))
    subprocess.run(["bash", "-c", create], check=True, capture_output=True, timeout=60)
    wait_until(
        lambda: "MQTT-CONNECTED" in worker.log_text(), 20, lambda: f"a login\n{worker.log_tail()}"
    )
    assert "open-sesame" not in worker.log_text()
    assert "/broker.properties:password}" in f"{worker.get('/connectors/locked/config').body}"


def test_tls_and_password_commands_do_what_they_say(cluster, tmp_path):
    authority = Authority(tmp_path)
    authority.issue("worker")
    passage = (ROOT / "README.md").read_text().split("## REST over TLS and passwords")[1]
    block = re.search(r"```properties\n(.*?)```", passage, re.S).group(1)
    crew = cluster(0)
    worker = crew.lab.new_worker(crew.kafka, crew.group, name="worker", program=find_program())
    crew.workers.append(worker)
    port = worker.port

    def here(text):
        text = text.replace("/etc/sluice", str(tmp_path)).replace("https://:", "https://127.0.0.1:")
        return text.replace("8443", str(port)).replace("localhost", "127.0.0.1")

    lines = here(block).strip().split("\n")
    worker.properties.update(line.split("=", 1) for line in lines)
    shell = {**os.environ, "PATH": f"{Path(find_program()).parent}:{os.environ['PATH']}"}
    logins = [command for command in commands() if command.startswith('echo "')]
    assert len(logins) == 2
    for command in logins:
        subprocess.run(
            ["bash", "-c", here(command)], input="opensesame\n", text=True, check=True, env=shell
        )
    worker.launch()
    asks = [command for command in commands() if command.startswith("curl --cacert")]
    assert len(asks) == 1

    def ask(user):
        asked = here(asks[0]).replace("--user ann", f"--user {user}:opensesame")
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, timeout=60)
        return done.stdout

    wait_until(lambda: ask("ann") == "[]", 20, "the worker to answer its user")
    assert ask("bob") == "[]"
    assert "User cannot access the resource." in ask("eve")


def test_install_puts_binary_sample_and_documents_in_place(tmp_path):
    line = next(command for command in commands() if command.startswith("cmake --install"))
    assert line == "cmake --install build/release --prefix /usr/local"
    subprocess.run(
        ["cmake", "--install", str(BUILD), "--prefix", str(tmp_path)],
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "bin" / "sluice-worker").is_file()
    assert list(tmp_path.rglob("worker.properties"))
    assert list(tmp_path.rglob("configuration.md"))
    sample = next(tmp_path.rglob("worker.properties"))
    done = subprocess.run(
        [str(tmp_path / "bin" / "sluice-worker"), "--check", str(sample)],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_known():
    known = ("curl", 'echo "', "cmake --install", "sluice-worker worker.properties", "apt-get", "helm")
    for command in commands():
        assert ELSEWHERE.match(command) or command.startswith(known), f"run by no test: {command}"


def test_commands_need_tools_that_the_readme_installs():
    if shutil.which("curl") is None:
        pytest.fail("deploy/packages must install curl: the README uses it")
