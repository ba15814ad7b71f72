"""EcrCopyImageOperator, run by Airflow against the local ECR."""

from __future__ import annotations

from typing import Any

import pytest
from airflow_runs import Run, run_task
from local_ecr import ACCOUNT, REGION, REPOSITORY, connection

from ecr_provider.emulator import EcrEmulator
from ecr_provider.emulator.samples import push, sample_artifact, sample_image
from ecr_provider.operators.image_copy import EcrCopyImageOperator

PROD_ACCOUNT, PROD_REGION = "210987654321", "eu-west-1"


@pytest.fixture
def aws_prod(ecr: EcrEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection ``aws_prod``, to another account and Region, and its empty repository."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_PROD", connection(ecr, PROD_ACCOUNT, region_name=PROD_REGION))
    ecr.client(PROD_REGION, PROD_ACCOUNT).create_repository(repositoryName=REPOSITORY)


pytestmark = pytest.mark.usefixtures("aws_default", "aws_prod")


def copy(**arguments: Any) -> Run:
    given = {"task_id": "copy", "repository_name": REPOSITORY, "aws_conn_id": "aws_prod", "image_tag": "prod"}
    return run_task(lambda: EcrCopyImageOperator(**given | arguments))


def test_a_signed_image_reaches_another_account_and_region(ecr: EcrEmulator) -> None:
    image = sample_image()
    push(ecr.client(), REPOSITORY, image, "build-42")
    push(ecr.client(), REPOSITORY, sample_artifact("application/sig", b"sig", subject=image))
    push(ecr.client(), REPOSITORY, sample_artifact("application/sbom", b"sbom", subject=image.children[0]))
    result = copy(source_repository_name=REPOSITORY, source_image_tag="build-42")
    assert result.state("copy") == "success"
    report = result.xcom("copy")
    assert report["imageUri"] == f"{PROD_ACCOUNT}.dkr.ecr.{PROD_REGION}.amazonaws.com/{REPOSITORY}@{image.digest}"
    assert report["outcome"] == "created"
    assert report["copy"]["referrers"] == 2
    ecr.clear_requests()
    again = copy(source_repository_name=REPOSITORY, source_image_tag="build-42")
    assert again.xcom("copy")["outcome"] == "unchanged"
    assert ecr.calls == ["BatchGetImage", "DescribeImages", "BatchGetImage"]
