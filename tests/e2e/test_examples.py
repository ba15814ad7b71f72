"""Every example DAG, run by Airflow against the local ECR, twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow_runs import dags_of, run_dag
from local_ecr import ROOT, connection
from registry_client import credentials_of

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image

EXAMPLES = sorted((ROOT / "example_dags").glob("*.py"))

pytestmark = pytest.mark.usefixtures("aws_default", "aws_prod", "upstream_registry")


@pytest.fixture
def aws_prod(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to the account that runs what the other one builds."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_PROD", connection(ecr, "210987654321", region_name="eu-west-1"))


@pytest.fixture
def upstream_registry(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to a registry that has an image and wants a password: another account's, by its HTTP API alone."""
    client = ecr.client(account_id="333333333333")
    client.create_repository(repositoryName="tools/linter")
    push(client, "tools/linter", sample_image(), "2.1")
    login, _, password = credentials_of(client).partition(":")
    host = ecr.endpoint_url.removeprefix("http://")
    given = {"conn_type": "generic", "host": host, "login": login, "password": password}
    monkeypatch.setenv("AIRFLOW_CONN_UPSTREAM_REGISTRY", json.dumps(given))


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
        push(client, name, sample_artifact("application/vnd.example.signature", b"signed", subject=new))


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"example_image", "example_image_copy", "example_release_promotion"}


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
