"""What parsing a DAG file costs with our tasks in it, against the amazon provider's, and Airflow's bare classes.

As Airflow does it: each file in a process of its own, which has imported Airflow but no provider. Then the same
file again and again, with everything imported, which is what each task takes by itself.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.fresh import fresh
from benchmarks.report import Figure
from benchmarks.settings import airflow_settings

_ROUNDS: Final = 5
_REPEATS: Final = 15
_PAIRS: Final = 50
_OURS, _AMAZON, _BARE = "ours", "the amazon provider's tasks", "Airflow's bare classes"

#: One that waits and one that acts on what was found, over and over.
_FILE: Final = """
from airflow.sdk import DAG, {imports}

with DAG("parsed", schedule=None):
    for number in range({pairs}):
        wait = {sensor}
        wait >> {operator}
"""
_DAGS: Final = {
    _OURS: {
        "imports": "task\nfrom ecr_provider.operators.image import EcrPutImageOperator"
        "\nfrom ecr_provider.sensors.image import EcrImageSensor",
        "sensor": 'EcrImageSensor(task_id=f"wait_{number}", repository_name="shop/web", image_tag="{{ ds }}")',
        "operator": 'EcrPutImageOperator(task_id=f"put_{number}", repository_name="shop/web", image_tag="prod", '
        'source_image_digest=wait.output["imageDigest"])',
    },
    _AMAZON: {
        "imports": "task\nfrom airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator"
        "\nfrom airflow.providers.amazon.aws.sensors.ecs import EcsTaskStateSensor",
        "sensor": 'EcsTaskStateSensor(task_id=f"wait_{number}", cluster="shop", task="{{ ds }}")',
        "operator": 'EcsRunTaskOperator(task_id=f"run_{number}", cluster="shop", overrides={}, '
        'task_definition=wait.output["task"])',
    },
    _BARE: {
        "imports": "BaseOperator, BaseSensorOperator",
        "sensor": 'BaseSensorOperator(task_id=f"wait_{number}")',
        "operator": 'BaseOperator(task_id=f"act_{number}")',
    },
}


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What parsing a file took.

    :param first: the first time, with what it imports, in seconds.
    :param again: once more, in seconds.
    :param modules: how many modules it brought.
    :param has_boto: whether boto3 was among them.
    """

    first: float
    again: float
    modules: int
    has_boto: bool


def measure() -> list[Figure]:
    """Measure each file in new processes, one in turn with the others."""
    with tempfile.TemporaryDirectory(prefix="ecr-bench-") as folder:
        home = Path(folder)
        files = {name: _written(home, name, pairs=1) for name in _DAGS}
        long_files = {name: _written(home, name, pairs=_PAIRS) for name in _DAGS}
        for file in files.values():
            fresh(_parse, str(home), str(file), 0)  # compiles everything
        runs = [{name: fresh(_parse, str(home), str(file), 0) for name, file in files.items()} for _ in range(_ROUNDS)]
        long_runs = {name: fresh(_parse, str(home), str(file), _REPEATS) for name, file in long_files.items()}
    first = {name: median(run[name].first for run in runs) for name in _DAGS}
    brought = {name: runs[0][name].modules for name in _DAGS}
    task = {name: long_runs[name].again / (2 * _PAIRS) for name in _DAGS}
    return [
        Figure("a file of two tasks, first parse", first[_OURS], _AMAZON, first[_AMAZON], "s", 0.5),
        Figure("a file of two tasks, first parse", first[_OURS], _BARE, first[_BARE], "s"),
        Figure("modules that it imports", brought[_OURS], _AMAZON, brought[_AMAZON], "", 0.5),
        Figure("files among them with boto3", runs[0][_OURS].has_boto, _AMAZON, runs[0][_AMAZON].has_boto, "", 0),
        Figure("a task, everything imported", task[_OURS], _AMAZON, task[_AMAZON], "s", 1.25),
        Figure("a task, everything imported", task[_OURS], _BARE, task[_BARE], "s", 1.25),
    ]


def _written(home: Path, name: str, pairs: int) -> Path:
    """Write the DAG file of one kind of tasks."""
    file = home / f"{list(_DAGS).index(name)}_{pairs}.py"
    file.write_text(_FILE.format(pairs=pairs, **_DAGS[name]))
    return file


def _parse(home: str, file: str, repeats: int) -> _Parsed:
    os.environ |= airflow_settings(Path(home)) | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING"}
    # As where it is deployed, everything is compiled, also in a checkout that is kept free of bytecode.
    sys.pycache_prefix, sys.dont_write_bytecode = home, False
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG, BaseOperator, BaseSensorOperator, task  # noqa: F401 - as the parent of the processes

    def parse() -> float:
        started = time.perf_counter()
        bag: Any = DagBag(file)
        seconds = time.perf_counter() - started
        if bag.import_errors or len(bag.dags) != 1:
            raise AssertionError(bag.import_errors)
        return seconds

    _parse_nothing(DagBag, home)
    before = set(sys.modules)
    first = parse()
    brought = set(sys.modules) - before
    again = median([parse() for _ in range(repeats)]) if repeats else 0.0
    return _Parsed(first, again, len(brought), "boto3" in brought)


def _parse_nothing(dag_bag: Any, home: str) -> None:
    """Parse a file without a DAG, so that what Airflow itself prepares is prepared."""
    nothing = Path(home) / "nothing.py"
    nothing.write_text("from airflow.sdk import DAG\n\nDAG('nothing', schedule=None)\n")
    dag_bag(str(nothing))
