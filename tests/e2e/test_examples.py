"""Every example DAG, run by Airflow against the local ECR, twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.providers.amazon.aws.hooks import batch_client
from airflow.sdk import DAG
from airflow_runs import dags_of, run_dag
from aws_for_deploys import aws_for_deploys
from local_ecr import ROOT, connection, needs
from registry_client import credentials_of

from demo.local import push_builds
from ecr_provider.assets.ecr import EcrImageAsset
from ecr_provider.emulator import EcrEmulator, Switches
from ecr_provider.emulator.samples import push, sample_image
from ecr_provider.operators.image import EcrPutImageOperator
from ecr_provider.version_compat import HAS_PARTITIONED_EVENTS

#: It waits for a person, who answers in test_ui.py.
ASKS = "example_approved_release"
EXAMPLES = sorted(path for path in (ROOT / "example_dags").glob("*.py") if path.stem != ASKS)

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
def ecr() -> Iterator[EcrEmulator]:
    """Repositories as a team would have them, pushed an hour ago."""
    behind = [3600.0]
    switches = Switches(replication_seconds=1, lifecycle_preview_seconds=1)
    with EcrEmulator(clock=lambda: time.time() - behind[0], switches=switches) as emulator:
        push_builds(emulator)
        behind[0] = 0
        yield emulator


def put_staging() -> None:
    """Release an image under the tag that an example follows: there is no triggerer here, to see a push."""
    asset = EcrImageAsset("123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:staging")
    with DAG("staging", schedule=None) as dag:
        EcrPutImageOperator(
            task_id="put", repository_name="shop/web", source_image_tag="build-42", image_tag="staging", outlets=[asset]
        )
    run_dag(dag)


def test_there_are_examples() -> None:
    assert {path.stem for path in EXAMPLES} >= {"example_image", "example_image_copy", "example_release_promotion"}


#: What an example needs that is newer than the oldest of what the package works with.
NEEDS = {
    "example_gated_release": pytest.mark.skipif(not HAS_PARTITIONED_EVENTS, reason="this Airflow has no partitions"),
    "example_image_referrers": needs("DescribeImageSigningStatus"),
}


@pytest.fixture(scope="module")
def deploy_targets() -> Iterator[dict[str, dict[str, str]]]:
    """Where the examples deploy, for all of them."""
    with aws_for_deploys() as services:
        yield services


@pytest.fixture
def targets(request: pytest.FixtureRequest, ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Have the connection lead to where an example deploys, if it does: moto takes its time to start."""
    request.getfixturevalue("aws_default")
    if path.stem.startswith("example_deploy"):
        services = request.getfixturevalue("deploy_targets")
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection(ecr, service_config=services))
        monkeypatch.setattr(batch_client.BatchClientHook, "delay", lambda *_: None)  # half a minute, of chance


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize(
    "path", [pytest.param(each, marks=NEEDS.get(each.stem, ()), id=each.stem) for each in EXAMPLES]
)
def test_the_example_runs_twice(path: Path) -> None:
    if path.stem == "example_image_events":
        put_staging()
    found = sorted(dags_of(path), key=lambda dag: dag.dag_id)  # those who release before those who follow
    assert found
    # The second time there may be nothing left to do.
    for expected in ({"success"}, {"success", "skipped"}):
        for dag in found:
            run = run_dag(dag)
            states = {each.task_id: str(each.state) for each in run.dag_run.get_task_instances()}
            assert set(states.values()) <= expected, states
