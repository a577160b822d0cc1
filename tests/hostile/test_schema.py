# SPDX-License-Identifier: Apache-2.0
"""A schema-driven tester makes requests from the worker's own OpenAPI document, good ones and bad
ones: nothing is answered with 500, every answer is as the document says, bad input is refused."""

import os
import pathlib
import subprocess

from hostile.server import KEPT

HERE = pathlib.Path(__file__).resolve().parent


def test_requests_made_from_the_document_are_answered_as_it_says(server, lab, seconds, seed):
    fetched = subprocess.run(
        [HERE.parent / "clients" / "fetch", "fuzz"], check=True, stdout=subprocess.PIPE, text=True
    )
    folder = lab.folder / f"schema-{seed}"
    folder.mkdir()
    done = subprocess.run(
        [
            *("/usr/bin/python3", "-m", "schemathesis.cli"),
            *("--config-file", HERE / "schemathesis.toml"),
            *("run", server.worker.url + "/openapi.json"),
            *("--seed", str(seed), "--max-time", str(seconds + 5), "--no-color"),
            *("--max-examples", str(seconds * 2), "--continue-on-failure"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": f"{fetched.stdout.strip()}:{HERE}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SCHEMATHESIS_HOOKS": "hooks",
            "HOSTILE_NAMES": ",".join(KEPT),
            "HOSTILE_MQTT": server.mqtt,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds * 4 + 60,
        check=False,
    )
    print(done.stdout[-12000:])
    assert done.returncode == 0
    assert server.worker.get("/health").status == 200
    server.delete_all()
    server.end()
