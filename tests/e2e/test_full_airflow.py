"""A full Airflow, each component a process of its own, against the local ECR."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.airflow import LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

DAG = "example_release_promotion"

#: A triggerer that was killed is given up after so many seconds, instead of Airflow's 30.
SETTINGS = {"AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6", "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def builds() -> Iterator[EcrEmulator]:
    with EcrEmulator() as emulator:
        push_builds(emulator)
        yield emulator


@pytest.fixture
def airflow(builds: EcrEmulator, tmp_path: Path) -> Iterator[LocalAirflow]:
    with LocalAirflow(tmp_path, airflow_settings(tmp_path, builds) | SETTINGS, free_port()) as running:
        yield running


def wait_for(airflow: LocalAirflow, what: str, holds: Callable[[], object], patience: float = 90) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"{what} took too long:\n{airflow.logs()}"
        time.sleep(0.5)


def test_a_wait_survives_the_triggerer_and_ends_in_a_deploy_of_exactly_that_image(
    airflow: LocalAirflow, builds: EcrEmulator
) -> None:
    wait_for(airflow, "parsing the examples", lambda: DAG in airflow.dag_ids())
    run = airflow.trigger(DAG, build_tag="build-43")

    def state(task: str) -> str:
        return airflow.task_states(DAG, run)[task]

    wait_for(airflow, "deferring", lambda: state("wait_for_build") == "deferred")
    wait_for(airflow, "a look by the triggerer", lambda: builds.calls.count("DescribeImages") > 1)
    airflow.stop("triggerer", signal.SIGKILL)
    image = sample_image(files={"name": b"build-43"})
    push(builds.client(), "shop/web", image, "build-43")
    builds.clear_requests()
    airflow.start("triggerer")
    wait_for(airflow, "the release", lambda: set(airflow.task_states(DAG, run).values()) == {"success"})

    assert airflow.xcom(DAG, run, "deploy", "return_value").endswith(f"@{image.digest}")
    assert builds.calls.count("PutImage") == 1
    link = airflow.xcom(DAG, run, "promote", "_link_EcrImageLink")
    assert f"/shop/web/_/image/{image.digest}/details" in link
