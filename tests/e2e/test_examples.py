"""Every example DAG, run by Airflow against the local ECR, twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow_runs import dags_of, run_dag
from local_ecr import ROOT

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_image

EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))

pytestmark = pytest.mark.usefixtures("aws_default")


@pytest.fixture
def builds(ecr: EcrEmulator) -> None:
    """Repositories as a team would have them: two builds, and prod on the older one."""
    client = ecr.client()
    for name in ("shop/web", "shop/api", "shop/worker"):
        if name != "shop/web":
            client.create_repository(repositoryName=name)
        old, new = (sample_image(files={"name": f"{name} {build}".encode()}) for build in ("build-41", "build-42"))
        for image, tag in ((old, "build-41"), (old, "prod"), (new, "build-42")):
            push(client, name, image, tag)


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"example_image", "example_release_promotion"}


@pytest.mark.usefixtures("builds")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_twice(path: Path) -> None:
    found = dags_of(path)
    assert found
    for dag in found:
        for _ in range(2):
            run = run_dag(dag)
            states = {each.task_id: str(each.state) for each in run.dag_run.get_task_instances()}
            assert set(states.values()) == {"success"}, states
