"""The demo, as a user runs it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from airflow.sdk import __version__ as task_sdk_version
from local_ecr import ROOT


@pytest.mark.skipif(task_sdk_version.startswith("1.0."), reason="the demo runs on the Airflow that is pinned")
def test_the_demo_moves_prod_once_and_then_leaves_it() -> None:
    done = subprocess.run([sys.executable, "-m", "demo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("\nRun 2\n")
    assert "shop/web:prod, moved" in first
    assert "1 PutImage" in first
    assert "shop/web:prod, unchanged" in second
    assert "PutImage" not in second
    assert "OK after" in second
