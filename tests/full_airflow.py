"""What the tests of a full Airflow share."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from demo.airflow import LocalAirflow

#: A triggerer that was killed is given up after so many seconds, instead of Airflow's 30.
SETTINGS = {"AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6", "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(airflow: LocalAirflow, what: str, holds: Callable[[], object], patience: float = 90) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"{what} took too long:\n{airflow.logs()}"
        time.sleep(0.5)
