"""The tests that the documentation shows, run as their readers run them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from airflow.sdk import __version__ as task_sdk_version
from local_ecr import ROOT


@pytest.mark.skipif(task_sdk_version.startswith("1.0."), reason="the examples name where DagBag is since Airflow 3.2")
def test_the_documented_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", "docs/examples", "docs/examples", "-q"]
    environment = os.environ | {"DAGS_FOLDER": str(ROOT / "example_dags")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
