"""What importing our operators and sensors adds to a DAG file, against the amazon provider's operators for ECR."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Final

import ecr_provider
from benchmarks.fresh import fresh
from benchmarks.report import Figure
from benchmarks.settings import airflow_settings

_ROUNDS: Final = 9
_AIM: Final = 0.5
_OURS: Final = tuple(
    f"ecr_provider.{package}.{file.stem}"
    for package in ("operators", "sensors")
    for file in sorted(Path(ecr_provider.__file__).parent.glob(f"{package}/[!_]*.py"))
)
_PEER: Final = ("airflow.providers.amazon.aws.operators.ecr",)
_AMAZON: Final = "the amazon provider's operators.ecr"


@dataclass(frozen=True, slots=True)
class _Added:
    """What imports took and brought, after ``airflow.sdk``, which every DAG file imports.

    :param seconds: how long they took.
    :param modules: the modules that were not there before.
    :param floor: how long ``airflow.sdk`` itself took, in seconds.
    """

    seconds: float
    modules: frozenset[str]
    floor: float


def measure() -> list[Figure]:
    """Measure each import in new processes, one in turn with the other."""
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as home:
        fresh(_import, home, (*_OURS, *_PEER))  # compiles them all
        runs = [(fresh(_import, home, _OURS), fresh(_import, home, _PEER)) for _ in range(_ROUNDS)]
    ours, peer = ([run[position] for run in runs] for position in (0, 1))
    seconds = median(run.seconds for run in ours)
    return [
        Figure("time added to airflow.sdk", seconds, _AMAZON, median(run.seconds for run in peer), "s", _AIM),
        Figure("modules added to airflow.sdk", len(ours[0].modules), _AMAZON, len(peer[0].modules), "", _AIM),
        Figure("boto modules among them", _boto(ours[0]), _AMAZON, _boto(peer[0]), "", 0),
        Figure("time added to airflow.sdk", seconds, "airflow.sdk itself", median(run.floor for run in ours), "s"),
    ]


def _import(home: str, modules: Sequence[str]) -> _Added:
    os.environ |= airflow_settings(Path(home))
    # As where it is deployed, everything is compiled, also in a checkout that is kept free of bytecode.
    sys.pycache_prefix, sys.dont_write_bytecode = home, False
    started = time.perf_counter()
    from airflow.sdk import DAG  # noqa: F401 - as a DAG file does

    floor, before, started = time.perf_counter() - started, set(sys.modules), time.perf_counter()
    for module in modules:
        import_module(module)
    return _Added(time.perf_counter() - started, frozenset(sys.modules) - before, floor)


def _boto(added: _Added) -> int:
    return sum(module.partition(".")[0] in {"boto3", "botocore"} for module in added.modules)
