# SPDX-License-Identifier: Apache-2.0
"""The committed outcomes of Kafka's own converters and transformations are still theirs."""
import pathlib
import shutil
import subprocess

import pytest

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


@pytest.mark.skipif(shutil.which("java") is None, reason="needs java")
def test_golden_file_is_what_kafka_makes_of_the_cases(tmp_path):
    made = tmp_path / "golden.json"
    subprocess.run([GOLDEN / "regenerate", made], check=True, timeout=120)
    assert made.read_text() == (GOLDEN / "golden.json").read_text()
