"""A full Airflow, each component a process of its own, against the local ECR."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from full_airflow import SETTINGS, free_port, wait_for

from demo.airflow import LocalAirflow
from demo.local import airflow_settings, push_builds
from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

DAG = "example_release_promotion"


@pytest.fixture
def builds() -> Iterator[EcrEmulator]:
    with EcrEmulator() as emulator:
        push_builds(emulator)
        yield emulator


@pytest.fixture
def airflow(builds: EcrEmulator, tmp_path: Path) -> Iterator[LocalAirflow]:
    with LocalAirflow(tmp_path, airflow_settings(tmp_path, builds) | SETTINGS, free_port()) as running:
        yield running


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
