"""What the tests of sensors share: sensors of a class, run by Airflow, and what happens while they wait."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest
from airflow.sdk import BaseSensorOperator
from airflow.sdk import __version__ as task_sdk_version
from airflow_runs import Run, run_task
from local_ecr import REPOSITORY

from ecr_provider.emulator import EcrEmulator

_Sensor = TypeVar("_Sensor", bound=BaseSensorOperator)

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["poking", "deferrable"])
reschedules = pytest.mark.skipif(
    task_sdk_version.startswith("1.0."), reason="dag.test() of Airflow 3.0 cannot reschedule a sensor"
)


class Sensors(Generic[_Sensor]):
    """Sensors of a class, that look ten times a second.

    :param defaults: arguments of all of them, where a test gives no others.
    """

    def __init__(self, kind: type[_Sensor], **defaults: Any) -> None:
        self._kind = kind
        always = {"task_id": "wait", "repository_name": REPOSITORY, "poke_interval": 0.1, "timeout": 20}
        self._defaults: dict[str, Any] = always | defaults

    def make(self, **arguments: Any) -> _Sensor:
        return self._kind(**(self._defaults | arguments))

    def run(self, dag_arguments: dict[str, Any] | None = None, **arguments: Any) -> Run:
        """Run one in a DAG of its own."""
        return run_task(lambda: self.make(**arguments), **(dag_arguments or {}))


def after_two_looks(ecr: EcrEmulator, action: Callable[[], object], look: str = "DescribeImages") -> None:
    """Do something once the sensor has looked twice.

    :param look: the call that it looks by.
    """
    _once(lambda: ecr.calls.count(look) >= 2, action)


def once_called(ecr: EcrEmulator, calls: int, action: Callable[[], object]) -> None:
    """Do something after so many calls, while a sensor waits."""
    _once(lambda: len(ecr.calls) >= calls, action)


def _once(holds: Callable[[], bool], action: Callable[[], object]) -> None:
    def watch() -> None:
        while not holds():
            threading.Event().wait(0.01)
        action()

    threading.Thread(target=watch, daemon=True).start()
